//! Imports on a real pool with the real tool: what becomes a disk and how it is kept, what is refused, what is fetched from a server of the
//! test's own, and what a death leaves.

use super::super::tests::{here, name};
use super::*;
use crate::Ground;
use crate::tests::PATIENCE;
use crate::volume::tests::Place;
use husorden_kinds::RuntimeSight;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

/// The product's catalogue and the machine's cache, in a place of the test's own.
fn ground(place: &Place) -> Ground {
    Ground {
        cache: "/var/cache/husorden".into(),
        catalogue: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
        ..place.ground.clone()
    }
}

fn ask(name: &str, source: &str) -> ImportAsk {
    ImportAsk {
        name: name.to_owned(),
        source: source.to_owned(),
        sha256: None,
        title: Text::new("Prøve", "Test"),
        licence: Licence { by: "Nobody".to_owned(), terms: Text::new("Ingen", "None"), pool: None },
        system: System::Other,
        firmware: Some(Firmware::Uefi),
    }
}

/// How an import ends: nothing where it came about.
fn ends(runtimes: &Runtimes, name: &RuntimeName) -> Option<Refusal> {
    let began = Instant::now();
    while runtimes.inner.is_importing(name) {
        assert!(began.elapsed() < PATIENCE, "{:?}", runtimes.inner.import_progress());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut failed = runtimes.inner.imports_failed().into_iter().filter(|(recipe, _)| recipe.name == *name);
    failed.next().map(|(_, refusal)| refusal)
}

/// A raw disk of 8 MiB that says it is one, with something at its end.
fn disk(place: &Place) -> PathBuf {
    let mut bytes = vec![0; 8 << 20];
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes[(8 << 20) - 4..].copy_from_slice(b"last");
    let path = place.ground.home.join("disk.raw");
    fs::write(&path, bytes).expect("a disk");
    path
}

fn sha256(path: &Path) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(fs::read(path).expect("it")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs the tool as an import does, with the test's folder to write in.
fn tool(runtimes: &Runtimes, place: &Place, script: &str) {
    let root = runtimes.inner.root_of(&tools_name()).expect("the tool is there");
    let log = place.ground.home.join("tool.log");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let folder = place.ground.home.join("made");
    fs::create_dir_all(&folder).expect("a folder");
    let input = Input { folder: &place.ground.home, words: &[] };
    template::make(&root, &folder, script, Some(input), Tools { log: &log, stop: &stop }).expect("the tool");
}

#[test]
fn a_disk_is_imported_kept_and_removed_and_a_bad_one_refused() {
    let place = Place::new();
    let pool = place.pool(1500);
    let runtimes = Runtimes::open(&ground(&place), pool.root(), here()).expect("a shelf");
    let raw = disk(&place);
    let (one, two) = (name("one"), name("two"));
    let whole = ImportAsk { sha256: Some(sha256(&raw).to_uppercase()), ..ask("one", &raw.display().to_string()) };
    assert_eq!(runtimes.import(whole.clone()).expect("it begins"), one);
    assert_eq!(runtimes.status(&one), RuntimeSight::Building);
    assert_eq!(
        runtimes.import(ask("two", &raw.display().to_string())).expect_err("one at a time").code,
        "import-under-way"
    );
    assert_eq!(ends(&runtimes, &one), None);
    let folder = runtimes.image(&one).expect("it is there");
    assert_eq!(fs::read(folder.join(DISK)).expect("a disk"), fs::read(&raw).expect("a disk"));
    assert!(fs::write(folder.join(DISK), "x").is_err(), "it is sealed");
    assert_eq!(runtimes.disks()[&one], Bytes::mib(8));
    assert_eq!(runtimes.import(whole).expect_err("the name is taken").code, "name-taken");

    // The form is compressed and of the newest kind; what comes of it is the same disk.
    tool(&runtimes, &place, "qemu-img convert -c -f raw -O qcow2 -o compression_type=zstd /mnt/disk.raw packed.qcow2");
    let packed = place.ground.home.join("made/packed.qcow2");
    runtimes.import(ask("two", &packed.display().to_string())).expect("it begins");
    assert_eq!(ends(&runtimes, &two), None);
    let packed = runtimes.image(&two).expect("it is there").join(DISK);
    assert_eq!(fs::read(packed).expect("a disk"), fs::read(&raw).expect("a disk"));

    // At the door, by the header that the real tool wrote.
    fs::write(place.ground.home.join("secret"), vec![7; 1 << 20]).expect("a file");
    tool(
        &runtimes,
        &place,
        "set -e; qemu-img create -q -f qcow2 -b /mnt/secret -F raw backed.qcow2
         qemu-img create -q -f qcow2 -o data_file=outside.raw,data_file_raw=on outer.qcow2 8M
         qemu-img create -q -f qcow2 huge.qcow2 100T
         qemu-img create -q -f qcow2 snapped.qcow2 8M; qemu-img snapshot -c before snapped.qcow2
         qemu-img create -q --object secret,id=s,data=abc -f qcow2 -o encrypt.format=luks,encrypt.key-secret=s locked.qcow2 8M
         qemu-img create -q -f vmdk other.vmdk 8M; chmod 644 *",
    );
    for (file, said) in [
        ("made/backed.qcow2", "backing file"),
        ("made/outer.qcow2", "a file of its own"),
        ("made/huge.qcow2", "may be from"),
        ("made/snapped.qcow2", "1 snapshots"),
        ("made/locked.qcow2", "encrypted"),
        ("made/other.vmdk", "VMDK"),
        ("secret", "no disk"),
        ("made", "a folder"),
        ("no-such", "could not be had"),
    ] {
        let source = place.ground.home.join(file).display().to_string();
        let refusal = runtimes.import(ask("bad", &source)).expect_err(file);
        assert!(refusal.detail.en.contains(said), "{file}: {}", refusal.detail.en);
    }
    // What a lie at the door would come to: the form is what was said, and no other file is opened, though it lies beside the copy.
    let (input, target) = (place.ground.home.join("input"), pool.root().join("target"));
    for folder in [&input, &target] {
        fs::create_dir(folder).expect("a folder");
    }
    fs::copy(place.ground.home.join("made/backed.qcow2"), input.join(SOURCE)).expect("a copy");
    fs::copy(place.ground.home.join("secret"), input.join("secret")).expect("a copy");
    let root = runtimes.inner.root_of(&tools_name()).expect("the tool is there");
    let log = place.ground.home.join("lie.log");
    let tools = Tools { log: &log, stop: &runtimes.inner.stop };
    runtimes.inner.convert(&root, &target, &input, Format::Qcow2, tools).expect("it is read without the other file");
    assert!(fs::read(target.join(DISK)).expect("a disk").iter().all(|byte| *byte == 0), "none of it came along");
    runtimes.inner.convert(&root, &target, &input, Format::Raw, tools).expect("it is taken for what was said");
    let taken = fs::read(target.join(DISK)).expect("a disk");
    assert!(taken.starts_with(b"QFI\xfb") && !taken.contains(&7));
    // A table that leads nowhere, which the door does not follow: the tool says so, and the import ends.
    let lies = place.ground.home.join("lies.qcow2");
    let mut bytes = fs::read(place.ground.home.join("made/packed.qcow2")).expect("a disk");
    let table = usize::try_from(u64::from_be_bytes(bytes[40..48].try_into().expect("8"))).expect("small");
    bytes[table..table + 8].copy_from_slice(&(0x8000_0000_0000_0200_u64).to_be_bytes());
    fs::write(&lies, bytes).expect("a file");
    runtimes.import(ask("lies", &lies.display().to_string())).expect("the door sees nothing");
    assert_eq!(ends(&runtimes, &name("lies")).expect("it is refused").code, "unreadable");
    // Another file than the one that was meant.
    let other = ImportAsk { sha256: Some("0".repeat(64)), ..ask("other", &raw.display().to_string()) };
    runtimes.import(other).expect("it begins");
    assert_eq!(ends(&runtimes, &name("other")).expect("it is refused").code, "wrong-checksum");
    let failed = runtimes.images().into_iter().find(|image| image.entry.name == name("other")).expect("it is told");
    assert!(failed.refusal.is_some() && runtimes.status(&name("other")) == RuntimeSight::Absent);
    runtimes.remove_import(&name("other")).expect("it is forgotten");
    // What is made must leave the pool room for those who run.
    let filler = File::create(pool.root().join("filler")).expect("a file");
    let seen = rustix::fs::statvfs(pool.root()).expect("it says how full it is");
    let all_but_a_tenth = (seen.f_bavail - seen.f_blocks / 10) * seen.f_frsize;
    rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, all_but_a_tenth).expect("it is taken");
    rustix::fs::syncfs(&filler).expect("it is counted");
    runtimes.import(ask("late", &raw.display().to_string())).expect("it begins");
    assert_eq!(ends(&runtimes, &name("late")).expect("it is refused").code, "no-room");
    drop(filler);
    fs::remove_file(pool.root().join("filler")).expect("it goes");
    assert!(!pool.root().join("images/.new-late").exists());
    let left: Vec<_> = work(&place);
    assert!(left.is_empty(), "{left:?}");
    runtimes.close();
    drop(runtimes);

    // It is known again, with all that was said of it; what could not be imported is forgotten.
    let runtimes = Runtimes::open(&ground(&place), pool.root(), here()).expect("a shelf");
    assert_eq!(runtimes.status(&one), RuntimeSight::Ready);
    let images = runtimes.images();
    let image = images.iter().find(|image| image.entry.name == one).expect("it is listed");
    assert_eq!((image.licence.by.as_str(), image.firmware), ("Nobody", Some(Firmware::Uefi)));
    assert_eq!(image.imported, Some(("disk.raw".to_owned(), sha256(&raw))));
    assert!(!images.iter().any(|image| image.entry.name == name("lies")));
    runtimes.rebuild(&one).expect_err("nothing builds it anew");
    let nobody = std::collections::BTreeSet::new();
    assert!(runtimes.tidy(&[], &nobody, Timestamp::now()).expect("tidied").is_empty(), "it serves");
    runtimes.remove_import(&one).expect("it goes");
    assert_eq!((runtimes.image(&one), runtimes.status(&one)), (None, RuntimeSight::Absent));
    assert_eq!(runtimes.remove_import(&one).expect_err("it is gone").code, "no-such-image");
    assert_eq!(runtimes.remove_import(&name("tiny")).expect_err("the catalogue's stay").code, "no-such-image");
    let left = fs::read_dir(pool.root().join("images")).expect("a list").flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(left.len() == 2 && left.iter().all(|name| name.starts_with("two@")), "{left:?}");
}

fn work(place: &Place) -> Vec<PathBuf> {
    let all = fs::read_dir(place.ground.home.join("builds")).expect("a list").flatten().map(|entry| entry.path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == WORK)).collect()
}

