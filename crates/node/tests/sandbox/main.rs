//! The sandbox wall on real crun: limits, refusals, start on demand, stops that lose nothing, measures, adoption and tasks.
//! Needs root. Every test has an installation of its own and leaves nothing behind, also when it fails.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; what was measured is shown")]

mod disk;
mod ends;

use husorden_base::{Bytes, Number};
use husorden_kinds::{Bind, Io, Limits, Network, Place, Reach, Sandbox, Service, ServiceState, Task};
use husorden_node::Ground;
use husorden_node::sandbox::{Command, Event, Exit, Resolved, ResolvedBind, Sandboxes, Surroundings};
use husorden_node::volume::Pool;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Anything here happens within moments; a test that waits longer has found something.
const PATIENCE: Duration = Duration::from_secs(300);

/// Two cores are enough for one of these tests at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn number(number: u32) -> Number {
    Number::new(number).unwrap()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the node is to the wall: a runtime of the host's own libraries, and volumes that are folders, or lie in a pool.
struct House {
    home: PathBuf,
    pool: OnceLock<Arc<Pool>>,
    events: Mutex<Vec<Event>>,
    marks: Mutex<Vec<(Number, (String, String))>>,
}

impl House {
    fn new(home: &Path) -> Arc<Self> {
        Arc::new(Self {
            home: home.to_owned(),
            pool: OnceLock::new(),
            events: Mutex::default(),
            marks: Mutex::default(),
        })
    }

    fn saw(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.lock().unwrap().iter().any(wanted)
    }
}

impl Surroundings for House {
    fn resolve(&self, number: Number, sandbox: &Sandbox) -> Result<Resolved, String> {
        if sandbox.env.contains_key("UNRESOLVED") {
            return Err("there is no such runtime".to_owned());
        }
        let mut binds: Vec<ResolvedBind> = ["/usr/lib", "/usr/lib64"]
            .into_iter()
            .filter(|path| Path::new(path).exists())
            .map(|path| ResolvedBind { from: path.into(), to: path.into(), write: false })
            .collect();
        for bind in &sandbox.binds {
            let from = match &bind.from {
                Place::Folder(folder) => match self.pool.get() {
                    Some(pool) => pool.volume(number).folder(folder),
                    None => self.home.join(format!("volumes/{number}/{folder}")),
                },
                Place::Sockets => self.home.join(format!("run/s/{number}")),
                other => return Err(format!("{other:?} is not here")),
            };
            binds.push(ResolvedBind { from, to: bind.to.clone(), write: bind.write });
        }
        Ok(Resolved {
            root: self.home.join("root"),
            binds,
            netns: None,
            hostname: "site".into(),
            resolv_conf: String::new(),
            disk: self.pool.get().and_then(|pool| pool.disk()),
        })
    }

    fn marks(&self, number: Number, task: &Task) -> Result<(), String> {
        self.marks.lock().unwrap().extend(task.marks.iter().map(|mark| (number, mark.clone())));
        Ok(())
    }

