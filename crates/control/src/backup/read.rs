//! What stands in a backup: folders, files, what changed since an older one, and the versions of a file. A node reads it, in a sandbox as
//! the solution's uid, and hands it out as a stream; control reads its lists line by line and within limits.

use super::{path, ready};
use crate::app::App;
use crate::caller::Caller;
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::http::flow::Stream;
use crate::store::backup::BackupRow;
use crate::store::solution::SolutionRow;
use crate::{solution, store};
use bytes::Bytes;
use husorden_base::{Refusal, Text};
use husorden_wire::api;
use husorden_wire::node::{BackupChange, BackupEntry, Changed, Reading, Verb, WhatLies};
use serde::de::DeserializeOwned;

/// Entries of one list at most.
const LINES_MAX: usize = 10_000;
/// Bytes of one line at most: a path, escaped, and what stands beside it.
const LINE_BYTES_MAX: usize = 64 << 10;

/// A backup that is read: its solution is locked until the order is queued.
struct Reader {
    tx: TenantTx,
    row: SolutionRow,
    backup: BackupRow,
    copy: String,
}

impl Reader {
    /// One that is deleted is read too: what opens its backups is there as long as the deletion can be undone.
    async fn open(app: &App, caller: &Caller, text: &str, backup: &str) -> Result<Self, Fault> {
        let (mut tx, row) = solution::open_to_take_out(app, caller, text).await?;
        let (backup, copy) = ready(&mut tx, &row, backup).await?;
        Ok(Self { tx, row, backup, copy })
    }

    async fn stream(mut self, app: &App, caller: &Caller, what: Reading) -> Result<Stream, Fault> {
        let target = self.backup.target;
        let repository = Box::new(store::backup::repository(self.tx.conn(), self.row.id, target).await?);
        let verb = Verb::BackupRead { repository, copy: self.copy, what };
        Stream::ordered(app, caller, self.tx, &self.row, verb, None).await
    }
}

/// The entries of a folder.
pub(crate) async fn folder(
    app: &App,
    caller: &Caller,
    text: &str,
    backup: &str,
    within: &str,
) -> Result<api::BackupFolder, Fault> {
    let path = path::read(within, "?path")?;
    let reader = Reader::open(app, caller, text, backup).await?;
    let id = reader.backup.id;
    let stream = reader.stream(app, caller, Reading::Folder { path: path.clone() }).await?;
    let (mut entries, more) = lines(app, stream, entry).await?;
    entries.sort_by(|one, other| (one.kind != "folder", &one.name).cmp(&(other.kind != "folder", &other.name)));
    Ok(api::BackupFolder { backup: id.to_string(), path, entries, more })
}

/// What is otherwise than in an older backup of the same repository.
pub(crate) async fn changes(
    app: &App,
    caller: &Caller,
    text: &str,
    backup: &str,
    (since, within): (&str, &str),
) -> Result<api::BackupChanges, Fault> {
    let path = path::read(within, "?path")?;
    let mut reader = Reader::open(app, caller, text, backup).await?;
    let (older, copy) = match ready(&mut reader.tx, &reader.row, since).await {
        Err(Fault::Refused(refused)) if refused.status == 404 => {
            let text = Text::new("Den backup findes ikke", "There is no such backup");
            return Err(Refusal::field("?since", text).into());
        }
        other => other?,
    };
    if older.target != reader.backup.target || older.taken >= reader.backup.taken {
        let text = Text::new("En ældre backup på samme mål", "An older backup at the same target");
        return Err(Refusal::field("?since", text).into());
    }
    let id = reader.backup.id;
    let stream = reader.stream(app, caller, Reading::Since { copy, path: path.clone() }).await?;
    let (mut changes, more) = lines(app, stream, difference).await?;
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(api::BackupChanges { backup: id.to_string(), since: older.id.to_string(), path, changes, more })
}

/// A file's bytes, or a folder as an archive.
pub(crate) async fn content(
    app: &App,
    caller: &Caller,
    text: &str,
    backup: &str,
    path: String,
) -> Result<(Option<Bytes>, Stream), Fault> {
    let reader = Reader::open(app, caller, text, backup).await?;
    let mut stream = reader.stream(app, caller, Reading::Content { path }).await?;
    let first = stream.first(app).await?;
    Ok((first, stream))
}

