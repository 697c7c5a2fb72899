//! `[plugins.NAME]`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::grants::grants;
use super::header::header_name;
use super::item::{Item, Text};
use super::limits::{DEFAULT_BATCHING, DEFAULT_LIMITS, batch, breaker, limits, rate_limit};
use super::model::{Canary, ComponentSource, Instances, Plugin};
use super::name::is_name;
use super::oci::{self, OciReference};
use super::reader::{Reader, json};
use super::reference::{has_reference, resolved};
use super::section::Section;

const DEFAULT_CONCURRENCY: u32 = 8;
const MOST_CONCURRENCY: u32 = 10_000;
const MOST_AHEAD: u32 = 64;
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(60);
/// No system keeps its end open for longer, and a write on a connection that just closed would be in doubt.
const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(600);
const DEFAULT_IDEMPOTENCY_HEADER: &str = "Idempotency-Key";
/// One run in ten thousand.
const SMALLEST_SHARE: f64 = 0.0001;
/// A canary that may always fail is none.
const LARGEST_ERROR_RATE: f64 = 0.99;

/// Reads one plugin.
pub(super) fn plugin(r: &mut Reader<'_>, name: &str, mut section: Section<'_>, credentials: &BTreeSet<String>) -> Option<Plugin> {
    let component = section.required(r, "component", &format!("\"plugins/{name}.wasm\"")).and_then(|item| component(r, &item));
    let digest = section.get("digest").map(|item| item.parsed(r, digest));
    let require_signature = section.get("require-signature").and_then(|item| item.boolean(r));
    let grants = grants(r, &mut section, credentials);
    let config = section.get("config").map(|item| config(r, &item));
    let limits = section.get("limits").and_then(|item| limits(r, &item)).unwrap_or(DEFAULT_LIMITS);
    let concurrency = section.get("concurrency").and_then(|item| item.count(r, 1..=MOST_CONCURRENCY));
    let rate_limit = section.get("rate-limit").and_then(|item| rate_limit(r, &item));
    let breaker = section.get("breaker").and_then(|item| breaker(r, &item));
    let batch = section.get("batch").map(|item| batch(r, &item));
    let choices = [("per-call", Instances::PerCall), ("reuse", Instances::Reuse)];
    let instances = section.get("instances").and_then(|item| item.choice(r, &choices));
    let ahead = section.get("ahead").and_then(|item| item.count(r, 0..=MOST_AHEAD));
    let keep_alive = section.get("keep-alive").and_then(|item| item.duration(r, Duration::ZERO..=LONGEST_KEEP_ALIVE));
    let idempotency_header = section.get("idempotency-header").map(|item| idempotency_header(r, &item));
    let canary = section.get("canary").map(|item| canary(r, &item));
    section.finish(r);
    Some(Plugin {
        name: name.to_owned(),
        component: component?,
        digest: match digest {
            Some(digest) => Some(digest?),
            None => None,
        },
        require_signature: require_signature.unwrap_or(false),
        grants,
        config: config.unwrap_or_else(|| Some(Value::Object(Map::new())))?,
        limits,
        concurrency: concurrency.unwrap_or(DEFAULT_CONCURRENCY),
        rate_limit,
        breaker,
        batch: batch.unwrap_or(Some(Some(DEFAULT_BATCHING)))?,
        instances: instances.unwrap_or(Instances::PerCall),
        ahead,
        keep_alive: keep_alive.unwrap_or(DEFAULT_KEEP_ALIVE),
        idempotency_header: idempotency_header.unwrap_or_else(|| Some(DEFAULT_IDEMPOTENCY_HEADER.to_owned())),
        canary: match canary {
            Some(canary) => Some(canary?),
            None => None,
        },
    })
}

/// Reads `canary`. All three keys are asked for: a share or a bound that somebody forgot would be a guess.
fn canary(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Canary> {
    let mut section = item.table(r, "`canary`")?;
    let source = section.required(r, "component", "\"plugins/next.wasm\"").and_then(|item| component(r, &item));
    let digest = section.get("digest").map(|item| item.parsed(r, digest));
    let share = section.required(r, "share", "0.05").and_then(|item| item.number(r, SMALLEST_SHARE..=1.0));
    let max_error_rate = section.required(r, "max-error-rate", "0.02").and_then(|item| item.number(r, 0.0..=LARGEST_ERROR_RATE));
    section.finish(r);
    Some(Canary {
        component: source?,
        digest: match digest {
            Some(digest) => Some(digest?),
            None => None,
        },
        share: share?,
        max_error_rate: max_error_rate?,
    })
}

fn component(r: &mut Reader<'_>, item: &Item<'_>) -> Option<ComponentSource> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    if value.starts_with(oci::SCHEME) {
        let reference = OciReference::parse(&value).map_err(|message| r.error(&text.span, message).help = None).ok()?;
        let source = ComponentSource::Oci(reference);
        r.components.push((source.clone(), text.span.clone()));
        return Some(source);
    }
    if let Some(name) = value.strip_prefix("builtin:") {
        if !is_name(name) {
            r.error(&text.span, format!("`{value}` names no connector")).help("write builtin:NAME, such as \"builtin:http\"");
            return None;
        }
        let source = ComponentSource::Builtin(name.to_owned());
        r.components.push((source.clone(), text.span.clone()));
        return Some(source);
    }
    if value.is_empty() || value.contains("://") {
        r.error(&text.span, format!("`{value}` is not the path of a component"))
            .help("write the path of a .wasm file, builtin:NAME for a connector in the binary, or oci://registry/name:tag@sha256:…");
        return None;
    }
    let source = ComponentSource::Path(r.absolute(&value));
    r.components.push((source.clone(), text.span.clone()));
    Some(source)
}

pub(super) fn digest(text: &str) -> Result<String, String> {
    if oci::is_digest(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a digest: write sha256: and 64 hexadecimal digits in lower case"))
}

/// The plugin's own configuration. Variables are put in their places; a secret would get into the plugin's memory.
fn config(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Value> {
    let DeValue::Table(_) = item.value else {
        return item.wrong_type(r, "a table");
    };
    let mut value = json(r, &item.span, item.value)?;
    let resolved = resolve_strings(r, &item.span, item.value, &mut value);
    resolved.then_some(value)
}

fn resolve_strings(r: &mut Reader<'_>, span: &Range<usize>, toml: &DeValue<'_>, json: &mut Value) -> bool {
    match (toml, json) {
        (DeValue::String(text), json) if has_reference(text) => {
            match resolved(r, &Text { value: text, span: span.clone() }) {
                Some(value) => *json = Value::String(value),
                None => return false,
            }
            true
        }
        (DeValue::Array(array), Value::Array(values)) => {
            let mut fine = true;
            for (item, value) in array.iter().zip(values) {
                fine &= resolve_strings(r, &item.span(), item.get_ref(), value);
            }
            fine
        }
        (DeValue::Table(table), Value::Object(members)) => {
            let mut fine = true;
            for (key, item) in table.iter() {
                if let Some(value) = members.get_mut(key.get_ref().as_ref()) {
                    fine &= resolve_strings(r, &item.span(), item.get_ref(), value);
                }
            }
            fine
        }
        _ => true,
    }
}

fn idempotency_header(r: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    match item.value {
        DeValue::Boolean(false) => None,
        DeValue::String(_) => item.parsed(r, header_name),
        _ => item.wrong_type(r, "the name of a header, or false"),
    }
}
