//! A writer in a process of its own, so that it can be killed: this test's own program, told by the environment what to do.

use crate::hand::*;
use husorden_backup::{Key, Repository};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const REPO: &str = "BACKUP_TEST_REPO";
const VOLUME: &str = "BACKUP_TEST_VOLUME";
const KEY: &str = "BACKUP_TEST_KEY";

/// Starts a writer; it prints the names of the backups that were acknowledged. The key in the environment is a test's.
pub(crate) fn start(repo: &Path, volume: &Path, key: &Key, around: &[&str]) -> Child {
    let exe = std::env::current_exe().unwrap();
    let arguments = ["--exact", "child::writes", "--ignored", "--nocapture"];
    let mut command = match around {
        [] => Command::new(&exe),
        [program, rest @ ..] => {
            let mut command = Command::new(program);
            command.args(rest).arg(&exe);
            command
        }
    };
    command.args(arguments).env(REPO, repo).env(VOLUME, volume).env(KEY, key.password().reveal());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
#[ignore = "is the writer that other tests start"]
fn writes() {
    let Ok(repo) = std::env::var(REPO) else { return };
    let key = Key::from_password(&husorden_base::Secret::new(std::env::var(KEY).unwrap())).unwrap();
    let volume = PathBuf::from(std::env::var(VOLUME).unwrap());
    let repository = Repository::open(local(repo.as_ref()), &key).unwrap();
    match write(&repository, &volume, None) {
        Ok(written) => println!("acknowledged {}", written.snapshot),
        Err(fault) => println!("fault {fault}"),
    }
}

/// What a process has asked the kernel to read, and what the kernel has read from disks for it.
fn read_so_far() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0);
    (number("rchar:"), number("read_bytes:"))
}

