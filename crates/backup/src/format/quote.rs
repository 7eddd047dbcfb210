//! Names of files as restic keeps them: as Go quotes a string, so that bytes which are no UTF-8 survive JSON.

/// The name between Go's quotes.
pub(super) fn quote(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => text.extend(['\\', character]),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                // The replacement character must not be taken for a byte that was none.
                c if c.is_control() || c == '\u{fffd}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The bytes of a quoted name, or nothing when Go would not read it.
pub(super) fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        name.extend_from_slice(&rest.as_bytes()[..at]);
        let mut after = rest[at + 1..].chars();
        let sign = after.next()?;
        let tail = after.as_str();
        let number = |digits: &str, radix| {
            let whole = digits.chars().all(|digit| digit.is_digit(radix));
            whole.then(|| u32::from_str_radix(digits, radix).ok())?
        };
        let mut used = 0;
        match sign {
            'x' => {
                used = 2;
                name.push(u8::try_from(number(tail.get(..2)?, 16)?).ok()?);
            }
            '0'..='7' => {
                used = 2;
                name.push(u8::try_from(number(rest.get(at + 1..at + 4)?, 8)?).ok()?);
            }
            'u' | 'U' => {
                used = if sign == 'u' { 4 } else { 8 };
                let character = char::from_u32(number(tail.get(..used)?, 16)?)?;
                name.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => name.push(match sign {
                'a' => 7,
                'b' => 8,
                'f' => 12,
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'v' => 11,
                '\\' | '"' => u8::try_from(sign).ok()?,
                _ => return None,
            }),
        }
        rest = &tail[used..];
    }
    name.extend_from_slice(rest.as_bytes());
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_kind_come_back() {
        let names: [&[u8]; 8] = [
            b"plain",
            b"with \"quotes\" and \\",
            b"line\nbreak\ttab\rreturn\x01\x7f",
            b"\xff\xfe no text",
            "k\u{f8}benhavn \u{fffd} \u{1f600}".as_bytes(),
            b"\xc3",
            b"a\xe2\x82",
            b"\\x41",
        ];
        for name in names {
            assert_eq!(unquote(&quote(name)).as_deref(), Some(name), "{}", quote(name));
        }
    }

    #[test]
    fn what_go_writes_is_read() {
        for (text, name) in [
            (r"\u00a0", "\u{a0}".as_bytes()),
            (r"\a\b\f\v", b"\x07\x08\x0c\x0b"),
            (r"\xff", b"\xff"),
            (r"\U0001f600", "\u{1f600}".as_bytes()),
            (r"\101", b"A"),
        ] {
            assert_eq!(unquote(text).as_deref(), Some(name), "{text}");
        }
        for text in [r"\", r"\x4", r"\q", r"\u12", r"\ud800", r"\x+1"] {
            assert_eq!(unquote(text), None, "{text}");
        }
    }
}
