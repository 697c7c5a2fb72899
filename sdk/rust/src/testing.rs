//! Tests of a connector with plain `cargo test`: no component, no host, a system that your test scripts.
//!
//! ```
//! # use sangam_sdk::prelude::*;
//! # #[derive(Deserialize, JsonSchema)] struct Greet { name: String }
//! # struct Greeter;
//! # impl Plugin for Greeter { type Config = Value; const NAME: &'static str = "greeter"; const TITLE: &'static str = "Greeter"; }
//! # impl Connector for Greeter { fn actions(a: &mut Actions<Self>) { a.action("greet", "Greet", greet); } }
//! # fn greet(input: Greet, cx: &Context<Value>) -> Result<Value, Failure> {
//! #     cx.post("https://a.example/greetings").name("greeting").json(&json!({ "to": input.name })).send()?.ok()?.json()
//! # }
//! use sangam_sdk::testing::{self, Host};
//!
//! let output = testing::run::<Greeter>("greet", json!({ "name": "Ada" }), json!({}), |request| {
//!     assert_eq!(request.json(), json!({ "to": "Ada" }));
//!     testing::json(201, json!({ "id": 1 }))
//! });
//! assert_eq!(output, Ok(json!({ "id": 1 })));
//!
//! // With more to set and to see:
//! let mut host = Host::new(|_| testing::text(503, "come back later"));
//! assert!(host.invoke::<Greeter>("greet", json!({ "name": "Ada" })).is_err());
//! host.attempt = 2;
//! assert!(host.invoke::<Greeter>("greet", json!({ "name": "Ada" })).is_err());
//! assert_eq!(host.sent[0].key, host.sent[1].key);
//! ```

mod host;
pub(crate) mod imports;

use serde_json::Value;

pub use crate::bindings::{http::Error as NoAnswer, log::Level};
pub use host::Host;

use crate::{Connector, Failure, Response};

/// Does one action once against a scripted system, and gives its output.
pub fn run<P: Connector>(
    action: &str,
    input: Value,
    config: Value,
    answer: impl FnMut(&Sent) -> Response + 'static,
) -> Result<Value, Failure> {
    let mut host = Host::new(answer);
    host.config = config;
    host.invoke::<P>(action, input)
}

/// A request that left the connector.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sent {
    /// In upper case.
    pub method: String,
    /// With its query.
    pub url: String,
    /// As the connector set them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As it went out.
    pub body: Vec<u8>,
    /// The name of the write.
    pub name: Option<String>,
    /// The idempotency key of a named write.
    pub key: Option<String>,
    /// Marked as only reading.
    pub read_only: bool,
}

impl Sent {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The URL without scheme, host and query.
    pub fn path(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let path = &rest[rest.find('/').unwrap_or(rest.len())..];
        path.split('?').next().unwrap_or_default()
    }

    /// A value of the query, as it is in the URL.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.url.split_once('?')?;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(present, _)| *present == name).map(|(_, value)| value)
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(present, _)| present.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    fn writes(&self) -> bool {
        !self.read_only && !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// What happened.
    pub message: String,
    /// With what.
    pub fields: Vec<(String, String)>,
}

/// What a scripted system may say: a [`Response`], or that there is none.
pub trait Answer {
    /// As the host would tell it.
    fn answer(self) -> Result<Response, NoAnswer>;
}

impl Answer for Response {
    fn answer(self) -> Result<Response, NoAnswer> {
        Ok(self)
    }
}

impl Answer for NoAnswer {
    fn answer(self) -> Result<Response, NoAnswer> {
        Err(self)
    }
}

impl Answer for Result<Response, NoAnswer> {
    fn answer(self) -> Result<Response, NoAnswer> {
        self
    }
}

/// An answer with a JSON body.
pub fn json(status: u16, body: Value) -> Response {
    response(status, &[("content-type", "application/json")], body.to_string())
}

/// An answer with a body of text.
pub fn text(status: u16, body: &str) -> Response {
    response(status, &[("content-type", "text/plain")], body)
}

/// An answer.
pub fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Response {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    Response { status, headers, body: body.into(), to: String::new() }
}

/// The key that [`Host`] gives to the write of that name: 36 characters, like a real one.
pub fn key(name: &str) -> String {
    let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)); // FNV-1a
    format!("00000000-0000-5000-8000-{:012x}", digest & 0xffff_ffff_ffff)
}
