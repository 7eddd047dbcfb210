//! When a certificate ends: the one field of X.509 (RFC 5280, 4.1.2.5) that an operator must be warned of. Everything else of a
//! certificate is for TLS to judge.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Longest certificate that is read, in bytes.
const DER_BYTES_MAX: usize = 64 << 10;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of the first certificate of a chain in PEM; none when it cannot be read.
#[must_use]
pub fn ends(pem: &str) -> Option<Timestamp> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let der = base64(body)?;
    let (_, certificate, _) = part(&der)?;
    let (_, mut fields, _) = part(certificate)?;
    if fields.first() == Some(&VERSION) {
        fields = part(fields)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        fields = part(fields)?.2;
    }
    let (tag, validity, _) = part(fields)?;
    let (_, _, not_after) = part(validity)?;
    let (kind, text, _) = part(not_after)?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match kind {
        _ if tag != SEQUENCE => return None,
        // Two digits of a year: from 1950 to 2049.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let moment = DateTime::strptime("%Y%m%d%H%M%SZ", &text).ok()?;
    moment.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The first element of DER: its tag, its content, and what follows it.
fn part(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (digits, after) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
        length = digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// Base64 (RFC 4648) with line ends between.
fn base64(text: &str) -> Option<Vec<u8>> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|byte| !byte.is_ascii_whitespace()).take_while(|byte| *byte != b'=') {
        let value = LETTERS.iter().position(|one| *one == letter)?;
        held = (held << 6 | u32::try_from(value).ok()?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
        if bytes.len() > DER_BYTES_MAX {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl req -x509 -newkey ed25519 -nodes -days 30 -subj /CN=panel.example`.
    const SHORT: &str = include_str!("../tests/short.pem");
    /// The same for so long that its end is written with four digits of a year.
    const LONG: &str = include_str!("../tests/long.pem");

    #[test]
    fn both_ways_of_writing_a_time_are_read() {
        assert_eq!(ends(SHORT).expect("an end").to_string(), "2026-12-28T11:11:48Z");
        assert_eq!(ends(LONG).expect("an end").to_string(), "2081-08-31T11:11:48Z");
        assert_eq!(ends(&format!("{SHORT}{LONG}")), ends(SHORT), "the first of a chain is the one that ends");
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for text in
            ["", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "x"]
        {
            assert_eq!(ends(text), None, "{text}");
        }
        // Cut anywhere, it is refused and nothing worse.
        for at in 0..SHORT.len() {
            let cut = format!("{}\n-----END CERTIFICATE-----", &SHORT[..at]);
            let _ = ends(&cut);
        }
    }
}
