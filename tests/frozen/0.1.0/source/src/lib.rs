//! A plugin of contract 0.1.0, frozen: it uses all that the contract has, and nothing else. No SDK is in it, and no JSON library: what it is given goes
//! into its answers as it came.

wit_bindgen::generate!({ path: "../wit", world: "duplex", generate_all });

use exports::sangam::connector::{actions, events, plugin};
use sangam::connector::types::{Failure, Problem};
use sangam::connector::{http, key_value, log};

struct Frozen;

export!(Frozen);

const DESCRIPTOR: &str = r#"{
  "name": "frozen", "version": "0.1.0", "title": "Frozen guest of contract 0.1.0",
  "configuration": { "type": "object" },
  "hosts": ["${base-url}"], "emits": ["frozen.*"],
  "actions": [
    { "name": "write", "title": "Write", "input": { "type": "object" }, "output": { "type": "object" }, "undo": "unwrite" },
    { "name": "unwrite", "title": "Take the write back", "input": { "type": "object" }, "output": { "type": "object" }, "idempotent": true },
    { "name": "read", "title": "Read", "input": { "type": "object" }, "output": { "type": "object" } },
    { "name": "keep", "title": "Use every function of key-value", "input": { "type": "object" }, "output": { "type": "object" } },
    { "name": "say", "title": "Log at every level", "input": { "type": "object" }, "output": { "type": "object" } },
    { "name": "emit", "title": "Bring in an event", "input": { "type": "object" }, "output": { "type": "object" } },
    { "name": "fail", "title": "Fail as the input says", "input": { "type": "object" }, "output": { "type": "object" } },
    { "name": "tell", "title": "Give back input and context", "input": { "type": "object" }, "output": { "type": "object" } }
  ],
  "streams": [{ "name": "things", "title": "Things", "poll": true, "receive": true, "types": ["frozen.thing"] }]
}"#;

impl plugin::Guest for Frozen {
    fn describe() -> String {
        DESCRIPTOR.to_owned()
    }
}

impl actions::Guest for Frozen {
    fn invoke(action: String, input: String, context: String) -> Result<actions::Output, Failure> {
        let data = match action.as_str() {
            "write" => send("POST", &text(&input, "url"), "write", b"{\"a\":1}")?,
            // The input of an undo has that of the action within it.
            "unwrite" => send("DELETE", &text(&input, "url"), "unwrite", b"")?,
            "read" => send("GET", &text(&input, "url"), "", b"")?,
            "keep" => keep()?,
            "say" => say(),
            "emit" => {
                let event = r#"{"specversion":"1.0","type":"frozen.thing","data":{"n":1}}"#;
                return Ok(actions::Output { data: "{}".to_owned(), events: vec![event.to_owned()] });
            }
            "fail" => return Err(failure(&text(&input, "kind"))),
            "tell" => format!(r#"{{"input":{input},"context":{context}}}"#),
            other => return Err(Failure::Rejected(problem(&format!("no action {other}")))),
        };
        Ok(actions::Output { data, events: Vec::new() })
    }
}

impl events::Guest for Frozen {
    fn poll(_stream: String, cursor: Option<String>, _limit: u32, _context: String) -> Result<events::Page, Failure> {
        let event = r#"{"specversion":"1.0","id":"1","type":"frozen.thing","time":"2026-01-01T00:00:00Z","data":{"n":1}}"#;
        let first = cursor.is_none();
        Ok(events::Page {
            events: if first { vec![event.to_owned()] } else { Vec::new() },
            next_cursor: Some("\"1\"".to_owned()),
            more: false,
            set_aside: vec![events::RejectedRecord { data: "{\"n\":null}".to_owned(), reason: "no number".to_owned() }],
        })
    }

