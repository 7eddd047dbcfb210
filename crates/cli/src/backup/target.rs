//! `husorden target`: where backups lie (staff).

use crate::api::{Ask, segment, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_base::{Bytes, Secret};
use husorden_wire::api::{Target, TargetChange, TargetCreate};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use ureq::http::Method;

/// Longest secret that is read: a private key is a few thousand bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// What can be done with targets.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List them
    #[command(visible_alias = "ls")]
    List,
    /// Make one: a folder of the node's machine, an SFTP account, a server of restic's REST protocol, or a bucket of an S3 server
    Create(Box<Create>),
    /// Change a name, a limit or a secret; where it lies stays
    Change(Change),
    /// Take one out of use: what lies there is read still
    Retire {
        /// Its name or id
        target: String,
    },
}

/// A new target.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Its name: a-z, 0-9 and hyphens
    name: String,
    #[command(flatten)]
    kind: Where,
    /// With --sftp: the server's public key, such as "ssh-ed25519 AAAA…"
    #[arg(long, value_name = "KEY", requires = "sftp")]
    host_key: Option<String>,
    /// With --sftp: the folder, from where the account begins (`backups`); with --s3: the folder in the bucket (its top)
    #[arg(long, value_name = "PATH", conflicts_with_all = ["folder", "rest"])]
    path: Option<String>,
    /// With --rest: the account's name
    #[arg(long, requires = "rest")]
    user: Option<String>,
    /// With --s3: the bucket
    #[arg(long, requires = "s3")]
    bucket: Option<String>,
    /// With --s3: the account's access key; the secret one comes from --secret-file
    #[arg(long, value_name = "NAME", requires = "s3")]
    access_key: Option<String>,
    /// With --s3: the region that requests are signed for
    #[arg(long, requires = "s3", default_value = "us-east-1")]
    region: String,
    /// Bytes a second at most, from 65536
    #[arg(long, value_name = "BYTES")]
    bytes_per_second: Option<u64>,
    /// File with the private key, the password or the secret key; `-` is standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// Of which kind a target is, and where.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Where {
    /// A folder of the node's machine, for a first look
    #[arg(long, value_name = "PATH")]
    folder: Option<String>,
    /// An account on an SSH server, as user@host or user@host:port
    #[arg(long, value_name = "ACCOUNT")]
    sftp: Option<String>,
    /// A server of restic's REST protocol
    #[arg(long, value_name = "URL")]
    rest: Option<String>,
    /// An S3 server, with --bucket and --access-key
    #[arg(long, value_name = "URL", requires_all = ["bucket", "access_key", "secret_file"])]
    s3: Option<String>,
}

/// A change of a target.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Its name or id
    target: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Bytes a second at most, from 65536; 0 for no limit
    #[arg(long, value_name = "BYTES")]
    bytes_per_second: Option<u64>,
    /// File with a new private key or password; `-` is standard input
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &context.api.all::<Target>("/v1/targets")?),
            Self::Create(form) => {
                let form = *form;
                let create = TargetCreate {
                    address: form.address()?,
                    name: form.name,
                    bytes_per_second: form.bytes_per_second,
                    secret: form.secret_file.as_deref().map(secret).transpose()?,
                };
                let target: Target = context.api.post("/v1/targets", &create)?;
                output::one(context.format, &target.name, &target)
            }
            Self::Change(form) => {
                let change = TargetChange {
                    name: form.name,
                    bytes_per_second: form.bytes_per_second,
                    secret: form.secret_file.as_deref().map(secret).transpose()?,
                };
                let at = format!("/v1/targets/{}", segment(&form.target));
                let target: Target = context.api.ask(&Ask::new(Method::PATCH, &at).with(&to_value(&change)?))?;
                output::one(context.format, &target.name, &target)
            }
            Self::Retire { target } => {
                context.confirm(&format!(
                    "{target} {}",
                    context.word("tager ikke imod flere backupper.", "will take no more backups.")
                ))?;
                let target: Target =
                    context.api.post(&format!("/v1/targets/{}/retire", segment(&target)), &json!({}))?;
                output::one(context.format, &target.name, &target)
            }
        }
    }
}

impl Create {
    fn address(&self) -> Result<Value, Failure> {
        if let Some(path) = &self.kind.folder {
            return Ok(json!({ "kind": "folder", "path": path }));
        }
        if let Some(url) = &self.kind.rest {
            let mut address = json!({ "kind": "rest", "url": url });
            if let Some(user) = &self.user {
                address["user"] = json!(user);
            }
            return Ok(address);
        }
        if let Some(url) = &self.kind.s3 {
            let mut address = json!({ "kind": "s3", "url": url, "bucket": self.bucket, "region": self.region, "access_key": self.access_key });
            if let Some(path) = &self.path {
                address["path"] = json!(path);
            }
            return Ok(address);
        }
        let account = self.kind.sftp.as_deref().unwrap_or_default();
        let (user, host, port) = account_of(account).ok_or_else(|| {
            Failure::Usage(format!("--sftp {account:?} is no account such as backups@backup.example"))
        })?;
        let host_key = self.host_key.as_deref();
        let key = host_key.ok_or_else(|| Failure::Usage("--host-key KEY: the server's public key".to_owned()))?;
        Ok(json!({ "kind": "sftp", "host": host, "port": port, "user": user, "host_key": key,
            "path": self.path.as_deref().unwrap_or("backups") }))
    }
}

/// `user@host`, `user@host:port` or `user@[address]:port`.
fn account_of(text: &str) -> Option<(&str, &str, u16)> {
    let (user, rest) = text.split_once('@')?;
    let (host, port) = match rest.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']')?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map_or(Ok(22), str::parse).ok()?;
    (!user.is_empty() && !host.is_empty()).then_some((user, host, port))
}

/// A secret from a file: it never stands on a command line.
fn secret(file: &Path) -> Result<Secret, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(SECRET_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(SECRET_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    // A password is a line; a key is what OpenSSH wrote, whose last line ends too.
    if text.trim_end().lines().count() == 1 {
        text.truncate(text.trim_end().len());
    }
    Ok(Secret::new(text))
}

impl Row for Target {
    const COLUMNS: &'static [&'static str] = &["name", "kind", "state", "default", "backups", "sent", "newest"];

    fn cells(&self) -> Vec<String> {
        let kind = to_value(&self.address).ok().and_then(|address| address["kind"].as_str().map(str::to_owned));
        vec![
            self.name.clone(),
            kind.unwrap_or_default(),
            self.state.clone(),
            if self.default { "*".to_owned() } else { String::new() },
            self.backups.to_string(),
            Bytes(self.bytes_sent).to_string(),
            self.newest.map(output::moment).unwrap_or_default(),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_with_and_without_a_port() {
        for (text, read) in [
            ("backups@backup.example", Some(("backups", "backup.example", 22))),
            ("backups@backup.example:2222", Some(("backups", "backup.example", 2222))),
            ("backups@[2001:db8::1]:2222", Some(("backups", "2001:db8::1", 2222))),
            ("backups@[2001:db8::1]", Some(("backups", "2001:db8::1", 22))),
            ("backup.example", None),
            ("@backup.example", None),
            ("backups@", None),
            ("backups@backup.example:x", None),
        ] {
            assert_eq!(account_of(text), read, "{text}");
        }
    }
}
