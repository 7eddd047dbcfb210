//! Public addresses of solutions: given when a spec asks for them, kept as long as it does, and never one to two.
//!
//! An address is a solution's until its spec asks for none any more or it is buried; so a restart, a rebuild, data that is brought back, and a
//! deletion that is undone change none. What is given up rests before it goes to the next ([`Config::address_rest_days`]), for others may still
//! hold it for who had it. Giving up is a trigger's (`0087_public.sql`), so that no way of changing a spec forgets it.
//!
//! [`Config::address_rest_days`]: crate::Config

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::store::address;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::solution::SolutionView;
use crate::{order, solution, store};
use husorden_base::{Domain, Refusal, SolutionId, Text};
use husorden_kinds::Public;
use husorden_kinds::public::{FIELDS, Wants};
use husorden_wire::api::{PublicAddress, ReverseName, ReverseNameForm};
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::IpAddr;

/// Names of one solution: of its /64 many addresses may have one.
const NAMES_MAX: usize = 64;

/// Gives a solution the addresses that its spec asks for and that it has not.
pub(crate) async fn bring(app: &App, tx: &mut TenantTx, of: (SolutionId, &str), spec: &Value) -> Result<(), Fault> {
    let Some(wants) = Wants::of(spec) else { return Ok(()) };
    let held = address::held(tx.conn(), of.0).await?;
    let [ipv4, ipv6] = FIELDS;
    if wants.ipv4 && held.ipv4.is_none() {
        give(app, tx, of, (4, ipv4)).await?;
    }
    if wants.ipv6 && held.ipv6.is_none() {
        give(app, tx, of, (6, ipv6)).await?;
    }
    Ok(())
}