    fn event(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

/// An installation that is cleared away with everything in it.
struct Site {
    ground: Ground,
    house: Arc<House>,
    home: Option<tempfile::TempDir>,
    _alone: MutexGuard<'static, ()>,
}

impl Site {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let home = tempfile::tempdir().unwrap();
        // The sandbox's uid passes through to the root.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let instance = format!("t{}{:x}", COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
        let root = home.path().join("root");
        for folder in ["bin", "dev", "etc", "proc", "run", "srv", "tmp", "usr/lib", "usr/lib64"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (link, to) in [("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            std::os::unix::fs::symlink(to, root.join(link)).unwrap();
        }
        for file in ["passwd", "group", "hosts", "resolv.conf"] {
            fs::write(root.join("etc").join(file), "").unwrap();
        }
        fs::copy("/usr/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
        fs::copy(helper(), root.join("bin/echo_service")).unwrap();
        for solution in [7, 8] {
            let folder = home.path().join(format!("volumes/{solution}/data"));
            fs::create_dir_all(&folder).unwrap();
            chown(&folder, Some(number(solution).uid()), Some(number(solution).uid())).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let ground = Ground {
            instance,
            home: home.path().join("home"),
            run: home.path().join("run"),
            cache: home.path().join("cache"),
            catalogue: home.path().join("catalogue"),
            edge_gid: 65_534,
        };
        Self { house: House::new(home.path()), ground, home: Some(home), _alone: alone }
    }

    fn open(&self) -> Sandboxes {
        Sandboxes::open(&self.ground, self.house.clone()).unwrap()
    }

    fn socket(&self, solution: u32, role: &str) -> PathBuf {
        self.ground.sockets(number(solution)).join(format!("{role}.sock"))
    }

    fn connect(&self, solution: u32, role: &str) -> UnixStream {
        let stream = UnixStream::connect(self.socket(solution, role)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn ask(&self, solution: u32, role: &str, line: &str) -> Option<String> {
        ask(self.connect(solution, role), line)
    }

    fn cgroups(&self) -> Vec<PathBuf> {
        let mut roots = vec![PathBuf::from("/sys/fs/cgroup")];
        roots.extend(fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path()));
        roots.into_iter().map(|root| root.join(self.ground.cgroup())).filter(|path| path.exists()).collect()
    }

    /// Closes the wall, and looks whether anything is left.
    fn close(self, wall: Sandboxes) {
        wall.close();
        assert_eq!(self.cgroups(), Vec::<PathBuf>::new(), "cgroups stay behind");
        assert_eq!(beneath(&self.ground.cgroup()), "", "the tool has written beneath the v2 tree of a hybrid machine");
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(self.home.as_ref().unwrap().path().to_str().unwrap()), "mounts stay behind");
        let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
        let children = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
        assert_eq!(children.collect::<String>(), "", "processes stay behind");
        for rest in ["sandboxes", "crun", "s"] {
            let rest: Vec<_> = fs::read_dir(self.ground.run.join(rest))
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .collect();
            assert_eq!(rest, Vec::<PathBuf>::new(), "files stay behind");
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // After a test that failed: the wall itself adopts and ends what is left, and the kernel what the wall cannot.
        if std::thread::panicking() {
            if let Ok(wall) = Sandboxes::open(&self.ground, self.house.clone()) {
                wall.close();
            }
            for cgroup in self.cgroups() {
                let _ = fs::write(cgroup.join("cgroup.kill"), "1");
            }
        }
    }
}

/// What lies at a path beneath the v2 tree, where only a mount namespace of one's own looks.
fn beneath(path: &Path) -> String {
    let look = format!("umount /sys/fs/cgroup/unified && find /sys/fs/cgroup/unified/{} -type f", path.display());
    let look =
        std::process::Command::new("unshare").args(["-m", "--propagation", "private", "sh", "-c", &look]).output();
    String::from_utf8(look.unwrap().stdout).unwrap()
}

fn helper() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/echo_service")
}

fn ask(mut stream: UnixStream, line: &str) -> Option<String> {
    writeln!(stream, "{line}").ok()?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).ok()?;
    (!answer.is_empty()).then(|| answer.trim().to_owned())
}

fn sandbox(argv: &[&str]) -> Sandbox {
    Sandbox {
        runtime: "test-1".parse().unwrap(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: BTreeMap::from([("PATH".into(), "/bin".into())]),
        cwd: "/srv".into(),
        binds: vec![Bind { from: Place::Folder("data".into()), to: "/srv/data".into(), write: true }],
        files: BTreeMap::from([("/run/conf/made.conf".into(), "made = true\n".into())]),
        limits: Limits { memory: Bytes::mib(48), cpu_percent: 150, pids: 32, io: Io::default() },
        network: Network::Nothing,
    }
}

fn service() -> Service {
    Service {
        sandbox: sandbox(&["/bin/echo_service", "serve"]),
        reach: Reach::Edge,
        idle_stop_s: 3_600,
        stop_s: 5,
        stop_signal: 15,
        live: husorden_kinds::Live::default(),
        fill: BTreeMap::new(),
    }
}

fn task(what: &str) -> Task {
    Task {
        name: what.to_owned(),
        sandbox: sandbox(&["/bin/echo_service", "task", what]),
        stdin: "a secret".into(),
        marks: vec![("did".into(), what.to_owned())],
        limit_s: 60,
    }
}

fn shell(script: &str) -> Command {
    Command {
        argv: ["/bin/busybox", "sh", "-c", script].map(str::to_owned).into(),
        stdin: "from outside".into(),
        limit: PATIENCE,
        output_bytes_max: 64 << 10,
    }
}

fn state(wall: &Sandboxes, solution: u32, role: &str) -> Option<ServiceState> {
    wall.sight(number(solution)).services.get(role).map(|sight| sight.state.clone())
}

#[test]
fn a_service_starts_at_the_first_connection_and_is_walled_in() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    assert_eq!(state(&wall, 7, "web"), Some(ServiceState::Sleeping));
    assert_eq!(wall.pid(number(7), "web"), None, "nothing runs for a service that sleeps");
    let meta = fs::metadata(site.socket(7, "web")).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (0, 65_534, 0o660));
    fs::write(site.house.home.join("volumes/8/data/theirs"), "private").unwrap();

    let answer = site.ask(7, "web", "hello").unwrap();
    assert!(answer.ends_with(" hello"), "{answer}");
    assert_eq!(state(&wall, 7, "web"), Some(ServiceState::Running));
    until("the start is told", || site.house.saw(|event| matches!(event, Event::Started { .. })));

    let look = |script: &str| {
        let done = wall.exec(number(7), "web", &shell(script)).unwrap();
        format!("{}{}", String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let first = wall.pid(number(7), "web").unwrap();
    assert_eq!(fs::metadata(format!("/proc/{first}")).unwrap().uid(), number(7).uid());
    let own = look(
        "busybox grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status /proc/self/status | busybox tr '\\t' ' '",
    );
    for who in ["1", "self"] {
        for expected in [
            "CapEff: 0000000000000000",
            "CapBnd: 0000000000000000",
            "NoNewPrivs: 1",
            "Seccomp: 2",
            "Uid: 1000007 1000007",
        ] {
            assert!(own.contains(&format!("/proc/{who}/status:{expected}")), "{expected} in {own}");
        }
    }
    assert_eq!(look("busybox id -un; busybox hostname; busybox cat").trim(), "site\nsite\nfrom outside");
    assert_eq!(
        look("busybox cat /run/conf/made.conf; echo x > /run/conf/made.conf; echo y > /run/conf/new"),
        "made = true\nsh: can't create /run/conf/made.conf: Read-only file system\nsh: can't create /run/conf/new: Permission denied\n"
    );
    assert_eq!(
        look("busybox ls /srv /srv/data; echo mine > /srv/data/file; busybox stat -c %u /srv/data/file"),
        "/srv:\ndata\n\n/srv/data:\n1000007\n"
    );
    assert_eq!(
        look("busybox ls /sys /home /work 2>&1 | busybox grep -vc 'No such'"),
        "0\n",
        "nothing of the machine is seen"
    );
    assert!(look("echo > /etc/x").contains("Read-only"), "the runtime cannot be written");
    assert!(look("busybox ifconfig lo").contains("UP LOOPBACK"));
    assert_eq!(look("busybox ifconfig -a | busybox grep -c HWaddr"), "0\n", "loopback is the only interface");
    assert_eq!(look("cd /proc; echo [0-9]*").split(' ').count(), 2, "the service and this shell are all it sees");

    let refused = wall
        .exec(number(7), "web", &Command { argv: vec!["/bin/echo_service".into(), "probe".into()], ..shell("") })
        .unwrap();
    let refused = String::from_utf8(refused.stdout).unwrap();
    for expected in [
        "unshare-user 1",
        "unshare-mount 1",
        "clone-user 38",
        "clone3 38",
        "keyctl 1",
        "add_key 1",
        "bpf 1",
        "io_uring 1",
        "userfaultfd 1",
        "perf 1",
        "ptrace 1",
        "setns 1",
        "mount 1",
        "socket-packet 38",
        "socket-alg 38",
        "socket-unix 0",
        "nosuch 38",
        "btrfs-5000940e 38",
        "btrfs-high-5000940e 38",
        "btrfs-50009418 38",
        "btrfs-high-50009418 38",
        "btrfs-50009401 38",
        "btrfs-high-50009401 38",
        "btrfs-50009417 38",
        "btrfs-high-50009417 38",
        "ficlone 9",
        "fidedupe 9",
        "fionread 0",
    ] {
        assert!(refused.lines().any(|line| line == expected), "{expected} in {refused}");
    }

    let usage = wall.usage(number(7))["web"];
    assert!(usage.memory_bytes > 0 && usage.memory_bytes < 48 << 20, "{usage:?}");
    assert!(usage.pids >= 1 && usage.cpu_us > 0, "{usage:?}");
    let quota = site.cgroups().iter().find_map(|base| {
        let leaf = base.join("7/web");
        fs::read_to_string(leaf.join("cpu.cfs_quota_us")).or_else(|_| fs::read_to_string(leaf.join("cpu.max"))).ok()
    });
    assert!(quota.as_deref().is_some_and(|quota| quota.starts_with("150000")), "{quota:?}");
    site.close(wall);
}

#[test]
fn commands_are_bounded() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    assert!(wall.exec(number(7), "web", &shell("true")).is_err(), "nothing runs to run it in");
    site.ask(7, "web", "hello").unwrap();
    let done =
        wall.exec(number(7), "web", &Command { output_bytes_max: 10, ..shell("echo 0123456789abc; exit 5") }).unwrap();
    assert_eq!((done.code, done.stdout.as_slice(), done.cut), (Some(5), b"0123456789".as_slice(), true));
    let done = wall
        .exec(number(7), "web", &Command { limit: Duration::from_millis(200), ..shell("busybox sleep 600") })
        .unwrap();
    assert_eq!((done.code, done.timed_out), (None, true));
    assert_eq!(wall.usage(number(7))["web"].pids, 1, "what ran too long is gone");
    site.close(wall);
}

/// What is just being put into a sandbox that is told to stand still would stand still half way, and every start of the node with it.
#[test]
fn one_that_is_told_to_stand_still_holds_up_nobody_else() {
    let site = Site::new();
    let wall = site.open();
    for solution in [7, 8] {
        wall.service_set(number(solution), "web", &service()).unwrap();
        site.ask(solution, "web", "hello").unwrap();
    }
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    // It is refused, or stands still with the others.
                    drop(wall.exec(number(7), "web", &shell("true")));
                }
            });
        }
        let (say, said) = std::sync::mpsc::channel();
        scope.spawn(|| {
            let say = say;
            for _ in 0..40 {
                wall.freeze(number(7), true).unwrap();
                let done = wall.exec(number(8), "web", &shell("true")).unwrap();
                wall.freeze(number(7), false).unwrap();
                say.send(done.code).unwrap();
            }
        });
        for round in 0..40 {
            let done = said.recv_timeout(PATIENCE);
            if done != Ok(Some(0)) {
                // Whoever is held up goes on, so that this ends.
                wall.freeze(number(7), false).unwrap();
                over.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            assert_eq!(done, Ok(Some(0)), "round {round}");
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    site.close(wall);
}

#[test]
fn measures_stop_progress_and_starts() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    wall.service_set(number(7), "db", &Service { reach: Reach::Own, ..service() }).unwrap();
    let mut counting = site.connect(7, "web");
    counting.write_all(b"count\n").unwrap();
    counting.read_exact(&mut [0; 8]).unwrap();
    assert!(site.ask(7, "db", "hello").is_some());

    wall.freeze(number(7), true).unwrap();
    // What was said before is heard out; after that there is silence.
    counting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut heard = [0; 4096];
    while counting.read(&mut heard).is_ok() {}
    wall.freeze(number(7), false).unwrap();
    counting.set_read_timeout(Some(PATIENCE)).unwrap();
    counting.read_exact(&mut [0; 8]).expect("it counts on");

    wall.cut(number(7)).unwrap();
    while counting.read(&mut heard).is_ok_and(|count| count > 0) {}
    until("all of it has ended", || {
        ["web", "db"].iter().all(|role| state(&wall, 7, role) == Some(ServiceState::Sleeping))
    });
    let ended = |role: &str, exit: Exit| {
        site.house.saw(|event| matches!(event, Event::Ended { role: at, exit: how, .. } if at == role && *how == exit))
    };
    until("what the edge reaches is killed", || ended("web", Exit::Signal(9)));
    until("a database ends gently", || ended("db", Exit::Code(0)));
    assert_eq!(site.ask(7, "web", "hello"), None, "turned away");
    assert_eq!(state(&wall, 7, "web"), Some(ServiceState::Sleeping));
    assert!(wall.task_start(number(7), &task("succeed")).is_err());
    wall.hold(number(7), false);
    assert!(site.ask(7, "web", "hello").is_some(), "lifted");
    site.close(wall);
}

#[test]
fn tasks_leave_a_mark_or_their_last_words() {
    let site = Site::new();
    let wall = site.open();
    let failed = |name: &str| wall.sight(number(7)).tasks.get(name).and_then(|sight| sight.failed.clone());
    wall.task_start(number(7), &task("succeed")).unwrap();
    until("the mark is left", || !site.house.marks.lock().unwrap().is_empty());
    until("it is done", || wall.sight(number(7)).tasks.is_empty());
    assert_eq!(*site.house.marks.lock().unwrap(), [(number(7), ("did".to_owned(), "succeed".to_owned()))]);
    assert_eq!(fs::read_to_string(site.house.home.join("volumes/7/data/done")).unwrap(), "a secret");

    wall.task_start(number(7), &task("fail")).unwrap();
    until("it fails", || failed("fail").is_some());
    let reason = failed("fail").unwrap();
    assert!(reason.starts_with("exit code 7: ") && reason.ends_with("line 2999\nit went wrong"), "{reason}");
    assert!(reason.len() < 17 << 10 && !reason.contains("line 1\n"));
    assert_eq!(wall.sight(number(7)).tasks["fail"].digest, task("fail").digest());
    wall.task_forget(number(7), "fail").unwrap();
    assert!(wall.sight(number(7)).tasks.is_empty());

    wall.task_start(number(7), &Task { limit_s: 1, ..task("hang") }).unwrap();
    wall.task_start(number(7), &task("eat")).unwrap();
    wall.task_start(number(7), &task("fork")).unwrap();
    until("time is up", || failed("hang").is_some_and(|reason| reason.contains("longer than 1 seconds")));
    until("memory is up", || failed("eat").is_some_and(|reason| reason.contains("more memory than it may")));
    until("threads are up", || failed("fork").is_some());
    let made: u32 = failed("fork").unwrap().rsplit_once("made ").unwrap().1.trim().parse().unwrap();
    assert!((1..32).contains(&made), "{made} threads under a limit of 32");

    // The same one is left alone, another one by its name ends the first.
    wall.task_start(number(8), &task("hang")).unwrap();
    wall.task_start(number(8), &task("hang")).unwrap();
    assert!(wall.task_start(number(8), &Task { limit_s: 59, ..task("hang") }).is_err());
    until("the first is gone", || wall.sight(number(8)).tasks.is_empty());
    wall.task_start(number(8), &task("hang")).unwrap();
    wall.task_forget(number(8), "hang").unwrap();
    assert_eq!(site.house.marks.lock().unwrap().len(), 1);
    site.close(wall);
}

#[test]
fn many_cold_starts_are_queued_and_all_come() {
    let site = Site::new();
    let wall = site.open();
    for solution in 100..130 {
        fs::create_dir_all(site.house.home.join(format!("volumes/{solution}/data"))).unwrap();
        wall.service_set(number(solution), "web", &service()).unwrap();
    }
    let streams: Vec<_> = (100..130).map(|solution| (solution, site.connect(solution, "web"))).collect();
    for (solution, stream) in streams {
        assert!(ask(stream, "hello").is_some(), "solution {solution}");
    }
    assert_eq!(wall.occupied().len(), 30);
    site.close(wall);
}

/// Not a test by itself: the node that the next test kills.
#[test]
fn node_to_be_killed() {
    let Some(text) = std::env::var_os("HUSORDEN_TEST_GROUND") else { return };
    let ground: Ground = serde_json::from_str(text.to_str().unwrap()).unwrap();
    let house = House::new(ground.run.parent().unwrap());
    let wall = Sandboxes::open(&ground, house).unwrap();
    wall.service_set(number(7), "web", &service()).unwrap();
    wall.service_set(number(7), "sleeper", &service()).unwrap();
    wall.task_start(number(7), &task("hang")).unwrap();
    until("the task runs", || wall.occupied() == [number(7)]);
    fs::write(ground.run.join("ready"), "").unwrap();
    std::thread::sleep(PATIENCE * 3);
}

#[test]
fn sandboxes_outlive_the_node() {
    let site = Site::new();
    let mut node = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["node_to_be_killed", "--exact", "--nocapture"])
        .env("HUSORDEN_TEST_GROUND", serde_json::to_string(&site.ground).unwrap())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the node is ready", || site.ground.run.join("ready").exists() && site.socket(7, "sleeper").exists());
    let before = site.ask(7, "web", "hello").unwrap();
    // Somebody is being served, and somebody else waits, while the node is killed.
    let mut counting = site.connect(7, "web");
    counting.write_all(b"count\n").unwrap();
    counting.read_exact(&mut [0; 8]).unwrap();
    let waiting = site.connect(7, "web");
    node.kill().unwrap();
    node.wait().unwrap();
    counting.read_exact(&mut [0; 8]).expect("it is served without a node");

