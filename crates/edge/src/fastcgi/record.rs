//! FastCGI's records on the wire (FastCGI Specification 1.0, sections 3 and 5).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of a record's header.
pub(crate) const HEADER_BYTES: usize = 8;
/// Most content of one record that we send; a multiple of eight, so that none needs padding.
pub(crate) const CONTENT_BYTES_MAX: usize = 65_528;

const VERSION: u8 = 1;
/// One connection, one request.
const REQUEST_ID: u16 = 1;
const ROLE_RESPONDER: u16 = 1;

/// The kinds of record that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Begin = 1,
    End = 3,
    Params = 4,
    Stdin = 5,
    Stdout = 6,
    Stderr = 7,
}

/// Writes a record's header.
pub(crate) fn header(out: &mut BytesMut, kind: Kind, content_bytes: usize) {
    out.put_u8(VERSION);
    out.put_u8(kind as u8);
    out.put_u16(REQUEST_ID);
    out.put_u16(u16::try_from(content_bytes).unwrap_or(u16::MAX));
    out.put_u8(0);
    out.put_u8(0);
}

/// Writes the records that open a request: begin, the parameters, and their end. The connection is to be closed after it.
pub(crate) fn open(out: &mut BytesMut, params: &[u8]) {
    header(out, Kind::Begin, 8);
    out.put_u16(ROLE_RESPONDER);
    out.put_bytes(0, 6);
    for piece in params.chunks(CONTENT_BYTES_MAX) {
        header(out, Kind::Params, piece.len());
        out.put_slice(piece);
    }
    header(out, Kind::Params, 0);
}

/// Appends a name-value pair to parameters.
pub(crate) fn pair(params: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for length in [name.len(), value.len()] {
        match u8::try_from(length) {
            Ok(short) if short < 128 => params.push(short),
            // The limits on headers keep every value far below the 31 bits there are.
            _ => params.put_u32(u32::try_from(length).unwrap_or(0) | 1 << 31),
        }
    }
    params.extend_from_slice(name);
    params.extend_from_slice(value);
}

/// What the program sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Stdout(Bytes),
    Stderr(Bytes),
    /// The request is over; whether the program took it at all.
    End {
        taken: bool,
    },
}

/// What is wrong with what the program sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Takes the next event out of what was read; `None` when more must be read. Content is handed on as it comes, without
/// waiting for its record to be whole.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    kind: Option<Kind>,
    content_left: usize,
    padding_left: usize,
}

impl Parser {
    pub(crate) fn next(&mut self, read: &mut BytesMut) -> Result<Option<Event>, Malformed> {
        loop {
            if self.content_left == 0 && self.padding_left > 0 {
                let skipped = self.padding_left.min(read.len());
                read.advance(skipped);
                self.padding_left -= skipped;
                if self.padding_left > 0 {
                    return Ok(None);
                }
            }
            if self.content_left == 0 {
                if read.len() < HEADER_BYTES {
                    return Ok(None);
                }
                if read[0] != VERSION {
                    return Err(Malformed);
                }
                self.kind = match read[1] {
                    3 => Some(Kind::End),
                    6 => Some(Kind::Stdout),
                    7 => Some(Kind::Stderr),
                    // Kinds from a later version are skipped.
                    _ => None,
                };
                self.content_left = usize::from(u16::from_be_bytes([read[4], read[5]]));
                self.padding_left = usize::from(read[6]);
                if self.kind == Some(Kind::End) && self.content_left != 8 {
                    return Err(Malformed);
                }
                read.advance(HEADER_BYTES);
                if self.content_left == 0 {
                    continue;
                }
            }
            if self.kind == Some(Kind::End) {
                if read.len() < self.content_left {
                    return Ok(None);
                }
                let end = read.split_to(self.content_left);
                self.content_left = 0;
                return Ok(Some(Event::End { taken: end[4] == 0 }));
            }
            if read.is_empty() {
                return Ok(None);
            }
            let piece = read.split_to(self.content_left.min(read.len())).freeze();
            self.content_left -= piece.len();
            match self.kind {
                Some(Kind::Stdout) => return Ok(Some(Event::Stdout(piece))),
                Some(Kind::Stderr) => return Ok(Some(Event::Stderr(piece))),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        let mut record = vec![1, kind, 0, 1, length[0], length[1], padding, 0];
        record.extend_from_slice(content);
        record.extend(std::iter::repeat_n(0, usize::from(padding)));
        record
    }

    #[test]
    fn records_are_read_however_they_are_cut() {
        let wire = [
            record(6, b"hello", 3),
            record(7, b"oops", 4),
            record(42, b"later version", 0),
            record(6, b"", 0),
            record(6, b" world", 2),
            record(3, &[0, 0, 0, 0, 0, 0, 0, 0], 0),
        ]
        .concat();
        for step in 1..wire.len() {
            let (mut parser, mut read) = (Parser::default(), BytesMut::new());
            let (mut out, mut err, mut end) = (Vec::new(), Vec::new(), None);
            for piece in wire.chunks(step) {
                read.extend_from_slice(piece);
                while let Some(event) = parser.next(&mut read).expect("well formed") {
                    match event {
                        Event::Stdout(bytes) => out.extend_from_slice(&bytes),
                        Event::Stderr(bytes) => err.extend_from_slice(&bytes),
                        Event::End { taken } => end = Some(taken),
                    }
                }
            }
            assert_eq!((&out[..], &err[..], end), (&b"hello world"[..], &b"oops"[..], Some(true)));
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for wire in [&b"HTTP/1.1 200 OK"[..], &[1, 3, 0, 1, 0, 4, 0, 0]] {
            assert_eq!(Parser::default().next(&mut BytesMut::from(wire)), Err(Malformed));
        }
    }

    #[test]
    fn long_values_have_long_lengths() {
        let mut params = Vec::new();
        pair(&mut params, b"A", &[b'x'; 127]);
        pair(&mut params, b"B", &[b'x'; 128]);
        assert_eq!(params[..3], [1, 127, b'A']);
        assert_eq!(params[130..136], [1, 128, 0, 0, 128, b'B']);
    }
}
