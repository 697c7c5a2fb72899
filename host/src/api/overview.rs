//! What is configured and how it is doing. Never a secret.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::configuration_form::{AsyncApi, CredentialList, PluginList, Reloaded, RouteList};
use super::shown::Shown;
use super::{Problem, plugins};
use crate::asyncapi::{self, Described};
use crate::audit::By;
use crate::builtin;
use crate::config::{Access, Instances, OnDoubt, OnFailure, OrderOnDead, Route};
use crate::credentials::Status;
use crate::outbound::BreakerState;
use crate::run::LEAST_CALLS;
use crate::runtime::{ApplyError, Runtime, Trial};
use crate::telemetry::as_prometheus;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: events would be taken in. The store can be written and has room, and the host is not stopping.
pub(super) async fn readyz(State(runtime): State<Arc<Runtime>>) -> Result<&'static str, Problem> {
    if runtime.stopping.is_cancelled() {
        return Err(Problem::unavailable("the host is shutting down", Duration::from_secs(5)));
    }
    runtime.pressure.check(&runtime.store).await?;
    runtime.store.check_writable().await?;
    Ok("ready\n")
}

pub(super) async fn routes(State(runtime): State<Arc<Runtime>>) -> Result<Shown<RouteList>, Problem> {
    let present = runtime.present();
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (route, status, count) in runtime.store.run_counts().await? {
        counts.entry(route).or_default().insert(status, count);
    }
    let routes: Vec<Value> = present.revision.config.routes.iter().map(|route| route_json(route, counts.get(&route.name))).collect();
    Ok(Shown::as_form(json!({ "revision": present.revision.number, "routes": routes })))
}

/// A route as it is configured, with its runs by status.
pub(super) fn route_json(route: &Route, runs: Option<&BTreeMap<String, u64>>) -> Value {
    let steps: Vec<Value> = route
        .steps
        .iter()
        .map(|step| {
            json!({
                "name": step.name,
                "uses": format!("{}.{}", step.plugin, step.action),
                "needs": step.needs.iter().map(|&need| route.steps[need].name.as_str()).collect::<Vec<_>>(),
                "when": step.when.as_ref().map(|when| when.source()),
                "timeout_ms": millis(step.timeout),
                "max_attempts": step.retry.max_attempts,
                "on_failure": match step.on_failure {
                    OnFailure::DeadLetter => "dead-letter",
                    OnFailure::Continue => "continue",
                    OnFailure::Undo => "undo",
                },
                "on_doubt": match step.on_doubt {
                    OnDoubt::Resend => "resend",
                    OnDoubt::Hold => "hold",
                },
            })
        })
        .collect();
    json!({
        "name": route.name,
        "types": route.types.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "sources": route.sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "when": route.when.as_ref().map(|when| when.source()),
        "order_by": route.order_by.as_ref().map(|key| key.source()),
        "order_on_dead": match route.order_on_dead {
            OrderOnDead::Release => "release",
            OrderOnDead::Hold => "hold",
        },
        "steps": steps,
        "runs": runs.cloned().unwrap_or_default(),
    })
}

pub(super) async fn plugins(State(runtime): State<Arc<Runtime>>) -> Result<Shown<PluginList>, Problem> {
    let present = runtime.present();
    let spaces = runtime.store.key_spaces().await?;
    let plugins: Vec<Value> = present
        .revision
        .plugins
        .iter()
        .map(|(name, plugin)| {
            let config = &plugin.config;
            let limits = &config.limits;
            let busy = present
                .plugins
                .get(name)
                .map(|present| config.concurrency as usize - present.slots.available_permits().min(config.concurrency as usize));
            let mut shown = json!({
                "name": name,
                "title": plugin.descriptor.title,
                "plugin": plugin.descriptor.name,
                "version": plugin.descriptor.version,
                "digest": plugin.component.digest,
                "contract": plugin.component.inspection.contract,
                "imports": plugin.component.inspection.imports,
                "signed_by": plugin.component.inspection.signed_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "actions": plugin.descriptor.actions,
                "streams": plugin.descriptor.streams,
                "grants": {
                    "allow_hosts": config.grants.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "allow_private_addresses": config.grants.private_addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "credentials": config.grants.credentials,
                    "emits": config.grants.emits.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "read_only": config.grants.read_only.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "declines": config.grants.declines,
                },
                "limits": {
                    "memory": limits.memory,
                    "table_elements": limits.table_elements,
                    "handles": limits.handles,
                    "time_ms": millis(limits.time),
                    "cpu_ms": millis(limits.cpu),
                    "host_call_size": limits.host_call_size,
                    "http_calls": limits.http_calls,
                    "response_size": limits.response_size,
                    "output_size": limits.output_size,
                    "events": limits.events,
                    "events_size": limits.events_size,
                    "log_size": limits.log_size,
                    "key_value_calls": limits.key_value_calls,
                    "key_value_transfer": limits.key_value_transfer,
                    "key_value_size": limits.key_value_size,
                },
                "instances": match config.instances { Instances::PerCall => "per-call", Instances::Reuse => "reuse" },
                "concurrency": config.concurrency,
                "calls_under_way": busy,
                "instances_ahead": runtime.engine.ahead(&plugin.code),
                "canary": present.plugins.get(name).and_then(|present| present.canary.as_deref()).map(canary_json),
                "rate_limit": config.rate_limit.map(|limit| {
                    let usage = present.plugins.get(name).and_then(|present| present.outbound.rate());
                    json!({
                        "requests": limit.requests,
                        "per_ms": millis(limit.per),
                        "used": usage.map(|usage| usage.used),
                        "waiting": usage.map(|usage| usage.waiting),
                    })
                }),
                "breaker": config.breaker.map(|breaker| {
                    let hosts = present.plugins.get(name).and_then(|present| present.outbound.breaker()).unwrap_or_default();
                    json!({
                        "failures": breaker.failures,
                        "cooldown_ms": millis(breaker.cooldown),
                        "hosts": hosts.iter().map(breaker_json).collect::<Vec<_>>(),
                    })
                }),
            });
            plugins::add(plugin, present.plugins.get(name).map(|present| &**present), &spaces, &mut shown);
            shown
        })
        .collect();
    let own = json!({
        "name": builtin::NAME,
        "title": "Steps of the host itself",
        "plugin": builtin::NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "built_in": true,
        "digest": null,
        "actions": runtime.builtin.actions(),
        "streams": [],
    });
    let plugins: Vec<Value> = std::iter::once(own).chain(plugins).collect();
    Ok(Shown::as_form(json!({ "revision": present.revision.number, "plugins": plugins })))
}

