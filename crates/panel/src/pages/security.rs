//! The person and how it lets itself in: profile, password, second factor, sessions.

use super::mail_links::password_help;
use super::session::{onwards, then};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::cookie::{self, Stay};
use crate::own_path::OwnPath;
use crate::routes::Reach::{Begun, Session};
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::{Language, Refusal, Secret};
use husorden_wire::api;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Time zones that are offered; another one that a person has is offered too.
const ZONES: [&str; 8] = [
    "Europe/Copenhagen",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Helsinki",
    "Atlantic/Faroe",
    "America/Nuuk",
    "America/New_York",
    "UTC",
];

/// The lines of both tables.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/security", Session, show),
        post("/security/profile", Session, profile),
        post("/security/password", Session, password),
        get("/security/totp", Begun, totp_page),
        post("/security/totp", Begun, totp_begin),
        post("/security/totp/confirm", Begun, totp_confirm),
        get("/security/totp/remove", Session, totp_remove_page),
        post("/security/totp/remove", Session, totp_remove),
        post("/security/recovery-codes", Session, recovery_codes),
        post("/security/sessions/{session}/end", Session, end),
        get("/security/log-out-everywhere", Session, end_all_page),
        post("/security/log-out-everywhere", Session, end_all),
    ]
}

fn back(sentence: &str) -> Reply {
    Reply::see(OwnPath::of("/security")).saying(sentence)
}

async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask), &Wrong::none(ask)).await
}

async fn page(ask: &Ask, wrong_profile: &Wrong, wrong_password: &Wrong) -> Result<Reply, Refusal> {
    let person: api::Person = ask.api.get("/v1/person").await?;
    let sessions: api::Page<api::SessionListed> = ask.api.get("/v1/sessions").await?;
    let l = ask.l;
    let title = l.t("Dig og din sikkerhed", "You and your security");
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, "", html! {}))
        div class="split" {
            div class="stack" {
                (second_factor(ask, &person))
                (password_card(ask, wrong_password))
            }
            (profile_card(ask, &person, wrong_profile))
        }
        (sessions_card(ask, &sessions.items))
    }))
}

fn second_factor(ask: &Ask, person: &api::Person) -> Markup {
    let l = ask.l;
    ui::card(
        l.t("Totrinsbekræftelse", "Second factor"),
        if person.second_factor {
            ui::badge(Tone::Good, l.t("Slået til", "On"))
        } else {
            ui::badge(Tone::Warn, l.t("Slået fra", "Off"))
        },
        html! {
            @if person.second_factor {
                p class="soft small" { (l.t("Når du logger ind, spørger vi også om en kode fra din app.", "When you log in we also ask for a code from your app.")) }
                @if person.recovery_codes_left < 3 {
                    (ui::note(Tone::Warn, "", html! { p { (l.f(|| format!("Du har {} gendannelseskoder tilbage. Lav nye.", person.recovery_codes_left), || format!("You have {} recovery codes left. Make new ones.", person.recovery_codes_left))) } }))
                }
                div class="row" {
                    (ui::act(ask, "/security/recovery-codes", "", Some(Icon::Key), l.t("Nye gendannelseskoder", "New recovery codes")))
                    (ui::asks("/security/totp/remove", "danger", None, l.t("Slå fra", "Turn off")))
                }
            } @else {
                p class="soft small" { (l.t("Så er en gættet eller stjålet adgangskode ikke nok til at komme ind.", "Then a guessed or stolen password is not enough to get in.")) }
                div class="row" { (ui::button("/security/totp", "primary", Some(Icon::Shield), l.t("Slå til", "Turn on"))) }
            }
        },
    )
}

fn password_card(ask: &Ask, wrong: &Wrong) -> Markup {
    let l = ask.l;
    ui::card(
        l.t("Adgangskode", "Password"),
        html! {},
        html! {
            (wrong.summary(ask))
            form method="post" action="/security/password" class="fields" {
                (form::token(ask))
                (Field { name: "/old", label: l.t("Nuværende adgangskode", "Current password"), kind: "password", autocomplete: "current-password", required: true, ..Field::default() }.show(ask, wrong))
                (Field { name: "/new", label: l.t("Ny adgangskode", "New password"), help: password_help(ask), kind: "password", autocomplete: "new-password", required: true, ..Field::default() }.show(ask, wrong))
                div class="row" {
                    button class="button primary" { (l.t("Skift adgangskode", "Change password")) }
                    span class="soft small" { (l.t("Du bliver logget ud alle andre steder.", "You are logged out everywhere else.")) }
                }
            }
        },
    )
}

