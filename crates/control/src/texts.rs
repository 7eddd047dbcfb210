//! What events say to people, in both languages. Stored events keep a word and data; the sentence is made when it is read.

use husorden_base::{Language, Money, Text};
use serde_json::Value;

/// The sentence of an event.
pub(crate) fn event(kind: &str, data: &Value) -> Text {
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = word("name");
    let number = |name: &str| data.get(name).map(Value::to_string).unwrap_or_default();
    let day = |name: &str| word(name).split('T').next().unwrap_or_default().to_owned();
    let amount = |language| {
        let amount = serde_json::from_value::<Money>(data.get("amount").cloned().unwrap_or_default()).ok();
        amount.map_or_else(String::new, |amount| amount.in_words(language))
    };
    let both = |da: String, en: String| Text::new(da, en);
    match kind {
        "solution.taken-over" => {
            both(format!("{name} er taget over fra sin server"), format!("{name} was taken over from its server"))
        }
        "solution.created" => both(format!("{name} er bestilt"), format!("{name} was ordered")),
        "solution.changed" => both(format!("{name} er ændret"), format!("{name} was changed")),
        "solution.started" => both(format!("{name} skal køre"), format!("{name} is to run")),
        "solution.stopped" => both(format!("{name} skal stoppe"), format!("{name} is to stop")),
        "solution.deleted" => both(
            format!("{name} er slettet og kan hentes tilbage til {}", word("until")),
            format!("{name} was deleted and can be brought back until {}", word("until")),
        ),
        "solution.undone" => {
            both(format!("En ændring af {name} er fortrudt"), format!("A change of {name} was undone"))
        }
        "solution.buried" => both(format!("{name} er væk for altid"), format!("{name} is gone for good")),
        "solution.key-destroyed" => both(
            format!(
                "Nøglen til sikkerhedskopierne af {name} er destrueret; den sidste kopi af den er væk senest {}",
                day("gone_by")
            ),
            format!("The key of the backups of {name} was destroyed; no copy of it remains after {}", day("gone_by")),
        ),
        "solution.settled" => both(format!("{name} står som ønsket"), format!("{name} stands as wished")),
        "solution.trouble" => {
            let text = serde_json::from_value::<Text>(data.get("text").cloned().unwrap_or_default()).ok();
            let (da, en) = text.map_or_else(|| (String::new(), String::new()), |text| (text.da, text.en));
            both(format!("{name} står ikke som ønsket: {da}"), format!("{name} does not stand as wished: {en}"))
        }
        "volume.filling" => both(
            format!("{} % af pladsen på {name} er brugt", number("percent")),
            format!("{} % of the disk of {name} is used", number("percent")),
        ),
        "volume.full" => both(
            format!("Pladsen på {name} er brugt op; intet er gået tabt"),
            format!("The disk of {name} is used up; nothing was lost"),
        ),
        "volume.room" => {
            both(format!("Der er plads på {name} igen"), format!("There is room on the disk of {name} again"))
        }
        "update.held" => both(
            format!("{name} er opdateret: {}, udgave {}", word("runtime"), word("to")),
            format!("{name} was updated: {}, build {}", word("runtime"), word("to")),
        ),
        "update.rolled-back" => {
            let restored = data.get("restored").and_then(Value::as_bool) == Some(true);
            let (da, en) = if restored { (" og data hentet tilbage", " and the data brought back") } else { ("", "") };
            both(
                format!(
                    "Opdateringen af {name} ({}) holdt ikke og er rullet tilbage{da}: {}",
                    word("runtime"),
                    word("reason")
                ),
                format!(
                    "The update of {name} ({}) did not hold and was rolled back{en}: {}",
                    word("runtime"),
                    word("reason")
                ),
            )
        }
        "log.broken" if data.get("full").and_then(Value::as_bool) == Some(true) => both(
            format!(
                "Pladsen på {name} er brugt op, så de øjebliksbilleder, loggen begynder fra, er væk; et tidspunkt kan fås igen fra og med, at der er plads"
            ),
            format!(
                "The disk of {name} is used up, so the snapshots that its log begins from are gone; a point in time can be had again from when there is room"
            ),
        ),
        "log.broken" => both(
            format!("Der var ikke plads til hele loggen for {name}; et tidspunkt kan fås fra {} og frem", word("from")),
            format!(
                "There was no room for all of the log of {name}; a point in time can be had from {} on",
                word("from")
            ),
        ),
        "backup.ready" => both(format!("{name} er sikkerhedskopieret"), format!("{name} was backed up")),
        "backup.failed" | "proof.failed" | "proof.ended" => {
            let why = serde_json::from_value::<Text>(data.get("text").cloned().unwrap_or_default()).ok();
            let (da, en) = why.map_or_else(|| (String::new(), String::new()), |text| (text.da, text.en));
            match kind {
                "backup.failed" => {
                    both(format!("Backuppen af {name} mislykkedes. {da}"), format!("The backup of {name} failed. {en}"))
                }
                "proof.failed" => both(
                    format!("Prøven af backuppen af {name} bestod ikke. {da}"),
                    format!("The proof of the backup of {name} did not pass. {en}"),
                ),
                _ => both(
                    format!("Backuppen af {name} kunne ikke prøves. {da}"),
                    format!("The backup of {name} could not be proven. {en}"),
                ),
            }
        }
        "backup.missing" => {
            let (count, target) = (data.get("count").and_then(Value::as_i64).unwrap_or(1), word("target"));
            match count {
                1 => both(
                    format!(
                        "En backup af {name} er ikke på målet {target} længere, og det er ikke platformen, der har fjernet den"
                    ),
                    format!(
                        "A backup of {name} is not at the target {target} any more, and it was not the platform that removed it"
                    ),
                ),
                _ => both(
                    format!(
                        "{count} backupper af {name} er ikke på målet {target} længere, og det er ikke platformen, der har fjernet dem"
                    ),
                    format!(
                        "{count} backups of {name} are not at the target {target} any more, and it was not the platform that removed them"
                    ),
                ),
            }
        }
        "proof.passed" => both(
            format!("Backuppen af {name} er prøvet og holder"),
            format!("The backup of {name} was proven and holds"),
        ),
        "backup-plan.changed" => match data.get("on").and_then(Value::as_bool) {
            Some(false) => both(format!("Backup af {name} er slået fra"), format!("Backups of {name} were turned off")),
            _ => both(format!("Backupplanen for {name} er ændret"), format!("The backup plan of {name} was changed")),
        },
        "snapshot-schedule.changed" => match data.get("every").and_then(Value::as_str) {
            Some("off") => both(
                format!("Der tages ikke længere øjebliksbilleder af {name} efter tidsplan"),
                format!("Snapshots of {name} are no longer taken on a schedule"),
            ),
            _ => both(
                format!("Tidsplanen for øjebliksbilleder af {name} er ændret"),
                format!("The snapshot schedule of {name} was changed"),
            ),
        },
        "snapshot-schedule.missed" => {
            let why = crate::snapshot_schedule::why(word("why"), data.get("text"));
            both(
                format!("Øjebliksbilledet af {name} efter tidsplan blev ikke taget. {}", why.da),
                format!("The scheduled snapshot of {name} was not taken. {}", why.en),
            )
        }
        "target.created" => both(format!("Backupmålet {name} er lavet"), format!("The backup target {name} was made")),
        "target.changed" => {
            both(format!("Backupmålet {name} er ændret"), format!("The backup target {name} was changed"))
        }
        "target.retired" => {
            both(format!("Backupmålet {name} er taget ud af brug"), format!("The backup target {name} was retired"))
        }
        "firewall.created" => both(format!("Firewallen {name} er lavet"), format!("The firewall {name} was made")),
        "firewall.changed" => both(format!("Firewallen {name} er ændret"), format!("The firewall {name} was changed")),
        "firewall.deleted" => both(format!("Firewallen {name} er slettet"), format!("The firewall {name} was deleted")),
        "address.named" => match data.get("leads").and_then(Value::as_str) {
            Some(leads) => both(
                format!("Fra {} på {name} fører navnet {leads} nu tilbage", word("address")),
                format!("The name {leads} leads back from {} of {name} now", word("address")),
            ),
            None => both(
                format!("Fra {} på {name} fører intet navn tilbage længere", word("address")),
                format!("No name leads back from {} of {name} any more", word("address")),
            ),
        },
        "agreement.asked" => both(
            format!("{name}: der er spurgt om port 25 ud, {} beskeder om ugen", number("per_week")),
            format!("{name}: port 25 out was asked for, {} messages a week", number("per_week")),
        ),
        "agreement.decided" => agreement_decided(data),
        "agreement.ended" => agreement_ended(data),
        "access.allowed" => both(
            format!("{} må nu forbinde til {name}", word("net")),
            format!("{} may connect to {name} now", word("net")),
        ),
        "access.opened" => both(
            format!("{} må forbinde til {name} indtil {}", word("net"), word("until")),
            format!("{} may connect to {name} until {}", word("net"), word("until")),
        ),
        "access.refused" => {
            // One address is said without its prefix.
            let net = word("net").trim_end_matches("/32");
            both(
                format!("{net} ville forbinde til {name} og blev afvist"),
                format!("{net} tried to connect to {name} and was refused"),
            )
        }
        "credential.changed" => both(
            format!("{name} har fået et nyt kodeord: {}", word("credential")),
            format!("{name} has a new password: {}", word("credential")),
        ),
        "order.queued" => {
            both(format!("Bestilt: {}", verb(word("verb")).da), format!("Ordered: {}", verb(word("verb")).en))
        }
        "order.done" => both(format!("Færdig: {}", verb(word("verb")).da), format!("Done: {}", verb(word("verb")).en)),
        "order.failed" => {
            let why = serde_json::from_value::<Text>(data.get("text").cloned().unwrap_or_default()).ok();
            let (da, en) = why.map_or_else(|| (String::new(), String::new()), |text| (text.da, text.en));
            both(
                format!("Mislykkedes: {}. {da}", verb(word("verb")).da),
                format!("Failed: {}. {en}", verb(word("verb")).en),
            )
        }
        "wish.refused" => both(
            format!("Serveren afviste ønsket for {name}: {}", word("why")),
            format!("The node refused the wish for {name}: {}", word("why")),
        ),
        "evidence.alarm" => both(
            format!("Bevisloggen: {} {}{}", word("is"), word("why"), word("target")),
            format!("The evidence log: {} {}{}", word("is"), word("why"), word("target")),
        ),
        "evidence.well" => both(
            format!("Bevisloggen er i orden igen: {} {}", word("is"), word("target")),
            format!("The evidence log is well again: {} {}", word("is"), word("target")),
        ),
        "platform.rebuilt" => both(
            format!("Platformen er genopbygget fra en backup fra {}, bekræftet af {}", word("of"), word("by")),
            format!("The platform was rebuilt from a backup of {}, confirmed by {}", word("of"), word("by")),
        ),
        "platform.backup-failed" => both(
            format!("Platformens egen backup mislykkes: {}", word("why")),
            format!("The platform's own backup fails: {}", word("why")),
        ),
        "platform.backup-well" => both(
            "Platformens egen backup er i orden igen".to_owned(),
            "The platform's own backup is well again".to_owned(),
        ),
        "platform.proof-failed" => both(
            format!("Prøven af platformens backup bestod ikke: {}", word("why")),
            format!("The proof of the platform's backup did not pass: {}", word("why")),
        ),
        "node.chain-broken" => both(
            format!("Kæden af beviser fra serveren {} er brudt", word("node")),
            format!("The chain of evidence of the node {} is broken", word("node")),
        ),
        "measure.decided" | "measure.taken" => both(
            format!("Der er truffet en foranstaltning, sag {}", word("case")),
            format!("A measure was taken, case {}", word("case")),
        ),
        "measure.in-force" => both(
            format!("Foranstaltningen er i kraft, sag {}", word("case")),
            format!("The measure is in force, case {}", word("case")),
        ),
        "measure.seen" => both(
            format!("Foranstaltningen er set udefra: der er lukket, sag {}", word("case")),
            format!("The measure was seen from outside: it is closed, case {}", word("case")),
        ),
        "measure.seen-open" => both(
            format!("Set udefra: foranstaltningen er væk, sag {}", word("case")),
            format!("Seen from outside: the measure is gone, case {}", word("case")),
        ),
        "measure.lift" => both(
            format!("Foranstaltningen bliver ophævet, sag {}", word("case")),
            format!("The measure is being lifted, case {}", word("case")),
        ),
        "measure.lifted" => both(
            format!("Foranstaltningen er ophævet, sag {}", word("case")),
            format!("The measure was lifted, case {}", word("case")),
        ),
        "measure.ended" => both(
            format!("Foranstaltningen er udløbet, sag {}", word("case")),
            format!("The measure has run out, case {}", word("case")),
        ),
        "measure.late" => {
            let nodes = data.get("nodes").map(ToString::to_string).unwrap_or_default();
            both(
                format!("Foranstaltningen i sag {} er ikke nået frem til {nodes}", word("case")),
                format!("The measure in case {} has not reached {nodes}", word("case")),
            )
        }
        "complaint.made" => both(
            format!("Der er klaget i sag {}", word("case")),
            format!("There is a complaint in case {}", word("case")),
        ),
        "complaint.answered" => both(
            format!("Klagen i sag {} er besvaret", word("case")),
            format!("The complaint in case {} was answered", word("case")),
        ),
        "rules.published" => both(
            format!("Husordenen har fået en ny udgave: version {}, gælder fra {}", number("version"), day("effective")),
            format!("The house rules have a new version: {}, from {}", number("version"), day("effective")),
        ),
        "rules.accepted" => both(
            format!("Husordenens version {} er accepteret", number("version")),
            format!("Version {} of the house rules was accepted", number("version")),
        ),
        "subscription.begun" => both(format!("{name} er bestilt"), format!("{name} was ordered")),
        "subscription.renewed" => {
            both(format!("En ny periode af {name} er begyndt"), format!("A new period of {name} has begun"))
        }
        "subscription.ending" => {
            both(format!("{name} løber ud {}", day("until")), format!("{name} runs out on {}", day("until")))
        }
        "subscription.continues" => both(format!("{name} fortsætter"), format!("{name} goes on")),
        "subscription.lapsed" => both(format!("{name} er løbet ud"), format!("{name} has run out")),
        "subscription.ended" => {
            let said = data.pointer("/money/statement").cloned().unwrap_or_default();
            let said = serde_json::from_value::<Text>(said).unwrap_or_else(|_| Text::new("", ""));
            both(format!("{name} er afsluttet. {}", said.da), format!("{name} was ended. {}", said.en))
        }
        "subscription.returned" => both(
            format!("{name}: det fortabte, {}, er givet tilbage", amount(Language::Da)),
            format!("{name}: what was forfeited, {}, was given back", amount(Language::En)),
        ),
        "payment.entered" => both(
            format!("Betaling bogført: {}", amount(Language::Da)),
            format!("Payment entered: {}", amount(Language::En)),
        ),
        "grant.given" => both(
            format!("Personale er lukket ind til {}: {}", word("until"), word("reason")),
            format!("Staff were let in until {}: {}", word("until"), word("reason")),
        ),
        "grant.broken" => both(
            format!("Personale har brudt glasset til {}: {}", word("until"), word("reason")),
            format!("Staff broke the glass until {}: {}", word("until"), word("reason")),
        ),
        "grant.used" => both(
            format!("Personale har handlet her ({}): {}", word("acts"), word("reason")),
            format!("Staff acted here ({}): {}", word("acts"), word("reason")),
        ),
        "grant.ended" => both(
            format!("Personales adgang er afsluttet: {}", word("reason")),
            format!("Staff's access was ended: {}", word("reason")),
        ),
        "account.created" => both(format!("Kontoen {name} er oprettet"), format!("The account {name} was made")),
        "webhook.created" => both(format!("Webhooken {name} er lavet"), format!("The webhook {name} was made")),
        "webhook.changed" => both(format!("Webhooken {name} er ændret"), format!("The webhook {name} was changed")),
        "webhook.deleted" => both(format!("Webhooken {name} er slettet"), format!("The webhook {name} was deleted")),
        "webhook.failed" => both(
            format!("En besked til webhooken {name} er opgivet: {}", word("why")),
            format!("A delivery to the webhook {name} was given up: {}", word("why")),
        ),
        "mail.dead" => {
            both(format!("En mail er opgivet: {}", word("why")), format!("A mail was given up: {}", word("why")))
        }
        "webhook.dead" => {
            both(format!("En webhook er opgivet: {}", word("why")), format!("A webhook was given up: {}", word("why")))
        }
        "account.changed" => Text::new("Kontoens oplysninger er ændret", "The account's details were changed"),
        "member.invited" => both(
            format!("Nogen er indbudt som {}", role(word("role")).da),
            format!("Somebody was invited as {}", role(word("role")).en),
        ),
        "member.changed" => {
            both(format!("{name} er nu {}", role(word("role")).da), format!("{name} is now {}", role(word("role")).en))
        }
        "member.rescued" => both(
            format!("Personale hjælper {name}, som har mistet sin totrinsbekræftelse"),
            format!("Staff help {name}, who lost the second factor"),
        ),
        "member.removed" => both(format!("{name} er ikke længere medlem"), format!("{name} is no longer a member")),
        "network.created" => both(format!("Netværket {name} er oprettet"), format!("The network {name} was made")),
        "network.changed" => both(format!("Netværket hedder nu {name}"), format!("The network is now called {name}")),
        "network.deleted" => both(format!("Netværket {name} er slettet"), format!("The network {name} was deleted")),
        "token.created" => both(format!("Tokenet {name} er lavet"), format!("The token {name} was made")),
        "token.revoked" => both(format!("Tokenet {name} er tilbagekaldt"), format!("The token {name} was revoked")),
        other => Text::new(other, other),
    }
}

