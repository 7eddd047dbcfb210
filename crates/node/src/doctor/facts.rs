//! Facts about the machine, gathered without changing it.

use super::{Io, Tree};
use crate::sandbox::Disk as Device;
use crate::{Ground, port};
use husorden_base::Text;
use husorden_kinds::Virtualisation;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where cgroups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Everything the judging looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The effective user is root.
    pub root: bool,
    /// Major and minor version of the kernel.
    pub kernel: (u32, u32),
    /// What the first process is called.
    pub init: String,
    /// How control groups are mounted.
    pub cgroups: Cgroups,
    /// Tools by what they are called; those that are not there are not in it.
    pub tools: BTreeMap<Tool, String>,
    /// The kernel can filter system calls.
    pub seccomp: bool,
    /// Why the kernel does not take the port wall's table, if it does not.
    pub port_wall: Result<(), String>,
    /// The kernel has IPv6, and it is not switched off.
    pub ipv6: bool,
    /// The kernel has btrfs, loaded or as a module.
    pub btrfs: bool,
    /// btrfs can do simple quotas; none if that cannot be seen before it is loaded.
    pub simple_quotas: Option<bool>,
    /// Loop devices can be made.
    pub loop_devices: bool,
    /// Where the installation's data lies.
    pub disk: Option<Disk>,
    /// Whether what is written there is encrypted at rest.
    pub rest: Rest,
    /// The most files one process may ever open.
    pub files_hard_max: u64,
    /// The process may raise limits above the hard ones.
    pub may_raise_limits: bool,
    /// The kernel tells pressure.
    pub pressure: bool,
    /// What limits on reading and writing are worth here.
    pub io: Io,
    /// What is known of hardware virtualization: what a boot has shown, or what can be seen without one.
    pub kvm: Kvm,
    /// Where PostgreSQL's programs for control lie.
    pub postgresql: Option<PathBuf>,
    /// The keys that Debian's archives are verified by.
    pub archive_keys: bool,
    /// inotify instances a user may have.
    pub inotify_instances_max: u64,
    /// Seconds since 1970 by this machine's clock.
    pub clock_s: u64,
    /// Something keeps the clock right.
    pub clock_kept: bool,
}

/// How control groups are mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cgroups {
    /// Version 2 alone.
    Pure(Tree),
    /// Version 1 controllers, and a version 2 tree beside them.
    Hybrid,
    /// Version 1 alone.
    Old,
    /// Not mounted.
    None,
}

/// The disk that holds the installation's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// An installation lies there already: its pool has the room it takes.
    pub begun: bool,
}

/// Encryption at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The device, or one that it stands on, is encrypted.
    Encrypted,
    /// It is not, as far down as this machine can see.
    Plain(String),
    /// The device was not found.
    Unknown,
}

/// Hardware virtualization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kvm {
    /// There is no device.
    Absent,
    /// There is one.
    Present,
    /// There is one, on a host that nests without hardware, where stock guests do not boot.
    Paravirtual,
    /// A guest booted on it.
    Boots,
    /// A guest was tried and did not boot; why.
    Fails(Text),
}

/// A tool the platform, its tests or its staff use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// Runs sandboxes.
    Crun,
    /// Writes the port wall's table.
    Nft,
    /// Makes pools.
    MkfsBtrfs,
    /// Sends and receives volumes.
    Btrfs,
    /// Builds runtimes.
    Mmdebstrap,
    /// Packs builds for the next pool.
    Zstd,
    /// Shows links; the platform itself speaks to the kernel.
    Ip,
    /// Shows connections; the platform itself speaks to the kernel.
    Conntrack,
}

