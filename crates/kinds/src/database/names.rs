//! Names of databases and users: what both engines take without surprises, and nobody else has.

use husorden_base::Text;

/// Longest name of a database or user; the platform's own roles beside it have a suffix more.
pub(super) const CHARS_MAX: usize = 40;

/// The role as which the pooler asks for verifiers.
pub(super) const POOLER: &str = "husorden_pool";

/// Names that are the engines' or the platform's own.
const TAKEN: [&str; 18] = [
    "husorden",
    "husorden_load",
    POOLER,
    "information_schema",
    "mariadb",
    "mysql",
    "none",
    "performance_schema",
    "pgbouncer",
    "postgres",
    "public",
    "replication",
    "root",
    "site",
    "sys",
    "template0",
    "template1",
    "test",
];

/// Why a name can't be had, if it can't.
pub(super) fn wrong(name: &str) -> Option<Text> {
    let fine = (1..=CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_lowercase());
    if !fine {
        return Some(Text::new(
            format!("Et navn har 1 til {CHARS_MAX} tegn af a-z, 0-9 og _, og begynder med et bogstav."),
            format!("A name has 1 to {CHARS_MAX} characters of a-z, 0-9 and _, and begins with a letter."),
        ));
    }
    if name.starts_with("pg_") || TAKEN.contains(&name) {
        return Some(Text::new(
            format!("{name} er et navn, som databasen selv bruger. Vælg et andet."),
            format!("{name} is a name that the database itself uses. Choose another."),
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_need_quoting_is_refused() {
        let long = "a".repeat(CHARS_MAX);
        for fine in ["app", "a", "shop_2", long.as_str()] {
            assert_eq!(wrong(fine), None, "{fine}");
        }
        let longer = "a".repeat(CHARS_MAX + 1);
        let names =
            ["", "App", "2shop", "_x", "bl\u{e5}", "a b", "a'b", "a\"b", "a`b", "a;drop", "a\\b", "a%", "a.b", "a-b"];
        for bad in names.into_iter().chain([longer.as_str(), "pg_toast", "postgres", "mysql", "husorden"]) {
            assert!(wrong(bad).is_some(), "{bad}");
        }
    }
}
