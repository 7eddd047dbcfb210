//! Whether a caller may use a route: the account's measures first, then whom the route is open to, what it asks the caller to be
//! able to do, and whether a session proved lately who it is. Pure: the gate asks with what it found.

use crate::caller::{Credential, Who};
use crate::credential::Found;
use crate::routes::{Permission, Reach};
use husorden_base::{Refusal, Text};
use husorden_rules::Access;
use husorden_wire::api::{Capability, roles_with};
use jiff::{SignedDuration, Timestamp};

/// How long a session stays stepped up.
pub(crate) const STEP_UP_MINUTES_MAX: i64 = 15;

/// Refuses what the caller may not.
pub(crate) fn check(permission: Permission, found: &Found, now: Timestamp) -> Result<(), Refusal> {
    let is_staff = matches!(found.who, Who::Staff);
    if let Some(held) = &found.held {
        // Tokens and keys are dead; a human being who is logged in reads the decision and complains.
        let open = (permission.when_held && held.leaves(permission.capability))
            || (permission.data_out && held.access == Access::DataOut);
        if matches!(found.credential, Credential::Token(_)) || !open {
            return Err(held.refusal(true));
        }
    }
    match (permission.reach, is_staff) {
        (Reach::Staff, false) => return Err(staff_only()),
        (Reach::Account, true) => return Err(account_only()),
        (Reach::Anybody | Reach::Both, _) | (Reach::Staff, true) | (Reach::Account, false) => {}
    }
    if let Some(capability) = permission.capability {
        let enough = if is_staff { found.may.has_any(capability.of_staff()) } else { found.may.has(capability) };
        if !enough {
            return Err(missing(capability, is_staff, found.credential));
        }
    }
    let lately = |at: Timestamp| now.duration_since(at) < SignedDuration::from_mins(STEP_UP_MINUTES_MAX);
    if permission.dangerous
        && matches!(found.credential, Credential::Session(_))
        && !found.stepped_up.is_some_and(lately)
    {
        return Err(step_up());
    }
    Ok(())
}

/// The caller lacks a capability: says which, who has it, and what a token needs.
pub(crate) fn missing(capability: Capability, is_staff: bool, credential: Credential) -> Refusal {
    let needed: &[Capability] = if is_staff { capability.of_staff() } else { &[capability] };
    let words = needed.iter().map(|one| one.word()).collect::<Vec<_>>();
    let (da, en) = (words.join(" eller "), words.join(" or "));
    let roles = roles_with(is_staff, needed).join(", ");
    let may = needed.first().copied().unwrap_or(capability).title();
    let title = Text::new(
        format!("Der mangler en rettighed: {}", if da.is_empty() { capability.word() } else { &da }),
        format!("A right is missing: {}", if en.is_empty() { capability.word() } else { &en }),
    );
    let detail = match credential {
        Credential::Token(_) => Text::new(
            format!("Dette token må ikke {}. Brug et token med {da} i sit omfang; rollerne {roles} har den.", may.da),
            format!("This token may not {}. Use a token with {en} in its scope; the roles {roles} have it.", may.en),
        ),
        Credential::Session(_) => Text::new(
            format!("Din rolle må ikke {}. Det må rollerne {roles}.", may.da),
            format!("Your role may not {}. The roles {roles} may.", may.en),
        ),
    };
    Refusal::new("capability-missing", 403, title, detail)
}

fn staff_only() -> Refusal {
    Refusal::new(
        "staff-only",
        403,
        Text::new("Kun for personale", "Only for staff"),
        Text::new("Dette kan kun gøres af personale.", "This can only be done by staff."),
    )
}

fn account_only() -> Refusal {
    Refusal::new(
        "account-only",
        403,
        Text::new("Kun for konti", "Only for accounts"),
        Text::new(
            "Dette hører til en konto og kan ikke gøres af personale.",
            "This belongs to an account and cannot be done by staff.",
        ),
    )
}

