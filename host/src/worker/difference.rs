//! What a write would be now against what was sent then, part by part.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::attempt::{WouldSend, recorded_headers};
use crate::store::EffectRow;

/// Most changes that are listed.
const MAX_CHANGES: usize = 200;
/// Largest body that is shown; of a larger one its digest is.
const MAX_SHOWN_BODY: usize = 64 << 10;

/// The write of a line that `now` is another sending of: the one known by the same identity, or, for one without a name, the last to the same
/// method and path.
pub(super) fn counterpart<'a>(now: &WouldSend, sent: &'a [EffectRow]) -> Option<&'a EffectRow> {
    let path = |url: &str| Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().to_owned());
    let same = sent.iter().filter(|row| row.id.identity == now.identity).max_by_key(|row| row.id.generation);
    let alike = || sent.iter().rfind(|row| row.name.is_none() && row.method == now.method && path(&row.url) == path(&now.url));
    same.or_else(|| if now.name.is_none() { alike() } else { None })
}

/// The difference as shown: what it is against, and every change with what stood there then and what stands there now. A side that has nothing there
/// is left out.
pub(super) fn difference(then: &EffectRow, now: &WouldSend) -> Value {
    let mut changes = Vec::new();
    if then.method != now.method {
        changes.push(change("method", "", Some(json!(then.method)), Some(json!(now.method))));
    }
    if then.url != now.url {
        changes.push(change("url", "", Some(json!(then.url)), Some(json!(now.url))));
    }
    headers(then, now, &mut changes);
    body(then, now, &mut changes);
    let more = changes.len().saturating_sub(MAX_CHANGES);
    changes.truncate(MAX_CHANGES);
    json!({
        "against": {
            "run": then.run,
            "attempt": then.attempt,
            "sent_at": then.started_at.to_string(),
            "state": then.state.as_str(),
            "status": then.status,
            "key": then.key,
        },
        "changes": changes,
        "more_changes": more,
    })
}