/// The newest backups of a solution that hold a file, with its size and time.
pub(crate) async fn versions(
    app: &App,
    caller: &Caller,
    text: &str,
    file: &str,
) -> Result<Vec<api::BackupVersion>, Fault> {
    let path = path::read_some(file, "?path")?;
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let (mut tx, row) = solution::open_to_take_out(app, caller, text).await?;
    let limit = i64::try_from(api::BACKUP_VERSIONS_MAX).unwrap_or(1);
    let backups = store::backup::list_ready(tx.conn(), row.id, limit).await?;
    drop(tx);
    let mut found: Vec<api::BackupVersion> = Vec::new();
    // One after the other: they are read in the solution's own sandbox, and nobody else is to wait for many at once.
    for backup in backups {
        let reader = Reader::open(app, caller, text, &backup.id.to_string()).await?;
        let taken = backup.taken.unwrap_or(backup.asked);
        let entries = match reader.stream(app, caller, Reading::Folder { path: parent.to_owned() }).await {
            Ok(stream) => lines(app, stream, entry).await.map(|(entries, _)| entries),
            Err(fault) => Err(fault),
        };
        let entries = match entries {
            Ok(entries) => entries,
            // A folder that was not there then holds no version.
            Err(Fault::Refused(refused)) if refused.status == 404 => continue,
            Err(fault) => return Err(fault),
        };
        if let Some(entry) = entries.into_iter().find(|entry| entry.name == name && entry.kind == "file") {
            found.push(api::BackupVersion {
                backup: backup.id.to_string(),
                taken,
                bytes: entry.bytes,
                modified: entry.modified,
                same: false,
            });
        }
    }
    for at in 1..found.len() {
        let same = (found[at - 1].bytes, found[at - 1].modified) == (found[at].bytes, found[at].modified);
        found[at - 1].same = same;
    }
    Ok(found)
}

fn entry(line: BackupEntry) -> api::BackupEntry {
    api::BackupEntry {
        name: line.name,
        kind: kind(line.is).to_owned(),
        bytes: line.bytes,
        modified: Some(line.modified),
        link: None,
    }
}

fn difference(line: BackupChange) -> api::BackupDifference {
    let change = match line.change {
        Changed::Added => "added",
        Changed::Removed => "removed",
        Changed::Content => "changed",
        Changed::About => "rights",
    };
    api::BackupDifference {
        path: line.path,
        change: change.to_owned(),
        kind: kind(line.is).to_owned(),
        bytes: line.after,
        bytes_before: line.before,
        modified: None,
    }
}

const fn kind(lies: WhatLies) -> &'static str {
    match lies {
        WhatLies::File => "file",
        WhatLies::Folder => "folder",
        WhatLies::Link => "link",
        WhatLies::Other => "other",
    }
}

/// Reads a list; says whether there is more than was read. The node's task ends when nobody reads on.
async fn lines<L: DeserializeOwned, T>(
    app: &App,
    mut stream: Stream,
    shown: impl Fn(L) -> T,
) -> Result<(Vec<T>, bool), Fault> {
    let mut taken = Taken { rest: Vec::new(), found: Vec::new(), shown };
    while let Some(bytes) = stream.first(app).await? {
        taken.rest.extend_from_slice(&bytes);
        while let Some(end) = taken.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = taken.rest.drain(..=end).collect();
            if taken.line(&line)? {
                return Ok((taken.found, true));
            }
        }
        if taken.rest.len() > LINE_BYTES_MAX {
            return Err(Fault::broken("reading a list of a backup")("a line is too long".into()));
        }
    }
    let last = std::mem::take(&mut taken.rest);
    let more = taken.line(&last)?;
    Ok((taken.found, more))
}

/// A list as it is read.
struct Taken<T, F> {
    rest: Vec<u8>,
    found: Vec<T>,
    shown: F,
}

impl<T, F> Taken<T, F> {
    /// Takes a line; true where there is no room for it.
    fn line<L: DeserializeOwned>(&mut self, line: &[u8]) -> Result<bool, Fault>
    where
        F: Fn(L) -> T,
    {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(false);
        }
        if self.found.len() == LINES_MAX {
            return Ok(true);
        }
        let read = serde_json::from_slice(line)
            .map_err(|error| Fault::broken("reading a list of a backup")(Box::new(error)))?;
        self.found.push((self.shown)(read));
        Ok(false)
    }
}