#[test]
#[ignore = "runs in a mount namespace that another test makes, on a btrfs of its own"]
fn follows_extents() {
    use husorden_backup::read::{Want, path};
    use husorden_backup::{Former, Source};
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;
    let Ok(pool) = std::env::var(VOLUME).map(PathBuf::from) else { return };
    let repo = PathBuf::from(std::env::var(REPO).unwrap());
    const MIB: u64 = 1 << 20;
    let size = 1024 * MIB;
    let live = pool.join("live");
    run("btrfs", &["subvolume".as_ref(), "create".as_ref(), live.as_os_str()]);
    let image = std::fs::File::options().read(true).write(true).create_new(true).open(live.join("disk.img")).unwrap();
    let mut chance = Chance::new(41);
    let block = chance.bytes(MIB as usize);
    for at in 0..size / MIB {
        // Every piece differs, and half of each compresses.
        let mut block = block.clone();
        block[..8].copy_from_slice(&at.to_le_bytes());
        for piece in block.chunks_mut(16 << 10) {
            piece[8..16].copy_from_slice(&chance.next().to_le_bytes());
            piece[8 << 10..].fill(0);
        }
        image.write_all_at(&block, at * MIB).unwrap();
    }
    let snapshot = |name: &str| {
        let to = pool.join(name);
        run(
            "btrfs",
            &["subvolume", "snapshot", "-r"]
                .map(AsRef::as_ref)
                .into_iter()
                .chain([live.as_os_str(), to.as_os_str()])
                .collect::<Vec<_>>(),
        );
        to
    };
    let (repository, key) = made(&repo);
    let first = snapshot("first");
    let before = write(&repository, &first, None).unwrap();
    let change = |image: &std::fs::File, chance: &mut Chance| {
        // One per cent: half of it in one piece, half in pages that lie about.
        let half = size / 200;
        image.write_all_at(&chance.bytes(half as usize), 300 * MIB).unwrap();
        for _ in 0..half / 4096 {
            image.write_all_at(&chance.bytes(4096), chance.below(size / 4096) * 4096).unwrap();
        }
    };
    change(&image, &mut chance);
    let second = snapshot("second");
    // As after a restart of the machine: nothing is in memory.
    run("sh", &["-c".as_ref(), "echo 3 > /proc/sys/vm/drop_caches".as_ref()]);
    let open = Repository::open(local(&repo), &key).unwrap();
    let from = read_so_far();
    let source = Source {
        volume: folder(&second),
        notes: Vec::new(),
        former: Some(Former { snapshot: before.snapshot, volume: Some(folder(&first)), same_disk: false }),
    };
    let begun = std::time::Instant::now();
    let written = open.write(&source, &options()).unwrap();
    let took = begun.elapsed();
    let to = read_so_far();
    let share = |bytes: u64| bytes as f64 / size as f64;
    println!(
        "of a changed image of {} MiB: read {:.4} (asked of the kernel, with the former directories {:.4}; from the disk {:.4}), sent {:.4}, {took:?}",
        size / MIB,
        share(written.bytes_read),
        share(to.0 - from.0),
        share(to.1 - from.1),
        share(written.bytes_sent),
    );
    assert!(share(written.bytes_read) <= 0.03, "{written:?}");
    // What it is now is what comes back, byte for byte; and so it is after holes, growth and a copy by reference.
    let back = |written: &husorden_backup::Written, volume: &Path| {
        let to = pool.join(format!("back-{}", written.snapshot.short()));
        std::fs::create_dir(&to).unwrap();
        let want = Want { path: path(b"volume"), owners: true, workers: 2 };
        Repository::open(local(&repo), &key).unwrap().restore(&written.snapshot, &want, folder(&to).as_fd()).unwrap();
        same(volume, &to);
        std::fs::remove_dir_all(&to).unwrap();
    };
    back(&written, &second);
    run(
        "fallocate",
        &["-p", "-o", "64MiB", "-l", "8MiB"]
            .map(AsRef::as_ref)
            .into_iter()
            .chain([live.join("disk.img").as_os_str()])
            .collect::<Vec<_>>(),
    );
    // Ten megabytes are shared with another place of the file: no byte is written, and what is read there is another.
    let (from, to) = (700 * MIB, 100 * MIB);
    clone_range(&image, from, 10 * MIB, to);
    image.set_len(size + 3 * MIB + 4096).unwrap();
    image.write_all_at(b"the end", size + 3 * MIB).unwrap();
    let third = snapshot("third");
    let source = Source {
        volume: folder(&third),
        notes: Vec::new(),
        former: Some(Former { snapshot: written.snapshot, volume: Some(folder(&second)), same_disk: true }),
    };
    let written = open.write(&source, &options()).unwrap();
    println!("after a hole, a copy by reference and growth: read {:.4}", share(written.bytes_read));
    assert!(written.bytes_read > 10 * MIB && share(written.bytes_read) < 0.03, "{written:?}");
    back(&written, &third);
    println!("followed");
}

/// Shares a range of a file with another place in it, as `cp --reflink` and deduplication do.
#[allow(unsafe_code, reason = "an ioctl that no crate in use has")]
fn clone_range(file: &std::fs::File, from: u64, length: u64, to: u64) {
    use rustix::ioctl::{Setter, ioctl};
    use std::os::fd::AsRawFd;
    #[repr(C)]
    struct Range {
        fd: i64,
        from: u64,
        length: u64,
        to: u64,
    }
    let range = Range { fd: i64::from(file.as_raw_fd()), from, length, to };
    // SAFETY: FICLONERANGE reads one `struct file_clone_range`, which `Range` is.
    unsafe { ioctl(file, Setter::<0x4020_940D, Range>::new(range)) }.unwrap();
}

#[test]
fn of_a_large_image_only_what_changed_is_read() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    std::fs::File::create(at("pool")).unwrap().set_len(6 << 30).unwrap();
    run("mkfs.btrfs", &["-q".as_ref(), at("pool").as_os_str()]);
    std::fs::create_dir(at("mount")).unwrap();
    let script = format!("mount -o loop {} {} && exec \"$0\" \"$@\"", at("pool").display(), at("mount").display());
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "child::follows_extents", "--ignored", "--nocapture"]);
    let done = command.env(REPO, at("repo")).env(VOLUME, at("mount")).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("followed"), "{said}");
    said.lines().filter(|line| line.contains("read 0.")).for_each(|line| println!("{line}"));
}
