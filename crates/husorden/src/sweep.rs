//! What an installation leaves on a machine, found by looking at the kernel and not at any record, and taken away.
//!
//! The node closes what it opened in good order. This is for the time after that, and for the time when there is no node
//! left to ask: whoever was killed at whatever moment, `down` ends with a machine as it was before, or names what is left.

use crate::place::Place;
use crate::process::Identity;
use husorden_node::network;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// One thing that is left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Left {
    /// A process, with its command.
    Process(u32, String),
    /// A mount point.
    Mount(PathBuf),
    /// A loop device, with the file behind it.
    Loop(PathBuf, PathBuf),
    /// A network namespace.
    Netns(String),
    /// An interface in the machine's own network.
    Link(String),
    /// An nftables table in the machine's own network.
    Table(String, String),
    /// A cgroup.
    Cgroup(PathBuf),
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid, command) => write!(f, "process {pid}: {command}"),
            Self::Mount(path) => write!(f, "mount {}", path.display()),
            Self::Loop(device, file) => {
                write!(f, "loop device {} on {}", device.display(), file.display())
            }
            Self::Netns(name) => write!(f, "network namespace {name}"),
            Self::Link(name) => write!(f, "network interface {name}"),
            Self::Table(family, name) => write!(f, "nftables table {family} {name}"),
            Self::Cgroup(path) => write!(f, "cgroup {}", path.display()),
        }
    }
}

/// Everything that belongs to the installation and is not a file.
pub(crate) fn look(place: &Place) -> Vec<Left> {
    let names = network::namespaces(&place.instance);
    let mut all: Vec<Left> = Vec::new();
    all.extend(processes(place, &names));
    all.extend(mounts(place).into_iter().map(Left::Mount));
    all.extend(loops(place));
    all.extend(names.into_iter().map(Left::Netns));
    all.extend(links(&place.instance));
    all.extend(tables(&place.instance));
    all.extend(all_cgroups(place).into_iter().map(Left::Cgroup));
    all
}

/// Takes away what was found, in an order in which nothing holds the next. Looks again itself after each kind, for an end of
/// a process is the end of its mounts, and so on.
pub(crate) fn clean(place: &Place) {
    // Three rounds: what one holds, such as a mount inside a namespace that a process kept, is only free in the next.
    for _ in 0..3 {
        let names = network::namespaces(&place.instance);
        for left in processes(place, &names) {
            if let Left::Process(pid, _) = left
                && let Some(identity) = Identity::of(pid)
            {
                identity.end(Duration::from_secs(2));
            }
        }
        let mut points = mounts(place);
        points.reverse();
        for point in points {
            run("umount", &[point.as_os_str()]);
        }
        for left in loops(place) {
            if let Left::Loop(device, _) = left {
                run("losetup", &["-d".as_ref(), device.as_os_str()]);
            }
        }
        for name in network::namespaces(&place.instance) {
            // What did not work is seen by the look that follows.
            let _ = network::remove_namespace(&name);
        }
        for left in links(&place.instance) {
            if let Left::Link(name) = left {
                run("ip", &["link".as_ref(), "delete".as_ref(), name.as_ref()]);
            }
        }
        for left in tables(&place.instance) {
            if let Left::Table(family, name) = left {
                let arguments = ["delete", "table", &family, &name].map(AsRef::as_ref);
                run("nft", &arguments);
            }
        }
        for group in all_cgroups(place) {
            let _ = fs::remove_dir(&group);
        }
        if look(place).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn run(program: &str, arguments: &[&std::ffi::OsStr]) {
    // What did not work is seen by the look that follows.
    let _ = Command::new(program).args(arguments).output();
}

/// Processes in the installation's cgroups or network namespaces, and its own programs that work in its folders.
fn processes(place: &Place, netns: &[String]) -> BTreeSet<Left> {
    let spaces: BTreeSet<u64> =
        netns.iter().filter_map(|name| fs::metadata(network::namespace(name)).ok()).map(|data| data.ino()).collect();
    let groups = [&place.instance, &place.of_proofs().instance].map(|instance| format!("/husorden/{instance}"));
    let own = std::process::id();
    let mut found = BTreeSet::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for entry in entries {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if pid == own || Identity::of(pid).is_none() {
            continue;
        }
        let proc = entry.path();
        let in_group = fs::read_to_string(proc.join("cgroup")).is_ok_and(|text| {
            text.lines().any(|line| {
                groups.iter().any(|group| {
                    line.find(group.as_str())
                        .is_some_and(|at| matches!(line[at + group.len()..].bytes().next(), None | Some(b'/')))
                })
            })
        });
        let in_space =
            !spaces.is_empty() && fs::metadata(proc.join("ns/net")).is_ok_and(|data| spaces.contains(&data.ino()));
        let command = fs::read(proc.join("cmdline")).unwrap_or_default();
        let words: Vec<String> = command
            .split(|byte| *byte == 0)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        if in_group || in_space || is_ours(place, &proc, &words) {
            let mut text = words.join(" ");
            if let Some((cut, _)) = text.char_indices().nth(120) {
                text.truncate(cut);
            }
            found.insert(Left::Process(pid, text));
        }
    }
    found
}

/// A program of ours that was started for this installation: named by its binary and by a folder of the installation among
/// its words. Somebody's editor or pager with a file of the installation open is none.
fn is_ours(place: &Place, proc: &Path, words: &[String]) -> bool {
    let same_binary = match (fs::metadata(proc.join("exe")), fs::metadata("/proc/self/exe")) {
        (Ok(its), Ok(own)) => (its.dev(), its.ino()) == (own.dev(), own.ino()),
        _ => false,
    };
    let program = fs::read_link(proc.join("exe"))
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default();
    let known = same_binary
        || ["husorden", "postgres", "crun"]
            .into_iter()
            // crun is started from a sealed copy in memory, which has no name on any disk.
            .any(|name| {
                [name.to_owned(), format!("{name} (deleted)"), format!("memfd:{name} (deleted)")].contains(&program)
            });
    known
        && words.iter().any(|word| Path::new(word).starts_with(&place.run) || Path::new(word).starts_with(&place.home))
}

/// Mount points below the installation's folders, outermost first.
fn mounts(place: &Place) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|field| PathBuf::from(unescape(field)))
        .filter(|path| path.starts_with(&place.run) || path.starts_with(&place.home))
        .collect()
}