/// How a canary does on this host, beside the component that most runs use.
fn canary_json(trial: &Trial) -> Value {
    let figures = trial.figures();
    let calls = |(calls, failures): (usize, usize)| json!({ "calls": calls, "failures": failures });
    json!({
        "digest": trial.digest,
        "share": trial.config.share,
        "max_error_rate": trial.config.max_error_rate,
        "least_calls": LEAST_CALLS,
        "state": if figures.rolled_back.is_some() { "rolled-back" } else { "on-trial" },
        "rolled_back_at": figures.rolled_back.as_ref().map(|rollback| rollback.at.to_string()),
        "reason": figures.rolled_back.as_ref().map(|rollback| rollback.reason.as_str()),
        "canary": calls(figures.canary),
        "stable": calls(figures.stable),
    })
}

fn breaker_json(host: &BreakerState) -> Value {
    json!({
        "host": host.host,
        "state": host.state,
        "failures": host.failures,
        "open_until": host.open_until.map(|until| until.to_string()),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn credentials(State(runtime): State<Arc<Runtime>>) -> Shown<CredentialList> {
    let present = runtime.present();
    let config = &present.revision.config;
    let shown = |status: Status| {
        let name = status.name.clone();
        let users = config.plugins.values().filter(|plugin| plugin.grants.credentials.contains(&name));
        let mut shown = json!(status);
        shown["plugins"] = users.map(|plugin| plugin.name.as_str()).collect();
        let hosts = config.credentials.get(&name).map(|credential| credential.hosts.iter().map(ToString::to_string).collect::<Vec<_>>());
        shown["hosts"] = json!(hosts.unwrap_or_default());
        // With the consent of a person, in their browser.
        shown["connectable"] = json!(shown["type"] == "oauth2-authorization-code");
        shown
    };
    let credentials: Vec<Value> = runtime.broker.status().into_iter().map(shown).collect();
    Shown::as_form(json!({ "credentials": credentials }))
}

/// The AsyncAPI document of the present configuration.
pub(super) async fn asyncapi(State(runtime): State<Arc<Runtime>>) -> Shown<AsyncApi> {
    let present = runtime.present();
    let revision = &present.revision;
    let streams = revision.plugins.iter().flat_map(|(name, plugin)| {
        let streams = plugin.descriptor.streams.iter();
        streams.map(move |stream| ((name.clone(), stream.name.clone()), stream.types.clone()))
    });
    Shown::as_form(asyncapi::document(&Described {
        content: &revision.content,
        rules: &revision.config.events,
        streams: &streams.collect(),
        url: &runtime.server.outside_url(),
        tokens: runtime.server.access == Access::Tokens,
    }))
}

pub(super) async fn metrics(State(runtime): State<Arc<Runtime>>, headers: HeaderMap) -> Result<Response, Problem> {
    let text = runtime.metrics_text().await?;
    let asks = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/openmetrics-text"));
    let (kind, text) = match asks {
        true => ("application/openmetrics-text; version=1.0.0; charset=utf-8", text),
        false => ("text/plain; version=0.0.4; charset=utf-8", as_prometheus(&text)),
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Applies the file as it is now, or refuses it whole.
pub(super) async fn reload(State(runtime): State<Arc<Runtime>>, Extension(by): Extension<By>) -> Result<Shown<Reloaded>, Problem> {
    match runtime.reload(&by).await {
        Ok(number) => Ok(Shown::as_form(json!({ "revision": number }))),
        Err(ApplyError::Problems(problems)) => {
            let list: Vec<Value> = problems
                .list
                .iter()
                .map(|problem| json!({ "line": problem.line, "column": problem.column, "message": problem.message, "help": problem.help }))
                .collect();
            let detail = format!("the configuration is refused, and the present one stays:\n{problems}");
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("problems", json!(list)))
        }
        Err(ApplyError::Store(error)) => Err(Problem::from(error)),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, crate::telemetry::chain(&error))),
    }
}
