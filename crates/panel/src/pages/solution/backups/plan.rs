//! How a solution's backups stand in one glance, and when they are made.

use super::super::shapes::{may_change, read};
use super::{at, home, page, proof, words};
use crate::api::Nothing;
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

/// The newest backup, the newest proof, how long a recovery takes, and the next one.
pub(super) fn glance(ask: &Ask, one: &api::Solution, plan: &api::BackupPlan) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let none = |text: &str| html! { dd class="soft" { (text) } };
    let now = plan.under_way.is_none() && plan.target.is_some() && may_change(ask) && one.aim != "gone";
    html! {
        section class="card" id="backup-glance" data-live {
            div class="title" {
                h2 { (l.t("Lige nu", "Right now")) }
                div class="row" {
                    a class="button small quiet" href={ (home(one)) "/proofs" } { (l.t("Se alle prøver", "See all proofs")) }
                    @if now { (ui::act(ask, &home(one), "primary small", Some(Icon::Shield), l.t("Tag backup nu", "Back up now"))) }
                }
            }
            dl class="glance" {
                div {
                    dt { (l.t("Nyeste backup", "Newest backup")) }
                    @if let Some(newest) = &plan.newest {
                        dd { (reader.ago(newest.taken)) }
                        dd class="sub" { (reader.size(newest.bytes)) ", " (l.t("heraf sendt ", "of which sent ")) (reader.size(newest.bytes_sent)) }
                    } @else { (none(l.t("Ingen endnu", "None yet"))) }
                }
                div {
                    dt { (l.t("Seneste prøve", "Newest proof")) }
                    @if let Some(newest) = &plan.proof {
                        @let (tone, word) = words::outcome(ask, &newest.state);
                        dd { a href=(proof::place(one, &newest.id)) { (ui::badge(tone, word)) } }
                        dd class="sub" {
                            @if let Some(level) = newest.level { (words::level_name(ask, level)) " (" (words::level_sign(level)) "), " }
                            (reader.ago(newest.ended.unwrap_or(newest.made)))
                        }
                    } @else {
                        (none(l.t("Ingen endnu", "None yet")))
                        dd class="sub" { (l.t("Hver ny backup prøves inden for et døgn.", "Each new backup is proven within a day.")) }
                    }
                }
                div {
                    dt { (l.t("At få den tilbage tager", "To get it back takes")) }
                    @if let Some(took) = plan.proof.as_ref().filter(|proof| proof.state == "passed").and_then(|proof| proof.took_ms) {
                        dd { (reader.took(took)) }
                        dd class="sub" { (l.t("målt ved prøven, ikke skønnet", "measured by the proof, not estimated")) }
                    } @else {
                        (none(l.t("Ikke målt", "Not measured")))
                        dd class="sub" { (l.t("måles, når en prøve består", "measured when a proof passes")) }
                    }
                }
                div {
                    dt { (l.t("Næste", "Next")) }
                    @if !plan.on { (none(l.t("Slået fra", "Turned off"))) }
                    @else if plan.under_way.is_some() { dd { (ui::badge(Tone::Busy, l.t("Tages nu", "Being made"))) } }
                    @else if let Some(next) = plan.next { dd { (reader.ago(next)) } dd class="sub" { (reader.at(next)) } }
                    @else { (none(l.t("Ikke fastlagt", "Not set"))) }
                }
            }
            div class="tail" { (where_to(ask, plan)) }
        }
    }
}

/// Where the backups go, in a sentence.
fn where_to(ask: &Ask, plan: &api::BackupPlan) -> Markup {
    let l = ask.l;
    html! {
        @match &plan.target {
            Some(target) if plan.with_machine => {
                (l.t("De ligger på ", "They lie at ")) strong { (target) }
                (l.t(", som er den samme maskine: det hjælper ved fejl, men ikke hvis maskinen går tabt.",
                     ", which is the same machine: that helps against mistakes, but not if the machine is lost."))
            },
            Some(target) => {
                (l.t("De ligger på ", "They lie at ")) strong { (target) }
                (l.t(", uden for maskinen. Ingen kan slette dem herfra, heller ikke du eller vi.", ", away from the machine. Nobody can delete them from here, neither you nor we."))
            },
            None => { (l.t("Her er endnu intet sted at lægge backupper. Driften skal lave et; så begynder de af sig selv.", "There is no place to put backups yet. Operations has to make one; then they begin by themselves.")) },
        }
    }
}

/// When they are made, and the form that changes it.
pub(super) fn card(ask: &Ask, one: &api::Solution, plan: &api::BackupPlan, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let badge = if plan.on {
        ui::badge(Tone::Good, l.t("Slået til", "On"))
    } else {
        ui::badge(Tone::Warn, l.t("Slået fra", "Off"))
    };
    html! {
        (wrong.summary(ask))
        section class="card" id="backup-plan" {
            div class="title" { h2 { (l.t("Plan", "Plan")) } (badge) }
            div class="body" {
                @if plan.on { p { (in_words(ask, plan)) } }
                @else { p {
                    (l.t("Der tages ingen daglig backup af løsningen.", "The solution is not backed up daily."))
                    @if let Some(reason) = plan.reason.as_ref().filter(|reason| !reason.is_empty()) { " " (l.t("Begrundelse: ", "Reason: ")) "“" (reason) "”" }
                } }
                @if may_change(ask) && one.aim != "gone" { (change(ask, one, plan, wrong)) }
            }
        }
    }
}

