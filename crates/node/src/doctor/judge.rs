//! What follows from the facts: a function of them alone.

use super::facts::{Cgroups, Facts, Kvm, Rest, Tool};
use super::{Finding, Setting, State, fine, run, wanting};
use husorden_base::{Bytes, Text};

/// Debian 12's; older kernels lack what the walls are made of.
const KERNEL_MIN: (u32, u32) = (6, 1);
/// The first with simple quotas in btrfs.
const KERNEL_SIMPLE_QUOTAS: (u32, u32) = (6, 7);
/// A pool of the default size, runtimes and some air.
const DISK_FREE_FINE: Bytes = Bytes::gib(30);
/// Below this not even a small pool and two runtimes fit.
const DISK_FREE_MIN: Bytes = Bytes::gib(5);
/// The node holds a listener per sleeping service, the edge a socket per visitor.
const FILES_FINE: u64 = 65_536;
/// Every sandbox that watches files as its uid has its own; the node needs few.
const INOTIFY_INSTANCES_FINE: u64 = 128;
/// No clock that is right shows less: 2026-01-01.
const CLOCK_MIN_S: u64 = 1_767_225_600;
/// Judges facts. Always the same needs in the same order.
#[must_use]
pub fn judge(facts: &Facts, setting: Setting) -> Vec<Finding> {
    let mut findings = vec![
        root(facts),
        kernel(facts),
        cgroups(facts),
        seccomp(facts),
        port_wall(facts),
        ipv6(facts),
        btrfs(facts),
        quotas(facts),
        loop_devices(facts),
        disk(facts),
        encryption(facts, setting),
    ];
    findings.extend(Tool::ALL.map(|of| tool(facts, of)));
    findings.extend([
        archive_keys(facts),
        postgresql(facts),
        files(facts),
        limits(facts),
        inotify(facts),
        pressure(facts),
        facts.io.judge(unified()),
        clock(facts),
        init(facts, setting),
        kvm(facts),
    ]);
    findings
}

fn install(package: &str) -> Text {
    run(format!("apt-get -o DPkg::Lock::Timeout=120 install -y {package}"))
}

fn root(facts: &Facts) -> Finding {
    if facts.root {
        return fine("root", "kører som root", "runs as root");
    }
    wanting(
        "root",
        State::Missing,
        "kører ikke som root; noden skal, de andre roller skifter selv til egne brugere",
        "does not run as root; the node must, the other roles change to users of their own",
        run("sudo husorden doctor"),
    )
}

fn kernel(facts: &Facts) -> Finding {
    let (major, minor) = facts.kernel;
    if facts.kernel >= KERNEL_MIN {
        let text = format!("Linux {major}.{minor}");
        return fine("kernel", text.clone(), text);
    }
    wanting(
        "kernel",
        State::Missing,
        format!("Linux {major}.{minor}; 6.1 (Debian 12) er det ældste, der går"),
        format!("Linux {major}.{minor}; 6.1 (Debian 12) is the oldest that will do"),
        run("apt-get -o DPkg::Lock::Timeout=120 install -y linux-image-amd64 && reboot"),
    )
}

/// Makes a machine's cgroups version 2 alone.
fn unified() -> Text {
    run(
        "sed -i 's/^GRUB_CMDLINE_LINUX=\"/&systemd.unified_cgroup_hierarchy=1 /' /etc/default/grub && update-grub && reboot",
    )
}

fn cgroups(facts: &Facts) -> Finding {
    match &facts.cgroups {
        Cgroups::Pure(tree) => tree.judge(),
        Cgroups::Hybrid => wanting(
            "cgroups",
            State::Degraded,
            "version 1 og 2 blandet: sandkasser begrænses med version 1, uden tryk for hver enkelt",
            "versions 1 and 2 mixed: sandboxes are limited by version 1, without pressure of each",
            unified(),
        ),
        Cgroups::Old => wanting(
            "cgroups",
            State::Degraded,
            "kun version 1: sandkasser begrænses, uden tryk for hver enkelt",
            "version 1 alone: sandboxes are limited, without pressure of each",
            unified(),
        ),
        Cgroups::None => wanting(
            "cgroups",
            State::Missing,
            "ikke monteret: sandkasser kan ikke begrænses",
            "not mounted: sandboxes cannot be limited",
            run("mount -t cgroup2 none /sys/fs/cgroup"),
        ),
    }
}

