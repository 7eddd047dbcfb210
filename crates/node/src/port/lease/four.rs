//! What a guest is answered by DHCP for IPv4 (RFC 2131): its one address, alone on its link, and the way to everything else (RFC 3442).
//! Pure: bytes in, bytes out.

use super::{Guest, Way};
use std::net::{IpAddr, Ipv4Addr};

/// What comes before the options, and how these begin.
const HEAD: usize = 236;
const COOKIE: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// Shorter answers are not taken by old clients.
const ANSWER_BYTES_MIN: usize = 300;
/// Bytes of what a client calls itself that are said back.
const CLIENT_BYTES_MAX: usize = 64;
/// Seconds until a guest asks again; the address is its own for good.
const LEASE_S: u32 = 86_400;

mod kind {
    pub(super) const DISCOVER: u8 = 1;
    pub(super) const OFFER: u8 = 2;
    pub(super) const REQUEST: u8 = 3;
    pub(super) const ACK: u8 = 5;
    pub(super) const NAK: u8 = 6;
    pub(super) const INFORM: u8 = 8;
}

mod option {
    pub(super) const MASK: u8 = 1;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const NAME_SERVERS: u8 = 6;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const KIND: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const CLIENT: u8 = 61;
    pub(super) const ROUTES: u8 = 121;
    pub(super) const END: u8 = 255;
}

/// The answer to what a guest sent to port 67; none to what asks for nothing of ours.
pub(super) fn answer(asked: &[u8], guest: &Guest) -> Option<Vec<u8>> {
    let (head, rest) = asked.split_at_checked(HEAD)?;
    let options = rest.strip_prefix(&COOKIE)?;
    let fits = head[..3] == [1, 1, 6] && head[28..34] == guest.mac;
    let kind = *find(options, option::KIND)?.first().filter(|_| fits)?;
    let own = guest.four;
    let address = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    let server = find(options, option::SERVER).and_then(address);
    let current = address(&head[12..16]).filter(|address| !address.is_unspecified());
    let said = match kind {
        kind::DISCOVER => kind::OFFER,
        kind::INFORM => kind::ACK,
        // Another server was chosen, which can't be: there is nobody else on the link.
        kind::REQUEST if server.is_some_and(|server| server != guest.gateway) => return None,
        kind::REQUEST => {
            let wanted = find(options, option::REQUESTED).and_then(address).or(current);
            if wanted.is_none_or(|wanted| wanted == own) { kind::ACK } else { kind::NAK }
        }
        _ => return None,
    };
    let mut answer = vec![0; HEAD];
    answer[..3].copy_from_slice(&[2, 1, 6]);
    answer[4..8].copy_from_slice(&head[4..8]);
    answer[10..12].copy_from_slice(&head[10..12]);
    answer[28..44].copy_from_slice(&head[28..44]);
    answer.extend(COOKIE);
    let mut put = |code: u8, value: &[u8]| {
        if let Ok(length) = u8::try_from(value.len()) {
            answer.extend([code, length]);
            answer.extend(value);
        }
    };
    put(option::KIND, &[said]);
    put(option::SERVER, &guest.gateway.octets());
    if let Some(client) = find(options, option::CLIENT).filter(|client| client.len() <= CLIENT_BYTES_MAX) {
        put(option::CLIENT, client);
    }
    if said != kind::NAK {
        match guest.way {
            Way::Out => {
                put(option::MASK, &[255; 4]);
                // Who knows routes takes them and passes over the router (RFC 3442): the gateway is on the link, and all else behind it.
                let gateway = guest.gateway.octets();
                put(option::ROUTER, &gateway);
                let on_link = [&[32][..], &gateway, &[0; 4]].concat();
                put(option::ROUTES, &[&on_link[..], &[0], &gateway].concat());
            }
            Way::Network(range, _) => put(option::MASK, &range.netmask().octets()),
        }
        let servers = guest.name_servers.iter().filter_map(|address| match address {
            IpAddr::V4(address) => Some(address.octets()),
            IpAddr::V6(_) => None,
        });
        let servers: Vec<u8> = servers.flatten().collect();
        if !servers.is_empty() {
            put(option::NAME_SERVERS, &servers);
        }
        if kind != kind::INFORM {
            put(option::LEASE, &LEASE_S.to_be_bytes());
        }
    }
    answer.push(option::END);
    match (said, kind) {
        (kind::NAK, _) => {}
        (_, kind::INFORM) => answer[12..16].copy_from_slice(&head[12..16]),
        _ => answer[16..20].copy_from_slice(&own.octets()),
    }
    answer.resize(answer.len().max(ANSWER_BYTES_MIN), 0);
    Some(answer)
}

/// The value of the first option with this code. What breaks off has none.
fn find(mut options: &[u8], code: u8) -> Option<&[u8]> {
    loop {
        match options.split_first()? {
            (0, rest) => options = rest,
            (&option::END, _) => return None,
            (&found, rest) => {
                let (length, rest) = rest.split_first()?;
                let (value, rest) = rest.split_at_checked(usize::from(*length))?;
                if found == code {
                    return Some(value);
                }
                options = rest;
            }
        }
    }
}

#[cfg(test)]
pub(in crate::port) mod tests {
    use super::super::tests::{guest, member};
    use super::*;

