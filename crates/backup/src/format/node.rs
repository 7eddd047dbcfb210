//! Directories as restic keeps them: a list of nodes, sorted by name.

use super::quote::{quote, unquote};
use crate::fault::Fault;
use crate::id::Id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeType {
    /// A file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A block device.
    Dev,
    /// A character device.
    Chardev,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// An extended attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its whole name, such as `user.note`.
    pub name: String,
    /// What it holds.
    #[serde(with = "base64_bytes")]
    pub value: Vec<u8>,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name: any bytes but `/` and NUL.
    #[serde(serialize_with = "name_out", deserialize_with = "name_in")]
    pub name: Vec<u8>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: NodeType,
    /// Rights and kind as Go has them; [`Node::permissions`] has them as the system does.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mode: u32,
    /// Last change of the contents.
    pub mtime: Moment,
    /// Not kept: it equals `mtime`, or reading a file would be a change of its directory.
    pub atime: Moment,
    /// Last change of contents or of what is said about them.
    pub ctime: Moment,
    /// Who owns it.
    #[serde(default)]
    pub uid: u32,
    /// Whose group it is.
    #[serde(default)]
    pub gid: u32,
    /// Its number on the volume.
    #[serde(default, skip_serializing_if = "is_zero64")]
    pub inode: u64,
    /// Bytes of a file.
    #[serde(default, skip_serializing_if = "is_zero64")]
    pub size: u64,
    /// How many names it has.
    #[serde(default, skip_serializing_if = "is_zero64")]
    pub links: u64,
    /// Where a symbolic link points.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub linktarget: String,
    /// The same when it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linktarget_raw: Option<String>,
    /// Extended attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_attributes: Vec<Attribute>,
    /// Number of a device.
    #[serde(default, skip_serializing_if = "is_zero64")]
    pub device: u64,
    /// The pieces of a file, in order.
    #[serde(default)]
    pub content: Option<Vec<Id>>,
    /// The tree of a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtree: Option<Id>,
}

/// A moment as seconds and nanoseconds, written as RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds.
    pub nanoseconds: i32,
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What lies outside the years that can be written is not kept; no file of a customer was made in year 10000.
        let moment = jiff::Timestamp::new(self.seconds, self.nanoseconds).unwrap_or_default();
        serializer.collect_str(&moment)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        // Seconds are counted downwards, so that the nanoseconds are never negative.
        let nanoseconds = moment.subsec_nanosecond();
        let seconds = moment.as_second() - i64::from(nanoseconds < 0);
        Ok(Self { seconds, nanoseconds: if nanoseconds < 0 { nanoseconds + 1_000_000_000 } else { nanoseconds } })
    }
}

const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

