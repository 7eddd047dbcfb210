//! A control by hand: it releases keys, and takes what is handed out.

use crate::Node;
use crate::backup::tests::Place;
use crate::tests::{Heard, until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::Key;
use husorden_backup::vault::Recipient;
use husorden_base::{OrderId, SolutionId};
use husorden_wire::node::{FromNode, Outcome, Secrets, Unlocked, Verb, VerbState};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

pub(crate) struct Control<'a> {
    node: &'a Arc<Node>,
    heard: Heard,
    given: Arc<Mutex<HashMap<OrderId, Vec<u8>>>>,
    /// How each order ended, and what was said before.
    ended: Mutex<HashMap<OrderId, VerbState>>,
    pub(crate) running: Mutex<Vec<(OrderId, Option<u8>)>>,
}

impl<'a> Control<'a> {
    pub(crate) fn of(place: &Place<'a>) -> Self {
        let listener = UnixListener::bind(&place.node.config.control_socket).expect("a socket");
        let given: Arc<Mutex<HashMap<OrderId, Vec<u8>>>> = Arc::default();
        let (taken, key) = (Arc::clone(&given), place.key.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (taken, key) = (Arc::clone(&taken), key.clone());
                std::thread::spawn(move || serve(stream, &taken, &key));
            }
        });
        let heard = Heard::of(place.node);
        Self { node: place.node, heard, given, ended: Mutex::default(), running: Mutex::default() }
    }

    pub(crate) fn begin(&self, solution: SolutionId, verb: Verb) -> OrderId {
        let order = OrderId::new();
        self.node.verbs.take(self.node, order, solution, verb);
        order
    }

    /// Whether an order has ended.
    pub(crate) fn end(&self, order: OrderId) -> Option<VerbState> {
        let mut ended = self.ended.lock().expect("a lock");
        for line in self.heard.all() {
            if let FromNode::Progress { order, state } = line {
                match state {
                    VerbState::Running { percent, .. } => self.running.lock().expect("a lock").push((order, percent)),
                    end => drop(ended.insert(order, end)),
                }
            }
        }
        ended.get(&order).cloned()
    }

    pub(crate) fn wait(&self, order: OrderId) -> Result<Option<Box<Outcome>>, husorden_base::Refusal> {
        until("the order ends", || self.end(order).is_some());
        match self.end(order) {
            Some(VerbState::Done { result }) => Ok(result),
            Some(VerbState::Failed { refusal }) => Err(*refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn do_it(
        &self,
        solution: SolutionId,
        verb: Verb,
    ) -> Result<Option<Box<Outcome>>, husorden_base::Refusal> {
        self.wait(self.begin(solution, verb))
    }

    /// What an order that has ended has given.
    pub(crate) fn given(&self, order: OrderId) -> Vec<u8> {
        until("the bytes are there", || self.given.lock().expect("a lock").contains_key(&order));
        self.given.lock().expect("a lock").remove(&order).expect("bytes")
    }
}

fn serve(stream: std::os::unix::net::UnixStream, taken: &Mutex<HashMap<OrderId, Vec<u8>>>, key: &Key) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    match serde_json::from_str(&line).expect("a line of the protocol") {
        FromNode::Unlock { recipient, .. } => {
            let secrets = Secrets { repository: key.password(), target: None };
            let recipient: Recipient = recipient.parse().expect("a recipient");
            let sealed = STANDARD.encode(recipient.seal(&serde_json::to_vec(&secrets).expect("plain data")));
            let answer = serde_json::to_string(&Unlocked::Released { sealed, repository: None }).expect("plain data");
            writeln!(reader.get_mut(), "{answer}").expect("the node listens");
        }
        FromNode::Give { order, .. } => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).expect("bytes");
            taken.lock().expect("a lock").insert(order, bytes);
        }
        other => panic!("{other:?}"),
    }
}
