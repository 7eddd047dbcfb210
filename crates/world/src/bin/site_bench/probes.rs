//! Processes of their own that note by the machine's one monotonic clock when they heard something last: what a client far
//! from the platform's processes can say of the moment at which it was refused or cut off.

use anyhow::{Context, Result, bail};
use husorden_world::hand::Running;
use nix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Nanoseconds of the monotonic clock, which all processes of the machine share.
pub(crate) fn now_ns() -> Result<i64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}

/// The other end: `site_bench watch codes|bytes|listen ADDRESS`.
pub(crate) fn watch(arguments: &[String]) -> Result<()> {
    match arguments {
        [kind] if kind == "codes" => codes(),
        [kind] if kind == "bytes" => bytes(),
        [kind, address] if kind == "listen" => listen(address),
        _ => bail!("watch codes, watch bytes or watch listen ADDRESS"),
    }
}

/// Lines of status codes come in; the moment of the first, and of the first 403, go out.
fn codes() -> Result<()> {
    let mut begun = false;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if !std::mem::replace(&mut begun, true) {
            println!("{}", now_ns()?);
        }
        if line == "403" {
            println!("{}", now_ns()?);
            return Ok(());
        }
    }
    bail!("no answer was refused")
}

/// Bytes come in; the moment of the first goes out, and at their end that of the last.
fn bytes() -> Result<()> {
    let (mut buffer, mut last) = (vec![0; 65_536], None);
    loop {
        let read = std::io::stdin().lock().read(&mut buffer)?;
        if read == 0 {
            break;
        }
        let now = now_ns()?;
        if last.replace(now).is_none() {
            println!("{now}");
        }
    }
    println!("{}", last.context("nothing came")?);
    Ok(())
}

/// Connections come in, each says its name in a line and goes on saying something. A name on standard input is answered with
/// the moment of that connection's last byte.
fn listen(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    let heard: Arc<Mutex<HashMap<String, i64>>> = Arc::default();
    let hearing = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let heard = Arc::clone(&hearing);
            std::thread::spawn(move || hear(stream, &heard));
        }
    });
    println!("listening");
    for name in std::io::stdin().lock().lines() {
        let last = heard.lock().unwrap_or_else(PoisonError::into_inner).get(&name?).copied();
        println!("{}", last.unwrap_or(0));
    }
    Ok(())
}

fn hear(stream: TcpStream, heard: &Mutex<HashMap<String, i64>>) {
    let mut stream = BufReader::new(stream);
    let (mut name, mut buffer) = (String::new(), [0; 4096]);
    if stream.read_line(&mut name).is_err() {
        return;
    }
    let name = name.trim().to_owned();
    // A closed port says nothing, so the end is not seen: the last byte heard so far is what there is to tell.
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
        if let Ok(now) = now_ns() {
            heard.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), now);
        }
    }
}

/// A watching process, and the moments it tells.
pub(crate) struct Watch {
    moments: Receiver<String>,
    stdin: Option<ChildStdin>,
    _source: Option<Running>,
    _watch: Running,
}

impl Watch {
    /// Watches the status codes of a client that says one a line on standard error; returns when the first is there.
    pub(crate) fn codes(client: &mut Command) -> Result<Self> {
        let mut source = client.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let output = source.stderr.take().context("the client's codes")?;
        Self::start(&["codes"], output.into(), Some(Running(source)))?.begun()
    }

    /// Watches the bytes of a client's answer; returns when the first are there.
    pub(crate) fn bytes(client: &mut Command) -> Result<Self> {
        let mut source = client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = source.stdout.take().context("the client's output")?;
        Self::start(&["bytes"], output.into(), Some(Running(source)))?.begun()
    }

    /// Listens for connections; returns when they can be made.
    pub(crate) fn listen(address: &str) -> Result<Self> {
        let watch = Self::start(&["listen", address], Stdio::piped(), None)?;
        watch.line()?;
        Ok(watch)
    }

    fn start(arguments: &[&str], input: Stdio, source: Option<Running>) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("watch")
            .args(arguments)
            .stdin(input)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a watch")?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().context("the watch's output")?);
        let (sender, moments) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { moments, stdin, _source: source, _watch: Running(child) })
    }

    fn begun(self) -> Result<Self> {
        self.moment().context("waiting for the first answer")?;
        Ok(self)
    }

    fn line(&self) -> Result<String> {
        self.moments.recv_timeout(Duration::from_secs(20)).context("the watch says nothing")
    }

    /// The next moment it tells.
    pub(crate) fn moment(&self) -> Result<i64> {
        Ok(self.line()?.parse()?)
    }

    /// When a connection by this name was heard last; 0 when it never was.
    pub(crate) fn last_of(&mut self, name: &str) -> Result<i64> {
        writeln!(self.stdin.as_mut().context("the watch listens to us")?, "{name}")?;
        self.moment()
    }
}
