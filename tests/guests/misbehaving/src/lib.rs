//! A plugin that does what no plugin should. It is written against the bare contract, since the SDK would not let it.

use serde_json::{Value, json};

#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, unused_qualifications, rust_2018_idioms, clippy::all)] // generated
mod contract {
    wit_bindgen::generate!({ path: "../../../wit", world: "connector", generate_all });
}

use contract::exports::sangam::connector::{actions, plugin};
use contract::sangam::connector::types::{Failure, Problem};
use contract::sangam::connector::{http, log};

/// What it does, one action each.
const ACTIONS: &[&str] = &[
    "trap",
    "loop",
    "allocate",
    "recurse",
    "not-json",
    "huge-output",
    "log-flood",
    "many-calls",
    "request",
    "bad-event",
    "escapes",
    "fine",
    // An action that `scripted` has too: a new version of it, with a mistake.
    "run",
];

struct Misbehaving;

impl plugin::Guest for Misbehaving {
    fn describe() -> String {
        let actions: Vec<Value> = ACTIONS.iter().map(|name| json!({ "name": name, "title": name, "input": {}, "output": {} })).collect();
        json!({
            "name": "misbehaving",
            "version": env!("CARGO_PKG_VERSION"),
            "title": "Misbehaving",
            "configuration": { "type": "object" },
            "actions": actions,
        })
        .to_string()
    }
}

impl actions::Guest for Misbehaving {
    fn invoke(action: String, input: String, _context: String) -> Result<actions::Output, Failure> {
        let input: Value = serde_json::from_str(&input).unwrap_or_default();
        let number = |name: &str| input[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        let output = |data: String| actions::Output { data, events: Vec::new() };
        Ok(match action.as_str() {
            "trap" | "run" => panic!("on purpose"),
            "loop" => loop {
                std::hint::black_box(());
            },
            "allocate" => {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                loop {
                    kept.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            "recurse" => output(recurse(1).to_string()),
            "not-json" => output("{ this is not JSON".to_owned()),
            "huge-output" => output(json!("x".repeat(number("bytes"))).to_string()),
            "log-flood" => {
                let line = "x".repeat(number("bytes"));
                for _ in 0..number("lines") {
                    log::log(log::Level::Info, &line, &[]);
                    println!("{line}");
                }
                output("true".to_owned())
            }
            "many-calls" => output(json!((0..number("count")).map(|_| request(&input)).collect::<Vec<_>>()).to_string()),
            "request" => output(request(&input).to_string()),
            "bad-event" => actions::Output { data: "null".to_owned(), events: vec!["{ this is not JSON".to_owned()] },
            "escapes" => {
                return Err(Failure::Rejected(Problem {
                    reason: "\u{1b}[31mred\u{1b}[0m\u{7}".to_owned(),
                    after_ms: None,
                    details: Some("{ this is not JSON".to_owned()),
                }));
            }
            _ => output(json!({ "fine": input }).to_string()),
        })
    }
}

/// Frames of locals only, so that the engine's stack ends before the one that the compiler keeps in memory.
fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX { 0 } else { std::hint::black_box(recurse(depth + 1)) + depth }
}

/// What came of a request, in the contract's words: `{"status"}` or `{"error", "why"}`.
fn request(input: &Value) -> Value {
    let text = |name: &str| input[name].as_str().map(str::to_owned);
    let headers = input["headers"].as_object().into_iter().flatten();
    let answer = http::send(&http::Request {
        method: text("method").unwrap_or_else(|| "GET".to_owned()),
        url: text("url").unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").as_bytes().to_vec())).collect(),
        body: text("body").unwrap_or_default().into_bytes(),
        timeout_ms: None,
        name: text("name"),
        read_only: input["read_only"] == true,
    });
    let (error, why) = match answer {
        Ok(response) => return json!({ "status": response.status, "body": String::from_utf8_lossy(&response.body) }),
        Err(http::Error::Denied(why)) => ("denied", why),
        Err(http::Error::InvalidRequest(why)) => ("invalid-request", why),
        Err(http::Error::NameUsed(why)) => ("name-used", why),
        Err(http::Error::Timeout(why)) => ("timeout", why),
        Err(http::Error::Connection(why)) => ("connection", why),
        Err(http::Error::ResponseTooLarge(limit)) => ("response-too-large", limit.to_string()),
        Err(http::Error::TooManyCalls(limit)) => ("too-many-calls", limit.to_string()),
        Err(http::Error::Unavailable(why)) => ("unavailable", why),
        Err(http::Error::Other(why)) => ("other", why),
    };
    json!({ "error": error, "why": why })
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)] // the generated exports of the canonical ABI
const _: () = {
    contract::export!(Misbehaving with_types_in contract);
};
