//! The OpenAPI text (3.1), made from the table of routes and the kinds.

use crate::app::App;
use crate::routes::{Reach, Route, table};
use http::Method;
use husorden_wire::api::Capability;
use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The schema of a body.
pub(crate) struct Shape {
    media: &'static str,
    schema: Value,
    parts: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    pub(crate) fn of<T: ToSchema + PartialSchema>() -> Self {
        let mut parts = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut parts);
        Self {
            media: "application/json",
            schema: json!({ "$ref": format!("#/components/schemas/{}", T::name()) }),
            parts,
        }
    }

    pub(crate) fn page<T: ToSchema + PartialSchema>() -> Self {
        let one = Self::of::<T>();
        let schema = json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": { "type": "array", "items": one.schema },
                "next": { "type": "string", "description": "Goes back as ?after=; none means this is the last page." },
            },
        });
        Self { schema, ..one }
    }

    pub(crate) const fn object() -> Self {
        Self { media: "application/json", schema: Value::Null, parts: Vec::new() }
    }

    pub(crate) const fn bytes() -> Self {
        Self { media: "application/octet-stream", schema: Value::Null, parts: Vec::new() }
    }

    fn content(&self) -> Value {
        let schema = match (&self.schema, self.media) {
            (Value::Null, "application/json") => json!({ "type": "object" }),
            (Value::Null, _) => json!({}),
            (schema, _) => schema.clone(),
        };
        json!({ self.media: { "schema": schema } })
    }
}

/// The text.
pub(crate) fn document(app: &App) -> String {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: Map<String, Value> = Map::new();
    for route in table() {
        for shape in [&route.takes, &route.gives].into_iter().flatten() {
            for (name, schema) in &shape.parts {
                schemas.entry(name.clone()).or_insert_with(|| serde_json::to_value(schema).unwrap_or_default());
            }
        }
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_ascii_lowercase()] = operation(&route);
    }
    schemas.insert("Problem".to_owned(), problem());
    // The specs of the kinds: SolutionCreate.spec is one of them.
    for kind in app.kinds() {
        schemas.insert(format!("Spec.{}", kind.name()), kind.schema());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Husorden",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Refusals are problem documents (RFC 9457). POSTs take an Idempotency-Key. A solution's ETag is its generation; If-Match on a change gives 412 when it was changed meanwhile. Lists are paged by ?after= and ?limit= (at most 200).",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "A token or a session. Every route names the capability it takes; the roles of members and staff, and the scopes of tokens, are sets of them." } },
        },
    })
    .to_string()
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters
        .extend(route.query.iter().map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string" } })));
    if route.method == Method::POST {
        parameters.push(
            json!({ "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "maxLength": 200 } }),
        );
    }
    let mut done = json!({ "description": "Done" });
    if let Some(shape) = &route.gives {
        done["content"] = shape.content();
    }
    let refused = json!({ "description": "Refused", "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } });
    let name: String = route
        .path
        .split('/')
        .filter(|part| !part.is_empty() && *part != "v1")
        .map(|part| part.trim_matches(['{', '}']).replace('.', "-"))
        .collect::<Vec<_>>()
        .join("-");
    let mut operation = json!({
        "operationId": format!("{}-{name}", route.method.as_str().to_ascii_lowercase()),
        "summary": route.summary,
        "parameters": parameters,
        "responses": { route.success().to_string(): done, "default": refused },
    });
    if let Some(shape) = &route.takes {
        operation["requestBody"] = json!({ "content": shape.content() });
    }
    match route.permission.reach {
        Reach::Anybody => return operation,
        Reach::Both | Reach::Account | Reach::Staff => {}
    }
    // A bearer scheme's scopes are what OpenAPI has for capabilities.
    operation["security"] = json!([{ "token": route.permission.capability.map(Capability::word).as_slice() }]);
    operation["description"] = json!(described(route));
    operation
}

/// Who may use a route, in words.
fn described(route: &Route) -> String {
    let permission = route.permission;
    let mut said = Vec::new();
    if let Some(capability) = permission.capability {
        let staff: Vec<&str> = capability.of_staff().iter().map(|one| one.word()).collect();
        match permission.reach {
            Reach::Anybody => {}
            Reach::Account => said.push(format!("Accounts only. Needs {capability}.")),
            Reach::Staff => said.push(format!("Staff only. Needs {}.", staff.join(" or "))),
            Reach::Both if staff.is_empty() || staff == [capability.word()] => {
                said.push(format!("Needs {capability}."))
            }
            Reach::Both => said.push(format!("Needs {capability}; of staff {}.", staff.join(" or "))),
        }
    }
    if permission.dangerous {
        said.push("A session must have stepped up within 15 minutes.".to_owned());
    }
    if permission.when_held {
        said.push("Stays open to the sessions of an account under a measure.".to_owned());
    }
    said.join(" ")
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "refusal"],
        "properties": {
            "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
            "detail": { "type": "string" }, "instance": { "type": "string" },
            "refusal": { "type": "object", "description": "The whole refusal in both languages: code, clause, measured, limit, since, until, complain, case, fields." },
        },
    })
}
