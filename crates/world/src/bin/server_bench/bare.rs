//! The peer: QEMU by hand, of the same runtime and with the words of one of ours, on a tap in a network namespace of its own, its disk on the
//! machine's own filesystem.

use crate::guest::{DISK_BYTES, Ours, Way};
use anyhow::{Context, Result, ensure};
use husorden_world::hand::{self, INSIDE, Running, runtime};
use husorden_world::{House, text};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const UID: u32 = 65_534;
/// Where its last words are kept.
const SAID: &str = "said";
/// What our machines have besides, and one by hand does without: lines to those who stand beside them.
const LINES: [&str; 5] = ["-chardev", "-mon", "-serial", "-vnc", "-sandbox"];

/// What every machine by hand is started from.
pub(crate) struct Kit {
    root: PathBuf,
    image: PathBuf,
    /// First settings of one of ours, with its key and its addresses.
    seed: PathBuf,
    words: Vec<String>,
    address: Ipv4Addr,
    key: PathBuf,
    house: tempfile::TempDir,
}

/// A machine that runs.
pub(crate) struct Bare {
    pub(crate) way: Way,
    machine: Running,
    /// Its namespace lasts as long as this process.
    _net: Running,
    folder: tempfile::TempDir,
}

/// A network namespace that lasts as long as what is given.
pub(crate) fn namespace() -> Result<(Running, PathBuf)> {
    let own = fs::read_link("/proc/self/ns/net")?;
    let holder = Running(Command::new("unshare").args(["-n", "sleep", "900"]).spawn().context("unshare")?);
    let netns = PathBuf::from(format!("/proc/{}/ns/net", holder.0.id()));
    while fs::read_link(&netns)? == own {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Ok((holder, netns))
}

impl Kit {
    /// Takes the words and the first settings of one of ours, which runs.
    pub(crate) fn of(house: &House, ours: &Ours) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("husorden-bench").tempdir_in("/var/tmp")?;
        let seed = home.path().join("seed.iso");
        fs::copy(ours.folder(house).join("seed.iso"), &seed)?;
        let image = home.path().join("image.raw");
        fs::copy(hand::image(house, "tiny")?.join("disk.raw"), &image)?;
        let number = u32::try_from(ours.number)?;
        Ok(Self {
            root: runtime(house, "qemu")?,
            image,
            seed,
            words: ours.words(house)?,
            address: Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 0)) + number),
            key: ours.way.key.clone(),
            house: home,
        })
    }

    /// Copies the disk and starts a machine; its network stands before.
    pub(crate) fn start(&self) -> Result<Bare> {
        let folder = tempfile::Builder::new().prefix("bare").tempdir_in(self.house.path())?;
        let (net, netns) = namespace()?;
        let link = format!(
            "ip link set lo up; ip tuntap add tap0 mode tap user {UID} vnet_hdr; ip addr add 169.254.1.2/32 dev tap0
            ip link set tap0 up; ip route add {}/32 dev tap0",
            self.address
        );
        let enter = format!("--net={}", netns.display());
        let linked = Command::new("nsenter").arg(&enter).args(["sh", "-ec", &link]).output()?;
        ensure!(linked.status.success(), "{}", text(&linked.stderr));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        chown(folder.path(), Some(UID), Some(UID))?;
        for (from, name) in [(&self.image, "disk.raw"), (&self.seed, "seed.iso")] {
            let to = folder.path().join(name);
            fs::copy(from, &to)?;
            chown(&to, Some(UID), Some(UID))?;
        }
        fs::OpenOptions::new().write(true).open(folder.path().join("disk.raw"))?.set_len(DISK_BYTES)?;
        let words = self.command();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let inner = hand::command(&self.root, folder.path(), UID, &words);
        let mut machine = Command::new("nsenter");
        machine.arg(&enter).arg(inner.get_program()).args(inner.get_args());
        let said = fs::File::create(folder.path().join(SAID))?;
        machine.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let machine = Running(machine.spawn().context("nsenter")?);
        let to = SocketAddr::new(IpAddr::from(self.address), 22);
        let way = Way { netns: Some(netns), to, key: self.key.clone() };
        Ok(Bare { way, machine, _net: net, folder })
    }

    /// The words of ours, but for those that name what stands beside it, and with the disks where they lie here.
    fn command(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut rest = self.words.iter();
        while let Some(word) = rest.next() {
            // Who answers on a line goes with the line.
            let ends = word == "-device" && rest.as_slice().first().is_some_and(|device| device.contains(",chardev="));
            if ends || LINES.contains(&word.as_str()) {
                rest.next();
            } else {
                words.push(word.replace("/srv/vm", INSIDE));
            }
        }
        words.extend(["-serial".to_owned(), format!("file:{INSIDE}/serial.log")]);
        words
    }
}

impl Bare {
    /// Waits until somebody is let in; where nobody is, its last words say why.
    pub(crate) fn answers(&self) -> Result<()> {
        let said = || fs::read_to_string(self.folder.path().join(SAID)).unwrap_or_default();
        self.way.answers().with_context(|| format!("QEMU by hand said {:?}", said()))
    }

    /// Process ids of what it takes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        vec![self.machine.0.id()]
    }
}
