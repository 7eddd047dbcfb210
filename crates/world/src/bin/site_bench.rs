//! `make bench NAME=site.*` and `NAME=edge.suspend_p99`: sites of a running house beside the same work done by hand with the
//! same engines, and a measure beside a reload of nginx.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use anyhow::{Context, Result, bail};
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::{House, Who, text};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Samples of what takes tens of milliseconds.
const SAMPLES: usize = 15;
/// Samples of what takes seconds.
const SAMPLES_SLOW: usize = 5;
/// Sites in the edge's table for the measure, and how many of them have a volume.
const TABLE_SITES: usize = 10_000;
const TABLE_REAL: usize = 200;

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "*".to_owned());
    let wanted = |name: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    let house = House::up("bench")?;
    if wanted("site.cold_start") {
        cold_start(&house)?;
    }
    if wanted("site.create") {
        create(&house)?;
    }
    if wanted("measure.verified_p99_website") {
        husorden_world::verified::website(&house)?;
    }
    if wanted("edge.suspend_p99") {
        suspend(&house)?;
    }
    Ok(())
}

fn site(house: &House, name: &str, spec: &Value) -> Result<Value> {
    let body = json!({ "kind": "website", "name": name, "spec": spec });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body))?;
    if made.status != 201 {
        bail!("{name} was not made: {:?}", made.body);
    }
    Ok(made.body)
}

/// The root of a runtime in the house's pool.
fn runtime(house: &House, name: &str) -> Result<PathBuf> {
    let folder = PathBuf::from(format!("/run/husorden/{}/pools/main/runtimes", house.instance));
    let entries = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let found = entries.filter(|path| {
        path.is_dir() && path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}@")))
    });
    found.max().with_context(|| format!("no {name} in {}", folder.display()))
}

/// An idle site to its first byte, beside the same php-fpm started bare in the same files.
fn cold_start(house: &House) -> Result<()> {
    site(house, "cold", &json!({ "domains": ["cold.demo-sites.test"], "runtime": "php-8.4", "database": "none" }))?;
    house.wait_state("cold", "running", Duration::from_secs(60))?;
    let root = runtime(house, "php-8.4")?;
    let bare = Bare::new(&root)?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        sleep(house, "cold")?;
        let begun = Instant::now();
        let page = house.get("cold.demo-sites.test", "/index.php", &[])?;
        ours.push(ms(begun.elapsed()));
        if page.status != 200 && page.status != 404 {
            bail!("the cold site answered {page:?}");
        }
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
        note: format!("n={SAMPLES}, median; ours from curl over TLS, bare from cgi-fcgi"),
    }
    .report()
}

fn sleep(house: &House, name: &str) -> Result<()> {
    let order = house.api(Who::Account, "POST", &format!("/v1/solutions/{name}/sleep"), None)?;
    house.wait_order(order.body["id"].as_str().context("an order")?, Duration::from_secs(60))?;
    Ok(())
}

/// A php-fpm by hand: chroot into the same runtime, one pool, one trivial page.
struct Bare {
    folder: tempfile::TempDir,
    root: PathBuf,
}

/// Ends what was started when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, not killed: a master takes its workers along. It may have ended by itself; then nobody is asked.
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
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

