//! Netlink: messages to the kernel's network parts, and their answers, without a process of their own.

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::{AsRawFd, OwnedFd};

/// The message asks for something.
const REQUEST: u16 = 0x1;
/// The kernel shall answer even if all went well.
pub(crate) const ACK: u16 = 0x4;
/// All of a kind, not one.
const DUMP: u16 = 0x300;
/// Make it if it is not there.
pub(crate) const CREATE: u16 = 0x400;
/// Fail if it is there.
pub(crate) const EXCLUSIVE: u16 = 0x200;
/// Put it in the place of what is there.
pub(crate) const REPLACE: u16 = 0x100;

/// An error or an acknowledgement.
const ERROR: u16 = 2;
/// The end of a dump.
const DONE: u16 = 3;
/// The thing listed changed under the listing.
const INTERRUPTED: u16 = 0x10;
/// The flag of an attribute that holds attributes.
pub(crate) const NESTED: u16 = 0x8000;

/// An answer that takes longer than this is an error: these are calls into the kernel, not over a network.
const ANSWER_SECONDS_MAX: i64 = 10;
/// The kernel never builds a larger piece of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A listing that changes under us is begun again this often at most.
const LISTING_TRIES_MAX: usize = 20;

/// One message: its kind, its flags, and its body of a fixed head and attributes.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    body: Vec<u8>,
}

impl Message {
    /// A message with a fixed head.
    pub(crate) fn new(kind: u16, flags: u16, head: &[u8]) -> Self {
        Self { kind, flags, body: head.to_vec() }
    }

    /// Adds an attribute.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        put(&mut self.body, kind, value);
        self
    }

    /// Adds an attribute that is a text with its closing zero.
    pub(crate) fn with_text(self, kind: u16, text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.with(kind, &value)
    }

    /// Adds an attribute that holds attributes.
    pub(crate) fn with_nest(self, kind: u16, nest: &Nest) -> Self {
        self.with(kind | NESTED, &nest.0)
    }
}

/// Attributes within an attribute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nest(Vec<u8>);

impl Nest {
    /// A nest that begins with a fixed head.
    pub(crate) fn headed(head: &[u8]) -> Self {
        Self(head.to_vec())
    }

    /// Adds an attribute.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        put(&mut self.0, kind, value);
        self
    }

    /// Adds a text with its closing zero.
    pub(crate) fn with_text(self, kind: u16, text: &str) -> Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.with(kind, &value)
    }

    /// Adds a nest.
    pub(crate) fn with_nest(self, kind: u16, nest: &Self) -> Self {
        self.with(kind | NESTED, &nest.0)
    }
}