fn seccomp(facts: &Facts) -> Finding {
    if facts.seccomp {
        return fine("seccomp", "kernen filtrerer systemkald", "the kernel filters system calls");
    }
    wanting(
        "seccomp",
        State::Missing,
        "kernen kan ikke filtrere systemkald; sandkasser startes ikke uden",
        "the kernel cannot filter system calls; no sandbox is started without",
        Text::new(
            "brug en kerne med CONFIG_SECCOMP_FILTER, som Debians",
            "use a kernel with CONFIG_SECCOMP_FILTER, such as Debian's",
        ),
    )
}

fn port_wall(facts: &Facts) -> Finding {
    match &facts.port_wall {
        Ok(()) => fine(
            "port-wall",
            "kernen tager imod portenes tabel og links",
            "the kernel takes the ports' table and links",
        ),
        // The table is written by this tool, so without it nothing is known of the kernel.
        Err(_) if !facts.tools.contains_key(&Tool::Nft) => wanting(
            "port-wall",
            State::Missing,
            "nft mangler, så kernen kunne ikke prøves",
            "nft is missing, so the kernel could not be tried",
            install(Tool::Nft.package()),
        ),
        Err(why) => wanting(
            "port-wall",
            State::Missing,
            format!("kernen tager ikke imod portenes tabel og links: {why}"),
            format!("the kernel does not take the ports' table and links: {why}"),
            run("modprobe -a veth nf_tables nft_ct nft_nat nft_masq nft_reject_inet nf_conntrack_netlink"),
        ),
    }
}

fn ipv6(facts: &Facts) -> Finding {
    if facts.ipv6 {
        return fine("ipv6", "slået til", "switched on");
    }
    wanting(
        "ipv6",
        State::Missing,
        "slået fra; hver port har også en IPv6-adresse",
        "switched off; every port has an IPv6 address too",
        run("sysctl -w net.ipv6.conf.all.disable_ipv6=0"),
    )
}

fn btrfs(facts: &Facts) -> Finding {
    if facts.btrfs {
        return fine("kernel-btrfs", "i kernen", "in the kernel");
    }
    wanting(
        "kernel-btrfs",
        State::Missing,
        "kernen har ikke btrfs, som diskene er lavet af",
        "the kernel has no btrfs, which volumes are made of",
        run("modprobe btrfs"),
    )
}

fn quotas(facts: &Facts) -> Finding {
    let there = facts.simple_quotas.unwrap_or(facts.kernel >= KERNEL_SIMPLE_QUOTAS);
    if there {
        return fine("simple-quotas", "kernen har dem", "the kernel has them");
    }
    wanting(
        "simple-quotas",
        State::Degraded,
        "kernen har dem ikke (fra 6.7): diskgrænser holdes med qgroups, som bliver langsomme med mange snapshots",
        "the kernel has none (since 6.7): disk limits are held by qgroups, which grow slow with many snapshots",
        run("apt-get -o DPkg::Lock::Timeout=120 install -y -t bookworm-backports linux-image-amd64 && reboot"),
    )
}

fn loop_devices(facts: &Facts) -> Finding {
    if facts.loop_devices {
        return fine("loop-devices", "til rådighed", "at hand");
    }
    wanting(
        "loop-devices",
        State::Degraded,
        "ingen; puljen skal da ligge på en rigtig blokenhed",
        "none; the pool must then lie on a real block device",
        run("modprobe loop"),
    )
}

fn disk(facts: &Facts) -> Finding {
    let Some(disk) = facts.disk else {
        return wanting(
            "disk",
            State::Missing,
            "mappen til data kunne ikke ses",
            "the folder for data could not be seen",
            run("ls -ld /var/lib/husorden"),
        );
    };
    let free = Bytes(disk.free_bytes);
    if free >= DISK_FREE_FINE {
        return fine("disk", format!("{free} fri"), format!("{free} free"));
    }
    // What ran here runs again after the next boot, however full its disk is by now.
    let state = if free < DISK_FREE_MIN && !disk.begun { State::Missing } else { State::Degraded };
    wanting(
        "disk",
        state,
        format!("{free} fri; {DISK_FREE_FINE} er rimeligt, {DISK_FREE_MIN} det mindste"),
        format!("{free} free; {DISK_FREE_FINE} is reasonable, {DISK_FREE_MIN} the least"),
        Text::new("læg ground.home på en større disk", "put ground.home on a larger disk"),
    )
}

