//! Endpoints of webhooks: how they are doing; enabled again, and tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::now::millis;
use super::shown::Time;
use crate::audit::{Action, By};
use crate::builtin::{self, TestedWebhook};
use crate::config::{SubscriberFormat, WEBHOOK_ROUTE};
use crate::runtime::{PresentSubscriber, Runtime};
use crate::store::SubscriberRow;
use crate::telemetry;

/// Endpoints that are told of events.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WebhookList {
    webhooks: Vec<Webhook>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
struct Webhook {
    name: String,
    url: String,
    format: SubscriberFormat,
    /// Patterns of event types.
    types: Vec<String>,
    /// One after another, in the order in which the events came.
    ordered: bool,
    /// How many it is signed with now: more than are configured while a former one still signs.
    secrets: usize,
    /// Nothing is sent any more once it has failed for so long; null: it is tried for ever.
    disable_after_ms: Option<u64>,
    state: WebhookState,
    /// Why it failed last.
    reason: Option<String>,
    failures: u32,
    failing_since: Option<Time>,
    disabled_at: Option<Time>,
    last_success_at: Option<Time>,
    last_failure_at: Option<Time>,
    /// The route whose runs are its deliveries.
    route: String,
    /// How many of them have each status.
    runs: BTreeMap<String, u64>,
}

/// How an endpoint is doing.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum WebhookState {
    Unused,
    Ok,
    Failing,
    Disabled,
}

/// An endpoint that is sent to again.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EnabledWebhook {
    webhook: String,
    enabled: bool,
    route: String,
}

pub(super) async fn list(State(runtime): State<Arc<Runtime>>) -> Result<Json<WebhookList>, Problem> {
    let known: BTreeMap<String, SubscriberRow> =
        runtime.store.subscribers().await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (route, status, count) in runtime.store.run_counts().await? {
        if let Some(name) = route.strip_prefix(WEBHOOK_ROUTE) {
            counts.entry(name.to_owned()).or_default().insert(status, count);
        }
    }
    let present = runtime.present();
    let mut webhooks = Vec::with_capacity(present.subscribers.len());
    for endpoint in present.subscribers.values() {
        let name = &endpoint.config.name;
        let secrets = builtin::webhook_secrets(&runtime.vault, &endpoint.config, runtime.clock.now()).await;
        webhooks.push(shown(endpoint, known.get(name), counts.remove(name).unwrap_or_default(), secrets));
    }
    Ok(Json(WebhookList { webhooks }))
}

fn shown(endpoint: &PresentSubscriber, row: Option<&SubscriberRow>, runs: BTreeMap<String, u64>, secrets: usize) -> Webhook {
    let config = &endpoint.config;
    let time = |pick: fn(&SubscriberRow) -> Option<Timestamp>| row.and_then(pick).map(Time::from);
    Webhook {
        name: config.name.clone(),
        url: config.url.to_string(),
        format: config.format,
        types: config.types.iter().map(ToString::to_string).collect(),
        ordered: config.ordered,
        secrets,
        disable_after_ms: config.disable_after.map(millis),
        state: match row {
            Some(row) if row.disabled_at.is_some() => WebhookState::Disabled,
            Some(row) if row.failing_since.is_some() => WebhookState::Failing,
            Some(row) if row.last_success_at.is_some() => WebhookState::Ok,
            _ => WebhookState::Unused,
        },
        reason: row.and_then(|row| row.reason.clone()),
        failures: row.map_or(0, |row| row.failures),
        failing_since: time(|row| row.failing_since),
        disabled_at: time(|row| row.disabled_at),
        last_success_at: time(|row| row.last_success_at),
        last_failure_at: time(|row| row.last_failure_at),
        route: format!("{WEBHOOK_ROUTE}{}", config.name),
        runs,
    }
}

fn endpoint(runtime: &Runtime, name: &str) -> Result<Arc<PresentSubscriber>, Problem> {
    let found = runtime.present().subscribers.get(name).cloned();
    found.ok_or_else(|| Problem::not_found(format!("there is no webhook {name:?}")))
}

/// Sends to it again. What died meanwhile is replayed like other dead letters of its route.
pub(super) async fn enable(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
) -> Result<Json<EnabledWebhook>, Problem> {
    endpoint(&runtime, &name)?;
    let act = by.did(Action::WebhookEnabled, name.as_str());
    let Some(row) = runtime.store.subscriber_enable(&name, act, runtime.clock.now()).await? else {
        return Err(Problem::conflict(format!("webhook {name:?} is not disabled")));
    };
    if let Err(error) = runtime.tell_of_subscriber(&row).await {
        tracing::warn!(error = telemetry::chain(&error), "that a webhook was enabled could not be told; a host tries again");
    }
    Ok(Json(EnabledWebhook { enabled: true, route: format!("{WEBHOOK_ROUTE}{name}"), webhook: name }))
}

/// Sends it something to see whether it is well.
pub(super) async fn test(State(runtime): State<Arc<Runtime>>, Path(name): Path<String>) -> Result<Json<TestedWebhook>, Problem> {
    let endpoint = endpoint(&runtime, &name)?;
    let tried = builtin::test_webhook(&runtime, &endpoint).await;
    tried.map(Json).map_err(|why| Problem::conflict(format!("webhook {name:?} can't be tried: {why}")))
}
