//! A kind for tests that has a port of its own: an allow-list and an engine whose change is destructive.

use husorden_base::{Bytes, FieldError, Text};
use husorden_kinds::form::Form;
use husorden_kinds::{Kind, Login, Order, Plan, Probe, Protocol, Scheme, Served, Sight, allow, network};
use serde_json::{Map, Value, json};

pub struct Gated;

impl Kind for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn title(&self) -> Text {
        Text::new("Med port", "Gated")
    }

    fn schema(&self) -> Value {
        let fields = allow::schema().into_iter().chain([("networks", network::schema())]);
        let properties: Map<String, Value> = fields.map(|(name, schema)| (name.to_owned(), schema)).collect();
        json!({ "type": "object", "properties": properties })
    }

    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>> {
        let mut form = Form::new(form, "");
        let access = allow::read(&mut form, before);
        let networks = network::read(&mut form, before);
        let engine = form.text("engine").unwrap_or("one");
        let databases = form.get("databases").cloned().unwrap_or(json!(["app"]));
        let wrong = form.finish();
        let spec = json!({ "allow": access.allow, "open_to_all": access.open_to_all, "engine": engine,
            "databases": databases, "networks": networks });
        if wrong.is_empty() { Ok(spec) } else { Err(wrong) }
    }

    fn claims(&self, spec: &Value) -> Vec<(&'static str, String)> {
        let given = |join: network::Join| Some((network::SPACE, network::claim(join.network, join.address?)));
        network::of(spec).into_iter().filter_map(given).collect()
    }

    fn log(&self) -> Option<husorden_kinds::Log> {
        Some(husorden_kinds::Log { folder: "log", file: "gated.log" })
    }

    fn console(&self, _: &Value) -> Option<husorden_kinds::Console> {
        let command = || vec!["a hand in the test's node".to_owned()];
        Some(husorden_kinds::Console { role: "gated".to_owned(), attach: command(), picture: command() })
    }

    fn serves(&self, spec: &Value) -> Option<Served> {
        let databases = spec["databases"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Served { protocol: Protocol::Mysql, port: 3306, scheme: Scheme::MysqlNative, databases })
    }

    fn volume(&self, _: &Value) -> Bytes {
        Bytes::gib(1)
    }

    fn credentials(&self, _: &Value) -> Vec<Login> {
        Vec::new()
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
