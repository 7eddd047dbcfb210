//! A second control on the database of a house: a process of its own, started from the first one's file with addresses and
//! folders of its own.

use anyhow::{Context, Result, bail};
use husorden_world::House;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// It ends with this value.
pub(crate) struct Second {
    child: Child,
    /// Where its API is.
    pub(crate) address: String,
}

impl Second {
    /// Starts it and waits until it answers.
    pub(crate) fn start(house: &House) -> Result<Self> {
        let run = PathBuf::from(format!("/run/husorden/{}", house.instance));
        let text = std::fs::read_to_string(run.join("config/control.toml")).context("the first control's file")?;
        let mut file: toml::Table = text.parse()?;
        file.remove("panel");
        let process = file.get_mut("process").and_then(toml::Value::as_table_mut).context("[process]")?;
        process.remove("lock");
        let user = process.get("user").and_then(toml::Value::as_str).unwrap_or("root").to_owned();
        let folder = house.home().join("second");
        let control = file.get_mut("control").and_then(toml::Value::as_table_mut).context("[control]")?;
        let listen: SocketAddr = control["listen"].as_str().context("listen")?.parse()?;
        let listen = SocketAddr::new(listen.ip(), listen.port() + 7);
        control.insert("listen".to_owned(), listen.to_string().into());
        control.remove("metrics");
        for (name, path) in [("node_socket", folder.join("node.sock")), ("spool", folder.join("spool"))] {
            control.insert(name.to_owned(), path.display().to_string().into());
        }
        let evidence = control.get_mut("evidence").and_then(toml::Value::as_table_mut).context("evidence")?;
        evidence.insert("folder".to_owned(), folder.join("evidence").display().to_string().into());
        for part in ["", "spool", "evidence"] {
            let status =
                Command::new("install").args(["-d", "-o", &user, "-m", "0700"]).arg(folder.join(part)).status()?;
            if !status.success() {
                bail!("{} could not be made", folder.join(part).display());
            }
        }
        let path = house.home().join("second.toml");
        std::fs::write(&path, toml::to_string(&file)?)?;
        let binary = std::env::current_exe()?.with_file_name("husorden");
        let log = std::fs::File::create(house.home().join("log/second.log"))?;
        let child = Command::new(binary)
            .args(["control", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting a second control")?;
        let second = Self { child, address: format!("http://{listen}") };
        let begun = Instant::now();
        while TcpStream::connect_timeout(&listen, Duration::from_secs(1)).is_err() {
            if begun.elapsed() > PATIENCE {
                bail!(
                    "the second control does not answer; its log is {}",
                    house.home().join("log/second.log").display()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(second)
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).map(nix::unistd::Pid::from_raw);
        if let Ok(pid) = pid {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}
