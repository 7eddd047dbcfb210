//! Words that somebody who knows the person would try: their name, mail, company, domain, and the house itself.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Shortest word that counts; shorter ones stand in half of all sentences.
pub(crate) const WORD_CHARS_MIN: usize = 4;
/// Words that are looked for.
const WORDS_MAX: usize = 64;
/// Longest word that is looked for.
const WORD_CHARS_MAX: usize = 64;
/// What everybody who chooses a password here has in common.
const HOUSE: &str = "husorden";
/// Parts of addresses that say nothing about a person.
const COMMON_PARTS: [&str; 5] = ["mail", "www", "http", "https", "info"];

/// The words of these texts, as they are written, each once.
pub(crate) fn words(context: &[&str]) -> Vec<String> {
    let mut words = vec![HOUSE.to_owned()];
    for text in context {
        let whole: String = text.nfkc().take(WORD_CHARS_MAX * 4).collect();
        // A name of two words is also tried as one, and a mail address by its parts.
        let joined: String = whole.split(['@']).next().unwrap_or_default().split_whitespace().collect();
        let parts = whole.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
        for word in parts.chain([joined]) {
            let word: String = word.to_lowercase().chars().take(WORD_CHARS_MAX).collect();
            let long = word.chars().count() >= WORD_CHARS_MIN && !COMMON_PARTS.contains(&word.as_str());
            if long && !words.contains(&word) && words.len() < WORDS_MAX {
                words.push(word);
            }
        }
    }
    words
}

/// The first of these words that the password holds, whatever the case, the accents and the usual swaps of letters for
/// digits.
pub(crate) fn held<'a>(password: &str, words: &'a [String]) -> Option<&'a str> {
    let password = folded(password);
    words.iter().map(String::as_str).find(|word| {
        let word = folded(word);
        word.chars().count() >= WORD_CHARS_MIN && password.contains(&word)
    })
}

/// One spelling for all that look alike: lower case, no accents, digits and signs as the letters they stand for.
fn folded(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).map(plain).collect()
}

/// The letter that a sign stands for. 1 is read as i and as l, so the two are one here.
const fn plain(c: char) -> char {
    match c {
        '0' | 'ø' => 'o',
        '1' | '!' | '|' | 'l' | 'ı' => 'i',
        '3' | '€' => 'e',
        '4' | '@' | 'æ' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        '9' => 'g',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_behind_case_accents_and_swaps() {
        let context = ["Søren Kierkegård-Holm", "s.holmgaard@anemone.example", "Blåbær & Co", "x"];
        let words = words(&context);
        for (password, word) in [
            ("min KIERKEGAARD bog", None),
            ("min KIERKEGARD bog", Some("kierkegård")),
            ("h0lmg44rd og resten", Some("holm")),
            ("xx-4nem0ne-xx", Some("anemone")),
            ("søde blåbær om sommeren", Some("blåbær")),
            ("BLABAR", Some("blåbær")),
            ("HU50RD3N for alle", Some("husorden")),
            ("søren", Some("søren")),
            ("5oren", Some("søren")),
            ("en anden sætning helt", None),
            ("mail og s og x", None),
        ] {
            assert_eq!(held(password, &words), word, "{password:?} against {words:?}");
        }
    }

    #[test]
    fn endless_context_is_cut() {
        let many: Vec<String> = (0..500).map(|number| format!("word{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(words(&many).len(), WORDS_MAX);
        let long = "å".repeat(100_000);
        assert!(words(&[&long]).iter().all(|word| word.chars().count() <= WORD_CHARS_MAX));
    }
}
