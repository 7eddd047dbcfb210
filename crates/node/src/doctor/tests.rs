//! Given facts, expected verdicts; and one look at the machine that runs the test.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the machine's own findings are shown, and a test may panic"
)]

use super::facts::{capability, cgroups, encrypted, parse_kernel};
use super::*;
use crate::sandbox::Means;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn controllers(names: &str) -> Vec<String> {
    names.split(' ').map(str::to_owned).collect()
}

/// A machine as it should be.
fn good() -> Facts {
    Facts {
        root: true,
        kernel: (6, 12),
        init: "systemd".to_owned(),
        cgroups: Cgroups::Pure(Tree { controllers: controllers("cpuset cpu io memory pids"), ..Tree::default() }),
        tools: Tool::ALL.into_iter().map(|tool| (tool, "1.0".to_owned())).collect(),
        seccomp: true,
        port_wall: Ok(()),
        ipv6: true,
        btrfs: true,
        simple_quotas: Some(true),
        loop_devices: true,
        disk: Some(Disk { free_bytes: 100 << 30, begun: false }),
        rest: Rest::Encrypted,
        files_hard_max: 1 << 20,
        may_raise_limits: true,
        pressure: true,
        io: Io { means: Means { bounds: true, buffered: true, weight: true }, weighed: true },
        kvm: Kvm::Present,
        postgresql: Some("/usr/lib/postgresql/15/bin".into()),
        archive_keys: true,
        inotify_instances_max: 128,
        clock_s: 1_800_000_000,
        clock_kept: true,
    }
}

#[test]
fn a_good_machine_is_fine() {
    let findings = judge(&good(), Setting::Production);
    assert_eq!(worst(&findings), State::Fine);
    assert_eq!(worst(&judge(&Facts { kvm: Kvm::Boots, ..good() }, Setting::Production)), State::Fine);
    assert!(findings.iter().all(|finding| finding.remedy.is_none()));
    let names: BTreeSet<_> = findings.iter().map(|finding| finding.what).collect();
    assert_eq!(names.len(), findings.len(), "each need once");
}

