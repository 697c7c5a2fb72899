//! Whether the host lives, its figures, what it says of its events; and its configuration, applied anew.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Problem;
use super::mistakes::{self, Mistake, mistakes};
use super::shown::Shown;
use crate::asyncapi::{self, Described};
use crate::audit::By;
use crate::config::Access;
use crate::runtime::{ApplyError, Runtime};
use crate::telemetry::{as_prometheus, chain};

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

/// An AsyncAPI document.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it is a form: the document is made whole elsewhere")]
pub(super) struct AsyncApi {
    asyncapi: String,
    info: Map<String, Value>,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
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

/// A configuration file that was applied.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Reloaded {
    /// Number of the revision.
    revision: i64,
    /// What is allowed in it but probably not meant.
    warnings: Vec<Mistake>,
}

/// Applies the file as it is now, or refuses it whole.
pub(super) async fn reload(State(runtime): State<Arc<Runtime>>, Extension(by): Extension<By>) -> Result<Json<Reloaded>, Problem> {
    match runtime.reload(&by).await {
        Ok(applied) => Ok(Json(Reloaded { revision: applied.number, warnings: mistakes(&applied.warnings) })),
        Err(ApplyError::Problems(problems)) => Err(mistakes::refused("the configuration is refused, and the present one stays", &problems)),
        Err(ApplyError::Store(error)) => Err(Problem::from(error)),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, chain(&error))),
    }
}