fn in_words(ask: &Ask, plan: &api::BackupPlan) -> String {
    let clock = |hour: u8| ask.l.f(|| format!("{hour:02}.00"), || format!("{hour:02}:00"));
    let (from, to, zone) = (clock(plan.hour), clock((plan.hour % 24 + plan.hours) % 24), &plan.zone);
    ask.l.f(
        || format!("Hver dag mellem kl. {from} og {to} ({zone}). Var maskinen slukket da, tages den, så snart den er tændt."),
        || format!("Each day between {from} and {to} ({zone}). If the machine was off then, it is made as soon as it is on."),
    )
}

fn change(ask: &Ask, one: &api::Solution, plan: &api::BackupPlan, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let sent = ask.form.get("_plan").is_some();
    let typed = |name: &str, held: String| if sent { ask.form.text(name).to_owned() } else { held };
    let hour = typed("/hour", plan.hour.to_string());
    let hours = typed("/hours", plan.hours.to_string());
    let zone = typed("/zone", plan.zone.clone());
    let reason = typed("/reason", plan.reason.clone().unwrap_or_default());
    let on = if sent { ask.form.ticked("/on") } else { plan.on };
    let clocks: Vec<(String, String)> =
        (0..24).map(|hour| (hour.to_string(), l.f(|| format!("{hour:02}.00"), || format!("{hour:02}:00")))).collect();
    let clocks: Vec<(&str, &str)> = clocks.iter().map(|(value, text)| (value.as_str(), text.as_str())).collect();
    let spans: Vec<(String, String)> = (1..=24)
        .map(|hours| {
            (
                hours.to_string(),
                if hours == 1 {
                    l.t("1 time", "1 hour").to_owned()
                } else {
                    l.f(|| format!("{hours} timer"), || format!("{hours} hours"))
                },
            )
        })
        .collect();
    let spans: Vec<(&str, &str)> = spans.iter().map(|(value, text)| (value.as_str(), text.as_str())).collect();
    html! {
        details class="more" open[sent] {
            summary { (l.t("Skift planen", "Change the plan")) (Icon::chevron()) }
            form class="inner" method="post" action={ (home(one)) "/plan" } {
                (form::token(ask))
                input type="hidden" name="_plan" value="yes";
                @if plan.required {
                    p class="soft small" { (l.t("En løsning af denne slags har altid en plan; den kan ikke slås fra.", "A solution of this kind always has a plan; it cannot be turned off.")) }
                } @else {
                    div class="unless" {
                        (form::tick("/on", l.t("Tag backup hver dag", "Back up each day"), l.t("Uden en plan står det som en anmærkning på løsningen.", "Without a plan it stands as a finding on the solution."), on))
                        div class="inner" {
                            (Field { name: "/reason", label: l.t("Hvorfor er den slået fra?", "Why is it off?"), help: l.t("Skal siges, når planen slås fra, så andre ved det.", "To be said when the plan is turned off, so that others know."), value: &reason, autocomplete: "off", max: Some(500), ..Field::default() }.show(ask, wrong))
                        }
                    }
                }
                div class="pair" {
                    (form::select(ask, wrong, ("/hour", l.t("Tidligst", "Not before"), l.t("Når der er roligt hos jer.", "When it is quiet with you.")), &clocks, &hour))
                    (form::select(ask, wrong, ("/hours", l.t("Vinduet varer", "The window lasts"), l.t("Hvor i det, fordeler vi selv.", "Where in it, we choose.")), &spans, &hours))
                }
                (Field { name: "/zone", label: l.t("Tidszone", "Time zone"), help: l.t("Som Europe/Copenhagen. Sommertid regnes med.", "Such as Europe/Copenhagen. Summer time is taken into account."), value: &zone, autocomplete: "off", required: true, max: Some(64), ..Field::default() }.show(ask, wrong))
                (form::actions(l.t("Gem planen", "Save the plan"), None))
            }
        }
    }
}

/// Saves it. What is no number goes as it was typed, and is refused at its field.
pub(super) async fn save(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let number = |name: &str| {
        let text = ask.form.text(name);
        text.parse::<u8>().map_or_else(|_| Value::from(text), Value::from)
    };
    let plan: api::BackupPlan = ask.api.get(&format!("{}/backup-plan", at(&one))).await?;
    let mut wanted = Map::from_iter([
        ("hour".to_owned(), number("/hour")),
        ("hours".to_owned(), number("/hours")),
        ("zone".to_owned(), json!(ask.form.text("/zone"))),
    ]);
    if !plan.required {
        let on = ask.form.ticked("/on");
        wanted.insert("on".to_owned(), json!(on));
        if !on {
            wanted.insert("reason".to_owned(), json!(ask.form.text("/reason")));
        }
    }
    match ask.api.put::<Nothing>(&format!("{}/backup-plan", at(&one)), &Value::Object(wanted)).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(home(&one))).saying(ask.l.t("Planen er gemt.", "The plan is saved."))),
        Err(refusal) => page(ask, &Wrong::of(ask, refusal)).await,
    }
}
