//! A log store as the engine's own files again, with nothing of the platform running: for whoever has a copy of it.

use super::{Header, copy, list, open};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// What came out.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Headers of the pieces that are whole, the oldest first.
    pub whole: Vec<Header>,
    /// What is missing or wrong, each in a sentence.
    pub faults: Vec<String>,
}

/// Writes the engine's own files of all pieces into a folder, which must be empty, and checks that each follows the one before.
///
/// # Errors
/// When there is nothing to be read, or the files cannot be written.
pub fn extract(store: &Path, to: &Path) -> io::Result<Extracted> {
    fs::create_dir_all(to)?;
    if fs::read_dir(to)?.next().is_some() {
        let said = format!("{} is not empty; name a folder that is, or one that is not there yet", to.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, said));
    }
    let names = list(store)?;
    if names.is_empty() {
        let said = format!("{} holds no segments; name the folder that has files ending in .seg", store.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, said));
    }
    let mut out = Extracted::default();
    for name in names {
        let path = store.join(name.to_string());
        let fault = match open(&path) {
            Ok((header, _)) if header.name() != name => {
                Some(format!("{name}: its header says that it is {}", header.name()))
            }
            Ok((header, _)) => {
                out.faults.extend(out.whole.last().and_then(|before| gap(before, &header)));
                let fresh = to.join(format!(".{}", header.file));
                let copied = fs::File::create(&fresh).and_then(|mut file| copy(&path, &mut file));
                match copied {
                    Ok(_) => {
                        fs::rename(fresh, to.join(&header.file))?;
                        out.whole.push(header);
                        None
                    }
                    Err(error) => {
                        fs::remove_file(fresh)?;
                        Some(error.to_string())
                    }
                }
            }
            Err(error) => Some(error.to_string()),
        };
        out.faults.extend(fault);
    }
    Ok(out)
}

/// What is wrong between two pieces that follow each other here.
fn gap(before: &Header, after: &Header) -> Option<String> {
    if after.seq != before.seq + 1 {
        return Some(format!("pieces {} to {} are missing", before.seq + 1, after.seq - 1));
    }
    (after.previous != before.hash())
        .then(|| format!("piece {} does not follow piece {}: one of them was changed", after.seq, before.seq))
}

/// What to do with the files on a plain Debian, in the engine's own commands.
#[must_use]
pub fn commands(header: &Header, to: &Path) -> String {
    let (to, mut text) = (to.display(), String::new());
    let version = header.engine.split_once('-').map_or("", |(_, version)| version);
    if header.engine.starts_with("postgresql") {
        let _ = write!(
            text,
            "On Debian with postgresql-{version}, with the data folder of a backup or snapshot (`db/{engine}` of it) in DATA, owned by postgres:\n\
             \n  cat >> DATA/postgresql.auto.conf <<'END'\n\
             restore_command = 'cp {to}/%f %p'\n\
             recovery_target_time = '2030-01-31 16:02:03+00'\n\
             recovery_target_action = 'promote'\n\
             END\n  touch DATA/recovery.signal\n  \
             /usr/lib/postgresql/{version}/bin/postgres -D DATA -c ssl=off\n\
             \nLeave recovery_target_time out to have everything. It must lie after the backup was taken.\n",
            engine = header.engine,
        );
    } else {
        let _ = write!(
            text,
            "On Debian with mariadb-server {version}, with the data folder of a backup or snapshot (`db/{engine}` of it) in DATA, owned by mysql:\n\
             \n  mariadbd --no-defaults --datadir=DATA --log-bin=binlog --socket=/tmp/restore.sock --skip-networking --skip-grant-tables &\n  \
             position=$(mariadb --socket=/tmp/restore.sock -BNe 'SELECT @@gtid_binlog_pos')\n  \
             TZ=UTC mariadb-binlog ${{position:+--start-position=\"$position\"}} --stop-datetime='2030-01-31 16:02:03' {to}/binlog.* |\n      \
             mariadb --socket=/tmp/restore.sock --binary-mode\n\
             \nLeave --stop-datetime out to have everything. It must lie after the backup was taken.\n",
            engine = header.engine,
        );
    }
    text
}