fn profile_card(ask: &Ask, person: &api::Person, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let typed = |name: &str, held: &str| ask.form.get(name).unwrap_or(held).to_owned();
    let zone = typed("/time_zone", &person.time_zone);
    let mut zones: Vec<(&str, &str)> = ZONES.iter().map(|zone| (*zone, *zone)).collect();
    if !ZONES.contains(&person.time_zone.as_str()) {
        zones.push((&person.time_zone, &person.time_zone));
    }
    ui::card(
        l.t("Dig", "You"),
        html! {},
        html! {
            (wrong.summary(ask))
            (ui::facts(&[("E-mail", html! { (person.email) " " a class="small" href="/security/email" { (l.t("Skift", "Change")) } })]))
            form method="post" action="/security/profile" class="fields" {
                (form::token(ask))
                (Field { name: "/name", label: l.t("Navn", "Name"), value: &typed("/name", &person.name), autocomplete: "name", required: true, max: Some(100), ..Field::default() }.show(ask, wrong))
                (form::select(ask, wrong, ("/language", l.t("Sprog", "Language"), l.t("Også i mails.", "In mails too.")), &[("da", "Dansk"), ("en", "English")], &typed("/language", person.language.tag())))
                (form::select(ask, wrong, ("/time_zone", l.t("Tidszone", "Time zone"), ""), &zones, &zone))
                div class="row" { button class="button" { (l.t("Gem", "Save")) } }
            }
        },
    )
}

fn sessions_card(ask: &Ask, sessions: &[api::SessionListed]) -> Markup {
    let l = ask.l;
    html! {
        section class="card" {
            div class="title" {
                h2 { (l.t("Her er du logget ind", "Where you are logged in")) }
                (ui::asks("/security/log-out-everywhere", "danger small", Some(Icon::LogOut), l.t("Log ud overalt", "Log out everywhere")))
            }
            div class="table" { table class="stacks" {
                thead { tr { th scope="col" { (l.t("Enhed", "Device")) } th scope="col" { (l.t("Adresse", "Address")) } th scope="col" { (l.t("Sidst brugt", "Last used")) } th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } } } }
                tbody { @for session in sessions { tr {
                    td {
                        span class="main" { (device(ask, &session.device)) } " "
                        @if session.current { (ui::badge(Tone::Good, l.t("Denne", "This one"))) }
                        @if let Some(account) = &session.account { span class="sub" { (account) } }
                    }
                    td data-label=(l.t("Adresse", "Address")) { code { (session.address) } }
                    td data-label=(l.t("Sidst brugt", "Last used")) { (ask.reader.ago(session.seen)) }
                    td class="end whole" { @if !session.current { (ui::act(ask, &format!("/security/sessions/{}/end", segment(&session.id)), "small", None, l.t("Afslut", "End"))) } }
                } } }
            } }
        }
    }
}

/// A browser's own words, as people know it.
fn device(ask: &Ask, agent: &str) -> String {
    let browser = [
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]
    .into_iter()
    .find(|(sign, _)| agent.contains(sign))
    .map(|(_, name)| name);
    let system = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]
    .into_iter()
    .find(|(sign, _)| agent.contains(sign))
    .map(|(_, name)| name);
    match (browser, system) {
        (Some(browser), Some(system)) => {
            ask.l.f(|| format!("{browser} på {system}"), || format!("{browser} on {system}"))
        }
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) if agent.is_empty() => ask.l.t("Ukendt enhed", "Unknown device").to_owned(),
        (None, None) => agent.chars().take(60).collect(),
    }
}

