//! `make bench NAME=evidence.append`: lines of evidence that a node says, each durable in PostgreSQL before it is answered for,
//! and each a leaf of the tree before the clock is stopped.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use anyhow::{Context, Result, bail};
use husorden_evidence::{Hash, chain};
use husorden_wire::node::{EvidenceLine, FromNode, ToNode, VERSION};
use husorden_world::bench::{Better, Figure};
use husorden_world::{House, Who};
use jiff::Timestamp;
use serde_json::json;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

const LINES: u64 = 40_000;
/// Lines that are said before one is answered for, as the node itself does.
const WINDOW: u64 = 500;
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    let house = House::up("bench")?;
    let before = size(&house)?;
    let stream = UnixStream::connect(format!("/run/husorden/{}/control/node.sock", house.instance))
        .context("connecting to control as a node")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut write = BufWriter::new(stream.try_clone()?);
    let mut read = BufReader::new(stream).lines();
    let mut hear = || -> Result<ToNode> { Ok(serde_json::from_str(&read.next().context("control hung up")??)?) };
    let say = |write: &mut BufWriter<UnixStream>, said: &FromNode| -> Result<()> {
        serde_json::to_writer(&mut *write, said)?;
        Ok(write.write_all(b"\n")?)
    };
    say(&mut write, &FromNode::Hello { version: VERSION, node: "bench".to_owned(), epoch: 0 })?;
    write.flush()?;
    while hear()? != ToNode::ThatIsAll {}

    let begun = Instant::now();
    let (mut said, mut kept) = (0, 0);
    let mut previous: Option<Hash> = None;
    while kept < LINES {
        while said < LINES && said - kept < WINDOW {
            said += 1;
            let (at, act) = (Timestamp::now(), "volume.snapshot");
            let detail =
                json!({ "pool": "main", "number": said, "text": "a line of the usual length, with a few words" });
            let link = chain::link(said, at, act, None, &detail, previous);
            let line = EvidenceLine {
                serial: said,
                at,
                act: act.to_owned(),
                solution: None,
                detail,
                previous: previous.map(|hash| hash.to_string()),
            };
            previous = Some(link);
            say(&mut write, &FromNode::Evidence(Box::new(line)))?;
        }
        write.flush()?;
        if let ToNode::EvidenceKept { serial } = hear()? {
            kept = serial;
        }
    }
    let durable = begun.elapsed();
    while size(&house)? < before + LINES {
        if begun.elapsed() > PATIENCE {
            bail!("the lines do not come into the tree");
        }
        thread::sleep(Duration::from_millis(20));
    }
    let sealed = begun.elapsed();
    let broken = house.api(Who::Staff, "GET", "/v1/evidence?act=node.chain-broken", None)?;
    if broken.body["items"] != json!([]) {
        bail!("the chain broke: {}", broken.body);
    }
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = |time: Duration| LINES as f64 / time.as_secs_f64();
    Figure {
        name: "evidence.append",
        ours: rate(sealed),
        peer: None,
        unit: "lines/s",
        better: Better::More,
        note: format!("{LINES} lines durable and in the tree; durable alone {:.0} lines/s", rate(durable)),
    }
    .report()
}

/// Leaves of the tree.
fn size(house: &House) -> Result<u64> {
    let log = house.api(Who::Staff, "GET", "/v1/evidence/key", None)?;
    log.body["size"].as_u64().with_context(|| format!("the log says no size: {}", log.body))
}
