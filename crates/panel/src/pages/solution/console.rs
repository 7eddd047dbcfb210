//! The console in the browser: the solution's screen and its keys on a page, carried by a WebSocket; and a picture of the screen on its first page.

use super::shapes::{frame_on, kind, may_change, path, read};
use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::say::Say;
use crate::socket;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// Characters of a text that is typed at once.
const TYPED_CHARS_MAX: usize = 2_000;

/// Whether there is a screen to be seen, by who may see it.
pub(super) fn has_page(ask: &Ask, one: &api::Solution) -> bool {
    may_change(ask) && kind(ask, one).is_ok_and(|kind| kind.console(&one.spec).is_some())
}

/// The card on the first page: what the screen shows now.
pub(super) fn card(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let base = path(one);
    html! {
        @if has_page(ask, one) && one.aim == "run" {
            section class="card" {
                div class="title" {
                    h2 { (l.t("Skærm", "Screen")) }
                    div class="row" {
                        button type="button" class="button small quiet scripted-only" data-screen-again { (Icon::Restore.show()) (l.t("Hent igen", "Load again")) }
                        a class="button small" href={ (base) "/console" } { (Icon::Keyboard.show()) (l.t("Åbn konsollen", "Open the console")) }
                    }
                }
                div class="body screen-card" {
                    img src={ (base) "/screen" } data-screen alt=(l.t("Det, skærmen viser nu", "What the screen shows now")) width="720" height="400";
                    p class="soft small" data-screen-none hidden { (l.t("Der er intet billede nu: den er slukket, eller ved at starte.", "There is no picture now: it is off, or about to start.")) }
                }
            }
        }
    }
}

/// What the screen shows now, as it comes.
pub(super) async fn picture(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(Reply::raw(ask.api.file(&format!("/v1/solutions/{}/screen", segment(ask.param("solution")))).await?))
}

/// The screen and the keys themselves.
pub(super) async fn socket(ask: &Ask) -> Result<Reply, Refusal> {
    let knock = ask.knock.take().ok_or_else(socket::none)?;
    let at = format!("/v1/solutions/{}/console", segment(ask.param("solution")));
    Ok(Reply::raw(ask.api.socket(&at, knock).await?))
}

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    if !has_page(ask, &one) {
        return Err(no_page());
    }
    let l = ask.l;
    let base = path(&one);
    let content = html! {
        noscript {
            (ui::note(Tone::Warn, l.t("Konsollen kræver JavaScript", "The console needs JavaScript"), html! {
                p { (l.t("Et billede af skærmen kan ses uden.", "A picture of the screen can be seen without.")) }
                img src={ (base) "/screen" } alt=(l.t("Det, skærmen viser nu", "What the screen shows now"));
            }))
        }
        section class="card console scripted-only" data-console={ (base) "/console/socket" } {
            div class="title" {
                h2 { (l.t("Konsol", "Console")) }
                (states(ask))
                (tools(ask))
            }
            div class="glass" data-glass {
                div class="over" data-over hidden {
                    p data-why {}
                    button type="button" class="button primary" data-again { (Icon::Restore.show()) (l.t("Forbind igen", "Connect again")) }
                }
            }
            (typed(ask))
        }
        (help(ask, &base))
    };
    Ok(frame_on(ask.sheet(&one.name).full("console.js"), &one, content))
}

/// How the connection stands. Each state is a badge, and the script shows the one that holds.
fn states(ask: &Ask) -> Markup {
    let l = ask.l;
    let state = |name: &str, tone: &str, words: &str| html! { span class={ "badge " (tone) } data-state=(name) hidden[name != "connecting"] { (words) } };
    html! {
        span role="status" {
            (state("connecting", "busy", l.t("Forbinder", "Connecting")))
            (state("connected", "good", l.t("Forbundet", "Connected")))
            (state("closed", "warn", l.t("Afbrudt", "Disconnected")))
        }
        span hidden data-ends {
            @for (code, words) in [
                ("4001", l.t("Du er logget ud, eller din rolle er ændret.", "You are logged out, or your role has changed.")),
                ("4002", l.t("En afgørelse har afbrudt konsollen.", "A decision has cut the console.")),
                ("4003", l.t("Ingen har rørt tasterne i en halv time.", "Nobody has touched the keys for half an hour.")),
                ("4004", l.t("En konsol er åben i højst otte timer.", "A console is open for eight hours at most.")),
                ("4005", l.t("Serveren slukkede, eller den blev startet om.", "The server went off, or was started again.")),
                ("never", l.t("Der kom ingen forbindelse. Serveren er måske slukket, startet før der var skærme (stop den, og start den igen), eller har allerede fire konsoller åbne.", "No connection was made. The server may be off, may have been started before there were screens (stop it, and start it again), or has four consoles open already.")),
                ("else", l.t("Forbindelsen blev afbrudt.", "The connection was broken.")),
            ] { span data-end=(code) { (words) } }
        }
    }
}

