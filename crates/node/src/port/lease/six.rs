//! What a guest is answered in IPv6: by a router's advertisement (RFC 4861, RFC 8106) that all goes by its link and that addresses are asked
//! for, and by DHCPv6 (RFC 8415) its one address. Pure: bytes in, bytes out.

use super::{Guest, Way};
use std::net::IpAddr;

/// What is sent in answer to a solicitation, and every so often.
pub(super) fn advertisement(guest: &Guest) -> Vec<u8> {
    // Addresses and everything else are asked for (M and O), and this is a way for half an hour: everywhere, or to a network alone (RFC 4191).
    let mut said = vec![134, 0, 0, 0, 64, 0xc0];
    said.extend(if guest.way == Way::Out { ROUTER_S } else { 0 }.to_be_bytes());
    said.extend([0; 8]);
    if let Way::Network(_, prefix) = guest.way {
        said.extend([24, 2, prefix.prefix_len(), 0]);
        said.extend(u32::from(ROUTER_S).to_be_bytes());
        said.extend(&prefix.network().octets()[..8]);
    }
    if let Some(net) = guest.net6 {
        // Any address of the net may be made, and none of it is on the link: what goes there goes by the router too.
        let by_themselves = 0x40;
        said.extend([3, 4, net.prefix_len(), by_themselves]);
        said.extend(NET_S.to_be_bytes());
        said.extend(u32::from(ROUTER_S).to_be_bytes());
        said.extend([0; 4]);
        said.extend(net.network().octets());
    }
    let servers = servers(guest);
    if let Ok(count) = u8::try_from(servers.len() / 16)
        && count > 0
    {
        said.extend([25, 1 + 2 * count, 0, 0]);
        said.extend(u32::from(ROUTER_S).to_be_bytes());
        said.extend(servers);
    }
    said
}

/// Seconds for which a guest goes by what was advertised.
const ROUTER_S: u16 = 1_800;
/// Seconds for which addresses that a guest makes itself last after the last advertisement.
const NET_S: u32 = 3_600;
/// Seconds for which an address is given; it is the guest's for good.
const LEASE_S: u32 = 86_400;
/// Bytes of what a client calls itself: more than any identifier that there is.
const CLIENT_BYTES_MAX: usize = 130;
/// What this server calls itself, on every link: each is a segment of its own.
const SERVER: [u8; 10] = [0, 3, 0, 1, 0x02, 0x48, 0x75, 0, 0, 2];

mod kind {
    pub(super) const SOLICIT: u8 = 1;
    pub(super) const ADVERTISE: u8 = 2;
    pub(super) const REQUEST: u8 = 3;
    pub(super) const CONFIRM: u8 = 4;
    pub(super) const RENEW: u8 = 5;
    pub(super) const REBIND: u8 = 6;
    pub(super) const REPLY: u8 = 7;
    pub(super) const RELEASE: u8 = 8;
    pub(super) const DECLINE: u8 = 9;
    pub(super) const INFORM: u8 = 11;
}

mod option {
    pub(super) const CLIENT: u16 = 1;
    pub(super) const SERVER: u16 = 2;
    pub(super) const ADDRESSES: u16 = 3;
    pub(super) const ADDRESS: u16 = 5;
    pub(super) const STATUS: u16 = 13;
    pub(super) const RAPID: u16 = 14;
    pub(super) const NAME_SERVERS: u16 = 23;
}

