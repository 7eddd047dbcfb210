//! What a job asks a mail for, and what each mail says, in Danish and English.

use husorden_base::{Language, Secret, Text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Template {
    /// An account or staff invite; its link holds a secret.
    Invitation,
    /// A new password was wished for; its link holds a secret.
    PasswordReset,
    /// Somebody logged in from a device not seen before.
    NewDevice,
    /// The password was changed.
    PasswordChanged,
    /// A second factor was set up or taken away.
    SecondFactor,
    /// Somebody asked for help with a lost second factor; its link stops it.
    RescueAsked,
    /// Staff made sure who asked; its link stops it.
    RescueChecked,
    /// Its link takes the lost second factor away.
    RescueOpen,
    /// The help was stopped.
    RescueStopped,
    /// A new mailbox confirms that it is the person's; its link does it.
    EmailConfirm,
    /// The old mailbox hears of the new one; its link takes it back.
    EmailChanged,
    /// There is a decision about the account or a solution.
    Decision,
    /// A complaint was answered.
    ComplaintAnswered,
    /// A solution does not stand as wished.
    Trouble,
    /// A snapshot was taken, or a solution brought back to one.
    OrderDone,
    /// Work that was asked for failed.
    OrderFailed,
    /// To operators: the house itself is not well, or is again.
    Alarm,
    /// Anything else that happened, in the words of the event itself.
    Event,
}

impl Template {
    /// What the mail of an event is about.
    pub(crate) fn of_event(kind: &str) -> Self {
        match kind {
            "measure.decided" | "measure.taken" => Self::Decision,
            "complaint.answered" => Self::ComplaintAnswered,
            "solution.trouble" => Self::Trouble,
            "order.done" => Self::OrderDone,
            "order.failed" => Self::OrderFailed,
            _ => Self::Event,
        }
    }

    #[cfg(test)]
    pub(crate) const ALL: [Self; 18] = [
        Self::Invitation,
        Self::PasswordReset,
        Self::NewDevice,
        Self::PasswordChanged,
        Self::SecondFactor,
        Self::RescueAsked,
        Self::RescueChecked,
        Self::RescueOpen,
        Self::RescueStopped,
        Self::EmailConfirm,
        Self::EmailChanged,
        Self::Decision,
        Self::ComplaintAnswered,
        Self::Trouble,
        Self::OrderDone,
        Self::OrderFailed,
        Self::Alarm,
        Self::Event,
    ];
}

/// What a job of kind `mail` asks for.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    /// The mailbox.
    pub(crate) to: String,
    /// The reader's language.
    pub(crate) language: Language,
    /// What it is about.
    pub(crate) template: Template,
    /// What the template speaks of.
    #[serde(default)]
    pub(crate) data: Value,
}

/// Where links lead.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The customers' panel, without a slash at its end.
    pub(crate) panel: String,
    /// The staff's.
    pub(crate) desk: String,
}

/// A letter before it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) subject: String,
    pub(crate) lines: Vec<String>,
    /// What the link says, and where it leads.
    pub(crate) link: Option<(String, String)>,
    /// What stands below, smaller.
    pub(crate) foot: String,
}

