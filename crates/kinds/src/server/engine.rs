//! QEMU, and the scripts of a server's tasks: with `files`, the only place that names the engine's tools.
//!
//! Everything here is text and data made from the spec. The machine is handed its listening socket as descriptor 3, on which it speaks
//! QMP; who stands beside it (`files/machine.pl`) has a line of its own to it.

use super::agent;
use super::boot;
use super::disks;
use super::screen;
use super::spec::{Firmware, Spec};
use crate::network::Membership;
use crate::tap;
use crate::{
    Bind, Io, Limits, Live, Log, Login, Network, Order, Place, Reach, Sandbox, Scheme, Service, Task, Virtualisation,
};
use husorden_base::{Bytes, RuntimeName};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Role of the machine; also the name of its socket.
pub(super) const MACHINE: &str = "qemu";
/// Task that makes the disk.
pub(super) const DISK: &str = "disk";
/// Task that makes it larger.
pub(super) const GROW: &str = "grow";
/// Task that makes the first settings.
pub(super) const SEED: &str = "seed";
/// Folders of the volume: disks; what the serial line said.
pub(crate) const FOLDERS: [&str; 2] = ["vm", "log"];
/// Where the serial line is kept.
pub(super) const LOG: Log = Log { folder: "log", file: "serial.log" };

/// Marks on the volume.
pub(crate) mod mark {
    /// What the disk was made from.
    pub(in super::super) const IMAGE: &str = "image";
    /// Size of the disk in bytes.
    pub(crate) const DISK: &str = "disk";
    /// Digest of the first settings.
    pub(in super::super) const SEED: &str = "seed";
}

/// The program, with nothing that was not asked for.
pub(super) const QEMU: [&str; 7] =
    ["/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35"];
/// Where the small system lies that a rescue starts from.
const RESCUE: &str = "/run/rescue";
/// What it denies itself.
pub(super) const LOCKED: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
pub(super) const GENERATED: &str = "/run/conf";
/// Who stands beside the machine.
pub(super) const KEEPER: &str = "/run/conf/machine.pl";
pub(super) const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// SIGTERM.
const TERM: i32 = 15;
/// Seconds that a guest has to power itself off, of which each turn of the wheel may be slow under emulation.
const POWER_OFF_S: u32 = 60;
/// Seconds after which whatever is left is killed: the plug has been pulled by then.
const STOP_S: u32 = POWER_OFF_S + 20;
/// Memory for translated code, in MiB.
const TRANSLATED_MIB: u32 = 128;
/// What the machine needs beside the guest's memory: translated code, its own, and pages of the disk on their way.
const BESIDE: Bytes = Bytes::mib(512);
/// Processor that carrying the guest's disks, network and screen may take beside the guest's own processors. A guest of one processor that
/// had to share it was stopped in a quarter of the tenths of a second in which it wrote.
const CPU_PERCENT_BESIDE: u32 = 100;
/// What it may do with the disk: as a machine that has one to itself, for what a guest wrote with a flush at its end was a fifth slower within
/// [`Io::default`] than with no bound at all.
const IO: Io = Io { bytes_s: Bytes::gib(1), ops_s: 20_000, weight: 100 };
/// Processes and threads: virtual processors, and threads that read and write. 64 were too few for a backup.
const PIDS: u32 = 256;
const DISK_THREADS: u32 = 32;

/// Who logs in at the screen while a rescue lasts.
const RESCUER: &str = "root";

/// The runtime that servers run on.
pub(crate) fn runtime() -> RuntimeName {
    "qemu".parse().expect("a catalogue name")
}

/// What a guest's processor is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Processor {
    /// The machine's own, by its virtualisation.
    Own,
    /// Translated, word by word.
    Emulated,
}

impl Processor {
    /// The one that a machine offers.
    pub(super) fn of(virtualisation: &Virtualisation) -> Self {
        match virtualisation {
            Virtualisation::Boots => Self::Own,
            Virtualisation::Untried | Virtualisation::Fails { .. } => Self::Emulated,
        }
    }

    /// QEMU's own words.
    pub(super) fn words(self) -> Vec<String> {
        match self {
            Self::Own => words(&["-accel", "kvm", "-cpu", "host"]),
            Self::Emulated => {
                let accel = format!("tcg,thread=multi,tb-size={TRANSLATED_MIB}");
                words(&["-accel", &accel, "-cpu", "max"])
            }
        }
    }
}

