//! The statement of reasons: what a measure means for the account holder, said in sentences. Pure.
//!
//! The fields follow what the Digital Services Act asks of a statement (Regulation (EU) 2022/2065, article 17(3)): the
//! restriction with its territory and duration, the facts, whether automated means were used, the clause with the reasons
//! why, and how to complain. Territory and automation need no field: a site is closed everywhere, and people decide.

use crate::measure::{Access, Fate, Fates, Scope};
use husorden_base::Text;

/// What is restricted and what is not, in the order in which it matters to the holder.
#[must_use]
pub fn restricted(scope: Scope, access: Access, fates: Fates) -> Vec<Text> {
    let mut said = Vec::new();
    said.push(match scope {
        Scope::Solution { .. } => Text::new(
            "Løsningen er lukket: besøgende og programmer får intet svar ud over, at der er lukket, og sagens nummer.",
            "The solution is closed: visitors and programs get no answer but that it is closed, and the case number.",
        ),
        Scope::Account { .. } => Text::new(
            "Alle kontoens løsninger er lukket, også dem, der laves, mens det varer: besøgende og programmer får intet svar ud over, at der er lukket, og sagens nummer.",
            "All solutions of the account are closed, also those made while it lasts: visitors and programs get no answer but that it is closed, and the case number.",
        ),
    });
    said.push(match access {
        Access::Full => Text::new(
            "Du kan fortsat logge ind og bruge panelet, og tokens virker.",
            "You can still log in and use the panel, and tokens work.",
        ),
        Access::Decision => Text::new(
            "Du kan logge ind og se afgørelsen, klage og logge ud. Tokens og nøgler virker ikke.",
            "You can log in and see the decision, complain and log out. Tokens and keys do not work.",
        ),
        Access::DataOut => Text::new(
            "Du kan logge ind og se afgørelsen, klage og hente dine data ud. Tokens og nøgler virker ikke.",
            "You can log in and see the decision, complain and take your data out. Tokens and keys do not work.",
        ),
        Access::None => Text::new(
            "Løsningen er forseglet: der er ingen adgang, og intet kopieres, slettes eller udløber.",
            "The solution is sealed: there is no access, and nothing is copied, deleted or expires.",
        ),
    });
    let console = if fates.leave_console(access) { Fate::Goes } else { fates.console };
    said.extend([
        fate(fates.work, ("Det, der kører", "What runs")),
        fate(fates.connections, ("Åbne forbindelser", "Open connections")),
        fate(fates.mail, ("Mail i kø", "Queued mail")),
        fate(fates.cron, ("Planlagte opgaver", "Scheduled tasks")),
        fate(console, ("Konsol og skal", "Console and shell")),
    ]);
    said.push(Text::new(
        "Dine data er urørte, og alt kan åbnes igen lige så hurtigt, som det blev lukket.",
        "Your data is untouched, and everything can be opened again as fast as it was closed.",
    ));
    said
}

fn fate(fate: Fate, (da, en): (&str, &str)) -> Text {
    match fate {
        Fate::Goes => Text::new(format!("{da}: røres ikke."), format!("{en}: not touched.")),
        Fate::Waits => Text::new(
            format!("{da}: holdt tilbage, til foranstaltningen er ophævet."),
            format!("{en}: held back until the measure is lifted."),
        ),
        Fate::Cut => Text::new(format!("{da}: afbrudt."), format!("{en}: cut.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_base::{AccountId, SolutionId};

    #[test]
    fn every_choice_of_a_decision_is_said() {
        let one = Scope::Solution { id: SolutionId::new() };
        let all = Scope::Account { id: AccountId::new() };
        let fates = Fates::default();
        let said = |scope, access, fates| restricted(scope, access, fates);
        // Whatever is changed in the decision changes the statement.
        let usual = said(one, Access::Decision, fates);
        assert_ne!(usual, said(all, Access::Decision, fates));
        for access in [Access::Full, Access::DataOut, Access::None] {
            assert_ne!(usual, said(one, access, fates), "{access:?}");
        }
        for changed in [
            Fates { mail: Fate::Cut, ..fates },
            Fates { cron: Fate::Cut, ..fates },
            Fates { connections: Fate::Goes, ..fates },
            Fates { console: Fate::Goes, ..fates },
            Fates { work: Fate::Waits, ..fates },
        ] {
            assert_ne!(usual, said(one, Access::Decision, changed), "{changed:?}");
        }
    }
}