/// Answers each request with what stands for its path, from a server of the test's own.
fn server(disk: Vec<u8>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 2048];
            let bytes = stream.read(&mut request).unwrap_or(0);
            let asked = String::from_utf8_lossy(&request[..bytes]).into_owned();
            let path = asked.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
            let length = match path.as_str() {
                "/disk.raw" | "/cut" => disk.len() as u64,
                "/huge" => 1 << 50,
                _ => {
                    let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
                    continue;
                }
            };
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            let sent = if path == "/disk.raw" { disk.len() } else { disk.len() / 2 };
            let _ = stream.write_all(&disk[..sent]);
        }
    });
    port
}

#[test]
fn an_address_needs_a_checksum_and_is_fetched_within_bounds() {
    let place = Place::new();
    let pool = place.pool(1500);
    let runtimes = Runtimes::open(&ground(&place), pool.root(), here()).expect("a shelf");
    let raw = disk(&place);
    let port = server(fs::read(&raw).expect("a disk"));
    let at = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let sum = Some(sha256(&raw));
    for (source, sha256, field) in [
        (at("disk.raw"), None, "/sha256"),
        (at("disk.raw"), Some("12".to_owned()), "/sha256"),
        (format!("ftp://127.0.0.1:{port}/disk.raw"), sum.clone(), "/source"),
        (format!("http://anna:secret@127.0.0.1:{port}/disk.raw"), sum.clone(), "/source"),
        ("https://".to_owned(), sum.clone(), "/source"),
    ] {
        let refusal = runtimes.import(ImportAsk { sha256, ..ask("web", &source) }).expect_err(&source);
        assert_eq!(refusal.fields[0].pointer, field, "{source}");
    }
    for bad in ["4711", "own-7", "", "../x", "Alpine"] {
        assert_eq!(runtimes.import(ask(bad, &at("disk.raw"))).expect_err(bad).fields[0].pointer, "/name");
    }
    let taken = ImportAsk { sha256: sum.clone(), ..ask("debian-13", &at("disk.raw")) };
    assert_eq!(runtimes.import(taken).expect_err("the catalogue has it").code, "name-taken");

    let web = name("web");
    for (path, sha256, code) in [
        ("none", sum.clone(), "no-source"),
        ("huge", sum.clone(), "too-large"),
        ("cut", sum.clone(), "no-source"),
        ("disk.raw", Some("0".repeat(64)), "wrong-checksum"),
    ] {
        runtimes.import(ImportAsk { sha256, ..ask("web", &at(path)) }).expect("it begins");
        assert_eq!(ends(&runtimes, &web).expect(path).code, code, "{path}");
    }
    runtimes.import(ImportAsk { sha256: sum, ..ask("web", &at("disk.raw?token=secret")) }).expect("it begins");
    assert_eq!(ends(&runtimes, &web), None);
    let image = runtimes.images().into_iter().find(|image| image.entry.name == web).expect("it is there");
    assert_eq!(image.imported, Some((at("disk.raw"), sha256(&raw))), "no more of the address than may be told");
}

