//! Who signed something, for people to read.

use super::StaffRole;
use husorden_base::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who signed something, as far as the reader may know it. Staff see names; a customer sees its own members by name, and of staff
/// the roles and a number that stays with the person, unless the installation shows names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Signed {
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of staff: the number that stays with the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Of staff: the roles now; none for who is staff no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<StaffRole>,
    /// A token: what it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Signed {
    /// In words: the name, else the number with the roles, else the token.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        let roles: Vec<String> = self.roles.iter().map(|role| role.title().get(language).to_owned()).collect();
        let roles = if roles.is_empty() { String::new() } else { format!(" ({})", roles.join(", ")) };
        match (&self.name, self.number, &self.token, language) {
            (Some(name), _, _, _) => name.clone(),
            (None, Some(number), _, Language::Da) => format!("Medarbejder nr. {number}{roles}"),
            (None, Some(number), _, Language::En) => format!("Staff no. {number}{roles}"),
            (None, None, Some(label), Language::Da) => format!("Token »{label}«"),
            (None, None, Some(label), Language::En) => format!("Token “{label}”"),
            (None, None, None, _) => "–".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_before_a_number_and_a_number_before_nothing() {
        let staff = Signed { number: Some(7), roles: vec![StaffRole::Abuse, StaffRole::Support], ..Signed::default() };
        let named = Signed { name: Some("Karen Holm".to_owned()), ..staff.clone() };
        let token = Signed { token: Some("deploy".to_owned()), ..Signed::default() };
        for (signed, da, en) in [
            (named, "Karen Holm", "Karen Holm"),
            (staff, "Medarbejder nr. 7 (misbrug, support)", "Staff no. 7 (abuse, support)"),
            (token, "Token »deploy«", "Token “deploy”"),
            (Signed::default(), "–", "–"),
        ] {
            assert_eq!((signed.words(Language::Da).as_str(), signed.words(Language::En).as_str()), (da, en));
        }
    }
}
