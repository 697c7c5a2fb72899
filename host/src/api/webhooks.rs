//! Endpoints of webhooks: how they are doing; enabled again, and tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Problem;
use super::configuration_form::{EnabledWebhook, TestedWebhook, WebhookList};
use super::shown::Shown;
use crate::audit::{Action, By};
use crate::builtin;
use crate::config::{SubscriberFormat, WEBHOOK_ROUTE};
use crate::runtime::{PresentSubscriber, Runtime};
use crate::store::SubscriberRow;
use crate::telemetry;

pub(super) async fn list(State(runtime): State<Arc<Runtime>>) -> Result<Shown<WebhookList>, Problem> {
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
        let secrets = builtin::webhook_secrets(&runtime.vault, &endpoint.config, runtime.clock.now()).await;
        webhooks.push(shown(endpoint, known.get(&endpoint.config.name), &counts, secrets));
    }
    Ok(Shown::as_form(json!({ "webhooks": webhooks })))
}

fn shown(
    endpoint: &PresentSubscriber,
    row: Option<&SubscriberRow>,
    counts: &BTreeMap<String, BTreeMap<String, u64>>,
    secrets: usize,
) -> Value {
    let config = &endpoint.config;
    let state = match row {
        Some(row) if row.disabled_at.is_some() => "disabled",
        Some(row) if row.failing_since.is_some() => "failing",
        Some(row) if row.last_success_at.is_some() => "ok",
        _ => "unused",
    };
    let time = |pick: fn(&SubscriberRow) -> Option<jiff::Timestamp>| row.and_then(pick).map(|at| at.to_string());
    json!({
        "name": config.name,
        "url": config.url,
        "format": match config.format {
            SubscriberFormat::StandardWebhooks => "standard-webhooks",
            SubscriberFormat::CloudEvents => "cloudevents",
            SubscriberFormat::CloudEventsBinary => "cloudevents-binary",
        },
        "types": config.types.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ordered": config.ordered,
        "secrets": secrets,
        "disable_after_ms": config.disable_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        "state": state,
        "reason": row.and_then(|row| row.reason.as_deref()),
        "failures": row.map_or(0, |row| row.failures),
        "failing_since": time(|row| row.failing_since),
        "disabled_at": time(|row| row.disabled_at),
        "last_success_at": time(|row| row.last_success_at),
        "last_failure_at": time(|row| row.last_failure_at),
        "route": format!("{WEBHOOK_ROUTE}{}", config.name),
        "runs": counts.get(&config.name).cloned().unwrap_or_default(),
    })
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
) -> Result<Shown<EnabledWebhook>, Problem> {
    endpoint(&runtime, &name)?;
    let act = by.did(Action::WebhookEnabled, name.as_str());
    let Some(row) = runtime.store.subscriber_enable(&name, act, runtime.clock.now()).await? else {
        return Err(Problem::conflict(format!("webhook {name:?} is not disabled")));
    };
    if let Err(error) = runtime.tell_of_subscriber(&row).await {
        tracing::warn!(error = telemetry::chain(&error), "that a webhook was enabled could not be told; a host tries again");
    }
    Ok(Shown::as_form(json!({ "webhook": name, "enabled": true, "route": format!("{WEBHOOK_ROUTE}{name}") })))
}

/// Sends it something to see whether it is well.
pub(super) async fn test(State(runtime): State<Arc<Runtime>>, Path(name): Path<String>) -> Result<Shown<TestedWebhook>, Problem> {
    let endpoint = endpoint(&runtime, &name)?;
    let tried = builtin::test_webhook(&runtime, &endpoint).await;
    tried.map(Shown::as_form).map_err(|why| Problem::conflict(format!("webhook {name:?} can't be tried: {why}")))
}
