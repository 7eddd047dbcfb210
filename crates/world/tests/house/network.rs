//! `node.network = "host"`: an installation that stands in its machine's own network, with a visitor and a service out in the world.
//! The machine is a network namespace that the test makes, and the world another, so that nothing of the real one is touched.

use super::{eventually, site, upload};
use husorden_world::{House, PATIENCE, text};
use nix::sched::{CloneFlags, setns};
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The machine's address towards the world, and the world's end of the link.
const MACHINE: [&str; 2] = ["192.0.2.2", "2001:db8:77::2"];
const GATEWAY: [&str; 2] = ["192.0.2.1", "2001:db8:77::1"];
/// Somebody far away, behind the gateway.
const FAR: [&str; 2] = ["203.0.113.9", "2001:db8:99::9"];
const MAIL: u16 = 25;
const SERVICE: u16 = 8080;

/// Says whether it reaches an address, and how the other side sees it.
const OUT: &str = "<?php
$stream = @stream_socket_client('tcp://' . $_GET['to'], $number, $why, 60);
echo $stream ? 'seen as ' . trim(fgets($stream)) : $why;
";

/// A network namespace that ends with this.
pub(super) struct Net(Child);

impl Net {
    pub(super) fn new() -> Self {
        let mut command = Command::new("unshare");
        let child = command.args(["--net", "sleep", "86400"]).stdin(Stdio::null()).spawn().expect("unshare");
        let net = Self(child);
        let own = std::fs::read_link("/proc/self/ns/net").expect("this process's own");
        let end = Instant::now() + PATIENCE;
        while std::fs::read_link(net.path()).is_ok_and(|its| its == own) {
            assert!(Instant::now() < end, "it has no network of its own");
            std::thread::sleep(Duration::from_millis(5));
        }
        net
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    /// Moves the calling thread, and what it starts later, into this one.
    pub(super) fn enter_here(&self) {
        Self::enter(&self.path());
    }

    /// Moves the calling thread, and what it starts later, into the namespace.
    pub(super) fn enter(path: &str) {
        let file = File::open(path).expect("the namespace");
        setns(file, CloneFlags::CLONE_NEWNET).expect("entering it");
    }

    /// What a script says in it.
    pub(super) fn run(&self, script: &str) -> String {
        let net = format!("--net={}", self.path());
        let output = Command::new("nsenter").args([&net, "sh", "-ec", script]).output().expect("nsenter");
        assert!(output.status.success(), "{script}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Listens in the world, tells who connects how it sees them, and the test what port that was.
fn listen(world: &Net) -> Receiver<(u16, String)> {
    let (sender, receiver) = channel();
    for port in [MAIL, SERVICE] {
        let (path, sender, (ready, listening)) = (world.path(), sender.clone(), channel());
        std::thread::spawn(move || {
            Net::enter(&path);
            let listener = TcpListener::bind(("::", port)).expect("it listens");
            ready.send(()).expect("the test waits");
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let peer = stream.peer_addr().expect("its address").ip().to_canonical().to_string();
                let _ = writeln!(stream, "{peer}");
                if sender.send((port, peer)).is_err() {
                    return;
                }
            }
        });
        listening.recv().expect("it listens");
    }
    receiver
}

/// The machine's network as somebody finds it who looks.
fn found(machine: &Net) -> String {
    machine.run("ip -o link | sed 's/ qlen.*//'; ip -o addr | sed 's/ tentative//; s/ valid_lft.*//'; ip route; ip -6 route; ip rule; nft list tables")
}

#[test]
fn in_the_machines_own_network_sites_reach_out_by_nat_and_send_no_mail() {
    // First in the real one, as a first look: engines and applications are built from Debian's packages, which that machine does
    // not reach. Then its settings are changed as an operator changes them, and everything is there.
    let mut house = House::up("hostnet").expect("the house comes up");
    house.down().expect("it is taken down");
    let settings = house.home().join("husorden.toml");
    let text_before = std::fs::read_to_string(&settings).expect("its settings");
    std::fs::write(&settings, text_before.replace("[node]", "[node]\nnetwork = \"host\"")).expect("changed");
    let (machine, world) = (Net::new(), Net::new());
    machine.run(&format!(
        "ip link set lo up
        ip link add up0 type veth peer name down0 netns {}
        ip addr add {}/24 dev up0; ip addr add {}/64 dev up0 nodad; ip link set up0 up",
        world.0.id(),
        MACHINE[0],
        MACHINE[1]
    ));
    world.run(&format!(
        "ip link set lo up; ip link set down0 up
        ip addr add {}/24 dev down0; ip addr add {}/64 dev down0 nodad
        ip addr add {}/32 dev lo; ip addr add {}/128 dev lo",
        GATEWAY[0], GATEWAY[1], FAR[0], FAR[1]
    ));
    machine.run(&format!("ip route add default via {}; ip -6 route add default via {}", GATEWAY[0], GATEWAY[1]));
    let reached = listen(&world);
    let before = found(&machine);
    std::thread::scope(|scope| {
        let (machine, world) = (&machine, &world);
        let inside = scope.spawn(move || {
            // The installation, and whoever asks its API, are started from here and so stand in the machine's network.
            Net::enter(&machine.path());
            house.start().expect("the house comes up in another network");
            sites_reach_out(&house, &reached);
            the_world_reaches_sites(&house, world);
            let down = house.down().expect("it is taken down");
            assert!(down.status.success(), "{}{}", text(&down.stdout), text(&down.stderr));
        });
        if let Err(panic) = inside.join() {
            std::panic::resume_unwind(panic);
        }
    });
    assert_eq!(found(&machine), before, "the machine's network is as it was");
    let names = std::fs::read_dir("/run/husorden-netns").into_iter().flatten().flatten();
    let left: Vec<_> =
        names.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with("hus-hostnet")).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn sites_reach_out(house: &House, reached: &Receiver<(u16, String)>) {
    site(house, "out", json!({ "domains": ["out.demo-sites.test"], "runtime": "php-8.4", "database": "none" }));
    upload(house, "out", &[("out.php", OUT.as_bytes())]);
    let ask =
        |to: String| house.get("out.demo-sites.test", &format!("/out.php?to={to}"), &["-g"]).expect("curl runs").body;
    for (to, seen) in [(FAR[0].to_owned(), MACHINE[0]), (format!("[{}]", FAR[1]), MACHINE[1])] {
        assert_eq!(ask(format!("{to}:{SERVICE}")), format!("seen as {seen}"), "by the machine's own address");
        assert_eq!(reached.recv_timeout(PATIENCE), Ok((SERVICE, seen.to_owned())));
        assert_eq!(
            ask(format!("{to}:{MAIL}")),
            "Connection refused",
            "no mail past the relay, and nobody is left to wait"
        );
    }
    assert!(reached.try_recv().is_err(), "nothing came to port {MAIL}");
}

/// The edge listens on the machine's address: a visitor out in the world gets the page, and a stranger to a closed site the 403.
fn the_world_reaches_sites(house: &House, world: &Net) {
    let authority = house.status()["ca"].as_str().expect("the authority").to_owned();
    let visit = |domain: &str| {
        world.run(&format!(
            "curl -s -o /dev/null -w '%{{http_code}}' --max-time 60 --cacert {authority} --resolve {domain}:443:{} https://{domain}/",
            MACHINE[0]
        ))
    };
    assert_eq!(visit("blog.demo-sites.test"), "200");
    let closed = house.run(&[
        "node",
        "suspend",
        "blog",
        "--clause",
        "network.attack",
        "--reasons",
        "A test of the machine's own network",
    ]);
    let closed = closed.expect("it runs");
    assert!(closed.status.success(), "{}{}", text(&closed.stdout), text(&closed.stderr));
    eventually(house, "blog.demo-sites.test", "/", 403);
    assert_eq!(visit("blog.demo-sites.test"), "403");
}