impl Tool {
    /// Every tool, in the order they are told.
    pub const ALL: [Self; 8] =
        [Self::Crun, Self::Nft, Self::MkfsBtrfs, Self::Btrfs, Self::Mmdebstrap, Self::Zstd, Self::Ip, Self::Conntrack];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crun => "crun",
            Self::Nft => "nft",
            Self::MkfsBtrfs => "mkfs.btrfs",
            Self::Btrfs => "btrfs",
            Self::Mmdebstrap => "mmdebstrap",
            Self::Zstd => "zstd",
            Self::Ip => "ip",
            Self::Conntrack => "conntrack",
        }
    }

    /// The Debian package it is in.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Crun => "crun",
            Self::Nft => "nftables",
            Self::MkfsBtrfs | Self::Btrfs => "btrfs-progs",
            Self::Mmdebstrap => "mmdebstrap",
            Self::Zstd => "zstd",
            Self::Ip => "iproute2",
            Self::Conntrack => "conntrack",
        }
    }

    fn version_argument(self) -> &'static str {
        match self {
            Self::Crun | Self::Nft | Self::MkfsBtrfs | Self::Btrfs | Self::Mmdebstrap | Self::Zstd => "--version",
            Self::Ip | Self::Conntrack => "-V",
        }
    }
}

