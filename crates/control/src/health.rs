//! How the house is, for operators: nodes, database, jobs, mails, measures, disk, the list of leaked passwords. The judgement is
//! pure; looking is not.

use crate::app::App;
use crate::platform::{self, Standing};
use crate::state::SILENCE_S_MAX;
use crate::store::look::{self, Backups, Look};
use crate::vault::{self, VaultError};
use husorden_base::{Bytes, Text};
use husorden_passwords::ListState;
use husorden_wire::api::{Condition, Health, HealthCheck};
use husorden_wire::vault::Status;
use jiff::Timestamp;

/// Free disk below which it is degraded, and below which it is bad, in bytes.
const FREE_BYTES_FEW: u64 = 10 << 30;
const FREE_BYTES_MIN: u64 = 2 << 30;
/// Jobs that are late by this much are bad, in seconds.
const LATE_S_MAX: f64 = 900.0;
/// Days a certificate has left below which it is degraded, and below which it is bad: every authority we take makes them anew
/// with thirty days left.
const CERTIFICATE_DAYS_FEW: i64 = 21;
const CERTIFICATE_DAYS_MIN: i64 = 7;
/// Checkpoints of the evidence are signed every minute; older than this is degraded, in seconds.
const CHECKPOINT_S_MAX: f64 = 180.0;
/// Solutions that are named where nodes know more than control.
const STRAYS_NAMED_MAX: usize = 5;
/// The platform is backed up every minute; older than this is bad, in minutes.
const PLATFORM_MINUTES_MAX: i64 = 60;
/// Hours after which a backup of the platform that was not proven is told of.
const PLATFORM_PROVEN_HOURS_MAX: i64 = 48;

/// Looks at everything.
pub(crate) async fn look(app: &App) -> Health {
    let look = match look::look(app.doors().system()).await {
        Ok(look) => look,
        Err(error) => {
            tracing::warn!(%error, "the database can't be looked at for health");
            None
        }
    };
    let free = rustix::fs::statvfs(&app.config().spool).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)).ok();
    let list = app.judge().list();
    let mut checks = judged(look.as_ref(), free, &list);
    let nodes = look.iter().flat_map(|look| &look.nodes).filter(|node| node.certificate_ends.is_some());
    let ends = app.certificates().into_iter().chain(nodes.map(|node| (node.name.clone(), node.certificate_ends)));
    checks.extend(ends.map(|(name, ends)| of_certificate(&name, ends, Timestamp::now())));
    match look::strays(app.doors().system()).await {
        Ok(strays) => checks.extend(of_strays(&strays)),
        Err(error) => tracing::warn!(%error, "what nodes hold beyond what is known can't be read"),
    }
    if app.config().vault.is_some() {
        let vault = vault::status(app).await;
        let paper = vault.as_ref().is_ok_and(|vault| vault.platform);
        checks.push(of_vault(vault));
        if let Some(path) = &app.config().platform {
            checks.push(of_platform(paper, &platform::standing(path), Timestamp::now()));
        }
    }
    let state = checks.iter().map(|check| check.state).max().unwrap_or(Condition::Fine);
    Health { state, at: look.map_or_else(Timestamp::now, |look| look.at), checks }
}

fn check(name: impl Into<String>, state: Condition, da: impl Into<String>, en: impl Into<String>) -> HealthCheck {
    HealthCheck { name: name.into(), state, text: Text::new(da, en) }
}

fn judged(look: Option<&Look>, free: Option<u64>, list: &ListState) -> Vec<HealthCheck> {
    let mut checks = Vec::new();
    match look {
        Some(look) => of_database(look, &mut checks),
        None => checks.push(check("database", Condition::Bad, "Databasen svarer ikke", "The database does not answer")),
    }
    checks.push(match free {
        Some(free) => {
            let state = match free {
                ..FREE_BYTES_MIN => Condition::Bad,
                FREE_BYTES_MIN..FREE_BYTES_FEW => Condition::Degraded,
                _ => Condition::Fine,
            };
            check(
                "disk",
                state,
                format!("{} fri til control", Bytes(free)),
                format!("{} free for control", Bytes(free)),
            )
        }
        None => check("disk", Condition::Bad, "Disken kan ikke ses efter", "The disk can't be looked at"),
    });
    checks.push(match (&list.trouble, list.passwords) {
        (Some(why), _) => check(
            "passwords",
            Condition::Degraded,
            format!("Listen over lækkede adgangskoder kan ikke bruges: {why}"),
            format!("The list of leaked passwords can't be used: {why}"),
        ),
        (None, Some(count)) => check(
            "passwords",
            Condition::Fine,
            format!("{count} lækkede adgangskoder er kendt"),
            format!("{count} leaked passwords are known"),
        ),
        (None, None) => check(
            "passwords",
            Condition::Degraded,
            "Kun den lille liste over lækkede adgangskoder; se husorden passwords import",
            "Only the small list of leaked passwords; see husorden passwords import",
        ),
    });
    checks
}

