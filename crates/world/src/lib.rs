//! Tests of the whole house: an installation of its own per test, driven as people drive it: by the binary, the API over
//! HTTP, and curl against the edge.

pub mod bench;
pub mod hand;
pub mod verified;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest that a test or a bench waits for what must come: on a new machine runtimes are built first, and guests are emulated beside all that
/// runs at once. It bounds what hangs and measures nothing, so what holds in time is no quicker for a shorter one.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// One installation under test. It is taken down and its data removed when it is dropped, also when the test fails; one that leaves anything
/// fails its test.
pub struct House {
    /// Name of the instance.
    pub instance: String,
    home: PathBuf,
    /// The binary, as the commands of people are run with it.
    pub binary: PathBuf,
    status: Value,
    staff: String,
    account: String,
    /// How much of the demo it has.
    demo: &'static str,
}

/// An answer of the edge.
#[derive(Debug)]
pub struct Page {
    /// HTTP status; 0 when no answer came.
    pub status: u16,
    /// Header lines.
    pub headers: String,
    /// Body, as text.
    pub body: String,
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// ETag, without quotes.
    pub etag: Option<String>,
    /// Body; null when there is none.
    pub body: Value,
}

/// Who asks the API.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// Staff of the hosting company.
    Staff,
    /// The demo account.
    Account,
    /// Nobody.
    Nobody,
}

