//! One operation of a description: what may be sent to it, and what it answers.

use serde_json::{Map, Value, json};

use super::schemas::{Dialect, Way, resolved, standalone};
use crate::outbound::{Asked, Response};
use crate::rehearsal::generate::Generator;
use crate::schema::Schema;
use crate::telemetry::plain;

/// Headers of a request that are no parameters (OpenAPI 3.1, Parameter Object).
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// An operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// In lower case.
    pub(super) method: String,
    /// As described, such as `/items/{sku}`.
    pub(super) path: String,
    parameters: Vec<Value>,
    said: Value,
    /// Swagger 2: what it takes and gives, if the operation says so.
    consumes: Vec<String>,
}

impl Operation {
    pub(super) fn new(root: &Value, dialect: Dialect, method: &str, path: &str, item: &Value, said: &Value) -> Operation {
        let list = |value: &Value| value["parameters"].as_array().cloned().unwrap_or_default();
        let mut parameters: Vec<Value> = list(said).iter().map(|parameter| resolved(root, parameter).clone()).collect();
        for shared in list(item).iter().map(|parameter| resolved(root, parameter)) {
            let same = |own: &Value| own["name"] == shared["name"] && own["in"] == shared["in"];
            if !parameters.iter().any(same) {
                parameters.push(shared.clone());
            }
        }
        let texts = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
        let consumes = match dialect {
            Dialect::Swagger2 if said["consumes"].is_array() => texts(&said["consumes"]),
            Dialect::Swagger2 => texts(&root["consumes"]),
            Dialect::OpenApi30 | Dialect::OpenApi31 => Vec::new(),
        };
        Operation { method: method.to_owned(), path: path.to_owned(), parameters, said: said.clone(), consumes }
    }

    pub(super) fn parameters_in_path(&self) -> usize {
        self.path.matches('{').count()
    }

