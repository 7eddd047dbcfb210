//! The pages of a solution beside its settings, as its kind's schema tells of them: maps whose entries have names that the owner
//! chooses, and settings with units and bounds. Pure reading; the words are explained in `husorden_kinds::schema`.

use super::spec::properties;
use husorden_base::Text;
use husorden_kinds::schema::Entry;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Fields with a page that is not made from the schema: who may connect.
const ELSEWHERE: &str = "access";

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Place {
    /// Its name in addresses.
    pub(crate) name: String,
    /// Its title.
    pub(crate) title: Text,
}

/// The pages, in order.
pub(crate) fn places(schema: &Value) -> Vec<Place> {
    let list = schema["x-places"].as_array().into_iter().flatten();
    list.filter_map(|place| Place::deserialize(place).ok()).filter(|place| place.name != ELSEWHERE).collect()
}

/// The schema as it is for a spec: without the fields that mean something only where others are set otherwise.
pub(crate) fn narrowed(schema: &Value, spec: &Value) -> Value {
    let mut schema = schema.clone();
    narrow(&mut schema, spec);
    schema
}

fn narrow(schema: &mut Value, spec: &Value) {
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.retain(|_, field| holds(field, spec));
        fields.values_mut().for_each(|field| narrow(field, spec));
    }
    if let Some(one) = schema.get_mut("additionalProperties").filter(|one| one.is_object()) {
        narrow(one, spec);
    }
}

fn holds(field: &Value, spec: &Value) -> bool {
    let mut when = field["x-when"].as_object().into_iter().flatten();
    when.all(|(name, values)| values.as_array().is_some_and(|values| values.contains(&spec[name])))
}

/// The fields of a page, as the properties of a schema of their own.
fn fields(schema: &Value, place: &str, entries: bool) -> Value {
    let all = schema["properties"].as_object().into_iter().flatten();
    let mut own: Map<String, Value> = all
        .filter(|(_, field)| field["x-place"] == place && field["x-entry"].is_object() == entries)
        .map(|(name, field)| (name.clone(), field.clone()))
        .collect();
    for field in own.values_mut().filter_map(Value::as_object_mut) {
        field.remove("x-place");
    }
    json!({"type": "object", "properties": own})
}

/// The settings of a page, as a schema of their own.
pub(crate) fn settings(schema: &Value, place: &str) -> Value {
    fields(schema, place, false)
}

/// A map of the spec whose entries have names that the owner chooses.
#[derive(Clone, Debug)]
pub(crate) struct Entries {
    /// Its field.
    pub(crate) field: String,
    /// Its schema.
    pub(crate) schema: Value,
    /// What one entry is.
    pub(crate) entry: Entry,
}

/// The maps of a page, in order.
pub(crate) fn entries(schema: &Value, place: &str) -> Vec<Entries> {
    let own = fields(schema, place, true);
    let maps = properties(&own).into_iter().filter_map(|(field, schema)| {
        let entry = Entry::deserialize(&schema["x-entry"]).ok()?;
        Some(Entries { field: field.clone(), schema: schema.clone(), entry })
    });
    maps.collect()
}

impl Entries {
    /// The schema of one entry.
    pub(crate) fn one(&self) -> &Value {
        &self.schema["additionalProperties"]
    }

    /// The entries there are.
    pub(crate) fn held<'a>(&self, spec: &'a Value) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        spec[&self.field].as_object().into_iter().flatten()
    }

    /// The field within an entry that chooses something for each entry of `other`, if there is one.
    pub(crate) fn chooses(&self, other: &str) -> Option<(&String, &Value)> {
        properties(self.one()).into_iter().find(|(_, field)| field["x-keys"] == other)
    }
}

/// The page on which the logins of a solution are, where they are entries of a map.
pub(crate) fn of_logins(schema: &Value) -> Option<Place> {
    let mut all = places(schema).into_iter();
    all.find(|place| entries(schema, &place.name).iter().any(|map| map.entry.credential))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        let entry = json!({"word": "user", "title": {"da": "b", "en": "u"}, "new": {"da": "b", "en": "u"}, "credential": true, "loss": [], "kept": []});
        let plain = json!({"word": "db", "title": {"da": "d", "en": "d"}, "new": {"da": "d", "en": "d"}, "loss": [], "kept": []});
        json!({
            "x-places": [{"name": "people", "title": {"da": "p", "en": "p"}}, {"name": "more", "title": {"da": "m", "en": "m"}}],
            "properties": {
                "make": {"enum": ["a", "b"]},
                "users": {"x-place": "people", "x-order": 1, "x-entry": entry, "additionalProperties": {"properties": {
                    "grants": {"type": "object", "x-keys": "databases"}}}},
                "databases": {"x-place": "people", "x-order": 0, "x-entry": plain, "additionalProperties": {"properties": {
                    "plugins": {"type": "array", "x-when": {"make": ["a"]}}}}},
                "limits": {"x-place": "more", "type": "object", "properties": {
                    "of_a": {"type": "integer", "x-when": {"make": ["a"]}}, "of_b": {"type": "integer", "x-when": {"make": ["b"]}}}},
            },
        })
    }

    #[test]
    fn pages_are_what_the_schema_says() {
        let schema = schema();
        assert_eq!(places(&schema).iter().map(|place| place.name.as_str()).collect::<Vec<_>>(), ["people", "more"]);
        let maps = entries(&schema, "people");
        assert_eq!(maps.iter().map(|map| map.field.as_str()).collect::<Vec<_>>(), ["databases", "users"], "in order");
        assert!(maps[1].chooses("databases").is_some() && maps[0].chooses("databases").is_none());
        assert_eq!(settings(&schema, "people")["properties"], json!({}));
        assert_eq!(of_logins(&schema).map(|place| place.name).as_deref(), Some("people"));
    }

    #[test]
    fn what_means_nothing_for_a_spec_is_not_asked() {
        for (make, limit, plugins) in [("a", "of_a", true), ("b", "of_b", false)] {
            let narrowed = narrowed(&schema(), &json!({"make": make}));
            let limits = &settings(&narrowed, "more")["properties"]["limits"]["properties"];
            assert_eq!(limits.as_object().map(|all| all.keys().collect::<Vec<_>>()), Some(vec![&limit.to_owned()]));
            assert_eq!(entries(&narrowed, "people")[0].one()["properties"].get("plugins").is_some(), plugins);
        }
    }
}