impl Node {
    /// The mode as Go has it, from a kind and the system's twelve bits.
    #[must_use]
    pub fn go_mode(kind: NodeType, permissions: u32) -> u32 {
        let kind = match kind {
            NodeType::File => 0,
            NodeType::Dir => 1 << 31,
            NodeType::Symlink => 1 << 27,
            NodeType::Dev => 1 << 26,
            NodeType::Chardev => 1 << 26 | 1 << 21,
            NodeType::Fifo => 1 << 25,
            NodeType::Socket => 1 << 24,
        };
        let special = [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)];
        special
            .iter()
            .filter(|(ours, _)| permissions & ours != 0)
            .fold(kind | permissions & 0o777, |mode, (_, go)| mode | go)
    }

    /// Rights as the system has them, with setuid, setgid and sticky.
    #[must_use]
    pub fn permissions(&self) -> u32 {
        let special = [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)];
        special.iter().filter(|(_, go)| self.mode & go != 0).fold(self.mode & 0o777, |mode, (ours, _)| mode | ours)
    }

    /// Where a symbolic link points.
    #[must_use]
    pub fn target(&self) -> Vec<u8> {
        match &self.linktarget_raw {
            Some(raw) => STANDARD.decode(raw).unwrap_or_default(),
            None => self.linktarget.clone().into_bytes(),
        }
    }

    /// Sets where a symbolic link points.
    pub fn set_target(&mut self, target: &[u8]) {
        self.linktarget = String::from_utf8_lossy(target).into_owned();
        self.linktarget_raw = std::str::from_utf8(target).is_err().then(|| STANDARD.encode(target));
    }
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Its entries, sorted by the bytes of their names.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// Reads a tree, and refuses what could leave its directory or lie there twice: whoever can write to a repository could have made it.
    pub(crate) fn parse(id: &Id, json: &[u8]) -> Result<Self, Fault> {
        let place = || format!("directory {}", id.short());
        let tree: Self = serde_json::from_slice(json).map_err(|error| Fault::damaged(place(), error))?;
        for node in &tree.nodes {
            if node.name.is_empty()
                || node.name == b"."
                || node.name == b".."
                || node.name.iter().any(|b| matches!(b, b'/' | 0))
            {
                return Err(Fault::damaged(place(), "it holds a name that is none"));
            }
            if node.kind == NodeType::Dir && node.subtree.is_none() {
                return Err(Fault::damaged(place(), "a directory in it has no entries"));
            }
        }
        if tree.nodes.windows(2).any(|pair| pair[0].name >= pair[1].name) {
            return Err(Fault::damaged(place(), "its names are not in order"));
        }
        Ok(tree)
    }

    /// As it is hashed and kept: restic ends it with a line break.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a tree is JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The entry of this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.binary_search_by(|node| node.name.as_slice().cmp(name)).ok().map(|at| &self.nodes[at])
    }
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

fn is_zero64(value: &u64) -> bool {
    *value == 0
}

fn name_out<S: Serializer>(name: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&quote(name))
}

fn name_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    unquote(&text).ok_or_else(|| de::Error::custom("a name that is not quoted as Go quotes"))
}

mod base64_bytes {
    use super::STANDARD;
    use base64::Engine as _;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        // Go writes an empty attribute as null.
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD.decode(text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_moments_come_back() {
        for permissions in [0o644, 0o755, 0o4755, 0o2775, 0o1777, 0o7000, 0] {
            let node = Node { mode: Node::go_mode(NodeType::Dir, permissions), ..sample(b"x") };
            assert_eq!(node.permissions(), permissions);
        }
        for (seconds, nanoseconds) in [(0, 0), (1_700_000_000, 123_456_789), (-1, 500_000_000), (-86_400, 1)] {
            let moment = Moment { seconds, nanoseconds };
            let text = serde_json::to_string(&moment).expect("JSON");
            assert_eq!(serde_json::from_str::<Moment>(&text).expect("the same"), moment, "{text}");
        }
        // Go writes the zone of the machine.
        let moment: Moment = serde_json::from_str("\"2026-11-28T10:00:00.5+01:00\"").expect("a time");
        assert_eq!(moment.seconds, 1_795_856_400);
    }

    #[test]
    fn a_tree_that_could_leave_its_directory_is_refused() {
        let check = |names: &[&[u8]]| {
            let tree = Tree { nodes: names.iter().map(|name| sample(name)).collect() };
            Tree::parse(&Id([0; 32]), &tree.to_bytes())
        };
        assert!(check(&[b"a", b"b"]).is_ok());
        for names in [&[b"..".as_slice()][..], &[b"a/b"], &[b""], &[b"."], &[b"b", b"a"], &[b"a", b"a"], &[b"a\0b"]] {
            assert!(check(names).is_err(), "{names:?}");
        }
    }

    fn sample(name: &[u8]) -> Node {
        Node {
            name: name.to_vec(),
            kind: NodeType::File,
            mode: 0o644,
            mtime: Moment::default(),
            atime: Moment::default(),
            ctime: Moment::default(),
            uid: 0,
            gid: 0,
            inode: 1,
            size: 0,
            links: 1,
            linktarget: String::new(),
            linktarget_raw: None,
            extended_attributes: Vec::new(),
            device: 0,
            content: Some(Vec::new()),
            subtree: None,
        }
    }
}
