//! Which events come to the visitor as mail, in the account that is stood in.

use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let choices: api::Page<api::MailChoice> = ask.api.get("/v1/notifications").await?;
    let l = ask.l;
    let title = "Mails";
    let account = ask.who.as_ref().and_then(|who| who.account.as_ref()).map_or("", |account| account.name.as_str());
    let lead = l.f(
        || format!("Vælg, hvad der kommer som mail om {account}. Alt sammen står også her i panelet."),
        || format!("Choose what comes as mail about {account}. All of it stands here in the panel too."),
    );
    Ok(ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, &lead, html! {}))
        (wrong.summary(ask))
        section class="card" { div class="body" {
            form method="post" action="/notifications" class="fields" {
                (form::token(ask))
                @for choice in &choices.items { (one(ask, choice)) }
                (form::actions(l.t("Gem", "Save"), None))
            }
        } }
        (ui::note(Tone::Plain, "", html! {
            p { (l.t(
                "Mails om dit eget log-in kommer altid: nye enheder, ændret adgangskode, totrinsbekræftelse.",
                "Mails about your own log-in always come: new devices, a changed password, the second factor.",
            )) }
        }))
    }))
}

fn one(ask: &Ask, choice: &api::MailChoice) -> Markup {
    let (title, about) = (choice.topic.title(), choice.topic.about());
    let (title, about) = (title.get(ask.l), about.get(ask.l));
    if choice.fixed {
        let always = ask.l.t("Kommer altid til en ejer.", "Always comes to an owner.");
        return html! { div { h3 { (title) " " (ui::badge(Tone::Good, ask.l.t("Altid", "Always"))) } p class="soft small" { (about) " " (always) } } };
    }
    form::tick(&format!("/mail/{}", choice.topic), title, about, choice.mail)
}

pub(crate) async fn choose(ask: &Ask) -> Result<Reply, Refusal> {
    let choices: api::Page<api::MailChoice> = ask.api.get("/v1/notifications").await?;
    let sent = |choice: &api::MailChoice| (choice.topic, ask.form.ticked(&format!("/mail/{}", choice.topic)));
    let body = api::MailChange { mail: choices.items.iter().filter(|choice| !choice.fixed).map(sent).collect() };
    match ask.api.patch::<api::Page<api::MailChoice>>("/v1/notifications", &body, None).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/notifications")).saying(ask.l.t("Gemt.", "Saved."))),
        Err(refusal) => page(ask, &Wrong::of(ask, refusal)).await,
    }
}