/// What the mail says, before it is set.
pub(crate) fn draft(asked: &Asked, secret: Option<&Secret>, places: &Places) -> Draft {
    let language = asked.language;
    let say = |da: String, en: String| match language {
        Language::Da => da,
        Language::En => en,
    };
    let word = |name: &str| asked.data.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, case) = (word("name"), word("case"));
    let at = moment(word("at"));
    let link = |da: &str, en: &str, path: String| Some((say(da.to_owned(), en.to_owned()), path));
    let panel = &places.panel;
    let home = if word("realm") == "staff" || asked.data.get("staff_roles").is_some() { &places.desk } else { panel };
    let not_you = say(
        "Var det ikke dig, så skift dit kodeord straks og log ud overalt på siden Sikkerhed.".to_owned(),
        "If that was not you, change your password at once and log out everywhere on the page Security.".to_owned(),
    );
    let security = || link("Åbn Sikkerhed", "Open Security", format!("{panel}/security"));
    let sentence = || {
        let text: Text = crate::texts::event(word("kind"), &asked.data);
        text.get(language).to_owned()
    };
    let decision = || match word("measure") {
        "" => format!("{panel}/decisions"),
        measure => format!("{panel}/decisions/{measure}"),
    };
    let stop_says = || {
        say(
            "Var det ikke dig, så stop det med linket, eller log ind med en kode.".to_owned(),
            "If that was not you, stop it with the link, or log in with a code.".to_owned(),
        )
    };
    let stop_link =
        || secret.and_then(|secret| link("Stop det", "Stop it", format!("{home}/rescue/stop/{}", secret.reveal())));
    let texts = |name: &str| -> Vec<String> {
        let list: Vec<Text> = asked.data.get(name).and_then(|list| Vec::deserialize(list).ok()).unwrap_or_default();
        list.iter().map(|text| text.get(language).to_owned()).collect()
    };
    let foot = if asked.template == Template::Alarm {
        say(
            "Sendt af Husorden til dem, der står for driften.".to_owned(),
            "Sent by Husorden to those who operate it.".to_owned(),
        )
    } else if word("kind").is_empty() {
        say(
            "Sendt af Husorden. Mails om dit eget log-in kommer altid.".to_owned(),
            "Sent by Husorden. Mails about your own log-in always come.".to_owned(),
        )
    } else {
        say(
            format!("Sendt af Husorden. Hvilke mails du får, vælger du på {panel}/notifications"),
            format!("Sent by Husorden. Which mails you get is yours to choose at {panel}/notifications"),
        )
    };
    let (subject, mut lines, link) = match asked.template {
        Template::Invitation => {
            let to = if word("account").is_empty() { say("personalet".to_owned(), "the staff".to_owned()) } else { word("account").to_owned() };
            (
                say(format!("Invitation til {to}"), format!("Invitation to {to}")),
                vec![
                    say(format!("Du er inviteret til {to} på Husorden."), format!("You are invited to {to} on Husorden.")),
                    say(
                        "Linket virker én gang og i 7 dage. Kender du ikke afsenderen, så gør ingenting.".to_owned(),
                        "The link works once and for 7 days. If you do not know who sent this, do nothing.".to_owned(),
                    ),
                ],
                secret.and_then(|secret| {
                    link("Tag imod invitationen", "Take up the invitation", format!("{home}/invitation/{}", secret.reveal()))
                }),
            )
        }
        Template::PasswordReset => (
            say("Nyt kodeord".to_owned(), "A new password".to_owned()),
            vec![
                say(
                    format!("Nogen bad om et nyt kodeord til {} fra {}.", asked.to, word("address")),
                    format!("Somebody asked for a new password for {} from {}.", asked.to, word("address")),
                ),
                say(
                    "Linket virker én gang og kun kort tid. Var det ikke dig, så gør ingenting: dit kodeord er det samme.".to_owned(),
                    "The link works once and for a short time. If that was not you, do nothing: your password is the same.".to_owned(),
                ),
            ],
            secret.and_then(|secret| link("Vælg et nyt kodeord", "Choose a new password", format!("{home}/reset/{}", secret.reveal()))),
        ),
        Template::NewDevice => (
            say("Log ind fra en ny enhed".to_owned(), "Log-in from a new device".to_owned()),
            vec![
                say(
                    format!("Der blev logget ind som {} {at} fra {}: {}.", asked.to, word("address"), word("agent")),
                    format!("There was a log-in as {} {at} from {}: {}.", asked.to, word("address"), word("agent")),
                ),
                not_you,
            ],
            security(),
        ),
        Template::PasswordChanged => (
            say("Dit kodeord er ændret".to_owned(), "Your password was changed".to_owned()),
            vec![
                say(format!("Kodeordet til {} blev ændret {at}.", asked.to), format!("The password of {} was changed {at}.", asked.to)),
                not_you,
            ],
            security(),
        ),
        Template::SecondFactor => {
            let set = asked.data.get("set").and_then(Value::as_bool).unwrap_or(false);
            (
                if set {
                    say("To-trins-login er slået til".to_owned(), "A second factor was set up".to_owned())
                } else {
                    say("To-trins-login er slået fra".to_owned(), "The second factor was taken away".to_owned())
                },
                vec![
                    say(format!("Det skete for {} {at}.", asked.to), format!("It happened for {} {at}.", asked.to)),
                    not_you,
                ],
                security(),
            )
        }
        Template::RescueAsked => (
            say("Nogen beder om hjælp til at komme ind".to_owned(), "Somebody asks for help to get in".to_owned()),
            vec![
                say(
                    format!("Nogen skrev {at} fra {}, at du har mistet både din app til koder og dine gendannelseskoder.", word("address")),
                    format!("Somebody wrote {at} from {} that you lost both your authenticator app and your recovery codes.", word("address")),
                ),
                say(
                    "Var det dig, så ring til os: vi sikrer os, hvem du er, og så går der en ventetid.".to_owned(),
                    "If that was you, call us: we make sure who you are, and then there is a delay.".to_owned(),
                ),
                stop_says(),
            ],
            stop_link(),
        ),
        Template::RescueChecked => {
            let opens = moment(word("opens"));
            (
                say("Din totrinsbekræftelse bliver fjernet".to_owned(), "Your second factor is about to be taken away".to_owned()),
                vec![
                    say(
                        format!("Vores personale har sikret sig, hvem der bad om hjælp. Den {opens} sender vi et link, der fjerner den tabte totrinsbekræftelse."),
                        format!("Our staff made sure who asked for help. On {opens} we send a link that takes the lost second factor away."),
                    ),
                    stop_says(),
                ],
                stop_link(),
            )
        }
        Template::RescueOpen => (
            say("Fjern din tabte totrinsbekræftelse".to_owned(), "Take your lost second factor away".to_owned()),
            vec![
                say(
                    "Linket fjerner den tabte totrinsbekræftelse og logger dig ud overalt. Derefter logger du ind med din adgangskode og sætter en ny op.".to_owned(),
                    "The link takes the lost second factor away and logs you out everywhere. Then you log in with your password and set up a new one.".to_owned(),
                ),
                say(
                    "Linket virker én gang og i et døgn. Var det ikke dig, så log ind med en kode: det stopper det.".to_owned(),
                    "The link works once and for a day. If that was not you, log in with a code: that stops it.".to_owned(),
                ),
            ],
            secret.and_then(|secret| link("Fjern den", "Take it away", format!("{home}/rescue/use/{}", secret.reveal()))),
        ),
        Template::RescueStopped => (
            say("Hjælpen til at komme ind er stoppet".to_owned(), "The help to get in was stopped".to_owned()),
            vec![
                say(format!("Den blev stoppet {at}. Din totrinsbekræftelse er, som den var."), format!("It was stopped {at}. Your second factor is as it was.")),
                say(
                    "Var det ikke dig, der bad om hjælp, så skift din adgangskode.".to_owned(),
                    "If it was not you who asked for help, change your password.".to_owned(),
                ),
            ],
            security(),
        ),
        Template::EmailConfirm => (
            say("Bekræft din nye adresse".to_owned(), "Confirm your new address".to_owned()),
            vec![
                say(
                    format!("{name} vil bruge {} til at logge ind i stedet for {}.", asked.to, word("was")),
                    format!("{name} wants to log in as {} in place of {}.", asked.to, word("was")),
                ),
                say(
                    "Linket virker én gang og i et døgn. Kender du ikke til det, så gør ingenting.".to_owned(),
                    "The link works once and for a day. If you know nothing of this, do nothing.".to_owned(),
                ),
            ],
            secret.and_then(|secret| link("Bekræft adressen", "Confirm the address", format!("{home}/mailbox/{}", secret.reveal()))),
        ),
        Template::EmailChanged => (
            say("Din adresse er ændret".to_owned(), "Your address was changed".to_owned()),
            vec![
                say(
                    format!("Den {at} blev {} ændret til en anden adresse, som er bekræftet.", asked.to),
                    format!("On {at}, {} was changed to another address, which was confirmed.", asked.to),
                ),
                say(
                    "Var det ikke dig, så tag det tilbage med linket: din adresse bliver den gamle, og alle logges ud. Det gælder i 7 dage.".to_owned(),
                    "If that was not you, take it back with the link: your address is the old one again, and everybody is logged out. It holds for 7 days.".to_owned(),
                ),
            ],
            secret.and_then(|secret| link("Tag det tilbage", "Take it back", format!("{home}/mailbox/undo/{}", secret.reveal()))),
        ),
        Template::Decision => (
            say(format!("Der er truffet en afgørelse, sag {case}"), format!("There is a decision, case {case}")),
            vec![
                sentence(),
                say(
                    "Begrundelsen står i panelet: fakta, det punkt i husordenen, hvad der er begrænset, siden hvornår og til hvornår, og hvordan du klager.".to_owned(),
                    "The statement of reasons is in the panel: the facts, the clause of the house rules, what is restricted, since when and until when, and how to complain.".to_owned(),
                ),
            ],
            link("Læs afgørelsen", "Read the decision", decision()),
        ),
        Template::ComplaintAnswered => (
            say(format!("Din klage er besvaret, sag {case}"), format!("Your complaint was answered, case {case}")),
            vec![sentence(), say("Svaret og begrundelsen står i panelet.".to_owned(), "The answer and its reasons are in the panel.".to_owned())],
            link("Læs svaret", "Read the answer", decision()),
        ),
        Template::Trouble => (
            say(format!("{name} har brug for opmærksomhed"), format!("{name} needs attention")),
            vec![
                sentence(),
                say(
                    "Husorden prøver igen af sig selv. Siden for løsningen siger, hvad du kan gøre.".to_owned(),
                    "Husorden tries again by itself. The solution's page says what you can do.".to_owned(),
                ),
            ],
            link("Åbn løsningen", "Open the solution", format!("{panel}/solutions/{}", word("solution"))),
        ),
        Template::OrderDone => (
            say(format!("{name}: færdig"), format!("{name}: done")),
            vec![
                sentence(),
                say("Du behøver ikke gøre noget; alt står i panelet.".to_owned(), "You need do nothing; everything is in the panel.".to_owned()),
            ],
            link("Åbn løsningen", "Open the solution", format!("{panel}/solutions/{}", word("solution"))),
        ),
        Template::OrderFailed => (
            say(format!("{name}: mislykkedes"), format!("{name}: failed")),
            vec![
                sentence(),
                say("Intet er ændret, før arbejdet er færdigt.".to_owned(), "Nothing is changed before work is done.".to_owned()),
            ],
            link("Åbn løsningen", "Open the solution", format!("{panel}/solutions/{}", word("solution"))),
        ),
        Template::Alarm => {
            let (bad, over) = (texts("bad"), texts("over"));
            let subject = match (bad.as_slice(), over.as_slice()) {
                ([one], _) => say(format!("Alarm: {one}"), format!("Alarm: {one}")),
                ([], _) => say("Alarmen er ovre".to_owned(), "The alarm is over".to_owned()),
                (more, _) => say(format!("Alarm: {} ting", more.len()), format!("Alarm: {} things", more.len())),
            };
            let mut lines = bad;
            if !over.is_empty() {
                lines.push(say("Som det skal være igen:".to_owned(), "As it should be again:".to_owned()));
                lines.extend(over);
            }
            (subject, lines, link("Se, hvordan huset har det", "See how the house is", format!("{}/health", places.desk)))
        }
        Template::Event => (
            sentence(),
            vec![
                sentence(),
                say(
                    "Hele historien står i panelet under Hændelser.".to_owned(),
                    "The whole story is in the panel under Events.".to_owned(),
                ),
            ],
            link("Åbn siden", "Open the page", format!("{panel}{}", page(word("kind"), word("solution")))),
        ),
    };
    // Who is a member of several accounts must know which one it is about.
    let account = word("account_name");
    if !account.is_empty() {
        lines.push(say(format!("Kontoen: {account}"), format!("The account: {account}")));
    }
    Draft { subject, lines, link, foot }
}

/// The page that an event is seen on.
fn page(kind: &str, solution: &str) -> String {
    match kind.split('.').next().unwrap_or_default() {
        "solution" | "credential" | "wish" | "agreement" if !solution.is_empty() => format!("/solutions/{solution}"),
        "measure" | "complaint" => "/decisions".to_owned(),
        "subscription" | "payment" => "/billing".to_owned(),
        "member" => "/members".to_owned(),
        "account" => "/account".to_owned(),
        "token" => "/tokens".to_owned(),
        "rules" => "/rules".to_owned(),
        "grant" => "/evidence".to_owned(),
        _ => "/".to_owned(),
    }
}

/// A moment as people read it; what is none is left out.
fn moment(text: &str) -> String {
    text.parse::<jiff::Timestamp>().map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}
