//! The guest's screen and keys: a graphics card and a keyboard, shown by QEMU as RFB on a socket that lies inside the machine's own sandbox.
//! Nothing listens outside of it; who is let in comes by a command in there.

use super::engine::{self, MACHINE};
use crate::{Console, Service};

/// Words of QEMU's: a card that every system knows, a pointer that is where the viewer points, and who shows them. The keyboard is the
/// board's own.
const WORDS: [&str; 8] = [
    "-device",
    "VGA,id=screen",
    "-device",
    "qemu-xhci,id=usb",
    "-device",
    "usb-tablet,id=pointer,bus=usb.0",
    "-vnc",
    // Nobody who comes turns the others out, whatever they ask for.
    "unix:/tmp/screen.sock,share=ignore",
];

pub(super) fn words() -> Vec<String> {
    engine::words(&WORDS)
}

/// The same machine as it was started before there were screens. It goes on like that until it is next turned on.
pub(super) fn without(mut machine: Service) -> Service {
    let argv = &mut machine.sandbox.argv;
    if let Some(at) = argv.windows(WORDS.len()).position(|words| words == WORDS) {
        argv.drain(at..at + WORDS.len());
    }
    machine
}

/// How it is reached.
pub(super) fn console() -> Console {
    let perl = |script: &str| engine::words(&["/usr/bin/perl", "-e", script]);
    Console {
        role: MACHINE.to_owned(),
        attach: perl(include_str!("files/attach.pl")),
        picture: perl(include_str!("files/picture.pl")),
    }
}
