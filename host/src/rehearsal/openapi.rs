//! A system that is only described: OpenAPI 3.0 and 3.1, and Swagger 2.0. Every request is held against the description, and answered with
//! what that gives as an example, or with what its schema allows.

mod operation;
mod schemas;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use url::Url;

use super::script::identity;
use crate::outbound::{Asked, FarEnd, HttpError, Response};
use crate::telemetry::plain;
use operation::Operation;
use schemas::Dialect;

/// Largest description.
const MAX_SIZE: usize = 16 << 20;
/// Paths that a request to an unknown one is shown.
const NEAR: usize = 3;
/// Methods that a path item may have.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A description of an API.
#[derive(Debug)]
pub struct Description {
    root: Value,
    dialect: Dialect,
    /// Paths of its servers, without a slash at the end; the empty one too.
    bases: Vec<String>,
    operations: Vec<Operation>,
}

/// Why a description can't be used. Already readable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DescriptionError(String);

/// An operation, and the values of the parameters of its path.
type Found<'a> = (&'a Operation, Vec<(String, String)>);

impl Description {
    /// Reads a description, JSON or YAML. `file`: how it is called in errors.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, file: &str) -> Result<Description, DescriptionError> {
        let failed = |what: String| DescriptionError(format!("{file}: error: {what}"));
        if text.len() > MAX_SIZE {
            return Err(failed(format!("it is larger than {MAX_SIZE} bytes")));
        }
        let root: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| failed(error.to_string()))?
        } else {
            serde_saphyr::from_str(text).map_err(|error| failed(plain(&error.to_string())))?
        };
        let dialect = match (root["openapi"].as_str(), root["swagger"].as_str()) {
            (Some(version), _) if version.starts_with("3.0") => Dialect::OpenApi30,
            (Some(version), _) if version.starts_with("3.") => Dialect::OpenApi31,
            (None, Some("2.0")) => Dialect::Swagger2,
            _ => {
                return Err(failed("it is neither OpenAPI 3.0 or 3.1 nor Swagger 2.0 (no `openapi` or `swagger` that says so)".to_owned()));
            }
        };
        let mut bases: Vec<String> = match dialect {
            Dialect::Swagger2 => root["basePath"].as_str().map(str::to_owned).into_iter().collect(),
            Dialect::OpenApi30 | Dialect::OpenApi31 => {
                let servers = root["servers"].as_array().into_iter().flatten();
                servers.filter_map(|server| server["url"].as_str()).filter_map(base_path).collect()
            }
        };
        bases.iter_mut().for_each(|base| *base = base.trim_end_matches('/').to_owned());
        bases.push(String::new());
        let mut operations = Vec::new();
        for (path, item) in root["paths"].as_object().into_iter().flatten() {
            for method in METHODS {
                if let Some(said) = item.get(method) {
                    operations.push(Operation::new(&root, dialect, method, path, item, said));
                }
            }
        }
        if operations.is_empty() {
            return Err(failed("it describes no operation (`paths` is empty)".to_owned()));
        }
        // What is spelled out comes before what is a parameter.
        operations.sort_by_key(|operation| operation.parameters_in_path());
        Ok(Description { root, dialect, bases, operations })
    }

    /// Origins of its servers that are absolute.
    fn origins(&self) -> Vec<String> {
        let servers = self.root["servers"].as_array().into_iter().flatten().filter_map(|server| server["url"].as_str());
        servers.filter_map(|url| Some(Url::parse(url).ok()?.origin().ascii_serialization())).collect()
    }

    /// The operation of a request, with the values of the parameters of its path; or why there is none.
    fn operation(&self, asked: &Asked) -> Result<Found<'_>, String> {
        let path = asked.url.path();
        let below: Vec<&str> =
            self.bases.iter().filter_map(|base| path.strip_prefix(base.as_str())).filter(|rest| rest.starts_with('/')).collect();
        let fitting =
            || self.operations.iter().filter_map(|operation| Some((operation, below.iter().find_map(|path| operation.fits(path))?)));
        let method = asked.method.to_ascii_lowercase();
        if let Some(found) = fitting().find(|(operation, _)| operation.method == method) {
            return Ok(found);
        }
        let others: Vec<String> = fitting().map(|(operation, _)| operation.method.to_ascii_uppercase()).collect();
        if !others.is_empty() {
            return Err(format!("the path has no {} in the description, only {}", asked.method, others.join(", ")));
        }
        let mut paths: Vec<&str> = self.operations.iter().map(|operation| operation.path.as_str()).collect();
        paths.sort_by_key(|known| std::cmp::Reverse((strsim::jaro_winkler(known, path) * 1000.0) as u32));
        paths.dedup();
        paths.truncate(NEAR);
        Err(format!("the description has no such path; near it are {}", paths.join(", ")))
    }

    /// What is wrong with a request.
    fn refusals(&self, asked: &Asked) -> Vec<String> {
        match self.operation(asked) {
            Ok((operation, in_path)) => operation.refusals(&self.root, self.dialect, asked, &in_path),
            Err(why) => vec![why],
        }
    }

    /// An answer to a request that is as described.
    fn answer(&self, asked: &Asked) -> Response {
        match self.operation(asked) {
            Ok((operation, _)) => operation.answer(&self.root, self.dialect),
            Err(why) => said(404, &json!({ "error": why })),
        }
    }
}

