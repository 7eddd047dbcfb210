//! Backup targets: where backups lie, what lies there, and the making, changing and retiring of one.

use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use husorden_wire::node::Address;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

/// How a target is reached, as the API says it.
const KINDS: [&str; 4] = ["sftp", "s3", "rest", "folder"];

fn kind_name(ask: &Ask, kind: &str) -> (Icon, &'static str, &'static str) {
    let l = ask.l;
    match kind {
        "sftp" => (
            Icon::Server,
            "SFTP",
            l.t(
                "En konto på en OpenSSH-server et andet sted, som kun kan lægge til.",
                "An account on an OpenSSH server elsewhere, which can only add.",
            ),
        ),
        "rest" => (
            Icon::Globe,
            l.t("restic REST", "restic REST"),
            l.t(
                "En server med restics protokol, sat til kun at lægge til.",
                "A server of restic's protocol, set to append only.",
            ),
        ),
        "s3" => (
            Icon::Box,
            "S3",
            l.t(
                "En bucket, hvis regler kun lader kontoen lægge til og læse.",
                "A bucket whose policy lets the account only add and read.",
            ),
        ),
        _ => (
            Icon::Folder,
            l.t("En mappe", "A folder"),
            l.t(
                "På nodens egen maskine. Kun til et første blik: den går tabt med maskinen.",
                "On the node's own machine. For a first look only: it is lost with the machine.",
            ),
        ),
    }
}

/// Its kind, and where it is, in one line.
fn where_is(address: &Address) -> (&'static str, String) {
    match address {
        Address::Folder { path } => ("folder", path.clone()),
        Address::Sftp { host, port: 22, user, path, .. } => ("sftp", format!("{user}@{host}:{path}")),
        Address::Sftp { host, port, user, path, .. } => ("sftp", format!("{user}@{host}:{path} ({port})")),
        Address::Rest { url, user } => {
            ("rest", user.as_ref().map_or_else(|| url.clone(), |user| format!("{url} ({user})")))
        }
        Address::S3 { url, bucket, access_key, path, .. } => {
            let folder = path.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
            ("s3", format!("{}/{bucket}{folder} ({access_key})", url.trim_end_matches('/')))
        }
    }
}

async fn all(ask: &Ask) -> Result<Vec<api::Target>, Refusal> {
    let page: api::Page<api::Target> = ask.api.get("/v1/targets").await?;
    Ok(page.items)
}

async fn named(ask: &Ask) -> Result<api::Target, Refusal> {
    all(ask).await?.into_iter().find(|target| target.id == ask.param("target")).ok_or_else(no_page)
}

pub(super) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let targets = all(ask).await?;
    let l = ask.l;
    let title = l.t("Backupmål", "Backup targets");
    let lead = l.t(
        "Hvor kundernes backupper ligger. Noder kan lægge til og læse her, og intet fjerne; udløb kører på stedets egen side.",
        "Where customers' backups lie. Nodes can add and read here, and remove nothing; expiry runs on the target's own side.",
    );
    let new = html! { @if ask.may(Capability::NodeOperate) { (ui::button("/targets/new", "primary", Some(Icon::Add), l.t("Nyt mål", "New target"))) } };
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, new))
        div class="stack" id="targets" {
            @if targets.is_empty() {
                section class="card" { (ui::empty(Icon::Box, l.t("Intet mål endnu", "No target yet"), l.t("Uden et tages der ingen backup af nogen. Lav et uden for maskinen.", "Without one nobody is backed up. Make one away from the machine."), html! {})) }
            }
            @for target in &targets { (card(ask, target)) }
        }
    }))
}

