//! An instance of the demo account, and how it is asked.

use anyhow::{Context, Result, bail};
use husorden_world::hand::run;
use husorden_world::{House, Who, text};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

/// Time for an instance to answer, its runtime built before.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time for one whose runtime is built first.
const BUILT: Duration = Duration::from_secs(600);

/// See the module.
pub(crate) struct Instance<'a> {
    house: &'a House,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) host: String,
    edge: String,
    ca: String,
    password: String,
}

impl<'a> Instance<'a> {
    /// Orders one that this machine may connect to, and waits for nothing.
    pub(crate) fn order(house: &'a House, name: &str, engine: &str, more: &Value) -> Result<Self> {
        let edge = house.status()["addresses"]["edge"].as_str().context("an address")?.to_owned();
        let mut spec = json!({ "engine": engine, "allow": [{ "net": own_address(&edge)?, "note": "bench" }] });
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let body = json!({ "kind": "database", "name": name, "spec": spec });
        let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body))?;
        if made.status != 201 {
            bail!("{name} was not made: {:?}", made.body);
        }
        let solution = &made.body["solution"];
        let told = |value: &Value| value.as_str().map(str::to_owned).context("a text");
        Ok(Self {
            house,
            name: name.to_owned(),
            id: told(&solution["id"])?,
            number: solution["number"].as_u64().context("a number")?,
            host: told(&solution["host"])?,
            edge,
            ca: told(&house.status()["ca"])?,
            password: told(&made.body["credentials"][0]["password"])?,
        })
    }

    /// Waits until it runs as it is wished.
    pub(crate) fn runs(&self) -> Result<()> {
        let end = Instant::now() + BUILT;
        loop {
            let one = self.house.api(Who::Account, "GET", &format!("/v1/solutions/{}", self.name), None)?.body;
            if one["state"] == "running" && one["generation"] == one["seen_generation"] {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("{} does not run: {one}", self.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The door: a port of the node.
    pub(crate) fn port(&self) -> u64 {
        20_000 + self.number
    }

    /// Where it is, as libpq wants it told; the name is verified.
    pub(crate) fn libpq(&self) -> String {
        format!(
            "host={} hostaddr={} port={} dbname=app user=app sslmode=verify-full sslrootcert={} connect_timeout=5",
            self.host,
            self.edge,
            self.port(),
            self.ca
        )
    }

    /// A client of PostgreSQL that knows the password and nothing else yet.
    pub(crate) fn libpq_client(&self, program: &str) -> Command {
        let mut client = Command::new(program);
        client.env("PGPASSWORD", &self.password);
        client
    }

    pub(crate) fn psql(&self, sql: &str) -> Result<String> {
        run(self.libpq_client("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", &self.libpq(), "-c", sql]))
    }

    pub(crate) fn mariadb(&self, sql: &str) -> Result<String> {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--protocol=tcp", "-NB", "--connect-timeout=5", "-u", "app", "app", "-e", sql]);
        client.args([
            format!("--host={}", self.edge),
            format!("--port={}", self.port()),
            format!("--ssl-ca={}", self.ca),
        ]);
        run(client.env("MYSQL_PWD", &self.password))
    }

    /// Waits until this is answered.
    pub(crate) fn until(&self, ask: impl Fn(&Self) -> Result<String>) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while let Err(error) = ask(self) {
            if Instant::now() > end {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Stops its server until somebody connects.
    pub(crate) fn sleeps(&self) -> Result<()> {
        let order = self.house.api(Who::Account, "POST", &format!("/v1/solutions/{}/sleep", self.name), None)?;
        let order = order.body["id"].as_str().with_context(|| format!("no order: {:?}", order.body))?;
        self.house.wait_order(order)?;
        Ok(())
    }

    /// The root of what its server sees, while it runs.
    pub(crate) fn root(&self) -> Result<std::path::PathBuf> {
        let path = format!("/run/husorden/{}/sandboxes/{}.db/record.json", self.house.instance, self.number);
        let record: Value = serde_json::from_slice(&std::fs::read(path).context("it runs")?)?;
        Ok(format!("/proc/{}/root", record["pid"].as_i64().context("a pid")?).into())
    }
}

/// Where this machine comes from, as the node sees it.
fn own_address(edge: &str) -> Result<String> {
    let route = Command::new("ip").args(["-o", "route", "get", edge]).output()?;
    let words = text(&route.stdout);
    let mut words = words.split_whitespace().skip_while(|word| *word != "src");
    Ok(words.nth(1).context("a source")?.to_owned())
}
