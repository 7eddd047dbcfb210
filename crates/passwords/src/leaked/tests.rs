//! Lists made by the real importer and looked in: what is there is found, what the filter gets wrong is set right.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::fmt::Write as _;
use std::io::{Cursor, Read};
use tempfile::TempDir;

fn hash(number: u64) -> Hash {
    Sha1::digest(number.to_le_bytes()).into()
}

fn line(hash: &Hash, end: &str) -> String {
    let mut line = String::new();
    for byte in hash {
        write!(line, "{byte:02X}").unwrap();
    }
    line + ":7" + end
}

fn sorted(numbers: std::ops::Range<u64>) -> Vec<Hash> {
    let mut hashes: Vec<Hash> = numbers.map(hash).collect();
    hashes.sort_unstable();
    hashes
}

fn listed(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| line(hash, "\r\n")).collect()
}

fn import_text(folder: &TempDir, form: Form, text: impl AsRef<[u8]>) -> Result<Imported, LeakedError> {
    import(Cursor::new(text.as_ref()), form, folder.path(), &mut |_| {})
}

#[test]
fn every_false_positive_of_the_filter_is_caught() {
    const LISTED: u64 = 30_000;
    let folder = tempfile::tempdir().unwrap();
    let text = listed(&sorted(0..LISTED));
    let imported = import_text(&folder, Form::Hashes, &text).unwrap();
    assert_eq!(imported, Imported { count: LISTED, repeated: 0, skipped: 0 });
    let leaked = Leaked::open(folder.path()).unwrap();
    leaked.verify().unwrap();
    for number in 0..LISTED {
        assert!(leaked.contains_hash(&hash(number)).unwrap(), "{number}");
    }
    let mut wrong = 0;
    for number in LISTED..LISTED + 600_000 {
        let good = hash(number);
        wrong += u64::from(leaked.perhaps(&good));
        assert!(!leaked.contains_hash(&good).unwrap(), "{number}");
    }
    // About nine are to be expected. Without one, this test has shown nothing.
    assert!((1..100).contains(&wrong), "{wrong} false positives of the filter");
}

#[test]
fn the_exact_look_finds_what_is_there_and_nothing_else() {
    // Crowded at one end of a shard, so that interpolation guesses badly.
    let mut hashes: Vec<Hash> = (0..3_000_u32)
        .map(|number| {
            let mut hash = [0; HASH_BYTES];
            hash[0] = 0xAB;
            hash[1] = if number > 2_990 { 0xCF } else { 0xC0 };
            hash[16..].copy_from_slice(&(number * 2).to_be_bytes());
            hash
        })
        .collect();
    hashes.extend([[0; HASH_BYTES], [0xFF; HASH_BYTES]]);
    hashes.sort_unstable();
    let folder = tempfile::tempdir().unwrap();
    import_text(&folder, Form::Hashes, listed(&hashes)).unwrap();
    let leaked = Leaked::open(folder.path()).unwrap();
    leaked.verify().unwrap();
    for found in &hashes {
        assert!(leaked.contains_hash(found).unwrap(), "{found:x?}");
        let mut near = *found;
        near[19] ^= 1;
        // Such neighbours share all the bits that the filter sees: only the exact look tells them apart.
        assert!(leaked.perhaps(&near));
        assert!(!leaked.look(&near).unwrap(), "{near:x?}");
    }
}

#[test]
fn plain_lists_come_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(5_000);
    let text = format!("correct horse\nblåbærgrød\r\n\n{long}\ncorrect horse\n\u{e9}t\nlast");
    let imported = import_text(&folder, Form::Plain, text).unwrap();
    assert_eq!(imported, Imported { count: 4, repeated: 1, skipped: 2 });
    let leaked = Leaked::open(folder.path()).unwrap();
    for (password, found) in
        [("correct horse", true), ("blåbærgrød", true), ("ét", true), ("last", true), ("", false), ("horse", false)]
    {
        assert_eq!(leaked.contains(password).unwrap(), found, "{password:?}");
    }
}