fn step_up() -> Refusal {
    Refusal::new(
        "step-up-needed",
        403,
        Text::new("Bekræft, at det er dig", "Confirm that it is you"),
        Text::new(
            "Skriv dit kodeord eller din kode igen: POST /v1/session/step-up. Derefter gælder det i 15 minutter.",
            "Give your password or code again: POST /v1/session/step-up. It then holds for 15 minutes.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{Body, Stage, table};
    use crate::store::measure::Holding;
    use husorden_base::{Language, SessionId, TokenId};
    use husorden_wire::api::{self, Capabilities, Role, StaffRole};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn permission(reach: Reach, capability: Capability) -> Permission {
        Permission {
            reach,
            capability: Some(capability),
            writes: true,
            when_held: false,
            data_out: false,
            dangerous: false,
            person: false,
            stage: Stage::Open,
            body: Body::Json,
        }
    }

    fn account() -> Who {
        Who::Account(api::Account {
            id: String::new(),
            name: "ours".to_owned(),
            language: Language::En,
            created: Timestamp::UNIX_EPOCH,
        })
    }

    fn found(who: Who, session: bool, may: Capabilities) -> Found {
        Found {
            credential: if session { Credential::Session(SessionId::new()) } else { Credential::Token(TokenId::new()) },
            who,
            person: None,
            may,
            narrow: crate::doors::Narrow::default(),
            held: None,
            stepped_up: None,
            seat: None,
        }
    }

    fn code(permission: Permission, found: &Found) -> String {
        check(permission, found, NOW).map_or_else(|refusal| refusal.code, |()| "yes".to_owned())
    }

    #[test]
    fn a_right_that_is_missing_is_named_with_the_roles_that_have_it() {
        let reader = found(account(), true, Role::ReadOnly.capabilities());
        let refusal = check(permission(Reach::Both, Capability::SolutionDelete), &reader, NOW).expect_err("no");
        assert_eq!(refusal.code, "capability-missing");
        assert!(refusal.title.en.contains("solution-delete") && refusal.title.da.contains("solution-delete"));
        assert!(refusal.detail.en.contains("owner, admin, technical may"), "{}", refusal.detail.en);
        assert!(refusal.detail.da.contains("owner, admin, technical"), "{}", refusal.detail.da);
        let auditor = found(Who::Staff, true, StaffRole::Auditor.capabilities());
        let refusal = check(permission(Reach::Both, Capability::SolutionDelete), &auditor, NOW).expect_err("no");
        assert!(refusal.detail.en.contains("support, abuse, operations"), "{}", refusal.detail.en);
    }

    /// An account's capability is worth nothing in staff's hands, and the other way round.
    #[test]
    fn the_sides_do_not_mix() {
        let confused = found(Who::Staff, false, Capabilities::of_account());
        assert_eq!(code(permission(Reach::Both, Capability::SolutionChange), &confused), "capability-missing");
        let confused = found(account(), false, Capabilities::of_staff());
        assert_eq!(code(permission(Reach::Both, Capability::SolutionChange), &confused), "capability-missing");
        assert_eq!(code(permission(Reach::Staff, Capability::CaseDecide), &confused), "staff-only");
        let staff = found(Who::Staff, false, Capabilities::of_staff());
        assert_eq!(code(permission(Reach::Account, Capability::Complain), &staff), "account-only");
        assert_eq!(code(permission(Reach::Both, Capability::Complain), &staff), "capability-missing");
    }

    #[test]
    fn what_is_dangerous_takes_a_session_that_stepped_up_lately() {
        let dangerous = Permission { dangerous: true, ..permission(Reach::Both, Capability::TokenManage) };
        let mut session = found(account(), true, Capabilities::of_account());
        assert_eq!(code(dangerous, &session), "step-up-needed");
        for (seconds, said) in [(899, "yes"), (900, "step-up-needed")] {
            session.stepped_up = Some(NOW - SignedDuration::from_secs(seconds));
            assert_eq!(code(dangerous, &session), said, "{seconds} s");
        }
        assert_eq!(
            code(dangerous, &found(account(), false, Capabilities::of_account())),
            "yes",
            "a token has its scope"
        );
    }

    #[test]
    fn a_held_account_has_dead_tokens_and_sessions_that_read_the_decision() {
        let holding = |access: &str| -> Holding {
            serde_json::from_value(serde_json::json!({ "access": access, "case_number": "S-1", "clause": "mail.spam",
                "starts": "2026-01-01T00:00:00Z", "ends": null, "silent_until": null }))
            .expect("a measure")
        };
        let open = Permission { when_held: true, ..permission(Reach::Both, Capability::Read) };
        let own = Permission { when_held: true, ..permission(Reach::Both, Capability::Own) };
        let shut = permission(Reach::Both, Capability::Read);
        let out = Permission { data_out: true, ..shut };
        for (access, session, said) in [
            ("decision", false, ["account-held"; 4]),
            ("data-out", false, ["account-held"; 4]),
            ("none", false, ["account-held"; 4]),
            ("decision", true, ["yes", "yes", "account-held", "account-held"]),
            ("data-out", true, ["yes", "yes", "account-held", "yes"]),
            ("none", true, ["account-held", "yes", "account-held", "account-held"]),
        ] {
            let held = Found { held: Some(holding(access)), ..found(account(), session, Capabilities::of_account()) };
            assert_eq!(
                [open, own, shut, out].map(|permission| code(permission, &held)),
                said,
                "{access}, session {session}"
            );
        }
    }

    /// A role that only looks can look and nothing else, on every route there is.
    #[test]
    fn every_route_names_what_it_takes() {
        let reader = found(account(), true, Role::ReadOnly.capabilities());
        let auditor = found(Who::Staff, true, StaffRole::Auditor.capabilities());
        for route in table() {
            let say = format!("{} {}", route.method, route.path);
            let permission = route.permission;
            assert_eq!(permission.capability.is_none(), permission.reach == Reach::Anybody, "{say}");
            let Some(capability) = permission.capability else { continue };
            assert_eq!(
                capability.is_staffs(),
                permission.reach == Reach::Staff && capability != Capability::Own,
                "{say}"
            );
            if permission.writes && capability != Capability::Own {
                assert_ne!(code(permission, &reader), "yes", "{say} as a member who only reads");
                assert_ne!(code(permission, &auditor), "yes", "{say} as an auditor");
            }
        }
    }
}