fn tools(ask: &Ask) -> Markup {
    let l = ask.l;
    html! {
        div class="row tools" {
            button type="button" class="button small" data-keys="ctrl-alt-del" { "Ctrl-Alt-Del" }
            button type="button" class="button small" data-keys="escape" { "Esc" }
            button type="button" class="button small" data-keys="tab" { "Tab" }
            button type="button" class="button small" data-keys="enter" { "Enter" }
            button type="button" class="button small" data-full { (Icon::Full.show()) (l.t("Fuld skærm", "Full screen")) }
        }
    }
}

/// A text that is typed as keys: for what was copied, and for who has no keyboard.
fn typed(ask: &Ask) -> Markup {
    let l = ask.l;
    html! {
        form class="end typed" data-typed {
            div class="field" {
                label for="typed-text" { (l.t("Skriv en tekst som taster", "Type a text as keys")) }
                textarea id="typed-text" rows="2" maxlength=(TYPED_CHARS_MAX) spellcheck="false" autocomplete="off" autocapitalize="off" {}
            }
            div class="row" {
                div class="field" {
                    label for="typed-layout" { (l.t("Tastaturlayout i serveren", "Keyboard layout in the server")) }
                    select id="typed-layout" {
                        option value="us" { (l.t("Amerikansk (det nye systemer har)", "US English (what new systems have)")) }
                        option value="dk" { (l.t("Dansk", "Danish")) }
                    }
                }
                div class="tick" { input type="checkbox" id="typed-enter" checked; label for="typed-enter" { (l.t("Tryk Enter bagefter", "Press Enter after it")) } }
                button class="button primary" { (Icon::Keyboard.show()) (l.t("Skriv", "Type")) }
            }
            p class="soft small" data-skipped=(l.t("Layoutet har ikke disse tegn, og de blev sprunget over:", "The layout has no such characters, and they were passed over:")) role="status" hidden {}
        }
    }
}

fn help(ask: &Ask, base: &str) -> Markup {
    let l = ask.l;
    html! {
        section class="card" {
            div class="title" { h2 { (l.t("Godt at vide", "Good to know")) } }
            div class="body" {
                ul class="plain-list" {
                    li { (l.t("Tryk på skærmen for at skrive i den. Dine taster sendes efter deres plads, så det er serverens eget layout, der afgør, hvad der kommer ud af dem: nye Debian-systemer begynder med det amerikanske.",
                        "Press on the screen to type in it. Your keys are sent by their place, so the server's own layout says what comes of them: new Debian systems begin with the US one.")) }
                    li { (l.t("Log ind med et kodeord, som systemet kender. Med nøgler alene er der ingen: sæt et over SSH, eller i brugerdata ved oprettelsen.",
                        "Log in with a password that the system knows. With keys alone there is none: set one by SSH, or in the user data when it is made.")) }
                    li { (l.t("Er skærmen sort, sover den måske: tryk en tast. Det, serveren siger på sin serielle linje, står i ", "If the screen is black it may sleep: press a key. What the server says on its serial line stands in the "))
                        a href={ (base) "/log" } { (l.t("loggen", "log")) } "." }
                    li { (l.t("Alle, der må ændre løsningen, kan åbne konsollen, flere på én gang. At den blev åbnet og lukket, af hvem og hvorfra, står i ", "Everybody who may change the solution can open the console, several at a time. That it was opened and closed, by whom and from where, stands in the "))
                        a href="/evidence" { (l.t("kontoens log", "account's log")) } (l.t("; intet af det, der blev vist eller skrevet, gemmes.", "; nothing of what was shown or typed is kept.")) }
                }
            }
        }
    }
}
