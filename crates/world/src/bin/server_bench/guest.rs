//! A guest, whoever runs it: it is spoken to by SSH, through the node's door or on its own link.

use anyhow::{Context, Result, bail, ensure};
use husorden_world::{House, Who, text};
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest time for a guest to answer.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(20);
/// Memory and disk of each guest.
pub(crate) const MEMORY: &str = "128 MiB";
pub(crate) const DISK_BYTES: u64 = 256 << 20;

/// How a guest is reached.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The network namespace from which, if not this one.
    pub(crate) netns: Option<PathBuf>,
    pub(crate) to: SocketAddr,
    pub(crate) key: PathBuf,
}

impl Way {
    /// Waits until its SSH server greets, and somebody is logged in.
    pub(crate) fn answers(&self) -> Result<()> {
        let (way, end) = (self.clone(), Instant::now() + PATIENCE);
        // A thread in the namespace; it ends with the wait.
        let greeted = std::thread::spawn(move || -> Result<()> {
            enter(way.netns.as_deref())?;
            while Instant::now() < end {
                if greets(way.to) {
                    return Ok(());
                }
                std::thread::sleep(PAUSE);
            }
            bail!("nobody answers at {}", way.to)
        });
        greeted.join().map_err(|_| anyhow::anyhow!("the thread died"))??;
        while Instant::now() < end {
            if self.ssh("true").is_ok() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        bail!("nobody is let in at {}", self.to)
    }

    /// Runs a command in the guest.
    pub(crate) fn ssh(&self, command: &str) -> Result<String> {
        let mut ssh = match &self.netns {
            Some(path) => {
                let mut enter = Command::new("nsenter");
                enter.arg(format!("--net={}", path.display())).arg("ssh");
                enter
            }
            None => Command::new("ssh"),
        };
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "IdentitiesOnly=yes"]);
        ssh.args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "LogLevel=ERROR",
            "-i",
        ]);
        ssh.arg(&self.key).args(["-p", &self.to.port().to_string(), &format!("root@{}", self.to.ip()), command]);
        let done = ssh.output().context("ssh")?;
        ensure!(done.status.success(), "{command}: {}{}", text(&done.stdout), text(&done.stderr));
        Ok(text(&done.stdout).trim().to_owned())
    }

    /// A number that a command in the guest says.
    pub(crate) fn number(&self, command: &str) -> Result<f64> {
        let said = self.ssh(command)?;
        said.parse().with_context(|| format!("{command} said {said:?}"))
    }
}

/// Moves the calling thread into a network namespace, if one is named.
pub(crate) fn enter(netns: Option<&Path>) -> Result<()> {
    if let Some(path) = netns {
        setns(File::open(path)?, CloneFlags::CLONE_NEWNET).context("entering the namespace")?;
    }
    Ok(())
}

fn greets(to: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&to, Duration::from_millis(200)) else { return false };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"SSH-"
}

/// A key for all guests of a bench.
pub(crate) fn key(house: &House) -> Result<PathBuf> {
    let key = house.home().join("key");
    if !key.exists() {
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status()?;
        ensure!(made.success(), "ssh-keygen");
    }
    Ok(key)
}

/// A guest of the platform.
pub(crate) struct Ours {
    pub(crate) number: u64,
    pub(crate) way: Way,
}

impl Ours {
    /// Orders one that this machine may reach.
    pub(crate) fn order(house: &House, name: &str) -> Result<Self> {
        let edge: IpAddr = house.status()["addresses"]["edge"].as_str().context("an address")?.parse()?;
        Self::order_for(house, name, &own_address(edge)?, None, edge)
    }

    /// Orders one that is reached from an address of a namespace, at the node's address there.
    pub(crate) fn order_for(
        house: &House,
        name: &str,
        from: &str,
        netns: Option<PathBuf>,
        node: IpAddr,
    ) -> Result<Self> {
        let key = key(house)?;
        let public = fs::read_to_string(key.with_extension("pub"))?;
        let spec = json!({
            "image": "tiny", "memory": MEMORY, "disk": DISK_BYTES, "keys": [public.trim()], "allow": [{ "net": from }],
        });
        let body = json!({ "kind": "server", "name": name, "spec": spec });
        let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body))?;
        ensure!(made.status == 201, "{:?}", made.body);
        let number = made.body["solution"]["number"].as_u64().context("a number")?;
        let door = u16::try_from(20_000 + number)?;
        Ok(Self { number, way: Way { netns, to: SocketAddr::new(node, door), key } })
    }

    /// Where its disks lie.
    pub(crate) fn folder(&self, house: &House) -> PathBuf {
        husorden_world::hand::pool(house).join(format!("solutions/{}/live/vm", self.number))
    }

    /// Every process of its sandbox.
    pub(crate) fn processes(&self, house: &House) -> Vec<u32> {
        let of = |root: &str| {
            let path = format!("{root}/husorden/{}/{}/qemu/cgroup.procs", house.instance, self.number);
            fs::read_to_string(path).ok()
        };
        let texts = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].into_iter().filter_map(of);
        texts.flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u32>>()).collect()
    }

    /// What its machine was started with.
    pub(crate) fn words(&self, house: &House) -> Result<Vec<String>> {
        let machine = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("qemu-system"))
        };
        let pid = self.processes(house).into_iter().find(machine).context("the machine runs")?;
        let line = fs::read(format!("/proc/{pid}/cmdline"))?;
        Ok(line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(text).collect())
    }
}

/// Where this machine comes from, as the node sees it.
fn own_address(edge: IpAddr) -> Result<String> {
    let route = Command::new("ip").args(["-o", "route", "get", &edge.to_string()]).output()?;
    let words = text(&route.stdout);
    let mut words = words.split_whitespace().skip_while(|word| *word != "src");
    words.nth(1).map(str::to_owned).context("a source")
}

/// Memory of processes in MiB, what they share with others counted by its part.
pub(crate) fn memory_mib(pids: &[u32]) -> Result<f64> {
    let mut kib = 0;
    for pid in pids {
        let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("smaps_rollup"))?;
        let line = text.lines().find(|line| line.starts_with("Pss:")).context("a line")?;
        kib += line.split_whitespace().nth(1).context("a number")?.parse::<u64>()?;
    }
    Ok(kib as f64 / 1024.0)
}

/// Deletes one of ours.
pub(crate) fn delete(house: &House, name: &str) -> Result<()> {
    let gone = house.api(Who::Account, "DELETE", &format!("/v1/solutions/{name}"), None::<&Value>)?;
    ensure!(matches!(gone.status, 200 | 202), "{:?}", gone.body);
    Ok(())
}
