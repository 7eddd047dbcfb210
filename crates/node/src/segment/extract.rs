//! A log store as the engine's own files again, with nothing of the platform running: for whoever has a copy of it.

use super::{Header, Name, copy, list, open};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
    let found = found(store)?;
    if found.is_empty() {
        let said = format!("{} holds no segments; name the folder that has files ending in .seg", store.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, said));
    }
    let mut out = Extracted::default();
    for (name, folder) in found {
        let path = folder.join(name.to_string());
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

/// All pieces of a folder and of the folders in it, in order: a log that was fetched from a target lies in chapters.
fn found(store: &Path) -> io::Result<Vec<(Name, PathBuf)>> {
    let mut found: Vec<(Name, PathBuf)> = list(store)?.into_iter().map(|name| (name, store.to_owned())).collect();
    for entry in fs::read_dir(store)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(list(&entry.path())?.into_iter().map(|name| (name, entry.path())));
        }
    }
    found.sort();
    Ok(found)
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
    let engine = &header.engine;
    if engine.starts_with("postgresql") {
        let _ = write!(
            text,
            "On Debian with postgresql-{version}, as the user postgres, with the data folder of a backup or snapshot (`db/{engine}` of it) in DATA\n\
             (its whole path), owned by postgres:\n\
             \n  rm -f DATA/postmaster.pid\n  \
             echo 'local all all trust' > DATA/pg_hba.conf\n  \
             cat >> DATA/postgresql.auto.conf <<'END'\n\
             restore_command = 'cp {to}/%f %p'\n\
             recovery_target_time = '2030-01-31 16:02:03+00'\n\
             recovery_target_action = 'promote'\n\
             END\n  touch DATA/recovery.signal\n  \
             /usr/lib/postgresql/{version}/bin/postgres -D DATA -c ssl=off -c hot_standby=off -c listen_addresses= -k DATA\n\
             \nIt answers when all of it is carried out, and nobody but the user postgres:\n\
             \n  psql --host=DATA --username=husorden app\n\
             \nThe time must lie after the backup was taken and before the last change that was kept. Leave recovery_target_time out to have everything.\n",
        );
    } else {
        let _ = write!(
            text,
            "On Debian with mariadb-server {version}, as the user mysql, with the data folder of a backup or snapshot (`db/{engine}` of it) in DATA\n\
             (its whole path), owned by mysql:\n\
             \n  printf '%s;\\n' 'SET sql_log_bin = 0' \"CREATE USER IF NOT EXISTS $(id -un)@localhost IDENTIFIED VIA unix_socket\" \\\n      \
             \"GRANT ALL ON *.* TO $(id -un)@localhost WITH GRANT OPTION\" > DATA/restore.sql\n  \
             mariadbd --no-defaults --datadir=DATA --log-bin=binlog --socket=DATA/restore.sock --skip-networking --init-file=DATA/restore.sql &\n  \
             until mariadb --no-defaults --socket=DATA/restore.sock -e 'SELECT 1' > /dev/null 2>&1; do sleep 1; done\n  \
             position=$(mariadb --no-defaults --socket=DATA/restore.sock -BNe 'SELECT @@gtid_binlog_pos')\n  \
             TZ=UTC mariadb-binlog --no-defaults ${{position:+--start-position=\"$position\"}} --stop-datetime='2030-01-31 16:02:03' {to}/binlog.* |\n      \
             mariadb --no-defaults --socket=DATA/restore.sock --binary-mode\n\
             \nIt answers by the same socket:\n\
             \n  mariadb --no-defaults --socket=DATA/restore.sock app\n\
             \n--stop-datetime (UTC) is the first second that is left out, and must lie after the backup was taken. Leave it out to have everything.\n",
        );
    }
    text
}
