//! The small list that is there from the first minute: the commonest passwords of eight characters and more.
//!
//! `common.txt` holds the upper part of the list of passwords in the crate `zxcvbn` (MIT licence, copyright 2016 Joshua
//! Holmer), cut to what is long enough to be chosen at all, in byte order.

use std::sync::LazyLock;

static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("../common.txt").lines().collect());

/// Whether a password is on the list.
pub(crate) fn holds(password: &str) -> bool {
    COMMON.binary_search(&password).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_of_use() {
        assert!(COMMON.is_sorted() && COMMON.len() > 5_000, "{}", COMMON.len());
        assert!(COMMON.iter().all(|word| word.len() >= 8));
        for (password, common) in [("password", true), ("1qaz2wsx", true), ("ulige kaffekop i regnvejr", false)] {
            assert_eq!(holds(password), common, "{password:?}");
        }
    }
}