/// Runs in a process of its own, which the test kills in the middle of its import.
const HELPER: &str = "HUSORDEN_TEST_IMPORT";

#[test]
fn what_a_kill_leaves_is_swept_and_the_next_import_works() {
    if let Some(held) = std::env::var_os(HELPER) {
        return dies_importing(&PathBuf::from(held));
    }
    let place = Place::new();
    let pool = place.pool(1500);
    let held = place.ground.home.join("held");
    fs::create_dir(&held).expect("a folder");
    let raw = disk(&place);
    // A fifo for a disk would be refused, so the server of a file is what it hangs on: it sends half and then nothing.
    let bytes = fs::read(&raw).expect("a disk");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let hangs = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        let _ = stream.read(&mut [0; 2048]);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
        let _ = stream.write_all(&bytes[..bytes.len() / 2]);
        // Held open until the other side is gone.
        let _ = stream.read(&mut [0; 16]);
    });
    let told = serde_json::json!({
        "home": place.ground.home, "run": place.ground.run, "pool": pool.root(), "port": port, "sha256": sha256(&raw),
    });
    fs::write(held.join("told"), told.to_string()).expect("a file");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "runtime::import::tests::what_a_kill_leaves_is_swept_and_the_next_import_works",
            "--nocapture",
        ])
        .env(HELPER, &held)
        .spawn()
        .expect("it starts");
    let copy = place.ground.home.join("builds/cut.work/input/source");
    let began = Instant::now();
    while !fs::metadata(&copy).is_ok_and(|meta| meta.len() > 0) {
        assert!(began.elapsed() < PATIENCE && child.try_wait().expect("it can be asked").is_none(), "it imports");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("it is killed");
    child.wait().expect("it is dead");
    hangs.join().expect("nobody asks any more");
    // A death while the disk is made, or before the note is written, leaves these.
    let top = File::open(pool.root().join("images")).expect("images");
    crate::volume::btrfs::subvol_create(&top, ".new-cut", None).expect("a subvolume");
    crate::volume::btrfs::subvol_create(&top, "cut@0123456789ab", None).expect("a subvolume");
    drop(top);
    assert_eq!(work(&place).len(), 1);

    let runtimes = Runtimes::open(&ground(&place), pool.root(), here()).expect("a shelf");
    assert!(work(&place).is_empty());
    let left: Vec<_> = fs::read_dir(pool.root().join("images")).expect("a list").collect();
    assert!(left.is_empty(), "{left:?}");
    let cut = name("cut");
    assert_eq!(runtimes.status(&cut), RuntimeSight::Absent);
    runtimes.import(ask("cut", &raw.display().to_string())).expect("it begins");
    assert_eq!(ends(&runtimes, &cut), None);
    assert!(runtimes.image(&cut).is_some());
    // A node that ends calls an import off, and waits for no server.
    let hangs = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = hangs.local_addr().expect("an address").port();
    let slow = ImportAsk { sha256: Some("0".repeat(64)), ..ask("slow", &format!("http://127.0.0.1:{port}/")) };
    runtimes.import(slow).expect("it begins");
    let (_stream, _) = hangs.accept().expect("it asks");
    runtimes.close();
    let failed = runtimes.inner.imports_failed();
    assert!(failed.is_empty(), "it was called off before anybody gave up: {failed:?}");
    drop(runtimes);
    pool.release().expect("nothing holds the pool");
}