/// The version 2 tree of a good machine.
fn tree(facts: &mut Facts) -> &mut Tree {
    match &mut facts.cgroups {
        Cgroups::Pure(tree) => tree,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_lack_is_told_once_and_with_its_remedy() {
    use Setting::{FirstLook, Production};
    use State::{Degraded, Missing};
    type Break = fn(&mut Facts);
    let cases: &[(Setting, Break, &str, State)] = &[
        (FirstLook, |f| f.root = false, "root", Missing),
        (FirstLook, |f| f.kernel = (5, 10), "kernel", Missing),
        (FirstLook, |f| f.cgroups = Cgroups::Hybrid, "cgroups", Degraded),
        (FirstLook, |f| f.cgroups = Cgroups::Old, "cgroups", Degraded),
        (FirstLook, |f| f.cgroups = Cgroups::None, "cgroups", Missing),
        (FirstLook, |f| tree(f).controllers = controllers("cpu pids"), "cgroups", Missing),
        (FirstLook, |f| tree(f).read_only = true, "cgroups", Missing),
        (Production, |f| tree(f).crowded = true, "cgroups", Missing),
        (FirstLook, |f| f.io.means = Means::default(), "io-limits", Degraded),
        (FirstLook, |f| f.io.means.buffered = false, "io-limits", Degraded),
        (Production, |f| f.io.weighed = false, "io-limits", Degraded),
        (FirstLook, |f| f.seccomp = false, "seccomp", Missing),
        (FirstLook, |f| f.port_wall = Err("no veth".to_owned()), "port-wall", Missing),
        (FirstLook, |f| f.ipv6 = false, "ipv6", Missing),
        (FirstLook, |f| f.btrfs = false, "kernel-btrfs", Missing),
        (FirstLook, |f| f.simple_quotas = Some(false), "simple-quotas", Degraded),
        (FirstLook, |f| (f.simple_quotas, f.kernel) = (None, (6, 6)), "simple-quotas", Degraded),
        (FirstLook, |f| f.loop_devices = false, "loop-devices", Degraded),
        (FirstLook, |f| f.disk = None, "disk", Missing),
        (FirstLook, |f| f.disk = Some(Disk { free_bytes: 9 << 30, begun: false }), "disk", Degraded),
        (Production, |f| f.disk = Some(Disk { free_bytes: 1 << 20, begun: true }), "disk", Degraded),
        (FirstLook, |f| f.disk = Some(Disk { free_bytes: 1 << 30, begun: false }), "disk", Missing),
        (FirstLook, |f| f.rest = Rest::Plain("sda1".to_owned()), "encryption", Degraded),
        (Production, |f| f.rest = Rest::Plain("sda1".to_owned()), "encryption", Missing),
        (Production, |f| f.rest = Rest::Unknown, "encryption", Missing),
        (FirstLook, |f| drop(f.tools.remove(&Tool::Crun)), "crun", Missing),
        (FirstLook, |f| drop(f.tools.remove(&Tool::Nft)), "nft", Missing),
        (FirstLook, |f| drop(f.tools.remove(&Tool::Ip)), "ip", Degraded),
        (FirstLook, |f| f.archive_keys = false, "archive-keys", Missing),
        (FirstLook, |f| f.postgresql = None, "postgresql", Missing),
        (FirstLook, |f| f.files_hard_max = 20_000, "open-files", Degraded),
        (FirstLook, |f| f.may_raise_limits = false, "limits", Degraded),
        (FirstLook, |f| f.inotify_instances_max = 8, "inotify", Degraded),
        (FirstLook, |f| f.pressure = false, "pressure", Degraded),
        (FirstLook, |f| f.clock_s = 86_400, "clock", Missing),
        (FirstLook, |f| f.clock_kept = false, "clock", Degraded),
        (FirstLook, |f| f.init = "sh".to_owned(), "init", Degraded),
        (FirstLook, |f| f.kvm = Kvm::Absent, "kvm", Degraded),
        (FirstLook, |f| f.kvm = Kvm::Paravirtual, "kvm", Degraded),
        (FirstLook, |f| f.kvm = Kvm::Fails(Text::new("nej", "no")), "kvm", Degraded),
    ];
    let order: Vec<_> = judge(&good(), FirstLook).iter().map(|finding| finding.what).collect();
    for (setting, break_it, what, state) in cases {
        let mut facts = good();
        break_it(&mut facts);
        let findings = judge(&facts, *setting);
        let names: Vec<_> = findings.iter().map(|finding| finding.what).collect();
        assert_eq!(names, order, "the order is always the same");
        let told: Vec<_> = findings.iter().filter(|finding| finding.state != State::Fine).collect();
        assert_eq!(told.len(), 1, "{what}: {told:?}");
        assert_eq!((told[0].what, told[0].state), (*what, *state));
        let remedy = told[0].remedy.as_ref().unwrap();
        assert!(!remedy.da.is_empty() && !remedy.en.is_empty());
        assert_ne!(told[0].text.da, told[0].text.en, "{what} in two languages");
    }
}

#[test]
fn what_the_kernel_shows_is_read_right() {
    for (release, expected) in
        [("6.18.44-fc", (6, 18)), ("6.1.0-30-amd64\n", (6, 1)), ("7.0-rc1", (7, 0)), ("", (0, 0))]
    {
        assert_eq!(parse_kernel(release), expected, "{release}");
    }
    let root = Path::new("/sys/fs/cgroup");
    let one = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n";
    let two = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
    let pure = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n";
    let elsewhere = "none /mnt/cg cgroup2 rw 0 0\n";
    for (mounts, expected) in [
        (one.to_owned(), Cgroups::Old),
        (format!("{one}{two}"), Cgroups::Hybrid),
        (elsewhere.to_owned(), Cgroups::None),
    ] {
        assert_eq!(cgroups(&mounts, root), expected, "{mounts}");
    }
    assert!(matches!(cgroups(pure, root), Cgroups::Pure(_)));
    assert!(capability("CapInh:\t0\nCapEff:\t0000000001000000\n", 24));
    assert!(!capability("CapEff:\tfffffffffeffffff\n", 24));
    assert!(!capability("", 24));
}

#[test]
fn a_pure_tree_is_judged_by_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let put = |file: &str, text: &str| fs::write(root.join(file), text).unwrap();
    let mounts = |options: &str| format!("cgroup2 {} cgroup2 {options} 0 0\n", root.display());
    let look = |options: &str| cgroups(&mounts(options), root);
    let judged = |options: &str| {
        let facts = Facts { cgroups: look(options), ..good() };
        let finding = judge(&facts, Setting::Production).into_iter().find(|finding| finding.what == "cgroups").unwrap();
        (finding.state, finding.text.en)
    };
    let rw = "rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot";
    // A Debian 13 host as systemd sets it up: the real root has no cgroup.type.
    put("cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc dmem\n");
    put("cgroup.subtree_control", "cpuset cpu io memory hugetlb pids rdma misc dmem\n");
    put("cgroup.procs", "2\n3\n");
    assert_eq!(judged(rw), (State::Fine, "version 2".to_owned()));
    // Nobody has asked for controllers yet: the root gives them all the same.
    put("cgroup.subtree_control", "");
    assert_eq!(judged(rw).0, State::Fine);
    // A container: its tree has a type, and its processes sit at the top.
    put("cgroup.type", "domain\n");
    assert_eq!(judged(rw).0, State::Missing);
    assert!(judged(rw).1.contains("processes at its top"));
    // The same with an init that moved everybody into leaves, or gave the controllers on before.
    put("cgroup.procs", "");
    assert_eq!(judged(rw).0, State::Fine);
    put("cgroup.procs", "1\n");
    put("cgroup.subtree_control", "cpu io memory pids\n");
    assert_eq!(judged(rw).0, State::Fine);
    assert!(judged("ro,nosuid,nodev,noexec,relatime").1.contains("only be read"));
    put("cgroup.controllers", "cpu memory pids\n");
    assert!(judged(rw).1.contains("without io"));
}

#[test]
fn encryption_is_sought_beneath_every_part() {
    let folder = tempfile::tempdir().unwrap();
    let device = |name: &str, uuid: Option<&str>, on: &[&str]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.join("slaves")).unwrap();
        if let Some(uuid) = uuid {
            fs::create_dir_all(path.join("dm")).unwrap();
            fs::write(path.join("dm/uuid"), uuid).unwrap();
        }
        for part in on {
            let target = folder.path().join(part);
            std::os::unix::fs::symlink(target, path.join("slaves").join(part)).unwrap();
        }
    };
    device("sda", None, &[]);
    device("luks", Some("CRYPT-LUKS2-0-x\n"), &["sda"]);
    device("lvm-on-luks", Some("LVM-x\n"), &["luks"]);
    device("lvm-on-disk", Some("LVM-x\n"), &["sda"]);
    device("half", Some("LVM-x\n"), &["luks", "sda"]);
    device("round", Some("LVM-x\n"), &["round"]);
    for (name, expected) in [
        ("sda", false),
        ("luks", true),
        ("lvm-on-luks", true),
        ("lvm-on-disk", false),
        ("half", false),
        ("round", false),
        ("nothing", false),
    ] {
        assert_eq!(encrypted(&folder.path().join(name), 0), expected, "{name}");
    }
}