fn of_database(look: &Look, checks: &mut Vec<HealthCheck>) {
    let size = Bytes(look.database_bytes);
    checks.push(check(
        "database",
        Condition::Fine,
        format!("PostgreSQL {} svarer; {size}", look.database_version),
        format!("PostgreSQL {} answers; {size}", look.database_version),
    ));
    for node in &look.nodes {
        #[allow(clippy::cast_precision_loss, reason = "seconds")]
        let silent = node.silent_s.is_none_or(|silent_s| silent_s > SILENCE_S_MAX as f64);
        let (state, da, en) = match (node.connected, silent) {
            (true, false) => (Condition::Fine, "forbundet og hørt", "connected and heard"),
            (true, true) => (Condition::Degraded, "forbundet, men tavs", "connected but silent"),
            (false, _) => (Condition::Bad, "ikke forbundet; kunderne kører videre", "not connected; customers run on"),
        };
        checks.push(check(
            format!("node:{}", node.name),
            state,
            format!("{}: {da}", node.name),
            format!("{}: {en}", node.name),
        ));
    }
    for (name, outside) in [("jobs", false), ("outbox", true)] {
        let ours = || look.jobs.iter().filter(|jobs| matches!(jobs.kind.as_str(), "mail" | "webhook") == outside);
        let (open, late, dead) =
            ours().fold((0, 0, 0), |sum, jobs| (sum.0 + jobs.open, sum.1 + jobs.late, sum.2 + jobs.dead));
        let oldest_s = ours().map(|jobs| jobs.oldest_s).fold(0.0, f64::max);
        let state = match (dead, late) {
            _ if oldest_s > LATE_S_MAX => Condition::Bad,
            (0, 0) => Condition::Fine,
            _ => Condition::Degraded,
        };
        let (da, en) = if outside { ("Mails og webhooks", "Mails and webhooks") } else { ("Egne job", "Own jobs") };
        checks.push(check(
            name,
            state,
            format!("{da}: {open} venter, {late} er forsinket, {dead} er opgivet"),
            format!("{en}: {open} wait, {late} are late, {dead} were given up"),
        ));
    }
    let (missing, standing) = (look.measures_not_in_force, look.measures_standing);
    checks.push(check(
        "measures",
        if missing == 0 { Condition::Fine } else { Condition::Bad },
        format!("{standing} gælder; steder, hvor de ikke er i kraft: {missing}"),
        format!("{standing} stand; places where they are not in force: {missing}"),
    ));
    checks.push(check(
        "evidence",
        if look.evidence_open == 0 { Condition::Fine } else { Condition::Degraded },
        format!("{} linjer venter på, at deres handling slutter", look.evidence_open),
        format!("{} lines wait for their act to end", look.evidence_open),
    ));
    checks.push(of_checkpoint(look.checkpoint_s));
    checks.push(of_backups(look.backups));
}

fn of_backups(backups: Backups) -> HealthCheck {
    let Backups { planned, late, failed, unproven, proofs_failed, oldest_unproven_s } = backups;
    let hours = oldest_unproven_s.map_or(0.0, |oldest_s| oldest_s / 3600.0);
    let state = match (late, failed + unproven + proofs_failed) {
        _ if proofs_failed > 0 => Condition::Bad,
        (0, 0) => Condition::Fine,
        (0, _) => Condition::Degraded,
        _ => Condition::Bad,
    };
    check(
        "backup",
        state,
        format!(
            "{planned} løsninger har en plan: {late} uden backup i 26 timer, {failed} mislykkedes, {unproven} uprøvet i 48 timer, \
             {proofs_failed} bestod ikke; den ældste prøve er {hours:.0} timer gammel"
        ),
        format!(
            "{planned} solutions have a plan: {late} without a backup in 26 hours, {failed} failed, {unproven} not proven in 48 hours, \
             {proofs_failed} did not pass; the oldest proof is {hours:.0} hours old"
        ),
    )
}

