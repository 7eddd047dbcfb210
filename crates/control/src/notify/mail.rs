//! Mails before they are sent: the letter made of what a job asks for, in plain text and simple HTML. Pure.

use super::texts::{self, Asked, Draft, Places};
use husorden_base::{Language, Secret};

/// Longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 150;

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The letter that a job asks for; `secret` is what its link holds.
pub(crate) fn letter(asked: &Asked, secret: Option<&Secret>, places: &Places) -> Letter {
    set(&texts::draft(asked, secret, places), asked.language)
}

/// Sets a draft. Whatever came from people is one line of text: it can begin no header and no tag.
fn set(draft: &Draft, language: Language) -> Letter {
    let lines: Vec<String> = draft.lines.iter().map(|line| one_line(line)).filter(|line| !line.is_empty()).collect();
    let mut text = lines.join("\n\n");
    let mut html: String = lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect();
    if let Some((label, url)) = &draft.link {
        text.push_str(&format!("\n\n{label}:\n{url}"));
        html.push_str(&format!("<p><a href=\"{}\">{}</a></p>\n", escaped(url), escaped(label)));
    }
    text.push_str(&format!("\n\n-- \n{}\n", draft.foot));
    let html = format!(
        "<!doctype html>\n<html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n<body style=\"font:16px/1.5 sans-serif;max-width:36em;margin:2em auto\">\n{html}<hr>\n<p style=\"color:#666;font-size:13px\">{}</p>\n</body></html>\n",
        match language {
            Language::Da => "da",
            Language::En => "en",
        },
        escaped(&one_line(&draft.subject)),
        escaped(&draft.foot),
    );
    let subject = one_line(&draft.subject).chars().take(SUBJECT_CHARS_MAX).collect();
    Letter { subject, text, html }
}

/// The text without ends of lines, other control characters, and marks that turn the direction of reading.
fn one_line(text: &str) -> String {
    let turning = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    let plain: String = text.chars().map(|c| if c.is_control() || turning(c) { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::texts::Template;
    use serde_json::json;

    fn places() -> Places {
        Places { panel: "https://panel.example".to_owned(), desk: "https://staff.example".to_owned() }
    }

    #[test]
    fn every_template_speaks_both_languages() {
        let mut seen = std::collections::HashSet::new();
        for template in Template::ALL {
            for language in [Language::Da, Language::En] {
                let data = json!({ "account": "Havefrø", "account_name": "Havefrø", "measure": "m1", "solution": "s1", "role": "billing", "name": "blog", "case": "H-7", "at": "2026-01-02T03:04:05Z",
                    "until": "2026-02-02T00:00:00Z", "verb": "restore", "text": { "da": "Disken er fuld", "en": "The disk is full" },
                    "address": "192.0.2.7", "agent": "A browser", "set": true, "kind": "measure.lifted", "opens": "2026-01-03T03:04:05Z",
                    "bad": [{ "da": "Noden er ikke forbundet, men kunderne kører", "en": "The node is not connected, but customers run on" }] });
                let asked = Asked { to: "karen@shop.example".to_owned(), language, template, data };
                let secret = Secret::new("hus_reset_SECRET");
                let letter = letter(&asked, Some(&secret), &places());
                assert!(seen.insert(letter.subject.clone()), "{template:?} {language:?}: {}", letter.subject);
                assert!(letter.text.len() > 80 && letter.html.contains("<p>"), "{template:?}: {}", letter.text);
                assert!(!letter.text.contains("  ") && !letter.subject.contains("{"), "{}", letter.text);
                let holds = matches!(
                    template,
                    Template::Invitation
                        | Template::PasswordReset
                        | Template::RescueAsked
                        | Template::RescueChecked
                        | Template::RescueOpen
                        | Template::EmailConfirm
                        | Template::EmailChanged
                );
                assert_eq!(letter.text.contains("hus_reset_SECRET"), holds, "{template:?}");
            }
        }
    }

    #[test]
    fn what_people_wrote_begins_no_header_and_no_tag() {
        let data = json!({ "account": "Shop\r\nBcc: all@other.example\u{202e}<script>alert(1)</script>\"" });
        let asked =
            Asked { to: "karen@shop.example".to_owned(), language: Language::En, template: Template::Invitation, data };
        let letter = letter(&asked, None, &places());
        assert!(!letter.subject.contains(['\r', '\n', '\u{202e}']), "{:?}", letter.subject);
        assert!(!letter.html.contains("<script"), "{}", letter.html);
        assert!(!letter.text.contains("\nBcc"), "{}", letter.text);
        let long = Draft { subject: "å".repeat(900), lines: Vec::new(), link: None, foot: String::new() };
        assert_eq!(set(&long, Language::Da).subject.chars().count(), SUBJECT_CHARS_MAX);
    }
}