/// The answer to what a guest sent to port 547; none to what asks for nothing of ours.
pub(super) fn answer(asked: &[u8], guest: &Guest) -> Option<Vec<u8>> {
    let (head, options) = asked.split_first_chunk::<4>()?;
    let client = find(options, option::CLIENT);
    let server = find(options, option::SERVER);
    let named = client.is_some_and(|client| (1..=CLIENT_BYTES_MAX).contains(&client.len()));
    let ours = server == Some(&SERVER[..]);
    let rapid = find(options, option::RAPID).is_some();
    let (said, gives) = match head[0] {
        kind::SOLICIT if named && server.is_none() => (if rapid { kind::REPLY } else { kind::ADVERTISE }, true),
        kind::REQUEST | kind::RENEW if named && ours => (kind::REPLY, true),
        kind::REBIND if named && server.is_none() => (kind::REPLY, true),
        kind::CONFIRM if named && server.is_none() => (kind::REPLY, false),
        kind::RELEASE | kind::DECLINE if named && ours => (kind::REPLY, false),
        kind::INFORM if server.is_none() || ours => (kind::REPLY, false),
        _ => return None,
    };
    let mut answer = vec![said, head[1], head[2], head[3]];
    put(&mut answer, option::SERVER, &SERVER);
    if let Some(client) = client.filter(|_| named) {
        put(&mut answer, option::CLIENT, client);
    }
    if rapid && said == kind::REPLY && head[0] == kind::SOLICIT {
        put(&mut answer, option::RAPID, &[]);
    }
    // One association has the addresses there are; who asks for more gets no more.
    if let Some(association) =
        find(options, option::ADDRESSES).and_then(|value| value.first_chunk::<4>()).filter(|_| gives)
    {
        let mut value = association.to_vec();
        value.extend((LEASE_S / 2).to_be_bytes());
        value.extend((LEASE_S / 5 * 4).to_be_bytes());
        for own in &guest.six {
            let lasts = LEASE_S.to_be_bytes();
            put(&mut value, option::ADDRESS, &[&own.octets()[..], &lasts, &lasts].concat());
        }
        put(&mut answer, option::ADDRESSES, &value);
    }
    if matches!(head[0], kind::CONFIRM | kind::RELEASE | kind::DECLINE) {
        put(&mut answer, option::STATUS, &[0, if head[0] == kind::CONFIRM && !holds(options, guest) { 4 } else { 0 }]);
    }
    let servers = servers(guest);
    if !servers.is_empty() {
        put(&mut answer, option::NAME_SERVERS, &servers);
    }
    Some(answer)
}

/// Whether the first address that a client believes it has is one of its own.
fn holds(options: &[u8], guest: &Guest) -> bool {
    let association = find(options, option::ADDRESSES).and_then(|value| value.get(12..));
    let address = association.and_then(|value| find(value, option::ADDRESS));
    let address = address.and_then(|value| value.first_chunk::<16>());
    address.is_some_and(|address| guest.six.iter().any(|own| own.octets() == *address))
}

fn servers(guest: &Guest) -> Vec<u8> {
    let each = guest.name_servers.iter().filter_map(|address| match address {
        IpAddr::V6(address) => Some(address.octets()),
        IpAddr::V4(_) => None,
    });
    each.flatten().collect()
}

fn put(into: &mut Vec<u8>, code: u16, value: &[u8]) {
    if let Ok(length) = u16::try_from(value.len()) {
        into.extend(code.to_be_bytes());
        into.extend(length.to_be_bytes());
        into.extend(value);
    }
}

