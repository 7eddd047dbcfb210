//! The node's core on real walls and a real register, with a scripted edge and a scripted control on its sockets: what holds
//! between a measure and a plan, between a word and its repetition, and before anything is destroyed.

mod away;
pub(crate) mod capture;
mod console;
mod destroy;
mod edge;
mod filling;
mod gate;
mod keeping;
mod link;
mod looks;
mod machine;
mod measures;
mod networks;
mod proof;
mod routes;

use crate::volume::Source;
use crate::{Config, Ground, Node};
use husorden_base::{AccountId, Bytes, MeasureId, Number, SolutionId};
use husorden_kinds::step::Answer;
use husorden_kinds::{Aim, Route};
use husorden_rules::{Access, Fates, Measure, Scope};
use husorden_wire::node::{FromNode, Wish};
use jiff::{SignedDuration, Timestamp};
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest that a test waits for what must come: what runs here is built first where nobody has built it, and guests are emulated beside all
/// that runs at once. It bounds what hangs and measures nothing, so what holds in time is no quicker for a shorter one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// Runs a test on a node of its own in a network of its own, and leaves nothing of it, also when the test fails.
pub(crate) fn on_a_node(test: impl FnOnce(&Arc<Node>) + Send) {
    on(Bytes::mib(400), None, test);
}

/// The same with the product's engines, as the machine's cache has them.
pub(crate) fn on_a_node_with_engines(test: impl FnOnce(&Arc<Node>) + Send) {
    let product = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the product's folder");
    on(Bytes::gib(4), Some(product), test);
}

fn on(pool: Bytes, product: Option<&Path>, test: impl FnOnce(&Arc<Node>) + Send) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = tempfile::Builder::new().prefix("husorden-node-").tempdir_in("/var/tmp").expect("a folder");
    let mut ground = ground(
        folder.path(),
        &format!("k{:x}{:x}", COUNT.fetch_add(1, Ordering::Relaxed), std::process::id() % 0xf_ffff),
    );
    if let Some(product) = product {
        product.clone_into(&mut ground.catalogue);
        ground.cache = "/var/cache/husorden".into();
    }
    for path in ["runtimes", "apps"] {
        std::fs::create_dir_all(ground.catalogue.join(path)).expect("a folder");
    }
    let config = Config {
        name: "here".to_owned(),
        control_socket: folder.path().join("control.sock"),
        pool: Source::File { path: folder.path().join("home/pool"), size: pool },
        ca: folder.path().join("ca"),
        pools: husorden_kinds::public::Pools::default(),
        uplink: crate::port::Uplink::of("lo".parse().expect("a link")),
        edge: crate::Edge::default(),
        site_logs: Some(folder.path().join("sites")),
        leaked: None,
        care: crate::Care::default(),
        zone: husorden_base::zone(),
        apart: false,
        ground: ground.clone(),
    };
    let (gone, engines) = (Gone(ground), product.is_some());
    crate::port::netns::on_own_thread(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network");
        if engines {
            // Ports take their packets' size from the uplink, and that of lo is none that they can have.
            let set = Command::new("ip").args(["link", "set", "lo", "mtu", "1500"]).status().expect("ip runs");
            assert!(set.success(), "a size that links have");
        }
        let node = crate::open(config, crate::network::current().expect("this namespace")).expect("a node");
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&node)));
        node.end();
        let closed = node.close();
        drop(gone);
        match result {
            Ok(()) => closed.expect("it closes"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(())
    })
    .expect("the test's own thread");
}

fn ground(folder: &Path, instance: &str) -> Ground {
    let at = |name: &str| folder.join(name);
    for name in ["home", "run", "cache", "catalogue"] {
        std::fs::create_dir_all(at(name)).expect("a folder");
    }
    Ground {
        instance: instance.to_owned(),
        home: at("home"),
        run: at("run"),
        cache: at("cache"),
        catalogue: at("catalogue"),
        edge_gid: 990_000,
    }
}

/// Takes away what a node that failed left of its pool.
struct Gone(Ground);

impl Drop for Gone {
    fn drop(&mut self) {
        let Ok(left) = crate::volume::leftovers(&self.0) else { return };
        for mount in left.mounts.iter().rev() {
            let _ = Command::new("umount").arg("--lazy").arg(mount).status();
        }
        for device in &left.loops {
            let _ = Command::new("losetup").arg("--detach").arg(device).status();
        }
    }
}

pub(crate) fn wish(number: u32) -> Wish {
    Wish {
        solution: SolutionId(uuid::Uuid::from_u128(u128::from(number))),
        number: Number::new(number).expect("a number"),
        account: AccountId(uuid::Uuid::from_u128(9)),
        name: format!("s{number}").parse().expect("a name"),
        kind: husorden_kinds::KINDS[0].name().to_owned(),
        aim: Aim::Run,
        spec: serde_json::json!({}),
        credentials: BTreeMap::new(),
        networks: Vec::new(),
        from: None,
        public: husorden_kinds::Public::default(),
        rules: Vec::new(),
        mail_out: None,
        from_backup: None,
        retain_until: None,
        released: None,
        epoch: 1,
        generation: 1,
    }
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes)
}

pub(crate) fn measure(on: &Wish) -> Measure {
    Measure {
        id: MeasureId::new(),
        revision: 1,
        case: None,
        case_number: "S-1".to_owned(),
        clause: "network.attack".parse().expect("a clause"),
        scope: Scope::Solution { id: on.solution },
        access: Access::Decision,
        fates: Fates::default(),
        starts: ago(1),
        ends: None,
        silent_until: None,
        lifted: None,
    }
}

/// A route that is open. Its name is one that the local authority does not certify, so that no key is made.
fn route(number: u32) -> Route {
    Route {
        domains: vec![format!("s{number}.invented.org").parse().expect("a domain")],
        folder: "www".to_owned(),
        docroot: String::new(),
        answer: Answer::Static,
        standing: husorden_base::site::Standing::Open,
        https_only: true,
        body: Bytes::mib(1),
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the node says to control, line by line.
pub(crate) struct Heard(Receiver<String>);

impl Heard {
    /// From here on this hears what the node says, as a control does that has just connected.
    pub(crate) fn of(node: &Node) -> Self {
        let (sender, receiver) = channel();
        node.voice.set(Some(sender));
        Self(receiver)
    }

    /// All that has been said and not been heard yet.
    pub(crate) fn all(&self) -> Vec<FromNode> {
        self.0.try_iter().map(|line| serde_json::from_str(&line).expect("a line of the protocol")).collect()
    }
}