impl Facts {
    /// Looks at this machine. What cannot be seen counts as not there.
    #[must_use]
    pub fn gather(ground: &Ground) -> Self {
        let home = nearest(&ground.home);
        let filesystems = read("/proc/filesystems");
        let release = read("/proc/sys/kernel/osrelease");
        let status = read("/proc/self/status");
        let mounts = read("/proc/self/mounts");
        let btrfs = word(&filesystems, "btrfs")
            || Path::new("/lib/modules").join(release.trim()).join("kernel/fs/btrfs").exists();
        let features = Path::new("/sys/fs/btrfs/features");
        let root = nix::unistd::geteuid().is_root();
        Self {
            root,
            kernel: parse_kernel(&release),
            init: read("/proc/1/comm").trim().to_owned(),
            cgroups: cgroups(&mounts, Path::new(CGROUPS)),
            tools: Tool::ALL.into_iter().filter_map(|tool| Some((tool, version(tool)?))).collect(),
            seccomp: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
            port_wall: if root {
                port::try_out().map_err(|error| crate::causes::causes(&error))
            } else {
                Err("only root may try it".to_owned())
            },
            ipv6: read("/proc/sys/net/ipv6/conf/all/disable_ipv6").trim() == "0",
            btrfs,
            simple_quotas: features.exists().then(|| features.join("simple_quota").exists()),
            loop_devices: Path::new("/dev/loop-control").exists(),
            disk: statvfs(&home).ok().map(|disk| Disk {
                free_bytes: disk.blocks_available() * disk.fragment_size(),
                begun: ground.home.join("node").join("register.redb").exists(),
            }),
            rest: rest(&home),
            files_hard_max: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard),
            may_raise_limits: capability(&status, 24),
            pressure: Path::new("/proc/pressure/cpu").exists(),
            io: Io::look(Path::new("/sys"), Path::new(CGROUPS), whole(&home)),
            kvm: kvm(ground),
            postgresql: postgresql(),
            archive_keys: Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists(),
            inotify_instances_max: read("/proc/sys/fs/inotify/max_user_instances").trim().parse().unwrap_or(0),
            clock_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            clock_kept: clock_kept(),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn word(text: &str, wanted: &str) -> bool {
    text.split_whitespace().any(|word| word == wanted)
}

/// The folder itself, or the nearest one above it that is there: data will lie where that lies.
fn nearest(folder: &Path) -> PathBuf {
    folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).to_owned()
}

pub(super) fn parse_kernel(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Reads the mounts beneath `root`, and what stands there.
pub(super) fn cgroups(mounts: &str, root: &Path) -> Cgroups {
    let kinds = |wanted: &str| {
        mounts.lines().any(|line| {
            let mut words = line.split(' ').skip(1);
            let at = words.next().unwrap_or_default();
            Path::new(at).starts_with(root) && words.next() == Some(wanted)
        })
    };
    match (kinds("cgroup"), kinds("cgroup2")) {
        (false, true) => Cgroups::Pure(Tree::look(root, mounts)),
        (true, true) => Cgroups::Hybrid,
        (true, false) => Cgroups::Old,
        (false, false) => Cgroups::None,
    }
}

/// Whether a capability is in the effective set of a `/proc/*/status`.
pub(super) fn capability(status: &str, bit: u32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> bit & 1 == 1)
}

/// The first line a tool says of itself; none if it cannot be started.
fn version(tool: Tool) -> Option<String> {
    let output = Command::new(tool.name()).arg(tool.version_argument()).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().trim();
    Some(line.chars().take(80).collect())
}

/// The newest version's folder of programs.
fn postgresql() -> Option<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").ok()?;
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("initdb").exists().then_some((major, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

/// Whether one of the usual keepers runs, or says that it has done its work.
fn clock_kept() -> bool {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return true;
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        matches!(name.trim(), "chronyd" | "ntpd" | "openntpd" | "ntpd-rs" | "systemd-timesyn")
    })
}

/// Whether the device beneath a folder, or one that it stands on, is encrypted.
fn rest(folder: &Path) -> Rest {
    let Some(device) = device(folder) else {
        return Rest::Unknown;
    };
    let path = Path::new("/sys/dev/block").join(&device);
    let Ok(path) = fs::canonicalize(path) else {
        return Rest::Unknown;
    };
    if encrypted(&path, 0) {
        Rest::Encrypted
    } else {
        let name = path.file_name().unwrap_or_default();
        Rest::Plain(name.to_string_lossy().into_owned())
    }
}

/// Follows a block device in sysfs down to what it stands on. A mapped device tells by its identifier what made it.
pub(super) fn encrypted(device: &Path, depth: u32) -> bool {
    /// Devices on devices: LVM on RAID on encryption are three.
    const DEPTH_MAX: u32 = 8;
    if depth > DEPTH_MAX {
        return false;
    }
    let uuid = fs::read_to_string(device.join("dm/uuid")).unwrap_or_default();
    if uuid.starts_with("CRYPT-") {
        return true;
    }
    // A file on a loop device is as well kept as the file's own disk.
    if let Ok(file) = fs::read_to_string(device.join("loop/backing_file")) {
        return matches!(rest(&nearest(Path::new(file.trim()))), Rest::Encrypted);
    }
    let Ok(beneath) = fs::read_dir(device.join("slaves")) else {
        return false;
    };
    let mut beneath = beneath.flatten().peekable();
    // One plain part of several is enough to leave data in clear.
    beneath.peek().is_some() && beneath.all(|part| encrypted(&part.path(), depth + 1))
}

/// The disk a folder lies on.
fn whole(folder: &Path) -> Option<Device> {
    let number = device(folder)?;
    let (major, minor) = number.split_once(':')?;
    Device::of(Path::new("/sys"), major.parse().ok()?, minor.parse().ok()?)
}

/// The number of the block device a folder lies on. btrfs and overlays show a number of their own, so then the mount's
/// source is asked.
fn device(folder: &Path) -> Option<String> {
    let number = fs::metadata(folder).ok()?.dev();
    let (major, minor) = (nix::sys::stat::major(number), nix::sys::stat::minor(number));
    if major != 0 {
        return Some(format!("{major}:{minor}"));
    }
    let wanted = format!("{major}:{minor}");
    let mounts = read("/proc/self/mountinfo");
    let source = mounts.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        (mount.split(' ').nth(2)? == wanted).then(|| source.split(' ').nth(1))?
    })?;
    let number = fs::metadata(source).ok()?.rdev();
    Some(format!("{}:{}", nix::sys::stat::major(number), nix::sys::stat::minor(number)))
}

fn kvm(ground: &Ground) -> Kvm {
    let found = crate::trial::known(&ground.home).map(|found| found.verdict);
    match (Path::new(crate::trial::DEVICE).exists(), found, Path::new("/sys/module/kvm_pvm").exists()) {
        (false, ..) => Kvm::Absent,
        (true, Some(Virtualisation::Boots), _) => Kvm::Boots,
        (true, Some(Virtualisation::Fails { reason }), _) => Kvm::Fails(reason),
        (true, Some(Virtualisation::Untried) | None, false) => Kvm::Present,
        (true, Some(Virtualisation::Untried) | None, true) => Kvm::Paravirtual,
    }
}
