//! Which seconds can be had again: from what snapshots there are, and which pieces follow them without a gap. Pure, over names.

use super::{Name, SLACK_MS};
use husorden_base::SnapshotId;
use husorden_wire::node::{LogBase, LogSeen};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Milliseconds after a snapshot from which on it is a base: it was taken at an instant within them.
const BASE_MS: i64 = 3_000;
/// Spans of time that are told at most; with more of them only what came after the last is offered.
const HOLES_MAX: usize = 8;
/// Bases that are told at most.
const BASES_MAX: usize = 16;

/// Where the log stood when a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The line of the store. What follows a restore is another.
    pub line: u64,
    /// The first piece that may hold what came after.
    pub next: u64,
}

/// A snapshot with the point of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) id: SnapshotId,
    pub(crate) taken: Timestamp,
    /// It was taken by the node, to begin from.
    pub(crate) ours: bool,
    pub(crate) point: Point,
}

/// What can be had from one line of a store. `to` is how far it is kept; none where that is now. None where nothing can be had. Where it is
/// kept less far than the window begins, nothing can be had yet.
pub(crate) fn window(line: u64, pieces: &[Name], bases: &[Base], to: Option<Timestamp>) -> Option<LogSeen> {
    let of_line = bases.iter().filter(|base| base.point.line == line);
    let (mut usable, gone): (Vec<&Base>, Vec<&Base>) = of_line.partition(|base| unbroken(pieces, base));
    let broken = gone.iter().any(|base| base.ours);
    usable.sort_by_key(|base| (base.point.next, base.taken));
    // One after which time is always plain makes those before it no better; with too many spans only the newest are looked at.
    let (first, holes) =
        usable.iter().map(|base| (*base, holes(pieces, base))).find(|(_, holes)| holes.len() <= HOLES_MAX)?;
    let bases: Vec<LogBase> = usable
        .iter()
        .filter(|base| base.point.next >= first.point.next)
        .map(|base| LogBase { snapshot: base.id, from: from(base) })
        .collect();
    let skip = bases.len().saturating_sub(BASES_MAX);
    let bases = bases[skip..].to_vec();
    let from = bases.iter().map(|base| base.from).min()?;
    Some(LogSeen { from, to, holes, bases, broken, bytes: 0, room: 0 })
}

fn from(base: &Base) -> Timestamp {
    base.taken.checked_add(jiff::SignedDuration::from_millis(BASE_MS)).unwrap_or(base.taken)
}

/// Pieces after a snapshot.
fn after<'a>(pieces: &'a [Name], base: &Base) -> impl Iterator<Item = &'a Name> {
    let next = base.point.next;
    pieces.iter().filter(move |piece| piece.seq >= next)
}

/// Whether no piece is missing from a snapshot on.
fn unbroken(pieces: &[Name], base: &Base) -> bool {
    after(pieces, base).zip(base.point.next..).all(|(piece, due)| piece.seq == due)
        && pieces.last().is_none_or(|last| last.seq + 1 >= base.point.next)
}

/// Spans in which the clock showed a time more than once: what it was then cannot be said by the clock. Those that ended before anything can
/// be had are nobody's concern.
fn holes(pieces: &[Name], base: &Base) -> Vec<(Timestamp, Timestamp)> {
    let taken = base.taken.as_millisecond();
    let mut high = taken;
    let mut holes: Vec<(i64, i64)> = Vec::new();
    for piece in after(pieces, base) {
        let Some((first, last)) = piece.times else { continue };
        // The piece that was open when the snapshot was taken has what came before it too.
        let open = piece.seq == base.point.next && last >= taken;
        if piece.back || (first < high - SLACK_MS && !open) {
            match holes.last_mut() {
                Some(hole) if first <= hole.1 => *hole = (hole.0.min(first), hole.1.max(high).max(last)),
                _ => holes.push((first, high.max(last))),
            }
        }
        high = high.max(last);
    }
    let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    holes.into_iter().map(|(from, to)| (time(from), time(to))).filter(|(_, to)| *to >= self::from(base)).collect()
}

