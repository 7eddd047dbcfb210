//! Inclusion and consistency proofs: which hashes they are made of, and how they are checked (RFC 9162, section 2.1).

use crate::hash::Hash;
use crate::tree::{Range, split};

/// Most hashes in a proof: a tree has no more than 64 levels, and a consistency proof one hash more.
pub const PROOF_HASHES_MAX: usize = 65;

/// The ranges whose hashes prove that a leaf is in a tree of this size, the nearest first.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Vec<Range> {
    let mut path = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push((middle, to));
            to = middle;
        } else {
            path.push((from, middle));
            from = middle;
        }
    }
    path.reverse();
    path
}

/// The ranges whose hashes prove that a tree of the old size is the beginning of one of the new size.
#[must_use]
pub fn consistency(old: u64, new: u64) -> Vec<Range> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return path;
    }
    let (mut from, mut to) = (0, new);
    let mut whole = true;
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            path.push((middle, to));
            to = middle;
        } else {
            path.push((from, middle));
            from = middle;
            whole = false;
        }
    }
    if !whole {
        path.push((from, to));
    }
    path.reverse();
    path
}

/// The root that a leaf and its inclusion proof lead to; none when the proof does not fit the size.
#[must_use]
pub fn root_by_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for step in proof {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            hash = Hash::node(step, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::node(&hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether a tree of the new size and root has one of the old size and root as its beginning.
#[must_use]
pub fn is_consistent((old, old_root): (u64, Hash), (new, new_root): (u64, Hash), proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty();
    }
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let mut steps = proof.iter();
    // An old tree that is one perfect subtree is its own first step.
    let first = if old.is_power_of_two() { Some(&old_root) } else { steps.next() };
    let Some(first) = first else { return false };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = Hash::node(step, &old_hash);
            new_hash = Hash::node(step, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = Hash::node(&new_hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == old_root && new_hash == new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::{LEAVES, numbered};
    use crate::tree::{Tiles, tiles_of};
    use std::collections::BTreeSet;

    fn hex(hashes: &[Hash]) -> Vec<String> {
        hashes.iter().map(|hash| hash.0[..4].iter().map(|byte| format!("{byte:02x}")).collect()).collect()
    }

    /// First bytes of the proofs among the shared test vectors.
    #[test]
    fn known_proofs() {
        let mut tiles = Tiles::default();
        for (n, leaf) in (0..).zip(LEAVES) {
            tiles.append(n, Hash::leaf(leaf), &mut BTreeSet::new());
        }
        let path = |index, size| hex(&tiles.hashes(&inclusion(index, size)).expect("the tiles"));
        assert_eq!(path(0, 1), Vec::<String>::new());
        assert_eq!(path(0, 8), ["96a296d2", "5f083f0a", "6b47aaf2"]);
        assert_eq!(path(5, 8), ["bc1a0643", "ca854ea1", "d37ee418"]);
        assert_eq!(path(2, 3), ["fac54203"]);
        assert_eq!(path(1, 5), ["6e340b9c", "5f083f0a", "bc1a0643"]);
        let between = |old, new| hex(&tiles.hashes(&consistency(old, new)).expect("the tiles"));
        assert_eq!(between(1, 8), ["96a296d2", "5f083f0a", "6b47aaf2"]);
        assert_eq!(between(6, 8), ["0ebc5d34", "ca854ea1", "d37ee418"]);
        assert_eq!(between(2, 5), ["5f083f0a", "bc1a0643"]);
    }

    #[test]
    fn every_leaf_is_proved_and_no_other() {
        for size in [1, 2, 3, 5, 8, 31, 32, 33, 65, 70] {
            let (tiles, leaves) = numbered(size);
            let root = tiles.hash((0, size)).expect("the root");
            for index in 0..size {
                let proof = tiles.hashes(&inclusion(index, size)).expect("a proof");
                let leaf = leaves[usize::try_from(index).expect("small")];
                assert_eq!(root_by_inclusion(leaf, index, size, &proof), Some(root), "{index} of {size}");
                assert_ne!(root_by_inclusion(Hash::leaf(b"other"), index, size, &proof), Some(root));
                assert_eq!(root_by_inclusion(leaf, index + size, size, &proof), None);
                if size > 1 {
                    assert_ne!(root_by_inclusion(leaf, index, size, &proof[1..]), Some(root), "{index} of {size}");
                    let other = (index + 1) % size;
                    assert_ne!(root_by_inclusion(leaf, other, size, &proof), Some(root), "{index} as {other}");
                }
            }
        }
    }

    #[test]
    fn every_beginning_is_consistent_and_nothing_else() {
        let sizes = [1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 40, 64, 70];
        for new in sizes {
            let (tiles, _) = numbered(new);
            let root = tiles.hash((0, new)).expect("the root");
            for old in sizes.into_iter().filter(|old| *old <= new) {
                let old_root = tiles.hash((0, old)).expect("the old root");
                let ranges = consistency(old, new);
                let mut needed = BTreeSet::new();
                ranges.iter().for_each(|range| tiles_of(*range, &mut needed));
                let mut few = Tiles::default();
                for id in needed {
                    few.put(id, tiles.get(id).expect("a tile").to_vec());
                }
                let proof = few.hashes(&ranges).expect("the tiles that were asked for are enough");
                assert!(proof.len() <= PROOF_HASHES_MAX);
                assert!(is_consistent((old, old_root), (new, root), &proof), "{old} in {new}");
                let wrong = Hash::of(b"another");
                assert!(!is_consistent((old, wrong), (new, root), &proof), "{old} in {new}: another old root");
                assert!(!is_consistent((old, old_root), (new, wrong), &proof), "{old} in {new}: another new root");
                if old < new {
                    assert!(!is_consistent((new, root), (old, old_root), &proof), "shrunk");
                    assert!(!is_consistent((old, old_root), (new, root), &proof[1..]), "{old} in {new}: cut");
                }
            }
        }
    }
}