    /// The values of the parameters in the path, if it is one of this operation's.
    pub(super) fn fits(&self, path: &str) -> Option<Vec<(String, String)>> {
        let (templates, segments): (Vec<&str>, Vec<&str>) = (self.path.split('/').collect(), path.split('/').collect());
        if templates.len() != segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (template, segment) in templates.iter().zip(segments) {
            let text = percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
            match template.split_once('{') {
                None if *template == segment => {}
                None => return None,
                Some((before, rest)) => {
                    let (name, after) = rest.split_once('}')?;
                    let value = text.strip_prefix(before)?.strip_suffix(after)?;
                    if value.is_empty() {
                        return None;
                    }
                    values.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        Some(values)
    }

    /// What is wrong with a request.
    pub(super) fn refusals(&self, root: &Value, dialect: Dialect, asked: &Asked, in_path: &[(String, String)]) -> Vec<String> {
        let mut found = Vec::new();
        let query: Vec<(String, String)> = asked.url.query_pairs().into_owned().collect();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        for parameter in &self.parameters {
            let (name, place) = (parameter["name"].as_str().unwrap_or_default(), parameter["in"].as_str().unwrap_or_default());
            let values: Vec<String> = match place {
                "path" => in_path.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect(),
                "query" => query.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect(),
                "header" if !NO_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) => {
                    let own = asked.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| text(value));
                    let added = asked.key.clone().filter(|_| name.eq_ignore_ascii_case("idempotency-key"));
                    own.chain(added).collect()
                }
                _ => continue,
            };
            let deep = query.iter().any(|(own, _)| own.starts_with(&format!("{name}[")));
            if values.is_empty() {
                if parameter["required"] == true && !deep {
                    found.push(format!("parameter {name} ({place}) is required"));
                }
                continue;
            }
            // Until 2.0 the parameter is its own schema.
            let schema = parameter.get("schema").unwrap_or(parameter);
            let value = read(resolved(root, schema), &values, parameter["explode"] == false || place != "query");
            found.extend(violations(root, dialect, schema, &value).into_iter().map(|why| format!("parameter {name} ({place}){why}")));
        }
        for (name, _) in &query {
            let stem = name.split('[').next().unwrap_or(name);
            let known = self.parameters.iter().any(|parameter| {
                parameter["in"] == "query" && [name.as_str(), stem].contains(&parameter["name"].as_str().unwrap_or_default())
            });
            if !known {
                found.push(format!("query parameter {} is not described", plain(name)));
            }
        }
        self.body_refusals(root, dialect, asked, &mut found);
        found
    }

    fn body_refusals(&self, root: &Value, dialect: Dialect, asked: &Asked, found: &mut Vec<String>) {
        let of_body = |place: &str| self.parameters.iter().find(|parameter| parameter["in"] == place);
        let (required, content) = match dialect {
            Dialect::Swagger2 => match of_body("body") {
                Some(body) => {
                    let types = if self.consumes.is_empty() { vec!["application/json".to_owned()] } else { self.consumes.clone() };
                    let content = types.into_iter().map(|kind| (kind, json!({ "schema": body["schema"] }))).collect();
                    (body["required"] == true, Value::Object(content))
                }
                None if of_body("formData").is_some() => return,
                None => (false, Value::Null),
            },
            Dialect::OpenApi30 | Dialect::OpenApi31 => {
                let body = resolved(root, &self.said["requestBody"]);
                (body["required"] == true, body["content"].clone())
            }
        };
        if asked.body.is_empty() {
            if required {
                found.push("a body is required".to_owned());
            }
            return;
        }
        let Some(content) = content.as_object().filter(|content| !content.is_empty()) else {
            found.push("no body is described".to_owned());
            return;
        };
        let header =
            asked.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let own = header.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let fits = |described: &&String| {
            let described = described.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            described == own || described == "*/*" || described.strip_suffix("/*").is_some_and(|kind| own.split('/').next() == Some(kind))
        };
        let Some(kind) = content.keys().find(fits) else {
            let known: Vec<&str> = content.keys().map(String::as_str).collect();
            found.push(format!("content type {own:?} is not described, but {}", known.join(", ")));
            return;
        };
        let schema = &content[kind]["schema"];
        if schema.is_null() {
            return;
        }
        let value = if own.ends_with("json") {
            match serde_json::from_slice(&asked.body) {
                Ok(value) => value,
                Err(error) => return found.push(format!("body: it is not JSON: {error}")),
            }
        } else if own == "application/x-www-form-urlencoded" {
            let members = &resolved(root, schema)["properties"];
            let pairs = url::form_urlencoded::parse(&asked.body).into_owned();
            Value::Object(
                pairs.map(|(name, value)| (name.clone(), read(resolved(root, &members[&name]), &[value], true))).collect::<Map<_, _>>(),
            )
        } else {
            return;
        };
        found.extend(violations(root, dialect, schema, &value).into_iter().map(|why| format!("body{why}")));
    }

    /// What it answers when all is well.
    pub(super) fn answer(&self, root: &Value, dialect: Dialect) -> Response {
        let responses = self.said["responses"].as_object();
        let well = |name: &&String| name.starts_with('2');
        let name = responses.and_then(|responses| responses.keys().find(well).or_else(|| responses.keys().find(|name| *name == "default")));
        let Some((name, responses)) = name.zip(responses) else {
            return Response { status: 204, headers: Vec::new(), body: Vec::new() };
        };
        let status = name.parse().unwrap_or(200);
        let response = resolved(root, &responses[name]);
        let (kind, example, schema) = match dialect {
            Dialect::Swagger2 => {
                let example = response["examples"].as_object().and_then(|examples| examples.values().next());
                ("application/json".to_owned(), example.cloned(), response.get("schema").cloned())
            }
            Dialect::OpenApi30 | Dialect::OpenApi31 => {
                let content = response["content"].as_object();
                let is_json = |(kind, _): &(&String, &Value)| kind.split(';').next().unwrap_or_default().ends_with("json");
                let found = content.and_then(|content| content.iter().find(is_json).or_else(|| content.iter().next()));
                let Some((kind, media)) = found else { return Response { status, headers: Vec::new(), body: Vec::new() } };
                let named = media["examples"].as_object().and_then(|examples| examples.values().next());
                let example = media.get("example").or_else(|| resolved(root, named?).get("value"));
                (kind.clone(), example.cloned(), media.get("schema").cloned())
            }
        };
        let value = example.or_else(|| Some(generated(root, dialect, schema.as_ref()?))).filter(|_| status != 204);
        let body = match value {
            None => Vec::new(),
            Some(Value::String(text)) if !kind.contains("json") => text.into_bytes(),
            Some(value) => value.to_string().into_bytes(),
        };
        Response { status, headers: vec![("content-type".to_owned(), kind.into_bytes())], body }
    }
}

/// A value that a schema allows.
fn generated(root: &Value, dialect: Dialect, schema: &Value) -> Value {
    let schema = standalone(root, dialect, schema, Way::Back);
    match Schema::compile(&schema) {
        Ok(compiled) => {
            let generator = Generator::new(&schema, &compiled, Vec::new());
            generator.valid(3).into_iter().next().map_or_else(|| generator.whole(), |made| made.value)
        }
        Err(_) => Value::Null,
    }
}

/// Texts as what the schema wants.
fn read(schema: &Value, values: &[String], joined: bool) -> Value {
    if schema["type"] == "array" {
        let items: Vec<String> =
            if joined { values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect() } else { values.to_vec() };
        return Value::Array(items.iter().map(|item| read(&schema["items"], std::slice::from_ref(item), joined)).collect());
    }
    let text = values.first().map(String::as_str).unwrap_or_default();
    let is = |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!(kind)));
    let number = || serde_json::from_str::<Value>(text).ok().filter(Value::is_number);
    match text {
        "true" | "false" if is("boolean") => json!(text == "true"),
        _ if is("integer") || is("number") => number().unwrap_or_else(|| json!(text)),
        _ => json!(text),
    }
}

/// What a schema finds wrong with a value, each beginning with its place.
fn violations(root: &Value, dialect: Dialect, schema: &Value, value: &Value) -> Vec<String> {
    match Schema::compile(&standalone(root, dialect, schema, Way::Sent)) {
        Ok(compiled) => {
            compiled.check(value).into_iter().map(|violation| format!("{}: {}", violation.pointer, violation.message)).collect()
        }
        // It says nothing then; a description of a vendor is not this connector's to mend.
        Err(_) => Vec::new(),
    }
}
