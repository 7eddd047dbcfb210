//! What is read of the kernel's files and written to them, on trees made by hand: a pure v2 host, and a hybrid one. That a kernel
//! behaves so is shown by the tests that start sandboxes, on the layout of the machine that runs them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn number(number: u32) -> Number {
    Number::new(number).unwrap()
}

/// A pure v2 tree as Debian's systemd mounts it, with one sandbox in it.
fn pure(root: &Path) -> Cgroups {
    put(&root.join("cgroup.controllers"), "cpuset cpu io memory hugetlb pids rdma misc\n");
    put(&root.join("io.cost.qos"), "");
    let mounts = format!("cgroup2 {} cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n", root.display());
    let cgroups = Cgroups::detect_in(root, &mounts, "husorden/t".into()).unwrap();
    let leaf = root.join("husorden/t/7/php");
    for (file, text) in [
        ("memory.current", "104857600\n"),
        ("memory.stat", "anon 41943040\nfile 62914560\ninactive_file 52428800\n"),
        ("memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 3\noom_group_kill 0\n"),
        ("cpu.stat", "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n"),
        ("pids.current", "9\n"),
        ("cgroup.procs", "4711\n4712\n"),
        ("cgroup.kill", ""),
        ("cgroup.events", "populated 0\nfrozen 0\n"),
        ("cpu.pressure", "some avg10=1.25 avg60=0.00 avg300=0.00 total=1\nfull avg10=9.00 avg60=0 avg300=0 total=0\n"),
        ("memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
        ("io.pressure", "some avg10=37.50 avg60=1.00 avg300=0.00 total=9\n"),
    ] {
        put(&leaf.join(file), text);
    }
    put(&root.join("husorden/t/7/cgroup.freeze"), "0");
    put(&root.join("husorden/t/7/cgroup.events"), "populated 1\nfrozen 1\n");
    cgroups
}

#[test]
fn kernel_texts_are_read() {
    assert_eq!(field("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill"), 3);
    assert_eq!(field("usage_usec 1234\n", "user_usec"), 0);
    assert_eq!(average("some avg10=10.65 avg60=3.79 avg300=1.54 total=22045718\n"), 1065);
}

#[test]
fn on_pure_v2_everything_stands_in_one_tree_and_nothing_is_hidden_from_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    let cgroups = pure(folder.path());
    assert!(matches!(cgroups.layout, Layout::Unified));
    assert_eq!(cgroups.hidden(), None, "the tool needs no mount namespace of its own");
    assert!(cgroups.enter(number(7), "php").unwrap().is_none(), "the tool itself makes the cgroup and enters it");
    assert!(cgroups.folder(number(7), "php").unwrap().is_none());
    assert_eq!(cgroups.io(), Means { bounds: true, buffered: true, weight: true });
    assert_eq!(cgroups.name(number(7), "php"), "/husorden/t/7/php");
    assert_eq!(cgroups.trees(), [folder.path()]);
    assert_eq!(cgroups.list(), [(number(7), "php".to_owned())]);
    assert!(cgroups.holds(number(7), "php", 4712) && !cgroups.holds(number(7), "php", 47));
    // What is the platform's own is not in the folder that is frozen for a measure, and is found and taken away with it.
    let aside = folder.path().join("husorden/t/7.aside/a.backup");
    assert_eq!(cgroups.name(number(7), "a.backup"), "/husorden/t/7.aside/a.backup");
    fs::create_dir_all(&aside).unwrap();
    let mut all = cgroups.list();
    all.sort();
    assert_eq!(all, [(number(7), "a.backup".to_owned()), (number(7), "php".to_owned())]);
    // The kernel's folders are removed with their files; these are plain ones.
    fs::remove_dir(&aside).unwrap();
    fs::remove_dir_all(folder.path().join("husorden/t/7")).unwrap();
    cgroups.remove_solution(number(7)).unwrap();
    assert!(!aside.parent().unwrap().exists());
}

