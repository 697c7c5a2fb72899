//! The verb `fetch`: what a language's usual HTTP client does, over bare `wasi:http`.

use sangam_sdk::prelude::*;

#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, unused_qualifications, rust_2018_idioms, clippy::all)] // generated
mod wasi {
    wit_bindgen::generate!({ path: "../../../host/wasi", world: "http", generate_all });
}

use wasi::wasi::http::outgoing_handler;
use wasi::wasi::http::types::{ErrorCode, Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasi::wasi::io::streams::StreamError;

/// Bytes that are written and read at a time: less than a body of a test has.
const CHUNK: usize = 1000;

/// A request in the words of a script.
pub(crate) struct Fetch<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    /// `Sangam-Effect-Name`.
    pub(crate) name: Option<&'a str>,
    /// `Sangam-Effect: read`.
    pub(crate) reads: bool,
    /// Sent as JSON, unless it is null.
    pub(crate) body: &'a Value,
}

/// Status, and body as JSON.
pub(crate) fn fetch(fetch: &Fetch<'_>) -> Result<Value, String> {
    let (status, body) = exchange(fetch).map_err(|code| format!("{code:?}"))?;
    Ok(json!({ "status": status, "body": serde_json::from_slice::<Value>(&body).unwrap_or_default() }))
}

fn exchange(fetch: &Fetch<'_>) -> Result<(u16, Vec<u8>), ErrorCode> {
    let (scheme, rest) = fetch.url.split_once("://").unwrap_or(("https", fetch.url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let fields = Fields::new();
    let header = |name: &str, value: &str| fields.append(name, value.as_bytes()).expect("a header of the script is one");
    if let Some(name) = fetch.name {
        header("Sangam-Effect-Name", name);
    }
    if fetch.reads {
        header("Sangam-Effect", "read");
    }
    let body = if fetch.body.is_null() { Vec::new() } else { fetch.body.to_string().into_bytes() };
    if !body.is_empty() {
        header("Content-Type", "application/json");
        header("Content-Length", &body.len().to_string());
    }
    let request = OutgoingRequest::new(fields);
    let part = |done: Result<(), ()>, code: ErrorCode| done.map_err(|()| code);
    let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
    part(request.set_method(&Method::Other(fetch.method.to_owned())), ErrorCode::HttpRequestMethodInvalid)?;
    part(request.set_scheme(Some(&scheme)), ErrorCode::HttpRequestUriInvalid)?;
    part(request.set_authority(Some(authority)), ErrorCode::HttpRequestUriInvalid)?;
    part(request.set_path_with_query(Some(path)), ErrorCode::HttpRequestUriInvalid)?;
    // As clients do: the request is handed over first, then its body is written.
    let outgoing = request.body().expect("a request has one body");
    let future = outgoing_handler::handle(request, None)?;
    {
        let stream = outgoing.write().expect("a body has one stream");
        for chunk in body.chunks(CHUNK) {
            stream.blocking_write_and_flush(chunk).map_err(|_| ErrorCode::HttpProtocolError)?;
        }
    }
    OutgoingBody::finish(outgoing, None)?;
    future.subscribe().block();
    let response = future.get().expect("it is there").expect("it is taken once")?;
    let incoming = response.consume().expect("a response has one body");
    let mut body = Vec::new();
    {
        let stream = incoming.stream().expect("a body has one stream");
        loop {
            match stream.blocking_read(CHUNK as u64) {
                Ok(chunk) => body.extend(chunk),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(_)) => return Err(ErrorCode::HttpResponseIncomplete),
            }
        }
    }
    drop(IncomingBody::finish(incoming));
    Ok((response.status(), body))
}
