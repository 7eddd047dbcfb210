//! Who may connect to a solution: its allow-list, what was refused and may be let in by one press, and opening it to all.
//! Every form carries the version of the solution that it was made from, so that nobody's change is lost.

use super::for_me;
use super::shapes::{frame, has_list, may_change, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_kinds::allow::{Access, Entry, parse_net, reaches_everyone, short};
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde_json::json;
use std::net::IpAddr;

/// Proposals that are shown at once; the newest are first.
const PROPOSALS_SHOWN_MAX: usize = 12;

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &read(ask).await?, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Result<Reply, Refusal> {
    let access = list_of(ask, one)?;
    let proposals = proposals(ask, one).await?;
    let l = ask.l;
    Ok(frame(
        ask,
        one,
        html! {
            div id="proposals" data-live aria-live="polite" class="stack tight" { (cards(ask, one, &proposals)) }
            section class="card" id="allow" data-live {
                div class="title" {
                    h2 { (l.t("Hvem må forbinde", "Who may connect")) }
                    p { (l.t("Alle andre afvises, før de når frem.", "Everybody else is refused before they get through.")) }
                }
                (table(ask, one, &access))
            }
            @if may_change(ask) {
                (for_me::card(ask, one, &access))
                (add(ask, one, &access, wrong))
                (everyone(ask, one, &access))
            }
        },
    ))
}

/// The list of a solution whose kind has one.
fn list_of(ask: &Ask, one: &api::Solution) -> Result<Access, Refusal> {
    if has_list(ask, one) { Access::of(&one.spec).ok_or_else(no_page) } else { Err(no_page()) }
}

/// Who was refused.
async fn proposals(ask: &Ask, one: &api::Solution) -> Result<Vec<api::Proposal>, Refusal> {
    let page: api::Page<api::Proposal> = ask.api.get(&format!("/v1/solutions/{}/proposals", segment(&one.id))).await?;
    Ok(page.items)
}

fn cards(ask: &Ask, one: &api::Solution, proposals: &[api::Proposal]) -> Markup {
    let l = ask.l;
    let more = proposals.len().saturating_sub(PROPOSALS_SHOWN_MAX);
    html! {
        @for proposal in proposals.iter().take(PROPOSALS_SHOWN_MAX) { (proposal_card(ask, one, proposal)) }
        @if more > 0 {
            p class="soft small" { (l.f(|| format!("{more} andre blev også afvist."), || format!("{more} others were refused too."))) }
        }
    }
}

fn proposal_card(ask: &Ask, one: &api::Solution, proposal: &api::Proposal) -> Markup {
    let l = ask.l;
    let net = &proposal.net;
    let title = l.f(|| format!("Tillad {net}?"), || format!("Allow {net}?"));
    let count = match proposal.attempts {
        1 => l.t("1 forsøg", "1 attempt").to_owned(),
        many => l.f(|| format!("{many} forsøg"), || format!("{many} attempts")),
    };
    let base = format!("{}/proposals/{}", path(one), segment(&proposal.id));
    ui::note(
        if proposal.own { Tone::Good } else { Tone::Plain },
        &title,
        html! {
            p {
                (count) ", " (l.t("sidst ", "last ")) (ask.reader.at(proposal.last)) ", port " (proposal.port) ". "
                @if proposal.own { strong { (l.t("Det er den adresse, du selv kommer fra.", "It is the address you come from yourself.")) } }
            }
            @if may_change(ask) {
                div class="row" {
                    (ui::post(ask, &format!("{base}/accept"), html! {
                        (version(one))
                        span class="row" {
                            button class="button primary small" { (Icon::Check.show()) (l.t("Tillad", "Allow")) }
                            button class="button small" name="until" value="hours" { (Icon::Clock.show()) (l.t("I 2 timer", "For 2 hours")) }
                        }
                    }))
                    (ui::act(ask, &format!("{base}/dismiss"), "quiet small", Some(Icon::Close), l.t("Det er ikke én af os", "It is none of us")))
                }
            }
        },
    )
}

fn version(one: &api::Solution) -> Markup {
    html! { input type="hidden" name="_generation" value=(one.generation); }
}

fn table(ask: &Ask, one: &api::Solution, access: &Access) -> Markup {
    let l = ask.l;
    if access.allow.is_empty() {
        return ui::empty(
            Icon::Shield,
            l.t("Ingen må forbinde endnu", "Nobody may connect yet"),
            l.t(
                "Tilføj den adresse, du forbinder fra. Eller prøv bare at forbinde: den, der bliver afvist, dukker op her, og du lukker den ind med ét tryk.",
                "Add the address you connect from. Or just try to connect: whoever is refused appears here, and you let them in with one press.",
            ),
            html! {},
        );
    }
    let now = Timestamp::now();
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Adresse", "Address")) }
                th scope="col" { (l.t("Note", "Note")) }
                th scope="col" { (l.t("Ophører", "Ends")) }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody {
                @for entry in &access.allow {
                    tr {
                        td {
                            code class="main" { (short(entry.net)) }
                            @if reaches_everyone([entry.net]) { " " (ui::badge(Tone::Bad, l.t("alle", "everyone"))) }
                            @else if is_own(ask, entry) { " " (ui::tag(l.t("din adresse", "your address"))) }
                        }
                        td data-label=(l.t("Note", "Note")) {
                            @if entry.note.is_empty() { span class="faint" { "–" } } @else { (entry.note) }
                        }
                        td data-label=(l.t("Ophører", "Ends")) {
                            @match entry.until {
                                None => span class="soft" { (l.t("Aldrig", "Never")) },
                                Some(until) if entry.lasts(now) => span { (ask.reader.at(until)) " " span class="sub" { (ask.reader.ago(until)) } },
                                Some(until) => span { (ui::badge(Tone::Plain, l.t("Ophørt", "Ended"))) " " span class="sub" { (ask.reader.at(until)) } },
                            }
                        }
                        td class="end whole" {
                            @if may_change(ask) {
                                (ui::post(ask, &format!("{}/access/remove", path(one)), html! {
                                    (version(one))
                                    input type="hidden" name="net" value=(entry.net);
                                    button class="button quiet small" aria-label=(l.f(|| format!("Fjern {}", short(entry.net)), || format!("Remove {}", short(entry.net)))) {
                                        (Icon::Trash.show()) (l.t("Fjern", "Remove"))
                                    }
                                }))
                            }
                        }
                    }
                }
            }
        } }
    }
}

