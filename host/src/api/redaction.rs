//! `redact` of a route: what people and programs that only look don't see.

use serde_json::{Value, json};

use crate::runtime::Runtime;
use crate::store::RunRow;

/// Stands for what is hidden.
const HIDDEN: &str = "[redacted]";
/// Shorter texts are not looked for within others: they would hide half of everything.
const MIN_TEXT: usize = 3;

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

    /// Hides its values wherever they stand, whole or within a text.
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