/// The machine.
pub(super) fn machine(order: &Order, spec: &Spec, processor: Processor) -> Service {
    let keeper = KEEPER.to_owned();
    let mut argv = words(&["/usr/bin/perl", &keeper, spec.restart.word(), &POWER_OFF_S.to_string()]);
    argv.extend(qemu(order, spec, processor));
    let mut sandbox = sandbox(Limits {
        memory: Bytes(spec.memory.0 + BESIDE.0),
        cpu_percent: spec.cores * 100 + CPU_PERCENT_BESIDE,
        pids: PIDS,
        io: IO,
    });
    sandbox.network = Network::Tap;
    sandbox.argv = argv;
    sandbox.binds.push(folder("log", "/srv/log"));
    sandbox.binds.push(sockets());
    if spec.rescue {
        sandbox.binds.push(Bind { from: Place::Image(boot::small_image()), to: RESCUE.to_owned(), write: false });
    }
    if let Some(password) = order.credentials.get(RESCUER).filter(|_| spec.rescue) {
        // Who runs with another one is turned off and on: the small system reads it when it starts.
        sandbox.env.insert("RESCUE".to_owned(), crate::sandbox::digest(&password.hash));
    }
    if processor == Processor::Own {
        sandbox.binds.push(boot::virtualisation());
    }
    sandbox.files.insert(keeper, include_str!("files/machine.pl").to_owned());
    disks::with(&mut sandbox, 0);
    Service {
        sandbox,
        reach: Reach::Own,
        idle_stop_s: Service::STAYS,
        stop_s: STOP_S,
        stop_signal: TERM,
        live: Live::default(),
        fill: BTreeMap::new(),
    }
}

/// What machines have been given since there were servers, the newest first, each with the way to the machine before it.
const SINCE: [fn(Service) -> Service; 4] = [with_narrower_limits, disks::without, agent::without, screen::without];

/// The same machine with the limits that there were before a guest had its processors to itself.
fn with_narrower_limits(mut machine: Service) -> Service {
    let limits = &mut machine.sandbox.limits;
    (limits.cpu_percent, limits.io) = (limits.cpu_percent - CPU_PERCENT_BESIDE, Io::default());
    machine
}

/// A machine as it is started, and as it was started in earlier versions of the platform. One that runs as one of these goes on as it is.
pub(super) fn ways(machine: Service) -> Vec<Service> {
    SINCE.iter().fold(vec![machine], |mut ways, without| {
        ways.extend(ways.last().cloned().map(without));
        ways
    })
}

