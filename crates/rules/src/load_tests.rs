//! The shipped rules hold, and each way a folder can be broken is told with file, line and reason.

use super::*;

fn with(change: impl FnOnce(&mut Vec<(String, String)>)) -> Vec<String> {
    let mut files = shipped_files();
    change(&mut files);
    load(&files).expect_err("the rules are refused").iter().map(ToString::to_string).collect()
}

fn replace(file: &'static str, from: &'static str, to: &'static str) -> Vec<String> {
    with(|files| {
        let text = &mut files.iter_mut().find(|(name, _)| name == file).expect("the file").1;
        assert!(text.contains(from), "{file} has {from:?}");
        *text = text.replacen(from, to, 1);
    })
}

#[test]
fn the_shipped_rules_hold() {
    let rules = shipped();
    assert_eq!(rules.clauses.iter().map(|clause| clause.id.as_str()).collect::<Vec<_>>(), CLAUSES);
    for clause in &rules.clauses {
        for language in [husorden_base::Language::Da, husorden_base::Language::En] {
            let words: usize = [&clause.says, &clause.we, &clause.you]
                .iter()
                .map(|text| text.get(language).split_whitespace().count())
                .sum();
            assert!((60..=200).contains(&words), "{} has {words} words in {language:?}", clause.id);
        }
    }
    // Every file of the folder is in the binary.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules");
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    there.sort();
    let mut held: Vec<String> = shipped_files().into_iter().map(|(name, _)| name).collect();
    held.sort();
    assert_eq!(there, held);
}

#[test]
fn what_is_stored_reads_back_the_same_and_a_letter_changes_the_hash() {
    let rules = shipped();
    let again: Rules = serde_json::from_str(&rules.canonical()).expect("it reads");
    assert_eq!((&again, again.hash()), (&rules, rules.hash()));
    let mut other = rules.clone();
    other.clauses[0].you.da.push('.');
    assert_ne!(other.hash(), rules.hash());
    assert_eq!(rules.effective_at().to_string(), "2026-11-01T00:00:00Z");
}

#[test]
fn broken_folders_are_told_by_file_line_and_reason() {
    let spam = "mail.spam.toml";
    for (got, expected) in [
        (replace(spam, "id = \"mail.spam\"", "id = \"mail.spam"), "mail.spam.toml:1: invalid basic string"),
        (replace(spam, "criminal = false\n", ""), "mail.spam.toml:1: missing field `criminal`"),
        (replace(spam, "criminal = false", "criminal = false\ncolour = 1"), "mail.spam.toml:6: unknown field `colour`"),
        (replace(spam, "en = \"Spam,", "eng = \"Spam,"), "mail.spam.toml:9: unknown field `eng`"),
        (replace(spam, "\nen = \"Spam, phishing and mass mail\"", ""), "mail.spam.toml:7: missing field `en`"),
        (
            replace(spam, "da = \"Spam, phishing og masseudsendelse\"", "da = \" \""),
            "mail.spam.toml:8: title.da is empty",
        ),
        (replace(spam, "\"customer\"", "\"nobody\""), "mail.spam.toml:3: \"nobody\" is no owner; one of: provider,"),
        (replace(spam, "\"restrict\"", "\"shout\""), "mail.spam.toml:4: \"shout\" is no measure; one of: contact,"),
        (replace(spam, "\"restrict\"", "\"contact\""), "mail.spam.toml:4: the measure \"contact\" stands there twice"),
        (
            replace(spam, "kinds = []", "kinds = [\n  \"tea\"]"),
            "mail.spam.toml:3: \"tea\" is no kind of rules.toml; one of:",
        ),
        (
            replace(spam, "id = \"mail.spam\"", "id = \"mail.tea\""),
            "mail.spam.toml:1: \"mail.tea\" is no clause; one of:",
        ),
        (replace(spam, "Send kun til", "Send \u{202e}kun til"), "you.da has a control character"),
        (replace("rules.toml", "version = 1", "version = 0"), "rules.toml:4: a version is a number from 1"),
        (replace("rules.toml", "2026-11-01", "soon"), "rules.toml:6: \"soon\" is no date such as 2027-01-31"),
        (
            replace("rules.toml", "en = \"The first version of the house rules.\"\n", ""),
            "rules.toml:8: missing field `en`",
        ),
        (with(|files| files.retain(|(name, _)| name != spam)), "mail.spam.toml:1: the clause \"mail.spam\" is missing"),
        (with(|files| files.retain(|(name, _)| name != INDEX)), "rules.toml:1: the file is missing"),
        (
            with(|files| {
                let twice = files.iter().find(|(name, _)| name == spam).expect("it").1.clone();
                files.push(("zz.toml".to_owned(), twice));
            }),
            "zz.toml:1: the clause \"mail.spam\" stands in mail.spam.toml too",
        ),
        (
            with(|files| files.push(("notes.txt".to_owned(), String::new()))),
            "notes.txt:1: a clause's file ends with .toml",
        ),
        (with(|files| files[1].1.push_str(&"#".repeat(FILE_BYTES_MAX))), "data.scope.toml:1: the file has"),
    ] {
        assert!(got.iter().any(|line| line.contains(expected)), "{expected:?} is not told in {got:#?}");
    }
    // Everything at once: two files, two reasons.
    let got = with(|files| files.retain(|(name, _)| name != spam && name != "data.scope.toml"));
    assert_eq!(got.len(), 2);
}
