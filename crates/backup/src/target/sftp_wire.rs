//! SFTP version 3 on two pipes: the few requests that a repository needs, in flight together.

use crate::fault::Fault;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// Bytes of one read or write request: OpenSSH takes 256 KiB with what stands around them.
const PIECE_BYTES: usize = 128 << 10;
/// Requests that are on their way together: two megabytes hide the way to another town.
const FLIGHT: usize = 16;
const PACKET_BYTES_MAX: usize = 256 << 10;
/// A server that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const MKDIR: u8 = 14;
const STAT: u8 = 17;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED: u8 = 200;
/// A kind of answer that no server gives.
const NEVER: u8 = 0;

const OPEN_READ: u32 = 1;
const OPEN_WRITE: u32 = 2;
const OPEN_CREATE: u32 = 8;
const OPEN_EXCLUSIVE: u32 = 32;
const ATTR_SIZE: u32 = 1;
const ATTR_OWNER: u32 = 2;
const ATTR_PERMISSIONS: u32 = 4;
const ATTR_TIMES: u32 = 8;
const ATTR_EXTENDED: u32 = 1 << 31;

/// What a server said instead of doing it.
#[derive(Debug)]
pub(super) enum Said {
    /// There is no such file.
    Missing,
    /// It may not be done.
    Denied,
    /// Any other failure: the protocol has one word for "exists" and for "no room".
    Failure(String),
    /// The connection is of no more use.
    Lost(String),
}

impl Said {
    pub(super) fn fault(self, doing: impl Into<String>) -> Fault {
        match self {
            Self::Missing => Fault::Missing(doing.into()),
            Self::Denied => Fault::Refused { doing: doing.into(), why: "permission denied".to_owned() },
            Self::Failure(why) | Self::Lost(why) => Fault::away(doing, why),
        }
    }
}

impl From<io::Error> for Said {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// What a listing tells of a file.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// A session of SFTP.
pub(super) struct Wire {
    to: File,
    from: File,
    last: u32,
    pub(super) hardlink: bool,
    pub(super) fsync: bool,
}

/// A request or an answer that is put together or taken apart.
struct Packet(Vec<u8>);

impl Packet {
    fn new(kind: u8) -> Self {
        // Room for the length, which is known last.
        Self(vec![0, 0, 0, 0, kind])
    }
    fn number(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    fn long(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }
    fn bytes(self, value: &[u8]) -> Self {
        let mut packet = self.number(u32::try_from(value.len()).expect("pieces are short"));
        packet.0.extend_from_slice(value);
        packet
    }
    fn done(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).expect("packets are short");
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// An answer, read from its front.
struct Answer {
    kind: u8,
    body: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take(&mut self, count: usize) -> Result<&[u8], Said> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.body.len());
        let end = end.ok_or_else(|| Said::Lost("it sent an answer that breaks off".to_owned()))?;
        let part = &self.body[self.at..end];
        self.at = end;
        Ok(part)
    }
    fn number(&mut self) -> Result<u32, Said> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().expect("four bytes")))
    }
    fn long(&mut self) -> Result<u64, Said> {
        Ok(u64::from_be_bytes(self.take(8)?.try_into().expect("eight bytes")))
    }
    fn bytes(&mut self) -> Result<&[u8], Said> {
        let count = self.number()? as usize;
        self.take(count)
    }
    /// The size, when the attributes have one; what stands behind it is passed over.
    fn attributes(&mut self) -> Result<u64, Said> {
        let flags = self.number()?;
        let bytes = if flags & ATTR_SIZE != 0 { self.long()? } else { 0 };
        for (flag, count) in [(ATTR_OWNER, 8), (ATTR_PERMISSIONS, 4), (ATTR_TIMES, 8)] {
            if flags & flag != 0 {
                self.take(count)?;
            }
        }
        if flags & ATTR_EXTENDED != 0 {
            for _ in 0..self.number()? {
                self.bytes()?;
                self.bytes()?;
            }
        }
        Ok(bytes)
    }
    /// Expects an answer of this kind.
    fn expect(mut self, kind: u8) -> Result<Self, Said> {
        if self.kind == kind {
            return Ok(self);
        }
        if self.kind != STATUS {
            return Err(Said::Lost(format!("it answered {} where {kind} was due", self.kind)));
        }
        match self.number()? {
            0 => Err(Said::Lost("it said \"done\" where something was due".to_owned())),
            2 => Err(Said::Missing),
            3 | 8 => Err(Said::Denied),
            _ => Err(Said::Failure(String::from_utf8_lossy(self.bytes()?).into_owned())),
        }
    }
    /// Expects that it was done.
    fn done(mut self) -> Result<(), Said> {
        let begin = self.at;
        if self.kind == STATUS && self.number()? == 0 {
            return Ok(());
        }
        self.at = begin;
        // Nothing else than a refusal can follow; `expect` reads it.
        self.expect(NEVER).map(drop)
    }
}

