//! Ranges, addresses and forms of private networks.

use super::*;

fn id(last: u128) -> NetworkId {
    NetworkId(uuid::Uuid::from_u128(last))
}

#[test]
fn a_range_is_private_whole_and_of_a_size_that_can_be_used() {
    for fine in ["10.0.0.0/16", " 10.20.30.0/24 ", "172.31.255.240/28", "192.168.0.0/16"] {
        assert!(parse_range(fine).is_ok(), "{fine}");
    }
    for (wrong, said) in [
        ("10.0.0.0", "IPv4 range"),
        ("2001:db8::/64", "IPv4 range"),
        ("10.0.0.1/24", "10.0.0.0/24"),
        ("10.0.0.0/15", "/16"),
        ("10.0.0.0/29", "/28"),
        ("100.64.0.0/24", "100.64.0.0/10"),
        ("172.32.0.0/24", "172.16.0.0/12"),
        ("192.0.2.0/24", "192.168.0.0/16"),
        ("169.254.0.0/16", "10.0.0.0/8"),
    ] {
        let refused = parse_range(wrong).expect_err(wrong);
        assert!(refused.en.contains(said), "{wrong}: {}", refused.en);
    }
}

#[test]
fn servers_have_what_lies_between_the_gateway_and_the_last_address() {
    let range: Ipv4Net = "10.20.0.0/28".parse().expect("a range");
    let all: Vec<Ipv4Addr> = addresses(range).collect();
    assert_eq!((all.len(), all[0].to_string(), all[12].to_string()), (13, "10.20.0.2".into(), "10.20.0.14".into()));
    assert!(all.iter().all(|address| address_wrong(range, *address).is_none()));
    for wrong in ["10.20.0.0", "10.20.0.1", "10.20.0.15", "10.20.0.16", "192.0.2.1"] {
        assert!(address_wrong(range, wrong.parse().expect("an address")).is_some(), "{wrong}");
    }
}

#[test]
fn an_address_in_ipv6_follows_from_the_other() {
    let member = Membership {
        number: NetworkNumber::new(0x0001_0203).expect("a number"),
        range: "10.20.0.0/24".parse().expect("a range"),
        prefix: "fd12:3456:789a:bcde::/64".parse().expect("a prefix"),
        address: "10.20.0.5".parse().expect("an address"),
    };
    assert_eq!(member.address6().to_string(), "fd12:3456:789a:bcde::a14:5");
    assert_eq!(member.gateway().to_string(), "10.20.0.1");
    assert_eq!(member.number.mac_text(), "02:48:77:01:02:03");
    assert_ne!(member.number.mac(), crate::tap::mac(husorden_base::Number::new(0x0001_0203).expect("a number")));
    assert!(NetworkNumber::new(NetworkNumber::MAX).expect("a number").tap().len() <= 15);
    assert_eq!((NetworkNumber::new(0), NetworkNumber::new(NetworkNumber::MAX + 1)), (None, None));
}

#[test]
fn ranges_overlap_when_one_lies_in_the_other() {
    let range = |text: &str| text.parse().expect("a range");
    assert!(overlap(range("10.0.0.0/16"), range("10.0.5.0/24")));
    assert!(overlap(range("10.0.5.0/24"), range("10.0.0.0/16")));
    assert!(!overlap(range("10.0.4.0/24"), range("10.0.5.0/24")));
}

fn check(form: &Value, before: Option<&Value>) -> Result<Vec<Join>, Vec<String>> {
    let mut form = Form::new(form, "");
    let read = read(&mut form, before);
    let wrong: Vec<String> = form.finish().into_iter().map(|field| field.pointer).collect();
    if wrong.is_empty() { Ok(read) } else { Err(wrong) }
}

#[test]
fn a_form_names_networks_and_keeps_addresses_that_were_given() {
    let address: Ipv4Addr = "10.0.0.7".parse().expect("an address");
    let given = Join { network: id(1), address: Some(address) };
    let before = json!({ "networks": [given] });
    assert_eq!(check(&json!({}), None), Ok(Vec::new()));
    assert_eq!(check(&json!({}), Some(&before)), Ok(vec![given]));
    assert_eq!(check(&json!({ "networks": null }), Some(&before)), Ok(Vec::new()));
    let both = check(&json!({ "networks": [id(2), { "network": id(1) }] }), Some(&before));
    assert_eq!(both, Ok(vec![Join { network: id(2), address: None }, given]));
    let other = check(&json!({ "networks": [{ "network": id(1), "address": "10.0.0.8" }] }), Some(&before));
    assert_eq!(other.map(|joins| joins[0].address.map(|one| one.to_string())), Ok(Some("10.0.0.8".to_owned())));
    for (wrong, pointer) in [
        (json!(7), "/networks"),
        (json!([id(1), id(2), id(3), id(4), id(5)]), "/networks"),
        (json!(["backend"]), "/networks/0"),
        (json!([id(1), id(1)]), "/networks/1"),
        (json!([{ "network": id(1), "address": "10.0.0" }]), "/networks/0/address"),
        (json!([{ "network": id(1), "gateway": "10.0.0.1" }]), "/networks/0/gateway"),
        (json!([7]), "/networks/0"),
    ] {
        let refused = check(&json!({ "networks": wrong }), None).expect_err(pointer);
        assert!(refused.iter().any(|at| at == pointer), "{wrong}: {refused:?}");
    }
}

#[test]
fn what_is_brought_back_is_in_the_networks_of_now() {
    let join = |last| json!([Join { network: id(last), address: None }]);
    let kept = keep(&json!({ "disk": 1, "networks": join(1) }), &json!({ "disk": 2, "networks": join(2) }));
    assert_eq!(kept, json!({ "disk": 1, "networks": join(2) }));
    assert_eq!(keep(&json!({ "disk": 1 }), &json!({ "disk": 2 })), json!({ "disk": 1 }));
}
