//! Attachments: a solution of an account uses a server of another one of the same account, over the node's own network.
//!
//! What is attached stands in one place, the `attach` of the solution that uses: it names the other, a database of it, and whether
//! the solution's own data lies there. Everything else follows from that and is stored nowhere: the user with its right, the
//! password, the way from port to port. So there are no two sides that could disagree, and what goes with the attachment is gone when
//! it is.
//!
//! The words here are all that kinds know of each other. A kind that uses others puts [`schema`] among its properties and [`read`]
//! into its reader of forms, says in [`crate::Kind::accepts`] what it speaks, and finds in [`crate::Order::uses`] where to go and who
//! it is there. A kind that is used says in [`crate::Kind::serves`] what it offers, and finds in [`crate::Order::guests`] who comes.

use crate::form::Form;
use crate::schema::field;
use crate::{Credential, Scheme, Way};
use husorden_base::{Number, Secret, SolutionId};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

/// Longest name of a database that is asked for; what there is, the other's kind says.
const DATABASE_CHARS_MAX: usize = 64;

/// What a solution uses, as its spec keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    /// The other solution.
    pub solution: SolutionId,
    /// The database of it.
    pub database: String,
    /// The solution's own data is to lie there, and not on its own volume.
    #[serde(default)]
    pub holds: bool,
}

/// What two solutions speak with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The protocol of MySQL, which MariaDB speaks.
    Mysql,
    /// The protocol of PostgreSQL.
    Postgresql,
}

/// What a solution offers to others of its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What it speaks.
    pub protocol: Protocol,
    /// The TCP port it listens on, inside.
    pub port: u16,
    /// How it keeps passwords.
    pub scheme: Scheme,
    /// The databases that others may be given.
    pub databases: Vec<String>,
}

/// Where a solution finds what it uses, and who it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// Which solution.
    pub solution: SolutionId,
    /// Its number.
    pub number: Number,
    /// It is to serve, and no measure holds it.
    pub open: bool,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its address, on the node's own network.
    pub address: Ipv4Addr,
    /// The TCP port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub username: String,
    /// The password. It is nowhere but in memory until the solution's own uid writes it where its code reads it.
    pub password: Secret,
}

/// Who uses a solution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The number of the other solution.
    pub number: Number,
    /// The database that it owns.
    pub database: String,
    /// The user that it comes as, with the verifier of its password.
    pub credential: Credential,
}

/// The user that the solution with this number comes as. It has a character that no name of a customer's has.
#[must_use]
pub fn username(number: Number) -> String {
    format!("attached-{number}")
}

impl Protocol {
    /// What people know it by.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Mysql => "MariaDB",
            Self::Postgresql => "PostgreSQL",
        }
    }
}

impl Attach {
    /// What a stored spec says; none where it uses nothing.
    #[must_use]
    pub fn of(spec: &Value) -> Option<Self> {
        Self::deserialize(spec.get("attach")?).ok()
    }
}

impl Used {
    /// What the port wall is told on the side that uses.
    #[must_use]
    pub fn way(&self) -> Way {
        Way { number: self.number, port: self.port }
    }

    /// What tells two attachments apart, with the password they come with; it leads to no password.
    #[must_use]
    pub fn digest(&self) -> String {
        let told = (self.solution, self.address, self.port, &self.database, &self.username, self.password.reveal());
        crate::sandbox::digest(&told)
    }
}

impl Guest {
    /// Where it comes from.
    #[must_use]
    pub fn net(&self) -> IpNet {
        IpNet::from(IpAddr::from(self.number.ipv4()))
    }
}

/// The field as JSON Schema, for a kind's properties. It has a place of its own on people's pages.
#[must_use]
pub fn schema() -> Value {
    let mut attach = field(
        json!({
            "type": ["object", "null"],
            "additionalProperties": false,
            "required": ["solution", "database"],
            "properties": {
                "solution": field(
                    json!({"type": "string", "maxLength": 63}),
                    ("Solution", "The name or id of a solution of the account. It is kept as the id."),
                    ("Løsning", "Navn eller id på en løsning på kontoen. Den gemmes som id."),
                ),
                "database": field(
                    json!({"type": "string", "minLength": 1, "maxLength": DATABASE_CHARS_MAX}),
                    ("Database", "A database of it. The solution becomes an owner of that, by a user of its own."),
                    ("Database", "En database i den. Løsningen bliver ejer af den, med sin egen bruger."),
                ),
                "holds": field(
                    json!({"type": "boolean", "default": false}),
                    ("Holds the data", "The solution's own data lies there. A change moves it, after a snapshot."),
                    ("Rummer data", "Løsningens egne data ligger der. Et skift flytter dem, efter et øjebliksbillede."),
                ),
            }
        }),
        (
            "Attached",
            "Another solution of the account that this one uses: user, password and way are made with it and go with it.",
        ),
        (
            "Tilknyttet",
            "En anden løsning på kontoen, som denne bruger: bruger, adgangskode og vej laves med den og går med den.",
        ),
    );
    attach["x-place"] = json!("attach");
    attach
}

