//! The link to the node: the table and its changes come in, what is in force and what was counted goes out.
//!
//! The link is lost and made again at any time; what is served meanwhile is the table held. Nothing here is on a request's
//! way.

use crate::counts::Ledger;
use crate::keep::{Keeper, generation};
use crate::life::Streams;
use crate::table::{Change, Table};
use husorden_base::site::{Counts, FromEdge, ToEdge};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

/// Longest line the node may send: a table of 100,000 sites is about 80 MB.
const LINE_BYTES_MAX: u64 = 256 << 20;
const RETRY_MS_FIRST: u64 = 50;
const RETRY_MS_MAX: u64 = 2_000;
const REPORT_MS: u64 = 1_000;
/// How long a change may wait for the streams it cut before it is acknowledged anyway.
const CUT_MS_MAX: u64 = 1_000;
const WRITE_MS_MAX: u64 = 5_000;
/// Sites whose counts are said in one line: at most a quarter of the longest line that the node takes.
const COUNTS_PER_LINE_MAX: usize = 1_000;

/// What the link works on.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) table: Arc<Table>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) keeper: Keeper,
}

impl Link {
    /// Keeps the link up; returns never.
    pub(crate) async fn run(self, socket: &Path) {
        let mut wait_ms = RETRY_MS_FIRST;
        let mut lost_logged = false;
        let mut unsent = Vec::new();
        loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => {
                    tracing::info!(socket = %socket.display(), generation = self.table.generation(), "linked to the node");
                    (wait_ms, lost_logged) = (RETRY_MS_FIRST, false);
                    let end = self.talk(stream, &mut unsent).await;
                    tracing::warn!(reason = %end, "the link to the node is lost; the table held stays in force");
                }
                Err(error) if !lost_logged => {
                    tracing::warn!(socket = %socket.display(), %error, generation = self.table.generation(),
                        "the node cannot be reached; the table held stays in force");
                    lost_logged = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            wait_ms = (wait_ms * 2).min(RETRY_MS_MAX);
        }
    }

    async fn talk(&self, stream: UnixStream, unsent: &mut Vec<Counts>) -> io::Error {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::with_capacity(64 << 10, reader);
        let hello = FromEdge::Hello { generation: self.table.generation() };
        if let Err(error) = send(&mut writer, &hello).await {
            return error;
        }
        // Changes are acknowledged in their order by a task of their own, so that a stream that is slow to end holds up
        // neither the next change nor the counts.
        let (done, in_force) = mpsc::unbounded_channel();
        let (answers, mut outgoing) = mpsc::unbounded_channel();
        let acknowledging = acknowledge(in_force, answers.clone());
        tokio::pin!(acknowledging);
        let mut report = tokio::time::interval(Duration::from_millis(REPORT_MS));
        report.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut line = Vec::new();
        let mut asked_for_table = false;
        loop {
            tokio::select! {
                read = read_line(&mut reader, &mut line) => {
                    if let Err(error) = read {
                        return error;
                    }
                    let json = std::mem::take(&mut line);
                    match self.take(json).await {
                        Some((Change::Done { generation, closed }, written)) => {
                            asked_for_table = false;
                            let _ = done.send(InForce { generation, closed, written });
                        }
                        Some((Change::Older { held, offered }, _)) => {
                            tracing::warn!(held, offered, "the node offered an older table: refused");
                            // Asked once; a node that knows nothing newer would answer with the same again.
                            if !std::mem::replace(&mut asked_for_table, true) {
                                let _ = answers.send(FromEdge::Behind { generation: held });
                            }
                        }
                        Some((Change::Gap { held, offered }, _)) => {
                            tracing::info!(held, offered, "a change does not follow on the table held: asking for the whole");
                            let _ = answers.send(FromEdge::Behind { generation: held });
                        }
                        None => {}
                    }
                }
                Some(answer) = outgoing.recv() => {
                    if let Err(error) = send(&mut writer, &answer).await {
                        return error;
                    }
                }
                () = &mut acknowledging => return io::Error::other("the acknowledging task ended"),
                _ = report.tick() => {
                    merge(unsent, self.ledger.take());
                    if let Err(error) = send_counts(&mut writer, unsent).await {
                        return error;
                    }
                }
            }
        }
    }

    /// Puts one message in force and on disk.
    async fn take(&self, json: Vec<u8>) -> Option<(Change, Option<oneshot::Receiver<()>>)> {
        let parsed = if json.len() > 1 << 20 {
            // A whole table is parsed beside the requests, not between them.
            tokio::task::spawn_blocking(move || (serde_json::from_slice::<ToEdge>(&json), json)).await.ok()?
        } else {
            (serde_json::from_slice::<ToEdge>(&json), json)
        };
        let (message, json) = match parsed {
            (Ok(message), json) => (message, json),
            (Err(error), json) => {
                tracing::error!(%error, bytes = json.len(), "the node said something that is no message of this protocol");
                return None;
            }
        };
        let whole = matches!(message, ToEdge::Table { .. });
        let offered = generation(&message);
        let change = self.table.apply(message);
        if matches!(change, Change::Done { .. }) {
            tracing::debug!(generation = offered, whole, "table changed");
            let written = self.keeper.keep(json, whole);
            return Some((change, Some(written)));
        }
        Some((change, None))
    }
}

