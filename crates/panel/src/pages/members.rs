//! Members of the account: who they are, what each may, and invitations.

use super::left;
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::routes::Reach::Session;
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::{Capability, Role};
use maud::{Markup, html};

/// The lines of the table.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/members", Session, list),
        post("/members", Session, invite),
        get("/members/{person}", Session, member_page),
        post("/members/{person}", Session, change),
        get("/members/{person}/remove", Session, remove_page),
        post("/members/{person}/remove", Session, remove),
        post("/members/invitations/{invitation}/withdraw", Session, withdraw),
        get("/members/left/{person}/erase", Session, left::erase_page),
        post("/members/left/{person}/erase", Session, left::erase),
    ]
}

/// What a role is called.
pub(crate) fn role_name(ask: &Ask, role: Role) -> &'static str {
    let l = ask.l;
    match role {
        Role::Owner => l.t("Ejer", "Owner"),
        Role::Admin => l.t("Administrator", "Administrator"),
        Role::Technical => l.t("Teknisk", "Technical"),
        Role::Billing => l.t("Økonomi", "Billing"),
        Role::ReadOnly => l.t("Må kun se", "May only look"),
    }
}

/// What a role may, in one sentence.
fn role_says(ask: &Ask, role: Role) -> &'static str {
    let l = ask.l;
    match role {
        Role::Owner => {
            l.t("Alt, også selve kontoen og dens indehaver.", "Everything, the account itself and its holder too.")
        }
        Role::Admin => l.t("Alt, undtagen selve kontoen.", "Everything but the account itself."),
        Role::Technical => l.t("Løsninger og API-tokens.", "Solutions and API tokens."),
        Role::Billing => l.t("Abonnementer og regninger; ellers kun se.", "Plans and bills; else only look."),
        Role::ReadOnly => l.t("Se alt, ændre intet.", "See everything, change nothing."),
    }
}

async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let members: api::Page<api::Member> = ask.api.get("/v1/members?limit=200").await?;
    let may = ask.may(Capability::MemberManage);
    let invitations: api::Page<api::Invitation> =
        if may { ask.api.get("/v1/invitations?limit=200").await? } else { api::Page { items: Vec::new(), next: None } };
    let gone = if ask.may(Capability::AccountManage) { left::those(ask).await? } else { Vec::new() };
    let l = ask.l;
    let title = l.t("Medlemmer", "Members");
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, l.t("De mennesker, der kan logge ind på kontoen, og hvad hver af dem må.", "The people who can log in to the account, and what each of them may."), html! {}))
        div class=(if may { "split" } else { "stack" }) {
            div class="stack" {
                section class="card" { div class="title" { h2 { (title) } } (table_of(ask, &members.items, may)) }
                @if !invitations.items.is_empty() { (waiting(ask, &invitations.items)) }
                @if !gone.is_empty() { (left::card(ask, &gone)) }
            }
            @if may { (invite_card(ask, wrong)) }
        }
    }))
}

fn table_of(ask: &Ask, members: &[api::Member], may: bool) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr { th scope="col" { (l.t("Navn", "Name")) } th scope="col" { (l.t("Rolle", "Role")) } th scope="col" { (l.t("Totrin", "Second factor")) } th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } } } }
            tbody { @for member in members { tr {
                td { span class="main" { (member.name) } span class="sub" { (member.email) } }
                td data-label=(l.t("Rolle", "Role")) { (role_name(ask, member.role)) }
                td data-label=(l.t("Totrin", "Second factor")) { @if member.second_factor { (ui::badge(Tone::Good, l.t("Til", "On"))) } @else { (ui::badge(Tone::Warn, l.t("Fra", "Off"))) } }
                td class="end whole" { @if may { (ui::button(&format!("/members/{}", segment(&member.person)), "small", None, l.t("Rediger", "Edit"))) } }
            } } }
        } }
    }
}

fn waiting(ask: &Ask, invitations: &[api::Invitation]) -> Markup {
    let l = ask.l;
    html! {
        section class="card" {
            div class="title" { h2 { (l.t("Invitationer, der venter", "Invitations that wait")) } }
            div class="table" { table class="stacks" {
                thead { tr { th scope="col" { "E-mail" } th scope="col" { (l.t("Rolle", "Role")) } th scope="col" { (l.t("Gælder til", "Holds until")) } th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } } } }
                tbody { @for invitation in invitations { tr {
                    td { (invitation.email) }
                    td data-label=(l.t("Rolle", "Role")) { (invitation.role.map_or("", |role| role_name(ask, role))) }
                    td data-label=(l.t("Gælder til", "Holds until")) { (ask.reader.at(invitation.expires)) }
                    td class="end whole" { (ui::act(ask, &format!("/members/invitations/{}/withdraw", segment(&invitation.id)), "small", None, l.t("Træk tilbage", "Withdraw"))) }
                } } }
            } }
        }
    }
}