async fn give(
    app: &App,
    tx: &mut TenantTx,
    (solution, node): (SolutionId, &str),
    (family, field): (i32, &'static str),
) -> Result<(), Fault> {
    let rest_days = app.config().address_rest_days;
    let book = address::book(tx.conn(), node, family, rest_days).await?;
    let pools = book.pools.unwrap_or_default();
    let (empty, next) = if family == 4 {
        (pools.ipv4.is_empty(), pools.next4(&book.taken, &book.used))
    } else {
        (pools.ipv6.is_empty(), pools.next6(&book.taken, &book.used))
    };
    let Some(net) = next else { return Err(none_left(field, empty).into()) };
    if address::give(tx.conn(), solution, net, rest_days).await? { Ok(()) } else { Err(none_left(field, false).into()) }
}

fn none_left(field: &str, empty: bool) -> Refusal {
    let (da, en) = if empty {
        ("Her er ingen offentlige adresser at få.", "There are no public addresses to be had here.")
    } else {
        (
            "Der er ingen ledig offentlig adresse for tiden. Prøv igen senere, eller skriv til driften.",
            "No public address is free at present. Try again later, or write to those who run the platform.",
        )
    };
    Refusal::field(format!("/spec/{field}"), Text::new(da, en))
}

/// Addresses as the API shows them.
pub(crate) fn shown(public: &Public, names: &[ReverseName]) -> Vec<PublicAddress> {
    let one = |address: IpAddr, net: IpNet| PublicAddress {
        address: address.to_string(),
        net: (net.prefix_len() < net.max_prefix_len()).then(|| net.to_string()),
        names: names
            .iter()
            .filter(|name| name.address.parse::<IpAddr>().is_ok_and(|address| net.contains(&address)))
            .cloned()
            .collect(),
    };
    let main =
        |net: &IpNet| public.main6().filter(|six| net.contains(&IpAddr::from(*six))).map_or(net.addr(), IpAddr::from);
    public.nets().into_iter().map(|net| one(main(&net), net)).collect()
}

/// Says which name leads back from an address of a solution.
pub(crate) async fn rename(app: &App, caller: &Caller, text: &str, form: ReverseNameForm) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let view = store::solution::get(tx.conn(), row.id).await?;
    let address = form.address.trim().parse::<IpAddr>().ok().filter(|address| holds(&view, *address));
    let Some(address) = address else { return Err(no_address(&view).into()) };
    let name = form.name.as_deref().map(str::trim).filter(|name| !name.is_empty()).map(read_name).transpose()?;
    let others = view.names.iter().filter(|one| one.address.parse() != Ok(address)).count();
    if name.is_some() && others >= NAMES_MAX {
        let text = Text::new(format!("Højst {NAMES_MAX} navne."), format!("At most {NAMES_MAX} names."));
        return Err(Refusal::field("/name", text).into());
    }
    address::rename(tx.conn(), (row.id, row.account), address, name.as_deref()).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "address.name",
        account: Some(row.account),
        solution: Some(row.id),
        before: json!({ "address": address, "name": name }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    let data = json!({ "name": row.name, "address": address, "leads": name });
    trail.event(solution::event(row.account, row.id, "address.named", data));
    let view = store::solution::get(tx.conn(), row.id).await?;
    let answer = Answer::ok(crate::state::shown(app, &view, caller.language)).tagged(view.generation);
    trail.finish(app, caller, tx, answer).await
}

fn holds(view: &SolutionView, address: IpAddr) -> bool {
    view.public.nets().iter().any(|net| net.contains(&address))
}

fn no_address(view: &SolutionView) -> Refusal {
    let own: Vec<String> = view.public.nets().into_iter().map(husorden_kinds::allow::short).collect();
    if own.is_empty() {
        return Refusal::new(
            "no-public-address",
            409,
            Text::new("Løsningen har ingen offentlig adresse", "The solution has no public address"),
            Text::new("Navne fører tilbage fra offentlige adresser.", "Names lead back from public addresses."),
        );
    }
    let own = own.join(", ");
    let text = Text::new(format!("Løsningens adresser er: {own}."), format!("The solution's addresses are: {own}."));
    Refusal::field("/address", text)
}

fn read_name(text: &str) -> Result<String, Refusal> {
    let name = text.strip_suffix('.').unwrap_or(text);
    name.parse::<Domain>().map(|name| name.to_string()).map_err(|_| {
        let text = Text::new(
            "Her ventes et navn såsom mail.shop.example, uden https:// foran.",
            "A name such as mail.shop.example is expected here, without https://.",
        );
        Refusal::field("/name", text)
    })
}

/// Every name as PTR records of a zone file (RFC 1035, RFC 3596), for the operator's own name servers.
pub(crate) fn zone(names: &[ReverseName]) -> String {
    let lines = names.iter().filter_map(|one| {
        let owner = reversed(one.address.parse().ok()?);
        Some(format!("{owner}. {TTL_S} IN PTR {}.\n", one.name))
    });
    lines.collect()
}

/// Seconds for which others may keep such a record.
const TTL_S: u32 = 3_600;

/// The name under which an address is looked up.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(six) => {
            let digits = format!("{:032x}", six.to_bits());
            let each: Vec<String> = digits.chars().rev().map(String::from).collect();
            format!("{}.ip6.arpa", each.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(address: &str, name: &str) -> ReverseName {
        ReverseName { address: address.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn names_become_records_that_others_can_look_up() {
        let zone = zone(&[name("192.0.2.7", "mail.shop.example"), name("2001:db8::567:89ab", "six.shop.example")]);
        assert_eq!(
            zone,
            "7.2.0.192.in-addr.arpa. 3600 IN PTR mail.shop.example.\n\
             b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 3600 IN PTR six.shop.example.\n"
        );
    }

    #[test]
    fn a_name_that_is_none_is_refused_at_the_field() {
        assert_eq!(read_name("Mail.Shop.EXAMPLE.").expect("a name"), "mail.shop.example");
        for wrong in ["https://shop.example", "no spaces.example", "192.0.2.7", "-.example"] {
            assert_eq!(read_name(wrong).expect_err(wrong).fields[0].pointer, "/name");
        }
    }

    #[test]
    fn an_address_is_shown_with_the_names_that_lie_in_it() {
        let public =
            Public { ipv4: Some([192, 0, 2, 7].into()), ipv6: Some("2001:db8:0:7::/64".parse().expect("a net")) };
        let names = [name("192.0.2.7", "four.example"), name("2001:db8:0:7::9", "nine.example")];
        let shown = shown(&public, &names);
        assert_eq!((shown[0].address.as_str(), shown[0].net.as_deref(), shown[0].names.len()), ("192.0.2.7", None, 1));
        assert_eq!(
            (shown[1].address.as_str(), shown[1].net.as_deref()),
            ("2001:db8:0:7::1", Some("2001:db8:0:7::/64"))
        );
        assert_eq!(shown[1].names, [names[1].clone()]);
    }
}