/// A change that is in force for new requests.
struct InForce {
    generation: u64,
    /// What it closed and is on its way out.
    closed: Vec<Arc<Streams>>,
    /// Resolves when it is on disk.
    written: Option<oneshot::Receiver<()>>,
}

async fn acknowledge(mut in_force: mpsc::UnboundedReceiver<InForce>, answers: mpsc::UnboundedSender<FromEdge>) {
    while let Some(InForce { generation, closed, written }) = in_force.recv().await {
        for streams in closed {
            let gone = tokio::time::timeout(Duration::from_millis(CUT_MS_MAX), streams.gone());
            if gone.await.is_err() {
                tracing::error!(generation, "a closed site's streams did not end in time");
            }
        }
        if let Some(written) = written {
            // Where it cannot be written, which the keeper logs, it is in force all the same.
            let _ = written.await;
        }
        if answers.send(FromEdge::Applied { generation }).is_err() {
            return;
        }
    }
}

/// Reads one line without its line feed. Cancel-safe: what was read so far stays in `line`.
async fn read_line(reader: &mut BufReader<tokio::net::unix::OwnedReadHalf>, line: &mut Vec<u8>) -> io::Result<()> {
    let room = LINE_BYTES_MAX.saturating_sub(line.len() as u64);
    reader.take(room).read_until(b'\n', line).await?;
    match line.pop() {
        Some(b'\n') => Ok(()),
        Some(_) if line.len() as u64 + 1 >= LINE_BYTES_MAX => {
            Err(io::Error::other("the node sent a line that is too long"))
        }
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn send(writer: &mut tokio::net::unix::OwnedWriteHalf, message: &FromEdge) -> io::Result<()> {
    let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
    line.push(b'\n');
    tokio::time::timeout(Duration::from_millis(WRITE_MS_MAX), writer.write_all(&line))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// Sends what was counted, and keeps what could not be sent for the next link.
async fn send_counts(writer: &mut tokio::net::unix::OwnedWriteHalf, unsent: &mut Vec<Counts>) -> io::Result<()> {
    while !unsent.is_empty() {
        let rest = unsent.split_off(unsent.len().min(COUNTS_PER_LINE_MAX));
        let line = FromEdge::Counts { sites: std::mem::replace(unsent, rest) };
        if let Err(error) = send(writer, &line).await {
            if let FromEdge::Counts { mut sites } = line {
                sites.append(unsent);
                *unsent = sites;
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Adds a report to one that could not be sent.
fn merge(unsent: &mut Vec<Counts>, fresh: Vec<Counts>) {
    if unsent.is_empty() {
        *unsent = fresh;
        return;
    }
    for counts in fresh {
        match unsent.iter_mut().find(|held| held.number == counts.number) {
            Some(held) => {
                held.requests += counts.requests;
                held.dynamic += counts.dynamic;
                held.errors += counts.errors;
                held.bytes_in += counts.bytes_in;
                held.bytes_out += counts.bytes_out;
                held.in_flight = counts.in_flight;
            }
            None => unsent.push(counts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(sites: u32) -> Vec<Counts> {
        let site = |number| Counts {
            number,
            requests: u64::MAX,
            dynamic: u64::MAX,
            errors: u64::MAX,
            bytes_in: u64::MAX,
            bytes_out: u64::MAX,
            in_flight: u32::MAX,
        };
        (u32::MAX - sites..u32::MAX).map(site).collect()
    }

    #[tokio::test]
    async fn many_counts_go_in_lines_that_the_node_takes() {
        let (ours, nodes) = UnixStream::pair().expect("a pair of sockets");
        let (_reader, mut writer) = ours.into_split();
        let mut unsent = counts(2_500);
        let reading = async {
            let (mut reader, mut got) = (BufReader::new(nodes), Vec::new());
            while got.iter().map(Vec::len).sum::<usize>() < 2_500 {
                let mut line = String::new();
                let bytes = reader.read_line(&mut line).await.expect("a line");
                assert!((1..=256 << 10).contains(&bytes), "{bytes} bytes in a line");
                let FromEdge::Counts { sites } = serde_json::from_str(&line).expect("a message") else {
                    panic!("{line}")
                };
                got.push(sites);
            }
            got
        };
        let (sent, got) = tokio::join!(send_counts(&mut writer, &mut unsent), reading);
        sent.expect("all is sent");
        assert!(unsent.is_empty());
        assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert_eq!(got.concat(), counts(2_500));
    }

    #[tokio::test]
    async fn what_could_not_be_sent_is_kept() {
        let (ours, nodes) = UnixStream::pair().expect("a pair of sockets");
        let (_reader, mut writer) = ours.into_split();
        drop(nodes);
        let mut unsent = counts(2_500);
        send_counts(&mut writer, &mut unsent).await.expect_err("nobody is there");
        assert_eq!(unsent, counts(2_500));
    }
}