/// What a system's makers describe in one document or several, each with some of its paths.
#[derive(Debug)]
pub struct Descriptions(Vec<Description>);

impl Descriptions {
    /// Those of a system.
    pub fn new(descriptions: Vec<Description>) -> Descriptions {
        Descriptions(descriptions)
    }

    /// Origins of its servers.
    pub fn origins(&self) -> Vec<String> {
        self.0.iter().flat_map(Description::origins).collect()
    }

    /// What is wrong with a request.
    pub fn refusals(&self, asked: &Asked) -> Vec<String> {
        self.of(asked).map(|description| description.refusals(asked)).unwrap_or_default()
    }

    fn answer(&self, asked: &Asked) -> Option<Response> {
        self.of(asked).map(|description| description.answer(asked))
    }

    /// The one that has the operation, else the first.
    fn of(&self, asked: &Asked) -> Option<&Description> {
        self.0.iter().find(|description| description.operation(asked).is_ok()).or_else(|| self.0.first())
    }
}

fn said(status: u16, body: &Value) -> Response {
    Response { status, headers: vec![("content-type".to_owned(), b"application/json".to_vec())], body: body.to_string().into_bytes() }
}

/// The path of a server, which may be relative and have variables.
fn base_path(url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => url.trim_start_matches('/'),
    };
    (!path.contains('{')).then(|| if path.is_empty() { String::new() } else { format!("/{path}") })
}

/// A system that answers from a description.
#[derive(Debug)]
pub struct Described {
    descriptions: Arc<Descriptions>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Vec<String>,
    asked: u32,
    done: BTreeMap<String, u32>,
}

impl Described {
    /// Answers from descriptions.
    pub fn new(descriptions: Arc<Descriptions>) -> Described {
        Described { descriptions, state: Mutex::default() }
    }

    /// Requests that were not as described, each with why.
    pub fn trouble(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    /// How many requests came.
    pub fn asked(&self) -> u32 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked
    }

    fn decide(&self, asked: &Asked) -> Response {
        let refusals = self.descriptions.refusals(asked);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked += 1;
        if refusals.is_empty() {
            if !asked.reads {
                *state.done.entry(identity(asked)).or_default() += 1;
            }
            if let Some(answer) = self.descriptions.answer(asked) {
                return answer;
            }
        }
        for refusal in &refusals {
            state.trouble.push(format!("{} {}: {refusal}", asked.method, plain(asked.url.path())));
        }
        said(400, &json!({ "error": "the request is not as described", "refusals": refusals }))
    }
}

