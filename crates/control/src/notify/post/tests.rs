//! Letters to a small mail server that speaks SMTP, and into a folder.

use super::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

fn letter() -> Letter {
    Letter {
        subject: "Invitation til Blåbær & Co".to_owned(),
        text: "Hej\n.\nen linje med et punktum".to_owned(),
        html: "<p>Hej</p>".to_owned(),
    }
}

/// A mail server for one test: it keeps what it was told, and answers the recipient with `answer`.
async fn server(answer: &'static str) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Arc::new(Mutex::new(String::new()));
    let keeps = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut in_data = false;
            let _ = write.write_all(b"220 mail.example ready\r\n").await;
            while let Ok(Some(line)) = lines.next_line().await {
                keeps.lock().expect("a lock").push_str(&format!("{line}\n"));
                let reply = match line.split(' ').next().unwrap_or_default() {
                    _ if in_data && line != "." => continue,
                    "." => {
                        in_data = false;
                        "250 taken"
                    }
                    "EHLO" => "250 mail.example",
                    "RCPT" => answer,
                    "DATA" => {
                        in_data = true;
                        "354 go on"
                    }
                    "QUIT" => "221 bye",
                    _ => "250 fine",
                };
                if write.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
                    break;
                }
            }
        }
    });
    (port, heard)
}

fn smtp(port: u16, tls: MailTls) -> Notify {
    let mail = MailWay::Smtp { host: "127.0.0.1".to_owned(), port, tls, user: None, password_file: None };
    Notify { mail, ..Notify::at("unused", "unused") }
}

#[tokio::test]
async fn a_letter_reaches_the_server_as_it_was_written() {
    let (port, heard) = server("250 fine").await;
    send(&smtp(port, MailTls::None), "karen@shop.example", letter(), 7).await.expect("it is sent");
    let heard = heard.lock().expect("a lock").clone();
    for part in [
        "RCPT TO:<karen@shop.example>",
        "Message-ID: <husorden-job-7@",
        "Auto-Submitted: auto-generated",
        "multipart/alternative",
        "text/html",
        "=?utf-8?b?",
    ] {
        assert!(heard.contains(part), "{part} in {heard}");
    }
    assert!(!heard.contains("Blåbær & Co\n"), "headers are encoded: {heard}");
}

#[tokio::test]
async fn what_the_server_says_decides_whether_to_try_again() {
    for (answer, is_final) in [("451 later", false), ("550 no such mailbox", true)] {
        let (port, _) = server(answer).await;
        let error = send(&smtp(port, MailTls::None), "karen@shop.example", letter(), 7).await.expect_err("refused");
        assert_eq!(error.is_final(), is_final, "{error}");
    }
    // A server that can't do TLS is given no mail where TLS is asked for.
    let (port, heard) = server("250 fine").await;
    let error = send(&smtp(port, MailTls::Starttls), "karen@shop.example", letter(), 7).await.expect_err("no TLS");
    assert!(!error.is_final() && !heard.lock().expect("a lock").contains("RCPT"), "{error}");
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let error = send(&smtp(gone, MailTls::None), "karen@shop.example", letter(), 7).await.expect_err("nobody there");
    assert!(!error.is_final(), "{error}");
}

#[tokio::test]
async fn an_address_can_carry_no_header() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Notify::at(folder.path(), "unused");
    for to in ["karen@shop.example\r\nBcc: all@other.example", "karen@shop.example, all@other.example", "", "karen"] {
        let error = send(&config, to, letter(), 1).await.expect_err("refused");
        assert!(error.is_final(), "{to:?}: {error}");
    }
    let sly = Letter { subject: "Hi\r\nBcc: all@other.example".to_owned(), ..letter() };
    send(&config, "karen@shop.example", sly, 2).await.expect("it is sent");
    let text = std::fs::read_to_string(folder.path().join("00000002.eml")).expect("a mail");
    let headers = text.split("\r\n\r\n").next().expect("headers");
    assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
}

#[tokio::test]
async fn without_a_server_mails_land_in_the_folder_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Notify::at(folder.path().join("mail"), "unused");
    for _ in 0..2 {
        send(&config, "karen@shop.example", letter(), 12).await.expect("it is dropped off");
    }
    let names: Vec<_> = std::fs::read_dir(folder.path().join("mail")).expect("it is there").collect();
    assert_eq!(names.len(), 1);
}