fn is_own(ask: &Ask, entry: &Entry) -> bool {
    ask.api.visitor().is_some_and(|own| entry.net.contains(&own))
}

/// The visitor's address as an entry of a list: in IPv6 the /64, for the rest of it changes by itself. None where it is on the
/// list already, or is no address to let in.
fn own_net(ask: &Ask, access: &Access) -> Option<String> {
    let own = ask.api.visitor()?;
    let text = match own {
        IpAddr::V4(_) => own.to_string(),
        IpAddr::V6(_) => ipnet::IpNet::new(own, 64).ok()?.trunc().to_string(),
    };
    parse_net(&text).ok().filter(|_| !access.admits(own, Timestamp::now())).map(|_| text)
}

fn add(ask: &Ask, one: &api::Solution, access: &Access, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let own = own_net(ask, access);
    let typed = ask.form.get("/net").map(str::to_owned);
    let net = typed.or_else(|| own.clone()).unwrap_or_default();
    let help = match &own {
        Some(own) => l.f(
            || format!("En adresse eller et område, såsom 192.0.2.0/24. Din egen er {own}."),
            || format!("An address or a range, such as 192.0.2.0/24. Your own is {own}."),
        ),
        None => l
            .t("En adresse eller et område, såsom 192.0.2.0/24.", "An address or a range, such as 192.0.2.0/24.")
            .to_owned(),
    };
    let ends = [
        ("never", l.t("Bliver stående", "It stays")),
        ("hours", l.t("Om 2 timer", "In 2 hours")),
        ("today", l.t("Når dagen er omme", "When the day is over")),
        ("week", l.t("Om en uge", "In a week")),
    ];
    ui::card(
        l.t("Tilføj en adresse", "Add an address"),
        html! {},
        html! {
            (wrong.summary(ask))
            form method="post" action={ (path(one)) "/access" } class="fields" {
                (form::token(ask))
                (version(one))
                (Field { name: "/net", label: l.t("Adresse", "Address"), help: &help, value: &net, autocomplete: "off", required: true, max: Some(49), ..Field::default() }.show(ask, wrong))
                (Field { name: "/note", label: l.t("Hvem er det?", "Who is it?"), value: ask.form.text("/note"), optional: true, autocomplete: "off", max: Some(200), ..Field::default() }.show(ask, wrong))
                (form::select(ask, wrong, ("/until", l.t("Hvornår ophører det?", "When does it end?"), l.t("Det ophører af sig selv til tiden, og åbne forbindelser lukkes.", "It ends by itself on time, and open connections are cut.")), &ends, ask.form.text("/until")))
                div class="actions" { button class="button primary" { (Icon::Add.show()) (l.t("Tilføj", "Add")) } }
            }
        },
    )
}

