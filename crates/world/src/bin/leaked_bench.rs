//! `bench/access.leaked_lookup`: look-ups of leaked passwords among 100 million, in the list that the real importer makes,
//! beside a binary search in the sorted hashes, warm and cold.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(unsafe_code, reason = "the peer is given its best: a mapped file")]

use anyhow::{Context, Result, ensure};
use husorden_passwords::leaked::{FILE_NAME, Form, Leaked, import};
use husorden_world::bench::{Better, Figure, quantile};
use memmap2::Mmap;
use rustix::fs::{Advice, fadvise};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Parts of the key space that are filled one after the other, so that the list comes out sorted.
const PARTS: u64 = 1 << 16;
/// Memory that the importer may take.
const IMPORT_BYTES_MAX: u64 = 2 << 30;
const ROUNDS: usize = 7;
const WARM: u64 = 1_000_000;
const COLD: u64 = 200;

type Hash = [u8; 20];

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("import") {
        return import_here(Path::new(&std::env::args().nth(2).context("a folder")?));
    }
    let keys: u64 = std::env::var("KEYS").ok().map_or(Ok(100_000_000), |keys| keys.parse())?;
    let folder = std::env::var_os("FOLDER").map_or_else(|| PathBuf::from("target/bench/leaked"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let result = bench(keys, &folder);
    std::fs::remove_dir_all(&folder).context("clearing away")?;
    result
}

fn bench(keys: u64, folder: &Path) -> Result<()> {
    let begun = Instant::now();
    let (count, peak) = build(keys, folder)?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(peak <= IMPORT_BYTES_MAX, "the importer took {peak} bytes of memory");
    let sorted = folder.join("sorted");
    println!("{count} keys built in {seconds:.0} s, {} MB of memory at most", peak >> 20);

    let mut lines = Vec::new();
    for (word, cold) in [("warm", false), ("cold", true)] {
        for (asked, hit) in [("absent", false), ("listed", true)] {
            let (mut ours, mut peer) = (Vec::new(), Vec::new());
            for round in 0..ROUNDS {
                let asked = asked_for(keys, hit, if cold { COLD } else { WARM }, round as u64);
                let mut one = |is_ours: bool| -> Result<()> {
                    let samples = if is_ours { &mut ours } else { &mut peer };
                    samples.push(if is_ours {
                        time_ours(folder, &asked, hit, cold)?
                    } else {
                        time_peer(&sorted, &asked, hit, cold)?
                    });
                    Ok(())
                };
                // The order alternates: whoever is second finds a quieter machine.
                one(round % 2 == 0)?;
                one(round % 2 != 0)?;
            }
            let (ours, peer) = (quantile(&mut ours, 0.5), quantile(&mut peer, 0.5));
            println!("{word}, {asked}: {ours:.0} ns, binary search {peer:.0} ns, ratio {:.2}", peer / ours);
            lines.push((word, asked, ours, peer));
        }
    }
    let (_, _, ours, peer) = lines[0];
    let others: Vec<String> = lines[1..]
        .iter()
        .map(|(word, asked, ours, peer)| format!("{word} {asked} {ours:.0} against {peer:.0} ns"))
        .collect();
    let figure = Figure {
        name: "access.leaked_lookup",
        ours,
        peer: Some((peer, "binary search in the mapped, sorted file")),
        unit: "ns",
        better: Better::Less,
        note: format!(
            "warm in CPU time, absent, n={WARM} x {ROUNDS}, median; {}; {count} keys built in {seconds:.0} s within {} MB",
            others.join(", "),
            peak >> 20
        ),
    };
    figure.report()
}

/// Feeds the importer, in a process of its own so that its memory can be read, and writes the peer's file beside.
fn build(keys: u64, folder: &Path) -> Result<(u64, u64)> {
    let mut importer = Command::new(std::env::current_exe()?)
        .arg("import")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the importer")?;
    let mut list = BufWriter::with_capacity(1 << 20, importer.stdin.take().context("its input")?);
    let mut sorted = BufWriter::with_capacity(1 << 20, File::create(folder.join("sorted"))?);
    let mut line = *b"0000000000000000000000000000000000000000:1\n";
    for part in 0..PARTS {
        for hash in part_of(part, keys) {
            for (at, byte) in hash.iter().enumerate() {
                line[2 * at] = b"0123456789ABCDEF"[usize::from(byte >> 4)];
                line[2 * at + 1] = b"0123456789ABCDEF"[usize::from(byte & 15)];
            }
            list.write_all(&line).context("feeding the importer")?;
            sorted.write_all(&hash)?;
        }
    }
    list.into_inner().context("feeding the importer")?;
    sorted.into_inner()?.sync_all()?;
    let output = importer.wait_with_output()?;
    ensure!(output.status.success(), "the importer failed");
    let told = String::from_utf8(output.stdout)?;
    let (count, peak) = told.trim().split_once(' ').context("what the importer said")?;
    Ok((count.parse()?, peak.parse()?))
}

fn import_here(folder: &Path) -> Result<()> {
    let imported = import(std::io::stdin().lock(), Form::Hashes, folder, &mut |_| {})?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the peak of memory")?;
    let kb: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    println!("{} {}", imported.count, kb << 10);
    Ok(())
}

/// Counted, not drawn: the same keys each time, and any part can be made again.
fn random(counter: u64) -> u64 {
    let mut x = counter.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn hash_of(counter: u64) -> Hash {
    let mut hash = [0; 20];
    for (piece, salt) in hash.chunks_mut(8).zip(0..) {
        piece.copy_from_slice(&random(counter ^ salt << 60).to_be_bytes()[..piece.len()]);
    }
    hash
}

/// The sorted hashes that begin with the part's 16 bits. Their number varies as chance would have it.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a count of thousands"
)]
fn part_of(part: u64, keys: u64) -> Vec<Hash> {
    let mean = keys as f64 / PARTS as f64;
    // Twelve even numbers between 0 and 1 add up to 6, with a deviation of one: near enough to chance.
    let sum: f64 = (0..12).map(|at| random(part << 8 | at | 1 << 50) as f64 / u64::MAX as f64).sum();
    let count = (mean + mean.sqrt() * (sum - 6.0)).max(1.0).round() as u64;
    let mut hashes: Vec<Hash> = (0..count)
        .map(|at| {
            let mut hash = hash_of(part << 20 | at);
            hash[..2].copy_from_slice(&(part as u16).to_be_bytes());
            hash
        })
        .collect();
    hashes.sort_unstable();
    hashes
}

