//! The wishes for ports: as they stand on disk, which doors they hold, and which of their entries ends next.

use super::{DOOR_MIN, DOORS_MAX, Error, parse_number};
use husorden_base::Number;
use husorden_kinds::Port;
use husorden_kinds::firewall::PASSAGES_MAX;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tracing::warn;

/// A wish as it stands on disk.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) port: Port,
    /// Entries that ended up to here have been seen to: they are cut, and it is told.
    pub(super) ended: Timestamp,
}

/// Every wish. What is asked of all of them at once is kept beside them, so that nothing is walked through.
#[derive(Debug, Default)]
pub(super) struct Wished {
    ports: BTreeMap<Number, Port>,
    /// Who holds a TCP port of the node.
    doors: BTreeMap<u16, Number>,
    /// Who has a public address or net.
    public: BTreeMap<IpNet, Number>,
    /// What ends by the clock, the next one first.
    ends: BTreeSet<(Timestamp, Number, Ended)>,
}

/// What of a port ends by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// An entry of a list of who may connect.
    Allow {
        /// To which TCP port.
        port: u16,
        /// From where.
        net: IpNet,
    },
    /// The leave to reach TCP port 25 outside.
    MailOut,
}

impl Wished {
    /// Every wish on disk; the folder is made if it is not there.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::file("making", folder))?;
        let mut wished = Self::default();
        for entry in fs::read_dir(folder).map_err(Error::file("reading", folder))? {
            let path = entry.map_err(Error::file("reading", folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            // What else lies there is a wish that was being written when the node ended.
            let Some(number) = name.and_then(|name| name.strip_suffix(".json")).and_then(parse_number) else {
                continue;
            };
            let bytes = fs::read(&path).map_err(Error::file("reading", &path))?;
            match serde_json::from_slice::<Record>(&bytes) {
                Ok(record) => wished.put(number, record.port, record.ended),
                // The next pass sets the port anew, from the wish that the node holds.
                Err(error) => warn!(%number, %error, "the record of a port is of another make; it is written anew"),
            }
        }
        Ok(wished)
    }

    pub(super) fn get(&self, number: Number) -> Option<&Port> {
        self.ports.get(&number)
    }

    /// Every wish.
    pub(super) fn all(&self) -> impl Iterator<Item = (Number, &Port)> {
        self.ports.iter().map(|(number, port)| (*number, port))
    }

    /// The port that a door of the node leads to.
    pub(super) fn behind(&self, outer: u16) -> Option<Number> {
        self.doors.get(&outer).copied()
    }

    pub(super) fn numbers(&self) -> BTreeSet<Number> {
        self.ports.keys().copied().collect()
    }

    /// Whether a port may have the doors and the public addresses it asks for.
    pub(super) fn admit(&self, number: Number, port: &Port) -> Result<(), Error> {
        if port.doors.len() > DOORS_MAX {
            return Err(Error::DoorsTooMany(port.doors.len()));
        }
        if port.passages.len() > PASSAGES_MAX {
            return Err(Error::PassagesTooMany(port.passages.len()));
        }
        let elsewhere = |net: &&IpNet| self.public.get(*net).is_some_and(|holder| *holder != number);
        if let Some(net) = port.public.iter().find(elsewhere) {
            return Err(Error::PublicHeld(*net));
        }
        let mut own = BTreeSet::new();
        for outer in port.doors.iter().map(|door| door.outer) {
            if outer < DOOR_MIN {
                return Err(Error::DoorKept(outer));
            }
            if !own.insert(outer) || self.doors.get(&outer).is_some_and(|holder| *holder != number) {
                return Err(Error::DoorHeld(outer));
            }
        }
        Ok(())
    }

    /// Puts a wish in the place of what there was. Entries that ended after `ended` are due at once.
    pub(super) fn put(&mut self, number: Number, port: Port, ended: Timestamp) {
        self.remove_but(number, ended);
        for door in &port.doors {
            self.doors.insert(door.outer, number);
        }
        self.public.extend(port.public.iter().map(|net| (*net, number)));
        self.ends.extend(ends(number, &port).filter(|(until, ..)| *until > ended));
        self.ports.insert(number, port);
    }

    pub(super) fn remove(&mut self, number: Number) {
        self.remove_but(number, Timestamp::MIN);
    }

    /// Takes a wish away, but for entries that ended up to here and are still to be seen to.
    fn remove_but(&mut self, number: Number, ended: Timestamp) {
        let Some(port) = self.ports.remove(&number) else { return };
        for door in &port.doors {
            self.doors.remove(&door.outer);
        }
        for net in &port.public {
            self.public.remove(net);
        }
        for end in ends(number, &port).filter(|(until, ..)| *until > ended) {
            self.ends.remove(&end);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What has ended, each with its end, and is still to be seen to. Costs nothing while there is nothing.
    pub(super) fn due(&self, now: Timestamp) -> BTreeMap<Number, Vec<(Timestamp, Ended)>> {
        let mut due: BTreeMap<Number, Vec<(Timestamp, Ended)>> = BTreeMap::new();
        for (until, number, ended) in self.ends.iter().take_while(|(until, ..)| *until <= now) {
            due.entry(*number).or_default().push((*until, *ended));
        }
        due
    }

    /// This has been seen to.
    pub(super) fn done(&mut self, number: Number, ended: &[(Timestamp, Ended)]) {
        for (until, one) in ended {
            self.ends.remove(&(*until, number, *one));
        }
    }
}

fn ends(number: Number, port: &Port) -> impl Iterator<Item = (Timestamp, Number, Ended)> {
    let entry = |allow: &husorden_kinds::Allow| Some((allow.until?, Ended::Allow { port: allow.port, net: allow.net }));
    let leave = port.mail_out.and_then(|leave| Some((leave.until?, Ended::MailOut)));
    port.allow.iter().filter_map(entry).chain(leave).map(move |(until, ended)| (until, number, ended))
}