async fn profile(ask: &Ask) -> Result<Reply, Refusal> {
    let language = if ask.form.text("/language") == "da" { Language::Da } else { Language::En };
    let body = api::PersonChange {
        name: Some(ask.form.text("/name").to_owned()),
        language: Some(language),
        time_zone: Some(ask.form.text("/time_zone").to_owned()),
    };
    match ask.api.patch::<api::Person>("/v1/person", &body, None).await {
        Ok(person) => Ok(back(person.language.t("Gemt.", "Saved.")).cookie(cookie::set(
            cookie::LANGUAGE,
            person.language.tag(),
            Stay::Seconds(crate::desk::CHOICE_S),
        ))),
        Err(refusal) => page(ask, &Wrong::of(ask, refusal), &Wrong::none(ask)).await,
    }
}

async fn password(ask: &Ask) -> Result<Reply, Refusal> {
    let secret = |name: &str| Secret::new(ask.form.get(name).unwrap_or_default());
    let body = api::PasswordChange { old: secret("/old"), new: secret("/new") };
    match ask.api.post::<api::SessionOpened>("/v1/person/password", &body).await {
        Ok(opened) => Ok(onwards(&opened, &OwnPath::of("/security"))
            .saying(ask.l.t("Adgangskoden er skiftet.", "The password is changed."))),
        Err(refusal) => page(ask, &Wrong::none(ask), &Wrong::of(ask, refusal)).await,
    }
}

async fn totp_page(ask: &Ask) -> Result<Reply, Refusal> {
    let l = ask.l;
    let title = l.t("Slå totrinsbekræftelse til", "Turn the second factor on");
    let required = ask.who.as_ref().is_some_and(|who| who.needs.contains(&api::Need::SecondFactorEnrol));
    Ok(ask.sheet(title).narrow().show(html! {
        (ui::head((!required).then_some(("/security", l.t("Sikkerhed", "Security"))), title, if required { l.t("Det kræves, før du kan komme videre.", "This is required before you can go on.") } else { "" }, html! {}))
        (ui::steps(&[
            (ui::Step::Now, l.t("Hent en app til engangskoder", "Get an authenticator app"), l.t("For eksempel den, der følger med din telefon eller adgangskodehusker.", "Such as the one that comes with your phone or password manager.").to_owned()),
            (ui::Step::Later, l.t("Skan en kode med den", "Scan a code with it"), String::new()),
            (ui::Step::Later, l.t("Skriv de seks cifre, den viser", "Type the six digits it shows"), String::new()),
        ]))
        form method="post" action="/security/totp" {
            (form::token(ask))
            input type="hidden" name="then" value=(then(&ask.query));
            button class="button primary large full" { (l.t("Vis koden", "Show the code")) }
        }
    }))
}

async fn totp_begin(ask: &Ask) -> Result<Reply, Refusal> {
    let begun: api::TotpBegun = ask.api.act("/v1/person/totp").await?;
    Ok(scan(ask, Some(&begun.qr_svg), begun.secret.reveal(), &Wrong::none(ask)))
}

fn scan(ask: &Ask, picture: Option<&str>, secret: &str, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Skan koden", "Scan the code");
    let grouped = secret
        .as_bytes()
        .chunks(4)
        .map(|four| String::from_utf8_lossy(four).into_owned())
        .collect::<Vec<_>>()
        .join(" ");
    ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, l.t("Med din app, og skriv så de seks cifre, den viser.", "With your app, and then type the six digits it shows."), html! {}))
        (wrong.summary(ask))
        @if let Some(picture) = picture {
            // As a picture it can hold no script, whatever it holds.
            img class="qr" alt=(l.t("QR-kode til appen", "QR code for the app")) width="220" height="220" src={ "data:image/svg+xml," (utf8_percent_encode(picture, NON_ALPHANUMERIC)) };
        }
        details class="more" open[picture.is_none()] {
            summary { span { (l.t("Kan du ikke skanne?", "Can you not scan?")) } (Icon::chevron()) }
            div class="inner" { p class="small" { (l.t("Skriv dette ind i appen:", "Type this into the app:")) } (ui::copy_secret(ask, l.t("nøglen", "the key"), &grouped)) }
        }
        form method="post" action="/security/totp/confirm" class="fields" {
            (form::token(ask))
            input type="hidden" name="then" value=(then(&ask.form));
            input type="hidden" name="_secret" value=(secret);
            (Field { name: "/code", label: l.t("Kode fra appen", "Code from the app"), autocomplete: "one-time-code", inputmode: Some("numeric"), class: "code", required: true, max: Some(8), ..Field::default() }.show(ask, wrong))
            button class="button primary large full" { (l.t("Slå til", "Turn on")) }
        }
    })
}

