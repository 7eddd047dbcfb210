//! Copies of the private PostgreSQL: a base, what is written after it as it is written, and a copy brought back to life.
//!
//! PostgreSQL's own programs do it, as a user who may copy and nothing else, by the kernel's word, on the unix socket. A copy that is recovered
//! runs under a uid that is given, without a network, and only root and that uid reach it.

use super::{COPIER, EmbeddedError, Place, Programs, SUPERUSER, io};
use crate::doors::options;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The slot by which the server keeps what was not copied yet.
pub const SLOT: &str = "husorden_platform";
/// Longest time that a recovery may take.
const RECOVERY_WAIT: Duration = Duration::from_secs(2 * 3600);
/// What asks for a segment of the log; the newest is not whole yet.
const RESTORE: &str =
    r#"if [ -f "$HUSORDEN_LOG/%f" ]; then cp "$HUSORDEN_LOG/%f" "%p"; else cp "$HUSORDEN_LOG/%f.partial" "%p"; fi"#;

/// Who copies: one of the place's `copy_users`, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copier {
    /// Its uid.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A program of the version that the data was made with, on the server's socket.
fn on_socket(place: &Place, who: Copier, tool: &str) -> Result<Command, EmbeddedError> {
    let programs = Programs::choose(Path::new(super::PROGRAMS), place)?;
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={}", who.uid), format!("--regid={}", who.gid)]);
    // It ends with whoever started it, however that ended.
    command.args(["--clear-groups", "--pdeathsig", "TERM", "--"]).arg(programs.bin(tool));
    command.arg("-h").arg(&place.run).args(["-U", COPIER, "-w"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir("/").stdin(Stdio::null());
    Ok(command)
}

/// Makes the slot, unless it is there.
///
/// # Errors
/// When its programs are not there.
pub fn slot(place: &Place, who: Copier) -> Result<Command, EmbeddedError> {
    let mut command = on_socket(place, who, "pg_receivewal")?;
    command.args(["--slot", SLOT, "--create-slot", "--if-not-exists"]);
    Ok(command)
}

/// Copies into a folder what is written from now on, until it is ended or the server goes.
///
/// # Errors
/// When its programs are not there.
pub fn receiver(place: &Place, who: Copier, into: &Path) -> Result<Command, EmbeddedError> {
    let mut command = on_socket(place, who, "pg_receivewal")?;
    command.args(["--slot", SLOT, "--no-loop", "--status-interval=5", "-D"]).arg(into);
    Ok(command)
}

/// Copies all of it into a folder that is not there yet.
///
/// # Errors
/// When its programs are not there.
pub fn base(place: &Place, who: Copier, into: &Path) -> Result<Command, EmbeddedError> {
    let mut command = on_socket(place, who, "pg_basebackup")?;
    command.args(["--checkpoint=fast", "--wal-method=stream", "--label=husorden", "-D"]).arg(into);
    Ok(command)
}

/// The first segment of the log that a base needs, as its label says.
#[must_use]
pub fn first_segment(label: &str) -> Option<&str> {
    let line = label.lines().find(|line| line.starts_with("START WAL LOCATION:"))?;
    line.split_once("(file ")?.1.strip_suffix(')')
}

/// How far a copy is brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the end of what there is.
    End,
    /// To a point that was named.
    Point(String),
    /// To a moment: the last transaction before it.
    Time(Timestamp),
}

/// A copy that runs.
#[derive(Debug)]
pub struct Recovered {
    place: Place,
    child: Child,
}

impl Drop for Recovered {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // At once, with all of its own children: what is thrown away needs no order, and what is kept was ended by `stop`.
            if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::QUIT);
            }
            drop(self.child.wait());
        }
    }
}

/// Starts the copy in `place`, with the log of what came after its base, and waits until it has been brought so far.
///
/// # Errors
/// When it does not start, or what was asked for is not reached.
pub async fn recover(place: Place, log: &Path, until: &Until) -> Result<Recovered, EmbeddedError> {
    let programs = Programs::choose(Path::new(super::PROGRAMS), &place)?;
    super::folder(&place.run, 0o700, &place)?;
    let data = place.data();
    let signal = data.join("recovery.signal");
    std::fs::write(&signal, "").map_err(io("asking for a recovery"))?;
    std::os::unix::fs::chown(&signal, Some(place.uid), Some(place.gid)).map_err(io("asking for a recovery"))?;
    let said = place.home.join("recovery.log");
    let out = std::fs::File::create(&said).map_err(io(format!("making {}", said.display())))?;
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "setpriv", "--pdeathsig", "INT"]);
    command.args([format!("--reuid={}", place.uid), format!("--regid={}", place.gid)]).args(["--clear-groups", "--"]);
    command.arg(programs.bin("postgres")).arg("-D").arg(&data);
    let run = place.run.display();
    let mut settings = vec![
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={run}"),
        "archive_mode=off".to_owned(),
        "hot_standby=off".to_owned(),
        format!("restore_command={RESTORE}"),
        "recovery_target_action=promote".to_owned(),
    ];
    settings.extend(match until {
        Until::End => None,
        Until::Point(name) => Some(format!("recovery_target_name={name}")),
        // Names of zones are not known yet when settings are read.
        Until::Time(time) => Some(format!("recovery_target_time={}+00", time.strftime("%F %T%.f"))),
    });
    for setting in &settings {
        command.args(["-c", setting]);
    }
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("HUSORDEN_LOG", log).current_dir("/");
    let errors = out.try_clone().map_err(io("opening the copy's log"))?;
    command.stdin(Stdio::null()).stdout(out).stderr(errors);
    let child = command.spawn().map_err(io("starting a copy of the database"))?;
    let mut copy = Recovered { place, child };
    copy.ready(&said).await?;
    Ok(copy)
}