#[test]
fn the_text_names_each_remedy_beneath_its_finding() {
    let mut facts = good();
    facts.tools.remove(&Tool::Crun);
    let findings = judge(&facts, Setting::FirstLook);
    let en = render(&findings, Language::En);
    let at = en.lines().position(|line| line.starts_with("missing   crun ")).unwrap();
    let next = en.lines().nth(at + 1).unwrap();
    assert!(next.trim_start().starts_with("→ apt-get ") && next.ends_with(" crun"));
    assert_eq!(en.lines().count(), findings.len() + 1);
    let da = render(&findings, Language::Da);
    assert!(da.lines().any(|line| line.starts_with("mangler   crun ")));
}

#[test]
fn without_nft_the_port_wall_asks_for_nft_and_not_for_modules() {
    let mut facts = good();
    facts.port_wall = Err("starting nft: No such file or directory".to_owned());
    let remedy = |facts: &Facts| {
        let findings = judge(facts, Setting::FirstLook);
        let wall = findings.into_iter().find(|finding| finding.what == "port-wall").unwrap();
        wall.remedy.unwrap().en
    };
    assert!(remedy(&facts).starts_with("modprobe "), "the tool is there, so it is the kernel");
    facts.tools.remove(&Tool::Nft);
    assert!(remedy(&facts).contains("nftables"), "{}", remedy(&facts));
}

#[test]
fn this_machine_is_examined() {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground {
        instance: "doctor".to_owned(),
        home: folder.path().join("not/made/yet"),
        run: folder.path().join("run"),
        cache: folder.path().join("cache"),
        catalogue: folder.path().join("catalogue"),
        edge_gid: 0,
    };
    let facts = Facts::gather(&ground);
    assert!(facts.kernel >= (5, 0), "{:?}", facts.kernel);
    assert!(facts.disk.is_some(), "of the folder above what is not there");
    assert!(!facts.init.is_empty());
    assert_eq!(facts.root, nix::unistd::geteuid().is_root());
    assert_eq!(facts.kvm == Kvm::Absent, !Path::new("/dev/kvm").exists());
    if facts.root {
        assert_eq!(facts.port_wall, Ok(()), "the other tests of the walls need it");
    }
    let findings = examine(&ground, Setting::FirstLook);
    assert!(!ground.home.exists(), "nothing is made");
    let text = render(&findings, Language::En);
    println!("{text}");
    assert!(text.lines().count() >= findings.len());
}