/// Opening to all, with what it means; or closing again.
fn everyone(ask: &Ask, one: &api::Solution, access: &Access) -> Markup {
    let l = ask.l;
    let base = path(one);
    if access.open_to_all {
        return ui::note(
            Tone::Bad,
            l.t("Hele internettet må forbinde", "The whole internet may connect"),
            html! {
                p { (l.t("Det har nogen på kontoen bekræftet. Luk igen, når det ikke længere er nødvendigt.", "Somebody of the account has acknowledged it. Close it again when it is no longer needed.")) }
                div class="row" { (ui::post(ask, &format!("{base}/access/close"), html! {
                    (version(one))
                    button class="button primary small" { (Icon::Shield.show()) (l.t("Luk for alle andre end listen", "Close to all but the list")) }
                })) }
            },
        );
    }
    html! {
        details class="more" {
            summary {
                (Icon::Globe.show())
                span { (l.t("Åbn for alle", "Open to all")) " " span class="sub" { (l.t("Sjældent nødvendigt", "Rarely needed")) } }
                (Icon::chevron())
            }
            div class="inner" {
                (ui::note(Tone::Warn, l.t("Det frarådes", "It is advised against"), html! { p { (l.t(
                    "Alle på internettet kan så forsøge at logge ind, og nogen vil gøre det inden for timer. Kun adgangskoderne står tilbage. Det noteres, hvem der bekræftede det, og det vises som et fund, så længe det varer.",
                    "Anyone on the internet can then try to log in, and some will within hours. Only the passwords are left. It is noted who acknowledged it, and it is shown as a finding for as long as it lasts.",
                )) } }))
                form method="post" action={ (base) "/access/open" } class="fields" {
                    (form::token(ask))
                    (version(one))
                    (form::tick("ack", l.t("Jeg ved det, og det er meningen", "I know, and it is meant"), "", false))
                    div class="actions" { button class="button danger" { (Icon::Globe.show()) (l.t("Åbn for alle", "Open to all")) } }
                }
            }
        }
    }
}

/// When a choice of the form ends. None: it stays.
fn end(ask: &Ask, choice: &str) -> Option<Timestamp> {
    let now = Timestamp::now();
    match choice {
        "hours" => Some(now + SignedDuration::from_hours(2)),
        "today" => {
            let tomorrow = now.to_zoned(ask.reader.zone.clone()).tomorrow().ok()?;
            Some(tomorrow.start_of_day().ok()?.timestamp())
        }
        "week" => Some(now + SignedDuration::from_hours(7 * 24)),
        _ => None,
    }
}

/// Puts a list in the place of the one there is.
async fn put(ask: &Ask, one: &api::Solution, allow: &[Entry], open_to_all: bool) -> Result<(), Refusal> {
    let body = json!({ "spec": { "allow": allow, "open_to_all": open_to_all } });
    let at = format!("/v1/solutions/{}", segment(&one.id));
    let tag = ask.form.text("_generation");
    ask.api.patch::<Nothing>(&at, &body, Some(tag)).await.map(drop)
}

fn back(ask: &Ask, sentence: &str) -> Reply {
    Reply::see(OwnPath::of(format!("/solutions/{}/access", segment(ask.param("solution"))))).saying(sentence)
}

pub(super) async fn allow(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let access = list_of(ask, &one)?;
    let entry = json!({ "net": ask.form.text("/net"), "note": ask.form.text("/note"), "until": end(ask, ask.form.text("/until")) });
    // What is typed is sent as it is: the API reads it, and says what is wrong with it.
    let mut allow: Vec<serde_json::Value> = access.allow.iter().map(|entry| json!(entry)).collect();
    let at = format!("/spec/allow/{}/", allow.len());
    allow.push(entry);
    let body = json!({ "spec": { "allow": allow } });
    let to = format!("/v1/solutions/{}", segment(&one.id));
    match ask.api.patch::<Nothing>(&to, &body, Some(ask.form.text("_generation"))).await {
        Ok(_) => Ok(back(ask, ask.l.t("Tilføjet. Adressen lukkes ind nu.", "Added. The address is being let in."))),
        Err(mut refusal) => {
            for field in &mut refusal.fields {
                if let Some(own) = field.pointer.strip_prefix(&at) {
                    field.pointer = format!("/{own}");
                }
            }
            page(ask, &one, &Wrong::of(ask, refusal)).await
        }
    }
}

