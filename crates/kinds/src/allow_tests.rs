//! Lists as people write them, and as they must not.

use super::*;

fn access(spec: &Value, before: Option<&Value>) -> Result<Access, Vec<(String, String)>> {
    let mut form = Form::new(spec, "");
    let access = read(&mut form, before);
    let wrong = form.finish();
    if wrong.is_empty() {
        Ok(access)
    } else {
        Err(wrong.into_iter().map(|field| (field.pointer, field.detail.en)).collect())
    }
}

fn spec(nets: &[&str], open: bool) -> Value {
    json!({"allow": nets.iter().map(|net| json!({"net": net})).collect::<Vec<_>>(), "open_to_all": open})
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn addresses_are_read_as_they_are_meant() {
    for (text, expected) in [
        ("203.0.113.7", "203.0.113.7/32"),
        (" 203.0.113.7 ", "203.0.113.7/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:DB8::7", "2001:db8::7/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("10.0.0.0/8", "10.0.0.0/8"),
    ] {
        assert_eq!(parse_net(text).map(|net| net.to_string()), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn what_is_no_address_is_refused_with_what_is_wrong() {
    for (text, said) in [
        ("", "expected"),
        ("everyone", "expected"),
        ("203.0.113.7:5432", "expected"),
        ("203.0.113.07", "expected"),
        ("203.0.113", "expected"),
        ("203.0.113.7/33", "expected"),
        ("2001:db8::7/129", "expected"),
        ("fe80::1%eth0", "expected"),
        ("192.0.2.0/24; drop table", "expected"),
        ("192.0.2.7/24", "write 192.0.2.0/24 for all of it, or 192.0.2.7 for"),
        ("2001:db8::7/64", "write 2001:db8::/64"),
        ("::ffff:192.0.2.7/120", "write 192.0.2.0/24"),
        ("::ffff:0:0/90", "as IPv4"),
        ("127.0.0.1", "No connection"),
        ("224.0.0.1", "No connection"),
        ("0.0.0.0", "No connection"),
        ("::1", "No connection"),
        ("ff02::1", "No connection"),
    ] {
        let said_of = parse_net(text).expect_err(text);
        assert!(said_of.en.contains(said), "{text:?}: {}", said_of.en);
    }
}

#[test]
fn everyone_needs_the_word_and_the_word_goes_with_it() {
    for nets in [&["0.0.0.0/0"][..], &["::/0"], &["0.0.0.0/1", "128.0.0.0/1"], &["8.0.0.0/7"], &["2000::/18"]] {
        let refused = access(&spec(nets, false), None).expect_err("refused");
        assert_eq!(refused[0].0, "/allow/0/net");
        assert!(access(&spec(nets, true), None).expect("said").open_to_all, "{nets:?}");
    }
    let pieces: Vec<String> = (1..=9).map(|first| format!("{first}.0.0.0/8")).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let refused = access(&spec(&pieces, false), None).expect_err("refused");
    assert_eq!(refused[0].0, "/allow", "together they are too many, and none is alone");
    for nets in [&[][..], &["8.0.0.0/8"], &["2000::/19"], &["192.0.2.0/24", "198.51.100.0/24"]] {
        assert!(access(&spec(nets, false), None).is_ok(), "{nets:?}");
        let access = access(&spec(nets, true), None).expect("lawful");
        assert!(!access.open_to_all, "{nets:?}: there is nothing that the word is for");
    }
}

#[test]
fn lists_are_read_strictly() {
    let entry = |entry: Value| json!({"allow": [entry]});
    let many = json!({"allow": (0..=200).map(|at| json!({"net": format!("192.0.2.{at}")})).collect::<Vec<_>>()});
    let long = "å".repeat(201);
    for (form, pointer, said) in [
        (json!({"allow": "192.0.2.1"}), "/allow", "A list"),
        (many, "/allow", "at most 200"),
        (json!({"allow": ["192.0.2.1"]}), "/allow/0", "object"),
        (entry(json!({})), "/allow/0/net", "needed"),
        (entry(json!({"net": 7})), "/allow/0/net", "A text"),
        (entry(json!({"net": "192.0.2.1", "notes": "x"})), "/allow/0/notes", "no such field"),
        (entry(json!({"net": "192.0.2.1", "note": long})), "/allow/0/note", "at most 200"),
        (entry(json!({"net": "192.0.2.1", "note": "a\nb"})), "/allow/0/note", "one line"),
        (entry(json!({"net": "192.0.2.1", "until": "tomorrow"})), "/allow/0/until", "A time"),
        (entry(json!({"net": "192.0.2.1", "until": "2030-01-01T00:00:00"})), "/allow/0/until", "zone"),
        (spec(&["192.0.2.1", "::ffff:192.0.2.1"], false), "/allow/1/net", "twice"),
        (json!({"open_to_all": "yes"}), "/open_to_all", "True or false"),
    ] {
        let wrong = access(&form, None).expect_err(pointer);
        assert!(wrong.iter().any(|(at, text)| at == pointer && text.contains(said)), "{pointer}: {wrong:?}");
    }
    let note = "å".repeat(200);
    let form = entry(json!({"net": "192.0.2.1", "note": format!(" {note} "), "until": "2030-01-01T02:00:00+02:00"}));
    let read = access(&form, None).expect("lawful").allow;
    assert_eq!(
        read,
        [Entry { net: "192.0.2.1/32".parse().expect("a net"), note, until: Some(time("2030-01-01T00:00:00Z")) }]
    );
}

#[test]
fn what_is_not_named_stays() {
    let before = json!(access(&spec(&["0.0.0.0/0"], true), None).expect("lawful"));
    assert_eq!(json!(access(&json!({}), Some(&before)).expect("lawful")), before);
    assert_eq!(json!(access(&before, Some(&before)).expect("lawful")), before);
    let narrowed = access(&json!({"allow": [{"net": "192.0.2.1"}]}), Some(&before)).expect("lawful");
    assert!(!narrowed.open_to_all);
    let emptied = access(&json!({"allow": null, "open_to_all": null}), Some(&before)).expect("lawful");
    assert_eq!(emptied, Access::default());
}

#[test]
fn an_entry_that_ended_goes_and_a_new_one_may_not_have_ended() {
    let now = time("2030-01-01T12:00:00Z");
    let ended = json!({"net": "192.0.2.1/32", "note": "", "until": "2030-01-01T12:00:00Z"});
    let wide = json!({"net": "0.0.0.0/0", "note": "", "until": "2030-01-01T11:00:00Z"});
    let lasts = json!({"net": "192.0.2.2/32", "note": "", "until": "2030-01-01T12:00:01Z"});
    let before = json!({"allow": [wide, ended, lasts], "open_to_all": true});
    let mut spec = before.clone();
    assert_eq!(settle(&mut spec, Some(&before), now), []);
    assert_eq!(spec, json!({"allow": [lasts], "open_to_all": false}));
    let mut new = json!({"allow": [lasts, ended], "open_to_all": false});
    let wrong = settle(&mut new, None, now);
    assert_eq!(wrong.iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), ["/allow/1/until"]);
    let mut other = json!({"domains": []});
    assert_eq!(settle(&mut other, None, now), []);
    assert_eq!(other, json!({"domains": []}), "a kind without a list is left alone");
}

#[test]
fn open_to_all_is_a_finding_for_as_long_as_it_is_so() {
    let with = |entries: &[(&str, Option<&str>)]| {
        let allow: Vec<Value> = entries.iter().map(|(net, until)| json!({"net": net, "until": until})).collect();
        findings(&json!({"allow": allow, "open_to_all": true})).first().map(|finding| finding.until)
    };
    let late = "2030-01-02T00:00:00Z";
    assert_eq!(with(&[("192.0.2.0/24", None)]), None);
    assert_eq!(with(&[("0.0.0.0/0", None)]), Some(None));
    assert_eq!(with(&[("0.0.0.0/0", Some("2030-01-01T00:00:00Z")), ("::/0", None)]), Some(None));
    assert_eq!(
        with(&[("0.0.0.0/0", Some("2030-01-01T00:00:00Z")), ("::/0", Some(late)), ("192.0.2.0/24", None)]),
        Some(Some(time(late)))
    );
    assert!(findings(&json!({"domains": []})).is_empty());
}

#[test]
fn the_port_has_every_entry_at_every_tcp_port() {
    let access = access(&spec(&["192.0.2.1", "2001:db8::/64"], false), None).expect("lawful");
    let ports: Vec<(u16, String)> = access.ports(&[22, 5432]).iter().map(|one| (one.port, short(one.net))).collect();
    let (four, six) = ("192.0.2.1".to_owned(), "2001:db8::/64".to_owned());
    assert_eq!(ports, [(22, four.clone()), (22, six.clone()), (5432, four), (5432, six)]);
}