fn put(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).expect("callers keep attributes far below 64 KiB by chunks");
    body.extend_from_slice(&length.to_ne_bytes());
    body.extend_from_slice(&kind.to_ne_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// The attributes in a piece of an answer, with the flags taken off their kinds.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, _) = bytes.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a kind.
pub(crate) fn attribute(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

/// A conversation with one of the kernel's parts. It stays in the network namespace it was opened in, whichever thread
/// uses it later.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens one in the calling thread's network namespace.
    pub(crate) fn open(protocol: SockProtocol) -> Result<Self, Errno> {
        Self::hearing(protocol, 0)
    }

    /// Opens one that is told of what happens to the groups in this mask.
    pub(crate) fn hearing(protocol: SockProtocol, groups: u32) -> Result<Self, Errno> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS_MAX))?;
        setsockopt(&fd, sockopt::SndBufForce, &(4 << 20))?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self { fd, sequence: 0, buffer: vec![0; ANSWER_BYTES_MAX] })
    }

    /// The bodies of what has been told since, without waiting; empty when there is nothing more. `ENOBUFS` says that
    /// something was told and lost.
    pub(crate) fn heard(&mut self) -> Result<Vec<Vec<u8>>, Errno> {
        let mut found = Vec::new();
        match self.receive(MsgFlags::MSG_DONTWAIT, |_, _, _, body| {
            found.push(body.to_vec());
            Ok(false)
        }) {
            Ok(_) => Ok(found),
            Err(Errno::EAGAIN) => Ok(Vec::new()),
            Err(errno) => Err(errno),
        }
    }

    /// Sends messages in one datagram; the sequence number of the first is returned, the others follow on it.
    fn send(&mut self, messages: &[Message]) -> Result<u32, Errno> {
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        for message in messages {
            self.sequence = self.sequence.wrapping_add(1);
            let length = u32::try_from(message.body.len() + 16).map_err(|_| Errno::EMSGSIZE)?;
            bytes.extend_from_slice(&length.to_ne_bytes());
            bytes.extend_from_slice(&message.kind.to_ne_bytes());
            bytes.extend_from_slice(&(message.flags | REQUEST).to_ne_bytes());
            bytes.extend_from_slice(&self.sequence.to_ne_bytes());
            bytes.extend_from_slice(&0_u32.to_ne_bytes());
            bytes.extend_from_slice(&message.body);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        sendto(self.fd.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        Ok(first)
    }

    /// Reads one datagram and hands on each message in it: kind, flags, sequence, body.
    fn receive(
        &mut self,
        flags: MsgFlags,
        mut each: impl FnMut(u16, u16, u32, &[u8]) -> Result<bool, Errno>,
    ) -> Result<bool, Errno> {
        let length = loop {
            match recv(self.fd.as_raw_fd(), &mut self.buffer, flags) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        let mut rest = &self.buffer[..length];
        let mut ended = false;
        while let Some((head, _)) = rest.split_first_chunk::<16>() {
            let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let body = rest.get(16..length).ok_or(Errno::EBADMSG)?;
            let kind = u16::from_ne_bytes([head[4], head[5]]);
            let flags = u16::from_ne_bytes([head[6], head[7]]);
            let sequence = u32::from_ne_bytes([head[8], head[9], head[10], head[11]]);
            ended |= each(kind, flags, sequence, body)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(ended)
    }

    /// Carries out messages in order, each acknowledged; the answers to all are awaited, and the first error is returned.
    /// `forgive` says which errors are none, such as "is not there" of a removal.
    pub(crate) fn carry_out(&mut self, mut messages: Vec<Message>, forgive: &[Errno]) -> Result<(), Errno> {
        if messages.is_empty() {
            return Ok(());
        }
        for message in &mut messages {
            message.flags |= ACK;
        }
        let first = self.send(&messages)?;
        let last = self.sequence;
        let mut failed = None;
        loop {
            let ended = self.receive(MsgFlags::empty(), |kind, _, sequence, body| {
                if kind != ERROR || !within(sequence, first, last) {
                    return Ok(false);
                }
                if let Some(errno) = errno(body)
                    && !forgive.contains(&errno)
                {
                    failed.get_or_insert(errno);
                }
                Ok(sequence == last)
            })?;
            if ended {
                return failed.map_or(Ok(()), Err);
            }
        }
    }

    /// Sends a batch of nfnetlink, which is carried out as a whole or not at all: its opening, its messages, its end.
    pub(crate) fn batch(&mut self, messages: &[Message]) -> Result<(), Errno> {
        let first = self.send(messages)?;
        // The end of a batch is not acknowledged by every kernel; the last message before it is.
        let end = self.sequence;
        let last = end.wrapping_sub(1);
        let mut failed = None;
        loop {
            let ended = self.receive(MsgFlags::empty(), |kind, _, sequence, body| {
                if kind != ERROR || !within(sequence, first, end) {
                    return Ok(false);
                }
                if let Some(errno) = errno(body) {
                    failed.get_or_insert(errno);
                    // An error of the batch as a whole is told at its opening, and nothing may follow.
                    return Ok(sequence == first || sequence == last);
                }
                Ok(sequence == last)
            })?;
            if ended {
                return failed.map_or(Ok(()), Err);
            }
        }
    }

    /// One question with one answer; `None` where the kernel says there is no such thing.
    pub(crate) fn ask(&mut self, message: Message, absent: &[Errno]) -> Result<Option<Vec<u8>>, Errno> {
        let first = self.send(&[message])?;
        let mut answer = None;
        let mut missing = false;
        loop {
            let ended = self.receive(MsgFlags::empty(), |kind, _, sequence, body| {
                if sequence != first {
                    return Ok(false);
                }
                if kind == ERROR {
                    match errno(body) {
                        Some(errno) if absent.contains(&errno) => missing = true,
                        Some(errno) => return Err(errno),
                        None => {}
                    }
                } else {
                    answer = Some(body.to_vec());
                }
                Ok(true)
            })?;
            if ended {
                return Ok(if missing { None } else { answer });
            }
        }
    }

    /// A whole listing; begun again when what is listed changed meanwhile.
    pub(crate) fn list(&mut self, message: &Message) -> Result<Vec<Vec<u8>>, Errno> {
        let mut message = message.clone();
        message.flags |= DUMP;
        for _ in 0..LISTING_TRIES_MAX {
            let first = self.send(std::slice::from_ref(&message))?;
            let mut found = Vec::new();
            let mut changed = false;
            loop {
                let ended = self.receive(MsgFlags::empty(), |kind, flags, sequence, body| {
                    if sequence != first {
                        return Ok(false);
                    }
                    changed |= flags & INTERRUPTED != 0;
                    match kind {
                        DONE => Ok(true),
                        ERROR => errno(body).map_or(Ok(true), |errno| {
                            if errno == Errno::EINTR {
                                changed = true;
                                Ok(true)
                            } else {
                                Err(errno)
                            }
                        }),
                        _ => {
                            found.push(body.to_vec());
                            Ok(false)
                        }
                    }
                })?;
                if ended {
                    break;
                }
            }
            if !changed {
                return Ok(found);
            }
        }
        Err(Errno::EBUSY)
    }
}

/// Sequence numbers wrap; a distance does not.
fn within(sequence: u32, first: u32, last: u32) -> bool {
    sequence.wrapping_sub(first) <= last.wrapping_sub(first)
}

/// The error an answer carries; none in an acknowledgement.
fn errno(body: &[u8]) -> Option<Errno> {
    let code = body.first_chunk::<4>().map_or(i32::MIN, |code| i32::from_ne_bytes(*code));
    (code != 0).then(|| Errno::from_raw(code.wrapping_neg()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_as_they_are_read() {
        let nest = Nest::default().with(1, &[1, 2, 3]).with_text(2, "ab");
        let message = Message::new(0, 0, &[]).with(7, &[9; 5]).with_nest(8, &nest);
        assert_eq!(message.body.len() % 4, 0, "padded to four bytes");
        let read: Vec<_> = attributes(&message.body).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0], (7, &[9_u8; 5][..]));
        assert_eq!(read[1].0, 8, "the flag is taken off");
        assert_eq!(attribute(read[1].1, 1), Some(&[1_u8, 2, 3][..]));
        assert_eq!(attribute(read[1].1, 2), Some(&b"ab\0"[..]));
        assert_eq!(attribute(read[1].1, 3), None);
    }

    #[test]
    fn broken_attributes_end_the_reading() {
        for broken in [&[4_u8, 0][..], &[3, 0, 1, 0], &[0, 0, 1, 0], &[200, 0, 1, 0, 5]] {
            assert_eq!(attributes(broken).count(), 0, "{broken:?}");
        }
    }

    #[test]
    fn sequence_numbers_wrap() {
        assert!(within(1, u32::MAX, 2));
        assert!(!within(3, u32::MAX, 2));
    }
}
