//! Rules as they are read, the pieces that they come to, and what is found in them.

use super::*;

fn rules(list: Value) -> Vec<Rule> {
    read(&list).expect("rules")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a net")
}

#[test]
fn each_wrong_field_of_a_rule_is_named() {
    for (item, pointer) in [
        (json!(7), "/rules/0"),
        (json!({"ports": "80", "from": ["::/0"]}), "/rules/0/protocol"),
        (json!({"protocol": "sctp", "ports": "80", "from": ["::/0"]}), "/rules/0/protocol"),
        (json!({"protocol": "tcp", "from": ["::/0"]}), "/rules/0/ports"),
        (json!({"protocol": "tcp", "ports": "0", "from": ["::/0"]}), "/rules/0/ports"),
        (json!({"protocol": "tcp", "ports": "90-80", "from": ["::/0"]}), "/rules/0/ports"),
        (json!({"protocol": "udp", "ports": "65536", "from": ["::/0"]}), "/rules/0/ports"),
        (json!({"protocol": "icmp", "ports": "8", "from": ["::/0"]}), "/rules/0/ports"),
        (json!({"protocol": "tcp", "ports": "80", "from": []}), "/rules/0/from"),
        (json!({"protocol": "tcp", "ports": "80", "from": "::/0"}), "/rules/0/from"),
        (json!({"protocol": "tcp", "ports": "80", "from": ["192.0.2.7/24"]}), "/rules/0/from/0"),
        (json!({"protocol": "tcp", "ports": "80", "from": ["::/0"], "note": "a\nb"}), "/rules/0/note"),
        (json!({"protocol": "tcp", "ports": "80", "from": ["::/0"], "to": "x"}), "/rules/0/to"),
    ] {
        let wrong = read(&json!([item])).expect_err("refused");
        assert_eq!(wrong.iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), [pointer], "{item}");
    }
    let one = json!({"protocol": "icmp", "from": ["::/0"]});
    assert_eq!(read(&json!(vec![one.clone(); RULES_MAX])).expect("so many").len(), RULES_MAX);
    assert_eq!(read(&json!(vec![one; RULES_MAX + 1])).expect_err("too many")[0].pointer, "/rules");
}

#[test]
fn a_rule_is_kept_as_it_was_read() {
    let read = rules(
        json!([{"protocol": "tcp", "ports": " 8000-8100 ", "from": ["192.0.2.0/24", "::ffff:203.0.113.7"], "note": "office"}]),
    );
    assert_eq!(read[0].ports.map(|ports| ports.to_string()).as_deref(), Some("8000-8100"));
    assert_eq!(read[0].from, [net("192.0.2.0/24"), net("203.0.113.7/32")]);
    let kept = serde_json::to_value(&read).expect("plain data");
    assert_eq!(serde_json::from_value::<Vec<Rule>>(kept).expect("as it was"), read);
}

#[test]
fn rules_that_overlap_become_pieces_that_do_not() {
    let read = rules(json!([
        {"protocol": "tcp", "ports": "80-90", "from": ["192.0.2.0/24"]},
        {"protocol": "tcp", "ports": "85-100", "from": ["192.0.2.128/25", "198.51.100.0/24"]},
        {"protocol": "tcp", "ports": "101", "from": ["192.0.2.128/25", "198.51.100.0/24"]},
        {"protocol": "udp", "ports": "80-90", "from": ["192.0.2.0/24"]},
        {"protocol": "icmp", "from": ["0.0.0.0/0", "192.0.2.0/24"]},
    ]));
    let told: Vec<String> = passages(&read)
        .iter()
        .map(|one| format!("{} {}-{} {}", one.protocol.word(), one.first, one.last, one.net))
        .collect();
    assert_eq!(
        told,
        [
            "tcp 80-84 192.0.2.0/24",
            "tcp 85-90 192.0.2.0/24",
            "tcp 85-90 198.51.100.0/24",
            "tcp 91-101 192.0.2.128/25",
            "tcp 91-101 198.51.100.0/24",
            "udp 80-90 192.0.2.0/24",
            "icmp 0-0 0.0.0.0/0",
        ]
    );
}

/// What is let in is what any rule lets in, whatever rules there are, and no two pieces meet.
#[test]
fn pieces_let_in_what_the_rules_do_and_never_overlap() {
    let mut seed = 7_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..50 {
        let count = next(6) + 1;
        let list: Vec<Rule> = (0..count)
            .map(|_| {
                let first = u16::try_from(next(8)).expect("small") + 1;
                let last = first + u16::try_from(next(4)).expect("small");
                let prefix = 24 + u8::try_from(next(9)).expect("small");
                let address = [192, 0, 2, u8::try_from(next(256)).expect("a byte")];
                let from = IpNet::new(address.into(), prefix).expect("a net").trunc();
                Rule {
                    protocol: Protocol::Tcp,
                    ports: Some(Ports { first, last }),
                    from: vec![from],
                    note: String::new(),
                }
            })
            .collect();
        let pieces = passages(&list);
        for port in 1..16_u16 {
            for last in 0..=255_u8 {
                let from = std::net::IpAddr::from([192, 0, 2, last]);
                let by_rule = list.iter().any(|rule| {
                    rule.ports.is_some_and(|ports| (ports.first..=ports.last).contains(&port))
                        && rule.from[0].contains(&from)
                });
                let by_piece = pieces.iter().filter(|one| one.admits(Protocol::Tcp, port, from)).count();
                assert_eq!(by_piece, usize::from(by_rule), "{port} {from} {list:?}");
            }
        }
    }
}

#[test]
fn the_whole_range_of_ports_is_one_piece() {
    let read = rules(json!([{"protocol": "tcp", "ports": "1-65535", "from": ["0.0.0.0/0", "::/0"]}]));
    let found = passages(&read);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| (one.first, one.last) == (1, 65_535)));
}

#[test]
fn a_management_port_open_to_all_is_a_finding() {
    let of =
        |list: Value| findings(&passages(&rules(list))).into_iter().map(|found| found.title.en).collect::<Vec<_>>();
    let tcp = |ports: &str, from: &[&str]| json!([{"protocol": "tcp", "ports": ports, "from": from}]);
    assert_eq!(of(tcp("443", &["0.0.0.0/0", "::/0"])), Vec::<String>::new());
    assert_eq!(of(tcp("22", &["192.0.2.0/24"])), Vec::<String>::new());
    assert_eq!(of(tcp("22", &["::/0"])), ["Management is open to all: 22 (SSH)"]);
    assert_eq!(
        of(tcp("2000-4000", &["0.0.0.0/1", "128.0.0.0/1"])),
        ["Management is open to all: 2375 (Docker), 2376 (Docker), 3389 (Remote Desktop)"]
    );
    assert_eq!(of(json!([{"protocol": "udp", "ports": "22", "from": ["::/0"]}])), Vec::<String>::new());
}
