//! The house rules of the code itself: sizes, directions, names. A list of exceptions here says why, and only shrinks.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines at which a file is mentioned, and at which the test fails.
const LINES_WARN: usize = 400;
const LINES_MAX: usize = 800;

/// Who may import whom, besides itself. What does not stand here may not.
const DIRECTIONS: [(&str, &[&str]); 15] = [
    ("base", &[]),
    ("passwords", &["base"]),
    ("rules", &["base"]),
    ("evidence", &["base"]),
    ("backup", &["base"]),
    ("kinds", &["base", "rules"]),
    ("wire", &["base", "kinds", "rules"]),
    // The vault and what it seals with, in control's tests alone.
    ("control", &["backup", "base", "evidence", "kinds", "passwords", "rules", "vault", "wire"]),
    ("node", &["backup", "base", "evidence", "kinds", "rules", "wire"]),
    ("edge", &["base"]),
    ("vault", &["backup", "base", "wire"]),
    ("cli", &["base", "evidence", "passwords", "rules", "wire"]),
    ("panel", &["base", "kinds", "rules", "wire", "control"]),
    (
        "husorden",
        &[
            "backup",
            "base",
            "evidence",
            "kinds",
            "passwords",
            "rules",
            "wire",
            "control",
            "panel",
            "node",
            "edge",
            "cli",
            "vault",
        ],
    ),
    // Tests of the whole house look at it from outside, by the binary and the network.
    ("world", &["backup", "base", "evidence", "kinds", "passwords", "rules", "wire", "control", "node", "edge", "cli"]),
];

/// Rust files outside a kind's folder that may name it, each with its reason.
const KIND_NAMED: [(&str, &str); 3] = [
    ("crates/rules/src/clause.rs", "a clause about what websites must show; the law's word"),
    ("crates/kinds/src/lib.rs", "the closed list of kinds"),
    ("crates/wire/src/node/mod.rs", "a stored line of the version before, in a test"),
];

/// Last labels that belong to nobody (RFC 2606, RFC 6761, RFC 8375), and what looks like a name but is none.
const NAMES_NOBODY_OWNS: [&str; 6] = ["example", "test", "invalid", "localhost", "internal", "arpa"];
/// Names of others that the text must name, each with its reason.
const NAMES_OF_OTHERS: [(&str, &str); 7] = [
    ("json-schema.org", "the identifier of a schema's dialect"),
    ("apache.org", "the licence's own text"),
    ("www.apache.org", "the licence's own text"),
    ("deb.debian.org", "the archive that runtimes are built from, where the machine names no mirror"),
    ("openssh.com", "the end of names of public keys, as their protocol has them"),
    ("wordpress.org", "the application's own address, as its package names it"),
    ("www.w3.org", "a namespace of an image format"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace").to_owned()
}

/// What others wrote and hand out, and lies here as they do, with its licence: no rule of ours is theirs.
const NOT_OURS: [&str; 1] = ["crates/panel/vendor/novnc"];

/// Every file of the tree that people wrote here: path relative to the root, and text.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
            if entry.is_dir() {
                if NOT_OURS.iter().any(|path| entry.ends_with(path)) {
                    continue;
                }
                if !matches!(name.as_str(), "target" | ".git" | ".husorden" | "node_modules") {
                    walk(&entry, found);
                }
            } else if name != "Cargo.lock" && name != ".git" {
                found.push(entry);
            }
        }
    }
    let root = root();
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    paths
        .into_iter()
        // What is no text, such as a picture or an archive of a test, has no names.
        .filter_map(|path| {
            Some((path.strip_prefix(&root).ok()?.display().to_string(), fs::read_to_string(&path).ok()?))
        })
        .collect()
}

fn rust() -> Vec<(String, String)> {
    files().into_iter().filter(|(path, _)| path.ends_with(".rs")).collect()
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    for (path, text) in rust() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{path}: {lines} lines, at most {LINES_MAX}"));
        } else if lines > LINES_WARN {
            eprintln!("{path}: {lines} lines; {LINES_WARN} are a good length");
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{path}: does not open with a `//!` sentence saying what it is"));
        }
    }
    report(&wrong);
}