impl Recovered {
    /// Folder of its socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        &self.place.run
    }

    async fn ready(&mut self, said: &Path) -> Result<(), EmbeddedError> {
        let begun = Instant::now();
        let tail = || last_words(&std::fs::read_to_string(said).unwrap_or_default());
        loop {
            if let Some(status) = self.child.try_wait().map_err(io("looking after the copy"))? {
                return Err(EmbeddedError::NotReady(format!("the copy ended with {status}; {}", tail())));
            }
            if let Ok(mut connection) = superuser(&self.place.run, "postgres").await {
                let there: bool =
                    sqlx::query_scalar("select not pg_is_in_recovery()").fetch_one(&mut connection).await?;
                connection.close().await?;
                if there {
                    return Ok(());
                }
            }
            if begun.elapsed() > RECOVERY_WAIT {
                return Err(EmbeddedError::NotReady(format!("the copy is not there yet; {}", tail())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it in good order: what it holds is on the disk.
    ///
    /// # Errors
    /// When it can't be asked, or does not end.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        let programs = Programs::choose(Path::new(super::PROGRAMS), &self.place)?;
        super::tool(&self.place, &programs, "pg_ctl", &["stop", "-m", "fast", "-t", "120"]).await?;
        self.child.wait().map_err(io("waiting for the copy"))?;
        Ok(())
    }
}

/// The last that a copy said of itself; not what it answered whoever asked it too early, which is us, in one line or with a detail in the next.
fn last_words(text: &str) -> String {
    let mut early = false;
    let own = |line: &&str| {
        early = line.contains("FATAL:  the database system is ") || (early && line.contains(" DETAIL:  "));
        !early
    };
    let lines: Vec<&str> = text.lines().filter(own).collect();
    lines[lines.len().saturating_sub(5)..].join(" | ")
}

/// A connection as the superuser of a private PostgreSQL, or of a copy.
pub(crate) async fn superuser(run: &Path, database: &str) -> Result<PgConnection, sqlx::Error> {
    options(run, SUPERUSER, database).connect().await
}

/// Bytes of a segment of the log; the private server's are of the usual size.
const SEGMENT_BYTES: u64 = 16 << 20;

/// Removes what a copier left that died while it made room for a segment: it fills a file with zeros before it writes anything into it, and will not
/// go on with one that is half as long.
///
/// # Errors
/// When the folder can't be read, or such a file not removed.
pub fn remove_half_made(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let partial = entry.file_name().to_string_lossy().ends_with(".partial");
        if partial && !matches!(entry.metadata()?.len(), 0 | SEGMENT_BYTES) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The newest segments of a log in a folder that a base does not need, for they are older than it.
///
/// # Errors
/// When the folder can't be read.
pub fn older(folder: &Path, first: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut older = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let segment = name.strip_suffix(".partial").unwrap_or(&name);
        // By its place in the log, whatever line of time it is of.
        let whole = segment.len() == 24 && segment.bytes().all(|byte| byte.is_ascii_hexdigit());
        if whole && first.len() == 24 && segment[8..] < first[8..] {
            older.push(entry.path());
        }
    }
    Ok(older)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_answered_to_who_asked_too_early_is_left_out() {
        let text = "[1] LOG:  one\n[1] DETAIL:  of one\n[2] FATAL:  the database system is not accepting connections\n\
                    [2] DETAIL:  Hot standby mode is disabled.\n[1] FATAL:  it ended\n[1] DETAIL:  why\n\
                    [3] FATAL:  the database system is starting up\n";
        let said = super::last_words(text);
        assert_eq!(said, "[1] LOG:  one | [1] DETAIL:  of one | [1] FATAL:  it ended | [1] DETAIL:  why");
        assert_eq!(super::last_words(""), "");
    }

    #[test]
    fn why_a_copy_ended_is_not_hidden_by_what_it_was_asked() {
        let asked = "FATAL:  the database system is in recovery mode\n".repeat(9);
        let why = "FATAL:  recovery ended before configured recovery target was reached";
        let said = format!("LOG:  redo done\n{why}\nLOG:  startup process exited\n{asked}LOG:  shut down\n");
        assert_eq!(
            last_words(&said),
            format!("LOG:  redo done | {why} | LOG:  startup process exited | LOG:  shut down")
        );
    }

    #[test]
    fn what_a_copier_half_made_goes_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let all =
            [("1.partial", SEGMENT_BYTES), ("2.partial", 0), ("3.partial", 5_799_936), ("4", 7), ("5.history", 40)];
        for (name, bytes) in all {
            std::fs::File::create(folder.path().join(name)).and_then(|file| file.set_len(bytes)).expect("a file");
        }
        remove_half_made(folder.path()).expect("removed");
        assert!(all.iter().all(|(name, _)| folder.path().join(name).exists() == (*name != "3.partial")));
    }

    #[test]
    fn what_a_base_needs_stands_in_its_label() {
        let label = "START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\nCHECKPOINT LOCATION: 0/3000060\n";
        assert_eq!(first_segment(label), Some("000000010000000000000003"));
        assert_eq!(first_segment("nothing"), None);
        let folder = tempfile::tempdir().expect("a folder");
        let all = [
            "000000010000000000000002",
            "000000010000000000000003",
            "000000020000000000000002.partial",
            "000000020000000000000004.partial",
            "00000002.history",
            "notes",
        ];
        for name in all {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let mut found: Vec<String> = older(folder.path(), "000000010000000000000003")
            .expect("read")
            .into_iter()
            .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
            .collect();
        found.sort();
        assert_eq!(found, ["000000010000000000000002", "000000020000000000000002.partial"]);
    }
}