/// mountinfo writes blanks, tabs, line ends and backslashes as octal.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Loop devices on files of the installation.
fn loops(place: &Place) -> Vec<Left> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let backing = fs::read_to_string(entry.path().join("loop/backing_file"));
        let Ok(backing) = backing else { continue };
        let file = backing.trim_end();
        let file = PathBuf::from(file.strip_suffix(" (deleted)").unwrap_or(file));
        if file.starts_with(&place.home) || file.starts_with(&place.run) {
            found.push(Left::Loop(Path::new("/dev").join(entry.file_name()), file));
        }
    }
    found
}

/// Whether a kernel object's name is this installation's: `hus-demo` and `hus-demo-7`, but not `hus-demo2`.
fn is_named(name: &str, instance: &str) -> bool {
    ["hus", "husorden"].into_iter().any(|first| {
        name.strip_prefix(first)
            .and_then(|rest| rest.strip_prefix(['-', '_']))
            .and_then(|rest| rest.strip_prefix(instance))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_', '.']))
    })
}

fn links(instance: &str) -> Vec<Left> {
    // Of the network this process stands in; sysfs shows the one that it was mounted from.
    let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    text.lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .filter(|name| is_named(name, instance))
        .map(Left::Link)
        .collect()
}

fn tables(instance: &str) -> Vec<Left> {
    let output = Command::new("nft").args(["list", "tables"]).output();
    let text = output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.lines()
        .filter_map(|line| line.strip_prefix("table ")?.split_once(' '))
        .filter(|(_, name)| is_named(name, instance))
        .map(|(family, name)| Left::Table(family.to_owned(), name.to_owned()))
        .collect()
}

/// Cgroups of the installation and of its role for proofs.
fn all_cgroups(place: &Place) -> Vec<PathBuf> {
    [&place.instance, &place.of_proofs().instance].into_iter().flat_map(|instance| cgroups(instance)).collect()
}

/// The installation's cgroups in every hierarchy, innermost first.
fn cgroups(instance: &str) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let roots: BTreeSet<PathBuf> = text
        .lines()
        .filter(|line| {
            line.split_once(" - ").is_some_and(|(_, rest)| rest.starts_with("cgroup ") || rest.starts_with("cgroup2 "))
        })
        .filter_map(|line| line.split(' ').nth(4))
        .map(|field| PathBuf::from(unescape(field)))
        .collect();
    let mut found = Vec::new();
    for root in roots {
        below(&root.join("husorden").join(instance), &mut found);
    }
    found
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&entry.path(), found);
        }
    }
    found.push(folder.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_belong_to_one_installation() {
        for (name, ours) in [
            ("hus-demo", true),
            ("hus-demo-7", true),
            ("husorden_demo", true),
            ("hus-demo2", false),
            ("hus-other", false),
            ("demo", false),
            ("eth0", false),
        ] {
            assert_eq!(is_named(name, "demo"), ours, "{name}");
        }
    }

    #[test]
    fn a_process_in_a_namespace_and_a_loop_device_are_found_and_taken_away() {
        let instance = format!("z{}", std::process::id() % 1_000_000);
        let base = std::env::temp_dir().join(format!("husorden-sweep-{instance}"));
        let place = Place { instance: instance.clone(), home: base.join("home"), run: base.join("run") };
        fs::create_dir_all(&place.home).expect("a folder");
        assert_eq!(look(&place), []);

        let name = format!("hus-{instance}");
        let ok = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().expect("the program starts");
            assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        network::make_namespace(&name).expect("a namespace");
        let pool = place.pool();
        fs::File::create(&pool).and_then(|file| file.set_len(1 << 20)).expect("a file");
        ok("losetup", &["-f", "--show", pool.to_str().expect("a path")]);
        let mut sleeper = Command::new("nsenter")
            .arg(format!("--net={}", network::namespace(&name).display()))
            .args(["sleep", "600"])
            .spawn()
            .expect("it starts");
        let named = |left: &Left| match left {
            Left::Process(..) => "process",
            Left::Loop(..) => "loop",
            Left::Netns(_) => "netns",
            Left::Mount(_) | Left::Link(_) | Left::Table(..) | Left::Cgroup(_) => "other",
        };
        let mut kinds = Vec::new();
        for _ in 0..200 {
            kinds = look(&place).iter().map(named).collect();
            if kinds.len() >= 3 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        clean(&place);
        let left = look(&place);
        let _ = sleeper.kill();
        let _ = sleeper.wait();
        let _ = fs::remove_dir_all(&base);
        assert_eq!(kinds, ["process", "loop", "netns"]);
        assert_eq!(left, []);
    }
}
