//! `husorden licence`: pools of licences of operating systems, and who has one.

use crate::api::{Ask, segment, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{LicencePool, LicencePoolForm};
use serde_json::Value;
use ureq::http::Method;

/// What can be done with pools of licences.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List the pools, how many licences each has, and who has them
    #[command(visible_alias = "ls")]
    List,
    /// Say how many licences a pool has, making it where there is none
    Set {
        /// Its name, as images have it
        pool: String,
        /// How many servers may have one at a time
        seats: u32,
        /// Which contract, for people
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take away a pool that nobody has a licence of
    Remove {
        /// Its name
        pool: String,
    },
}

fn path(pool: &str) -> String {
    format!("/v1/licences/{}", segment(pool))
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &context.api.all::<LicencePool>("/v1/licences")?),
            Self::Set { pool, seats, note } => {
                let form = to_value(&LicencePoolForm { seats, note })?;
                let one: LicencePool = context.api.ask(&Ask::new(Method::PUT, &path(&pool)).with(&form))?;
                output::one(context.format, &one.name, &one)
            }
            Self::Remove { pool } => {
                let _: Value = context.api.ask(&Ask::new(Method::DELETE, &path(&pool)))?;
                output::put(&format!("{pool}: {}", context.word("fjernet", "removed")))
            }
        }
    }
}

impl Row for LicencePool {
    const COLUMNS: &'static [&'static str] = &["name", "seats", "used", "images", "servers", "note"];

    fn cells(&self) -> Vec<String> {
        let servers: Vec<String> = self.uses.iter().map(|one| format!("{}/{}", one.account, one.name)).collect();
        vec![
            self.name.clone(),
            self.seats.to_string(),
            self.uses.len().to_string(),
            self.images.join(" "),
            servers.join(" "),
            self.note.clone(),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