/// What is asked for: hashes of the list, or others.
fn asked_for(keys: u64, hit: bool, count: u64, round: u64) -> Vec<Hash> {
    let salt = 1 << 45 | round << 32;
    if !hit {
        return (0..count).map(|at| hash_of(salt | at)).collect();
    }
    // A few of each of many parts: to make a part for each would take longer than to look.
    let each = count.div_ceil(2_000);
    let mut hashes: Vec<Hash> = (0..count.min(2_000))
        .flat_map(|at| {
            let part = part_of(random(salt | at) % PARTS, keys);
            let mut start = random(salt | 1 << 31 | at);
            (0..each)
                .map(|_| {
                    start = random(start);
                    part[usize::try_from(start % part.len() as u64).expect("an index")]
                })
                .collect::<Vec<_>>()
        })
        .collect();
    // Shuffled by a value of their own, so that neighbours are not asked for one after the other.
    hashes.sort_by_key(|hash| random(u64::from_le_bytes(hash[12..20].try_into().expect("eight bytes"))));
    hashes
}

fn time_ours(folder: &Path, asked: &[Hash], hit: bool, cold: bool) -> Result<f64> {
    settle(&folder.join(FILE_NAME), cold)?;
    let leaked = Leaked::open(folder)?;
    let look = |hash: &Hash| Ok(leaked.contains_hash(hash)?);
    touch(asked, hit, cold, look)?;
    time(asked, hit, cold, look)
}

fn time_peer(sorted: &Path, asked: &[Hash], hit: bool, cold: bool) -> Result<f64> {
    settle(sorted, cold)?;
    let file = File::open(sorted)?;
    // SAFETY: nobody writes to the file any more; it is this bench's own.
    let map = unsafe { Mmap::map(&file) }?;
    map.advise(memmap2::Advice::Random)?;
    let (hashes, _) = map.as_chunks::<20>();
    let look = |hash: &Hash| Ok(hashes.binary_search(hash).is_ok());
    touch(asked, hit, cold, look)?;
    time(asked, hit, cold, look)
}

/// What runs for days has touched its map: warm means that the same look-ups were done once before.
fn touch(asked: &[Hash], hit: bool, cold: bool, look: impl Fn(&Hash) -> Result<bool>) -> Result<()> {
    if !cold {
        time(asked, hit, cold, look)?;
    }
    Ok(())
}

/// Nanoseconds a look-up; each must find what it should. Warm ones are told in time of this thread, which is the same on a
/// quiet machine and does not count what others do on a busy one; cold ones wait for the disk, and that counts.
#[allow(clippy::cast_precision_loss, reason = "a figure")]
fn time(asked: &[Hash], hit: bool, cold: bool, look: impl Fn(&Hash) -> Result<bool>) -> Result<f64> {
    let clock = || clock_gettime(if cold { ClockId::Monotonic } else { ClockId::ThreadCPUTime });
    let begun = clock();
    let mut found = 0;
    for hash in asked {
        found += usize::from(black_box(look(black_box(hash))?));
    }
    let ended = clock();
    let nanoseconds = (ended.tv_sec - begun.tv_sec) * 1_000_000_000 + (ended.tv_nsec - begun.tv_nsec);
    ensure!(found == if hit { asked.len() } else { 0 }, "{found} of {} were found", asked.len());
    Ok(nanoseconds as f64 / asked.len() as f64)
}

/// Puts the whole file into the page cache, or out of it.
fn settle(path: &Path, cold: bool) -> Result<()> {
    let mut file = File::open(path)?;
    if cold {
        fadvise(&file, 0, None, Advice::DontNeed)?;
    } else {
        std::io::copy(&mut file, &mut std::io::sink())?;
    }
    Ok(())
}
