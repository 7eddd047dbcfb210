//! The runtime wall on a real pool: a catalogue of small apps built from an archive, and one real runtime of the product's own catalogue,
//! through the machine's shared cache.

use super::*;
use crate::volume::tests::Place;
use husorden_base::RuntimeName;
use husorden_kinds::RuntimeSight;
use sha2::Digest;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(super) fn name(text: &str) -> RuntimeName {
    text.parse().expect("a name")
}

/// The network namespace of the test.
pub(super) fn here() -> std::os::fd::OwnedFd {
    crate::network::current().expect("this namespace")
}

fn write(place: &Place, path: &str, text: &str) {
    let path = place.ground.catalogue.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// Waits for an entry to leave the state of being built.
fn settled(runtimes: &Runtimes, name: &RuntimeName, seconds_max: u64) -> RuntimeSight {
    for _ in 0..seconds_max * 20 {
        match runtimes.status(name) {
            RuntimeSight::Building => std::thread::sleep(Duration::from_millis(50)),
            sight => return sight,
        }
    }
    panic!("{name} is still being built after {seconds_max} s");
}

/// An archive with one page, and an entry that is made from it.
fn small_app(place: &Place) -> PathBuf {
    let folder = place.ground.home.join("source");
    fs::create_dir_all(folder.join("blog-1.0/admin")).expect("a folder");
    fs::write(folder.join("blog-1.0/index.php"), "<?php echo 'blog';").expect("a file");
    fs::write(folder.join("blog-1.0/admin/secret.sample"), "x").expect("a file");
    let archive = place.ground.home.join("blog.tar.gz");
    let made = Command::new("tar").args(["-czf"]).arg(&archive).arg("-C").arg(&folder).arg("blog-1.0").status();
    assert!(made.expect("tar").success());
    let hash: String =
        sha2::Sha256::digest(fs::read(&archive).expect("it")).iter().map(|byte| format!("{byte:02x}")).collect();
    write(place, "apps/blog.toml", &entry(&archive, &hash));
    write(place, "apps/blog/install.php", "<?php // one");
    archive
}

fn entry(archive: &Path, hash: &str) -> String {
    format!(
        "name = \"blog\"\ntitle = {{ da = \"Blog\", en = \"Blog\" }}\nfolder = \"blog\"\nleave = [\"*.sample\"]\n\
         [url]\naddress = \"file:{}\"\nsha256 = \"{hash}\"\narchive = \"tar\"\ncopy = \"blog-1.0\"\n",
        archive.display()
    )
}

#[test]
fn an_app_is_built_kept_and_had_by_the_next_pool() {
    let place = Place::new();
    let archive = small_app(&place);
    let blog = name("blog");
    let pool = place.pool(300);
    let runtimes = Runtimes::open(&place.ground, pool.root(), here()).expect("a shelf");
    assert_eq!((runtimes.status(&blog), runtimes.app("blog")), (RuntimeSight::Absent, None));
    assert!(matches!(runtimes.ensure(&name("no-such")), Err(BuildError::Unknown(_))));
    runtimes.ensure(&blog).expect("asked for");
    runtimes.ensure(&blog).expect("again is fine");
    assert_eq!(settled(&runtimes, &blog, 30), RuntimeSight::Ready);
    let app = runtimes.app("blog").expect("the app");
    let read = |app: &Path, file: &str| fs::read_to_string(app.join(file)).expect("a file");
    assert_eq!(read(&app, "blog/index.php"), "<?php echo 'blog';");
    assert_eq!(read(&app, "husorden/install.php"), "<?php // one");
    assert!(!app.join("blog/admin/secret.sample").exists() && app.join("blog/admin").is_dir());
    assert_eq!(runtimes.path(&blog, None), None, "an app is no root to run in");
    let error = fs::write(app.join("blog/index.php"), "changed").expect_err("it is sealed");
    assert_eq!(error.raw_os_error(), Some(nix::errno::Errno::EROFS as i32));
    runtimes.close();
    drop(runtimes);

    // Another pool, and a source that is gone: it comes from the cache.
    let other = Place::new();
    let ground = crate::Ground {
        cache: place.ground.cache.clone(),
        catalogue: place.ground.catalogue.clone(),
        ..other.ground.clone()
    };
    fs::remove_file(&archive).expect("gone");
    let other_pool = other.pool(300);
    let runtimes = Runtimes::open(&ground, other_pool.root(), here()).expect("a shelf");
    runtimes.ensure(&blog).expect("asked for");
    assert_eq!(settled(&runtimes, &blog, 30), RuntimeSight::Ready);
    assert_eq!(read(&runtimes.app("blog").expect("the app"), "husorden/install.php"), "<?php // one");
    runtimes.close();
    drop(runtimes);

    // Back in the first, with an installer that has changed meanwhile and a source that is there again: the old build serves at once, the new
    // one as soon as it is there, and the old one goes when nobody uses it.
    small_app(&place);
    write(&place, "apps/blog/install.php", "<?php // two");
    let runtimes = Runtimes::open(&place.ground, pool.root(), here()).expect("a shelf");
    assert_eq!(runtimes.status(&blog), RuntimeSight::Ready);
    for _ in 0..600 {
        if runtimes.app("blog") != Some(app.clone()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(read(&runtimes.app("blog").expect("the app"), "husorden/install.php"), "<?php // two");
    assert_eq!(read(&app, "husorden/install.php"), "<?php // one", "who uses the old one keeps it");
    let now = jiff::Timestamp::now();
    let nothing: [String; 0] = [];
    let inside = app.join("husorden/install.php");
    let nobody = std::collections::BTreeSet::new();
    let old = app.file_name().expect("a name").to_string_lossy().rsplit_once('@').expect("name and build").1.to_owned();
    let pinned = std::collections::BTreeSet::from([(blog.clone(), old)]);
    assert_eq!(runtimes.tidy(&[], &pinned, now).expect("tidied"), nothing, "one that a solution is pinned to stays");
    assert_eq!(runtimes.tidy(&[inside], &nobody, now).expect("tidied"), nothing, "one that is in use stays");
    let yesterday = now - jiff::SignedDuration::from_hours(24);
    assert_eq!(runtimes.tidy(&[], &nobody, yesterday).expect("tidied"), nothing, "the new one has not served for long");
    assert_eq!(runtimes.tidy(&[], &nobody, now).expect("tidied").len(), 1);
    assert!(runtimes.app("blog").is_some_and(|serves| serves.exists()), "the one that serves stays");
    assert!(!app.exists());
}

#[test]
fn a_failed_build_says_why_and_leaves_nothing() {
    let place = Place::new();
    let archive = small_app(&place);
    write(&place, "apps/blog.toml", &entry(&archive, &"0".repeat(64)));
    let pool = place.pool(300);
    let runtimes = Runtimes::open(&place.ground, pool.root(), here()).expect("a shelf");
    let blog = name("blog");
    runtimes.ensure(&blog).expect("asked for");
    let RuntimeSight::Failed { reason } = settled(&runtimes, &blog, 30) else { panic!("a wrong checksum was taken") };
    assert!(reason.contains("the download failed") && reason.contains("Hash"), "{reason}");
    assert!(matches!(runtimes.list()[0].sight, RuntimeSight::Failed { .. }));
    assert_eq!(runtimes.app("blog"), None);
    runtimes.close();
    drop(runtimes);
    // What a build leaves that was cut anywhere: an unfinished subvolume, a finished one without its note, a work folder.
    let top = fs::File::open(pool.root().join("apps")).expect("apps");
    crate::volume::btrfs::subvol_create(&top, "blog@0123456789ab", None).expect("a subvolume");
    crate::volume::btrfs::subvol_create(&top, ".new-other", None).expect("a subvolume");
    let runtimes = Runtimes::open(&place.ground, pool.root(), here()).expect("a shelf");
    let left: Vec<_> = fs::read_dir(pool.root().join("apps")).expect("a list").collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(runtimes.status(&blog), RuntimeSight::Absent);
}

#[test]
fn a_build_is_called_off_with_all_that_it_started() {
    let place = Place::new();
    write(
        &place,
        "runtimes/slow.toml",
        "name = \"slow\"\ntitle = { da = \"x\", en = \"x\" }\nsuite = \"trixie\"\npackages = [\"busybox-static\"]\n",
    );
    let pool = place.pool(600);
    let runtimes = Runtimes::open(&place.ground, pool.root(), here()).expect("a shelf");
    runtimes.ensure(&name("slow")).expect("asked for");
    let log = place.ground.home.join("builds/slow.log");
    for _ in 0..600 {
        if fs::read_to_string(&log).is_ok_and(|text| text.contains("I: ")) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(runtimes.list()[0].progress.is_some());
    runtimes.close();
    drop(runtimes);
    let root = pool.root().join("runtimes/.new-slow");
    let named = |entry: &fs::DirEntry| {
        fs::read(entry.path().join("cmdline")).is_ok_and(|line| contains(&line, root.as_os_str().as_encoded_bytes()))
    };
    for _ in 0..100 {
        if !fs::read_dir("/proc").expect("proc").flatten().any(|entry| named(&entry)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let alive: Vec<_> = fs::read_dir("/proc").expect("proc").flatten().filter(named).collect();
    assert!(alive.is_empty(), "{alive:?}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    assert!(!mounts.contains(".new-slow"), "{mounts}");
    Runtimes::open(&place.ground, pool.root(), here()).expect("a shelf");
    assert!(!root.exists());
    pool.release().expect("nothing holds the pool");
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_products_own_mariadb_is_sealed_and_knows_nobody_but_the_site() {
    let place = Place::new();
    let ground = crate::Ground {
        cache: "/var/cache/husorden".into(),
        catalogue: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
        ..place.ground.clone()
    };
    let pool = place.pool(1500);
    let runtimes = Runtimes::open(&ground, pool.root(), here()).expect("the product's catalogue");
    let mariadb = name("mariadb-11.8");
    runtimes.ensure(&mariadb).expect("asked for");
    // Seconds from the cache, a minute on a machine that builds it first, more on a busy one.
    assert_eq!(settled(&runtimes, &mariadb, 900), RuntimeSight::Ready);
    let root = runtimes.path(&mariadb, None).expect("a root");
    assert_eq!(fs::read_to_string(root.join("etc/resolv.conf")).expect("a file"), "");
    assert_eq!(fs::read_to_string(root.join("etc/hostname")).expect("a file"), "localhost\n");
    assert!(fs::read_to_string(root.join("etc/hosts")).expect("a file").contains("127.0.0.1 localhost"));
    assert_eq!(fs::read_to_string(root.join("etc/apt/sources.list")).expect("a file"), "");
    assert!(fs::write(root.join("etc/hosts"), "x").is_err(), "it is sealed");
    assert_eq!(setuid(&root), Vec::<PathBuf>::new());
    let entry = runtimes.list().into_iter().find(|entry| entry.name == mariadb).expect("an entry");
    assert!(entry.packages["mariadb-server-core"].contains("11.8"), "{entry:?}");
    // Whom a server made from the template knows: asked with its checks off, since nobody else may ask.
    let template = runtimes.template(&mariadb, None).expect("a template");
    let copy = pool.root().join("copy");
    fs::create_dir(&copy).expect("a folder");
    let copied = Command::new("cp").arg("-a").arg(template.join("data")).arg(&copy).status();
    assert!(copied.expect("cp").success());
    let script = "mariadbd --no-defaults --datadir=/srv/data --innodb-log-file-size=8M --skip-networking --skip-grant-tables \\
        --socket=/tmp/s >/tmp/log 2>&1 &
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 0.3; mariadb --no-defaults -S /tmp/s -N -B \\
        -e \"SELECT CONCAT(User, '@', Host, ' ', JSON_VALUE(Priv, '$.plugin')) FROM mysql.global_priv ORDER BY User; SHOW DATABASES\" \\
        >/srv/said 2>/dev/null && exit 0; done; cat /tmp/log >&2; exit 1";
    let (log, stop) = (place.ground.home.join("log"), std::sync::atomic::AtomicBool::new(false));
    template::make(&root, &copy, script, None, tools::Tools { log: &log, stop: &stop }).expect("a server");
    let said = fs::read_to_string(copy.join("said")).expect("an answer");
    let mut lines: Vec<_> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "information_schema",
            "mariadb.sys@localhost mysql_native_password",
            "mysql",
            "performance_schema",
            "site",
            "site@localhost unix_socket",
            "sys"
        ]
    );
    let mode = fs::metadata(template.join("data/ibdata1")).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o004, 0o004, "a solution can copy it");
}

fn setuid(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a list").flatten() {
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            found.extend(setuid(&entry.path()));
        } else if kind.is_file() && entry.metadata().expect("metadata").permissions().mode() & 0o6000 != 0 {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn a_wrong_entry_is_refused_with_file_and_line() {
    let good = "name = \"x-1\"\ntitle = { da = \"x\", en = \"x\" }\nsuite = \"trixie\"\npackages = [\"a\"]\n";
    let app = "name = \"x-1\"\ntitle = { da = \"x\", en = \"x\" }\nfolder = \"x\"\n";
    for (path, text, expected) in [
        ("runtimes/x-1.toml", format!("{good}colour = 1\n"), "line 5"),
        ("runtimes/x-1.toml", good.replace("trixie", "sid"), "line 3"),
        ("runtimes/x-1.toml", good.replace("[\"a\"]", "[]"), "1 to 200 packages"),
        ("runtimes/x-1.toml", good.replace("\"a\"", "\"--help\""), "no name of a Debian package"),
        ("runtimes/x-2.toml", good.to_owned(), "the file is called \"x-2\""),
        ("apps/x-1.toml", app.to_owned(), "exactly one of"),
        (
            "apps/x-1.toml",
            format!("{app}[debian]\nsuite = \"trixie\"\npackages = [\"a\"]\ncopy = \"../etc\"\n"),
            "no path inside the source",
        ),
        (
            "apps/x-1.toml",
            format!("{app}[url]\naddress = \"https://a.test\"\nsha256 = \"12\"\narchive = \"tar\"\ncopy = \"a\"\n"),
            "64 characters",
        ),
    ] {
        let place = Place::new();
        write(&place, path, &text);
        let error = read(&place.ground.catalogue).expect_err(expected).to_string();
        assert!(error.contains(path) && error.contains(expected), "{error}\nlacks {expected}");
    }
    let place = Place::new();
    write(&place, "runtimes/x-1.toml", good);
    assert_eq!(read(&place.ground.catalogue).expect("it holds").len(), 1);
}

#[test]
fn the_products_catalogue_holds() {
    let found = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).expect("it holds");
    for wanted in ["php-8.2", "php-8.4", "mariadb-10.11", "mariadb-11.8", "wordpress"] {
        assert!(found.contains_key(&name(wanted)), "{wanted}");
    }
}

#[test]
fn an_image_that_does_not_hold_is_told_with_its_file() {
    let place = Place::new();
    let image = |change: (&str, &str)| {
        let text = "name = \"small\"\ntitle = { da = \"Lille\", en = \"Small\" }\nsystem = \"linux\"\narchitecture = \"amd64\"\n\
            disk_mib = 64\nsuite = \"trixie\"\ninstall = \"extract\"\npackages = [\"busybox-static\"]\ntools = \"bench\"\n\
            [licence]\nby = \"Debian\"\nterms = { da = \"Fri.\", en = \"Free.\" }\n";
        write(&place, "images/small.toml", &text.replace(change.0, change.1));
        read(&place.ground.catalogue).map(|found| found.len()).map_err(|error| error.to_string())
    };
    write(
        &place,
        "runtimes/bench.toml",
        "name = \"bench\"\ntitle = { da = \"B\", en = \"B\" }\nsuite = \"trixie\"\npackages = [\"e2fsprogs\"]\n",
    );
    assert_eq!(image(("", "")), Ok(2));
    for (change, said) in [
        (("\"bench\"", "\"lathe\""), "tools = \"lathe\" is no runtime of this catalogue"),
        (("= 64", "= 1"), "disk_mib is a number from 48 to 16384"),
        (("busybox-static", "Busy Box"), "is no name of a Debian package"),
        (("amd64", "sparc"), "unknown variant `sparc`"),
        (("by =", "of ="), "unknown field `of`"),
    ] {
        let error = image(change).expect_err(said);
        assert!(error.contains("images/small.toml") && error.contains(said), "{error}");
    }
}
