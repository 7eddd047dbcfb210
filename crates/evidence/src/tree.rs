//! The Merkle tree of RFC 6962 over leaves that are only ever added: kept in tiles, and summed up by a frontier.
//!
//! A tile holds up to 32 neighbouring hashes of one level, and only every fifth level is kept: what lies between is hashed
//! again when it is asked for. A proof thus reads a handful of rows, and a leaf costs little more than its own hash.

use crate::hash::Hash;
use std::collections::{BTreeSet, HashMap};

/// Levels of the tree in one tile.
const TILE_LEVELS: u32 = 5;
/// Hashes in one full tile.
pub const TILE_WIDTH: u64 = 1 << TILE_LEVELS;

/// Which tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Counted in tiles from the leaves up.
    pub level: u8,
    /// Counted from the left.
    pub position: u64,
}

/// Tiles that were read, or are about to be written.
#[derive(Clone, Debug, Default)]
pub struct Tiles(HashMap<TileId, Vec<Hash>>);

/// A part of the leaves: from the first up to, and without, the second.
pub type Range = (u64, u64);

/// A tile that was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tile {} of level {} is missing or too short", .0.position, .0.level)]
pub struct Missing(pub TileId);

/// The largest power of two below a size of two or more.
pub(crate) const fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The perfect subtree that a range is, as level and position; none when it is made of several.
const fn perfect((from, to): Range) -> Option<(u32, u64)> {
    let size = to - from;
    if size.is_power_of_two() && from.is_multiple_of(size) { Some((size.trailing_zeros(), from / size)) } else { None }
}

/// The tile that holds what a perfect subtree is hashed from, and the place of the first hash in it.
fn place(level: u32, position: u64) -> (TileId, usize, usize) {
    let within = level % TILE_LEVELS;
    let first = position << within;
    let tile = TileId { level: u8::try_from(level / TILE_LEVELS).unwrap_or(u8::MAX), position: first / TILE_WIDTH };
    (tile, usize::try_from(first % TILE_WIDTH).unwrap_or(0), 1 << within)
}

/// The tiles that the hash of a range is made from.
pub fn tiles_of(range: Range, into: &mut BTreeSet<TileId>) {
    let (from, to) = range;
    if from >= to {
        return;
    }
    match perfect(range) {
        Some((level, position)) => {
            into.insert(place(level, position).0);
        }
        None => {
            let middle = from + split(to - from);
            tiles_of((from, middle), into);
            tiles_of((middle, to), into);
        }
    }
}

/// The tiles at the right edge: what is needed to add a leaf or to say the root.
#[must_use]
pub fn edge(size: u64) -> BTreeSet<TileId> {
    let mut tiles = BTreeSet::new();
    tiles_of((0, size), &mut tiles);
    tiles
}

impl Tiles {
    /// Puts a tile in, as it was read.
    pub fn put(&mut self, id: TileId, hashes: Vec<Hash>) {
        self.0.insert(id, hashes);
    }

    /// A tile's hashes.
    #[must_use]
    pub fn get(&self, id: TileId) -> Option<&[Hash]> {
        self.0.get(&id).map(Vec::as_slice)
    }

    /// Adds a leaf to a tree of this size whose edge was read; says which tiles it wrote in.
    pub fn append(&mut self, size: u64, leaf: Hash, written: &mut BTreeSet<TileId>) {
        let (mut hash, mut position) = (leaf, size);
        for level in 0.. {
            let id = TileId { level, position: position / TILE_WIDTH };
            let tile = self.0.entry(id).or_default();
            // Cut to where this hash goes: what a tile holds beyond belongs to no tree of this size.
            tile.truncate(usize::try_from(position % TILE_WIDTH).unwrap_or(0));
            tile.push(hash);
            written.insert(id);
            if tile.len() < 1 << TILE_LEVELS {
                return;
            }
            hash = fold(tile);
            position /= TILE_WIDTH;
        }
    }