fn encryption(facts: &Facts, setting: Setting) -> Finding {
    let state = match setting {
        Setting::FirstLook => State::Degraded,
        Setting::Production => State::Missing,
    };
    let remedy = || {
        Text::new(
            "læg data på en LUKS-enhed (cryptsetup luksFormat) og sæt ground.home dertil",
            "put data on a LUKS device (cryptsetup luksFormat) and point ground.home there",
        )
    };
    match &facts.rest {
        Rest::Encrypted => fine("encryption", "data er krypteret på disken", "data is encrypted at rest"),
        Rest::Plain(device) => wanting(
            "encryption",
            state,
            format!(
                "data ligger ukrypteret på {device}; punktet data.personal kræver kryptering, hvor der er kunders data"
            ),
            format!(
                "data lies in clear on {device}; the clause data.personal asks for encryption where there is customers' data"
            ),
            remedy(),
        ),
        Rest::Unknown => wanting(
            "encryption",
            state,
            "det kan ikke ses, om data er krypteret på disken; punktet data.personal kræver det, hvor der er kunders data",
            "it cannot be seen whether data is encrypted at rest; the clause data.personal asks for it where there is customers' data",
            remedy(),
        ),
    }
}

fn tool(facts: &Facts, tool: Tool) -> Finding {
    if let Some(version) = facts.tools.get(&tool) {
        return fine(tool.name(), version, version);
    }
    let (state, da, en) = match tool {
        Tool::Crun => (State::Missing, "kører sandkasserne", "runs the sandboxes"),
        Tool::Nft => (State::Missing, "skriver portenes tabel", "writes the ports' table"),
        Tool::MkfsBtrfs => (State::Missing, "laver puljer", "makes pools"),
        Tool::Btrfs => (State::Missing, "sender og modtager diske", "sends and receives volumes"),
        Tool::Mmdebstrap => (State::Missing, "bygger runtimes", "builds runtimes"),
        Tool::Zstd => (
            State::Degraded,
            "pakker det byggede til den næste pulje; uden bygges alt forfra",
            "packs what was built for the next pool; without it all is built anew",
        ),
        Tool::Ip | Tool::Conntrack => {
            (State::Degraded, "bruges kun af mennesker og prøver", "is used by people and tests only")
        }
    };
    wanting(
        tool.name(),
        state,
        format!("ikke installeret; {da}"),
        format!("not installed; it {en}"),
        install(tool.package()),
    )
}

fn archive_keys(facts: &Facts) -> Finding {
    if facts.archive_keys {
        return fine("archive-keys", "Debians nøgler er her", "Debian's keys are here");
    }
    wanting(
        "archive-keys",
        State::Missing,
        "Debians nøgler mangler, og runtimes bygges ikke af pakker, der ikke kan prøves",
        "Debian's keys are not here, and runtimes are not built of packages that cannot be verified",
        install("debian-archive-keyring"),
    )
}

fn postgresql(facts: &Facts) -> Finding {
    if let Some(programs) = &facts.postgresql {
        let text = programs.display().to_string();
        return fine("postgresql", text.clone(), text);
    }
    wanting(
        "postgresql",
        State::Missing,
        "initdb er ikke fundet; control har brug for en PostgreSQL, med mindre database_url peger på en",
        "initdb was not found; control needs a PostgreSQL, unless database_url points at one",
        install("postgresql"),
    )
}

fn files(facts: &Facts) -> Finding {
    let max = facts.files_hard_max;
    if max >= FILES_FINE {
        let text = max.to_string();
        return fine("open-files", text.clone(), text);
    }
    wanting(
        "open-files",
        State::Degraded,
        format!(
            "højst {max} åbne filer pr. proces; {FILES_FINE} er rimeligt. Det sætter loftet over sovende tjenester og samtidige besøgende"
        ),
        format!(
            "at most {max} open files a process; {FILES_FINE} is reasonable. It caps sleeping services and visitors at a time"
        ),
        run("systemctl edit husorden-node husorden-edge   # [Service] LimitNOFILE=1048576"),
    )
}

fn limits(facts: &Facts) -> Finding {
    if facts.may_raise_limits {
        return fine("limits", "kan hæves", "may be raised");
    }
    wanting(
        "limits",
        State::Degraded,
        "CAP_SYS_RESOURCE mangler: sandkassers grænser klippes til dem, der gælder her",
        "CAP_SYS_RESOURCE is missing: sandboxes' limits are clamped to those in force here",
        Text::new(
            "start noden på en maskine eller i en container, der har CAP_SYS_RESOURCE",
            "start the node on a machine or in a container that has CAP_SYS_RESOURCE",
        ),
    )
}

