//! `site.cold_start`: an idle site to its first byte, beside the same php-fpm started bare in the same files.

use crate::{site, sleep};
use anyhow::{Context, Result, bail};
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::hand::{Running, runtime};
use husorden_world::{House, text};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Samples.
const SAMPLES: usize = 15;

/// An idle site to its first byte, beside the same php-fpm started bare in the same files.
pub(crate) fn cold_start(house: &House) -> Result<()> {
    site(house, "cold", &json!({ "domains": ["cold.demo-sites.test"], "runtime": "php-8.4", "database": "none" }))?;
    house.wait_state("cold", "running")?;
    let root = runtime(house, "php-8.4")?;
    let bare = Bare::new(&root)?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        sleep(house, "cold")?;
        ours.push(ask(house)?);
        let begun = Instant::now();
        let fpm = bare.start()?;
        bare.ask()?;
        peer.push(ms(begun.elapsed()));
        drop(fpm);
    }
    Figure {
        name: "site.cold_start",
        ours: quantile(&mut ours, 0.5),
        peer: Some((quantile(&mut peer, 0.5), "php-fpm 8.4 started bare")),
        unit: "ms",
        better: Better::Less,
        note: format!(
            "n={SAMPLES}, median; ours from connecting to the first byte, TLS and sandbox included, bare from its start to the answer"
        ),
    }
    .report()
}

/// Milliseconds from connecting to the first byte, as the client itself counts them.
fn ask(house: &House) -> Result<f64> {
    let mut curl = house.curl("cold.demo-sites.test", "/index.php");
    let said = curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code} %{time_starttransfer}"]).output()?;
    let said = text(&said.stdout);
    match said.split_once(' ') {
        Some(("200" | "404", seconds)) => Ok(seconds.parse::<f64>()? * 1e3),
        _ => bail!("the cold site answered {said}"),
    }
}

/// A php-fpm by hand: chroot into the same runtime, one pool, one trivial page.
struct Bare {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Bare {
    fn new(root: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("husorden-bench").tempdir_in("/var/tmp")?;
        fs::write(folder.path().join("index.php"), "<?php echo 'hello';")?;
        let conf = format!(
            "[global]\ndaemonize = no\nerror_log = /srv/x/fpm.log\n[site]\nuser = root\ngroup = root\nlisten = {0}/fpm.sock\npm = ondemand\npm.max_children = 4\n",
            folder.path().display()
        );
        fs::write(folder.path().join("fpm.conf"), conf)?;
        Ok(Self { folder, root: root.to_owned() })
    }

    fn start(&self) -> Result<Running> {
        let socket = self.folder.path().join("fpm.sock");
        let _ = fs::remove_file(&socket);
        // The runtime's own binary and libraries, in a private mount namespace where the folder is bound to its own path.
        let script = format!(
            "mount --bind /dev {r}/dev && mount -t tmpfs none {r}/srv && mkdir -p {r}/srv/x && mount --bind {f} {r}/srv/x && exec chroot {r} /usr/sbin/php-fpm8.4 -F -R -y /srv/x/fpm.conf",
            r = self.root.display(),
            f = self.folder.path().display()
        );
        let conf = fs::read_to_string(self.folder.path().join("fpm.conf"))?;
        fs::write(self.folder.path().join("fpm.conf"), conf.replace(&socket.display().to_string(), "/srv/x/fpm.sock"))?;
        let child = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", &script])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting php-fpm")?;
        let running = Running(child);
        let end = Instant::now() + Duration::from_secs(10);
        while !socket.exists() {
            if Instant::now() > end {
                bail!("the bare php-fpm does not listen");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(running)
    }

    fn ask(&self) -> Result<()> {
        let output = Command::new("cgi-fcgi")
            .args(["-bind", "-connect"])
            .arg(self.folder.path().join("fpm.sock"))
            .env("REQUEST_METHOD", "GET")
            .env("SCRIPT_FILENAME", "/srv/x/index.php")
            .env("SCRIPT_NAME", "/index.php")
            .output()
            .context("asking the bare php-fpm")?;
        if !text(&output.stdout).contains("hello") {
            bail!("the bare php-fpm answered {}", text(&output.stdout));
        }
        Ok(())
    }
}
