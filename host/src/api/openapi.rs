//! `/openapi.json`: the document of the API (OpenAPI 3.1.1, JSON Schema 2020-12), made from the table of ways and the types of their handlers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operation::{Answer, Method, Operation, Shape, Tag};
use super::problem::ProblemDocument;
use super::routes::{Needs, Way, ways};
use super::shown::Shown;
use super::site;
use crate::runtime::Runtime;

/// Where schemas are kept in the document.
const SCHEMAS: &str = "/components/schemas";

/// An OpenAPI document.
#[derive(Debug, JsonSchema)]
pub(super) struct OpenApi {
    #[expect(dead_code, reason = "it is a form")]
    openapi: String,
    #[expect(dead_code, reason = "it is a form")]
    info: Map<String, Value>,
    #[expect(dead_code, reason = "it is a form")]
    paths: Map<String, Value>,
}

/// The document, as this host is reached.
pub(super) async fn openapi(State(runtime): State<Arc<Runtime>>, request: Request) -> Shown<OpenApi> {
    Shown::as_form(document(&site::reached_at(&runtime.server, &request)))
}

/// The document of a host at an address such as `https://sangam.acme.example`.
pub fn document(url: &str) -> Value {
    let settings = || SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = SCHEMAS.into());
    let mut document = Document {
        asked: settings().for_deserialize().into_generator(),
        answered: settings().for_serialize().into_generator(),
        paths: Map::new(),
    };
    for way in ways().into_iter().filter(|way| way.operation.is_told()) {
        document.way(&way);
    }
    document.finish(url)
}

/// The names of a query's keys.
pub(super) fn keys_of(shape: &Shape) -> Vec<String> {
    let Some(query) = shape.query else { return Vec::new() };
    let mut generator = SchemaGenerator::default();
    let schema = query(&mut generator);
    parameters(schema.as_value(), &generator).into_iter().map(|(name, ..)| name).collect()
}

/// A query's keys: name, schema, whether it must be there.
fn parameters(schema: &Value, generator: &SchemaGenerator) -> Vec<(String, Value, bool)> {
    let named = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    let schema = named.and_then(|name| generator.definitions().get(name)).unwrap_or(schema);
    let must = |name: &str| schema["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| (name.clone(), without_null(schema.clone()), must(name))).collect()
}

/// A key that is left out is not null: in a query there is no such thing.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema["type"].as_array().cloned() {
        let left: Vec<Value> = types.into_iter().filter(|one| one != "null").collect();
        schema["type"] = if let [one] = left.as_slice() { one.clone() } else { Value::Array(left) };
    }
    if let Some(either) = schema["anyOf"].as_array().cloned() {
        let left: Vec<Value> = either.into_iter().filter(|one| one["type"] != "null").collect();
        if let ([one], Some(members)) = (left.as_slice(), schema.as_object_mut()) {
            members.remove("anyOf");
            members.extend(one.as_object().cloned().unwrap_or_default());
        }
    }
    if let Some(members) = schema.as_object_mut() {
        members.retain(|name, value| !(name == "default" && value.is_null()));
    }
    schema
}