/// Reads the field of a form. Where the form does not name it nothing is attached, also where something was: a change is read as the
/// whole spec with the change laid over it, and taking an attachment off leaves nothing of it there.
pub fn read(form: &mut Form<'_>, before: Option<&Attach>) -> Option<Attach> {
    let Some(value) = form.get("attach") else {
        if before.is_some_and(|before| before.holds) {
            form.refuse(
                "/attach",
                "Data ligger i den tilknyttede database. Flyt dem hjem først: sæt holds til false.",
                "The data lies in the attached database. Move it back first: set holds to false.",
            );
        }
        return before.filter(|before| before.holds).cloned();
    };
    let mut inner = Form::new(value, "/attach");
    let text = inner.text("solution").unwrap_or_default();
    let solution = text.parse::<SolutionId>();
    if solution.is_err() {
        inner.refuse("/solution", "Her ventes en løsning på kontoen.", "A solution of the account is expected here.");
    }
    let database = inner.text("database").unwrap_or_default().to_owned();
    if database.is_empty() || database.len() > DATABASE_CHARS_MAX {
        inner.refuse("/database", "Her ventes navnet på en database.", "The name of a database is expected here.");
    }
    let holds = inner.flag("holds", false);
    form.absorb(inner.finish());
    let read = Attach { solution: solution.ok()?, database, holds };
    if let Some(before) = before.filter(|before| before.holds)
        && (before.solution, &before.database) != (read.solution, &read.database)
    {
        form.refuse(
            "/attach",
            "Data ligger i den database, der er tilknyttet nu. Flyt dem hjem først: sæt holds til false.",
            "The data lies in the database that is attached now. Move it back first: set holds to false.",
        );
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: &Value, before: Option<&Attach>) -> Result<Option<Attach>, Vec<String>> {
        let mut form = Form::new(form, "");
        let read = read(&mut form, before);
        let wrong: Vec<String> = form.finish().into_iter().map(|field| field.pointer).collect();
        if wrong.is_empty() { Ok(read) } else { Err(wrong) }
    }

    #[test]
    fn data_is_moved_back_before_an_attachment_goes_or_leads_elsewhere() {
        let (one, other) = (SolutionId::new(), SolutionId::new());
        let holding = Attach { solution: one, database: "app".to_owned(), holds: true };
        let used = Attach { holds: false, ..holding.clone() };
        let form = |solution: SolutionId, holds: bool| json!({"attach": {"solution": solution, "database": "app", "holds": holds}});
        assert_eq!(check(&json!({}), None), Ok(None));
        assert_eq!(check(&form(one, false), None), Ok(Some(used.clone())));
        assert_eq!(check(&json!({"attach": null}), Some(&used)), Ok(None));
        assert_eq!(check(&json!({}), Some(&used)), Ok(None));
        assert_eq!(check(&form(other, false), Some(&used)).map(|read| read.map(|read| read.solution)), Ok(Some(other)));
        assert_eq!(check(&form(one, false), Some(&holding)), Ok(Some(used)));
        for refused in [json!({}), json!({"attach": null}), form(other, true)] {
            assert_eq!(check(&refused, Some(&holding)), Err(vec!["/attach".to_owned()]), "{refused}");
        }
        for (wrong, pointer) in [
            (json!({"attach": {"solution": "shop", "database": "app"}}), "/attach/solution"),
            (json!({"attach": {"solution": one, "database": ""}}), "/attach/database"),
            (json!({"attach": {"solution": one, "database": "app", "password": "x"}}), "/attach/password"),
            (json!({"attach": 7}), "/attach"),
        ] {
            assert!(check(&wrong, None).is_err_and(|wrong| wrong.iter().any(|at| at == pointer)), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_not_printed_and_not_in_what_tells_attachments_apart() {
        let used = |password: &str| Used {
            solution: SolutionId(uuid::Uuid::nil()),
            number: Number::new(9).expect("9"),
            open: true,
            protocol: Protocol::Mysql,
            address: Number::new(9).expect("9").ipv4(),
            port: 3306,
            database: "app".to_owned(),
            username: username(Number::new(7).expect("7")),
            password: Secret::new(password),
        };
        let (one, two) = (used("first secret"), used("second secret"));
        assert_ne!(one.digest(), two.digest());
        assert!(!format!("{one:?}{}", one.digest()).contains("first secret"));
        assert_eq!(one.username, "attached-7");
    }
}