/// A body as shown: as JSON where it is that, as text where it is that, and otherwise, or where it is large, as its size and digest.
pub(super) fn shown_body(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    match std::str::from_utf8(body) {
        Ok(text) if body.len() <= MAX_SHOWN_BODY => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        _ => json!({ "bytes": body.len(), "digest": digest(&Sha256::digest(body)) }),
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn change(part: &str, path: &str, then: Option<Value>, now: Option<Value>) -> Value {
    let mut change = json!({ "part": part, "path": path });
    if let Some(then) = then {
        change["then"] = then;
    }
    if let Some(now) = now {
        change["now"] = now;
    }
    change
}

fn headers(then: &EffectRow, now: &WouldSend, changes: &mut Vec<Value>) {
    let named = |headers: &[(String, Vec<u8>)]| -> std::collections::BTreeMap<String, String> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let mut named = std::collections::BTreeMap::new();
        for (name, value) in headers {
            let all: &mut String = named.entry(name.to_ascii_lowercase()).or_default();
            if !all.is_empty() {
                all.push_str(", ");
            }
            all.push_str(&text(value));
        }
        named
    };
    // What can't be read was not written by this version; the rest of the difference says enough.
    let (then, now) = (named(&recorded_headers(&then.request_headers).unwrap_or_default()), named(&now.headers));
    let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    for name in names.into_iter().filter(|name| then.get(*name) != now.get(*name)) {
        changes.push(change("header", name, then.get(name).map(|value| json!(value)), now.get(name).map(|value| json!(value))));
    }
}

fn body(then: &EffectRow, now: &WouldSend, changes: &mut Vec<Value>) {
    let after: [u8; 32] = Sha256::digest(&now.body).into();
    if then.request_digest == after {
        return;
    }
    let Some(before) = &then.request_body else {
        let kept = json!({ "digest": then.body_digest(), "kept": "by digest alone: it was too large" });
        changes.push(change("body", "", Some(kept), Some(shown_body(&now.body))));
        return;
    };
    match (serde_json::from_slice::<Value>(before), serde_json::from_slice::<Value>(&now.body)) {
        (Ok(before), Ok(after)) => values(Some(&before), Some(&after), &mut String::new(), changes),
        _ => changes.push(change("body", "", Some(shown_body(before)), Some(shown_body(&now.body)))),
    }
}

/// Walks both values; the path is a JSON pointer (RFC 6901).
fn values(then: Option<&Value>, now: Option<&Value>, path: &mut String, changes: &mut Vec<Value>) {
    // One more than is listed, so that it is known that there are more.
    if then == now || changes.len() > MAX_CHANGES {
        return;
    }
    let mut at = |segment: &str, then: Option<&Value>, now: Option<&Value>| {
        let length = path.len();
        path.push('/');
        path.push_str(&segment.replace('~', "~0").replace('/', "~1"));
        values(then, now, path, changes);
        path.truncate(length);
    };
    match (then, now) {
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            for (name, value) in then {
                at(name, Some(value), now.get(name));
            }
            for (name, value) in now.iter().filter(|(name, _)| !then.contains_key(*name)) {
                at(name, None, Some(value));
            }
        }
        (Some(Value::Array(then)), Some(Value::Array(now))) => {
            for index in 0..then.len().max(now.len()) {
                at(&index.to_string(), then.get(index), now.get(index));
            }
        }
        _ => changes.push(change("body", path, then.cloned(), now.cloned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{EffectId, EffectState};

    fn sent(name: Option<&str>, url: &str, headers: &str, body: &str) -> EffectRow {
        let row = EffectRow::of_a_run("root", "run", jiff::Timestamp::UNIX_EPOCH);
        EffectRow {
            id: EffectId { identity: name.map_or("u:1".to_owned(), |name| format!("n:{name}")), ..row.id },
            name: name.map(str::to_owned),
            url: url.to_owned(),
            request_headers: headers.to_owned(),
            request_body: Some(body.as_bytes().to_vec()),
            request_digest: Sha256::digest(body.as_bytes()).to_vec(),
            state: EffectState::Done,
            status: Some(200),
            ..row
        }
    }

    fn now(name: Option<&str>, url: &str, headers: &[(&str, &str)], body: &str) -> WouldSend {
        WouldSend {
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
            body: body.as_bytes().to_vec(),
            name: name.map(str::to_owned),
            key: None,
            identity: name.map_or("u:2".to_owned(), |name| format!("n:{name}")),
            diverged: None,
        }
    }

    const URL: &str = "https://books.example/invoice";

    #[test]
    fn bodies_are_compared_by_path() {
        let cases = [
            (r#"{"a":1,"b":[1,2]}"#, r#"{"b":[1,2],"a":1}"#, vec![]),
            (r#"{"a":1.10}"#, r#"{"a":1.1}"#, vec![r#"{"now":1.1,"part":"body","path":"/a","then":1.10}"#]),
            (r#"{"a":{"b/c":1}}"#, r#"{"a":{"b/c":null}}"#, vec![r#"{"now":null,"part":"body","path":"/a/b~1c","then":1}"#]),
            (
                r#"{"gone":true,"l":[1]}"#,
                r#"{"l":[1,{"new":0}]}"#,
                vec![r#"{"part":"body","path":"/gone","then":true}"#, r#"{"now":{"new":0},"part":"body","path":"/l/1"}"#],
            ),
            ("text", "other", vec![r#"{"now":"other","part":"body","path":"","then":"text"}"#]),
            ("[1]", "{}", vec![r#"{"now":{},"part":"body","path":"","then":[1]}"#]),
        ];
        for (before, after, wanted) in cases {
            let shown = difference(&sent(Some("w"), URL, "[]", before), &now(Some("w"), URL, &[], after));
            let wanted: Vec<Value> = wanted.iter().map(|text| serde_json::from_str(text).expect("a change of a test")).collect();
            assert_eq!(shown["changes"], Value::Array(wanted), "{before} {after}");
        }
    }

    #[test]
    fn url_method_and_headers_are_compared() {
        let then = sent(Some("w"), URL, r#"[["Content-Type","application/json"],["x-old","1"]]"#, "{}");
        let mut after = now(Some("w"), "https://books.example/invoice?v=2", &[("content-type", "application/json"), ("x-new", "2")], "{}");
        after.method = "PUT".to_owned();
        let shown = difference(&then, &after);
        let parts: Vec<(&str, &str)> = shown["changes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|change| (change["part"].as_str().unwrap_or(""), change["path"].as_str().unwrap_or("")))
            .collect();
        assert_eq!(parts, [("method", ""), ("url", ""), ("header", "x-new"), ("header", "x-old")]);
    }

    #[test]
    fn large_things_are_bounded() {
        let list = |value: u32| Value::from(vec![value; 1000]).to_string();
        let shown = difference(&sent(Some("w"), URL, "[]", &list(1)), &now(Some("w"), URL, &[], &list(2)));
        assert_eq!(shown["changes"].as_array().map(Vec::len), Some(MAX_CHANGES));
        assert_eq!(shown["more_changes"], 1);
        let mut digest_alone = sent(Some("w"), URL, "[]", "x");
        digest_alone.request_body = None;
        let shown = difference(&digest_alone, &now(Some("w"), URL, &[], &"y".repeat(MAX_SHOWN_BODY + 1)));
        assert!(shown["changes"][0]["then"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:2d71")), "{shown}");
        assert_eq!(shown["changes"][0]["now"]["bytes"], MAX_SHOWN_BODY + 1);
        assert_eq!(shown_body(&[0xff, 0xfe])["bytes"], 2);
    }

    #[test]
    fn a_write_finds_what_was_sent_then() {
        let rows = [sent(None, URL, "[]", "1"), sent(Some("w"), URL, "[]", "2")];
        let name = |row: Option<&EffectRow>| row.map(|row| row.name.clone());
        assert_eq!(name(counterpart(&now(Some("w"), "https://books.example/other", &[], ""), &rows)), Some(Some("w".to_owned())));
        assert_eq!(name(counterpart(&now(None, URL, &[], "changed"), &rows)), Some(None));
        assert_eq!(name(counterpart(&now(Some("v"), URL, &[], ""), &rows)), None, "another name is another write");
        assert_eq!(name(counterpart(&now(None, "https://books.example/other", &[], ""), &rows)), None);
    }
}
