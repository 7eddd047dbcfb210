//! A console on real engines: a viewer speaks RFB to the guest's screen by the way that control is given, sees what it shows, types at its
//! log-in, and the guest tells of it on its serial line; how many may come, and what measures leave of it.

use super::proof::serve;
use super::{Heard, PATIENCE, measure, until};
use crate::console::{View, attach};
use crate::{Node, measures};
use husorden_base::QuestionId;
use husorden_rules::measure::Fate;
use husorden_rules::{Access, Measure};
use husorden_wire::node::{FromNode, NoScreen, Wish};
use jiff::Timestamp;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What BIOS and the console of a Linux show: text of 80 by 25 characters.
const TEXT: (u16, u16) = (720, 400);
/// Keys by their places, as the first PCs numbered them.
const ROOT: [(u32, u32); 5] = [(0x72, 0x13), (0x6f, 0x18), (0x6f, 0x18), (0x74, 0x14), (0xff0d, 0x1c)];

/// Control, as far as the node attaches to it.
struct Control<'a> {
    node: &'a Arc<Node>,
    wish: Wish,
    ear: UnixListener,
    heard: &'a Heard,
}

impl Control<'_> {
    /// Asks for a screen.
    fn ask(&self, view: View) -> BufReader<UnixStream> {
        let question = QuestionId::new();
        attach(self.node, question, self.wish.solution, view);
        loop {
            let (stream, _) = self.ear.accept().expect("the node attaches");
            stream.set_read_timeout(Some(PATIENCE)).expect("a time");
            let mut reader = BufReader::new(stream);
            let mut first = String::new();
            reader.read_line(&mut first).expect("a first line");
            let said: FromNode = serde_json::from_str(&first).expect("a line of the protocol");
            // One that was refused may have knocked before.
            if said == (FromNode::Attach { node: "here".to_owned(), question }) {
                return reader;
            }
        }
    }

    /// Asks for one that is not handed out: why.
    fn refused(&self) -> NoScreen {
        let question = QuestionId::new();
        attach(self.node, question, self.wish.solution, View::Console);
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.heard.all().into_iter().find_map(|line| match line {
                FromNode::Answer { question: of, text } if of == question => Some(text),
                _ => None,
            });
            if let Some(text) = answer {
                return NoScreen::parse(&text.expect("a reason")).expect("a known one");
            }
            assert!(Instant::now() < end, "it is refused");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A picture, and how large it is.
    fn picture(&self) -> (Vec<u8>, (u32, u32)) {
        let mut picture = Vec::new();
        self.ask(View::Picture).read_to_end(&mut picture).expect("a picture");
        assert_eq!(picture.get(..8), Some(&b"\x89PNG\r\n\x1a\n"[..]), "a PNG");
        assert_eq!(picture[12..16], *b"IHDR");
        let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().expect("four bytes"));
        let size = (number(16), number(20));
        (picture, size)
    }

    fn serial(&self) -> String {
        let log = self.node.volume(self.wish.number).folder("log").join("serial.log");
        std::fs::read_to_string(log).unwrap_or_default()
    }

    fn measure(&self, access: Access, console: Fate, work: Fate) -> Measure {
        let mut held = measure(&self.wish);
        held.access = access;
        (held.fates.console, held.fates.work) = (console, work);
        measures::take(self.node, held.clone()).expect("it is kept");
        held
    }

    fn lift(&self, mut held: Measure) {
        (held.lifted, held.revision) = (Some(Timestamp::now()), 2);
        measures::take(self.node, held).expect("it is lifted");
        until("it is open again", || {
            self.node.register.held(self.wish.solution, self.wish.account, Timestamp::now()).is_none()
        });
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Somebody at the screen.
struct Viewer(BufReader<UnixStream>);

impl Viewer {
    /// Greets as RFB 3.8 has it: no password is asked for, and nobody else is turned out.
    fn greet(mut stream: BufReader<UnixStream>) -> (Self, (u16, u16)) {
        let mut version = [0; 12];
        stream.read_exact(&mut version).expect("a version");
        assert_eq!(&version, b"RFB 003.008\n");
        stream.get_mut().write_all(&version).expect("it is taken");
        let mut count = [0; 1];
        stream.read_exact(&mut count).expect("kinds of log-in");
        let mut kinds = vec![0; count[0].into()];
        stream.read_exact(&mut kinds).expect("kinds of log-in");
        assert_eq!(kinds, [1], "none but none");
        stream.get_mut().write_all(&[1]).expect("it is taken");
        let mut result = [0; 4];
        stream.read_exact(&mut result).expect("a result");
        assert_eq!(result, [0; 4]);
        stream.get_mut().write_all(&[0]).expect("it is taken");
        let mut screen = [0; 24];
        stream.read_exact(&mut screen).expect("the screen");
        let name = u32::from_be_bytes(screen[20..].try_into().expect("four bytes"));
        stream.read_exact(&mut vec![0; name as usize]).expect("its name");
        let short = |at: usize| u16::from_be_bytes([screen[at], screen[at + 1]]);
        let size = (short(0), short(2));
        let mut viewer = Self(stream);
        // As it is, and keys by their places.
        viewer.say(&[2, 0, 0, 2, 0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfe]);
        (viewer, size)
    }

    fn say(&mut self, said: &[u8]) {
        self.0.get_mut().write_all(said).expect("it is taken");
    }

    /// All that the screen shows, as bytes.
    fn look(&mut self, (width, height): (u16, u16)) -> Vec<u8> {
        let [w, h] = [width, height].map(u16::to_be_bytes);
        self.say(&[3, 0, 0, 0, 0, 0, w[0], w[1], h[0], h[1]]);
        loop {
            let mut head = [0; 4];
            self.0.read_exact(&mut head).expect("a message");
            assert_eq!(head[0], 0, "an update");
            let mut seen = Vec::new();
            for _ in 0..u16::from_be_bytes([head[2], head[3]]) {
                let mut part = [0; 12];
                self.0.read_exact(&mut part).expect("a part");
                let short = |at: usize| usize::from(u16::from_be_bytes([part[at], part[at + 1]]));
                if part[8..] == [0; 4] {
                    let mut pixels = vec![0; short(4) * short(6) * 4];
                    self.0.read_exact(&mut pixels).expect("pixels");
                    seen.extend(pixels);
                }
            }
            // That keys are known by their places is an update without a picture.
            if seen.len() >= usize::from(width) * usize::from(height) * 4 {
                return seen;
            }
        }
    }

    fn press(&mut self, keys: &[(u32, u32)]) {
        for (sign, place) in keys {
            for down in [1, 0] {
                let [sign, place] = [sign, place].map(|number| number.to_be_bytes());
                self.say(&[&[255, 0, 0, down][..], &sign, &place].concat());
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Waits until whoever shows the screen has hung up.
    fn hung_up(mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("it ends in order");
    }
}

#[test]
fn a_viewer_types_at_the_guests_screen() {
    super::on_a_node_with_engines(|node| {
        let heard = Heard::of(node);
        measures::start(node).expect("bailiffs");
        let form = json!({ "image": "tiny", "memory": "128 MiB", "disk": "128 MiB", "snapshot_room": "128 MiB" });
        let wish = serve(node, "server", &form);
        let ear = UnixListener::bind(&node.config.control_socket).expect("control listens");
        let control = Control { node, wish, ear, heard: &heard };
        let said = |words: &str| {
            let end = Instant::now() + PATIENCE;
            while !control.serial().contains(words) {
                assert!(Instant::now() < end, "{words}: {}", control.serial());
                std::thread::sleep(Duration::from_millis(50));
            }
        };
        said("syslogd started");

        let (mut viewer, size) = Viewer::greet(control.ask(View::Console));
        assert_eq!(size, TEXT);
        let before = viewer.look(size);
        assert!(before.iter().any(|byte| *byte != 0), "the screen shows something");
        let (picture, of) = control.picture();
        assert_eq!(of, (u32::from(TEXT.0), u32::from(TEXT.1)));

        // A name and a password that is none; the guest has the last word.
        let end = Instant::now() + PATIENCE;
        while !control.serial().contains("invalid password for 'root' on 'tty1'") {
            assert!(Instant::now() < end, "the guest reads what is typed: {}", control.serial());
            viewer.press(&ROOT);
            std::thread::sleep(Duration::from_secs(1));
        }
        assert!(viewer.look(size) != before && control.picture().0 != picture, "what was typed stands on the screen");

        // So many, and no more; who goes makes room.
        let mut others: Vec<Viewer> = (0..3).map(|_| Viewer::greet(control.ask(View::Console)).0).collect();
        assert_eq!(control.refused(), NoScreen::Busy);
        drop(others.pop());
        until("there is room", || node.consoles.open(control.wish.number) == 3);
        others.push(Viewer::greet(control.ask(View::Console)).0);

        // A measure that lets the machine go on and cuts its console; one that lets its owner take their data out leaves it.
        let held = control.measure(Access::Decision, Fate::Cut, Fate::Goes);
        viewer.hung_up();
        others.into_iter().for_each(Viewer::hung_up);
        until("they are gone", || node.consoles.open(control.wish.number) == 0);
        assert_eq!(control.refused(), NoScreen::Held);
        control.lift(held);
        let held = control.measure(Access::DataOut, Fate::Cut, Fate::Goes);
        let (viewer, _) = Viewer::greet(control.ask(View::Console));
        // One that lets it stand still has nothing to show, and holds nobody up.
        drop(viewer);
        control.lift(held);
        let held = control.measure(Access::DataOut, Fate::Goes, Fate::Waits);
        let used = || node.sandboxes.usage(control.wish.number)["qemu"].cpu_us;
        until("it stands still", || {
            let before = used();
            // A guest that rests is at work a few times a second.
            std::thread::sleep(Duration::from_secs(2));
            used() == before
        });
        assert_eq!(control.refused(), NoScreen::Off);
        control.lift(held);
        until("it goes on", || node.consoles.open(control.wish.number) == 0);
        Viewer::greet(control.ask(View::Console)).0.look(size);
    });
}