    fn receive(_stream: String, request: events::InboundRequest, _context: String) -> Result<events::Received, Failure> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let event = format!(r#"{{"specversion":"1.0","id":"2","type":"frozen.thing","time":"2026-01-01T00:00:00Z","data":{body}}}"#);
        let response = events::InboundResponse { status: 202, headers: vec![("x-frozen".to_owned(), b"1".to_vec())], body: b"taken".to_vec() };
        Ok(events::Received { events: vec![event], response })
    }
}

fn send(method: &str, url: &str, name: &str, body: &[u8]) -> Result<String, Failure> {
    let key = if name.is_empty() { String::new() } else { http::key(name) };
    let answer = http::send(&http::Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: vec![("x-frozen".to_owned(), b"\xe4".to_vec())],
        body: body.to_vec(),
        timeout_ms: Some(10_000),
        name: (!name.is_empty()).then(|| name.to_owned()),
        read_only: false,
    });
    match answer {
        Ok(answer) if answer.status < 400 => Ok(format!(r#"{{"status":{},"key":"{key}","headers":{}}}"#, answer.status, answer.headers.len())),
        Ok(answer) => Err(Failure::Retry(problem(&format!("answered {}", answer.status)))),
        Err(error) => {
            let case = match error {
                http::Error::Denied(_) => "denied",
                http::Error::InvalidRequest(_) => "invalid-request",
                http::Error::NameUsed(_) => "name-used",
                http::Error::Timeout(_) => "timeout",
                http::Error::Connection(_) => "connection",
                http::Error::ResponseTooLarge(_) => "response-too-large",
                http::Error::TooManyCalls(_) => "too-many-calls",
                http::Error::Unavailable(_) => "unavailable",
                http::Error::Other(_) => "other",
            };
            Err(Failure::Rejected(problem(&format!("no answer: {case}"))))
        }
    }
}

fn keep() -> Result<String, Failure> {
    let failed = |error: key_value::Error| {
        let case = match error {
            key_value::Error::NotClaimed(_) => "not-claimed",
            key_value::Error::TooLarge(_) => "too-large",
            key_value::Error::Full(_) => "full",
            key_value::Error::Invalid(_) => "invalid",
            key_value::Error::Unavailable(_) => "unavailable",
            key_value::Error::Other(_) => "other",
        };
        Failure::Rejected(problem(case))
    };
    let before = key_value::get("k/text").map_err(failed)?.is_some();
    key_value::set("k/text", b"kept").map_err(failed)?;
    let sum = key_value::increment("k/sum", 5).map_err(failed)?;
    let swapped = key_value::compare_and_swap("k/swap", None, b"1").map_err(failed)?;
    let again = key_value::compare_and_swap("k/swap", None, b"2").map_err(failed)?;
    key_value::set("k/gone", b"x").map_err(failed)?;
    key_value::delete("k/gone").map_err(failed)?;
    let page = key_value::list("k/", None, 2).map_err(failed)?;
    let rest = key_value::list("k/", page.next_cursor.as_deref(), 2).map_err(failed)?;
    let keys: Vec<String> = page.keys.iter().chain(&rest.keys).map(|key| format!("\"{key}\"")).collect();
    Ok(format!(r#"{{"before":{before},"sum":{sum},"swapped":{swapped},"again":{again},"keys":[{}]}}"#, keys.join(",")))
}

fn say() -> String {
    use log::Level::*;
    for level in [Trace, Debug, Info, Warn, Error] {
        log::log(level, "said", &[("field".to_owned(), "value".to_owned())]);
    }
    "{}".to_owned()
}

fn failure(kind: &str) -> Failure {
    let problem = Problem { after_ms: Some(10), details: Some("{\"code\":7}".to_owned()), ..problem("as asked") };
    match kind {
        "retry" => Failure::Retry(problem),
        "rate-limited" => Failure::RateLimited(problem),
        "unauthorized" => Failure::Unauthorized(problem),
        _ => Failure::Rejected(problem),
    }
}

fn problem(reason: &str) -> Problem {
    Problem { reason: reason.to_owned(), after_ms: None, details: None }
}

/// The value of a text without escapes, wherever it stands.
fn text(json: &str, name: &str) -> String {
    let rest = json.split_once(&format!("\"{name}\"")).map(|(_, rest)| rest.trim_start().trim_start_matches(':').trim_start());
    rest.and_then(|rest| rest.strip_prefix('"')).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}