/// From the order to a working front page of WordPress.
fn create(house: &House) -> Result<()> {
    let mut ours = Vec::new();
    for round in 0..SAMPLES_SLOW {
        let (name, domain) = (format!("made{round}"), format!("made{round}.demo-sites.test"));
        let app =
            json!({ "name": "wordpress", "title": "Made", "admin_email": "owner@made.example", "admin_user": "owner" });
        let begun = Instant::now();
        site(house, &name, &json!({ "domains": [domain], "runtime": "php-8.4", "app": app }))?;
        loop {
            let page = house.get(&domain, "/", &[])?;
            if page.status == 200 && page.body.contains("wp-content") {
                break;
            }
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("{name} does not answer: {page:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        ours.push(ms(begun.elapsed()));
        house.api(Who::Account, "DELETE", &format!("/v1/solutions/{name}"), None)?;
    }
    Figure {
        name: "site.create",
        ours: quantile(&mut ours, 0.5),
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!("n={SAMPLES_SLOW}, median, from the API call to a WordPress front page over TLS"),
    }
    .report()
}

/// A decision to the first refused answer with 10,000 sites in the table, beside `nginx -s reload` with as many servers.
fn suspend(house: &House) -> Result<()> {
    for index in 0..TABLE_REAL {
        site(
            house,
            &format!("t{index}"),
            &json!({ "domains": [format!("t{index}.demo-sites.test")], "runtime": "static", "size": 256 << 20 }),
        )?;
    }
    rows(house, TABLE_SITES - TABLE_REAL)?;
    house.wait_state(&format!("t{}", TABLE_REAL - 1), "running", Duration::from_secs(300))?;
    let mut ours = Vec::new();
    for index in 0..100 {
        let name = format!("t{index}");
        let solution = house.api(Who::Staff, "GET", &format!("/v1/solutions?q={name}&limit=200"), None)?;
        let solution = solution.body["items"]
            .as_array()
            .and_then(|items| items.iter().find(|item| item["name"] == name.as_str()))
            .cloned();
        let id = solution.context("the site is listed")?["id"].clone();
        let case = json!({ "solution": id, "clause": "network.attack", "facts": "A bench of the way from a decision to the edge." });
        let case = house.api(Who::Staff, "POST", "/v1/cases", Some(&case))?;
        let decision = json!({ "clause": "network.attack", "reasons": "A bench of the way from a decision to the edge.", "scope": { "of": "solution", "id": id } });
        let path = format!("/v1/cases/{}/decisions", case.body["id"].as_str().context("a case")?);
        let mut prober = Prober::start(house, &format!("t{index}.demo-sites.test"))?;
        let begun = Instant::now();
        house.api(Who::Staff, "POST", &path, Some(&decision))?;
        ours.push(ms(prober.first_refusal()?.duration_since(begun)));
    }
    let peer = Nginx::reload_times(TABLE_SITES)?;
    let mut peer = peer;
    Figure {
        name: "edge.suspend_p99",
        ours: quantile(&mut ours, 0.99),
        peer: Some((quantile(&mut peer, 0.99), "nginx -s reload, 10,000 servers")),
        unit: "ms",
        better: Better::Less,
        note: format!("p99, n={} and {}; API call to first 403 seen by another process", ours.len(), peer.len()),
    }
    .report()
}

/// Rows without volumes: stopped sites that never ran, written into the private database as control would have, and sent
/// to the node when control is started again.
fn rows(house: &House, count: usize) -> Result<()> {
    let sql = format!(
        "insert into solution (id, number, account, node, name, kind, aim, spec, epoch) \
         select gen_random_uuid(), 1000000 + g, account, node, 'row' || g, kind, 'stop', \
         jsonb_set(spec, '{{domains}}', to_jsonb(array['row' || g || '.demo-sites.test'])), epoch \
         from solution, generate_series(1, {count}) g where name = 't0'"
    );
    let output = Command::new("psql")
        .args([
            "-h",
            &format!("/run/husorden/{}/db", house.instance),
            "-U",
            "husorden_owner",
            "-d",
            "husorden",
            "-c",
            &sql,
        ])
        .output()
        .context("running psql")?;
    if !output.status.success() {
        bail!("the rows were not written: {}", text(&output.stderr));
    }
    let old = house.kill("control")?;
    house.wait_reborn("control", old)?;
    let last = format!("row{count}.demo-sites.test");
    let end = Instant::now() + Duration::from_secs(300);
    while house.get(&last, "/", &["-k"])?.status != 503 {
        if Instant::now() > end {
            bail!("the edge's table does not fill");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    // The rows come in the order of their ids, so the last named may be there before others.
    std::thread::sleep(Duration::from_secs(20));
    Ok(())
}

/// Another process that asks for a page again and again over one connection.
struct Prober {
    child: Running,
}

impl Prober {
    fn start(house: &House, domain: &str) -> Result<Self> {
        // curl's own range expansion keeps one connection and asks 100,000 times.
        let mut curl = house.curl(domain, "/?[1-100000]");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}\n"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut prober = Self { child: Running(curl.spawn().context("starting curl")?) };
        prober.line()?;
        Ok(prober)
    }

    fn line(&mut self) -> Result<String> {
        use std::io::Read;
        let out = self.child.0.stdout.as_mut().context("curl's output")?;
        let (mut line, mut byte) = (String::new(), [0]);
        while out.read(&mut byte)? == 1 {
            if byte[0] == b'\n' {
                return Ok(line);
            }
            line.push(char::from(byte[0]));
        }
        bail!("curl ended")
    }

    fn first_refusal(&mut self) -> Result<Instant> {
        loop {
            if self.line()? == "403" {
                return Ok(Instant::now());
            }
        }
    }
}

/// An nginx with as many servers, on loopback ports of its own.
struct Nginx;

impl Nginx {
    fn reload_times(servers: usize) -> Result<Vec<f64>> {
        let folder = tempfile::Builder::new().prefix("husorden-bench").tempdir_in("/var/tmp")?;
        let at = folder.path();
        fs::create_dir_all(at.join("www"))?;
        fs::write(at.join("www/index.html"), "hello")?;
        let configuration = |closed: Option<usize>| -> Result<()> {
            let mut text = format!(
                "worker_processes auto;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\nserver_names_hash_max_size 65536;\nserver_names_hash_bucket_size 128;\n",
                at.display()
            );
            for server in 0..servers {
                let answer = if closed == Some(server) {
                    "return 403;".to_owned()
                } else {
                    format!("root {}/www;", at.display())
                };
                writeln!(text, "server {{ listen 127.0.0.1:18080; server_name s{server}.demo-sites.test; {answer} }}")?;
            }
            text.push_str("}\n");
            Ok(fs::write(at.join("nginx.conf"), text)?)
        };
        configuration(None)?;
        let nginx = |more: &[&str]| {
            let mut command = Command::new("nginx");
            command
                .arg("-p")
                .arg(at)
                .arg("-c")
                .arg(at.join("nginx.conf"))
                .args(more)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let _master =
            Running(nginx(&["-g", "daemon off;"]).spawn().context("starting nginx (apt-get install nginx-light)")?);
        let ask = |server: usize| -> Result<String> {
            let output = Command::new("curl")
                .args([
                    "-s",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code}",
                    "-H",
                    &format!("Host: s{server}.demo-sites.test"),
                    "http://127.0.0.1:18080/",
                ])
                .output()?;
            Ok(text(&output.stdout))
        };
        let end = Instant::now() + Duration::from_secs(30);
        while ask(0)? != "200" {
            if Instant::now() > end {
                bail!("nginx does not answer");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut times = Vec::new();
        for server in 0..20 {
            let begun = Instant::now();
            configuration(Some(server))?;
            nginx(&["-s", "reload"]).status()?;
            while ask(server)? != "403" {}
            times.push(ms(begun.elapsed()));
        }
        nginx(&["-s", "quit"]).status()?;
        Ok(times)
    }
}
