//! What was noted beside what was found: pure, and in words that say which thing is otherwise.

use husorden_base::Text;
use husorden_kinds::Said;
use husorden_wire::node::{Counted, Opened};
use std::collections::BTreeMap;

/// Differences that are told one by one.
const TOLD_MAX: usize = 10;
/// Counts that are noted; a report is one line of the protocol.
const COUNTS_MAX: usize = 5_000;
/// Bytes of names and words that are noted.
const BYTES_MAX: usize = 400 << 10;

/// What is noted from two counts, one before the snapshot and one after. What stood in one of them only came or went meanwhile, and is not
/// noted. Changes in between may have gone up and down again, so each of them widens what is believed.
#[must_use]
pub(crate) fn noted(before: &Said, after: &Said) -> Opened {
    let changes = match (before.writes, after.writes) {
        (Some((began, _)), Some((_, ended))) => ended.saturating_sub(began),
        _ => 0,
    };
    let mut counts = BTreeMap::new();
    for (name, one) in &before.counts {
        let Some(other) = after.counts.get(name) else { continue };
        let counted = match (one, other) {
            (Some(one), Some(other)) => {
                Counted { least: one.min(other).saturating_sub(changes), most: one.max(other).saturating_add(changes) }
            }
            // It is there; how much of it took too long to count.
            _ => Counted { least: 0, most: u64::MAX },
        };
        counts.insert(name.clone(), counted);
    }
    // What says something else each time is nothing to be known again by.
    let same = before.words.iter().filter(|(name, word)| after.words.get(*name) == Some(word));
    Opened { counts, words: same.map(|(name, word)| (name.clone(), word.clone())).collect() }
}

/// What is noted from one look at something that does not change.
#[must_use]
pub(crate) fn still(said: &Said) -> Opened {
    noted(said, said)
}

/// Both together, as far as a report can carry it.
pub(crate) fn add(opened: &mut Opened, other: Opened) {
    opened.counts.extend(other.counts);
    opened.words.extend(other.words);
    let mut bytes = 0;
    let mut fits = |name: &str, more: usize| {
        bytes += name.len() + more;
        bytes <= BYTES_MAX
    };
    opened.words.retain(|name, word| fits(name, word.len()));
    let mut count = 0;
    opened.counts.retain(|name, _| {
        count += 1;
        count <= COUNTS_MAX && fits(name, 48)
    });
}

/// What was found, as it is reported: everything that was noted, and what else there is as far as there is room.
#[must_use]
pub(crate) fn found(noted: &Opened, said: &Said) -> Opened {
    let exact = |(name, count): (&String, &Option<u64>)| {
        count.map(|count| (name.clone(), Counted { least: count, most: count }))
    };
    let mut found = Opened { counts: BTreeMap::new(), words: said.words.clone() };
    found.counts.extend(said.counts.iter().filter(|(name, _)| noted.counts.contains_key(*name)).filter_map(exact));
    if noted.counts.is_empty() {
        found.counts.extend(said.counts.iter().filter_map(exact));
    }
    add(&mut found, Opened::default());
    found
}

/// Every way in which what was found is not what was noted; none when it is.
#[must_use]
pub(crate) fn differences(noted: &Opened, said: &Said) -> Option<Text> {
    let counts = noted.counts.iter().filter_map(|(name, noted)| {
        let (da, en) = match said.counts.get(name) {
            None => (format!("{name} mangler"), format!("{name} is missing")),
            Some(None) if noted.most == u64::MAX => return None,
            Some(None) => (format!("{name} kunne ikke tælles"), format!("{name} could not be counted")),
            Some(Some(count)) if (noted.least..=noted.most).contains(count) => return None,
            Some(Some(count)) => {
                let range = if noted.least == noted.most {
                    (noted.least.to_string(), noted.least.to_string())
                } else {
                    (format!("{} til {}", noted.least, noted.most), format!("{} to {}", noted.least, noted.most))
                };
                (
                    format!("{name} har {count}, og der blev noteret {}", range.0),
                    format!("{name} has {count}, and {} were noted", range.1),
                )
            }
        };
        Some(Text::new(da, en))
    });
    let words = noted.words.iter().filter_map(|(name, noted)| {
        let noted = quoted(noted);
        let (da, en) = match said.words.get(name).map(|word| quoted(word)) {
            None => (
                format!("{name} siger intet, og der blev noteret {noted}"),
                format!("{name} says nothing, and {noted} was noted"),
            ),
            Some(word) if word == noted => return None,
            Some(word) => (
                format!("{name} er {word}, og der blev noteret {noted}"),
                format!("{name} is {word}, and {noted} was noted"),
            ),
        };
        Some(Text::new(da, en))
    });
    let all: Vec<Text> = words.chain(counts).collect();
    if all.is_empty() {
        return None;
    }
    let more = all.len().saturating_sub(TOLD_MAX);
    let told = |of: fn(&Text) -> &String| all.iter().take(TOLD_MAX).map(of).cloned().collect::<Vec<_>>().join("; ");
    let (da, en) = (told(|text| &text.da), told(|text| &text.en));
    Some(match more {
        0 => Text::new(da, en),
        more => Text::new(format!("{da}; og {more} mere"), format!("{en}; and {more} more")),
    })
}

