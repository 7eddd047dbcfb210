//! A kind for tests: names it claims, an engine whose change is destructive, one credential.

use husorden_base::{Bytes, Domain, FieldError, Text};
use husorden_kinds::form::Form;
use husorden_kinds::{Attach, Kind, Login, Order, Plan, Probe, Protocol, Scheme, Sight, attach};
use serde_json::{Value, json};

pub struct Tiny;

pub static KINDS: [&dyn Kind; 2] = [&Tiny, &crate::gated::Gated];

impl Kind for Tiny {
    fn name(&self) -> &'static str {
        "tiny"
    }

    fn title(&self) -> Text {
        Text::new("Lille", "Tiny")
    }

    fn schema(&self) -> Value {
        json!({ "type": "object", "properties": { "names": { "type": "array" }, "engine": {
            "type": "string", "x-known": ["one"], "x-names": {}, "x-more": "images" } } })
    }

    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>> {
        let mut wrong = Vec::new();
        let mut bad = |pointer: String, said: &str| wrong.push(FieldError { pointer, detail: Text::new(said, said) });
        for name in form.as_object().into_iter().flat_map(|members| members.keys()) {
            if !["names", "engine", "attach"].contains(&name.as_str()) {
                bad(format!("/{name}"), "unknown");
            }
        }
        let given = form["names"].as_array().cloned().unwrap_or_default();
        let mut names = Vec::new();
        for (index, name) in given.iter().enumerate() {
            match name.as_str().unwrap_or_default().parse::<Domain>() {
                Ok(domain) => names.push(domain.to_string()),
                Err(said) => bad(format!("/names/{index}"), &said),
            }
        }
        let engine = form["engine"].as_str().unwrap_or("one");
        let mut spec = json!({ "names": names, "engine": engine });
        let attached = json!({ "attach": form["attach"] });
        let mut inner = Form::new(&attached, "");
        if let Some(attach) = attach::read(&mut inner, before.and_then(Attach::of).as_ref()) {
            spec["attach"] = json!(attach);
        }
        wrong.extend(inner.finish());
        if wrong.is_empty() { Ok(spec) } else { Err(wrong) }
    }

    fn claims(&self, spec: &Value) -> Vec<(&'static str, String)> {
        let names = spec["names"].as_array().cloned().unwrap_or_default();
        names.iter().filter_map(Value::as_str).map(|name| ("domain", name.to_owned())).collect()
    }

    fn mails_out(&self) -> bool {
        true
    }

    fn accepts(&self) -> &'static [Protocol] {
        &[Protocol::Mysql, Protocol::Postgresql]
    }

    fn holds_in(&self) -> &'static [Protocol] {
        &[Protocol::Mysql]
    }

    fn intake(&self) -> Option<(&'static str, &'static str)> {
        Some(("files", "scratch"))
    }

    fn backup_required(&self) -> bool {
        false
    }

    fn parts(&self, _: &Value) -> Vec<String> {
        vec!["app".to_owned()]
    }

    fn volume(&self, _: &Value) -> Bytes {
        Bytes::gib(1)
    }

    fn credentials(&self, _: &Value) -> Vec<Login> {
        vec![Login { name: "admin".to_owned(), username: "root".to_owned(), scheme: Scheme::Bcrypt, at_once: false }]
    }

    fn probe(&self, _: &Value) -> Option<Probe> {
        None
    }

    fn destructive(&self, before: &Value, after: &Value) -> bool {
        before["engine"] != after["engine"]
    }

    fn plan(&self, _: &Order, _: &Sight) -> Plan {
        Plan::default()
    }

    fn reached(&self, _: &Order, _: &Sight) -> Result<(), String> {
        Ok(())
    }
}
