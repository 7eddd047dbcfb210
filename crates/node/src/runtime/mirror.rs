//! The machine's own Debian mirror, read from its apt sources in both formats, so that runtimes come from where the machine's own
//! packages come from and are verified by the same keys.

use super::{BuildError, Suite};
use std::fs;
use std::path::{Path, PathBuf};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Suites by which the main archive is recognised, whichever release the machine runs.
const MAIN: [&str; 7] = ["bullseye", "bookworm", "trixie", "forky", "oldstable", "stable", "testing"];

/// Where Debian's packages come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    main: String,
    security: Option<String>,
    keyring: PathBuf,
}

impl Mirror {
    /// Reads the sources beneath a folder such as `/etc/apt`.
    pub(super) fn of_machine(apt: &Path) -> Result<Self, BuildError> {
        let mut entries = Vec::new();
        let mut files = vec![apt.join("sources.list")];
        let mut parts: Vec<PathBuf> = fs::read_dir(apt.join("sources.list.d"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        parts.sort();
        files.append(&mut parts);
        for file in files {
            // A file that is not there or not readable names no mirror.
            let Ok(text) = fs::read_to_string(&file) else { continue };
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("list") => entries.extend(text.lines().filter_map(one_line)),
                Some("sources") => entries.extend(stanzas(&text)),
                _ => {}
            }
        }
        let main = entries.iter().find(|entry| entry.suites.iter().any(|suite| MAIN.contains(&suite.as_str())));
        let main = main.ok_or_else(|| {
            BuildError::Machine(format!("no Debian archive is named in {}: add one to sources.list.d", apt.display()))
        })?;
        let security = entries.iter().find(|entry| entry.suites.iter().any(|suite| suite.ends_with("-security")));
        let keyring = main.keyring.clone().unwrap_or_else(|| KEYRING.into());
        Ok(Self { main: main.uri.clone(), security: security.map(|entry| entry.uri.clone()), keyring })
    }

    /// Lines of a sources.list for a release, with its security updates if the machine gets them too.
    pub(super) fn lines(&self, suite: Suite) -> Vec<String> {
        let line = |uri: &str, suite: &str| format!("deb [signed-by={}] {uri} {suite} main", self.keyring.display());
        let mut lines = vec![line(&self.main, suite.name())];
        if let Some(security) = &self.security {
            lines.push(line(security, &format!("{}-security", suite.name())));
        }
        lines
    }
}

struct Entry {
    uri: String,
    suites: Vec<String>,
    keyring: Option<PathBuf>,
}

fn entry(uri: &str, suites: Vec<String>, components: &[String], keyring: Option<PathBuf>) -> Option<Entry> {
    let fetched = ["http://", "https://", "file:", "mirror+"].iter().any(|scheme| uri.starts_with(scheme));
    (fetched && components.iter().any(|component| component == "main")).then(|| Entry {
        uri: uri.to_owned(),
        suites,
        keyring: keyring.filter(|path| path.is_absolute()),
    })
}

/// `deb [signed-by=…] http://… bookworm main contrib`
fn one_line(line: &str) -> Option<Entry> {
    let rest = line.split('#').next()?.trim().strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let keyring = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by=")).map(PathBuf::from);
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    entry(&uri, vec![suite], &words.collect::<Vec<_>>(), keyring)
}

/// Stanzas of `Key: value` as in deb822, divided by empty lines.
fn stanzas(text: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut stanza: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            found.extend(of_stanza(&stanza));
            stanza.clear();
        } else if line.starts_with('#') {
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = stanza.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            stanza.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    found
}

fn of_stanza(stanza: &[(String, String)]) -> Vec<Entry> {
    let words = |key: &str| -> Vec<String> {
        let value = stanza.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        value.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let off = words("enabled").iter().any(|word| matches!(word.as_str(), "no" | "false" | "off" | "0"));
    if off || !words("types").iter().any(|word| word == "deb") {
        return Vec::new();
    }
    // A key that stands in the stanza itself is no path; the system's keyring serves then.
    let keyring = words("signed-by").first().map(PathBuf::from);
    words("uris").iter().filter_map(|uri| entry(uri, words("suites"), &words("components"), keyring.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], expected: Option<&[&str]>) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("sources.list.d")).expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let got = Mirror::of_machine(folder.path()).ok().map(|mirror| mirror.lines(Suite::Trixie));
        assert_eq!(
            got.as_deref(),
            expected.map(|lines| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()).as_deref()
        );
    }

    #[test]
    fn both_formats_are_read() {
        let key = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let main = format!("deb [signed-by={key}] http://deb.test/debian trixie main");
        let security = format!("deb [signed-by={key}] http://deb.test/debian-security trixie-security main");
        check(
            &[
                ("sources.list.d/a.list", "deb https://other.test/node nodistro main\n"),
                (
                    "sources.list.d/debian.sources",
                    "Types: deb\n# why\nURIs: http://deb.test/debian\nSuites: bookworm\n bookworm-updates\nComponents: main contrib\n\n\
                     Types: deb\nURIs: http://deb.test/debian-security\nSuites: bookworm-security\nComponents: main\n",
                ),
            ],
            Some(&[&main, &security]),
        );
        check(
            &[(
                "sources.list",
                "# x\ndeb http://deb.test/debian stable main\ndeb-src http://deb.test/debian stable main\n",
            )],
            Some(&[&main]),
        );
        check(
            &[(
                "sources.list",
                "deb [arch=amd64 signed-by=/k.gpg] http://deb.test/debian bookworm main non-free # own\n",
            )],
            Some(&["deb [signed-by=/k.gpg] http://deb.test/debian trixie main"]),
        );
        check(
            &[(
                "sources.list.d/d.sources",
                "Enabled: no\nTypes: deb\nURIs: http://deb.test/debian\nSuites: trixie\nComponents: main\n",
            )],
            None,
        );
        check(&[("sources.list", "deb cdrom:[x]/ bookworm main\n")], None);
        check(&[], None);
    }
}