/// Without the vault nothing is backed up, restored or proven; without a recovery key on paper its loss is the loss of every backup.
fn of_vault(status: Result<Status, VaultError>) -> HealthCheck {
    match status {
        Ok(Status { recovery: Some(_), keys, .. }) => check(
            "vault",
            Condition::Fine,
            format!("Boksen svarer; {keys} nøgler, også skrevet til gendannelsesnøglen på papir"),
            format!("The vault answers; {keys} keys, also written for the recovery key on paper"),
        ),
        Ok(Status { recovery: None, keys, .. }) => check(
            "vault",
            Condition::Degraded,
            format!("Boksen svarer; {keys} nøgler, men ingen gendannelsesnøgle på papir: husorden vault recovery"),
            format!("The vault answers; {keys} keys, but no recovery key on paper: husorden vault recovery"),
        ),
        Err(error) => check(
            "vault",
            Condition::Bad,
            format!("Boksen svarer ikke, så intet sikkerhedskopieres eller hentes tilbage: {error}"),
            format!("The vault does not answer, so nothing is backed up or restored: {error}"),
        ),
    }
}

/// What nodes hold and control does not know of: it was brought back from a backup that is older. Nothing is removed because of it.
fn of_strays(strays: &[String]) -> Option<HealthCheck> {
    let count = strays.len();
    let named = strays.iter().take(STRAYS_NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    (count > 0).then(|| {
        check(
            "strays",
            Condition::Degraded,
            format!("{count} løsninger er kendt af noder og ukendte her; de kører videre: {named}"),
            format!("{count} solutions are known to nodes and unknown here; they run on: {named}"),
        )
    })
}

/// The platform's own backups: that there are some, off the machine, young, and proven.
fn of_platform(paper: bool, standing: &Standing, now: Timestamp) -> HealthCheck {
    let one = |state, da: &str, en: &str| check("platform", state, da, en);
    if !paper {
        return one(
            Condition::Degraded,
            "Platformen selv sikkerhedskopieres ikke: husorden vault platform laver papiret, den genopbygges med",
            "The platform itself is not backed up: husorden vault platform makes the paper that it is rebuilt with",
        );
    }
    let minutes = |at: Timestamp| now.duration_since(at).as_mins();
    let Some(newest) = standing.newest.map(minutes) else {
        let why = standing.trouble.as_ref().map_or("", |(_, why)| why.as_str());
        return one(
            Condition::Degraded,
            &format!("Platformen har ingen backup endnu. {why}"),
            &format!("The platform has no backup yet. {why}"),
        );
    };
    let proof = standing.proof.as_ref();
    if let Some(failed) = proof.filter(|proof| !proof.wrong.is_empty()) {
        let why = failed.wrong.join("; ");
        return one(
            Condition::Bad,
            &format!("Platformens backup bestod ikke sin prøve: {why}"),
            &format!("The platform's backup did not pass its proof: {why}"),
        );
    }
    let proven = standing.proven.map(|at| minutes(at) / 60);
    let where_to = &standing.target;
    let state = match proven {
        _ if newest > PLATFORM_MINUTES_MAX => Condition::Bad,
        Some(hours) if hours <= PLATFORM_PROVEN_HOURS_MAX && !standing.with_machine && newest <= 10 => Condition::Fine,
        _ => Condition::Degraded,
    };
    let proven =
        |never: &str, ago: &str| proven.map_or_else(|| never.to_owned(), |hours| ago.replace('#', &hours.to_string()));
    let (mut da, mut en) = (
        format!(
            "Platformens nyeste backup er {newest} min gammel og ligger på {where_to}; {}",
            proven("den er ikke prøvet endnu", "sidst prøvet for # timer siden")
        ),
        format!(
            "The platform's newest backup is {newest} min old and lies on {where_to}; {}",
            proven("it was not proven yet", "last proven # hours ago")
        ),
    );
    if standing.with_machine {
        da += ". Målet er en mappe på denne maskine og går tabt med den";
        en += ". The target is a folder of this machine and goes with it";
    }
    if let Some((_, why)) = &standing.trouble {
        da += &format!(". Den seneste mislykkedes: {why}");
        en += &format!(". The last one failed: {why}");
    }
    one(state, &da, &en)
}

/// A certificate is made anew long before its end; one that nears it was forgotten.
fn of_certificate(name: &str, ends: Option<Timestamp>, now: Timestamp) -> HealthCheck {
    let check_name = format!("certificate:{name}");
    let Some(ends) = ends else {
        return check(check_name, Condition::Bad, "Certifikatet kan ikke læses", "The certificate cannot be read");
    };
    let days = ends.duration_since(now).as_hours() / 24;
    let state = match days {
        _ if ends <= now => Condition::Bad,
        ..CERTIFICATE_DAYS_MIN => Condition::Bad,
        CERTIFICATE_DAYS_MIN..CERTIFICATE_DAYS_FEW => Condition::Degraded,
        _ => Condition::Fine,
    };
    let day = ends.strftime("%Y-%m-%d");
    if ends <= now {
        return check(check_name, state, format!("Udløb {day}"), format!("Ran out on {day}"));
    }
    check(
        check_name,
        state,
        format!("Det første certifikat udløber {day}, om {days} dage"),
        format!("The first certificate runs out on {day}, in {days} days"),
    )
}

fn of_checkpoint(checkpoint_s: Option<f64>) -> HealthCheck {
    match checkpoint_s {
        Some(age_s) => {
            let state = if age_s > CHECKPOINT_S_MAX { Condition::Degraded } else { Condition::Fine };
            let (da, en) = (
                format!("Det nyeste kontrolpunkt af loggen er {age_s:.0} s gammelt"),
                format!("The newest checkpoint of the log is {age_s:.0} s old"),
            );
            check("checkpoint", state, da, en)
        }
        None => check(
            "checkpoint",
            Condition::Degraded,
            "Loggen har intet kontrolpunkt endnu",
            "The log has no checkpoint yet",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Proven;
    use crate::store::look::{Jobs, NodeHeard};

    fn fine() -> Look {
        Look {
            at: Timestamp::UNIX_EPOCH,
            jobs: Vec::new(),
            nodes: vec![NodeHeard {
                name: "local".to_owned(),
                connected: true,
                silent_s: Some(1.0),
                certificate_ends: None,
            }],
            solutions: Vec::new(),
            measures_not_in_force: 0,
            measures_standing: 3,
            evidence_open: 0,
            checkpoint_s: Some(30.0),
            backups: Backups { planned: 7, oldest_unproven_s: Some(90_000.0), ..Backups::default() },
            database_bytes: 1,
            database_version: "15.1".to_owned(),
        }
    }

    #[test]
    fn a_vault_that_is_away_or_has_no_paper_is_told() {
        let status = |recovery: Option<&str>| {
            Ok(Status { keys: 1, destroyed: 0, targets: 0, recovery: recovery.map(str::to_owned), platform: false })
        };
        assert_eq!(of_vault(status(Some("age1"))).state, Condition::Fine);
        assert_eq!(of_vault(status(None)).state, Condition::Degraded);
        assert_eq!(of_vault(Err(VaultError::Garbage)).state, Condition::Bad);
    }

    #[test]
    fn what_nodes_know_beyond_is_told_and_no_more_than_a_few() {
        assert!(of_strays(&[]).is_none());
        let strays: Vec<String> = (0..9).map(|number| format!("local: {number} shop (tiny)")).collect();
        let said = of_strays(&strays).expect("told");
        assert_eq!(said.state, Condition::Degraded);
        assert!(said.text.en.starts_with("9 solutions") && said.text.da.contains("4 shop"), "{said:?}");
        assert!(!said.text.en.contains("5 shop"));
    }

    #[test]
    fn the_platforms_own_backups_are_off_the_machine_young_and_proven_or_it_is_said() {
        let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1000);
        let ago = |minutes| Some(now - jiff::SignedDuration::from_mins(minutes));
        let fine = Standing { target: "far".to_owned(), newest: ago(1), proven: ago(60), ..Standing::default() };
        let failed = Proven { wrong: vec!["a table is missing".to_owned()], ..Proven::default() };
        for (paper, standing, expected) in [
            (true, fine.clone(), Condition::Fine),
            (false, fine.clone(), Condition::Degraded),
            (true, Standing::default(), Condition::Degraded),
            (true, Standing { with_machine: true, ..fine.clone() }, Condition::Degraded),
            (true, Standing { newest: ago(20), ..fine.clone() }, Condition::Degraded),
            (true, Standing { newest: ago(61), ..fine.clone() }, Condition::Bad),
            (true, Standing { proven: None, ..fine.clone() }, Condition::Degraded),
            (true, Standing { proven: ago(49 * 60), ..fine.clone() }, Condition::Degraded),
            (true, Standing { proof: Some(failed), ..fine.clone() }, Condition::Bad),
        ] {
            let said = of_platform(paper, &standing, now);
            assert_eq!(said.state, expected, "{said:?}");
        }
    }

    #[test]
    fn a_certificate_is_told_of_before_it_ends() {
        let now = Timestamp::UNIX_EPOCH;
        let state = |hours: i64| {
            let ends = now + jiff::SignedDuration::from_hours(hours);
            of_certificate("panel", Some(ends), now).state
        };
        assert_eq!(state(30 * 24), Condition::Fine);
        assert_eq!(state(20 * 24), Condition::Degraded);
        assert_eq!(state(6 * 24), Condition::Bad);
        assert_eq!(state(-1), Condition::Bad);
        assert_eq!(of_certificate("panel", None, now).state, Condition::Bad);
    }

    #[test]
    fn each_trouble_shows_at_its_own_check() {
        let list = ListState { passwords: Some(7), imported: None, trouble: None };
        let states = |look: Option<&Look>, free, list: &ListState| -> Vec<(String, Condition)> {
            judged(look, free, list)
                .into_iter()
                .filter(|check| check.state != Condition::Fine)
                .map(|check| (check.name, check.state))
                .collect()
        };
        let plenty = Some(FREE_BYTES_FEW);
        assert_eq!(states(Some(&fine()), plenty, &list), []);
        let jobs =
            |kind: &str, late, dead, oldest_s| vec![Jobs { kind: kind.to_owned(), open: late, late, dead, oldest_s }];
        let node = |connected, silent_s| {
            vec![NodeHeard { name: "local".to_owned(), connected, silent_s, certificate_ends: None }]
        };
        for (look, name, state) in [
            (Look { measures_not_in_force: 1, ..fine() }, "measures", Condition::Bad),
            (Look { evidence_open: 1, ..fine() }, "evidence", Condition::Degraded),
            (Look { backups: Backups { late: 1, ..fine().backups }, ..fine() }, "backup", Condition::Bad),
            (Look { backups: Backups { failed: 1, ..fine().backups }, ..fine() }, "backup", Condition::Degraded),
            (Look { backups: Backups { unproven: 1, ..fine().backups }, ..fine() }, "backup", Condition::Degraded),
            (Look { backups: Backups { proofs_failed: 1, ..fine().backups }, ..fine() }, "backup", Condition::Bad),
            (Look { checkpoint_s: None, ..fine() }, "checkpoint", Condition::Degraded),
            (Look { checkpoint_s: Some(500.0), ..fine() }, "checkpoint", Condition::Degraded),
            (Look { jobs: jobs("mail", 1, 0, 61.0), ..fine() }, "outbox", Condition::Degraded),
            (Look { jobs: jobs("webhook", 0, 1, 0.0), ..fine() }, "outbox", Condition::Degraded),
            (Look { jobs: jobs("measure-end", 1, 0, 1000.0), ..fine() }, "jobs", Condition::Bad),
            (Look { nodes: node(false, Some(1.0)), ..fine() }, "node:local", Condition::Bad),
            (Look { nodes: node(true, Some(100.0)), ..fine() }, "node:local", Condition::Degraded),
        ] {
            assert_eq!(states(Some(&look), plenty, &list), [(name.to_owned(), state)]);
        }
        assert_eq!(states(None, plenty, &list), [("database".to_owned(), Condition::Bad)]);
        assert_eq!(states(Some(&fine()), Some(FREE_BYTES_MIN - 1), &list), [("disk".to_owned(), Condition::Bad)]);
        let none = ListState { passwords: None, ..list };
        assert_eq!(states(Some(&fine()), plenty, &none), [("passwords".to_owned(), Condition::Degraded)]);
    }
}