fn card(ask: &Ask, target: &api::Target) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let (kind, place) = where_is(&target.address);
    let open = target.state == "open";
    let state = if open {
        ui::badge(Tone::Good, l.t("Åbent", "Open"))
    } else {
        ui::badge(Tone::Plain, l.t("Lukket for nye", "Retired"))
    };
    let mut rows = vec![
        (l.t("Ligger", "Lies at"), html! { code { (place) } }),
        (l.t("Backupper", "Backups"), html! { span class="num" { (reader.count(target.backups)) } }),
        (l.t("Sendt i alt", "Sent in all"), html! { span class="num" { (reader.size(target.bytes_sent)) } }),
        (l.t("Nyeste", "Newest"), ui::when(reader, target.newest)),
        (
            l.t("Stedets egen side, sidst hørt", "Its own side, last heard"),
            match target.heard {
                Some(_) => ui::when(reader, target.heard),
                None => {
                    html! { span class="soft" { (l.t("aldrig: intet udløber af sig selv", "never: nothing expires by itself")) } }
                }
            },
        ),
        (
            l.t("Fart højst", "Speed at most"),
            match target.bytes_per_second {
                Some(speed) => html! { span class="num" { (reader.size(speed)) "/s" } },
                None => html! { (l.t("så hurtigt det går", "as fast as it goes")) },
            },
        ),
    ];
    if let Address::Sftp { host_key, .. } = &target.address {
        rows.push((l.t("Serverens nøgle", "The server's key"), html! { code class="small" { (host_key) } }));
    }
    if let Some(retired) = target.retired {
        rows.push((l.t("Lukket", "Retired"), reader.at(retired)));
    }
    html! {
        section class="card" {
            div class="title" {
                h2 { (target.name) }
                div class="row" {
                    (ui::tag(kind_name(ask, kind).1))
                    @if target.default { (ui::tag(l.t("husets eget", "the house's own"))) }
                    (state)
                }
            }
            div class="body" {
                @if target.with_machine { (ui::note(Tone::Warn, l.t("Det ligger på den maskine, det skal beskytte mod", "It lies on the machine that it is to protect from"), html! { p { (l.t("Det hjælper ved fejl, men ikke når maskinen går tabt.", "It helps against mistakes, not when the machine is lost.")) } })) }
                (ui::facts(&rows))
                @if ask.may(Capability::NodeOperate) && open {
                    div class="row" {
                        (ui::button(&format!("/targets/{}", segment(&target.id)), "small", None, l.t("Skift", "Change")))
                        (ui::asks(&format!("/targets/{}/retire", segment(&target.id)), "small quiet", Some(Icon::Stop), l.t("Luk for nye", "Retire")))
                    }
                }
            }
        }
    }
}

pub(super) async fn new_page(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let kind = ask.query.text("kind");
    if KINDS.contains(&kind) {
        return Ok(new_form(ask, kind, &Form::default(), &Wrong::none(ask)));
    }
    let l = ask.l;
    let title = l.t("Nyt mål", "New target");
    Ok(ask.sheet(title).show(html! {
        (ui::head(Some(("/targets", l.t("Backupmål", "Backup targets"))), title, l.t("Hvordan nås det?", "How is it reached?"), html! {}))
        div class="grid" {
            @for kind in KINDS {
                @let (icon, name, about) = kind_name(ask, kind);
                a class="choice" href={ "/targets/new?kind=" (kind) } {
                    span class="glyph" { (icon.show()) }
                    h2 { (name) }
                    p { (about) }
                    span class="go" { (l.t("Vælg", "Choose")) " " (Icon::Arrow.show()) }
                }
            }
        }
    }))
}

fn new_form(ask: &Ask, kind: &str, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Nyt mål", "New target");
    let (_, name, about) = kind_name(ask, kind);
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some(("/targets/new", l.t("Vælg en anden måde", "Choose another way"))), format!("{title}: {name}"), about, html! {}))
        (wrong.summary(ask))
        form method="post" action="/targets/new" class="fields" {
            (form::token(ask))
            input type="hidden" name="kind" value=(kind);
            section class="card" { div class="body fields" {
                (Field { name: "/name", label: l.t("Navn", "Name"), help: l.t("Det ser kunderne. Små bogstaver, tal og bindestreg.", "Customers see it. Lower-case letters, digits and hyphens."), value: typed.text("/name"), autocomplete: "off", required: true, max: Some(63), ..Field::default() }.show(ask, wrong))
                (address(ask, kind, typed, wrong))
                (speed(ask, typed.text("/bytes_per_second"), wrong))
                (secret(ask, kind, false, wrong))
            } }
            (form::actions(l.t("Lav målet", "Make the target"), Some(("/targets", l.t("Fortryd", "Cancel")))))
        }
    })
}