/// What a part of a path is, unless the way says otherwise.
fn part(name: &str) -> (&'static str, Value) {
    let text = json!({ "type": "string" });
    match name {
        "eid" => ("The id that the host gave the event, a UUIDv7.", text),
        "id" => ("The id that the host gave it.", text),
        "name" => ("Its name in the configuration.", text),
        "source" => ("The source's name in the configuration.", text),
        "seq" => (
            "The number of the write within its attempt.",
            json!({ "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX }),
        ),
        _ => ("Whatever follows.", text),
    }
}

/// The document, in the making.
struct Document {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
    paths: Map<String, Value>,
}

/// Which common refusals a way has: the name of the answer under `components`.
fn common(way: &Way) -> Vec<(u16, &'static str)> {
    let takes_body = way.handled.method == Method::Post;
    let is_guarded = matches!(way.needs, Needs::Somebody | Needs::A(_));
    let mut refusals = Vec::new();
    // A query that is not taken is refused, too.
    if is_guarded || way.handled.shape.query.is_some() {
        refusals.push((400, "BadRequest"));
    }
    if is_guarded {
        refusals.extend([(401, "Unauthorized"), (403, "Forbidden"), (429, "TooMany"), (503, "Unavailable")]);
    } else if way.needs == Needs::SameSite {
        refusals.push((403, "Forbidden"));
    }
    if takes_body {
        refusals.extend([(408, "TooSlow"), (413, "TooLarge"), (415, "MediaType")]);
    }
    refusals
}

impl Document {
    fn way(&mut self, way: &Way) {
        // What follows in a path has a name of its own there.
        let path = way.path.replace("{*", "{");
        let operation = self.operation(&path, way);
        let methods: &[&str] = match way.handled.method {
            Method::Get => &["get"],
            Method::Post => &["post"],
            Method::Any => &["post", "get"],
        };
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        for method in methods {
            let mut operation = operation.clone();
            if *method == "get" && way.handled.method == Method::Any {
                operation["operationId"] = json!(format!("{}ByGet", way.operation.id));
                if let Some(members) = operation.as_object_mut() {
                    members.remove("requestBody");
                }
            }
            item[*method] = operation;
        }
    }

    fn operation(&mut self, path: &str, way: &Way) -> Value {
        let Way { operation, handled, needs, .. } = way;
        let mut made = json!({
            "operationId": operation.id,
            "tags": [operation.tag.name()],
            "summary": operation.summary,
            "responses": self.responses(way),
        });
        if !operation.about.is_empty() {
            made["description"] = json!(operation.about);
        }
        let parameters = self.parameters(path, operation, &handled.shape);
        if !parameters.is_empty() {
            made["parameters"] = Value::Array(parameters);
        }
        if let Some(body) = self.body(operation, &handled.shape) {
            made["requestBody"] = body;
        }
        match needs {
            Needs::Nothing | Needs::SameSite | Needs::Proof => made["security"] = json!([]),
            Needs::Somebody => made["x-permission"] = json!("any"),
            Needs::A(permission) => made["x-permission"] = json!(permission.as_str()),
        }
        made
    }

    fn parameters(&mut self, path: &str, operation: &Operation, shape: &Shape) -> Vec<Value> {
        let mut made = Vec::new();
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let (usual, schema) = part(name);
            let about = operation.path.iter().find(|(known, _)| *known == name).map_or(usual, |(_, about)| about);
            made.push(json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema }));
        }
        if let Some(query) = shape.query {
            // Keys stand in the operation itself: nobody refers to the query as a whole.
            let mut own = SchemaGenerator::new(self.asked.settings().clone());
            let schema = query(&mut own);
            for (name, mut schema, required) in parameters(schema.as_value(), &own) {
                let about = schema.as_object_mut().and_then(|members| members.remove("description"));
                let mut parameter = json!({ "name": name, "in": "query", "required": required, "schema": schema });
                if let Some(about) = about {
                    parameter["description"] = about;
                }
                made.push(parameter);
            }
            let named =
                schema.as_value()["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).unwrap_or_default().to_owned();
            let others = own.take_definitions(true).into_iter().filter(|(name, _)| *name != named);
            self.asked.definitions_mut().extend(others);
        }
        for (name, about, required) in &operation.headers {
            made.push(json!({ "name": name, "in": "header", "required": required, "description": about, "schema": { "type": "string" } }));
        }
        made
    }

    fn body(&mut self, operation: &Operation, shape: &Shape) -> Option<Value> {
        let mut content = Map::new();
        if let Some((schema, _)) = shape.body {
            content.insert("application/json".to_owned(), json!({ "schema": schema(&mut self.asked) }));
        }
        for (media, schema, example) in &operation.takes {
            let mut one = match schema {
                Some(schema) => json!({ "schema": schema(&mut self.asked) }),
                // OpenAPI 3.1: a body of bytes has no schema.
                None => json!({}),
            };
            if let Some(example) = example.and_then(|example| serde_json::from_str::<Value>(example).ok()) {
                one["example"] = example;
            }
            content.insert((*media).to_owned(), one);
        }
        let required = shape.body.is_none_or(|(_, required)| required);
        (!content.is_empty()).then(|| json!({ "required": required, "content": content }))
    }

    fn responses(&mut self, way: &Way) -> Value {
        let mut made = Map::new();
        // What the table says of a status comes before what the type says.
        let said: Vec<StatusCode> = way.operation.answers.iter().map(|answer| answer.status).collect();
        let typed = way.handled.shape.answers.iter().filter(|answer| !said.contains(&answer.status));
        for answer in typed.chain(&way.operation.answers) {
            let one = self.answer(answer);
            match made.get_mut(answer.status.as_str()) {
                // Of the same status, in another form.
                Some(known) => merge(known, one),
                None => _ = made.insert(answer.status.as_str().to_owned(), one),
            }
        }
        for (status, name) in common(way) {
            made.entry(status.to_string()).or_insert_with(|| json!({ "$ref": format!("#/components/responses/{name}") }));
        }
        for (status, when) in &way.operation.fails {
            let mut refusal = self.refusal(when);
            if [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(status) {
                refusal["headers"] = retry_after();
            }
            made.insert(status.as_str().to_owned(), refusal);
        }
        Value::Object(made)
    }

    fn answer(&mut self, answer: &Answer) -> Value {
        let mut made = json!({ "description": answer.about });
        if let Some((media, schema)) = &answer.body {
            let schema = schema.map_or_else(|| json!({ "type": "string" }), |schema| schema(&mut self.answered).to_value());
            made["content"] = json!({ *media: { "schema": schema } });
        }
        for (name, about) in &answer.headers {
            made["headers"][*name] = json!({ "description": about, "schema": { "type": "string" } });
        }
        made
    }

    fn refusal(&mut self, when: &str) -> Value {
        let schema = self.answered.subschema_for::<ProblemDocument>();
        json!({ "description": when, "content": { "application/problem+json": { "schema": schema } } })
    }

    fn refusals(&mut self) -> Value {
        let mut made = Map::new();
        let all = [
            ("BadRequest", "The request is not one that is understood here: `detail` says what is wrong with it."),
            ("Unauthorized", "Nobody is known to ask: no token or session, or one that is not good (any more)."),
            ("Forbidden", "The role does not include this, or another site's page made a browser ask."),
            ("TooSlow", "The body did not come in time (`server.body-timeout`)."),
            ("TooLarge", "The body is larger than the host takes."),
            ("MediaType", "The body is of a media type that is not taken here, or that a web page elsewhere could send."),
            ("TooMany", "Too much, or wrong too often: again after `Retry-After`."),
            ("Unavailable", "The store can't be asked now, or the host is stopping or full: again after `Retry-After`."),
        ];
        for (name, when) in all {
            let mut refusal = self.refusal(when);
            if ["TooMany", "Unavailable"].contains(&name) {
                refusal["headers"] = retry_after();
            }
            if name == "Unauthorized" {
                refusal["headers"] =
                    json!({ "WWW-Authenticate": { "description": "How to say who asks.", "schema": { "type": "string" } } });
            }
            made.insert(name.to_owned(), refusal);
        }
        Value::Object(made)
    }

    fn finish(mut self, url: &str) -> Value {
        let responses = self.refusals();
        let mut schemas = self.asked.take_definitions(true);
        for (name, schema) in self.answered.take_definitions(true) {
            match schemas.get(&name) {
                // Another type of the same name; a test finds it by this one.
                Some(asked) if *asked != schema => _ = schemas.insert(format!("{name}2"), schema),
                _ => _ = schemas.insert(name, schema),
            }
        }
        let tags: Vec<Value> = Tag::ALL.iter().map(|tag| json!({ "name": tag.name(), "description": tag.about() })).collect();
        json!({
            "openapi": "3.1.1",
            "info": {
                "title": "Sangam",
                "summary": "Routes business events through sandboxed connectors.",
                "description": "Everything that the console and the command line do. Names are in snake_case, times as RFC 3339 writes them, durations in \
                    milliseconds (`*_ms`). Lists are paged: `next_cursor` goes back as `cursor`, with the same filters; null ends the list. Members may be added \
                    to answers; unknown keys of queries and bodies are refused. Every refusal is a problem document (RFC 9457) whose `detail` says what to do; \
                    its `instance` stands in the host's log, too, where the fault was the host's. Methods that a path does not have are answered 405 with `Allow`.",
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "Apache 2.0", "identifier": "Apache-2.0" },
            },
            "servers": [{ "url": url, "description": "This host" }],
            "tags": tags,
            "security": [{ "token": [] }, { "session": [] }],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "responses": responses,
                "securitySchemes": {
                    "token": { "type": "http", "scheme": "bearer", "description": "An API token; `sangam token create` makes one. With `access = \"open\"` none is asked for." },
                    "session": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": if url.starts_with("https://") { "__Host-sangam" } else { "sangam" },
                        "description": "Of somebody who logged in at `/login`. What changes something is sent with the header `Sangam-Request: 1` from the host's own pages.",
                    },
                },
            },
        })
    }
}

