//! One-time codes by time (RFC 6238): six digits, thirty seconds, HMAC-SHA1 as every authenticator app has it.

use husorden_base::Secret;
use jiff::Timestamp;
use qrcodegen::{QrCode, QrCodeEcc};
use ring::hmac;
use std::fmt::Write;

const STEP_S: i64 = 30;
const DIGITS: u32 = 6;
/// Steps before and after the current one whose codes count: a phone's clock may be a little off.
const SKEW_STEPS: i64 = 1;
/// Bytes of a secret (RFC 4226 recommends 160 bits).
const SECRET_BYTES: usize = 20;
/// White modules around the code, as its standard asks.
const QUIET: i32 = 4;

/// A fresh secret.
pub(crate) fn generate() -> [u8; SECRET_BYTES] {
    let mut secret = [0; SECRET_BYTES];
    super::seal::random(&mut secret);
    secret
}

/// The time step a moment lies in.
pub(crate) fn step(now: Timestamp) -> i64 {
    now.as_second().div_euclid(STEP_S)
}

/// The code of a step.
fn number(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 0xf);
    (u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]) & 0x7fff_ffff) % 10_u32.pow(DIGITS)
}

/// The step whose code this is, among those near now and newer than the last one used. Takes as long for a wrong code.
pub(crate) fn accepted(secret: &[u8], typed: &str, now: Timestamp, used: i64) -> Option<i64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).take(DIGITS as usize + 1).collect();
    let digits = typed.len() == DIGITS as usize && typed.bytes().all(|b| b.is_ascii_digit());
    let typed: u32 = typed.parse().unwrap_or(u32::MAX);
    let current = step(now);
    let mut found = None;
    // All candidates are computed, and numbers compare in constant time.
    for candidate in current - SKEW_STEPS..=current + SKEW_STEPS {
        let same = digits & (number(secret, candidate) == typed);
        if same && candidate > used && found.is_none() {
            found = Some(candidate);
        }
    }
    found
}

/// The secret as people type it into an app.
pub(crate) fn text(secret: &[u8]) -> Secret {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in secret {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    Secret::new(text)
}

/// What the app reads from the picture.
pub(crate) fn uri(secret: &[u8], email: &str) -> Secret {
    let label: String = email.bytes().fold(String::new(), |mut label, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            label.push(char::from(byte));
        } else {
            let _ = write!(label, "%{byte:02X}");
        }
        label
    });
    Secret::new(format!("otpauth://totp/Husorden:{label}?secret={}&issuer=Husorden", text(secret).reveal()))
}

/// The picture, as SVG in one path; none when the text does not fit, which no address of ours reaches.
pub(crate) fn picture(uri: &Secret) -> Option<String> {
    let code = QrCode::encode_text(uri.reveal(), QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{},{}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Some(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><path fill="#fff" d="M0,0h{side}v{side}h-{side}z"/><path fill="#000" d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of a step, as an app shows it.
    fn code(secret: &[u8], step: i64) -> String {
        format!("{:06}", number(secret, step))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a second")
    }

    /// RFC 6238, appendix B, its last six digits.
    #[test]
    fn the_codes_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(secret, step(at(second))), expected, "{second}");
        }
        assert_eq!(text(secret).reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(text(b"foob").reveal(), "MZXW6YQ");
    }

    #[test]
    fn one_step_of_skew_and_each_step_once() {
        let (secret, now) = (b"12345678901234567890", at(1_234_567_890));
        let here = step(now);
        for (offset, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let code = code(secret, here + offset);
            assert_eq!(accepted(secret, &code, now, 0), good.then_some(here + offset), "{offset}");
            assert_eq!(accepted(secret, &code, now, here + offset), None, "{offset}: a used step");
            assert_eq!(accepted(secret, &code, now, here + 1), None, "{offset}: a step before the used one");
        }
        assert_eq!(accepted(secret, "005 924", now, 0), Some(here), "a space as apps show it");
        for bad in ["", "00592", "0059244", "five", "0059245924"] {
            assert_eq!(accepted(secret, bad, now, 0), None, "{bad:?}");
        }
    }

    #[test]
    fn the_picture_holds_the_secret_for_the_app() {
        let uri = uri(b"12345678901234567890", "a+b@company.example");
        assert_eq!(
            uri.reveal(),
            "otpauth://totp/Husorden:a%2Bb%40company.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Husorden"
        );
        let svg = picture(&uri).expect("it fits");
        assert!(svg.starts_with("<svg ") && svg.len() < 100_000 && !svg.contains("otpauth"));
    }
}
