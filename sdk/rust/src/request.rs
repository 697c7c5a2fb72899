use std::{fmt::Display, time::Duration};

use serde::Serialize;

use crate::{
    Failure, Response,
    bindings::http,
    imports,
    url::{push_pair, without_query},
};

/// A request that is not named yet. A write has a name, which stands for it on every attempt; within a loop the name
/// holds the record's own id (`note/4711`), never its position.
///
/// ```
/// # use sangam_sdk::prelude::*;
/// # fn f(cx: &Context<()>) -> Result<(), Failure> {
/// cx.post("https://api.example/invoices").name("invoice").json(&json!({ "amount": "10.10" })).send()?.ok()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a write is sent once it is named: .name(…) … .send()?"]
pub struct Write(Request);

impl Write {
    /// A request with any method, in upper case.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self(Request::new(method, url.into()))
    }

    /// What this write is called among those of its step; at most 256 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Request {
        self.0.wire.name = Some(name.into());
        self.0
    }

    /// This request only reads, although its method is a writing one. It goes out on every attempt. The administrator
    /// has to agree: list it in [`Plugin::READ_ONLY`](crate::Plugin::READ_ONLY).
    pub fn read_only(mut self) -> Request {
        self.0.wire.read_only = true;
        self.0
    }

    /// Leaves the write without a name. It is then known by its method, URL and body, which must come out the same on
    /// every attempt, or the run is dead as `diverged`.
    pub fn unnamed(self) -> Request {
        self.0
    }
}

/// A request, ready to be sent. The host attaches credential and idempotency key, and follows no redirect.
#[derive(Debug)]
#[must_use = "a request goes out with .send()?"]
pub struct Request {
    wire: http::Request,
    /// What went wrong while it was put together; told by `send`, so that building reads in one breath.
    broken: Option<Failure>,
}

impl Request {
    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url.into())
    }

    fn new(method: &str, url: String) -> Self {
        Self {
            wire: http::Request {
                method: method.to_owned(),
                url,
                headers: Vec::new(),
                body: Vec::new(),
                timeout_ms: None,
                name: None,
                read_only: false,
            },
            broken: None,
        }
    }

    /// Adds `name=value` to the query, percent-encoded.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.wire.url.push(if self.wire.url.contains('?') { '&' } else { '?' });
        push_pair(&mut self.wire.url, name, &value.to_string());
        self
    }

    /// Sets a header, in place of one of that name.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.wire.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self.wire.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The body as JSON, and its content type unless one is set.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.wire.body = body,
            Err(error) => self.broken = Some(error.into()),
        }
        self.content_type("application/json")
    }

    /// The body as a form, and its content type unless one is set.
    pub fn form<K: AsRef<str>, V: AsRef<str>>(mut self, fields: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut body = String::new();
        for (name, value) in fields {
            if !body.is_empty() {
                body.push('&');
            }
            push_pair(&mut body, name.as_ref(), value.as_ref());
        }
        self.wire.body = body.into_bytes();
        self.content_type("application/x-www-form-urlencoded")
    }

    /// The body as text, and its content type (`text/plain`) unless one is set.
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.wire.body = body.into().into_bytes();
        self.content_type("text/plain; charset=utf-8")
    }

    /// The body as it is; say in a header what it is.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.wire.body = body.into();
        self
    }

    /// For the whole exchange. Without one: what is left of the call's time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.wire.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Sends it and waits for the whole answer, of whatever status. [`Response::ok`] judges it.
    ///
    /// # Errors
    /// Where there is no answer: rejected if policy or the request itself forbids it, else retry. A write is then in
    /// doubt, and goes again under the same key on the next attempt.
    pub fn send(self) -> Result<Response, Failure> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let to = format!("{} {}", self.wire.method, without_query(&self.wire.url));
        match imports::send(&self.wire) {
            Ok(response) => Ok(Response { status: response.status, headers: response.headers, body: response.body, to }),
            Err(error) => Err(unanswered(&to, error)),
        }
    }

    fn content_type(mut self, value: &str) -> Self {
        if !self.wire.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            self.wire.headers.push(("content-type".to_owned(), value.as_bytes().to_vec()));
        }
        self
    }
}

fn unanswered(to: &str, error: http::Error) -> Failure {
    use http::Error::*;
    match error {
        Denied(why) => Failure::rejected(format!("{to} is not allowed: {why}")),
        InvalidRequest(why) => Failure::rejected(format!("{to} is no valid request: {why}")),
        NameUsed(name) => Failure::rejected(format!("{to}: this step has already written `{name}`; each write needs its own name")),
        TooManyCalls(limit) => Failure::rejected(format!("{to} would be more than the {limit} requests of one call (`http-calls`)")),
        Timeout(why) => Failure::retry(format!("{to} was not answered in time: {why}")),
        Connection(why) => Failure::retry(format!("{to} failed: {why}")),
        ResponseTooLarge(limit) => Failure::retry(format!("{to} was answered with more than {limit} bytes (`response-size`)")),
        Unavailable(why) | Other(why) => Failure::retry(format!("{to} was not sent: {why}")),
    }
}