fn address(ask: &Ask, kind: &str, typed: &Form, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let field = |name: &'static str, label, help, required| {
        Field {
            name,
            label,
            help,
            value: typed.text(name),
            autocomplete: "off",
            required,
            optional: !required,
            max: Some(4096),
            ..Field::default()
        }
        .show(ask, wrong)
    };
    html! {
        @match kind {
            "sftp" => {
                (field("/address/host", l.t("Server", "Server"), l.t("Navn eller adresse.", "Name or address."), true))
                div class="pair" {
                    (Field { name: "/address/port", label: l.t("Port", "Port"), help: l.t("22, når intet andet siges.", "22 unless something else is said."), kind: "number", value: typed.text("/address/port"), optional: true, ..Field::default() }.show(ask, wrong))
                    (field("/address/user", l.t("Konto", "Account"), l.t("Den, som kun kan lægge til.", "The one that can only add."), true))
                }
                (field("/address/host_key", l.t("Serverens offentlige nøgle", "The server's public key"), l.t("Som ssh-ed25519 AAAA…; spørg serverens ejer, ikke nettet.", "Such as ssh-ed25519 AAAA…; ask the server's owner, not the network."), true))
                (field("/address/path", l.t("Mappe", "Folder"), l.t("Hvor backupperne lægges, set fra kontoen.", "Where the backups are put, as the account sees it."), true))
            },
            "rest" => {
                (field("/address/url", l.t("Adresse", "Address"), l.t("Begynder med https://.", "Begins with https://."), true))
                (field("/address/user", l.t("Konto", "Account"), "", false))
            },
            "s3" => {
                (field("/address/url", l.t("Serverens adresse", "The server's address"), l.t("Begynder med https://, uden bucketens navn.", "Begins with https://, without the bucket's name."), true))
                (field("/address/bucket", "Bucket", l.t("Med versioner slået til, og regler uden s3:DeleteObject for kontoen.", "With versioning on, and a policy without s3:DeleteObject for the account."), true))
                (field("/address/region", "Region", l.t("Som eu-north-1. Tomt hvor serveren ingen har.", "Such as eu-north-1. Empty where the server has none."), false))
                (field("/address/access_key", l.t("Kontoens adgangsnøgle", "The account's access key"), l.t("Den er et navn; den hemmelige nøgle skrives nedenfor.", "It is a name; the secret key is written below."), true))
                (field("/address/path", l.t("Mappe", "Folder"), l.t("I bucketen. Tomt: øverst.", "In the bucket. Empty: at its top."), false))
            },
            _ => { (field("/address/path", l.t("Mappe", "Folder"), l.t("En absolut sti på nodens maskine.", "An absolute path on the node's machine."), true)) },
        }
    }
}

fn speed(ask: &Ask, value: &str, wrong: &Wrong) -> Markup {
    let l = ask.l;
    Field {
        name: "/bytes_per_second",
        label: l.t("Bytes i sekundet, højst", "Bytes a second, at most"),
        help: l
            .t("Begge veje, fra 65536. Tomt: så hurtigt det går.", "Both ways, from 65536. Empty: as fast as it goes."),
        kind: "number",
        value,
        optional: true,
        ..Field::default()
    }
    .show(ask, wrong)
}

/// What it is opened with. It is never shown again, neither after a fault.
fn secret(ask: &Ask, kind: &str, held: bool, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let stays = if held { l.t(" Tomt: den gamle bliver.", " Empty: the old one stays.") } else { "" };
    html! {
        @match kind {
            "sftp" => {
                (form::area(ask, wrong, ("/secret", l.t("Kontoens private nøgle", "The account's private key"), &format!("{}{stays}", l.t("I OpenSSH's form, uden kodeord. Den lægges i boksen og vises aldrig igen.", "In OpenSSH's form, without a passphrase. It goes to the vault, and is never shown again."))), "", !held))
            },
            "rest" => {
                (Field { name: "/secret", label: l.t("Kontoens adgangskode", "The account's password"), help: &format!("{}{stays}", l.t("Den lægges i boksen og vises aldrig igen.", "It goes to the vault, and is never shown again.")), kind: "password", autocomplete: "off", optional: true, ..Field::default() }.show(ask, wrong))
            },
            "s3" => {
                (Field { name: "/secret", label: l.t("Kontoens hemmelige nøgle", "The account's secret key"), help: &format!("{}{stays}", l.t("Den lægges i boksen og vises aldrig igen.", "It goes to the vault, and is never shown again.")), kind: "password", autocomplete: "off", optional: held, required: !held, ..Field::default() }.show(ask, wrong))
            },
            _ => {},
        }
    }
}

/// A number as it was typed; what is none is refused at its field.
fn number(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
}

pub(super) async fn create(ask: &Ask) -> Result<Reply, Refusal> {
    let kind = ask.form.text("kind");
    if !KINDS.contains(&kind) {
        return Err(no_page());
    }
    let mut address = Map::from_iter([("kind".to_owned(), json!(kind))]);
    for (name, value) in ask.form.under("/address/").filter(|(_, value)| !value.trim().is_empty()) {
        let value = value.trim();
        address.insert(name.to_owned(), if name == "port" { number(value) } else { json!(value) });
    }
    let mut order = Map::from_iter([
        ("name".to_owned(), json!(ask.form.text("/name"))),
        ("address".to_owned(), Value::Object(address)),
    ]);
    more(ask, &mut order);
    match ask.api.post::<Nothing>("/v1/targets", &Value::Object(order)).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/targets")).saying(ask.l.t("Målet er lavet.", "The target is made."))),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => Ok(new_form(ask, kind, &ask.form, &Wrong::of(ask, refusal))),
    }
}

