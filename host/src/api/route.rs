//! Routes as they are configured, and one of them with the text that made it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::Problem;
use super::mistakes::{Mistake, mistakes};
use super::now::millis;
use crate::config::{self, OnDoubt, OnFailure, OrderOnDead, Route, Step};
use crate::runtime::{Revision, Runtime};

/// Routes as they are configured.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RouteList {
    /// The revision that they are of.
    revision: i64,
    routes: Vec<RouteInList>,
}

/// A route as it is configured, and its runs by status.
#[derive(Debug, Serialize, JsonSchema)]
struct RouteInList {
    name: String,
    /// Patterns of event types.
    types: Vec<String>,
    /// Patterns of sources; none: all.
    sources: Vec<String>,
    /// An expression.
    when: Option<String>,
    /// An expression.
    order_by: Option<String>,
    order_on_dead: OrderOnDead,
    steps: Vec<RouteStep>,
    /// How many runs have each status.
    runs: BTreeMap<String, u64>,
}

/// A step as it is configured.
#[derive(Debug, Serialize, JsonSchema)]
struct RouteStep {
    name: String,
    /// `PLUGIN.ACTION`.
    uses: String,
    plugin: String,
    action: String,
    /// Steps that end before it begins.
    needs: Vec<String>,
    /// An expression.
    when: Option<String>,
    timeout_ms: u64,
    max_attempts: u32,
    on_failure: OnFailure,
    on_doubt: OnDoubt,
}

/// A route as it is configured, its runs by status, and its text.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Route")]
pub(super) struct OneRoute {
    #[serde(flatten)]
    route: RouteInList,
    /// The revision that it is of.
    revision: i64,
    #[serde(flatten)]
    text: Text,
}

/// The text of a route.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Text {
    /// In TOML, without any secret. Null: the host made the route for a subscriber of `[webhooks]`.
    toml: Option<String>,
    toml_from: Option<TextFrom>,
    /// The file that it stood in; null where the text is from the revision.
    file: Option<String>,
    /// Line of the file that the text begins with, from 1.
    line: Option<usize>,
    /// What is allowed in it but probably not meant.
    warnings: Vec<Mistake>,
}

/// Where the text of a route is from.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "RouteTextFrom")]
enum TextFrom {
    /// As it stood in the file, with its comments.
    File,
    /// Written anew from the revision in the store, which keeps no comments.
    Revision,
}

pub(super) async fn list(State(runtime): State<Arc<Runtime>>) -> Result<Json<RouteList>, Problem> {
    let present = runtime.present();
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (route, status, count) in runtime.store.run_counts().await? {
        counts.entry(route).or_default().insert(status, count);
    }
    let routes = present.revision.config.routes.iter();
    let routes = routes.map(|route| in_list(route, counts.remove(&route.name).unwrap_or_default())).collect();
    Ok(Json(RouteList { revision: present.revision.number, routes }))
}

pub(super) async fn show(State(runtime): State<Arc<Runtime>>, Path(name): Path<String>) -> Result<Json<OneRoute>, Problem> {
    let present = runtime.present();
    let revision = &present.revision;
    let Some(route) = revision.route(&name) else {
        let near = config::near_name(&name, revision.config.routes.iter().map(|route| route.name.as_str()));
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        return Err(Problem::not_found(format!("there is no route {name:?}{near}")));
    };
    let counts = runtime.store.run_counts().await?.into_iter();
    let runs = counts.filter(|(route, ..)| *route == name).map(|(_, status, count)| (status, count)).collect();
    Ok(Json(OneRoute { route: in_list(route, runs), revision: revision.number, text: text(revision, &name) }))
}

fn in_list(route: &Route, runs: BTreeMap<String, u64>) -> RouteInList {
    RouteInList {
        name: route.name.clone(),
        types: route.types.iter().map(ToString::to_string).collect(),
        sources: route.sources.iter().map(ToString::to_string).collect(),
        when: route.when.as_ref().map(|when| when.source().to_owned()),
        order_by: route.order_by.as_ref().map(|key| key.source().to_owned()),
        order_on_dead: route.order_on_dead,
        steps: route.steps.iter().map(|one| step(route, one)).collect(),
        runs,
    }
}

fn step(route: &Route, step: &Step) -> RouteStep {
    RouteStep {
        name: step.name.clone(),
        uses: format!("{}.{}", step.plugin, step.action),
        plugin: step.plugin.clone(),
        action: step.action.clone(),
        needs: step.needs.iter().map(|&need| route.steps[need].name.clone()).collect(),
        when: step.when.as_ref().map(|when| when.source().to_owned()),
        timeout_ms: millis(step.timeout),
        max_attempts: step.retry.max_attempts,
        on_failure: step.on_failure,
        on_doubt: step.on_doubt,
    }
}

fn text(revision: &Revision, name: &str) -> Text {
    if let Some(written) = revision.written.get(name) {
        return Text {
            toml: Some(written.excerpt.text.clone()),
            toml_from: Some(TextFrom::File),
            file: Some(written.file.clone()),
            line: Some(written.excerpt.line),
            warnings: mistakes(&written.warnings),
        };
    }
    let stored = revision.content["routes"].as_array().into_iter().flatten().find(|route| route["name"] == name);
    match stored {
        Some(stored) => {
            let toml = config::toml_text(&json!({ "routes": [stored] }));
            Text { toml: Some(toml), toml_from: Some(TextFrom::Revision), ..Text::default() }
        }
        None => Text::default(),
    }
}