    /// The hash of a range of leaves.
    ///
    /// # Errors
    /// When a tile was not read.
    pub fn hash(&self, range: Range) -> Result<Hash, Missing> {
        let (from, to) = range;
        if from >= to {
            return Ok(Hash::of(&[]));
        }
        match perfect(range) {
            Some((level, position)) => {
                let (id, first, count) = place(level, position);
                let tile = self.0.get(&id).and_then(|tile| tile.get(first..first + count)).ok_or(Missing(id))?;
                Ok(fold(tile))
            }
            None => {
                let middle = from + split(to - from);
                Ok(Hash::node(&self.hash((from, middle))?, &self.hash((middle, to))?))
            }
        }
    }

    /// The hashes of several ranges: a proof.
    ///
    /// # Errors
    /// When a tile was not read.
    pub fn hashes(&self, ranges: &[Range]) -> Result<Vec<Hash>, Missing> {
        ranges.iter().map(|range| self.hash(*range)).collect()
    }
}

/// The root over a number of hashes that is a power of two.
fn fold(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            Hash::node(&fold(left), &fold(right))
        }
    }
}

/// What a tree is summed up by: the roots of its perfect subtrees, the largest first. Enough to go on and to say the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            // A tree of this size has one root for each bit that is set.
            if let Some(left) = self.roots.pop() {
                hash = Hash::node(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root of all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return Hash::of(&[]) };
        roots.fold(*last, |right, left| Hash::node(left, &right))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The leaves and roots of the test vectors that implementations of RFC 6962 share.
    pub(crate) const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn hex(hash: Hash) -> String {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A tree of leaves that are their own numbers, tile by tile as a store would have it.
    pub(crate) fn numbered(size: u64) -> (Tiles, Vec<Hash>) {
        let leaves: Vec<Hash> = (0..size).map(|n| Hash::leaf(&n.to_be_bytes())).collect();
        let mut tiles = Tiles::default();
        for (n, leaf) in (0..).zip(&leaves) {
            tiles.append(n, *leaf, &mut BTreeSet::new());
        }
        (tiles, leaves)
    }

    #[test]
    fn known_roots() {
        let (mut tiles, mut frontier) = (Tiles::default(), Frontier::default());
        for (size, expected) in ROOTS.iter().enumerate() {
            assert_eq!(hex(frontier.root()), *expected, "{size} leaves");
            assert_eq!(hex(tiles.hash((0, size as u64)).expect("the tiles")), *expected, "{size} leaves in tiles");
            if let Some(leaf) = LEAVES.get(size) {
                frontier.push(Hash::leaf(leaf));
                tiles.append(size as u64, Hash::leaf(leaf), &mut BTreeSet::new());
            }
        }
    }

    /// The definition in RFC 6962, section 2.1, word for word.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(&[]),
            [one] => *one,
            several => {
                let mut k = 1;
                while k * 2 < several.len() {
                    k *= 2;
                }
                Hash::node(&defined(&several[..k]), &defined(&several[k..]))
            }
        }
    }

    #[test]
    fn tiles_and_frontier_say_the_root_that_is_defined() {
        let sizes = [1, 2, 3, 31, 32, 33, 63, 64, 65, 1023, 1024, 1025, 1056, 1500, 2111];
        let (_, leaves) = numbered(2111);
        for size in sizes {
            let expected = defined(&leaves[..size]);
            let mut frontier = Frontier::default();
            leaves[..size].iter().for_each(|leaf| frontier.push(*leaf));
            assert_eq!(frontier.root(), expected, "{size}");
            let (tiles, _) = numbered(size as u64);
            assert_eq!(tiles.hash((0, size as u64)), Ok(expected), "{size}");
        }
    }

    #[test]
    fn the_edge_is_enough_to_go_on() {
        let (whole, leaves) = numbered(1200);
        for size in [0, 1, 31, 32, 33, 1023, 1024, 1025, 1100] {
            let (before, _) = numbered(size);
            let mut tiles = Tiles::default();
            for id in edge(size) {
                tiles.put(id, before.get(id).expect("a tile of the edge").to_vec());
            }
            let mut written = BTreeSet::new();
            for n in size..1200 {
                tiles.append(n, leaves[usize::try_from(n).expect("small")], &mut written);
            }
            assert_eq!(tiles.hash((0, 1200)), whole.hash((0, 1200)), "from {size}");
            for id in written {
                assert_eq!(tiles.get(id), whole.get(id), "{id:?} from {size}");
            }
        }
    }
}