#[test]
fn a_broken_line_is_refused_with_its_number_and_the_old_list_stays() {
    let folder = tempfile::tempdir().unwrap();
    import_text(&folder, Form::Plain, "the old list").unwrap();
    let [one, two] = [[1; HASH_BYTES], [2; HASH_BYTES]];
    let good = line(&one, "\n");
    for (text, expected) in [
        (format!("{good}rubbish\n"), "line 2: not 40"),
        (format!("{good}\n"), "line 2: not 40"),
        (format!("{good}{}", line(&two, "x\n")), "line 2: the count"),
        (good[..41].to_owned(), "line 1: not 40"),
        (good.replace("01", "0G"), "line 1: the hash has"),
        (good.replace(':', ";"), "line 1: not 40"),
        (format!("{}{good}", line(&two, "\n")), "line 2: the hash is smaller"),
        (format!("{good}{}", "A".repeat(1 << 20)), "line 2: the line is too long"),
        (String::new(), "the list is empty"),
    ] {
        let error = import_text(&folder, Form::Hashes, &text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error} for {:.60}", text);
        let leaked = Leaked::open(folder.path()).unwrap();
        assert!(leaked.contains("the old list").unwrap());
        assert_eq!(names(&folder), ["leaked.hus", "leaked.lock"], "nothing is left behind");
    }
}

fn names(folder: &TempDir) -> Vec<String> {
    let names = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_second_import_takes_the_place_of_the_first_and_open_lists_live_on() {
    let folder = tempfile::tempdir().unwrap();
    import_text(&folder, Form::Plain, "first").unwrap();
    let first = Leaked::open(folder.path()).unwrap();
    import_text(&folder, Form::Plain, "second\nthird").unwrap();
    let second = Leaked::open(folder.path()).unwrap();
    assert_eq!((first.count(), second.count()), (1, 2));
    assert!(first.contains("first").unwrap() && !first.contains("second").unwrap());
    assert!(second.contains("second").unwrap() && !second.contains("first").unwrap());
}

/// A list whose reading never gets to its end, because somebody looks at the folder in the middle of it.
struct Halfway<'a> {
    text: &'a [u8],
    folder: &'a Path,
}

impl Read for Halfway<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.text.is_empty() {
            // Here a kill would strike: half the list is in the new file.
            assert!(Leaked::open(self.folder).unwrap().contains("old").unwrap());
            std::fs::copy(self.folder.join("leaked.hus.new"), self.folder.join("half")).unwrap();
            let busy = import(Cursor::new(b"other"), Form::Plain, self.folder, &mut |_| {});
            assert!(matches!(busy, Err(LeakedError::Busy { .. })), "{busy:?}");
            return Err(std::io::Error::other("killed"));
        }
        self.text.read(buffer)
    }
}

#[test]
fn an_import_cut_in_the_middle_leaves_the_old_list() {
    let folder = tempfile::tempdir().unwrap();
    import_text(&folder, Form::Plain, "old").unwrap();
    let text = listed(&sorted(0..200_000));
    let halfway = Halfway { text: text.as_bytes(), folder: folder.path() };
    assert!(import(halfway, Form::Hashes, folder.path(), &mut |_| {}).is_err());
    // What a kill leaves: the half-made file, under its own name. Even in the list's place it would be refused.
    let half = folder.path().join("half");
    assert!(std::fs::metadata(&half).unwrap().len() > RECORDS_AT);
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(&half, other.path().join(FILE_NAME)).unwrap();
    assert!(matches!(Leaked::open(other.path()), Err(LeakedError::Damaged { .. })));
    std::fs::rename(&half, folder.path().join("leaked.hus.new")).unwrap();
    assert!(Leaked::open(folder.path()).unwrap().contains("old").unwrap());
    import_text(&folder, Form::Plain, "new").unwrap();
    assert!(Leaked::open(folder.path()).unwrap().contains("new").unwrap());
    assert_eq!(names(&folder), ["leaked.hus", "leaked.lock"]);
}

#[test]
fn a_damaged_list_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    import_text(&folder, Form::Hashes, listed(&sorted(0..2_000))).unwrap();
    let path = folder.path().join(FILE_NAME);
    let whole = std::fs::read(&path).unwrap();
    let (records, filters) = (to_usize(RECORDS_AT), to_usize(format::filters_at(2_000)));
    // In the head: not even opened.
    for at in [0, 8, 16, 24, 60, 130, 5_000, records - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(Leaked::open(folder.path()).is_err(), "byte {at}");
    }
    for cut in [0, 100, records, filters, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(Leaked::open(folder.path()).is_err(), "cut at {cut}");
    }
    // In the contents: found by whoever verifies.
    for at in [records, records + 20_000, filters, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let leaked = Leaked::open(folder.path()).unwrap();
        assert!(matches!(leaked.verify(), Err(LeakedError::Damaged { .. })), "byte {at}");
    }
}
