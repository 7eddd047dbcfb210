//! The path of something in a backup, as a caller writes it: checked at the door, so that nothing later has to.

use husorden_base::{Refusal, Text};
use husorden_wire::api::BACKUP_PATH_BYTES_MAX;

/// Reads a path from the volume's root; empty for the root itself. `pointer` names the field that it stands in.
pub(crate) fn read(text: &str, pointer: &str) -> Result<String, Refusal> {
    let wrong = |da: &str, en: &str| Err(Refusal::field(pointer, Text::new(da, en)));
    if text.len() > BACKUP_PATH_BYTES_MAX {
        let text =
            Text::new(format!("Højst {BACKUP_PATH_BYTES_MAX} byte"), format!("At most {BACKUP_PATH_BYTES_MAX} bytes"));
        return Err(Refusal::field(pointer, text));
    }
    if text.contains('\0') {
        return wrong("En sti har intet NUL-tegn", "A path has no NUL");
    }
    // What is no UTF-8 has become this on its way here, and names nothing.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return wrong("Stien skal være UTF-8", "The path must be UTF-8");
    }
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    if trimmed.is_empty() {
        return if text.is_empty() {
            Ok(String::new())
        } else {
            wrong("Uden skråstreg først", "Without a slash first")
        };
    }
    if trimmed.starts_with('/') {
        return wrong("Uden skråstreg først", "Without a slash first");
    }
    if trimmed.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return wrong("Uden ., .. og tomme led", "Without ., .. and empty parts");
    }
    Ok(trimmed.to_owned())
}

/// The same, where the root is not meant.
pub(crate) fn read_some(text: &str, pointer: &str) -> Result<String, Refusal> {
    let path = read(text, pointer)?;
    if path.is_empty() {
        return Err(Refusal::field(pointer, Text::new("Skriv en sti", "Give a path")));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_beneath_the_root() {
        let long = "a".repeat(4096);
        for (text, expected) in [
            ("", Some("")),
            ("files", Some("files")),
            ("files/wp-content/", Some("files/wp-content")),
            ("files/æ ø å 🙂/x..y/...", Some("files/æ ø å 🙂/x..y/...")),
            (long.as_str(), Some(long.as_str())),
            ("/", None),
            ("/etc/passwd", None),
            ("..", None),
            ("files/../../etc", None),
            ("files/./x", None),
            ("files//x", None),
            ("files//", None),
            ("files\0", None),
            ("files/\u{fffd}", None),
            (&"a/".repeat(2050), None),
        ] {
            assert_eq!(read(text, "?path").ok().as_deref(), expected, "{text:?}");
        }
        assert!(read_some("", "?path").is_err());
    }
}
