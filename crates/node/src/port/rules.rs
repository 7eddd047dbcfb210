//! What the table of the wall shows and how it is changed: as one transaction, worked out from what was shown last.

use super::Error;
use super::conntrack::{self, Inward, Opened};
use super::element::{self, Element, Set};
use super::table::{Shown, Table};
use husorden_base::Number;
use husorden_kinds::Port;
use husorden_kinds::firewall::Protocol;
use jiff::Timestamp;
use nix::errno::Errno;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Every element that a port shall have at this time, as it stands closed or open.
pub(super) fn wanted(shown: &Shown, number: Number, port: &Port, now: Timestamp) -> BTreeSet<Element> {
    let mut wanted = element::elements(number, port, now);
    if shown.closed.contains(&number) {
        wanted.extend(element::answers(number, &wanted));
    }
    wanted
}

/// Sets of which an element that goes may have let somebody in.
const NARROWING: [Set; 10] = [
    Set::Allow4,
    Set::Allow6,
    Set::Doors4,
    Set::Doors6,
    Set::Own4,
    Set::Nets6,
    Set::Open4,
    Set::Open6,
    Set::Ping4,
    Set::Ping6,
];

/// Whether a connection that was opened to a port may stand at this time: by the list, through a door that there is, or by what rules open at
/// a public address.
fn admits(number: Number, port: &Port, opened: Inward, now: Timestamp) -> bool {
    let internal = [IpAddr::from(number.ipv4()), number.ipv6().into()].contains(&opened.at);
    if !internal && !port.public.iter().any(|net| net.contains(&opened.at)) {
        return false;
    }
    let listed = opened.protocol == Some(Protocol::Tcp)
        && port.allow.iter().any(|one| one.port == opened.to && one.lasts(now) && one.net.contains(&opened.from))
        && opened.by.is_none_or(|outer| port.doors.iter().any(|door| (door.outer, door.inner) == (outer, opened.to)));
    let opens = |protocol| port.passages.iter().any(|one| one.admits(protocol, opened.to, opened.from));
    listed || (!internal && opened.protocol.is_some_and(opens))
}

/// A change is tried again this often when somebody else changes the ruleset at the same moment.
const CHANGE_TRIES_MAX: usize = 50;

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) table: Table,
    pub(super) shown: Shown,
}

impl Rules {
    /// Lists the table again if anybody has changed the ruleset since.
    pub(super) fn refresh(&mut self) -> Result<(), Error> {
        let kernel = || Error::kernel(|| "listing the table".to_owned());
        if self.table.generation().map_err(kernel())? != self.shown.generation {
            self.shown = self.table.show().map_err(kernel())?;
        }
        Ok(())
    }

    /// Makes a change that is worked out from what the table shows, as one transaction. The closure brings what is shown
    /// to what it will be, and says what to add and what to remove; none where nothing need be done.
    pub(super) fn settle(
        &mut self,
        number: Number,
        mut change: impl FnMut(&mut Shown) -> Option<(Vec<Element>, Vec<Element>)>,
    ) -> Result<(), Error> {
        let kernel = || Error::kernel(move || format!("changing the table for {number}"));
        for _ in 0..CHANGE_TRIES_MAX {
            self.refresh()?;
            let seen_at = self.shown.generation;
            let Some((add, remove)) = change(&mut self.shown) else {
                return Ok(());
            };
            match self.table.change(&add, &remove, Some(seen_at)) {
                Ok(()) => {
                    // Ours was the next generation; if it is a later one by now, the next refresh lists again.
                    self.shown.generation = seen_at.wrapping_add(1);
                    return Ok(());
                }
                // Somebody came before us, or what was shown was not so: what is shown is no longer known.
                Err(errno) => {
                    self.shown = self.table.show().map_err(kernel())?;
                    if !matches!(errno, Errno::ERESTART | Errno::ENOENT | Errno::EEXIST) {
                        return Err(kernel()(errno));
                    }
                }
            }
        }
        Err(kernel()(Errno::EBUSY))
    }

    /// Closes a port for a measure, or opens it again; who is on its list is answered by the node in the meantime.
    pub(super) fn hold(&mut self, number: Number, held: bool) -> Result<(), Error> {
        let mark = Element::of(Set::Closed, number);
        self.settle(number, |shown| {
            let marked = if held { shown.closed.insert(number) } else { shown.closed.remove(&number) };
            let mark = marked.then(|| mark.clone());
            let has = shown.ports.entry(number).or_default();
            let is_answer = |element: &&Element| matches!(element.set, Set::Answers4 | Set::Answers6);
            let answered: BTreeSet<Element> = has.iter().filter(is_answer).cloned().collect();
            let wanted = if held { element::answers(number, has) } else { BTreeSet::new() };
            let add: Vec<_> = wanted.difference(&answered).cloned().chain(mark.clone().filter(|_| held)).collect();
            let remove: Vec<_> = answered.difference(&wanted).cloned().chain(mark.filter(|_| !held)).collect();
            has.retain(|element| !answered.contains(element));
            has.extend(wanted);
            if has.is_empty() {
                shown.ports.remove(&number);
            }
            (!add.is_empty() || !remove.is_empty()).then_some((add, remove))
        })
    }

    /// Brings a port's elements to what they shall be now, and cuts the connections that are no longer allowed.
    pub(super) fn bring(&mut self, number: Number, port: Option<&Port>) -> Result<(), Error> {
        let now = Timestamp::now();
        let mut narrowed = BTreeSet::new();
        self.settle(number, |shown| {
            let wanted = &port.map_or_else(BTreeSet::new, |port| wanted(shown, number, port, now));
            let has = shown.ports.remove(&number).unwrap_or_default();
            if !wanted.is_empty() {
                shown.ports.insert(number, wanted.clone());
            }
            let add: Vec<_> = wanted.difference(&has).cloned().collect();
            let remove: Vec<_> = has.difference(wanted).cloned().collect();
            narrowed = remove.iter().map(|element| element.set).collect();
            (!add.is_empty() || !remove.is_empty()).then_some((add, remove))
        })?;
        if narrowed.contains(&Set::Outbound) {
            self.forget(number, Opened::Outward)?;
        }
        if narrowed.contains(&Set::MailOut) {
            let public = port.map(|port| port.public.clone()).unwrap_or_default();
            let internal = [IpAddr::from(number.ipv4()), number.ipv6().into()];
            let own = |at: IpAddr| internal.contains(&at) || public.iter().any(|net| net.contains(&at));
            conntrack::forget_mail(&mut self.table.socket, own)
                .map_err(Error::kernel(|| format!("cutting what {number} sends to port 25")))?;
        }
        if NARROWING.iter().any(|set| narrowed.contains(set)) {
            let nothing = Port::default();
            let port = port.unwrap_or(&nothing);
            conntrack::forget_inward(&mut self.table.socket, number, |opened| admits(number, port, opened, now))
                .map_err(Error::kernel(|| format!("cutting what {number} no longer allows")))?;
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, number: Number, opened: Opened) -> Result<(), Error> {
        conntrack::forget(&mut self.table.socket, number, opened)
            .map_err(Error::kernel(|| format!("forgetting the connections of {number}")))
    }
}