#[test]
fn on_pure_v2_usage_is_read_from_its_own_files() {
    let folder = tempfile::tempdir().unwrap();
    let cgroups = pure(folder.path());
    let usage = cgroups.usage(number(7), "php").unwrap();
    let expected = Usage {
        memory_bytes: 50 << 20,
        cpu_us: 1_234_567,
        pids: 9,
        oom_kills: 3,
        pressure: Some(Pressure { cpu: 125, memory: 0, io: 3_750 }),
    };
    assert_eq!(usage, expected);
    assert_eq!((cgroups.cpu_us(number(7), "php"), cgroups.oom_kills(number(7), "php")), (1_234_567, 3));
    assert_eq!((cgroups.cpu_us(number(8), "php"), cgroups.oom_kills(number(8), "php")), (0, 0), "there is none");
    assert!(cgroups.usage(number(8), "php").is_err());
    // A kernel that was started with psi=0 says nothing of pressure.
    fs::remove_file(folder.path().join("husorden/t/7/php/io.pressure")).unwrap();
    assert_eq!(cgroups.usage(number(7), "php").unwrap().pressure, None);
}

#[test]
fn on_pure_v2_freezing_and_killing_write_where_the_kernel_listens() {
    let folder = tempfile::tempdir().unwrap();
    let cgroups = pure(folder.path());
    let text = |file: &str| fs::read_to_string(folder.path().join("husorden/t/7").join(file)).unwrap();
    cgroups.freeze(number(7), true).unwrap();
    assert_eq!(text("cgroup.freeze"), "1");
    cgroups.freeze(number(7), false).unwrap();
    assert_eq!(text("cgroup.freeze"), "0");
    cgroups.freeze(number(8), false).unwrap();
    assert!(!folder.path().join("husorden/t/8").exists(), "what was never there needs no thaw");
    cgroups.kill(number(7), "php").unwrap();
    assert_eq!(text("php/cgroup.kill"), "1");
    cgroups.kill(number(8), "php").unwrap();
    // What does not come to rest is said, not waited for without end.
    put(&folder.path().join("husorden/t/7/php/cgroup.events"), "populated 1\nfrozen 0\n");
    assert!(matches!(cgroups.kill(number(7), "php"), Err(CgroupError::Late { what: "empty", .. })));
}

#[test]
fn on_a_hybrid_machine_the_controllers_are_found_by_their_mounts() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(&root.join("unified/cgroup.procs"), "");
    put(&root.join("blkio/blkio.throttle.write_bps_device"), "");
    let at = |name: &str| root.join(name).display().to_string();
    let mounts = format!(
        "cgroup {} cgroup rw,relatime,memory 0 0\ncgroup {} cgroup rw,relatime,cpu,cpuacct 0 0\ncgroup {} cgroup rw,blkio 0 0\n\
         cgroup2 {} cgroup2 rw,relatime 0 0\n",
        at("memory"),
        at("cpu,cpuacct"),
        at("blkio"),
        at("unified")
    );
    let cgroups = Cgroups::detect_in(root, &mounts, "husorden/t".into()).unwrap();
    assert_eq!(cgroups.hidden(), Some(root.join("unified").as_path()));
    assert_eq!(cgroups.io(), Means { bounds: true, buffered: false, weight: false });
    put(&root.join("cpu,cpuacct/husorden/t/7/php/cpuacct.usage"), "5000000\n");
    assert_eq!(cgroups.cpu_us(number(7), "php"), 5_000);
    let mut trees = cgroups.trees();
    trees.sort();
    assert_eq!(trees, ["blkio", "cpu,cpuacct", "memory", "unified"].map(|name| root.join(name)), "each once");
    assert!(cgroups.folder(number(7), "php").unwrap().is_some(), "made for whoever is born into it");
    assert!(cgroups.enter(number(7), "php").is_err(), "no kernel made the file here");

    for (mounts, why) in
        [("", "nothing is mounted"), ("cgroup2 /elsewhere cgroup2 rw 0 0\n", "not where it is looked for")]
    {
        let none = tempfile::tempdir().unwrap();
        assert!(matches!(Cgroups::detect_in(none.path(), mounts, "x".into()), Err(CgroupError::Layout)), "{why}");
    }
}