async fn totp_confirm(ask: &Ask) -> Result<Reply, Refusal> {
    let code: String = ask.form.text("/code").chars().filter(|c| !c.is_whitespace()).collect();
    match ask.api.post::<api::TotpConfirmed>("/v1/person/totp/confirm", &api::TotpConfirm { code }).await {
        Ok(confirmed) => {
            let session = cookie::set(cookie::SESSION, confirmed.session.session.reveal(), Stay::Browser);
            Ok(codes(ask, &confirmed.recovery_codes).cookie(session))
        }
        Err(refusal) => Ok(scan(ask, None, ask.form.text("_secret"), &Wrong::of(ask, refusal))),
    }
}

/// Recovery codes, shown once.
fn codes(ask: &Ask, codes: &[Secret]) -> Reply {
    let l = ask.l;
    let title = l.t("Gem dine gendannelseskoder", "Keep your recovery codes");
    let all = codes.iter().map(Secret::reveal).collect::<Vec<_>>().join("\n");
    ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, l.t("Mister du telefonen, kommer du ind med en af dem. Hver virker én gang, og de vises kun nu.", "If you lose your phone, one of them lets you in. Each works once, and they are shown now only."), html! {}))
        section class="secret" { span class="copy codes" {
            code { (all) }
            button type="button" aria-label=(l.t("Kopiér koderne", "Copy the codes")) data-done=(l.t("Kopieret", "Copied")) { (Icon::Copy.show()) }
        } }
        div class="row" { (ui::button(then(&ask.form).as_str(), "primary", None, l.t("Jeg har gemt dem", "I have kept them"))) }
    })
}

async fn totp_remove_page(ask: &Ask) -> Result<Reply, Refusal> {
    let l = ask.l;
    let title = l.t("Slå totrinsbekræftelse fra?", "Turn the second factor off?");
    let confirm = Confirm {
        title,
        lead: "",
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Din adgangskode alene er så nok til at komme ind.",
                    "Your password alone is then enough to get in.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t("Du kan slå den til igen med en ny kode.", "You can turn it on again with a new code.").to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Slå fra", "Turn off"),
        danger: true,
        back: "/security",
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

async fn totp_remove(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.delete("/v1/person/totp").await?;
    Ok(back(ask.l.t("Totrinsbekræftelse er slået fra.", "The second factor is off.")))
}

async fn recovery_codes(ask: &Ask) -> Result<Reply, Refusal> {
    let fresh: api::RecoveryCodes = ask.api.act("/v1/person/recovery-codes").await?;
    Ok(codes(ask, &fresh.recovery_codes))
}

async fn end(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.delete(&format!("/v1/sessions/{}", segment(ask.param("session")))).await?;
    Ok(back(ask.l.t("Sessionen er afsluttet.", "The session is ended.")))
}

async fn end_all_page(ask: &Ask) -> Result<Reply, Refusal> {
    let l = ask.l;
    let title = l.t("Log ud overalt?", "Log out everywhere?");
    let confirm = Confirm {
        title,
        lead: "",
        consequences: vec![
            (
                Tone::Plain,
                l.t(
                    "Alle dine sessioner slutter med det samme, også denne.",
                    "All your sessions end at once, this one too.",
                )
                .to_owned(),
            ),
            (
                Tone::Good,
                l.t("API-tokens og løsninger røres ikke.", "API tokens and solutions are not touched.").to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Log ud overalt", "Log out everywhere"),
        danger: true,
        back: "/security",
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

async fn end_all(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.delete("/v1/sessions").await?;
    let out = Reply::see(OwnPath::of("/log-in")).cookie(cookie::clear(cookie::SESSION)).clear();
    Ok(out.saying(ask.l.t("Du er logget ud overalt.", "You are logged out everywhere.")))
}
