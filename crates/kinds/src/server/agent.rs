//! The guest's own agent (QEMU's guest agent): a line from the machine to whoever answers on it in the guest, where somebody does. The line is a
//! socket that lies inside the machine's own sandbox; who asks comes by a command in there.
//!
//! What the guest says is a stranger's word: it is read strictly, within a time and a size, and none of it becomes anything but a yes or a no.

use super::engine::{self, KEEPER, MACHINE};
use crate::{Quiesce, Service};

/// Words of QEMU's: a card of lines, and the one line of it by the name that agents look for.
const WORDS: [&str; 6] = [
    "-device",
    "virtio-serial-pci,id=lines",
    "-chardev",
    "socket,id=agent,path=/tmp/agent.sock,server=on,wait=off",
    "-device",
    "virtserialport,id=agent0,bus=lines.0,nr=1,chardev=agent,name=org.qemu.guest_agent.0",
];
/// Lines between which something is the agent's, in the text of who stands beside the machine.
const PIECE: (&str, &str) = ("# <agent>", "# </agent>");

pub(super) fn words() -> Vec<String> {
    engine::words(&WORDS)
}

/// The same machine as it was started before there were lines to agents. It goes on like that until it is next turned on.
pub(super) fn without(mut machine: Service) -> Service {
    let argv = &mut machine.sandbox.argv;
    if let Some(at) = argv.windows(WORDS.len()).position(|words| words == WORDS) {
        argv.drain(at..at + WORDS.len());
    }
    if let Some(text) = machine.sandbox.files.get_mut(KEEPER) {
        *text = cut(text);
    }
    machine
}

/// A text without the pieces that are the agent's.
fn cut(text: &str) -> String {
    let (begin, end) = PIECE;
    let mut ours = false;
    let left = text.split_inclusive('\n').filter(|line| {
        let word = line.trim();
        let was = ours;
        ours = (ours || word == begin) && word != end;
        !(was || ours)
    });
    left.collect()
}

/// How the guest is asked to hold still.
pub(super) fn quiesce() -> Quiesce {
    let perl = |what: &str| engine::words(&["/usr/bin/perl", "-e", include_str!("files/quiesce.pl"), what]);
    Quiesce { role: MACHINE.to_owned(), hold: perl("hold"), let_go: perl("let-go") }
}