#[test]
fn crates_import_downwards_only() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        DIRECTIONS.into_iter().map(|(name, list)| (name, list.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (path, text) in files() {
        let Some(name) = path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml")) else {
            continue;
        };
        let Some(allowed) = allowed.get(name) else {
            wrong.push(format!("{path}: a crate that has no place in DIRECTIONS"));
            continue;
        };
        let manifest: toml::Table = text.parse().expect("a manifest");
        let dependencies = ["dependencies", "dev-dependencies", "build-dependencies"];
        let tables = dependencies.iter().filter_map(|table| manifest.get(*table)?.as_table());
        for dependency in tables.flat_map(|table| table.keys()) {
            if let Some(other) = dependency.strip_prefix("husorden-")
                && !allowed.contains(other)
            {
                wrong.push(format!("{path}: {name} may not import {other}"));
            }
        }
    }
    report(&wrong);
}

/// Kinds whose names are words that code speaks of for other reasons: of them only a literal beside the word `kind` counts.
const ORDINARY_WORDS: [&str; 2] = ["database", "server"];

#[test]
fn a_kind_is_named_in_its_folder_and_in_the_list() {
    let kinds: Vec<String> = fs::read_dir(root().join("crates/kinds/src"))
        .expect("the kinds")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| fs::read_to_string(path.join("mod.rs")).is_ok_and(|text| text.contains("impl Kind for")))
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert!(!kinds.is_empty(), "a check of nothing is no check");
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (path, text) in rust() {
        // Tests speak of what customers order.
        let tests = path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("crates/world/");
        for kind in &kinds {
            if tests || path.starts_with(&format!("crates/kinds/src/{kind}/")) {
                continue;
            }
            let (code, _) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
            let literal = format!("\"{kind}\"");
            let named = code.lines().enumerate().find(|(_, line)| {
                if ORDINARY_WORDS.contains(&kind.as_str()) {
                    return line.contains(&literal) && line.to_lowercase().contains("kind");
                }
                line.to_lowercase().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == kind)
            });
            let Some((number, line)) = named else { continue };
            match KIND_NAMED.iter().find(|(excepted, _)| *excepted == path) {
                Some((excepted, _)) => drop(used.insert(*excepted)),
                None => wrong.push(format!("{path}:{}: names the kind {kind}: {}", number + 1, line.trim())),
            }
        }
    }
    report(&wrong);
    // An exception that is no longer needed goes.
    for (path, _) in KIND_NAMED {
        if !used.contains(path) && !path.ends_with("wire/src/node/mod.rs") {
            wrong.push(format!("{path}: is excepted and names no kind"));
        }
    }
    report(&wrong);
}

#[test]
fn nothing_unfinished_and_no_workplace_in_the_text() {
    // Put together, so that this file does not hold what it looks for.
    let unfinished = [["to", "do!("].concat(), ["unimpl", "emented!("].concat(), ["FIX", "ME"].concat()];
    let places = [["/wo", "rk/"].concat(), ["/ho", "me/"].concat(), ["/ro", "ot/"].concat()];
    let mut wrong = Vec::new();
    for (path, text) in files() {
        for (number, line) in text.lines().enumerate() {
            // `../root/` is a path within a site; a place of somebody's machine begins where a word begins.
            let begins = |place: &str| {
                line.match_indices(place)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "./}-_".contains(c)))
            };
            let found = unfinished
                .iter()
                .find(|word| line.contains(word.as_str()))
                .or_else(|| places.iter().find(|place| begins(place)));
            if let Some(word) = found {
                wrong.push(format!("{path}:{}: {word:?} in: {}", number + 1, line.trim()));
            }
        }
    }
    report(&wrong);
}

#[test]
fn only_names_that_nobody_owns() {
    // Endings of names in common use: what ends like this is somebody's.
    let endings = ["com", "net", "org", "dk", "eu", "de", "io", "dev", "info", "biz", "app", "co", "se", "no"];
    let mut wrong = Vec::new();
    for (path, text) in files() {
        for (number, line) in text.lines().enumerate() {
            for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.') {
                let name = word.trim_matches(['.', '-']).to_ascii_lowercase();
                let labels: Vec<&str> = name.split('.').collect();
                let (Some(last), true) = (labels.last(), labels.len() > 1) else { continue };
                if NAMES_NOBODY_OWNS.contains(last) || !endings.contains(last) {
                    continue;
                }
                // `self.no`, `config.app` and their like are code: a name is seen where an address is written.
                let address = line.contains(&format!("://{name}"))
                    || line.contains(&format!("@{name}"))
                    || labels[0] == "www"
                    || line.contains(&format!("\"{name}\""));
                let excepted = NAMES_OF_OTHERS.iter().any(|(other, _)| *other == name);
                if address && !excepted && path != "crates/world/tests/tidy.rs" {
                    wrong.push(format!("{path}:{}: {name} may belong to somebody: {}", number + 1, line.trim()));
                }
            }
        }
    }
    report(&wrong);
}
