//! From a sandbox as a kind asks for it, and the places the node resolved, to an OCI configuration. Pure.

use super::disk::{Disk, Means};
use super::seccomp;
use husorden_base::Number;
use husorden_kinds::{Network, Place, Sandbox};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a sandbox's places and network are on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The runtime's folder.
    pub root: PathBuf,
    /// One for each bind of the sandbox but the device, in the same order. The source's last part may be the customer's; everything above
    /// it must be root's, so that nobody can put a link in the way.
    pub binds: Vec<ResolvedBind>,
    /// The network namespace to join, such as `/run/netns/hus-demo-7`; needed with [`Network::Port`].
    pub netns: Option<PathBuf>,
    /// What the sandbox is called inside.
    pub hostname: String,
    /// Text of `/etc/resolv.conf`; may be empty.
    pub resolv_conf: String,
    /// The disk that its volume lies on, for the bounds on reading and writing.
    pub disk: Option<Disk>,
}

/// A bind with its source as a path of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedBind {
    /// On the machine.
    pub from: PathBuf,
    /// Inside.
    pub to: String,
    /// Whether it may be written.
    pub write: bool,
}

/// Why no configuration can be made of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A path inside is not absolute and plain.
    #[error("{0:?} is no plain absolute path")]
    Path(String),
    /// Something is to be mounted beneath what the customer can write, where a link could lead it elsewhere.
    #[error("{inner} would be mounted inside {outer}, which can be written from within")]
    Nested {
        /// What is to be mounted.
        inner: String,
        /// The writable bind.
        outer: String,
    },
    /// The runtime has no such folder, and none that is empty above it.
    #[error("the runtime has no place for {0}; use a path under /run or /srv")]
    NoPlace(String),
    /// The sandbox needs its port and none was resolved.
    #[error("the sandbox needs a network namespace and none was given")]
    NoPort,
    /// No program.
    #[error("there is no program to run")]
    NoProgram,
}

/// Everything a configuration is made of.
pub(crate) struct Input<'a> {
    /// What the kind asks for.
    pub(crate) sandbox: &'a Sandbox,
    /// Whose it is.
    pub(crate) number: Number,
    /// Its places.
    pub(crate) resolved: &'a Resolved,
    /// Folder that holds the generated files, each under the name [`generated`] gives it.
    pub(crate) files: &'a Path,
    /// Its cgroup.
    pub(crate) cgroup: &'a str,
    /// Largest number of open files that this machine allows.
    pub(crate) open_files_max: u64,
    /// Whether the kernel counts swap.
    pub(crate) swap: bool,
    /// What the kernel can do about reading and writing.
    pub(crate) io: Means,
    /// What is at a path in the runtime.
    pub(crate) look: &'a dyn Fn(&str) -> There,
}

/// What a runtime has at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum There {
    /// Nothing.
    Nothing,
    /// A folder without entries.
    EmptyFolder,
    /// A file, or a folder with entries.
    Something,
}

/// A tmpfs that every sandbox has: path, mode and size in KiB. What lies in it counts to the sandbox's memory.
const TMPFS: [(&str, &str, u32); 3] =
    [("/tmp", "1777", 64 << 10), ("/run", "1777", 16 << 10), ("/dev/shm", "1777", 64 << 10)];

/// The device by which a tap is opened. Which one it may be is said by who owns the tap.
const TUN: (&str, u32, u32) = ("/dev/net/tun", 10, 200);
/// The device of the machine's own virtualisation.
const KVM: (&str, u32, u32) = ("/dev/kvm", 10, 232);

/// CPU time is given out in periods of this length.
const CPU_PERIOD_US: u64 = 100_000;

/// Open files a sandbox may have, where the machine allows as many.
const OPEN_FILES_MAX: u64 = 65_536;

/// When the whole machine is out of memory, sandboxes go before the platform.
const OOM_SCORE_ADJ: i32 = 300;

/// Of `/proc`: what tells about the machine or the kernel.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/pressure",
    "/proc/interrupts",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Every generated file as (path inside, text): who the uid is, what the host is called, and the kind's own, which win.
pub(crate) fn generated(sandbox: &Sandbox, number: Number, resolved: &Resolved) -> Vec<(String, String)> {
    let (uid, host) = (number.uid(), &resolved.hostname);
    let system = [
        (
            "/etc/passwd",
            format!("root:x:0:0:root:/root:/usr/sbin/nologin\nsite:x:{uid}:{uid}:site:/srv:/usr/sbin/nologin\n"),
        ),
        ("/etc/group", format!("root:x:0:\nsite:x:{uid}:\n")),
        ("/etc/hosts", format!("127.0.0.1\tlocalhost {host}\n::1\tlocalhost ip6-localhost\n")),
        ("/etc/resolv.conf", resolved.resolv_conf.clone()),
    ];
    let own = sandbox.files.iter().map(|(path, text)| (path.clone(), text.clone()));
    system
        .into_iter()
        .filter(|(path, _)| !sandbox.files.contains_key(*path))
        .map(|(path, text)| (path.to_owned(), text))
        .chain(own)
        .collect()
}

