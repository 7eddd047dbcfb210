//! A mail server for one test: it speaks SMTP and keeps every letter it was given.

use crate::house::House;
use crate::waiting::until;
use husorden_control::{Config, MailTls, MailWay};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// A letter as it came.
#[derive(Clone, Debug)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// All that came, headers first.
    pub raw: String,
}

impl Letter {
    /// The secret of the link that the letter holds.
    pub fn secret(&self, page: &str) -> String {
        let at = self.text.find(&format!("/{page}/hus_")).unwrap_or_else(|| panic!("no link to {page}: {}", self.text));
        let rest = &self.text[at + page.len() + 2..];
        rest.split_whitespace().next().expect("a secret").to_owned()
    }
}

pub struct Mailbox {
    port: u16,
    letters: Arc<Mutex<Vec<Letter>>>,
}

impl Mailbox {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let letters = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&letters);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let keeps = Arc::clone(&keeps);
                tokio::spawn(async move {
                    let (read, mut write) = stream.into_split();
                    let mut lines = BufReader::new(read).lines();
                    let (mut to, mut raw, mut in_data) = (String::new(), String::new(), false);
                    let _ = write.write_all(b"220 mail.example ready\r\n").await;
                    while let Ok(Some(line)) = lines.next_line().await {
                        if in_data && line != "." {
                            raw += &format!("{}\r\n", line.strip_prefix('.').unwrap_or(&line));
                            continue;
                        }
                        let reply = match line.split([' ', ':']).next().unwrap_or_default() {
                            "." => {
                                in_data = false;
                                keeps.lock().expect("a lock").push(letter(&to, &std::mem::take(&mut raw)));
                                "250 taken"
                            }
                            "RCPT" => {
                                to = line.trim_start_matches("RCPT TO:<").trim_end_matches('>').to_owned();
                                "250 fine"
                            }
                            "DATA" => {
                                in_data = true;
                                "354 go on"
                            }
                            "EHLO" => "250 mail.example",
                            "QUIT" => "221 bye",
                            _ => "250 fine",
                        };
                        if write.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { port, letters }
    }

    /// Makes it the way of mails.
    pub fn serve(&self, config: &mut Config) {
        config.notify.mail = MailWay::Smtp {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: MailTls::None,
            user: None,
            password_file: None,
        };
    }

    /// Everything that came to somebody.
    pub fn to(&self, to: &str) -> Vec<Letter> {
        self.letters.lock().expect("a lock").iter().filter(|letter| letter.to == to).cloned().collect()
    }

    /// The newest letter to somebody whose subject holds these words, once it has come.
    pub async fn awaited(&self, to: &str, subject: &str) -> Letter {
        let found = async || self.to(to).into_iter().rev().find(|letter| letter.subject.contains(subject));
        until(&format!("a letter to {to}: {subject}"), found).await
    }

    /// Waits until nothing is on its way.
    pub async fn quiet(&self, house: &House) {
        let mut owner = husorden_control::doors::owner(&house.config.database).await.expect("the owner is let in");
        until("every mail was sent", async || {
            let sql = "select count(*) from job where kind = 'mail' and done is null and dead is null and due <= now()";
            let open: i64 = sqlx::query_scalar(sql).fetch_one(&mut owner).await.expect("a count");
            (open == 0).then_some(())
        })
        .await;
    }
}

fn letter(to: &str, raw: &str) -> Letter {
    let (head, body) = raw.split_once("\r\n\r\n").expect("headers");
    let unfolded = head.replace("\r\n ", " ");
    let subject = unfolded.lines().find_map(|line| line.strip_prefix("Subject: ")).expect("a subject");
    // The plain part comes first; what its encoding did to it is undone.
    let part = body.split("Content-Type: text/plain").nth(1).expect("a plain part");
    let (how, part) = part.split_once("\r\n\r\n").expect("the part's headers");
    let part = part.split("\r\n--").next().expect("an end");
    let text = if how.contains("quoted-printable") {
        quoted(part)
    } else if how.contains("base64") {
        based(&part.split_whitespace().collect::<String>())
    } else {
        part.to_owned()
    };
    Letter { to: to.to_owned(), subject: words(subject), text, raw: raw.to_owned() }
}

fn based(text: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    String::from_utf8(BASE64_STANDARD.decode(text).expect("base64")).expect("UTF-8")
}

fn quoted(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        match more {
            [a, b, after @ ..] if *first == b'=' => {
                let digits = [*a, *b];
                let digits = std::str::from_utf8(&digits).expect("digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// A header's words (RFC 2047).
fn words(header: &str) -> String {
    let (mut out, mut encoded) = (String::new(), false);
    for word in header.split(' ').filter(|word| !word.is_empty()) {
        let inner = word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?="));
        // The blank between two encoded words is none.
        if !(encoded && inner.is_some()) {
            out.push(' ');
        }
        encoded = inner.is_some();
        out += &inner.map_or_else(|| word.to_owned(), based);
    }
    out.trim().to_owned()
}
