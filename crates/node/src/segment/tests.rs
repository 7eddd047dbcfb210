//! Stores as they are made, spoilt and read.

use super::keep::{ABOUT, About, By};
use super::*;
use crate::segment::extract::extract;
use std::path::PathBuf;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(room: u64) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        for name in ["store", "data"] {
            fs::create_dir(place.at(name)).expect("a folder");
        }
        let about = About { solution: "one".to_owned(), engine: "mariadb-11.8".to_owned(), room };
        fs::write(place.at("store").join(ABOUT), serde_json::to_vec(&about).expect("JSON")).expect("it is written");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A binary log with transactions at these seconds, padded with what does not compress.
    fn log(&self, number: u64, seconds: &[u32], pad: usize) {
        let mut text = vec![0xfe, b'b', b'i', b'n'];
        let mut event = |second: u32, kind: u8, body: &[u8]| {
            text.extend(second.to_le_bytes());
            text.push(kind);
            text.extend(1_u32.to_le_bytes());
            text.extend(u32::try_from(19 + body.len()).expect("short").to_le_bytes());
            text.extend([0; 6]);
            text.extend(body);
        };
        event(1, 15, &[0; 80]);
        for (count, second) in seconds.iter().enumerate() {
            let mut body = (number * 100 + count as u64).to_le_bytes().to_vec();
            body.extend([0; 5]);
            event(*second, 162, &body);
            let noise: Vec<u8> =
                (0..pad).flat_map(|at| Sha256::digest(format!("{number} {at}")).to_vec()).take(pad).collect();
            event(*second, 23, &noise);
        }
        event(1, 4, &[0; 20]);
        fs::write(self.at("data").join(format!("binlog.{number:06}")), text).expect("it is written");
    }

    fn keep(&self) {
        keep::binlogs(&self.at("store"), &self.at("data"), "binlog.", None).expect("it is kept");
    }

    fn names(&self) -> Vec<Name> {
        list(&self.at("store")).expect("a list")
    }
}

#[test]
fn a_name_says_what_is_to_be_known_and_nothing_else_is_one() {
    let name = Name { seq: 7, times: Some((1_000, 2_000)), back: false, file: "000000010000000000000007".to_owned() };
    assert_eq!(name.to_string(), "000000000007_1000_2000_n_000000010000000000000007.seg");
    assert_eq!(Name::parse(&name.to_string()), Some(name));
    for wrong in [
        "",
        ".new",
        "7_1_2_n_x.seg",
        "000000000007_1_2_n_../x.seg",
        "000000000007_1_2_x_y.seg",
        "000000000007_+1_2_n_y.seg",
        "000000000007_1_2_n_.seg",
    ] {
        assert_eq!(Name::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn pieces_follow_each_other_and_what_is_kept_is_kept_once() {
    let place = Place::new(1 << 30);
    place.log(1, &[1000, 1001], 100);
    place.log(2, &[], 0);
    place.log(3, &[1002], 100);
    place.keep();
    place.keep();
    let told: Vec<_> = place.names().into_iter().map(|name| (name.seq, name.file, name.times)).collect();
    assert_eq!(
        told,
        [
            (1, "binlog.000001".to_owned(), Some((1_000_000, 1_001_000))),
            (2, "binlog.000003".to_owned(), Some((1_002_000, 1_002_000))),
        ],
        "one without a change is none"
    );
    // Nothing was written since: the same sign.
    let sign = keep::sign(&File::open(place.at("data")).expect("a folder"), "binlog.", By::Size).expect("a sign");
    assert_eq!(fs::read_to_string(place.at("store").join(keep::NOTED)).expect("it is noted"), sign);
    let out = extract(&place.at("store"), &place.at("out")).expect("it comes out");
    assert!(out.faults.is_empty(), "{:?}", out.faults);
    for name in ["binlog.000001", "binlog.000003"] {
        assert_eq!(fs::read(place.at("out").join(name)).ok(), fs::read(place.at("data").join(name)).ok(), "{name}");
    }
    assert!(extract(&place.at("store"), &place.at("out")).is_err(), "nothing is written over");
    // A maker that was killed before it could note what it kept goes on after it.
    fs::remove_file(place.at("store").join("last.json")).expect("it was there");
    place.log(4, &[1003], 100);
    place.keep();
    assert_eq!(place.names().len(), 3);
    assert!(extract(&place.at("store"), &place.at("again")).expect("it comes out").faults.is_empty());
}

#[test]
fn a_full_store_lets_the_oldest_go_and_the_newest_is_there() {
    let place = Place::new(256 << 10);
    for number in 1..=30 {
        place.log(number, &[1000 + u32::try_from(number).expect("few")], 20_000);
        place.keep();
    }
    let names = place.names();
    assert!(names.len() > 5 && names.len() < 15, "{}", names.len());
    assert_eq!(names.last().map(|name| name.seq), Some(30));
    assert!(names.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1), "{names:?}");
}

#[test]
fn every_fault_of_a_store_is_named() {
    let fresh = || {
        let place = Place::new(1 << 30);
        for number in 1..=4 {
            place.log(number, &[1000], 3_000);
        }
        place.keep();
        place
    };
    let faults = |place: &Place| extract(&place.at("store"), &place.at("out")).expect("something comes out").faults;
    let second = |place: &Place| place.at("store").join(place.names()[1].to_string());

    let missing = fresh();
    fs::remove_file(second(&missing)).expect("it is removed");
    assert_eq!(faults(&missing), ["pieces 2 to 2 are missing"]);
    assert!(target(&missing.at("store"), Timestamp::MIN).is_err());

    // A bit anywhere in a piece: in its first line, its header, its frame.
    let whole = fs::read(second(&fresh())).expect("it is there");
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let place = fresh();
        let path = second(&place);
        let mut text = fs::read(&path).expect("it is there");
        text[at] ^= 1;
        fs::remove_file(&path).and_then(|()| fs::write(&path, text)).expect("it is written");
        assert!(!faults(&place).is_empty(), "bit {at} of {}", whole.len());
    }

    let cut = fresh();
    let text = fs::read(second(&cut)).expect("it is there");
    fs::remove_file(second(&cut)).expect("it is removed");
    fs::write(cut.at("store").join("000000000002_1000000_1000000_n_binlog.000002.seg"), &text[..text.len() - 100])
        .expect("it is written");
    assert!(!faults(&cut).is_empty());

    let swapped = fresh();
    let names = swapped.names();
    let path = |at: usize| swapped.at("store").join(names[at].to_string());
    fs::rename(path(1), swapped.at("x"))
        .and_then(|()| fs::rename(path(2), path(1)))
        .and_then(|()| fs::rename(swapped.at("x"), path(2)))
        .expect("they change places");
    assert!(!faults(&swapped).is_empty());
}