impl House {
    /// Starts an installation with the demo site, and waits until that answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn up(instance: &str) -> Result<Self> {
        Self::up_with(instance, "", "")
    }

    /// As [`House::up`], with lines of settings at the top and in the table of the node.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn up_with(instance: &str, top: &str, node: &str) -> Result<Self> {
        Self::make(instance, top, node, "--demo")
    }

    /// As [`House::up_with`], with the demo's account and without its site, which takes most of the time.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn bare(instance: &str, node: &str) -> Result<Self> {
        Self::make(instance, "", node, "--demo=account")
    }

    fn make(instance: &str, top: &str, node: &str, demo: &'static str) -> Result<Self> {
        let binary = binary()?;
        let home = PathBuf::from("/var/tmp").join(format!("husorden-test-{instance}"));
        // Below those that the kernel gives to whoever asks for any (from 32,768 on).
        let port = 10_000 + u16::try_from(std::process::id() % 11_000).expect("below 11,000");
        let mut house = Self {
            instance: instance.to_owned(),
            home,
            binary,
            status: Value::Null,
            staff: String::new(),
            account: String::new(),
            demo,
        };
        if house.home.exists() {
            // A run that was killed could not clean up after itself.
            house.down()?;
            fs::remove_dir_all(&house.home).context("removing what an earlier run left")?;
        }
        fs::create_dir_all(&house.home).context("making the home of the installation")?;
        let settings = format!(
            "{top}\n[supervisor]\npause_max_s = 1\n[api]\nlisten = \"127.0.0.1:{port}\"\n[panel]\nlisten = \"127.0.0.1:{}\"\n[node]\npool = {}\n{node}\n",
            port + 11_000,
            8_u64 << 30
        );
        fs::write(house.home.join("husorden.toml"), settings)?;
        house.start()?;
        Ok(house)
    }

    /// Starts what is down, and reads where everything is.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&mut self) -> Result<()> {
        let output = self.run(&["up", self.demo, "--detach"])?;
        if !output.status.success() {
            bail!("up failed:\n{}\n{}", text(&output.stdout), text(&output.stderr));
        }
        let output = self.run(&["status", "-o", "json"])?;
        self.status = serde_json::from_slice(&output.stdout).context("reading the status")?;
        let path = self.status["demo"]["credentials"].as_str().context("no demo credentials in the status")?;
        let credentials: toml::Table = fs::read_to_string(path)?.parse().context("reading the demo credentials")?;
        let token = |who: &str| -> Result<String> {
            let token = credentials.get(who).and_then(|table| table.get("token")).and_then(toml::Value::as_str);
            Ok(token.with_context(|| format!("no token of {who}"))?.to_owned())
        };
        self.staff = token("staff")?;
        self.account = token("account")?;
        Ok(())
    }

    /// The e-mail address and password of the person who owns the demo account.
    ///
    /// # Errors
    /// When the demo's credentials cannot be read.
    pub fn owner(&self) -> Result<(String, String)> {
        let text = fs::read_to_string(self.home.join("demo/credentials.toml"))?;
        let kept: toml::Table = text.parse().context("reading the demo credentials")?;
        let told = |name: &str| kept.get("owner").and_then(|owner| owner.get(name)).and_then(toml::Value::as_str);
        Ok((
            told("email").context("the owner's address")?.to_owned(),
            told("password").context("a password")?.to_owned(),
        ))
    }

    /// What `status -o json` said when the house was started.
    #[must_use]
    pub const fn status(&self) -> &Value {
        &self.status
    }

    /// Runs the binary with this installation's folders.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        // `husorden node suspend`: the installation is named after the whole verb.
        let words = if matches!(arguments.first(), Some(&("node" | "vault" | "image" | "platform"))) { 2 } else { 1 };
        let (verb, rest) = arguments.split_at_checked(words).context("no verb")?;
        Command::new(&self.binary)
            .args(verb)
            .args(["--instance", &self.instance, "--home"])
            .arg(&self.home)
            .args(rest)
            .output()
            .context("running the binary")
    }

    /// Runs a command of the CLI as somebody; the token goes by the environment.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn cli(&self, who: Who, arguments: &[&str]) -> Result<Output> {
        Command::new(&self.binary)
            .args(arguments)
            .env("HUSORDEN_API", self.api_address())
            .env("HUSORDEN_TOKEN", self.token(who))
            .env("LANG", "en_GB.UTF-8")
            .output()
            .context("running the command line")
    }

    /// The token of somebody.
    #[must_use]
    pub fn token(&self, who: Who) -> &str {
        match who {
            Who::Staff => &self.staff,
            Who::Account => &self.account,
            Who::Nobody => "",
        }
    }

    /// Where the API is.
    #[must_use]
    pub fn api_address(&self) -> String {
        self.status["addresses"]["api"].as_str().unwrap_or_default().to_owned()
    }

    /// Asks the API.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn api(&self, who: Who, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let body = body.map(Value::to_string);
        self.api_raw(
            who,
            method,
            path,
            &[("content-type", "application/json")],
            body.as_deref().unwrap_or("").as_bytes(),
        )
    }

    /// Asks the API with headers and a body of one's own.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn api_raw(&self, who: Who, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.api_address()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.token(who).is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token(who)));
        }
        let mut response = agent.run(request.body(body.to_vec())?).with_context(|| format!("{method} {path}"))?;
        let status = response.status().as_u16();
        let etag = response
            .headers()
            .get("etag")
            .and_then(|tag| tag.to_str().ok())
            .map(|tag| tag.trim_matches('"').to_owned());
        let text = response.body_mut().read_to_string()?;
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Ok(Answer { status, etag, body })
    }

    /// Runs statements as the owner of the house's private database, and gives what they select.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn sql(&self, statements: &str) -> Result<String> {
        let mut psql = Command::new("psql")
            .args(["-h", &format!("/run/husorden/{}/db", self.instance), "-U", "husorden_owner", "-d", "husorden"])
            .args(["-v", "ON_ERROR_STOP=1", "-qAtX", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("running psql")?;
        psql.stdin.take().context("the way to psql")?.write_all(statements.as_bytes())?;
        let output = psql.wait_with_output()?;
        if !output.status.success() {
            bail!("psql: {}", text(&output.stderr));
        }
        Ok(text(&output.stdout).trim().to_owned())
    }

    /// Asks the edge for a page by curl, as a browser would: by name, over TLS, trusting the installation's authority.
    ///
    /// # Errors
    /// When curl can't be started.
    pub fn get(&self, domain: &str, path: &str, more: &[&str]) -> Result<Page> {
        let output = self.curl(domain, path).args(["-s", "-i", "--max-time", "60"]).args(more).output()?;
        let whole = text(&output.stdout);
        // Informational answers and redirects that were followed come before the answer that counts.
        let mut rest = whole.as_str();
        while let Some((_, after)) = rest.split_once("\r\n\r\n")
            && (after.starts_with("HTTP/1.1 ") || after.starts_with("HTTP/2 "))
        {
            rest = after;
        }
        let (headers, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
        let status = headers.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Ok(Page { status, headers: headers.to_owned(), body: body.to_owned() })
    }

    /// A curl that reaches a site of this installation.
    #[must_use]
    pub fn curl(&self, domain: &str, path: &str) -> Command {
        let edge = self.status["addresses"]["edge"].as_str().unwrap_or_default();
        let mut curl = Command::new("curl");
        curl.args([
            "--resolve",
            &format!("{domain}:443:{edge}"),
            "--resolve",
            &format!("{domain}:80:{edge}"),
            "--cacert",
        ])
        .arg(self.status["ca"].as_str().unwrap_or_default())
        .arg(format!("https://{domain}{path}"));
        curl
    }

    /// Waits until a solution is in a state; fails with what it says when it is not in time.
    ///
    /// # Errors
    /// When the time is up.
    pub fn wait_state(&self, solution: &str, state: &str) -> Result<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.api(Who::Account, "GET", &format!("/v1/solutions/{solution}"), None);
            if let Ok(answer) = &answer {
                let settled = answer.body["generation"] == answer.body["seen_generation"];
                if answer.body["state"] == state && settled {
                    return Ok(answer.body.clone());
                }
            }
            if Instant::now() > end {
                bail!("{solution} is not {state}: {answer:?}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until an order has ended, and returns it.
    ///
    /// # Errors
    /// When the time is up.
    pub fn wait_order(&self, order: &str) -> Result<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.api(Who::Account, "GET", &format!("/v1/orders/{order}"), None)?;
            if matches!(answer.body["state"].as_str(), Some("done" | "failed")) {
                return Ok(answer.body);
            }
            if Instant::now() > end {
                bail!("order {order} has not ended: {answer:?}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process id of a role.
    ///
    /// # Errors
    /// When the role does not run.
    pub fn pid(&self, role: &str) -> Result<i32> {
        let output = self.run(&["status", "-o", "json"])?;
        let status: Value = serde_json::from_slice(&output.stdout).context("reading the status")?;
        let roles = status["roles"].as_array().context("no roles in the status")?;
        let found = roles.iter().find(|entry| entry["name"] == role).and_then(|entry| entry["pid"].as_i64());
        Ok(i32::try_from(found.with_context(|| format!("{role} does not run"))?)?)
    }

    /// Kills a role as a crash would, and returns its process id.
    ///
    /// # Errors
    /// When the role does not run.
    pub fn kill(&self, role: &str) -> Result<i32> {
        let pid = self.pid(role)?;
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)?;
        Ok(pid)
    }

    /// Waits until a role runs under another process id.
    ///
    /// # Errors
    /// When it does not within 30 seconds.
    pub fn wait_reborn(&self, role: &str, old: i32) -> Result<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(pid) = self.pid(role)
                && pid != old
            {
                return Ok(pid);
            }
            if Instant::now() > end {
                bail!("{role} did not come back");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes everything down; the answer says whether anything was left.
    ///
    /// # Errors
    /// When the binary can't be started.
    pub fn down(&self) -> Result<Output> {
        self.run(&["down"])
    }

    /// Where the installation's data lies.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = fs::read_dir(self.home.join("log")).into_iter().flatten().flatten();
            let mut logs: Vec<PathBuf> = logs.map(|entry| entry.path()).collect();
            logs.retain(|path| path.extension().is_some_and(|ending| ending == "log"));
            logs.sort();
            for path in logs {
                let role = path.file_stem().unwrap_or_default().to_string_lossy();
                let log = fs::read_to_string(&path).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(40).collect();
                eprintln!("--- last words of {role}");
                tail.into_iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
        let left = match self.down() {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(format!("down left something:\n{}{}", text(&output.stdout), text(&output.stderr))),
            Err(error) => Some(format!("down could not be run: {error:#}")),
        };
        match left {
            None => drop(fs::remove_dir_all(&self.home)),
            Some(left) if std::thread::panicking() => eprintln!("{left}"),
            Some(left) => panic!("{left}"),
        }
    }
}

/// The binary that was built beside this one: tests lie one folder deeper than programs.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("husorden"));
    let binary =
        beside.clone().find(|binary| binary.exists()).or_else(|| beside.last()).context("the build's folder")?;
    if !binary.exists() {
        bail!("{} is not built: run the tests with --workspace", binary.display());
    }
    Ok(binary)
}

/// Bytes as text, whatever they are.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
