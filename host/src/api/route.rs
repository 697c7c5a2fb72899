//! One route, with the text that made it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Problem;
use super::overview::route_json;
use super::shown::Shown;
use crate::config;
use crate::runtime::Runtime;

/// A route as it is configured, its runs by status, and its text.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Route")]
pub(super) struct OneRoute {
    name: String,
    /// Patterns of event types.
    types: Vec<String>,
    /// Patterns of sources; none: all.
    sources: Vec<String>,
    when: Option<String>,
    order_by: Option<String>,
    /// `release` or `hold`.
    order_on_dead: String,
    steps: Vec<OneStep>,
    /// How many runs have each status.
    runs: BTreeMap<String, u64>,
    /// The revision that it is of.
    revision: i64,
    /// Its text in TOML, without any secret. Null: the host made it for a subscriber of `[webhooks]`.
    toml: Option<String>,
    /// `file`: as it stood in the file, with its comments. `revision`: written anew from the revision in the store, which keeps no comments.
    toml_from: Option<String>,
    /// The file that it stood in; null where the text is from the revision.
    file: Option<String>,
    /// Line of the file that the text begins with, from 1.
    line: Option<usize>,
    /// What is allowed in it but probably not meant.
    warnings: Vec<RouteWarning>,
}

/// A step as it is configured.
#[derive(Debug, Serialize, JsonSchema)]
struct OneStep {
    name: String,
    /// `PLUGIN.ACTION`.
    uses: String,
    plugin: String,
    action: String,
    /// Steps that end before it begins.
    needs: Vec<String>,
    when: Option<String>,
    timeout_ms: u64,
    max_attempts: u32,
    /// `dead-letter`, `continue` or `undo`.
    on_failure: String,
    /// `resend` or `hold`.
    on_doubt: String,
}

/// Something at a place of the file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RouteWarning {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    message: String,
    /// What to do about it.
    help: Option<String>,
}

/// Problems of a text, as they are shown.
pub(super) fn problems_json(problems: &[config::Problem]) -> Value {
    let shown = |problem: &config::Problem| json!({ "line": problem.line, "column": problem.column, "message": problem.message, "help": problem.help });
    problems.iter().map(shown).collect()
}

pub(super) async fn show(State(runtime): State<Arc<Runtime>>, Path(name): Path<String>) -> Result<Shown<OneRoute>, Problem> {
    let present = runtime.present();
    let revision = &present.revision;
    let Some(route) = revision.route(&name) else {
        let near = config::near_name(&name, revision.config.routes.iter().map(|route| route.name.as_str()));
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        return Err(Problem::not_found(format!("there is no route {name:?}{near}")));
    };
    let mut runs = BTreeMap::new();
    for (route, status, count) in runtime.store.run_counts().await? {
        if route == name {
            runs.insert(status, count);
        }
    }
    let mut shown = route_json(route, Some(&runs));
    for (shown, step) in shown["steps"].as_array_mut().into_iter().flatten().zip(&route.steps) {
        shown["plugin"] = json!(step.plugin);
        shown["action"] = json!(step.action);
    }
    shown["revision"] = json!(revision.number);
    let text = match revision.written.get(&name) {
        Some(written) => json!({
            "toml": written.excerpt.text,
            "toml_from": "file",
            "file": written.file,
            "line": written.excerpt.line,
            "warnings": problems_json(&written.warnings),
        }),
        None => {
            let stored = revision.content["routes"].as_array().into_iter().flatten().find(|route| route["name"] == name.as_str());
            let text = stored.map(|route| config::toml_text(&json!({ "routes": [route] })));
            json!({ "toml_from": text.as_ref().map(|_| "revision"), "toml": text, "file": null, "line": null, "warnings": [] })
        }
    };
    for (member, value) in text.as_object().into_iter().flatten() {
        shown[member] = value.clone();
    }
    Ok(Shown::as_form(shown))
}