fn inotify(facts: &Facts) -> Finding {
    let max = facts.inotify_instances_max;
    if max >= INOTIFY_INSTANCES_FINE {
        let text = max.to_string();
        return fine("inotify", text.clone(), text);
    }
    wanting(
        "inotify",
        State::Degraded,
        format!("{max} instanser pr. bruger; {INOTIFY_INSTANCES_FINE} er rimeligt"),
        format!("{max} instances a user; {INOTIFY_INSTANCES_FINE} is reasonable"),
        run(format!("sysctl -w fs.inotify.max_user_instances={INOTIFY_INSTANCES_FINE}")),
    )
}

fn pressure(facts: &Facts) -> Finding {
    if facts.pressure {
        return fine("pressure", "kernen måler det", "the kernel measures it");
    }
    wanting(
        "pressure",
        State::Degraded,
        "kernen måler ikke tryk (PSI): overbelastning ses senere",
        "the kernel does not measure pressure (PSI): overload is seen later",
        run("sed -i 's/^GRUB_CMDLINE_LINUX=\"/&psi=1 /' /etc/default/grub && update-grub && reboot"),
    )
}

fn clock(facts: &Facts) -> Finding {
    let keeper = || install("systemd-timesyncd");
    if facts.clock_s < CLOCK_MIN_S {
        return wanting(
            "clock",
            State::Missing,
            "uret går forkert: certifikater, frister og beviser ville blive forkerte",
            "the clock is wrong: certificates, deadlines and evidence would be too",
            keeper(),
        );
    }
    if facts.clock_kept {
        return fine("clock", "holdes stillet", "is kept right");
    }
    wanting(
        "clock",
        State::Degraded,
        "intet fundet, som holder uret stillet; frister og beviser hviler på det",
        "nothing was found that keeps the clock right; deadlines and evidence rest on it",
        keeper(),
    )
}

fn init(facts: &Facts, setting: Setting) -> Finding {
    if facts.init == "systemd" {
        return fine("init", "systemd", "systemd");
    }
    let (da, en) = match setting {
        Setting::FirstLook => (
            "intet starter platformen efter en genstart af maskinen",
            "nothing starts the platform after a boot of the machine",
        ),
        Setting::Production => (
            "rollerne skal startes og genstartes af noget andet",
            "something else must start the roles, and start them again",
        ),
    };
    wanting(
        "init",
        State::Degraded,
        format!("den første proces er {}, ikke systemd: {da}", facts.init),
        format!("the first process is {}, not systemd: {en}", facts.init),
        run("husorden up"),
    )
}

fn kvm(facts: &Facts) -> Finding {
    match &facts.kvm {
        Kvm::Present => fine(
            "kvm",
            "/dev/kvm er her; om en gæst starter, viser en prøve",
            "/dev/kvm is here; whether a guest boots is shown by a trial",
        ),
        Kvm::Boots => fine(
            "kvm",
            "maskinens egen virtualisering virker: en gæst er startet på den",
            "the machine's own virtualization works: a guest booted on it",
        ),
        Kvm::Fails(reason) => wanting(
            "kvm",
            State::Degraded,
            format!(
                "/dev/kvm er her, men ingen gæst starter på den, så servere emuleres og er langsomme. {}",
                reason.da
            ),
            format!("/dev/kvm is here, but no guest boots on it, so servers are emulated and slow. {}", reason.en),
            Text::new(
                "til servere: brug en fysisk maskine eller indlejret virtualisering i hardware",
                "for servers: use a physical machine or nested virtualization in hardware",
            ),
        ),
        Kvm::Paravirtual => wanting(
            "kvm",
            State::Degraded,
            "/dev/kvm er her, men indlejret uden hardware (kvm_pvm): gæster emuleres, hvis prøven fejler",
            "/dev/kvm is here, but nested without hardware (kvm_pvm): guests are emulated if the trial fails",
            Text::new(
                "til servere: brug en fysisk maskine eller indlejret virtualisering i hardware",
                "for servers: use a physical machine or nested virtualization in hardware",
            ),
        ),
        Kvm::Absent => wanting(
            "kvm",
            State::Degraded,
            "intet /dev/kvm: servere emuleres og er langsomme; websites og databaser mærker intet",
            "no /dev/kvm: servers are emulated and slow; websites and databases notice nothing",
            run("modprobe kvm_intel || modprobe kvm_amd"),
        ),
    }
}