/// The pieces that are carried out again after a snapshot to come to a time: from its point to the first that goes beyond. None where one
/// is missing.
pub(crate) fn replay(pieces: &[Name], next: u64, at: Timestamp) -> Option<Vec<Name>> {
    let (mut chosen, mut due) = (Vec::new(), next);
    for piece in pieces.iter().filter(|piece| piece.seq >= next) {
        if piece.seq != due {
            return None;
        }
        due += 1;
        chosen.push(piece.clone());
        if piece.times.is_some_and(|(_, last)| last > at.as_millisecond()) {
            break;
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn piece(seq: u64, first: i64, last: i64) -> Name {
        Name { seq, times: (last > 0).then_some((first * 1000, last * 1000)), back: false, file: format!("f{seq}") }
    }

    fn base(next: u64, taken: i64) -> Base {
        Base {
            id: SnapshotId(uuid::Uuid::from_u128(u128::from(next))),
            taken: time(taken),
            ours: true,
            point: Point { line: 1, next },
        }
    }

    fn spans(pieces: &[Name], bases: &[Base]) -> Option<(i64, Vec<(i64, i64)>)> {
        let seen = window(1, pieces, bases, None)?;
        let holes = seen.holes.iter().map(|(from, to)| (from.as_second(), to.as_second())).collect();
        Some((seen.from.as_second(), holes))
    }

    #[test]
    fn a_window_begins_with_the_oldest_snapshot_that_every_piece_follows() {
        let pieces = [piece(4, 1010, 1020), piece(5, 1020, 1030), piece(6, 0, 0), piece(7, 1040, 1050)];
        assert_eq!(spans(&pieces, &[]), None);
        assert_eq!(spans(&pieces, &[base(3, 1000)]), None, "piece 3 is gone");
        assert_eq!(spans(&pieces, &[base(3, 1000), base(5, 1021)]), Some((1024, vec![])));
        assert_eq!(spans(&pieces, &[base(8, 1060)]), Some((1063, vec![])), "nothing has been written since");
        assert_eq!(spans(&pieces, &[base(9, 1060)]), None, "a piece that was there is gone");
        let gap = [piece(4, 1010, 1020), piece(6, 1030, 1040)];
        assert_eq!(spans(&gap, &[base(4, 1000)]), None);
        assert_eq!(spans(&gap, &[base(4, 1000), base(6, 1025)]), Some((1028, vec![])));
        let broken = |bases: &[Base]| window(1, &pieces, bases, None).map(|seen| seen.broken);
        assert_eq!(broken(&[base(3, 1000), base(5, 1021)]), Some(true));
        assert_eq!(broken(&[base(4, 1000), base(5, 1021)]), Some(false));
        assert_eq!(window(2, &pieces, &[base(4, 1000)], None), None, "what follows a restore is another line");
        let behind = window(1, &pieces, &[base(8, 1060)], Some(time(1050))).map(|seen| (seen.from, seen.to));
        assert_eq!(
            behind,
            Some((time(1063), Some(time(1050)))),
            "what the snapshot saw in those seconds is not all of them"
        );
    }

    #[test]
    fn a_time_that_the_clock_showed_twice_is_no_time() {
        let jump = [piece(1, 1010, 1100), piece(2, 1050, 1060), piece(3, 1070, 1200)];
        assert_eq!(spans(&jump, &[base(1, 1000)]), Some((1003, vec![(1050, 1200)])));
        assert_eq!(spans(&jump, &[base(1, 1000), base(3, 1065)]), Some((1003, vec![(1050, 1200)])));
        let before = [piece(1, 500, 510), piece(2, 511, 1100)];
        assert_eq!(spans(&before, &[base(1, 1000)]), Some((1003, vec![(500, 1100)])));
        let within = [Name { back: true, ..piece(1, 1010, 1100) }, piece(2, 1101, 1102)];
        assert_eq!(spans(&within, &[base(1, 1000)]), Some((1003, vec![(1010, 1100)])));
        let open_then = [Name { back: true, ..piece(1, 900, 1100) }];
        assert_eq!(spans(&open_then, &[base(1, 1000)]), Some((1003, vec![(900, 1100)])));
        let little = [piece(1, 1010, 1100), piece(2, 1099, 1110)];
        assert_eq!(spans(&little, &[base(1, 1000)]), Some((1003, vec![])));
    }

    /// A snapshot is taken in the middle of a piece as a rule, and one after a restore has little but what was restored before it.
    #[test]
    fn what_stands_in_a_piece_from_before_a_snapshot_is_no_jump_of_the_clock() {
        let busy = [piece(1, 960, 1040), piece(2, 1040, 1090)];
        assert_eq!(spans(&busy, &[base(1, 1000)]), Some((1003, vec![])));
        assert_eq!(spans(&busy, &[base(1, 1000), base(2, 1060)]), Some((1003, vec![])));
        let restored = [piece(1, 400, 410), piece(2, 1020, 1030)];
        assert_eq!(spans(&restored, &[base(1, 1000)]), Some((1003, vec![])));
        let later = [piece(1, 960, 1040), piece(2, 1010, 1090)];
        assert_eq!(spans(&later, &[base(1, 1000)]), Some((1003, vec![(1010, 1090)])), "of a later piece it is one");
    }

    #[test]
    fn what_is_carried_out_ends_with_the_first_piece_beyond() {
        let pieces = [piece(3, 1000, 1010), piece(4, 1011, 1020), piece(5, 0, 0), piece(6, 1030, 1040)];
        let chosen =
            |next, at| replay(&pieces, next, time(at)).map(|all| all.iter().map(|one| one.seq).collect::<Vec<_>>());
        assert_eq!(chosen(3, 1015), Some(vec![3, 4]));
        assert_eq!(chosen(4, 1020), Some(vec![4, 5, 6]), "what was committed at that very time belongs to it");
        assert_eq!(chosen(4, 9999), Some(vec![4, 5, 6]));
        assert_eq!(chosen(7, 9999), Some(vec![]));
        assert_eq!(chosen(2, 1015), None);
    }
}