impl Wire {
    /// Begins the session.
    pub(super) fn begin(to: File, from: File) -> Result<Self, Said> {
        let mut wire = Self { to, from, last: 0, hardlink: false, fsync: false };
        wire.send(Packet::new(INIT).number(3))?;
        let mut hello = wire.packet()?;
        if hello.kind != VERSION || hello.number()? < 3 {
            return Err(Said::Lost("it speaks no SFTP of version 3".to_owned()));
        }
        while hello.at < hello.body.len() {
            let name = String::from_utf8_lossy(hello.bytes()?).into_owned();
            hello.bytes()?;
            wire.hardlink |= name == "hardlink@openssh.com";
            wire.fsync |= name == "fsync@openssh.com";
        }
        Ok(wire)
    }

    fn send(&mut self, packet: Packet) -> Result<(), Said> {
        Ok(self.to.write_all(&packet.done())?)
    }

    fn ask(&mut self, kind: u8, with: impl FnOnce(Packet) -> Packet) -> Result<u32, Said> {
        self.last = self.last.wrapping_add(1);
        let packet = with(Packet::new(kind).number(self.last));
        self.send(packet)?;
        Ok(self.last)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Said> {
        let mut have = 0;
        while have < buffer.len() {
            let timeout = Timespec { tv_sec: SILENCE.as_secs().cast_signed(), tv_nsec: 0 };
            let ready =
                poll(&mut [PollFd::new(&self.from.as_fd(), PollFlags::IN)], Some(&timeout)).map_err(io::Error::from)?;
            if ready == 0 {
                return Err(Said::Lost(format!("it said nothing for {} s", SILENCE.as_secs())));
            }
            match self.from.read(&mut buffer[have..])? {
                0 => return Err(Said::Lost("it closed the connection".to_owned())),
                count => have += count,
            }
        }
        Ok(())
    }

    fn packet(&mut self) -> Result<Answer, Said> {
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if !(1..=PACKET_BYTES_MAX + 1024).contains(&length) {
            return Err(Said::Lost("it sent a packet of impossible length".to_owned()));
        }
        let mut body = vec![0; length];
        self.fill(&mut body)?;
        Ok(Answer { kind: body[0], body, at: 1 })
    }

    /// The answer to this request; a server may answer in any order, ours are waited for in the order they were sent.
    fn answer(&mut self, to: u32) -> Result<Answer, Said> {
        let mut answer = self.packet()?;
        if answer.number()? != to {
            return Err(Said::Lost("it answered another request than the oldest".to_owned()));
        }
        Ok(answer)
    }

    fn call(&mut self, kind: u8, with: impl FnOnce(Packet) -> Packet) -> Result<Answer, Said> {
        let id = self.ask(kind, with)?;
        self.answer(id)
    }

    fn open(&mut self, path: &str, flags: u32) -> Result<Vec<u8>, Said> {
        // What is made can be read and never be written again: that is what keeps a thief of this account from overwriting it.
        let answer = self
            .call(OPEN, |packet| packet.bytes(path.as_bytes()).number(flags).number(ATTR_PERMISSIONS).number(0o400))?;
        Ok(answer.expect(HANDLE)?.bytes()?.to_vec())
    }

    fn close(&mut self, handle: &[u8]) -> Result<(), Said> {
        self.call(CLOSE, |packet| packet.bytes(handle))?.done()
    }

    /// Writes a new file and waits until it has reached the disk, where the server can do that.
    pub(super) fn write_new(&mut self, path: &str, body: &[u8], pace: &super::Pace) -> Result<(), Said> {
        let handle = self.open(path, OPEN_WRITE | OPEN_CREATE | OPEN_EXCLUSIVE)?;
        let mut flying = std::collections::VecDeque::new();
        let mut first_no = Ok(());
        for (number, piece) in body.chunks(PIECE_BYTES).enumerate() {
            pace.take(piece.len());
            let offset = (number * PIECE_BYTES) as u64;
            flying.push_back(self.ask(WRITE, |packet| packet.bytes(&handle).long(offset).bytes(piece))?);
            if flying.len() >= FLIGHT {
                let oldest = flying.pop_front().expect("there is one");
                first_no = first_no.and(self.answer(oldest)?.done());
                if first_no.is_err() {
                    break;
                }
            }
        }
        for id in flying {
            let answer = self.answer(id)?.done();
            first_no = first_no.and(answer);
        }
        if first_no.is_ok() && self.fsync {
            first_no = self.call(EXTENDED, |packet| packet.bytes(b"fsync@openssh.com").bytes(&handle))?.done();
        }
        let closed = self.close(&handle);
        first_no.and(closed)
    }

    /// Reads a part of a file, or what there is of it.
    pub(super) fn read(&mut self, path: &str, start: u64, bytes: u64, pace: &super::Pace) -> Result<Vec<u8>, Said> {
        let handle = self.open(path, OPEN_READ)?;
        let read = self.read_open(&handle, start, bytes, pace);
        if !matches!(read, Err(Said::Lost(_))) {
            self.close(&handle)?;
        }
        read
    }

    fn read_open(&mut self, handle: &[u8], start: u64, bytes: u64, pace: &super::Pace) -> Result<Vec<u8>, Said> {
        let mut body = Vec::with_capacity(usize::try_from(bytes.min(64 << 20)).unwrap_or(0));
        let end = start + bytes;
        let mut next = start;
        let mut flying = std::collections::VecDeque::new();
        let mut over = false;
        loop {
            while !over && next < end && flying.len() < FLIGHT {
                let piece = (end - next).min(PIECE_BYTES as u64);
                let count = u32::try_from(piece).expect("a piece is short");
                flying.push_back((self.ask(READ, |packet| packet.bytes(handle).long(next).number(count))?, piece));
                next += piece;
            }
            let Some((id, piece)) = flying.pop_front() else { return Ok(body) };
            let mut answer = self.answer(id)?;
            if answer.kind == STATUS && answer.number()? == 1 {
                over = true;
                continue;
            }
            if answer.kind == STATUS {
                answer.at = 5;
            }
            let part = answer.expect(DATA).and_then(|mut data| data.bytes().map(<[u8]>::to_vec))?;
            pace.take(part.len());
            if part.len() as u64 != piece && !over && next < end {
                // Files on a disk are given whole; a server that gives less breaks what is in flight behind it.
                return Err(Said::Lost("it gave less than was asked for".to_owned()));
            }
            body.extend_from_slice(&part);
        }
    }

    /// Bytes of a file, when it is there.
    pub(super) fn size(&mut self, path: &str) -> Result<Option<u64>, Said> {
        match self.call(STAT, |packet| packet.bytes(path.as_bytes()))?.expect(ATTRS) {
            Ok(mut answer) => answer.attributes().map(Some),
            Err(Said::Missing) => Ok(None),
            Err(said) => Err(said),
        }
    }

    /// Makes a folder; one that is there stays.
    pub(super) fn folder(&mut self, path: &str) -> Result<(), Said> {
        let made =
            self.call(MKDIR, |packet| packet.bytes(path.as_bytes()).number(ATTR_PERMISSIONS).number(0o700))?.done();
        match made {
            Err(Said::Failure(_) | Said::Denied) if self.size(path)?.is_some() => Ok(()),
            made => made,
        }
    }

    /// Gives a file a second name, which must be free.
    pub(super) fn link(&mut self, path: &str, to: &str) -> Result<(), Said> {
        self.call(EXTENDED, |packet| packet.bytes(b"hardlink@openssh.com").bytes(path.as_bytes()).bytes(to.as_bytes()))?
            .done()
    }

    /// Everything in a folder.
    pub(super) fn list(&mut self, path: &str) -> Result<Vec<Found>, Said> {
        let handle = self.call(OPENDIR, |packet| packet.bytes(path.as_bytes()))?.expect(HANDLE)?.bytes()?.to_vec();
        let mut found = Vec::new();
        loop {
            let mut answer = self.call(READDIR, |packet| packet.bytes(&handle))?;
            if answer.kind == STATUS {
                let code = answer.number()?;
                if code == 1 {
                    break;
                }
                answer.at = 5;
            }
            let mut names = answer.expect(NAME)?;
            for _ in 0..names.number()? {
                let name = String::from_utf8_lossy(names.bytes()?).into_owned();
                names.bytes()?;
                let bytes = names.attributes()?;
                found.push(Found { name, bytes });
            }
        }
        self.close(&handle)?;
        Ok(found)
    }
}
