//! `make bench` of backups: ours beside restic and borg on the same data, on one disk. Each step is done by each in turn, in a process of its
//! own, whose time and highest memory are what is measured; what is read is what the kernel says that the process read.
//!
//! `HUSORDEN_BENCH_MB` makes the data smaller; what is shipped is measured with 3 GB.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use anyhow::{Context, Result, bail, ensure};
use husorden_backup::read::{Want, path};
use husorden_backup::target::{Local, Pace};
use husorden_backup::{ALLOCATOR, Former, Key, Moment, Options, Repository, Share, Source};
use husorden_base::Secret;
use husorden_world::bench::{Better, Figure};
use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Data, in MB, unless the environment says otherwise.
const MEGABYTES: usize = 3072;
/// Pause between two looks at a child's memory.
const LOOK: Duration = Duration::from_millis(10);
const PASSWORD: &str = "a password of the bench";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ours", step, repository, source, beside] => return ours(step, repository.as_ref(), source.as_ref(), beside),
        ["inside", pattern] => return inside(pattern),
        _ => {}
    }
    // A disk of its own, where a snapshot shares its blocks, in a mount namespace that goes with this process.
    let own = std::env::current_exe()?;
    let pattern = words.first().map_or("*", String::as_str);
    let status =
        Command::new("unshare").args(["-m", "--propagation", "private"]).arg(own).args(["inside", pattern]).status();
    ensure!(status.context("unshare")?.success(), "the bench did not come to its end");
    Ok(())
}

/// What a step took.
#[derive(Clone, Copy, Debug, Default)]
struct Took {
    seconds: f64,
    peak_mb: f64,
    read_bytes: u64,
}

/// A program that backs up.
struct Tool {
    name: &'static str,
    repository: PathBuf,
}

impl Tool {
    /// The command of a step; `source` is the snapshot it is about, `beside` the former one.
    fn command(&self, step: &str, source: &Path, beside: &Path, back: &Path) -> Result<Command> {
        let repository = &self.repository;
        let mut command = match self.name {
            "ours" => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["ours", step]).arg(repository).env(ALLOCATOR.0, ALLOCATOR.1);
                command.arg(if step == "restore" { back } else { source }).arg(beside);
                command
            }
            "restic" => {
                let mut command = Command::new("restic");
                command.args(["--quiet", "--no-cache", "-r"]).arg(repository).env("RESTIC_PASSWORD", PASSWORD);
                match step {
                    "init" => command.arg("init"),
                    "restore" => command.args(["restore", "latest", "--target"]).arg(back),
                    "check" => command.args(["check", "--read-data"]),
                    // The folder is the same each time, so that it finds the former backup by itself.
                    _ => command.current_dir(source).args(["backup", "--ignore-inode", "."]),
                };
                command
            }
            "borg" => {
                let mut command = Command::new("borg");
                command.env("BORG_PASSPHRASE", PASSWORD).env("BORG_BASE_DIR", repository.with_extension("borg"));
                command.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
                let archive = |name: &str| format!("{}::{name}", repository.display());
                match step {
                    "init" => command.args(["init", "--encryption=repokey-blake2"]).arg(repository),
                    "restore" => command.current_dir(back).arg("extract").arg(archive("changed_1pct")),
                    "check" => command.args(["check", "--verify-data"]).arg(repository),
                    _ => command
                        .current_dir(source)
                        .args(["create", "--compression=zstd,1", "--files-cache=ctime,size"])
                        .arg(archive(step))
                        .arg("."),
                };
                command
            }
            other => bail!("{other} is no tool"),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if step == "init" {
            // Advice on keys, which are thrown away here.
            command.stderr(Stdio::null());
        }
        Ok(command)
    }

    fn run(&self, step: &str, source: &Path, beside: &Path, back: &Path) -> Result<Took> {
        let mut command = self.command(step, source, beside, back)?;
        // What was read for the step before is not read from memory now.
        fs::write("/proc/sys/vm/drop_caches", "1").ok();
        let begun = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{} is installed", self.name))?;
        let mut took = Took::default();
        let status = loop {
            let of = |file: &str, field: &str| {
                let text = fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix(field).map(str::to_owned));
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
            };
            took.peak_mb = took.peak_mb.max(of("status", "VmHWM:").unwrap_or(0) as f64 / 1024.0);
            // What it asked for, whether or not the kernel had it in memory already.
            took.read_bytes = took.read_bytes.max(of("io", "rchar:").unwrap_or(0));
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(LOOK);
        };
        took.seconds = begun.elapsed().as_secs_f64();
        ensure!(status.success(), "{} {step} failed", self.name);
        Ok(took)
    }
}

