//! Libraries that put passwords set in SQL before the platform's judge, one for each make of server; see `judge/`. They are built with this
//! crate, carried in the program, and written where sandboxes can be given them.

use crate::listen::put_as;
use husorden_kinds::Protocol;
use std::io;
use std::path::{Path, PathBuf};

static POSTGRES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libjudge_postgres.so"));
static MARIADB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libjudge_mariadb.so"));

/// Where the libraries lie.
#[derive(Debug)]
pub(crate) struct Judges {
    postgres: PathBuf,
    mariadb: PathBuf,
}

impl Judges {
    /// Writes them below `run`.
    pub(crate) fn put(run: &Path) -> io::Result<Self> {
        let postgres = put_as(run, "judge-postgres.so", POSTGRES)?;
        let mariadb = put_as(run, "judge-mariadb.so", MARIADB)?;
        Ok(Self { postgres, mariadb })
    }

    /// The one for servers that speak this.
    pub(crate) fn of(&self, protocol: Protocol) -> PathBuf {
        match protocol {
            Protocol::Postgresql => self.postgres.clone(),
            Protocol::Mysql => self.mariadb.clone(),
        }
    }
}
