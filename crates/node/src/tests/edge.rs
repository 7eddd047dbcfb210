//! An edge by hand on the node's real socket: it hears the table, and says what it has applied when the test says so.

use super::PATIENCE;
use crate::Node;
use husorden_base::Number;
use husorden_base::site::{FromEdge, Site, Standing, ToEdge};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;

/// An edge that applies what it hears in its own head, and says so when asked.
pub(super) struct Edge {
    lines: BufReader<UnixStream>,
    sites: BTreeMap<Number, Site>,
    generation: u64,
}

impl Edge {
    /// Connects and takes the whole table.
    pub(super) fn of(node: &Node) -> Self {
        let socket = node.config.edge_socket();
        if !socket.exists() {
            let (counts, _) = channel();
            node.routes.listen(&socket, counts).expect("it listens");
        }
        let stream = UnixStream::connect(&socket).expect("an edge's connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut edge = Self { lines: BufReader::new(stream), sites: BTreeMap::new(), generation: 0 };
        edge.say(&FromEdge::Hello { generation: 0 });
        edge.hear();
        edge
    }

    fn say(&mut self, line: &FromEdge) {
        let text = serde_json::to_string(line).expect("a line");
        writeln!(self.lines.get_mut(), "{text}").expect("the node listens");
    }

    /// Hears one line.
    pub(super) fn hear(&mut self) {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the node says something");
        let generation = match serde_json::from_str(&line).expect("a line of the protocol") {
            ToEdge::Table { generation, sites } => {
                self.sites = sites.into_iter().map(|site| (site.number, site)).collect();
                generation
            }
            ToEdge::Set { generation, site } => {
                self.sites.insert(site.number, *site);
                generation
            }
            ToEdge::Drop { generation, solution } => {
                self.sites.retain(|_, site| site.solution != solution);
                generation
            }
        };
        assert!(generation >= self.generation, "generations only grow");
        self.generation = generation;
    }

    /// Says that everything heard is in force.
    pub(super) fn apply(&mut self) {
        self.say(&FromEdge::Applied { generation: self.generation });
    }

    /// How a site stands here.
    pub(super) fn standing(&self, number: Number) -> Option<Standing> {
        self.sites.get(&number).map(|site| site.standing.clone())
    }
}
