//! One firewall: its rules, the solutions it holds for, and its end.

use super::{at_field, labels_field, may_change, read_labels, rules};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api::{self, Firewall, Solution};
use maud::{Markup, html};
use serde_json::json;

/// Says that the form of the solutions was sent.
const SENT: &str = "_solutions";

/// The firewall that the path names.
pub(super) async fn read(ask: &Ask) -> Result<Firewall, Refusal> {
    ask.api.get(&format!("/v1/firewalls/{}", segment(ask.param("firewall")))).await
}

/// Its address in the panel.
pub(super) fn path(firewall: &Firewall) -> String {
    format!("/firewalls/{}", segment(&firewall.name))
}

/// Every form carries the version that it was made from, so that nobody's change is lost.
pub(super) fn version(firewall: &Firewall) -> Markup {
    html! { input type="hidden" name="_generation" value=(firewall.generation); }
}

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &read(ask).await?, &Wrong::none(ask)).await
}

pub(super) async fn page(ask: &Ask, firewall: &Firewall, wrong: &Wrong) -> Result<Reply, Refusal> {
    let l = ask.l;
    let sent = ask.form.get(SENT).is_some();
    let none = Wrong::none(ask);
    let (of_rule, of_solutions) = if sent { (&none, wrong) } else { (wrong, &none) };
    let actions = html! { @if may_change(ask) { (ui::asks(&format!("{}/delete", path(firewall)), "danger small", Some(Icon::Trash), l.t("Slet", "Delete"))) } };
    let solutions = known(ask).await?;
    let lead = l.t("Hvad der slippes ind på offentlige adresser.", "What is let in at public addresses.");
    Ok(ask.sheet(&firewall.name).show(html! {
        (ui::head(Some(("/firewalls", "Firewalls")), &firewall.name, lead, actions))
        @for finding in &firewall.findings { (ui::note(Tone::Bad, &finding.title, html! { p { (finding.advice) } })) }
        div class="split" {
            div class="stack" {
                section class="card" id="rules" {
                    div class="title" { h2 { (l.t("Regler", "Rules")) } p { (l.t("Alt, som ingen regel nævner, afvises.", "Everything that no rule names is refused.")) } }
                    (rules::table(ask, firewall))
                }
                @if may_change(ask) { (rules::form(ask, firewall, of_rule)) }
            }
            (holds(ask, firewall, &solutions, of_solutions))
        }
    }))
}

/// The account's solutions that can have public addresses.
async fn known(ask: &Ask) -> Result<Vec<Solution>, Refusal> {
    let page: api::Page<Solution> = ask.api.get("/v1/solutions?limit=200").await?;
    let can = |one: &Solution| husorden_kinds::public::Wants::of(&one.spec).is_some() && one.aim != "gone";
    Ok(page.items.into_iter().filter(can).collect())
}

fn holds(ask: &Ask, firewall: &Firewall, solutions: &[Solution], wrong: &Wrong) -> Markup {
    let l = ask.l;
    let sent = ask.form.get(SENT).is_some();
    let labels: Vec<String> = firewall.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let labels = if sent { ask.form.text("/labels").to_owned() } else { labels.join("\n") };
    ui::card(
        l.t("Gælder for", "Holds for"),
        html! {},
        html! {
            @if firewall.holds_for.is_empty() {
                p class="soft" { (l.t("Ingen servere endnu. Nævn dem, eller et mærke, de har.", "No servers yet. Name them, or a label that they have.")) }
            } @else {
                ul class="plain" { @for holder in &firewall.holds_for { li {
                    a href={ "/solutions/" (segment(&holder.name)) } { (holder.name) } " "
                    @if holder.addresses.is_empty() { span class="soft" { (l.t("har ingen offentlig adresse; reglerne åbner intet dér", "has no public address; the rules open nothing there")) } }
                    @else { @for address in &holder.addresses { code { (address) } " " } }
                } } }
            }
            @if may_change(ask) {
                details class="more" open[sent || firewall.holds_for.is_empty()] {
                    summary { (l.t("Vælg servere", "Choose servers")) (Icon::chevron()) }
                    form method="post" action={ (path(firewall)) "/solutions" } class="fields inner" {
                        (wrong.summary(ask))
                        (form::token(ask))
                        (version(firewall))
                        input type="hidden" name=(SENT) value="yes";
                        @if solutions.is_empty() { p class="soft" { (l.t("Kontoen har ingen servere endnu.", "The account has no servers yet.")) } }
                        @for one in solutions {
                            (form::tick(&one.id, &one.name, "", if sent { ask.form.ticked(&one.id) } else { firewall.solutions.contains(&one.id) }))
                        }
                        (labels_field(ask, &labels, wrong))
                        div class="actions" { button class="button primary" { (l.t("Gem", "Save")) } }
                    }
                }
            }
        },
    )
}

pub(super) async fn apply(ask: &Ask) -> Result<Reply, Refusal> {
    let firewall = read(ask).await?;
    let shown = known(ask).await?;
    // Who is named and was not offered here stays named.
    let unseen = firewall.solutions.iter().filter(|id| shown.iter().all(|one| one.id != **id));
    let ticked = shown.iter().map(|one| &one.id).filter(|id| ask.form.ticked(id));
    let solutions: Vec<&String> = unseen.chain(ticked).collect();
    let body = json!({ "solutions": solutions, "labels": read_labels(ask.form.text("/labels")) });
    let at = format!("/v1/firewalls/{}", segment(&firewall.id));
    match ask.api.patch::<Nothing>(&at, &body, Some(ask.form.text("_generation"))).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(path(&firewall)))
            .saying(ask.l.t("Gemt. Det gælder om et øjeblik.", "Saved. It holds in a moment."))),
        Err(refusal) => page(ask, &firewall, &Wrong::of(ask, at_field(refusal))).await,
    }
}

pub(super) async fn delete_page(ask: &Ask) -> Result<Reply, Refusal> {
    let firewall = read(ask).await?;
    let l = ask.l;
    let title = l.t("Slet firewallen?", "Delete the firewall?");
    let back = path(&firewall);
    let confirm = Confirm {
        title,
        lead: &firewall.name,
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Det, den alene slipper ind, afvises fra nu af, og åbne forbindelser lukkes.",
                    "What it alone lets in is refused from now on, and open connections are cut.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t(
                    "Servernes egne lister og andre firewalls er, som de er.",
                    "The servers' own lists and other firewalls are as they are.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Slet", "Delete"),
        danger: true,
        back: &back,
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

pub(super) async fn delete(ask: &Ask) -> Result<Reply, Refusal> {
    let firewall = read(ask).await?;
    ask.api.delete::<Nothing>(&format!("/v1/firewalls/{}", segment(&firewall.id))).await?;
    Ok(Reply::see(OwnPath::of("/firewalls")).saying(ask.l.t("Firewallen er slettet.", "The firewall is deleted.")))
}
