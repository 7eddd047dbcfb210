//! Numbers of lines as short texts: `12-14,90`. An erasure names the lines it took something from, in the clear, and a text that
//! stands in the clear is short; so several of them say what one can't.

use crate::field::CLEAR_BYTES_MAX;

/// The numbers as texts, each short enough to stand in the clear.
#[must_use]
pub fn pack(mut numbers: Vec<u64>) -> Vec<String> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for (first, last) in ranges {
        let word = if first == last { first.to_string() } else { format!("{first}-{last}") };
        match texts.last_mut() {
            Some(text) if text.len() + 1 + word.len() <= CLEAR_BYTES_MAX => *text += &format!(",{word}"),
            _ => texts.push(word),
        }
    }
    texts
}

/// The ranges that a text names; none when it names none, for what can't be read excuses nothing.
#[must_use]
pub fn ranges(text: &str) -> Vec<(u64, u64)> {
    let one = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    text.split(',').map(one).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_read_again() {
        for (numbers, texts) in [
            (vec![], vec![]),
            (vec![7], vec!["7"]),
            (vec![14, 12, 13, 90, 12], vec!["12-14,90"]),
            (vec![u64::MAX, u64::MAX - 1], vec!["18446744073709551614-18446744073709551615"]),
        ] {
            assert_eq!(pack(numbers), texts);
        }
        let many: Vec<u64> = (0..5_000).map(|n| n * 3).collect();
        let texts = pack(many.clone());
        assert!(texts.iter().all(|text| text.len() <= CLEAR_BYTES_MAX && !text.is_empty()));
        let read: Vec<u64> =
            texts.iter().flat_map(|text| ranges(text)).flat_map(|(first, last)| first..=last).collect();
        assert_eq!(read, many);
    }

    #[test]
    fn what_cannot_be_read_names_nothing() {
        for text in ["", "x", "1,x", "1-", "1--2", "-1", "1 ,2"] {
            assert!(ranges(text).is_empty(), "{text:?}");
        }
    }
}
