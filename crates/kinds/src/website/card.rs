//! What websites say of themselves on people's pages: the starts that are offered, and a site's card.

use super::app::LANGUAGES;
use super::spec::Spec;
use crate::page::{CardRow, Glyph, Offer};
use husorden_base::Text;
use serde_json::{Value, json};

/// The starts.
pub(super) fn offers() -> Vec<Offer> {
    vec![
        Offer {
            name: "wordpress",
            title: Text::new("WordPress", "WordPress"),
            about: Text::new(
                "Et færdigt WordPress med database og HTTPS. Du får adgangskoden, og siden er i luften om et øjeblik.",
                "WordPress ready to use, with database and HTTPS. You get the password, and the site is up in a moment.",
            ),
            glyph: Glyph::Globe,
            spec: json!({"app": {"name": "wordpress"}}),
        },
        Offer {
            name: "php",
            title: Text::new("Websted med PHP", "Website with PHP"),
            about: Text::new(
                "Til din egen kode: PHP i den version, du vælger, med en database ved siden af.",
                "For your own code: PHP in the version you choose, with a database beside it.",
            ),
            glyph: Glyph::Server,
            spec: json!({"runtime": "php-8.4", "database": "mariadb-11.8"}),
        },
        Offer {
            name: "static",
            title: Text::new("Statisk websted", "Static website"),
            about: Text::new(
                "Filer, som de er: hurtigst muligt, og intet, der kan hackes på serveren.",
                "Files as they are: as fast as can be, and nothing on the server to break into.",
            ),
            glyph: Glyph::File,
            spec: json!({"runtime": "static", "database": "none"}),
        },
    ]
}

/// The card of one site.
pub(super) fn card(spec: &Value) -> Vec<CardRow> {
    let Ok(site) = Spec::stored(spec) else { return Vec::new() };
    let row = |label: Text, value: String, link: Option<String>, copy: bool| CardRow { label, value, link, copy };
    let mut rows: Vec<CardRow> = Vec::new();
    for (index, domain) in site.domains.iter().enumerate() {
        let label = if index == 0 { Text::new("Adresse", "Address") } else { Text::new("Også på", "Also at") };
        rows.push(row(label, domain.to_string(), Some(format!("https://{domain}/")), true));
    }
    if let (Some(app), Some(domain)) = (&site.app, site.domains.first()) {
        let admin = format!("https://{domain}/wp-admin/");
        rows.push(row(Text::new("Administration", "Administration"), format!("{domain}/wp-admin"), Some(admin), false));
        rows.push(row(Text::new("Brugernavn", "User name"), app.admin_user.clone(), None, true));
    }
    let word = |name: &str| spec[name].as_str().unwrap_or_default().to_owned();
    rows.push(row(Text::new("Miljø", "Runtime"), named(&word("runtime")), None, false));
    let attached = Text::new("Tilknyttet database", "Attached database");
    match &site.attach {
        Some(attach) if attach.holds => rows.push(row(attached, attach.database.clone(), None, false)),
        attach => {
            rows.push(row(Text::new("Database", "Database"), named(&word("database")), None, false));
            if attach.is_some() {
                rows.push(row(attached, "/srv/private/database.json".to_owned(), None, true));
            }
        }
    }
    rows
}

/// A choice as people read it.
fn named(word: &str) -> String {
    names().into_iter().find(|(known, _)| *known == word).map_or_else(|| word.to_owned(), |(_, name)| name.en)
}

/// What people call the choices of the form; they are the same in both languages but for a few.
pub(super) fn names() -> Vec<(&'static str, Text)> {
    let same = |word: &'static str, name: &str| (word, Text::new(name, name));
    let mut names = vec![
        same("php-8.2", "PHP 8.2"),
        same("php-8.4", "PHP 8.4"),
        same("mariadb-10.11", "MariaDB 10.11"),
        same("mariadb-11.8", "MariaDB 11.8"),
        same("wordpress", "WordPress"),
        ("static", Text::new("Filer alene", "Files alone")),
        ("none", Text::new("Ingen", "None")),
    ];
    let languages = [Text::new("Dansk", "Danish"), Text::new("Engelsk", "English")];
    names.extend(LANGUAGES.iter().map(|(word, _)| *word).zip(languages));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::website::Website;

    #[test]
    fn an_offer_needs_nothing_but_what_is_required() {
        for offer in offers() {
            let mut form = offer.spec.clone();
            form["domains"] = json!(["shop.example"]);
            if form["app"].is_object() {
                form["app"]["admin_email"] = json!("owner@shop.example");
            }
            let spec = Website.parse(&form, None).expect(offer.name);
            let rows = card(&spec);
            assert_eq!(rows[0].link.as_deref(), Some("https://shop.example/"), "{}", offer.name);
            assert_eq!(rows.iter().any(|row| row.value.ends_with("/wp-admin")), offer.name == "wordpress");
        }
    }

    #[test]
    fn every_choice_of_the_form_has_a_name() {
        fn choices(schema: &Value, found: &mut Vec<(String, bool)>) {
            match schema {
                Value::Object(map) => {
                    for (key, value) in map {
                        match (key.as_str(), value.as_array()) {
                            ("enum", Some(list)) => {
                                let words = list.iter().filter_map(Value::as_str);
                                found.extend(words.map(|word| (word.to_owned(), schema["x-names"][word].is_object())));
                            }
                            _ => choices(value, found),
                        }
                    }
                }
                Value::Array(list) => list.iter().for_each(|one| choices(one, found)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        let mut found = Vec::new();
        choices(&super::super::schema::schema(), &mut found);
        assert!(!found.is_empty());
        for (choice, named) in found {
            assert!(named || names().iter().any(|(word, _)| *word == choice), "{choice}");
        }
    }
}
