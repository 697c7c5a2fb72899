//! `redact` of a route: paths into the event that people and logs don't see.

use serde_json::{Value, json};

/// Stands for what is hidden.
const HIDDEN: &str = "[redacted]";

/// Hides what paths like `.event.data.customer.email` lead to.
pub(super) fn hide<'a>(event: &mut Value, paths: impl IntoIterator<Item = &'a String>) {
    for path in paths {
        let mut names = path.trim_start_matches('.').split('.');
        if names.next() != Some("event") {
            continue;
        }
        let pointer: String = names.flat_map(|name| ["/", name]).collect();
        if let Some(value) = event.pointer_mut(&pointer).filter(|_| !pointer.is_empty()) {
            *value = json!(HIDDEN);
        }
    }
}

/// The values that those paths lead to, as they may turn up in inputs and outputs.
pub(super) fn hidden_values<'a>(event: &Value, paths: impl IntoIterator<Item = &'a String>) -> Vec<Value> {
    paths
        .into_iter()
        .filter_map(|path| path.strip_prefix(".event.").map(|rest| format!("/{}", rest.replace('.', "/"))))
        .filter_map(|pointer| event.pointer(&pointer).cloned())
        .filter(|value| !value.is_null() && !value.is_boolean())
        .collect()
}

/// Hides these values wherever they stand, whole or within a text.
pub(super) fn hide_values(value: &mut Value, hidden: &[Value]) {
    if hidden.is_empty() {
        return;
    }
    if hidden.contains(value) {
        *value = json!(HIDDEN);
        return;
    }
    match value {
        Value::String(text) => {
            for hidden in hidden.iter().filter_map(Value::as_str).filter(|hidden| hidden.len() > 2) {
                if text.contains(hidden) {
                    *text = text.replace(hidden, HIDDEN);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_values(item, hidden)),
        Value::Object(members) => members.values_mut().for_each(|member| hide_values(member, hidden)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