/// What staff said to a request for an agreement; why, its page says.
fn agreement_decided(data: &Value) -> Text {
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, until) = (word("name"), word("until").split('T').next().unwrap_or_default());
    match (data.get("agree").and_then(Value::as_bool), until) {
        (Some(true), "") => Text::new(
            format!("{name}: port 25 ud er åben efter aftale"),
            format!("{name}: port 25 out is open by agreement"),
        ),
        (Some(true), until) => Text::new(
            format!("{name}: port 25 ud er åben efter aftale til {until}"),
            format!("{name}: port 25 out is open by agreement until {until}"),
        ),
        _ => Text::new(format!("{name}: der er sagt nej til port 25 ud"), format!("{name}: port 25 out was refused")),
    }
}

/// Why an agreement is over, or was never made.
fn agreement_ended(data: &Value) -> Text {
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = word("name");
    if data.get("agreed").and_then(Value::as_bool) != Some(true) {
        return Text::new(
            format!("{name}: anmodningen om port 25 ud er trukket tilbage"),
            format!("{name}: the request for port 25 out was withdrawn"),
        );
    }
    match word("why") {
        "time" => Text::new(
            format!("{name}: aftalen om port 25 ud er udløbet, og porten er lukket"),
            format!("{name}: the agreement on port 25 out has run out, and the port is closed"),
        ),
        "staff" => Text::new(
            format!("{name}: aftalen om port 25 ud er sluttet af os, og porten er lukket"),
            format!("{name}: the agreement on port 25 out was ended by us, and the port is closed"),
        ),
        _ => Text::new(
            format!("{name}: aftalen om port 25 ud er slut, og porten er lukket"),
            format!("{name}: the agreement on port 25 out is over, and the port is closed"),
        ),
    }
}

