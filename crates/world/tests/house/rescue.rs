//! The log-in of a rescue: a password that is shown once to whoever turns the rescue on, and lets in at the screen as long as that lasts.

use super::database::own_address;
use super::server::Server;
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Key symbols of RFB that are no signs.
const RETURN: u32 = 0xff0d;
const SHIFT: u32 = 0xffe1;

#[test]
fn a_rescue_has_a_password_of_its_own() {
    let house = House::up("rescue").expect("the house comes up");
    let server = Server::make(&house, &json!({ "allow": [{ "net": own_address(&house) }] }));
    // Turned on in the API: the answer has the password, and nothing else that is asked has it.
    let first = turned(&house, true).expect("it is shown");
    server.said("of web on a disk of 131072 sectors", 1);
    server.said_in_boot(2, "syslogd started");
    let again = house.api(Who::Account, "GET", "/v1/solutions/web", None).expect("the API answers");
    assert!(!again.body.to_string().contains(&first), "it is shown once");
    assert_eq!(turned(&house, true), None, "it was on already");

    // A wrong one is refused, the right one lets in as root.
    let mut keys = Keys::of(&server);
    keys.log_in("not-the-password", &server, "invalid password for 'root' on 'tty1'");
    keys.log_in(&first, &server, "root login on 'tty1'");
    keys.until_said(&server, "i am 0 on /dev/tty1", |keys| {
        keys.line("echo \"i am $(id -u) on $(tty)\" > /dev/console")
    });
    // By SSH the keys let in, and no password does.
    server.until("it is reached by a key", || server.ssh("true").is_ok());

    // With the rescue it ends, and the next one has another.
    assert_eq!(turned(&house, false), None);
    server.said("of web on a disk of 524288 sectors", 2);
    let said = house.cli(Who::Account, &["server", "change", "web", "--rescue", "true"]).expect("it runs");
    assert!(said.status.success(), "{}{}", text(&said.stdout), text(&said.stderr));
    let told = text(&said.stdout);
    let second = told.split_whitespace().skip_while(|word| !["adgangskode", "password"].contains(word)).nth(1);
    let second = second.unwrap_or_else(|| panic!("no password: {told}")).to_owned();
    assert_ne!(first, second);
    server.said("of web on a disk of 131072 sectors", 2);
    server.said_in_boot(4, "syslogd started");
    let mut keys = Keys::of(&server);
    keys.log_in(&first, &server, "invalid password for 'root' on 'tty1'");
    keys.log_in(&second, &server, "root login on 'tty1'");

    // What is kept of them is no password, wherever it lies.
    for place in ["live/vm/seed.iso", "live/log/serial.log"] {
        let path = format!("/run/husorden/{}/pools/main/solutions/{}/{place}", house.instance, server.number);
        let held = std::fs::read(path).expect("a file");
        let has = |words: &str| held.windows(words.len()).any(|part| part == words.as_bytes());
        assert!(!has(&first) && !has(&second), "{place}");
        assert_eq!(has("rescue-password: \"$6$"), place.ends_with("iso"), "{place}");
    }
}

/// Turns a rescue on or off: the password that is shown for it.
fn turned(house: &House, on: bool) -> Option<String> {
    let change = json!({ "spec": { "rescue": on } });
    let answer = house.api(Who::Account, "PATCH", "/v1/solutions/web", Some(&change)).expect("the API answers");
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let shown: Vec<Value> = answer.body["credentials"].as_array().cloned().unwrap_or_default();
    assert!(shown.iter().all(|one| one["username"] == "root") && shown.len() < 2, "{shown:?}");
    shown.first().map(|one| one["password"].as_str().expect("a password").to_owned())
}

/// The keys of a server's screen, pressed as a viewer does by RFB (RFC 6143).
struct Keys(UnixStream);

impl Keys {
    fn of(server: &Server<'_>) -> Self {
        let socket = format!("/proc/{}/root/tmp/screen.sock", server.machine());
        let mut screen = UnixStream::connect(socket).expect("a screen");
        screen.set_read_timeout(Some(PATIENCE)).expect("a time");
        let mut say = |words: &[u8], answer: usize| {
            screen.write_all(words).expect("it hears");
            let mut said = vec![0; answer];
            screen.read_exact(&mut said).expect("it answers");
            said
        };
        assert_eq!(say(b"", 12), b"RFB 003.008\n");
        let kinds = say(b"RFB 003.008\n", 1)[0];
        say(b"", usize::from(kinds));
        assert_eq!(say(&[1], 4), [0; 4], "it asks nobody for a password");
        let name = say(&[1], 24);
        say(b"", usize::from(name[23]));
        Self(screen)
    }

    fn key(&mut self, symbol: u32) {
        let shifted =
            u8::try_from(symbol).is_ok_and(|sign| sign.is_ascii_uppercase() || b"\"$&()<>:+_".contains(&sign));
        let mut press = |down: u8, symbol: u32| {
            let [a, b, c, d] = symbol.to_be_bytes();
            self.0.write_all(&[4, down, 0, 0, a, b, c, d]).expect("it is pressed");
            std::thread::sleep(Duration::from_millis(30));
        };
        if shifted {
            press(1, SHIFT);
        }
        press(1, symbol);
        press(0, symbol);
        if shifted {
            press(0, SHIFT);
        }
    }

    fn line(&mut self, words: &str) {
        words.bytes().for_each(|sign| self.key(u32::from(sign)));
        self.key(RETURN);
    }

    /// A name and a password. Who asks for them passes over what was typed before the question, so an empty line comes first: whatever is asked
    /// for then, a name is asked for after it.
    fn log_in(&mut self, password: &str, server: &Server<'_>, words: &str) {
        self.until_said(server, words, |keys| {
            for line in ["", "root", password] {
                keys.line(line);
                std::thread::sleep(Duration::from_secs(2));
            }
        });
    }

    /// Presses keys until the guest says once more what is to come of it.
    fn until_said(&mut self, server: &Server<'_>, words: &str, mut press: impl FnMut(&mut Self)) {
        let before = server.count(words);
        server.until(words, || {
            press(self);
            let a_while = Instant::now() + Duration::from_secs(20);
            while server.count(words) == before && Instant::now() < a_while {
                std::thread::sleep(Duration::from_millis(100));
            }
            server.count(words) > before
        });
    }
}