fn dies_importing(held: &Path) {
    let told: serde_json::Value =
        serde_json::from_slice(&fs::read(held.join("told")).expect("it was told")).expect("JSON");
    let path = |field: &str| PathBuf::from(told[field].as_str().expect("a path"));
    let ground = Ground {
        instance: "dies".to_owned(),
        home: path("home"),
        run: path("run"),
        cache: "/var/cache/husorden".into(),
        catalogue: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
        edge_gid: 0,
    };
    let runtimes = Runtimes::open(&ground, &path("pool"), here()).expect("a shelf");
    let sha256 = told["sha256"].as_str().map(str::to_owned);
    let source = format!("http://127.0.0.1:{}/disk.raw", told["port"]);
    runtimes.import(ImportAsk { sha256, ..ask("cut", &source) }).expect("it begins");
    std::thread::sleep(PATIENCE);
}

#[test]
fn what_the_tool_says_is_read() {
    let said = "    (0.00/100%)\r    (12.34/100%)\r";
    assert_eq!(percent(said), Some(12));
    assert_eq!(percent("nothing"), None);
    assert_eq!(last_words("    (1.00/100%)\rqemu-img: it broke\n"), "qemu-img: it broke");
    assert_eq!(last_words("    (1.00/100%)\r"), "it said nothing");
}
