//! What of a file makes a revision: all but `[server]`, `[store]`, `[secrets]`, `[engine]`,
//! `[registries]`, `[trust]` and `[telemetry]`, with references unresolved.
//!
//! The content is JSON with sorted keys, so that neither comments nor the order of tables make a new revision. It is
//! written as TOML again to be read back, so that old revisions go through the same checks as files.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::reader::{Reader, json};
use super::templates::with_texts;

/// The tables that each host has for itself.
const OWN: [&str; 7] = ["server", "store", "secrets", "engine", "registries", "trust", "telemetry"];

/// Takes the content out of a file. Values that JSON can't hold are reported.
pub(super) fn content(r: &mut Reader<'_>, root: &DeTable<'_>) -> Value {
    let mut members = Map::new();
    for (key, value) in root.iter() {
        if OWN.contains(&key.get_ref().as_ref()) {
            continue;
        }
        if let Some(mut value) = json(r, &value.span(), value.get_ref()) {
            if key.get_ref() == "events" {
                with_schemas(&mut value, &r.schemas);
            }
            if key.get_ref() == "templates" {
                with_texts(&mut value, &r.templates);
            }
            members.insert(key.get_ref().clone().into_owned(), value);
        }
    }
    Value::Object(members)
}

/// A revision holds its schemas: their files may change or go.
fn with_schemas(events: &mut Value, schemas: &BTreeMap<String, String>) {
    for event in events.as_array_mut().into_iter().flatten() {
        if let Some(text) = event.get("schema").and_then(Value::as_str).and_then(|path| schemas.get(path)) {
            event["schema"] = serde_json::json!({ "json": text });
        }
    }
}

/// `sha256:` and 64 hexadecimal digits of a content.
pub(super) fn digest(content: &Value) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(canonical(content).as_bytes()) {
        write!(text, "{byte:02x}").expect("writing to a string can't fail");
    }
    text
}

/// JSON text with sorted keys, whatever map serde_json was built with.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            let members = sorted.iter().map(|(key, value)| format!("{}:{}", string(key), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// A content as TOML, a table with a header for each credential, plugin, route and step.
pub(super) fn toml_text(content: &Value) -> String {
    let mut text = String::new();
    let Value::Object(sections) = content else {
        return text;
    };
    for (name, section) in sections {
        match section {
            Value::Object(tables) => {
                for (key, table) in tables {
                    write_table(&mut text, &format!("[{}.{}]", key_text(name), key_text(key)), table, "");
                }
            }
            Value::Array(items) => {
                for item in items {
                    write_table(&mut text, &format!("[[{}]]", key_text(name)), item, "steps");
                    let steps = item.get("steps").and_then(Value::as_array);
                    for step in steps.into_iter().flatten() {
                        write_table(&mut text, &format!("[[{}.steps]]", key_text(name)), step, "");
                    }
                }
            }
            _ => {}
        }
    }
    text
}

fn write_table(text: &mut String, header: &str, table: &Value, except: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(header);
    text.push('\n');
    for (key, value) in table.as_object().into_iter().flatten().filter(|(key, _)| *key != except) {
        text.push_str(&format!("{} = {}\n", key_text(key), inline(value)));
    }
}

/// A key as people write it, in quotes only where it needs them.
fn key_text(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_bare { key.to_owned() } else { string(key) }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{} = {}", key_text(key), inline(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A basic string. JSON's escapes are TOML's, except that TOML wants DEL escaped too.
pub(super) fn string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