    let wall = site.open();
    let pid = wall.pid(number(7), "web").expect("it was adopted");
    assert_eq!(
        wall.strays().iter().map(|stray| (stray.role.as_str(), stray.pid)).collect::<Vec<_>>(),
        [("web", Some(pid))]
    );
    assert!(wall.sight(number(7)).tasks.is_empty(), "the task is forgotten");
    assert!(site.cgroups().iter().all(|base| !base.join("7/t.hang").exists()), "and ended");
    wall.service_set(number(7), "web", &service()).unwrap();
    wall.service_set(number(7), "sleeper", &service()).unwrap();
    assert_eq!(wall.strays(), []);
    assert_eq!(wall.pid(number(7), "web"), Some(pid), "setting the same restarts nothing");
    counting.read_exact(&mut [0; 8]).expect("it is served through the restart");
    drop(counting);
    assert_eq!(ask(waiting, "hello"), Some(before), "the same process answers");
    assert!(site.ask(7, "sleeper", "hello").is_some());
    assert_eq!(wall.exec(number(7), "web", &shell("exit 4")).unwrap().code, Some(4));

    // Its listener was taken over: a stop loses nobody, and its end is noticed.
    let mut changed = service();
    changed.sandbox.env.insert("CHANGE".into(), "1".into());
    let slow = site.connect(7, "web");
    wall.service_set(number(7), "web", &changed).unwrap();
    assert!(ask(slow, "slow").is_some());
    assert!(site.ask(7, "web", "hello").is_some());
    until("it runs anew", || wall.pid(number(7), "web").is_some_and(|now| now != pid));
    site.close(wall);
}