pub(super) async fn remove(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let mut access = list_of(ask, &one)?;
    access.allow.retain(|entry| entry.net.to_string() != ask.form.text("net"));
    match put(ask, &one, &access.allow, access.open_to_all).await {
        Ok(()) => Ok(back(
            ask,
            ask.l.t("Fjernet. Forbindelser derfra lukkes nu.", "Removed. Connections from there are being cut."),
        )),
        Err(refusal) => page(ask, &one, &Wrong::of(ask, refusal)).await,
    }
}

pub(super) async fn open(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let mut access = list_of(ask, &one)?;
    for net in ["0.0.0.0/0", "::/0"] {
        if let Ok(net) = parse_net(net)
            && access.allow.iter().all(|entry| entry.net != net)
        {
            access.allow.push(Entry { net, note: String::new(), until: None });
        }
    }
    match put(ask, &one, &access.allow, ask.form.ticked("ack")).await {
        Ok(()) => Ok(back(ask, ask.l.t("Åbnet for alle.", "Opened to all."))),
        Err(refusal) => page(ask, &one, &Wrong::of(ask, refusal)).await,
    }
}

pub(super) async fn close(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let mut access = list_of(ask, &one)?;
    access.allow.retain(|entry| !reaches_everyone([entry.net]));
    match put(ask, &one, &access.allow, false).await {
        Ok(()) => Ok(back(ask, ask.l.t("Kun listen må forbinde nu.", "Only the list may connect now."))),
        Err(refusal) => page(ask, &one, &Wrong::of(ask, refusal)).await,
    }
}

pub(super) async fn accept(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let at = format!("/v1/solutions/{}/proposals/{}/accept", segment(&one.id), segment(ask.param("proposal")));
    let body = api::ProposalAccept { note: String::new(), until: end(ask, ask.form.text("until")) };
    match ask.api.post_if::<Nothing>(&at, &body, ask.form.text("_generation")).await {
        Ok(_) => Ok(back(ask, ask.l.t("Tilladt. Adressen lukkes ind nu.", "Allowed. The address is being let in."))),
        Err(refusal) => page(ask, &one, &Wrong::of(ask, refusal)).await,
    }
}

pub(super) async fn dismiss(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let at = format!("/v1/solutions/{}/proposals/{}", segment(&one.id), segment(ask.param("proposal")));
    ask.api.delete::<Nothing>(&at).await?;
    Ok(back(ask, ask.l.t("Den foreslås ikke igen.", "It is not proposed again.")))
}

/// On the first page of a solution: how many stand on the list, and who was refused lately.
pub(super) async fn summary(ask: &Ask, one: &api::Solution) -> Result<Markup, Refusal> {
    let Ok(access) = list_of(ask, one) else { return Ok(html! {}) };
    let proposals = proposals(ask, one).await?;
    let l = ask.l;
    let now = Timestamp::now();
    let count = access.allow.iter().filter(|entry| entry.lasts(now)).count();
    let said = match count {
        0 => l.t("Ingen må forbinde endnu.", "Nobody may connect yet.").to_owned(),
        1 => l.t("Én adresse må forbinde.", "One address may connect.").to_owned(),
        many => l.f(|| format!("{many} adresser må forbinde."), || format!("{many} addresses may connect.")),
    };
    let to = format!("{}/access", path(one));
    Ok(html! {
        section class="card" id="access" data-live {
            div class="title" { h2 { (l.t("Hvem må forbinde", "Who may connect")) } a class="small" href=(to) { (l.t("Ret listen", "Change the list")) } }
            div class="body stack tight" {
                p { (said) }
                @for proposal in proposals.iter().take(2) { (proposal_card(ask, one, proposal)) }
            }
        }
    })
}

/// What is lawful and yet unwise, for as long as it stands.
pub(super) fn findings(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    html! {
        @for finding in &one.findings {
            (ui::note(if finding.severity == "notice" { Tone::Plain } else if finding.severity == "warning" { Tone::Warn } else { Tone::Bad }, &finding.title, html! {
                p { (finding.advice) }
                @if finding.name.starts_with("disk-") {
                    p class="row" {
                        a href={ (path(one)) "/settings" } { (l.t("Gør den større", "Make it larger")) }
                        a href={ (path(one)) "/snapshots" } { (l.t("Se øjebliksbilleder", "See the snapshots")) }
                    }
                } @else if finding.name.contains("backup") {
                    p { a href={ (path(one)) "/backups" } { (l.t("Se backupperne", "See the backups")) } }
                } @else if finding.name == "management-open" {
                    p { a href="/firewalls" { (l.t("Se firewalls", "See the firewalls")) } }
                } @else if finding.name == "open-to-all" && has_list(ask, one) { p { a href={ (path(one)) "/access" } { (l.t("Se, hvem der må forbinde", "See who may connect")) } } }
            }))
        }
    }
}