/// The value of the first option with this code. What breaks off has none.
fn find(mut options: &[u8], code: u16) -> Option<&[u8]> {
    loop {
        let (head, rest) = options.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (value, rest) = rest.split_at_checked(length)?;
        if u16::from_be_bytes([head[0], head[1]]) == code {
            return Some(value);
        }
        options = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{guest, member};
    use super::*;
    use std::net::Ipv6Addr;

    fn asks(kind: u8, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut asked = vec![kind, 1, 2, 3];
        for (code, value) in options {
            put(&mut asked, *code, value);
        }
        asked
    }

    fn given(asked: &[u8]) -> Option<(u8, Option<Vec<u8>>)> {
        let answer = answer(asked, &guest())?;
        assert_eq!(answer[1..4], [1, 2, 3]);
        let association = find(&answer[4..], option::ADDRESSES);
        let address =
            association.and_then(|value| find(&value[12..], option::ADDRESS)).map(|value| value[..16].to_vec());
        Some((answer[0], address))
    }

    #[test]
    fn a_guest_is_given_its_own_address_by_who_it_asks() {
        let own = guest().six[0].octets().to_vec();
        let (client, server, association) =
            ((option::CLIENT, &[0, 1, 9][..]), (option::SERVER, &SERVER[..]), (option::ADDRESSES, &[0; 12][..]));
        let all = Some(own);
        assert_eq!(given(&asks(kind::SOLICIT, &[client, association])), Some((kind::ADVERTISE, all.clone())));
        assert_eq!(
            given(&asks(kind::SOLICIT, &[client, association, (option::RAPID, &[])])),
            Some((kind::REPLY, all.clone()))
        );
        assert_eq!(given(&asks(kind::REQUEST, &[client, server, association])), Some((kind::REPLY, all.clone())));
        assert_eq!(given(&asks(kind::REBIND, &[client, association])), Some((kind::REPLY, all)));
        assert_eq!(given(&asks(kind::INFORM, &[])), Some((kind::REPLY, None)));
        assert_eq!(given(&asks(kind::RELEASE, &[client, server, association])), Some((kind::REPLY, None)));
        let other = (option::SERVER, &[0, 3, 0, 1][..]);
        assert_eq!(given(&asks(kind::REQUEST, &[client, other, association])), None, "another server was asked");
        assert_eq!(given(&asks(kind::SOLICIT, &[association])), None, "who asks has no name");
    }

    #[test]
    fn a_router_is_advertised_with_its_name_servers_and_without_a_net() {
        let said = advertisement(&guest());
        assert_eq!((said[0], said[5], &said[6..8]), (134, 0xc0, &ROUTER_S.to_be_bytes()[..]));
        assert_eq!((said.len(), said[16], said[17]), (16 + 24, 25, 3));
        let bare = advertisement(&Guest { name_servers: Vec::new(), ..guest() });
        assert_eq!(bare.len(), 16);
    }

    #[test]
    fn a_network_is_advertised_as_the_way_to_itself_alone() {
        let said = advertisement(&member());
        assert_eq!((said[6..8].to_vec(), said.len()), (vec![0, 0], 32), "no way to anywhere else");
        assert_eq!(said[16..20], [24, 2, 64, 0]);
        assert_eq!(said[24..32], [0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 1]);
        let asked = asks(kind::SOLICIT, &[(option::CLIENT, &[0, 1, 9]), (option::ADDRESSES, &[0; 12])]);
        let given = answer(&asked, &member()).expect("an answer");
        assert!(given.windows(16).any(|part| part == member().six[0].octets()));
    }

    #[test]
    fn a_guest_with_a_net_is_given_its_first_address_and_told_the_net() {
        let guest = super::super::tests::known();
        let said = advertisement(&guest);
        let net: Ipv6Addr = "2001:db8:0:7::".parse().expect("an address");
        assert_eq!(said[16..20], [3, 4, 64, 0x40]);
        assert_eq!(said[32..48], net.octets());
        let answer = answer(&asks(kind::SOLICIT, &[(option::CLIENT, &[1]), (option::ADDRESSES, &[0; 12])]), &guest);
        let answer = answer.expect("an answer");
        let association = find(&answer[4..], option::ADDRESSES).expect("an association");
        let given: Vec<&[u8]> = association[12..].chunks(28).map(|one| &one[4..20]).collect();
        let first: Ipv6Addr = "2001:db8:0:7::1".parse().expect("an address");
        assert_eq!(
            given,
            [&first.octets()[..], &husorden_base::Number::new(7).expect("7 is a number").ipv6().octets()]
        );
    }

    #[test]
    fn what_is_broken_off_anywhere_harms_nobody() {
        let whole = asks(kind::CONFIRM, &[(option::CLIENT, &[1, 2]), (option::ADDRESSES, &[0; 40])]);
        for end in 0..whole.len() {
            let _ = answer(&whole[..end], &guest());
        }
        for place in 0..whole.len() {
            for byte in [0, 1, 254, 255] {
                let mut bent = whole.clone();
                bent[place] = byte;
                let _ = answer(&bent, &guest());
            }
        }
    }
}
