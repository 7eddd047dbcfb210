//! Lines of an import, one after the other in bounded memory, each with its number.

use super::LeakedError;
use super::format::{HASH_BYTES, Hash};
use std::io::{BufRead, Read};

/// Longest line that is kept; a password of more can't be chosen.
pub(super) const LINE_BYTES_MAX: usize = 1024;

/// What a line turned out to be.
pub(super) enum Line<'a> {
    /// Its bytes, without the end.
    Whole(&'a [u8]),
    /// More than [`LINE_BYTES_MAX`]; it was passed over.
    TooLong,
}

/// Reads lines.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Number of the line that was read last, from 1.
    pub(super) number: u64,
    /// Bytes read so far.
    pub(super) bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::with_capacity(LINE_BYTES_MAX + 1), number: 0, bytes: 0 }
    }

    /// The next line, or none at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let limit = LINE_BYTES_MAX as u64 + 2;
        let read = (&mut self.reader).take(limit).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        let ended = self.buffer.last() == Some(&b'\n');
        if !ended && read as u64 == limit {
            self.bytes += self.reader.skip_until(b'\n')? as u64;
            return Ok(Some(Line::TooLong));
        }
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some(if line.len() > LINE_BYTES_MAX { Line::TooLong } else { Line::Whole(line) }))
    }
}

/// The hash of a line `40HEX:COUNT`.
pub(super) fn hash_of(line: &[u8], number: u64) -> Result<Hash, LeakedError> {
    let wrong = |what| LeakedError::Line { number, what };
    if line.len() < 2 * HASH_BYTES + 2 || line[2 * HASH_BYTES] != b':' {
        return Err(wrong("not 40 hexadecimal digits, a colon and a count"));
    }
    let (digits, count) = line.split_at(2 * HASH_BYTES);
    let mut hash = [0; HASH_BYTES];
    for (byte, pair) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
        match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return Err(wrong("the hash has something that is no hexadecimal digit")),
        }
    }
    if count.len() > 20 || !count[1..].iter().all(u8::is_ascii_digit) {
        return Err(wrong("the count behind the colon is no number"));
    }
    Ok(hash)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}
