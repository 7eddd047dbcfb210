//! `server.disk_kept`: how a disk lies on the pool. Ours is copied on write and has checksums; the other way is a file without either
//! (NOCOW), as btrfs offers it for the disks of machines. Both are written to as QEMU does for a guest with a database.

use anyhow::{Context, Result};
use husorden_world::House;
use husorden_world::bench::{Better, Figure, quantile};
use husorden_world::hand::{self, pool};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 3;
const DISK_MIB: u64 = 512;
/// Each is some pages anywhere on the disk, and a flush.
const SYNCS: u64 = 2000;
const PAGES: u64 = 8;
const PAGE: u64 = 4096;
/// So that most of what is written was shared a moment ago, as on a disk with a schedule.
const SNAPSHOT_EACH: u64 = 200;

pub(crate) fn kept() -> Result<()> {
    let house = &House::bare("srvbench", crate::LIMITS)?;
    let ground = pool(house).join("bench");
    fs::create_dir(&ground)?;
    let measured = measured(&ground);
    let volumes = fs::read_dir(&ground)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let deleted = hand::run(Command::new("btrfs").args(["-q", "subvolume", "delete"]).args(volumes));
    let (mut own, mut peer) = measured?;
    deleted?;
    fs::remove_dir(&ground)?;
    Figure {
        name: "server.disk_kept",
        ours: quantile(&mut own, 0.5),
        peer: Some((quantile(&mut peer, 0.5), "a file without checksums (NOCOW)")),
        unit: "syncs/s",
        better: Better::More,
        note: format!("n={ROUNDS}, median, {SYNCS} of {PAGES} pages of {PAGE} bytes anywhere on {DISK_MIB} MiB, a snapshot every {SNAPSHOT_EACH}, in turns"),
    }
    .report()
}

fn measured(ground: &Path) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut own, mut peer) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for ours in [round % 2 == 0, round % 2 != 0] {
            let volume = ground.join(format!("{round}-{ours}"));
            hand::run(Command::new("btrfs").args(["-q", "subvolume", "create"]).arg(&volume))?;
            if !ours {
                hand::run(Command::new("chattr").arg("+C").arg(&volume))?;
            }
            if ours { &mut own } else { &mut peer }.push(rate(&volume, round as u64)?);
        }
    }
    Ok((own, peer))
}

/// Flushes a second.
fn rate(volume: &Path, seed: u64) -> Result<f64> {
    let disk = OpenOptions::new().create_new(true).write(true).open(volume.join("disk.raw")).context("a disk")?;
    // Not zeroes, and the same for both.
    let mut noise = Noise(seed + 1);
    let block: Vec<u8> = (0..1 << 20).map(|_| noise.next().to_le_bytes()[7]).collect();
    for at in 0..DISK_MIB {
        disk.write_all_at(&block, at << 20)?;
    }
    disk.sync_all()?;
    let begun = Instant::now();
    for turn in 0..SYNCS {
        if turn % SNAPSHOT_EACH == 0 {
            let to = volume.with_extension(turn.to_string());
            hand::run(Command::new("btrfs").args(["-q", "subvolume", "snapshot", "-r"]).args([volume, &to]))?;
        }
        for _ in 0..PAGES {
            let at = (noise.next() >> 16) % ((DISK_MIB << 20) / PAGE) * PAGE;
            disk.write_all_at(&block[..PAGE as usize], at)?;
        }
        disk.sync_data()?;
    }
    Ok(SYNCS as f64 / begun.elapsed().as_secs_f64())
}

/// Knuth's linear congruential numbers (MMIX): the same places in both.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }
}
