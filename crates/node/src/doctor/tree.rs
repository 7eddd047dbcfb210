//! What a pure cgroup v2 tree lets a node do, and what the disk's limits are worth. Read from folders that are given, so that
//! hosts this was not run on are at least judged by their files.

use super::{Finding, State, fine, run, wanting};
use crate::sandbox::disk::weighed;
use crate::sandbox::{Disk, Means};
use husorden_base::Text;
use std::fs;
use std::path::Path;

/// What sandboxes are limited by.
const CONTROLLERS: [&str; 4] = ["cpu", "io", "memory", "pids"];

/// A version 2 tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The controllers it has to give.
    pub controllers: Vec<String>,
    /// It is mounted so that nothing can be made in it, as in a container that was not given its own.
    pub read_only: bool,
    /// It is the part of a container with processes at its top, where the kernel gives no controllers on.
    pub crowded: bool,
}

impl Tree {
    /// Looks at the tree at `root`, mounted as `mounts` says.
    #[must_use]
    pub fn look(root: &Path, mounts: &str) -> Self {
        let words = |file: &str| {
            let text = fs::read_to_string(root.join(file)).unwrap_or_default();
            text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let given = words("cgroup.subtree_control");
        let wants_more = CONTROLLERS.iter().any(|wanted| !given.iter().any(|has| has == wanted));
        Self {
            controllers: words("cgroup.controllers"),
            read_only: mounts.lines().any(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                matches!(fields[..], [_, at, "cgroup2", options, ..]
                    if Path::new(at) == root && options.split(',').any(|option| option == "ro"))
            }),
            // The tree's real root has no type, and is let give on what it has whoever sits in it.
            crowded: root.join("cgroup.type").exists() && wants_more && !words("cgroup.procs").is_empty(),
        }
    }

    /// Judges it.
    pub(super) fn judge(&self) -> Finding {
        let lacking: Vec<_> =
            CONTROLLERS.into_iter().filter(|wanted| !self.controllers.iter().any(|has| has == wanted)).collect();
        if !lacking.is_empty() {
            let lacking = lacking.join(", ");
            return wanting(
                "cgroups",
                State::Missing,
                format!("version 2 uden {lacking}: sandkasser kan ikke begrænses"),
                format!("version 2 without {lacking}: sandboxes cannot be limited"),
                Text::new(
                    format!(
                        "brug en kerne med disse controllere ({lacking}), og fjern cgroup_disable= fra /proc/cmdline"
                    ),
                    format!(
                        "use a kernel with these controllers ({lacking}), and take cgroup_disable= from /proc/cmdline"
                    ),
                ),
            );
        }
        if self.read_only {
            return wanting(
                "cgroups",
                State::Missing,
                "version 2 kan kun læses her: sandkasser kan ikke begrænses",
                "version 2 can only be read here: sandboxes cannot be limited",
                run("mount -o remount,rw /sys/fs/cgroup   # in a container: give it a cgroup of its own to write"),
            );
        }
        if self.crowded {
            return wanting(
                "cgroups",
                State::Missing,
                "version 2 i en container med processer øverst: kernen giver ingen controllere videre",
                "version 2 in a container with processes at its top: the kernel gives no controllers on",
                Text::new(
                    "lad systemd være containerens første proces, eller brug en maskine for sig",
                    "let systemd be the container's first process, or use a machine of its own",
                ),
            );
        }
        fine("cgroups", "version 2", "version 2")
    }
}

/// What limits on reading and writing are worth on the disk that holds the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Io {
    /// What the kernel can do.
    pub means: Means,
    /// Something heeds weights on this disk.
    pub weighed: bool,
}

impl Io {
    /// Looks at cgroups at `root` and devices at `sys`.
    #[must_use]
    pub fn look(sys: &Path, root: &Path, disk: Option<Disk>) -> Self {
        let means = if root.join("cgroup.controllers").exists() {
            Means::unified(root)
        } else {
            Means::old(Some(&root.join("blkio")))
        };
        Self { means, weighed: means.weight && disk.is_some_and(|disk| weighed(sys, root, disk)) }
    }

    /// Judges it. `unified` is the remedy that makes a machine's cgroups version 2 alone.
    pub(super) fn judge(self, unified: Text) -> Finding {
        if !self.means.bounds {
            return wanting(
                "io-limits",
                State::Degraded,
                "kernen kan ikke begrænse læsning og skrivning: en løsning kan tage hele disken",
                "the kernel cannot bound reading and writing: one solution may take the whole disk",
                Text::new(
                    "brug en kerne med CONFIG_BLK_CGROUP og CONFIG_BLK_DEV_THROTTLING, som Debians",
                    "use a kernel with CONFIG_BLK_CGROUP and CONFIG_BLK_DEV_THROTTLING, such as Debian's",
                ),
            );
        }
        if !self.means.buffered {
            return wanting(
                "io-limits",
                State::Degraded,
                "version 1 begrænser læsning og det, der skrives direkte eller synkront; hvad der ligger i hukommelsen, skriver kernen i sit eget tempo",
                "version 1 bounds reading and what is written directly or synced; what lies in memory the kernel writes at its own pace",
                unified,
            );
        }
        if !self.weighed {
            return wanting(
                "io-limits",
                State::Degraded,
                "læsning og skrivning er begrænset, men intet på disken deler efter vægt, når flere vil have den",
                "reading and writing are bounded, but nothing on the disk shares by weight when several want it",
                run("echo bfq > /sys/block/<disk>/queue/scheduler   # or enable=1 in /sys/fs/cgroup/io.cost.qos"),
            );
        }
        fine(
            "io-limits",
            "læsning og skrivning begrænses og deles efter vægt",
            "reading and writing are bounded and shared by weight",
        )
    }
}