/// Name of a generated file in the folder that holds them.
pub(crate) fn stored_name(index: usize) -> String {
    format!("{index:03}")
}

/// The `process` part: who, what, and what it may do. Also what a command run inside later gets.
pub(crate) fn process(
    sandbox: &Sandbox,
    argv: &[String],
    number: Number,
    open_files_max: u64,
) -> Result<Value, SpecError> {
    if argv.first().is_none_or(String::is_empty) {
        return Err(SpecError::NoProgram);
    }
    plain(&sandbox.cwd)?;
    let env: Vec<String> = sandbox.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let files = open_files_max.min(OPEN_FILES_MAX);
    let none: [&str; 0] = [];
    Ok(json!({
        "terminal": false,
        "user": {"uid": number.uid(), "gid": number.uid(), "umask": 0o022},
        "args": argv,
        "env": env,
        "cwd": sandbox.cwd,
        "noNewPrivileges": true,
        "capabilities": {"bounding": none, "effective": none, "inheritable": none, "permitted": none, "ambient": none},
        "rlimits": [
            {"type": "RLIMIT_NOFILE", "soft": files, "hard": files},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        ],
        "oomScoreAdj": OOM_SCORE_ADJ,
    }))
}

/// The whole configuration.
///
/// # Errors
/// When the sandbox asks for what cannot be mounted safely.
pub(crate) fn config(input: &Input<'_>) -> Result<Value, SpecError> {
    let Input { sandbox, resolved, .. } = input;
    let network = match (sandbox.network, &resolved.netns) {
        (Network::Nothing, _) => json!({"type": "network"}),
        (Network::Port | Network::Tap, Some(path)) => json!({"type": "network", "path": path}),
        (Network::Port | Network::Tap, None) => return Err(SpecError::NoPort),
    };
    let memory = sandbox.limits.memory.0;
    let mut memory_limits = json!({"limit": memory});
    if input.swap {
        memory_limits["swap"] = json!(memory);
    }
    let mut config = json!({
        "ociVersion": "1.0.2",
        "process": process(sandbox, &sandbox.argv, input.number, input.open_files_max)?,
        "root": {"path": resolved.root, "readonly": true},
        "hostname": resolved.hostname,
        "mounts": mounts(input)?,
        "linux": {
            "cgroupsPath": input.cgroup,
            "namespaces": [
                {"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "cgroup"}, network,
            ],
            "resources": {
                "memory": memory_limits,
                "cpu": {
                    "period": CPU_PERIOD_US,
                    "quota": (u64::from(sandbox.limits.cpu_percent) * CPU_PERIOD_US / 100).max(1_000),
                },
                "pids": {"limit": sandbox.limits.pids},
                "devices": [{"allow": false, "access": "rwm"}],
            },
            "seccomp": seccomp::profile(),
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    });
    let tap = (sandbox.network == Network::Tap).then_some(TUN);
    let virtualised = sandbox.binds.iter().any(|bind| bind.from == Place::Virtualisation);
    let devices: Vec<_> = tap.into_iter().chain(virtualised.then_some(KVM)).collect();
    if !devices.is_empty() {
        let node = |(path, major, minor): &(&str, u32, u32)| json!({"path": path, "type": "c", "major": major, "minor": minor, "fileMode": 0o666, "uid": 0, "gid": 0});
        config["linux"]["devices"] = devices.iter().map(node).collect();
        let allowed = devices.iter().map(
            |(_, major, minor)| json!({"allow": true, "type": "c", "major": major, "minor": minor, "access": "rw"}),
        );
        config["linux"]["resources"]["devices"] =
            std::iter::once(json!({"allow": false, "access": "rwm"})).chain(allowed).collect();
    }
    if let Some(block_io) = block_io(input) {
        config["linux"]["resources"]["blockIO"] = block_io;
    }
    Ok(config)
}

/// The part about reading and writing the disk, as far as this machine can; a file that is not there would fail the start.
fn block_io(input: &Input<'_>) -> Option<Value> {
    let (io, disk) = (input.sandbox.limits.io, input.resolved.disk.filter(|_| input.io.bounds)?);
    let bound = |rate: u64| json!([{"major": disk.major, "minor": disk.minor, "rate": rate.max(1)}]);
    let (bytes, ops) = (bound(io.bytes_s.0), bound(io.ops_s.into()));
    let mut block_io = json!({
        "throttleReadBpsDevice": bytes, "throttleWriteBpsDevice": bytes,
        "throttleReadIOPSDevice": ops, "throttleWriteIOPSDevice": ops,
    });
    if input.io.weight {
        block_io["weight"] = json!(io.weight.clamp(10, 1_000));
    }
    Some(block_io)
}

fn mounts(input: &Input<'_>) -> Result<Vec<Value>, SpecError> {
    let mut mounts = vec![
        json!({"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]}),
        json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
               "options": ["nosuid", "noexec", "mode=755", "size=64k"]}),
    ];
    for (path, mode, size_kib) in TMPFS {
        mounts.push(tmpfs(path, mode, size_kib, "rw"));
    }
    let files = generated(input.sandbox, input.number, input.resolved);
    let binds = input.resolved.binds.iter().map(|bind| (bind.to.as_str(), bind.from.clone(), bind.write));
    let files =
        files.iter().enumerate().map(|(index, (path, _))| (path.as_str(), input.files.join(stored_name(index)), false));
    let mut all: Vec<(&str, PathBuf, bool)> = binds.chain(files).collect();
    // What lies higher is mounted first; the order among equals stays.
    all.sort_by_key(|(to, _, _)| to.matches('/').count());

    let mut skeletons = BTreeSet::new();
    for (index, (to, _, _)) in all.iter().enumerate() {
        plain(to)?;
        if let Some((outer, _, _)) = all[..index].iter().find(|(outer, _, write)| *write && beneath(to, outer)) {
            return Err(SpecError::Nested { inner: (*to).to_owned(), outer: (*outer).to_owned() });
        }
        if let Some(folder) = skeleton(to, input.look)? {
            skeletons.insert(folder);
        }
    }
    mounts.extend(skeletons.iter().map(|folder| tmpfs(folder, "755", 64, "ro")));
    mounts.extend(all.into_iter().map(|(to, from, write)| {
        json!({"destination": to, "type": "bind", "source": from,
               "options": ["bind", if write { "rw" } else { "ro" }, "nosuid", "nodev"]})
    }));
    Ok(mounts)
}

/// The empty folder of the runtime over which a small read-only tmpfs goes so that `to` can be made in it; none when `to` is
/// there already or lies on a tmpfs anyway.
fn skeleton(to: &str, look: &dyn Fn(&str) -> There) -> Result<Option<String>, SpecError> {
    if TMPFS.iter().any(|(folder, _, _)| beneath(to, folder)) || look(to) != There::Nothing {
        return Ok(None);
    }
    Path::new(to)
        .ancestors()
        .skip(1)
        .filter_map(Path::to_str)
        .map(|folder| (folder, look(folder)))
        .find(|(_, there)| *there != There::Nothing)
        .filter(|(folder, there)| *there == There::EmptyFolder && *folder != "/")
        .map(|(folder, _)| Some(folder.to_owned()))
        .ok_or_else(|| SpecError::NoPlace(to.to_owned()))
}

fn tmpfs(path: &str, mode: &str, size_kib: u32, access: &str) -> Value {
    json!({"destination": path, "type": "tmpfs", "source": "tmpfs",
           "options": [access, "nosuid", "nodev", format!("mode={mode}"), format!("size={size_kib}k")]})
}

fn beneath(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
}

fn plain(path: &str) -> Result<(), SpecError> {
    let fine = path == "/"
        || path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0')));
    if fine { Ok(()) } else { Err(SpecError::Path(path.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_base::Bytes;
    use husorden_kinds::{Bind, Io, Limits, Place};
    use std::collections::BTreeMap;

    fn sandbox() -> Sandbox {
        Sandbox {
            runtime: "php-8.4".parse().expect("a runtime name"),
            argv: vec!["/usr/sbin/php-fpm8.4".into(), "-F".into()],
            env: BTreeMap::from([("FPM_SOCKETS".into(), "/run/php.sock=3".into())]),
            cwd: "/srv".into(),
            binds: vec![Bind { from: Place::Folder("www".into()), to: "/srv/www".into(), write: true }],
            files: BTreeMap::from([("/run/conf/fpm.conf".into(), "[global]\n".into())]),
            limits: Limits { memory: Bytes::mib(256), cpu_percent: 150, pids: 64, io: Io::default() },
            network: Network::Nothing,
        }
    }

    fn resolved() -> Resolved {
        Resolved {
            root: "/pool/runtimes/php-8.4".into(),
            binds: vec![ResolvedBind { from: "/pool/7/www".into(), to: "/srv/www".into(), write: true }],
            netns: None,
            hostname: "site".into(),
            resolv_conf: String::new(),
            disk: Some(Disk { major: 7, minor: 3 }),
        }
    }

    fn debian(path: &str) -> There {
        match path {
            "/" | "/etc" | "/etc/passwd" | "/etc/group" | "/etc/hosts" | "/etc/resolv.conf" | "/usr" => {
                There::Something
            }
            "/srv" => There::EmptyFolder,
            _ => There::Nothing,
        }
    }

    const PURE: Means = Means { bounds: true, buffered: true, weight: true };

    fn made(sandbox: &Sandbox, resolved: &Resolved) -> Result<Value, SpecError> {
        made_on(sandbox, resolved, PURE)
    }

    fn made_on(sandbox: &Sandbox, resolved: &Resolved, io: Means) -> Result<Value, SpecError> {
        config(&Input {
            sandbox,
            number: Number::new(7).expect("7"),
            resolved,
            files: Path::new("/bundle/files"),
            cgroup: "/husorden/demo/7/php",
            open_files_max: 20_000,
            swap: true,
            io,
            look: &debian,
        })
    }

    #[test]
    fn golden() {
        let mut config = made(&sandbox(), &resolved()).expect("a configuration");
        config["linux"]["seccomp"] = json!("its own test");
        let text = serde_json::to_string_pretty(&config).expect("JSON") + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/golden.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).expect("the golden is written");
        }
        let golden = std::fs::read_to_string(&path).expect("golden.json lies beside spec.rs");
        assert_eq!(text, golden, "run with BLESS=1 if this is meant");
    }

    #[test]
    fn bounds_on_the_disk_are_asked_for_as_far_as_the_machine_has_them() {
        let check = |resolved: &Resolved, io: Means, bounded: bool, weighed: bool| {
            let config = made_on(&sandbox(), resolved, io).expect("a configuration");
            let block_io = &config["linux"]["resources"]["blockIO"];
            let rate = &block_io["throttleWriteBpsDevice"][0]["rate"];
            assert_eq!(rate.as_u64(), bounded.then_some(200 << 20), "{io:?}");
            assert_eq!(block_io["weight"].as_u64(), weighed.then_some(100), "{io:?}");
        };
        let nowhere = Resolved { disk: None, ..resolved() };
        check(&resolved(), PURE, true, true);
        check(&resolved(), Means { weight: false, ..PURE }, true, false);
        check(&resolved(), Means::default(), false, false);
        check(&nowhere, PURE, false, false);
    }

    #[test]
    fn a_tap_comes_with_the_one_device_that_opens_it() {
        let mut sandbox = sandbox();
        let resolved = Resolved { netns: Some("/run/netns/x".into()), ..resolved() };
        let devices =
            |config: &Value| (config["linux"]["devices"].clone(), config["linux"]["resources"]["devices"].clone());
        sandbox.network = Network::Port;
        let (nodes, rules) = devices(&made(&sandbox, &resolved).expect("a configuration"));
        assert_eq!((nodes, rules.as_array().map(Vec::len)), (Value::Null, Some(1)));
        sandbox.network = Network::Tap;
        let (nodes, rules) = devices(&made(&sandbox, &resolved).expect("a configuration"));
        assert_eq!((&nodes[0]["path"], nodes.as_array().map(Vec::len)), (&json!("/dev/net/tun"), Some(1)));
        assert_eq!(
            (&rules[0]["allow"], &rules[1]["minor"], &rules[1]["access"]),
            (&json!(false), &json!(200), &json!("rw"))
        );
    }

    #[test]
    fn what_cannot_be_mounted_safely_is_refused() {
        let check = |change: &dyn Fn(&mut Sandbox, &mut Resolved), expected: SpecError| {
            let (mut sandbox, mut resolved) = (sandbox(), resolved());
            change(&mut sandbox, &mut resolved);
            assert_eq!(made(&sandbox, &resolved), Err(expected));
        };
        check(
            &|sandbox, _| drop(sandbox.files.insert("/srv/www/wp-config.php".into(), String::new())),
            SpecError::Nested { inner: "/srv/www/wp-config.php".into(), outer: "/srv/www".into() },
        );
        check(
            &|sandbox, _| drop(sandbox.files.insert("/etc/../x".into(), String::new())),
            SpecError::Path("/etc/../x".into()),
        );
        check(
            &|_, resolved| resolved.binds[0].to = "/usr/local/www".into(),
            SpecError::NoPlace("/usr/local/www".into()),
        );
        check(&|_, resolved| resolved.binds[0].to = "/www".into(), SpecError::NoPlace("/www".into()));
        check(&|sandbox, _| sandbox.network = Network::Port, SpecError::NoPort);
        check(&|sandbox, _| sandbox.argv.clear(), SpecError::NoProgram);
    }
}