fn merge(known: &mut Value, other: Value) {
    for (media, form) in other["content"].as_object().into_iter().flatten() {
        known["content"][media] = form.clone();
    }
}

fn retry_after() -> Value {
    json!({ "Retry-After": { "description": "Seconds.", "schema": { "type": "integer", "minimum": 1 } } })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn operations(document: &Value) -> Vec<(String, Value)> {
        let paths = document["paths"].as_object().expect("paths").iter();
        let all = paths.flat_map(|(path, item)| {
            item.as_object().expect("an item").iter().map(move |(method, one)| (format!("{method} {path}"), one.clone()))
        });
        all.collect()
    }

    #[test]
    fn every_way_says_what_it_answers_and_has_an_id_of_its_own() {
        let document = document("http://127.0.0.1:7070");
        let mut ids = BTreeSet::new();
        for (way, operation) in operations(&document) {
            assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{way}: its id is another's, too");
            let answers = operation["responses"].as_object().expect("answers");
            assert!(answers.keys().any(|status| status.starts_with(['2', '3'])), "{way} says nothing of what it answers");
            for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with('2')) {
                for (media, form) in answer["content"].as_object().into_iter().flatten() {
                    assert!(!media.ends_with("json") || form["schema"].is_object(), "{way}: {status} is just anything");
                }
            }
        }
    }

    /// Whether a schema says which members an answer has: all of its forms do.
    fn says_members(document: &Value, schema: &Value) -> bool {
        if let Some(reference) = schema["$ref"].as_str() {
            return document.pointer(&reference[1..]).is_some_and(|schema| says_members(document, schema));
        }
        let forms = ["oneOf", "anyOf"].iter().find_map(|name| schema[name].as_array());
        match forms {
            Some(forms) => forms.iter().all(|form| says_members(document, form)),
            None => schema["properties"].as_object().is_some_and(|members| !members.is_empty()),
        }
    }

    #[test]
    fn every_answer_says_which_members_it_has() {
        let document = document("http://127.0.0.1:7070");
        let mut seen = 0;
        for (way, operation) in operations(&document) {
            for (status, answer) in
                operation["responses"].as_object().expect("answers").iter().filter(|(status, _)| status.starts_with('2'))
            {
                for (media, form) in answer["content"].as_object().into_iter().flatten().filter(|(media, _)| media.ends_with("json")) {
                    assert!(says_members(&document, &form["schema"]), "{way}: {status} in {media} is {}", form["schema"]);
                    seen += 1;
                }
            }
        }
        assert!(seen > 40, "{seen}");
        assert!(!says_members(&document, &json!({ "type": "object", "additionalProperties": true })), "it finds what says nothing");
    }

    #[test]
    fn what_is_referred_to_is_there_and_no_two_types_share_a_name() {
        let document = document("http://127.0.0.1:7070");
        let text = document.to_string();
        for reference in text.split("\"#/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(&format!("/{reference}")).is_some(), "#/{reference} leads nowhere");
        }
        for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
            // That is how schemars tells apart types of the same name.
            assert!(
                !name.ends_with(|last: char| last.is_ascii_digit()),
                "{name}: give one of the types another name (#[schemars(rename = …)])"
            );
        }
    }
}