/// Speed and secret, where they were filled in. A key keeps its last line end.
fn more(ask: &Ask, order: &mut Map<String, Value>) {
    let speed = ask.form.text("/bytes_per_second");
    if !speed.is_empty() {
        order.insert("bytes_per_second".to_owned(), number(speed));
    }
    let secret = ask.form.get("/secret").unwrap_or_default();
    if !secret.trim().is_empty() {
        order.insert("secret".to_owned(), json!(secret));
    }
}

pub(super) async fn change_page(ask: &Ask) -> Result<Reply, Refusal> {
    let target = named(ask).await?;
    let mut typed = Form::default();
    typed.set("/name", target.name.clone());
    typed.set("/bytes_per_second", target.bytes_per_second.map(|speed| speed.to_string()).unwrap_or_default());
    Ok(change_form(ask, &target, &typed, &Wrong::none(ask)))
}

fn change_form(ask: &Ask, target: &api::Target, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let (kind, place) = where_is(&target.address);
    let title = l.f(|| format!("Skift {}", target.name), || format!("Change {}", target.name));
    let lead = l.f(
        || format!("{place}. Hvor det ligger, skiftes ikke: et andet sted er et andet mål."),
        || format!("{place}. Where it lies is not changed: another place is another target."),
    );
    ask.sheet(&title).narrow().show(html! {
        (ui::head(Some(("/targets", l.t("Backupmål", "Backup targets"))), &title, &lead, html! {}))
        (wrong.summary(ask))
        form method="post" action={ "/targets/" (segment(&target.id)) } class="fields" {
            (form::token(ask))
            section class="card" { div class="body fields" {
                (Field { name: "/name", label: l.t("Navn", "Name"), help: l.t("Det ser kunderne.", "Customers see it."), value: typed.text("/name"), autocomplete: "off", required: true, max: Some(63), ..Field::default() }.show(ask, wrong))
                (speed(ask, typed.text("/bytes_per_second"), wrong))
                (secret(ask, kind, true, wrong))
            } }
            (form::actions(l.t("Gem", "Save"), Some(("/targets", l.t("Fortryd", "Cancel")))))
        }
    })
}

pub(super) async fn change(ask: &Ask) -> Result<Reply, Refusal> {
    let target = named(ask).await?;
    // Empty is as fast as it goes, which the API calls 0.
    let mut order = Map::from_iter([("bytes_per_second".to_owned(), json!(0))]);
    if ask.form.text("/name") != target.name {
        order.insert("name".to_owned(), json!(ask.form.text("/name")));
    }
    more(ask, &mut order);
    let to = format!("/v1/targets/{}", segment(&target.id));
    match ask.api.patch::<Nothing>(&to, &Value::Object(order), None).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/targets")).saying(ask.l.t("Gemt.", "Saved."))),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => Ok(change_form(ask, &target, &ask.form, &Wrong::of(ask, refusal))),
    }
}

pub(super) async fn retire_page(ask: &Ask) -> Result<Reply, Refusal> {
    let target = named(ask).await?;
    let l = ask.l;
    let title = l.f(|| format!("Luk {} for nye backupper?", target.name), || format!("Retire {}?", target.name));
    let confirm = Confirm {
        title: &title,
        lead: &where_is(&target.address).1,
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Der lægges ikke flere backupper her. Løsninger, hvis plan siger dette mål, går til husets eget.",
                    "No more backups are put here. Solutions whose plan names it go to the house's own.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t("Den første backup et nyt sted sendes hel.", "The first backup at a new place is sent whole.")
                    .to_owned(),
            ),
            (
                Tone::Good,
                l.f(
                    || format!("De {} backupper, der ligger her, kan stadig hentes og prøves.", target.backups),
                    || format!("The {} backups that lie here can be fetched and proven still.", target.backups),
                ),
            ),
        ],
        action: &format!("/targets/{}/retire", segment(&target.id)),
        verb: l.t("Luk for nye", "Retire"),
        danger: true,
        back: "/targets",
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(super) async fn retire(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.act(&format!("/v1/targets/{}/retire", segment(ask.param("target")))).await?;
    Ok(Reply::see(OwnPath::of("/targets"))
        .saying(ask.l.t("Der lægges ikke flere backupper der.", "No more backups are put there.")))
}