/// QEMU's own words.
fn qemu(order: &Order, spec: &Spec, processor: Processor) -> Vec<String> {
    let mut argv = words(&QEMU);
    argv.extend(processor.words());
    let mut say = |option: &str, value: String| argv.extend([option.to_owned(), value]);
    say("-smp", spec.cores.to_string());
    say("-m", format!("{}M", spec.memory.0 >> 20));
    say("-rtc", "base=utc".to_owned());
    say("-boot", "strict=on".to_owned());
    say("-sandbox", LOCKED.to_owned());
    say("-object", format!("main-loop,id=main-loop,thread-pool-max={DISK_THREADS}"));
    say("-device", "virtio-rng-pci,id=random".to_owned());
    if spec.firmware == Firmware::Uefi {
        say("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}"));
        say("-drive", "if=pflash,unit=1,format=raw,file=/srv/vm/vars.fd".to_owned());
    }
    // First of the disks and first to be started from, and nobody writes on it: it is everybody's.
    if spec.rescue {
        say("-blockdev", format!("driver=file,node-name=rescue-file,filename={RESCUE}/disk.raw,read-only=on"));
        say("-blockdev", "driver=raw,node-name=rescue,file=rescue-file,read-only=on".to_owned());
        say("-device", "virtio-blk-pci,id=rescue0,drive=rescue,bootindex=0".to_owned());
    }
    // Buffered: what a guest writes past the page cache would not fit the checksums of the filesystem beneath.
    say(
        "-blockdev",
        "driver=file,node-name=disk-file,filename=/srv/vm/disk.raw,cache.direct=off,discard=unmap".to_owned(),
    );
    say(
        "-blockdev",
        "driver=raw,node-name=disk,file=disk-file,cache.direct=off,discard=unmap,detect-zeroes=unmap".to_owned(),
    );
    say(
        "-device",
        "virtio-blk-pci,id=disk0,drive=disk,bootindex=1,write-cache=on,werror=stop,rerror=report".to_owned(),
    );
    say("-blockdev", "driver=file,node-name=seed-file,filename=/srv/vm/seed.iso,read-only=on".to_owned());
    say("-blockdev", "driver=raw,node-name=seed,file=seed-file,read-only=on".to_owned());
    say("-device", "virtio-blk-pci,id=seed0,drive=seed".to_owned());
    for (at, (tap, mac)) in cards(order).into_iter().enumerate() {
        say("-netdev", format!("tap,id=net{at},ifname={tap},script=no,downscript=no,vhost=off"));
        say("-device", format!("virtio-net-pci,id=nic{at},netdev=net{at},mac={mac},romfile="));
    }
    say("-chardev", "socket,id=serial,fd=SERIAL".to_owned());
    say("-serial", "chardev:serial".to_owned());
    say("-chardev", "socket,id=control,fd=CONTROL".to_owned());
    say("-mon", "chardev=control,mode=control".to_owned());
    say("-chardev", "socket,id=qmp,fd=3,server=on,wait=off".to_owned());
    say("-mon", "chardev=qmp,mode=control".to_owned());
    // What came later stands last, in the order that it came in, so that everything else stands where it stood before: screens, agents, then disks.
    argv.extend(screen::words());
    argv.extend(agent::words());
    argv
}

/// The taps that the machine opens, with the hardware address of the guest's card on each: its own first, then those of its networks.
fn cards(order: &Order) -> Vec<(String, String)> {
    let own = (tap::DEVICE.to_owned(), tap::mac_text(order.number));
    let networks = order.networks.iter().map(|network| (network.number.tap(), network.number.mac_text()));
    std::iter::once(own).chain(networks).collect()
}

/// Makes the disk from the image.
pub(super) fn disk(spec: &Spec) -> Task {
    let mut sandbox = for_tasks(DISK, include_str!("files/disk.sh"));
    sandbox.env.insert("DISK_BYTES".to_owned(), spec.disk.0.to_string());
    sandbox.binds.push(Bind {
        from: Place::Image(spec.image.entry().clone()),
        to: "/run/image".to_owned(),
        write: false,
    });
    let marks = [(mark::DISK, spec.disk.0.to_string()), (mark::IMAGE, spec.origin())];
    task(DISK, sandbox, String::new(), &marks)
}

/// Makes the disk larger.
pub(super) fn grow(spec: &Spec) -> Task {
    let mut sandbox = for_tasks(GROW, include_str!("files/grow.sh"));
    sandbox.env.insert("DISK_BYTES".to_owned(), spec.disk.0.to_string());
    task(GROW, sandbox, String::new(), &[(mark::DISK, spec.disk.0.to_string())])
}