/// A member's role, for people.
fn role(role: &str) -> Text {
    match role {
        "owner" => Text::new("ejer", "owner"),
        "admin" => Text::new("administrator", "admin"),
        "technical" => Text::new("teknisk medlem", "technical member"),
        "billing" => Text::new("økonomimedlem", "billing member"),
        "read-only" => Text::new("medlem, der kun læser", "read-only member"),
        other => Text::new(other, other),
    }
}

/// An order's verb, for people.
fn verb(verb: &str) -> Text {
    match verb {
        "snapshot" => Text::new("øjebliksbillede", "snapshot"),
        "restore" => Text::new("gendannelse", "restore"),
        "snapshot-delete" => Text::new("sletning af øjebliksbillede", "deletion of a snapshot"),
        "unpack" => Text::new("udpakning", "unpacking"),
        "dump" => Text::new("udtræk", "dump"),
        "package" => Text::new("pakke", "package"),
        "load" => Text::new("indlæsning", "load"),
        "back-up" => Text::new("backup", "backup"),
        "backup-restore" => Text::new("gendannelse fra backup", "restore of a backup"),
        "backup-read" => Text::new("læsning i en backup", "reading of a backup"),
        "prove" => Text::new("prøve af en backup", "proof of a backup"),
        "update" => Text::new("opdatering", "update"),
        "wake" => Text::new("vækning", "waking"),
        "sleep" => Text::new("dvale", "sleep"),
        "reset" => Text::new("nulstilling", "reset"),
        other => Text::new(other, other),
    }
}
