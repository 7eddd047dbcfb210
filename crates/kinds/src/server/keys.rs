//! Public keys for SSH, one a line as `ssh-keygen` writes them, read at the door: what a guest is handed is a key and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_base::Text;

/// Characters of one key, its comment included. An RSA key of 16,384 bits has some 2,800.
pub(super) const CHARS_MAX: usize = 4_000;

/// The kinds of key that are taken, each with the number of fields that follow its name.
const TYPES: [(&str, usize); 7] = [
    ("ssh-ed25519", 1),
    ("ssh-rsa", 2),
    ("ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521", 2),
    ("sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 3),
];

/// Reads a line; the key with single blanks and its comment, or what is wrong with it.
pub(super) fn parse(line: &str) -> Result<String, Text> {
    let line = line.trim();
    if line.contains("PRIVATE KEY") {
        return Err(Text::new(
            "Det er en privat nøgle; den skal ingen andre se. Her ventes den offentlige, fra filen, der ender på .pub.",
            "That is a private key, which nobody else should see. The public one is expected here, from the file that ends with .pub.",
        ));
    }
    if line.len() > CHARS_MAX || line.chars().any(char::is_control) {
        return Err(Text::new(
            format!("En nøgle er én linje på højst {CHARS_MAX} tegn."),
            format!("A key is one line of at most {CHARS_MAX} characters."),
        ));
    }
    let mut words = line.split_ascii_whitespace();
    let (name, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let comment: Vec<&str> = words.collect();
    let Some((_, fields)) = TYPES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = TYPES.iter().map(|(known, _)| *known).collect();
        let known = known.join(", ");
        return Err(Text::new(
            format!(
                "Her ventes en offentlig SSH-nøgle, såsom \"ssh-ed25519 AAAA… navn\". Den begynder med et af: {known}."
            ),
            format!(
                "A public SSH key is expected here, such as \"ssh-ed25519 AAAA… name\". It begins with one of: {known}."
            ),
        ));
    };
    let holds = STANDARD.decode(body).is_ok_and(|bytes| holds(&bytes, name, *fields));
    if !holds {
        return Err(Text::new(
            "Nøglen er ikke hel. Kopiér hele linjen fra filen, der ender på .pub.",
            "The key is not whole. Copy the whole line from the file that ends with .pub.",
        ));
    }
    let comment = comment.join(" ");
    Ok(if comment.is_empty() { format!("{name} {body}") } else { format!("{name} {body} {comment}") })
}

/// Whether a key's bytes are its name and so many fields, none of them empty, each with its length before it (RFC 4253, 6.6).
fn holds(bytes: &[u8], name: &str, fields: usize) -> bool {
    let mut rest = bytes;
    let mut next = || {
        let (length, after) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let (field, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        rest = after;
        Some(field)
    };
    let named = next() == Some(name.as_bytes());
    let filled = (0..fields).all(|_| next().is_some_and(|field| !field.is_empty()));
    named && filled && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key as `ssh-keygen` wrote it, of a pair that is nobody's.
    pub(crate) const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAswVXqfxOkOM1h9osfsETZbgKXK7xQ5XoOozfIXPGGG anna@shop.example";

    #[test]
    fn what_is_a_key_and_what_is_none() {
        assert_eq!(parse(KEY).as_deref(), Ok(KEY));
        assert_eq!(parse(&format!("  {}  ", KEY.replace(' ', "   "))).as_deref(), Ok(KEY));
        let bare = KEY.rsplit_once(' ').expect("a comment").0;
        assert_eq!(parse(bare).as_deref(), Ok(bare));
        for bad in [
            "",
            "anna",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-ed25519 !!!! anna",
            &KEY.replace("ssh-ed25519 ", "ssh-rsa "),
            &KEY.replace("XPGGG", "XPGG"),
            &format!("{KEY}\n{KEY}"),
            &format!("command=\"/bin/sh\" {KEY}"),
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "ssh-dss AAAAB3NzaC1kc3MAAACBAP",
            &"k".repeat(CHARS_MAX + 1),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
