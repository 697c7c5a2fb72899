//! `wasi:http` piece by piece, in whatever way the input says, which no client would.

use serde_json::{Value, json};

#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, unused_qualifications, rust_2018_idioms, clippy::all)] // generated
mod wasi {
    wit_bindgen::generate!({ path: "../../../host/wasi", world: "http", generate_all });
}

use wasi::wasi::http::outgoing_handler;
use wasi::wasi::http::types::{ErrorCode, Fields, HeaderError, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme};
use wasi::wasi::io::streams::StreamError;

/// `{"status", "headers", "body", "chunks"}` of the answer or `{"error"}`, and `refused`: the pieces that were.
///
/// Input: `method`, `scheme`, `authority`, `path`, `headers` as pairs, `body`, `times` (as often as it is written; 1), `chunk` (bytes read at a time),
/// `timeout` in milliseconds, `end` of the body: `finish` (default), `trailers`, `drop`, `never`, `none` (no body is begun), `first` (finished before
/// the request is handed over), `forget` (nobody waits for the answer).
pub(crate) fn fetch(input: &Value) -> Value {
    let mut refused = Vec::new();
    let mut result = match exchange(input, &mut refused) {
        Ok(answer) => answer,
        Err(code) => json!({ "error": format!("{code:?}") }),
    };
    result["refused"] = json!(refused);
    result
}

fn exchange(input: &Value, refused: &mut Vec<String>) -> Result<Value, ErrorCode> {
    let text = |name: &str| input[name].as_str();
    let number = |name: &str| input[name].as_u64();
    let fields = Fields::new();
    for pair in input["headers"].as_array().into_iter().flatten() {
        let (name, value) = (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default());
        match fields.append(name, value.as_bytes()) {
            Ok(()) => {}
            Err(HeaderError::Forbidden) => refused.push(format!("{name}: forbidden")),
            Err(_) => refused.push(format!("{name}: invalid")),
        }
    }
    let request = OutgoingRequest::new(fields);
    let mut piece = |name: &str, done: Result<(), ()>| {
        if done.is_err() {
            refused.push(name.to_owned());
        }
    };
    piece("method", request.set_method(&Method::Other(text("method").unwrap_or("GET").to_owned())));
    let scheme = match text("scheme") {
        None | Some("http") => Scheme::Http,
        Some(other) => Scheme::Other(other.to_owned()),
    };
    piece("scheme", request.set_scheme(Some(&scheme)));
    piece("authority", request.set_authority(text("authority")));
    piece("path", request.set_path_with_query(text("path")));
    if request.headers().append("x", b"y").is_ok() {
        piece("frozen headers could be changed", Err(()));
    }
    let options = number("timeout").map(|timeout| {
        let options = RequestOptions::new();
        let _ = options.set_first_byte_timeout(Some(timeout * 1_000_000));
        options
    });
    let end = text("end").unwrap_or("finish");
    let mut body = (end != "none").then(|| request.body().expect("a request has one body"));
    if end == "first" {
        let body = body.take().expect("it was begun");
        write(&body, input);
        OutgoingBody::finish(body, None)?;
    }
    let mut future = Some(outgoing_handler::handle(request, options)?);
    if let Some(body) = body {
        write(&body, input);
        if end == "forget" {
            future = None;
        }
        match end {
            "drop" => drop(body),
            // Waits for what can't come.
            "never" => future.as_ref().expect("it is kept").subscribe().block(),
            "trailers" => {
                let trailers = Fields::new();
                trailers.append("x-after", b"smuggled").expect("a header");
                OutgoingBody::finish(body, Some(trailers))?;
            }
            _ => OutgoingBody::finish(body, None)?,
        }
    }
    let Some(future) = future else { return Ok(json!({ "forgotten": true })) };
    future.subscribe().block();
    let response = future.get().expect("it is there").expect("it is taken once")?;
    assert!(future.get().is_some_and(|again| again.is_err()), "an answer is taken once");
    let headers: Vec<(String, String)> = response.headers().entries().into_iter().map(|(name, value)| (name, lossy(&value))).collect();
    let incoming = response.consume().expect("a response has one body");
    assert!(response.consume().is_err(), "a body is taken once");
    let (mut all, mut chunks) = (Vec::new(), 0);
    {
        let stream = incoming.stream().expect("a body has one stream");
        loop {
            match stream.blocking_read(number("chunk").unwrap_or(u64::MAX)) {
                Ok(chunk) => {
                    all.extend(chunk);
                    chunks += 1;
                }
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(_)) => return Err(ErrorCode::HttpResponseIncomplete),
            }
        }
    }
    Ok(json!({ "status": response.status(), "headers": headers, "body": lossy(&all), "length": all.len(), "chunks": chunks }))
}

fn write(body: &OutgoingBody, input: &Value) {
    let stream = body.write().expect("a body has one stream");
    assert!(body.write().is_err(), "a stream is taken once");
    let text = input["body"].as_str().unwrap_or_default();
    for _ in 0..input["times"].as_u64().unwrap_or(1) {
        for chunk in text.as_bytes().chunks(4096) {
            stream.blocking_write_and_flush(chunk).expect("it is taken");
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