fn run(program: &str, words: &[&str]) -> Result<()> {
    let output = Command::new(program).args(words).output().with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn inside(pattern: &str) -> Result<()> {
    let megabytes = std::env::var("HUSORDEN_BENCH_MB").ok().map_or(Ok(MEGABYTES), |text| text.parse())?;
    let home = tempfile::tempdir_in("/var/tmp")?;
    let at = |name: &str| home.path().join(name);
    let text = |path: &Path| path.display().to_string();
    let (image, disk) = (at("image"), at("disk"));
    File::create(&image)?.set_len((megabytes as u64 * 4 + 1024) << 20)?;
    fs::create_dir(&disk)?;
    run("mkfs.btrfs", &["--quiet", &text(&image)])?;
    run("mount", &["-o", "loop,noatime", &text(&image), &text(&disk)])?;
    let steps = steps(&disk, &at("repositories"), &at("back"), megabytes, pattern);
    run("umount", &[&text(&disk)])?;
    steps
}

fn steps(disk: &Path, repositories: &Path, back: &Path, megabytes: usize, pattern: &str) -> Result<()> {
    let text = |path: &Path| path.display().to_string();
    let volume = disk.join("volume");
    run("btrfs", &["subvolume", "create", &text(&volume)])?;
    let image_bytes = data(&volume, megabytes)?;
    let snapshot = |name: &str| -> Result<PathBuf> {
        let to = disk.join(name);
        run("btrfs", &["subvolume", "snapshot", "-r", &text(&volume), &text(&to)])?;
        Ok(to)
    };
    fs::create_dir(repositories)?;
    let tools = ["ours", "restic", "borg"].map(|name| Tool { name, repository: repositories.join(name) });
    let (first, again) = (snapshot("first")?, snapshot("again")?);
    change(&volume)?;
    let changed = snapshot("changed")?;
    let nothing = Path::new("-");
    for tool in &tools {
        tool.run("init", &first, nothing, back)?;
    }
    let mut took = std::collections::BTreeMap::new();
    for (step, source, beside) in [
        ("first", &first, nothing),
        ("unchanged", &again, &*first),
        ("changed_1pct", &changed, &*again),
        ("restore", &changed, nothing),
        ("check", &changed, nothing),
    ] {
        for tool in &tools {
            fs::create_dir_all(back)?;
            took.insert((step, tool.name), tool.run(step, source, beside, back)?);
            fs::remove_dir_all(back)?;
        }
    }
    let of = |step, tool| took[&(step, tool)];
    let wanted = |name: &str| pattern == "*" || pattern == name;
    let note = format!("{megabytes} MB, one run each");
    for step in ["first", "unchanged", "changed_1pct", "restore", "check"] {
        let name = format!("backup.{step}");
        let (restic, borg) = (of(step, "restic").seconds, of(step, "borg").seconds);
        let peer = if restic <= borg { (restic, "restic") } else { (borg, "borg") };
        let figure = Figure {
            name: &name,
            ours: of(step, "ours").seconds,
            peer: Some(peer),
            unit: "s",
            better: Better::Less,
            note: note.clone(),
        };
        if wanted(&name) {
            figure.report()?;
        }
    }
    let (restic, borg) = (of("first", "restic").peak_mb, of("first", "borg").peak_mb);
    let peer = if restic <= borg { (restic, "restic") } else { (borg, "borg") };
    let ours = of("first", "ours").peak_mb;
    if wanted("backup.memory") {
        Figure { name: "backup.memory", ours, peer: Some(peer), unit: "MB", better: Better::Less, note: note.clone() }
            .report()?;
    }
    // What is read where nothing changed is the program itself, folders and indexes.
    let share = |tool| {
        let (changed, unchanged) = (of("changed_1pct", tool).read_bytes, of("unchanged", tool).read_bytes);
        changed.saturating_sub(unchanged) as f64 / image_bytes as f64
    };
    if wanted("backup.read_fraction") {
        let peer = Some((share("restic"), "restic"));
        Figure {
            name: "backup.read_fraction",
            ours: share("ours"),
            peer,
            unit: "of the image",
            better: Better::Less,
            note,
        }
        .report()?;
    }
    Ok(())
}

/// A third is a disk image of noise, a third is text, a third are small files. Says how large the image is.
fn data(volume: &Path, megabytes: usize) -> Result<u64> {
    let third = megabytes / 3;
    let mut noise = File::open("/dev/urandom")?;
    let mut piece = vec![0; 1 << 20];
    let mut image = File::create(volume.join("disk.img"))?;
    for _ in 0..third {
        noise.read_exact(&mut piece)?;
        image.write_all(&piece)?;
    }
    let mut log = File::create(volume.join("log.txt"))?;
    for line in 0..third * 10_000 {
        writeln!(log, "{line:08} 192.0.2.{} GET /page/{} 200 {}", line % 256, line % 9973, line * 7 % 100_000)?;
    }
    for folder in 0..third {
        let folder = volume.join(format!("files/{folder}"));
        fs::create_dir_all(&folder)?;
        noise.read_exact(&mut piece)?;
        for (number, bytes) in piece.chunks(16 << 10).enumerate() {
            fs::write(folder.join(format!("{number}.bin")), bytes)?;
        }
    }
    run("sync", &[])?;
    Ok((third as u64) << 20)
}

/// Rewrites a hundredth of the image: half of it in one place, half in pages all over.
fn change(volume: &Path) -> Result<()> {
    let image = OpenOptions::new().write(true).read(true).open(volume.join("disk.img"))?;
    let bytes = image.metadata()?.len();
    let half = usize::try_from(bytes / 200)? / 4096 * 4096;
    let mut noise = vec![0; half];
    File::open("/dev/urandom")?.read_exact(&mut noise)?;
    image.write_all_at(&noise, bytes / 3 / 4096 * 4096)?;
    let pages = half / 4096;
    for (number, page) in noise.chunks(4096).enumerate() {
        let at = (number as u64 * bytes / pages.max(1) as u64) / 4096 * 4096;
        image.write_all_at(page, at)?;
    }
    image.sync_all()?;
    Ok(())
}

/// Our own step, in a process of its own.
fn ours(step: &str, at: &Path, source: &Path, beside: &str) -> Result<()> {
    let target = Box::new(Local::new(at, Arc::new(Pace::free())));
    let password = at.with_extension("key");
    if step == "init" {
        let key = Key::generate();
        fs::write(password, key.password().reveal())?;
        Repository::create(target, &key, Timestamp::now())?;
        return Ok(());
    }
    let repository = Repository::open_with_password(target, &Secret::new(fs::read_to_string(password)?))?;
    let newest = || -> Result<husorden_backup::Id> {
        let all = repository.snapshots()?;
        let newest = all.into_iter().max_by_key(|(_, snapshot)| (snapshot.time.seconds, snapshot.time.nanoseconds));
        Ok(newest.context("a backup")?.0)
    };
    match step {
        "restore" => {
            let want = Want { path: path(b"volume"), owners: true, workers: 2 };
            repository.restore(&newest()?, &want, File::open(source)?.as_fd())?;
        }
        "check" => ensure!(repository.check(Share::All)?.findings.is_empty(), "it is not whole"),
        _ => {
            let former = match beside {
                "-" => None,
                beside => {
                    Some(Former { snapshot: newest()?, volume: Some(File::open(beside)?.into()), same_disk: true })
                }
            };
            let now = Timestamp::now();
            let options = Options {
                host: "bench".to_owned(),
                tags: Vec::new(),
                time: Moment { seconds: now.as_second(), nanoseconds: now.subsec_nanosecond() },
                workers: 2,
                stop: Arc::default(),
            };
            repository.write(&Source { volume: File::open(source)?.into(), notes: Vec::new(), former }, &options)?;
        }
    }
    Ok(())
}
