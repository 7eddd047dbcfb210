//! Compression (RFC 1952) of what shrinks: whole files once, scripts' answers as they come.

use crate::fastcgi::reply::Reply;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use std::io::{self, Write as _};
use std::task::{Context, Poll};

/// For files, which are compressed once.
const FILE_LEVEL: Compression = Compression::new(6);
/// For answers, which are compressed each time.
const ANSWER_LEVEL: Compression = Compression::new(1);
/// Compressed bytes that are handed out together.
const PIECE_BYTES: usize = 16 << 10;

/// Whether a client takes gzip (RFC 9110, 12.5.3).
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    let mut any = None;
    for value in headers.get_all(ACCEPT_ENCODING) {
        let Ok(text) = value.to_str() else { continue };
        for part in text.split(',') {
            let mut pieces = part.split(';');
            let coding = pieces.next().unwrap_or_default().trim();
            let refused = pieces.any(|piece| {
                piece
                    .trim()
                    .strip_prefix("q=")
                    .is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
            });
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                return !refused;
            }
            if coding == "*" {
                any = Some(!refused);
            }
        }
    }
    any.unwrap_or(false)
}

/// Compresses a whole file.
pub(crate) fn whole(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 3), FILE_LEVEL);
    encoder.write_all(plain)?;
    encoder.finish()
}

/// A script's answer, compressed as it comes. Whenever the script pauses, what it wrote so far is flushed to the client.
#[derive(Debug)]
pub(crate) struct Zipped {
    reply: Reply,
    encoder: Option<GzEncoder<Vec<u8>>>,
    unflushed: bool,
}

impl Zipped {
    pub(crate) fn new(reply: Reply) -> Self {
        Self { reply, encoder: Some(GzEncoder::new(Vec::new(), ANSWER_LEVEL)), unflushed: false }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let Some(encoder) = &mut self.encoder else { return Poll::Ready(None) };
            match self.reply.poll(cx) {
                Poll::Ready(Some(Ok(bytes))) => {
                    if let Err(error) = encoder.write_all(&bytes) {
                        return Poll::Ready(Some(Err(error)));
                    }
                    self.unflushed = true;
                    if encoder.get_ref().len() >= PIECE_BYTES {
                        return Poll::Ready(Some(Ok(std::mem::take(encoder.get_mut()).into())));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    let finished = self.encoder.take().map(GzEncoder::finish);
                    return Poll::Ready(finished.map(|bytes| bytes.map(Bytes::from)));
                }
                Poll::Pending if self.unflushed => {
                    self.unflushed = false;
                    if let Err(error) = encoder.flush() {
                        return Poll::Ready(Some(Err(error)));
                    }
                    return Poll::Ready(Some(Ok(std::mem::take(encoder.get_mut()).into())));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn accept_encoding() {
        for (value, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("*", true),
            ("*;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepted(&headers), expected, "{value:?}");
        }
    }
}