fn roles(ask: &Ask, chosen: &str) -> Markup {
    html! {
        fieldset class="radios" {
            legend { (ask.l.t("Rolle", "Role")) }
            @for role in Role::ALL {
                label class="radio" {
                    input type="radio" name="/role" value=(role.word()) checked[role.word() == chosen] required;
                    span class="name" { (role_name(ask, role)) }
                    span class="help" { (role_says(ask, role)) }
                }
            }
        }
    }
}

fn invite_card(ask: &Ask, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let chosen = ask.form.get("/role").unwrap_or(Role::Technical.word());
    ui::card(
        l.t("Invitér", "Invite"),
        html! {},
        html! {
            (wrong.summary(ask))
            form method="post" action="/members" class="fields" {
                (form::token(ask))
                (Field { name: "/email", label: "E-mail", kind: "email", value: ask.form.text("/email"), autocomplete: "off", required: true, max: Some(254), ..Field::default() }.show(ask, wrong))
                (roles(ask, chosen))
                button class="button primary" { (l.t("Send invitation", "Send invitation")) }
            }
        },
    )
}

fn role_sent(ask: &Ask) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.word() == ask.form.text("/role"))
}

async fn invite(ask: &Ask) -> Result<Reply, Refusal> {
    let role = role_sent(ask).unwrap_or(Role::ReadOnly);
    let body = api::InvitationCreate { email: ask.form.text("/email").to_owned(), role, language: Some(ask.l) };
    match ask.api.post::<api::Invitation>("/v1/invitations", &body).await {
        Ok(_) => Ok(back(ask.l.t("Invitationen er sendt.", "The invitation is sent."))),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => page(ask, &Wrong::of(ask, refusal)).await,
    }
}

fn back(sentence: &str) -> Reply {
    Reply::see(OwnPath::of("/members")).saying(sentence)
}

async fn named(ask: &Ask) -> Result<api::Member, Refusal> {
    let members: api::Page<api::Member> = ask.api.get("/v1/members?limit=200").await?;
    members.items.into_iter().find(|member| member.person == ask.param("person")).ok_or_else(no_page)
}

async fn member_page(ask: &Ask) -> Result<Reply, Refusal> {
    edit(ask, &Wrong::none(ask)).await
}

async fn edit(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let member = named(ask).await?;
    let l = ask.l;
    let path = format!("/members/{}", segment(&member.person));
    Ok(ask.sheet(&member.name).narrow().show(html! {
        (ui::head(Some(("/members", l.t("Medlemmer", "Members"))), &member.name, &member.email, html! {}))
        (wrong.summary(ask))
        section class="card" { div class="body" {
            form method="post" action=(path) class="fields" {
                (form::token(ask))
                (roles(ask, ask.form.get("/role").unwrap_or(member.role.word())))
                (form::actions(l.t("Gem rollen", "Save the role"), Some(("/members", l.t("Fortryd", "Cancel")))))
            }
        } }
        section class="card danger" { div class="body" { div class="row apart" {
            div { h3 { (l.t("Fjern fra kontoen", "Remove from the account")) } p class="soft small" { (l.t("Medlemmet logges ud med det samme.", "The member is logged out at once.")) } }
            (ui::asks(&format!("{path}/remove"), "danger", None, l.t("Fjern", "Remove")))
        } } }
    }))
}

async fn change(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::MemberChange { role: role_sent(ask).ok_or_else(no_page)? };
    let at = format!("/v1/members/{}", segment(ask.param("person")));
    match ask.api.patch::<api::Member>(&at, &body, None).await {
        Ok(_) => Ok(back(ask.l.t("Rollen er ændret.", "The role is changed."))),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => edit(ask, &Wrong::of(ask, refusal)).await,
    }
}

async fn remove_page(ask: &Ask) -> Result<Reply, Refusal> {
    let member = named(ask).await?;
    let l = ask.l;
    let title = l.f(|| format!("Fjern {}?", member.name), || format!("Remove {}?", member.name));
    let confirm = Confirm {
        title: &title,
        lead: &member.email,
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Medlemmet logges ud og kan ikke komme ind på kontoen.",
                    "The member is logged out and cannot get into the account.",
                )
                .to_owned(),
            ),
            (
                Tone::Good,
                l.t(
                    "Det, medlemmet har lavet, bliver. Du kan invitere igen.",
                    "What the member made stays. You can invite again.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Fjern", "Remove"),
        danger: true,
        back: "/members",
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

async fn remove(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.delete(&format!("/v1/members/{}", segment(ask.param("person")))).await?;
    Ok(back(ask.l.t("Medlemmet er fjernet.", "The member is removed.")))
}

async fn withdraw(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.delete(&format!("/v1/invitations/{}", segment(ask.param("invitation")))).await?;
    Ok(back(ask.l.t("Invitationen er trukket tilbage.", "The invitation is withdrawn.")))
}