/// What tells first settings from others, and so a copy of a server from the one it was copied from.
pub(super) fn seed_digest(order: &Order, spec: &Spec) -> String {
    Sha256::digest(settings(order, spec)).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the first settings.
pub(super) fn seed(order: &Order, spec: &Spec) -> Task {
    let sandbox = for_tasks(SEED, include_str!("files/seed.sh"));
    task(SEED, sandbox, settings(order, spec), &[(mark::SEED, seed_digest(order, spec))])
}

/// The log-in of a rescue, which ends with it: whoever turned the rescue on is shown its password.
pub(super) fn rescuer() -> Login {
    Login { name: RESCUER.to_owned(), username: RESCUER.to_owned(), scheme: Scheme::Sha512Crypt, at_once: true }
}

/// Keys, network and user data, as `files/seed.sh` reads them. The hash of the password is for the system of a rescue alone.
fn settings(order: &Order, spec: &Spec) -> String {
    let keys: String = spec.keys.iter().map(|key| format!("  - {}\n", quoted(key))).collect();
    let keys = if keys.is_empty() { "public-keys: []\n".to_owned() } else { format!("public-keys:\n{keys}") };
    let user_data = if spec.user_data.is_empty() { "#cloud-config\n{}\n" } else { spec.user_data.as_str() };
    let password = order.credentials.get(RESCUER).filter(|_| spec.rescue);
    let password = password.map_or_else(String::new, |one| format!("rescue-password: {}\n", quoted(&one.hash)));
    format!("instance-id: \"{}\"\n{keys}{password}\0{}\0{user_data}", order.solution, network(order))
}

/// The guest's addresses and where it sends everything, in the form that cloud-init has known longest (version 1). Public ones come first, for
/// what a guest sends goes out by the first; the way out is said once for each family.
fn network(order: &Order) -> String {
    let (number, public) = (order.number, &order.public);
    let four = [public.ipv4, Some(number.ipv4())].map(|address| address.map(|four| format!("{four}/32")));
    let six = [public.main6(), Some(number.ipv6())].map(|address| address.map(|six| format!("{six}/128")));
    let ways = [("static", four, tap::GATEWAY4.to_string()), ("static6", six, tap::GATEWAY6.to_string())];
    let said = |kind: &str, address: &str| format!("\x20     - type: {kind}\n        address: \"{address}\"\n");
    let mut text = format!(
        "version: 1\nconfig:\n  - type: physical\n    name: eth0\n    mac_address: \"{}\"\n    subnets:\n",
        tap::mac_text(number)
    );
    let mut more = String::new();
    for (kind, addresses, gateway) in ways {
        let mut addresses = addresses.into_iter().flatten();
        if let Some(first) = addresses.next() {
            text += &format!("{}        gateway: \"{gateway}\"\n", said(kind, &first));
        }
        more.extend(addresses.map(|address| said(kind, &address)));
    }
    text += &more;
    for (member, at) in order.networks.iter().zip(1..) {
        text += &private(member, at);
    }
    text
}

/// A card in a private network: the whole range is on it in IPv4, which the port answers for, and lies behind the port's end in IPv6.
fn private(member: &Membership, at: u32) -> String {
    format!(
        "  - type: physical\n    name: eth{at}\n    mac_address: \"{}\"\n    subnets:\n\
        \x20     - type: static\n        address: \"{}/{}\"\n\
        \x20     - type: static6\n        address: \"{}/128\"\n        routes:\n\
        \x20         - network: \"{}\"\n            netmask: \"{}\"\n            gateway: \"{}\"\n",
        member.number.mac_text(),
        member.address,
        member.range.prefix_len(),
        member.address6(),
        member.prefix.network(),
        member.prefix.prefix_len(),
        tap::GATEWAY6,
    )
}

/// A text as YAML and JSON quote it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text has a JSON form")
}

/// Asks the machine whether it runs.
pub(super) fn proof() -> Task {
    let mut sandbox = for_tasks("proof", include_str!("files/proof.sh"));
    sandbox.binds.push(sockets());
    task("proof", sandbox, String::new(), &[])
}

/// Where the machine is asked how it is.
pub(super) fn sockets() -> Bind {
    Bind { from: Place::Sockets, to: "/run/s".to_owned(), write: false }
}

pub(crate) fn task(name: &str, sandbox: Sandbox, stdin: String, marks: &[(&str, String)]) -> Task {
    let marks = marks.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Task { name: name.to_owned(), sandbox, stdin, marks, limit_s: 600 }
}

pub(crate) fn for_tasks(name: &str, script: &str) -> Sandbox {
    let path = format!("{GENERATED}/{name}.sh");
    let mut sandbox = sandbox(Limits { memory: Bytes::mib(256), cpu_percent: 100, pids: 32, io: Io::BACKGROUND });
    sandbox.argv = words(&["/bin/sh", &path]);
    sandbox.files.insert(path, script.to_owned());
    sandbox
}

pub(super) fn sandbox(limits: Limits) -> Sandbox {
    let env = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8")];
    Sandbox {
        runtime: runtime(),
        argv: Vec::new(),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        cwd: "/".to_owned(),
        binds: vec![folder("vm", "/srv/vm")],
        files: BTreeMap::new(),
        limits,
        network: Network::Nothing,
    }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn folder(name: &str, to: &str) -> Bind {
    Bind { from: Place::Folder(name.to_owned()), to: to.to_owned(), write: true }
}
