//! The bench `volume.scale`: so many volumes, cloned from one template, each with rewrites and a snapshot per simulated day, the newest 14
//! kept; how much longer day 7 takes than day 1. Also what a look at each costs.
//! `volume_scale [VOLUMES] [DAYS] [FOLDER]`; one line of JSON per result, as the other benches print them.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "what it shows is what it is for")]

use husorden_base::{Bytes, Number, SnapshotId};
use husorden_node::Ground;
use husorden_node::volume::{Pool, PoolConfig, QuotaWish, Source, Volume, Why};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

const KEPT: usize = 14;
const FILES: usize = 400;
const FILE_BYTES: usize = 6 * 1024;
const REWRITES_A_DAY: usize = 3;
const WORKERS: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let count: u32 = args.next().map_or(Ok(1000), |text| text.parse())?;
    let days: usize = args.next().map_or(Ok(7), |text| text.parse())?;
    let folder = PathBuf::from(args.next().unwrap_or_else(|| "/var/tmp/husorden-volume-scale".to_owned()));
    let ground = Ground {
        instance: "scale".to_owned(),
        home: folder.join("home"),
        run: folder.join("run"),
        cache: folder.join("cache"),
        catalogue: folder.clone(),
        edge_gid: 0,
    };
    let config = PoolConfig {
        name: "main".to_owned(),
        source: Source::File { path: ground.home.join("main.pool"), size: Bytes::gib(16) },
        quota: QuotaWish::Best,
    };
    let pool = Pool::open(&ground, &config)?;
    let worked = bench(&pool, count, days);
    pool.release()?;
    fs::remove_dir_all(&folder)?;
    worked
}

fn bench(pool: &Arc<Pool>, count: u32, days: usize) -> Result<(), Box<dyn Error>> {
    let volumes = make(pool, count)?;
    let mut kept: Vec<Vec<SnapshotId>> = vec![Vec::new(); volumes.len()];
    // The volumes begin as old ones are: with all the snapshots that are ever kept.
    for number in 1..=KEPT {
        eprintln!("snapshot {number} of {KEPT}: {:.1} s", day(pool, &volumes, &mut kept, number)?);
    }
    let mut took = Vec::new();
    for number in 1..=days {
        let seconds = day(pool, &volumes, &mut kept, KEPT + number)?;
        eprintln!("day {number}: {seconds:.1} s");
        took.push(seconds);
    }
    let (first, last) = (took[0], took[took.len() - 1]);
    line(
        "volume.scale",
        last / first,
        "times",
        &format!("{count} volumes × {KEPT} snapshots, {:?}; day {days} over day 1", pool.quota_mode()),
    );
    let before = cpu()?;
    for number in 0..10_000 {
        let volume = &volumes[number % volumes.len()];
        volume.look()?;
        volume.marks()?;
    }
    line("volume.look", cpu()? - before, "s", "CPU time for a look at 10,000 volumes");
    Ok(())
}

/// A template with files as a small site has them, and its clones.
fn make(pool: &Arc<Pool>, count: u32) -> Result<Vec<Volume>, Box<dyn Error>> {
    let number = |number| Number::new(number).ok_or("no such number");
    let template = pool.volume(number(1)?);
    template.create(Bytes::gib(1), &["www".to_owned()])?;
    for file in 0..FILES {
        fs::write(template.folder("www").join(file.to_string()), text(file))?;
    }
    let id = SnapshotId::new();
    template.snapshot(&id, Why::Customer, None)?;
    let began = Instant::now();
    let mut volumes = Vec::new();
    for n in 0..count {
        let volume = pool.volume(number(2 + n)?);
        volume.clone_from(&template, &id, Bytes::gib(1), None)?;
        volumes.push(volume);
    }
    line("volume.clone", began.elapsed().as_secs_f64() * 1000.0 / f64::from(count), "ms", "a clone each");
    Ok(volumes)
}

/// One day of all volumes: rewrites, a snapshot, and the oldest snapshot goes. Several are worked on at once, as on a node, so that one
/// commit serves many. The day ends when all is on the device and the kernel has freed what was deleted.
fn day(
    pool: &Arc<Pool>,
    volumes: &[Volume],
    kept: &mut [Vec<SnapshotId>],
    today: usize,
) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    let share = volumes.len().div_ceil(WORKERS);
    std::thread::scope(|scope| {
        let workers: Vec<_> = volumes
            .chunks(share)
            .zip(kept.chunks_mut(share))
            .map(|(volumes, kept)| {
                scope.spawn(|| volumes.iter().zip(kept).try_for_each(|(volume, kept)| round(volume, kept, today)))
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| "a worker died")?.map_err(|error| error.to_string()))
    })?;
    pool.sync()?;
    let freed =
        Command::new("btrfs").args(["subvolume", "sync", "-s", "1"]).arg(pool.root()).stdout(Stdio::null()).status()?;
    if !freed.success() {
        return Err("btrfs subvolume sync failed".into());
    }
    Ok(began.elapsed().as_secs_f64())
}

fn round(volume: &Volume, kept: &mut Vec<SnapshotId>, today: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
    let seed = volume.number().get() as usize * 7 + today * 37;
    for rewrite in 0..REWRITES_A_DAY {
        fs::write(volume.folder("www").join(((seed + rewrite * 131) % FILES).to_string()), text(seed + rewrite))?;
    }
    let id = SnapshotId::new();
    volume.snapshot(&id, Why::Customer, None)?;
    kept.push(id);
    if kept.len() > KEPT {
        volume.snapshot_delete(&kept.remove(0))?;
    }
    Ok(())
}

fn text(seed: usize) -> Vec<u8> {
    (0..FILE_BYTES).map(|i| ((i + seed).wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

fn line(name: &str, value: f64, unit: &str, note: &str) {
    println!(
        "{}",
        serde_json::json!({ "name": name, "ours": value, "peer": null, "peer_name": null, "unit": unit, "ratio": null, "note": note })
    );
}

/// CPU seconds that this thread has used.
fn cpu() -> Result<f64, Box<dyn Error>> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let time = usage.user_time() + usage.system_time();
    Ok(time.num_microseconds() as f64 / 1e6)
}
