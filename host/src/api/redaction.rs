//! `redact` of a route: what people and programs that only look don't see.

use serde_json::{Value, json};

use crate::runtime::Runtime;
use crate::store::RunRow;

/// Stands for what is hidden.
const HIDDEN: &str = "[redacted]";
/// Shorter texts are not looked for within others: they would hide half of everything.
const MIN_TEXT: usize = 3;
/// Members of a document that hold what came from an event or from a plugin. All others are the host's own: ids, numbers, states and times, which
/// say nothing of an event even where they look like a part of it.
const CONTENT: [&str; 15] = [
    "body",
    "details",
    "event",
    "fields",
    "headers",
    "input",
    "message",
    "now",
    "order_key",
    "output",
    "path",
    "reason",
    "status_reason",
    "then",
    "url",
];

/// What is to be hidden of one event.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    /// JSON pointers into the event.
    pointers: Vec<String>,
    /// Values that those lead to, wherever else they turn up.
    values: Vec<Value>,
    texts: Vec<String>,
}

impl Redaction {
    /// What the routes of an event's runs hide. A route that can't be asked hides all data.
    pub(super) async fn of(runtime: &Runtime, event: &Value, runs: &[RunRow]) -> Redaction {
        let mut redaction = Redaction::default();
        for run in runs {
            match runtime.revision(run.revision).await {
                Ok(revision) => {
                    let paths = revision.route(&run.route).map(|route| route.redact.clone()).unwrap_or_default();
                    // `.event.data.customer.email`
                    redaction
                        .pointers
                        .extend(paths.iter().filter_map(|path| path.strip_prefix(".event")).map(|path| path.replace('.', "/")));
                }
                Err(_) => redaction.pointers.push("/data".to_owned()),
            }
        }
        for pointer in redaction.pointers.clone() {
            if let Some(value) = event.pointer(&pointer) {
                redaction.collect(value);
            }
        }
        redaction
    }

    fn collect(&mut self, value: &Value) {
        match value {
            // They say nothing on their own, and are everywhere.
            Value::Null | Value::Bool(_) => return,
            Value::String(text) => self.text(text.clone()),
            Value::Number(number) => self.text(number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(members) => members.values().for_each(|member| self.collect(member)),
        }
        self.values.push(value.clone());
    }

    fn text(&mut self, text: String) {
        if text.len() < MIN_TEXT {
            return;
        }
        // As it stands in a query, a form, or a path.
        let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let path = form.replace('+', "%20");
        for encoded in [path, form, text] {
            if !self.texts.contains(&encoded) {
                self.texts.push(encoded);
            }
        }
    }

    /// Hides it in an event.
    pub(super) fn hide_in_event(&self, event: &mut Value) {
        for pointer in self.pointers.iter().filter(|pointer| !pointer.is_empty()) {
            if let Some(value) = event.pointer_mut(pointer) {
                *value = json!(HIDDEN);
            }
        }
    }

    /// Hides its values in a document about runs: only where something of the event can stand.
    pub(super) fn hide_in_document(&self, document: &mut Value) {
        match document {
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in_document(item)),
            Value::Object(members) => {
                // The names of steps are the route's own; those of writes and keys are a plugin's.
                let of_effect = members.contains_key("method");
                for (name, member) in members {
                    // An error is an object with a kind, or, of an effect, a text.
                    let content =
                        CONTENT.contains(&name.as_str()) || (name == "name" && of_effect) || (name == "error" && member.is_string());
                    if content { self.hide(member) } else { self.hide_in_document(member) }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Hides its values wherever they stand, whole or within a text. For content alone: it spares nothing.
    pub(super) fn hide(&self, value: &mut Value) {
        if self.values.is_empty() {
            return;
        }
        if self.values.contains(value) {
            *value = json!(HIDDEN);
            return;
        }
        match value {
            Value::String(text) => {
                for hidden in self.texts.iter().filter(|hidden| text.contains(hidden.as_str())).collect::<Vec<_>>() {
                    *text = text.replace(hidden.as_str(), HIDDEN);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.hide(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_hosts_own_is_spared_and_content_is_not() {
        let mut redaction = Redaction::default();
        redaction.collect(&json!({ "hours": 2, "place": "019", "name": "ann" }));
        let step = json!({
            "name": "ann", "status": "succeeded", "input": { "of": "ann", "n": 2 }, "output": [2, 3], "next_attempt_at": "2019-01-01T00:00:02Z",
            "error": { "kind": "ann", "reason": "for ann", "details": { "n": 2 } },
            "attempts": [{
                "number": 2, "duration_ms": 2, "error": null, "digest": "sha256:019",
                "logs": [{ "level": "info", "message": "ann is in 019", "fields": { "hours": 2 } }],
                "effects": [{ "seq": 2, "status": 2, "key": "0190", "method": "POST", "name": "to/ann", "url": "http://ann/", "error": "no ann" }],
            }],
            "would_send": { "method": "PUT", "url": "/019", "headers": [["x", "ann"]], "body": { "n": 2 }, "name": "ann", "key": "0190" },
            "difference": { "against": { "attempt": 2, "key": "019" }, "changes": [{ "part": "body", "path": "/ann", "then": 2, "now": 3 }], "more_changes": 2 },
        });
        let mut document =
            json!([{ "id": "0190-1", "root": "0190-1", "revision": 2, "order_key": "ann", "status_reason": "by ann", "steps": [step] }]);
        redaction.hide_in_document(&mut document);
        let hidden = json!({
            "name": "ann", "status": "succeeded", "input": { "of": HIDDEN, "n": HIDDEN }, "output": [HIDDEN, 3], "next_attempt_at": "2019-01-01T00:00:02Z",
            "error": { "kind": "ann", "reason": "for [redacted]", "details": { "n": HIDDEN } },
            "attempts": [{
                "number": 2, "duration_ms": 2, "error": null, "digest": "sha256:019",
                "logs": [{ "level": "info", "message": "[redacted] is in [redacted]", "fields": { "hours": HIDDEN } }],
                "effects": [{
                    "seq": 2, "status": 2, "key": "0190", "method": "POST", "name": "to/[redacted]", "url": "http://[redacted]/", "error": "no [redacted]",
                }],
            }],
            "would_send": { "method": "PUT", "url": "/[redacted]", "headers": [["x", HIDDEN]], "body": { "n": HIDDEN }, "name": HIDDEN, "key": "0190" },
            "difference": {
                "against": { "attempt": 2, "key": "019" },
                "changes": [{ "part": "body", "path": "/[redacted]", "then": HIDDEN, "now": 3 }],
                "more_changes": 2,
            },
        });
        let expected = json!([{ "id": "0190-1", "root": "0190-1", "revision": 2, "order_key": HIDDEN, "status_reason": "by [redacted]", "steps": [hidden] }]);
        assert_eq!(document, expected);
    }
}