impl FarEnd for Described {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(std::future::ready(Ok(self.decide(&asked))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = r##"
openapi: 3.0.3
info: { title: Stock, version: "1" }
servers: [{ url: https://stock.example/api }]
paths:
  /items/{sku}:
    get:
      parameters:
        - { name: sku, in: path, required: true, schema: { type: string, pattern: "^[A-Z]-[0-9]+$" } }
        - { name: limit, in: query, schema: { type: integer, minimum: 1 } }
      responses:
        200: { description: one, content: { application/json: { schema: { $ref: "#/components/schemas/Item" } } } }
  /movements:
    post:
      requestBody:
        required: true
        content: { application/json: { schema: { $ref: "#/components/schemas/Movement" } } }
      responses:
        "201":
          description: made
          content: { application/json: { schema: { $ref: "#/components/schemas/Movement" }, example: { id: m-1, sku: F-1, quantity: -2 } } }
components:
  schemas:
    Item: { type: object, required: [sku, on_hand], properties: { sku: { type: string }, on_hand: { type: integer, minimum: 0 }, note: { type: string, nullable: true } } }
    Movement:
      type: object
      required: [id, sku, quantity]
      additionalProperties: false
      properties:
        id: { type: string, readOnly: true }
        sku: { type: string }
        quantity: { type: number, minimum: -100, exclusiveMinimum: true }
        reason: { type: string, nullable: true }
"##;

    fn asked(method: &str, url: &str, body: &str) -> Asked {
        let headers =
            if body.is_empty() { Vec::new() } else { vec![("content-type".to_owned(), b"application/json; charset=utf-8".to_vec())] };
        Asked {
            method: method.to_owned(),
            url: Url::parse(url).expect("a URL"),
            headers,
            body: body.as_bytes().to_vec().into(),
            name: None,
            key: None,
            reads: method == "GET",
        }
    }

    #[test]
    fn requests_are_held_against_the_description_and_refusals_are_named() {
        let description = Description::parse(YAML, "stock.yaml").expect("a description");
        for (method, url, body, refusal) in [
            ("GET", "https://stock.example/api/items/F-1?limit=5", "", None),
            ("GET", "https://stock.example/api/items/f1", "", Some("parameter sku (path)")),
            ("GET", "https://stock.example/api/items/F-1?limit=none", "", Some("parameter limit (query)")),
            ("GET", "https://stock.example/api/items/F-1?page=5", "", Some("query parameter page is not described")),
            ("DELETE", "https://stock.example/api/items/F-1", "", Some("no DELETE in the description, only GET")),
            ("GET", "https://stock.example/api/item/F-1", "", Some("near it are /items/{sku}")),
            ("POST", "https://stock.example/api/movements", r#"{"sku":"F-1","quantity":-2,"reason":null}"#, None),
            ("POST", "https://stock.example/api/movements", r#"{"sku":"F-1"}"#, Some("body: `quantity` is missing")),
            ("POST", "https://stock.example/api/movements", r#"{"sku":"F-1","quantity":-100}"#, Some("body/quantity")),
            ("POST", "https://stock.example/api/movements", "", Some("a body is required")),
        ] {
            let refusals = description.refusals(&asked(method, url, body));
            match refusal {
                None => assert!(refusals.is_empty(), "{method} {url}: {refusals:?}"),
                Some(wanted) => assert!(refusals.iter().any(|refusal| refusal.contains(wanted)), "{method} {url}: {refusals:?}"),
            }
        }
    }

    #[test]
    fn answers_are_the_examples_or_what_the_schema_allows() {
        let description = Description::parse(YAML, "stock.yaml").expect("a description");
        let made = description.answer(&asked("POST", "https://stock.example/api/movements", r#"{"sku":"F-1","quantity":-2}"#));
        assert_eq!((made.status, serde_json::from_slice::<Value>(&made.body).expect("JSON")["id"].clone()), (201, json!("m-1")));
        let item = description.answer(&asked("GET", "https://stock.example/api/items/F-1", ""));
        let item: Value = serde_json::from_slice(&item.body).expect("JSON");
        assert!(item["sku"].is_string() && item["on_hand"].is_number(), "{item}");
    }

    #[test]
    fn swagger_2_is_understood_too() {
        let text = r##"{ "swagger": "2.0", "basePath": "/v2", "paths": { "/pets": { "post": {
            "consumes": ["application/json"],
            "parameters": [{ "in": "body", "name": "pet", "required": true, "schema": { "$ref": "#/definitions/Pet" } }],
            "responses": { "200": { "description": "ok", "schema": { "$ref": "#/definitions/Pet" } } } } } },
            "definitions": { "Pet": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } } } }"##;
        let description = Description::parse(text, "pets.json").expect("a description");
        let refusals = |body| description.refusals(&asked("POST", "https://pets.example/v2/pets", body));
        assert!(refusals(r#"{"name":"Rex"}"#).is_empty());
        assert_eq!(refusals("{}"), ["body: `name` is missing"]);
    }
}
