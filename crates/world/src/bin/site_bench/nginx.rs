//! The peer of a measure: an nginx with as many servers, on a loopback port of its own, that is told to close one by a
//! reload of its configuration.

use crate::probes::{Watch, now_ns};
use anyhow::{Context, Result, bail};
use husorden_world::hand::Running;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ADDRESS: &str = "127.0.0.1:18080";

/// Times from the order to reload until the first refused answer, in milliseconds. The changed configuration lies there
/// before the clock starts.
pub(crate) fn reload_times(servers: usize, samples: usize) -> Result<Vec<f64>> {
    let folder = tempfile::Builder::new().prefix("husorden-bench").tempdir_in("/var/tmp")?;
    let at = folder.path();
    fs::create_dir_all(at.join("www"))?;
    fs::write(at.join("www/index.html"), "hello")?;
    write(at, servers, 0)?;
    let _master =
        Running(nginx(at, &["-g", "daemon off;"]).spawn().context("starting nginx (apt-get install nginx-light)")?);
    let end = Instant::now() + Duration::from_secs(60);
    while !asking(servers - 1).arg(url("/")).status()?.success() {
        if Instant::now() > end {
            bail!("nginx does not answer");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut times = Vec::new();
    for server in 0..samples {
        write(at, servers, server + 1)?;
        let probe = Watch::codes(
            asking(server).args(["--rate", "1000/s", "-w", "%{stderr}%{http_code}\n"]).arg(url("/?[1-1000000]")),
        )?;
        let begun = now_ns()?;
        nginx(at, &["-s", "reload"]).status()?;
        times.push((probe.moment()? - begun) as f64 / 1e6);
    }
    nginx(at, &["-s", "quit"]).status()?;
    Ok(times)
}

fn url(path: &str) -> String {
    format!("http://{ADDRESS}{path}")
}

/// A curl that asks one server.
fn asking(server: usize) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-H", &format!("Host: s{server}.demo-sites.test")]);
    curl
}

fn nginx(at: &Path, more: &[&str]) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(at).arg("-c").arg(at.join("nginx.conf")).args(more);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The configuration with so many of the first servers closed.
fn write(at: &Path, servers: usize, closed: usize) -> Result<()> {
    let mut text = format!(
        "worker_processes auto;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\nserver_names_hash_max_size 65536;\nserver_names_hash_bucket_size 128;\n",
        at.display()
    );
    for server in 0..servers {
        let answer = if server < closed { "return 403;".to_owned() } else { format!("root {}/www;", at.display()) };
        writeln!(text, "server {{ listen {ADDRESS}; server_name s{server}.demo-sites.test; {answer} }}")?;
    }
    text.push_str("}\n");
    Ok(fs::write(at.join("nginx.conf"), text)?)
}