    /// What a guest's client sends.
    pub(in crate::port) fn asks(mac: [u8; 6], kind: u8, more: &[u8]) -> Vec<u8> {
        let mut asked = vec![0; HEAD];
        asked[..3].copy_from_slice(&[1, 1, 6]);
        asked[4..8].copy_from_slice(&[1, 2, 3, 4]);
        asked[28..34].copy_from_slice(&mac);
        asked.extend(COOKIE);
        asked.extend([option::KIND, 1, kind]);
        asked.extend(more);
        asked.push(option::END);
        asked
    }

    fn said(asked: &[u8]) -> Option<(u8, Ipv4Addr)> {
        let answer = answer(asked, &guest())?;
        assert!(answer.len() >= ANSWER_BYTES_MIN && answer[4..8] == [1, 2, 3, 4]);
        let kind = find(&answer[HEAD + 4..], option::KIND)?[0];
        Some((kind, Ipv4Addr::new(answer[16], answer[17], answer[18], answer[19])))
    }

    #[test]
    fn a_guest_is_offered_and_given_its_own_address_and_no_other() {
        let (guest, nobody) = (guest(), Ipv4Addr::UNSPECIFIED);
        let own = guest.four;
        let wants = |address: Ipv4Addr| [&[option::REQUESTED, 4][..], &address.octets()].concat();
        assert_eq!(said(&asks(guest.mac, kind::DISCOVER, &[])), Some((kind::OFFER, own)));
        assert_eq!(said(&asks(guest.mac, kind::REQUEST, &wants(own))), Some((kind::ACK, own)));
        assert_eq!(said(&asks(guest.mac, kind::REQUEST, &[])), Some((kind::ACK, own)));
        assert_eq!(said(&asks(guest.mac, kind::REQUEST, &wants([192, 0, 2, 1].into()))), Some((kind::NAK, nobody)));
        assert_eq!(said(&asks(guest.mac, kind::INFORM, &[])), Some((kind::ACK, nobody)));
        let elsewhere = [option::SERVER, 4, 192, 0, 2, 1];
        assert_eq!(said(&asks(guest.mac, kind::REQUEST, &elsewhere)), None);
        assert_eq!(said(&asks([2, 0, 0, 0, 0, 9], kind::DISCOVER, &[])), None, "another card");
        assert_eq!(said(&asks(guest.mac, 7, &[])), None, "a release is answered by nobody");
    }

    #[test]
    fn a_guest_with_a_public_address_is_given_that_one() {
        let guest = super::super::tests::known();
        let given = |asked: &[u8]| {
            let answer = answer(asked, &guest).expect("an answer");
            (
                find(&answer[HEAD + 4..], option::KIND).expect("a kind")[0],
                <[u8; 4]>::try_from(&answer[16..20]).expect("four"),
            )
        };
        assert_eq!(given(&asks(guest.mac, kind::DISCOVER, &[])), (kind::OFFER, [192, 0, 2, 7]));
        // One that had the internal address before asks for it again, and is told to begin anew.
        let before =
            [&[option::REQUESTED, 4][..], &husorden_base::Number::new(7).expect("7 is a number").ipv4().octets()]
                .concat();
        assert_eq!(given(&asks(guest.mac, kind::REQUEST, &before)), (kind::NAK, [0; 4]));
    }

    #[test]
    fn the_way_out_and_name_servers_are_said() {
        let guest = guest();
        let client = [option::CLIENT, 3, 1, 2, 3];
        let answer = answer(&asks(guest.mac, kind::DISCOVER, &client), &guest).expect("an offer");
        let option = |code| find(&answer[HEAD + 4..], code).expect("it is said");
        assert_eq!(option(option::MASK), [255; 4]);
        assert_eq!(option(option::ROUTES), [32, 169, 254, 1, 2, 0, 0, 0, 0, 0, 169, 254, 1, 2]);
        assert_eq!(option(option::NAME_SERVERS), [192, 0, 2, 53]);
        assert_eq!(option(option::CLIENT), [1, 2, 3]);
    }

    #[test]
    fn a_network_is_on_the_link_and_no_way_out() {
        let guest = member();
        let answer = answer(&asks(guest.mac, kind::DISCOVER, &[]), &guest).expect("an offer");
        let option = |code| find(&answer[HEAD + 4..], code);
        assert_eq!(answer[16..20], [10, 20, 0, 5]);
        assert_eq!(option(option::MASK), Some(&[255, 255, 255, 0][..]));
        assert_eq!(option(option::SERVER), Some(&[10, 20, 0, 1][..]));
        assert_eq!((option(option::ROUTER), option(option::ROUTES), option(option::NAME_SERVERS)), (None, None, None));
    }

    #[test]
    fn what_is_broken_off_anywhere_harms_nobody() {
        let guest = guest();
        let whole = asks(guest.mac, kind::REQUEST, &[option::REQUESTED, 4, 1, 2, 3, 4, option::CLIENT, 9, 1]);
        for end in 0..whole.len() {
            let _ = answer(&whole[..end], &guest);
        }
        for place in 0..whole.len() {
            for byte in [0, 1, 254, 255] {
                let mut bent = whole.clone();
                bent[place] = byte;
                let _ = answer(&bent, &guest);
            }
        }
    }
}