fn quoted(word: &str) -> String {
    format!("»{}«", word.chars().take(120).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        Said::read(&format!("{}\nend\n", text.replace(' ', "\t"))).expect("it holds")
    }

    const SHOP: &str = "writes 10\ncount app 2\ncount app.public.orders 100\ncount app.public.people 7\ncount www/wp-content 812\nword page.status 200\nword page.title Shop\nwrites 10";

    #[test]
    fn what_is_as_it_was_noted_passes() {
        let noted = still(&said(SHOP));
        assert_eq!(noted.counts["app.public.orders"], Counted { least: 100, most: 100 });
        assert_eq!(differences(&noted, &said(SHOP)), None);
        let more = said(&format!("{SHOP}\ncount app.public.new 1\nword page.more x"));
        assert_eq!(differences(&noted, &more), None, "what nobody noted is compared with nothing");
        assert_eq!(found(&noted, &more).counts.len(), 4);
        assert_eq!(differences(&Opened::default(), &said(SHOP)), None);
    }

    #[test]
    fn each_difference_fails_and_says_which() {
        let noted = still(&said(SHOP));
        for (from, to, da, en) in [
            ("count app.public.orders 100\n", "", "app.public.orders mangler", "app.public.orders is missing"),
            ("count app 2\n", "", "app mangler", "app is missing"),
            ("orders 100", "orders 99", "orders har 99, og der blev noteret 100", "orders has 99, and 100 were noted"),
            ("orders 100", "orders 101", "orders har 101", "orders has 101"),
            ("orders 100", "orders 0", "orders har 0", "orders has 0"),
            ("orders 100", "orders -", "kunne ikke tælles", "could not be counted"),
            ("wp-content 812", "wp-content 0", "www/wp-content har 0", "www/wp-content has 0"),
            ("title Shop", "title Hacked", "page.title er »Hacked«", "page.title is »Hacked«, and »Shop« was noted"),
            ("status 200", "status 500", "page.status er »500«", "page.status is »500«"),
            ("word page.title Shop\n", "", "page.title siger intet", "page.title says nothing"),
        ] {
            let text = differences(&noted, &said(&SHOP.replace(from, to))).unwrap_or_else(|| panic!("{from}"));
            assert!(text.da.contains(da) && text.en.contains(en), "{text:?}");
        }
    }

    #[test]
    fn what_went_on_meanwhile_is_believed_as_far_as_it_goes() {
        let before =
            said("writes 10\ncount a 100\ncount b 5\ncount gone 1\ncount big -\nword w x\nword clock 1\nwrites 11");
        let after =
            said("writes 13\ncount a 104\ncount b 5\ncount new 1\ncount big 9\nword w x\nword clock 2\nwrites 14");
        let noted = noted(&before, &after);
        assert_eq!(noted.counts["a"], Counted { least: 96, most: 108 });
        assert_eq!(noted.counts["b"], Counted { least: 1, most: 9 });
        assert_eq!(noted.counts["big"], Counted { least: 0, most: u64::MAX });
        assert!(!noted.counts.contains_key("gone") && !noted.counts.contains_key("new"));
        assert_eq!(noted.words.keys().collect::<Vec<_>>(), ["w"]);
        assert_eq!(differences(&noted, &said("count a 98\ncount b 9\ncount big -\nword w x")), None);
        let text = differences(&noted, &said("count a 95\ncount b 9\nword w x")).expect("two things differ");
        assert_eq!(text.en, "a has 95, and 96 to 108 were noted; big is missing");
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let list = |count: u64| (0..30).map(|n| format!("count t{n:02} {count}")).collect::<Vec<_>>().join("\n");
        let text = differences(&still(&said(&list(1))), &said(&list(2))).expect("all differ");
        assert!(text.en.ends_with("; and 20 more") && text.da.ends_with("; og 20 mere"), "{text:?}");
        let mut noted = Opened::default();
        let many = (0..9_000).map(|n| format!("count table{n} 1")).collect::<Vec<_>>().join("\n");
        add(&mut noted, still(&said(&many)));
        assert_eq!(noted.counts.len(), COUNTS_MAX);
    }
}
