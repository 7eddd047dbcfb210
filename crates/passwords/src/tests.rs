//! The judge's verdicts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use leaked::{Form, import};

fn verdict(password: &str, second_factor: bool) -> String {
    let context = ["Karen Blomsterkasse", "karen@havefrø.example", "Havefrø ApS"];
    verdict_of(&Judge::new(None), password, &context, second_factor)
}

fn verdict_of(judge: &Judge, password: &str, context: &[&str], second_factor: bool) -> String {
    match judge.check(password, context, second_factor) {
        Ok(()) => "good".to_owned(),
        Err(refusal) => {
            assert_eq!((refusal.status, refusal.fields[0].pointer.as_str()), (422, "/password"));
            assert!(!refusal.fields[0].detail.da.is_empty() && !refusal.fields[0].detail.en.is_empty());
            refusal.code
        }
    }
}

#[test]
fn verdicts() {
    for (password, alone, with_second_factor) in [
        ("", "password-too-short", "password-too-short"),
        ("kvx7Pq2", "password-too-short", "password-too-short"),
        ("kvx7Pq2m!Lz", "password-too-short", "good"),
        ("ulige kaffekop i regnvejr", "good", "good"),
        // No rule about composition.
        ("qmzvtrhyplxkdwb", "good", "good"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", "password-guessable", "password-guessable"),
        ("abcdefghijklmnopqrstuvwxyz", "password-guessable", "password-guessable"),
        ("1qaz2wsx", "password-too-short", "password-leaked"),
        ("zxcvbnm123456789", "password-leaked", "password-leaked"),
        ("en stor K4RENS hemmelighed", "password-personal", "password-personal"),
        ("min-bl0msterk4sse-2024!", "password-personal", "password-personal"),
        ("al havefrø er dyrt i maj", "password-personal", "password-personal"),
        ("hvem skrev Husorden mon?", "password-personal", "password-personal"),
        ("linje et\nlinje to tre fire", "password-control-characters", "password-control-characters"),
    ] {
        assert_eq!(verdict(password, false), alone, "{password:?} alone");
        assert_eq!(verdict(password, true), with_second_factor, "{password:?} with a second factor");
    }
}

#[test]
fn what_is_too_long_is_refused_at_the_door() {
    assert_eq!(verdict(&"å".repeat(1 << 19), false), "password-too-long", "a megabyte");
    assert_eq!(verdict(&"€".repeat(256), false), "password-guessable", "256 characters in 768 bytes are few enough");
    assert_eq!(verdict(&"é".repeat(257), false), "password-too-long");
    // One character that becomes eighteen: what counts is what is kept.
    assert_eq!(verdict(&"\u{fdfa}".repeat(20), false), "password-too-long");
    // A long password is weighed by its beginning, and not cut for good.
    assert_eq!(verdict(&"ulige kaffekop i regnvejr ".repeat(9), false), "good");
}

#[test]
fn characters_are_counted_as_people_see_them() {
    // Fourteen characters, the accents written apart.
    let apart = "e\u{301}\u{e6}ku\u{30a}qvzxjwtrp";
    assert_eq!(normalised(apart).reveal().chars().count(), 13);
    assert_eq!(verdict(apart, false), "password-too-short");
    assert_eq!(normalised("\u{ff50}\u{ff57}").reveal(), "pw", "full-width letters are letters");
    assert_eq!(normalised(apart), normalised(normalised(apart).reveal()));
    assert_eq!(verdict("ждуъ щпцю эфыб ямхг", false), "good");
    for odd in ["\u{200d}".repeat(20), "\u{202e}".repeat(16), "🦆".repeat(15), "\u{10ffff}".repeat(40)] {
        assert_eq!(verdict(&odd, false), "password-guessable", "{odd:?}");
    }
}

#[test]
fn an_import_is_noticed_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("later");
    let judge = Judge::new(Some(lists.clone()));
    let verdict = |password| verdict_of(&judge, password, &[], false);
    let (one, two) = ("ulige kaffekop i regnvejr", "blå trappestige ved molen");
    assert_eq!((verdict(one), judge.list().passwords), ("good".to_owned(), None));
    import(one.as_bytes(), Form::Plain, &lists, &mut |_| {}).unwrap();
    assert_eq!((verdict(one).as_str(), verdict(two).as_str()), ("password-leaked", "good"));
    import(two.as_bytes(), Form::Plain, &lists, &mut |_| {}).unwrap();
    assert_eq!((verdict(one).as_str(), verdict(two).as_str()), ("good", "password-leaked"));
    assert_eq!((judge.list().passwords, judge.list().trouble), (Some(1), None));
    // The full-width spelling of a leaked password is that password.
    let wide: String = two.replace('b', "\u{ff42}");
    assert_eq!(verdict(&wide), "password-leaked");
    // A file that is no list leaves the one before in use, and says so.
    let broken = lists.join("broken");
    std::fs::write(&broken, "no list").unwrap();
    std::fs::rename(&broken, lists.join(leaked::FILE_NAME)).unwrap();
    assert_eq!(verdict(two), "password-leaked");
    assert!(judge.list().trouble.unwrap().contains("too short"));
}

#[test]
fn texts_never_hold_the_password() {
    let judge = Judge::new(None);
    for password in ["kort-kode", "1qaz2wsx3edc4rfv", "aaaaaaaaaaaaaaaaaaaaaaaa", "karen og alle de andre"] {
        let refusal = judge.check_at("/new", password, &["karen"], false).unwrap_err();
        let text = format!("{refusal:?}");
        assert!(!text.contains(password), "{text}");
        assert_eq!(refusal.fields[0].pointer, "/new");
    }
}
