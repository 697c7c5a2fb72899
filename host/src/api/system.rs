//! The host itself: what it is, how much room it has, and who else serves the store.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use crate::config::{Access, Retention};
use crate::registry::CONTRACT;
use crate::runtime::{Runtime, SILENT};
use crate::store::HostRow;

/// Largest store whose parts are measured whenever somebody looks: it takes less than a second. Of a larger one they are measured when asked for.
const MEASURED_UNASKED: u64 = 256 << 20;

/// Query of `GET /v1/system`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Measure the parts of the store, however large it is.
    #[serde(default)]
    parts: bool,
}

/// What there is to know of this host. Never a secret: of the key its name, which is the beginning of a fingerprint.
pub(super) async fn show(State(runtime): State<Arc<Runtime>>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let now = runtime.clock.now();
    let present = runtime.present();
    let server = &runtime.server;
    let config = &runtime.store_config;
    let (bytes, free) = runtime.store.bytes().await?;
    let measured = match asked.parts || bytes <= MEASURED_UNASKED {
        true => Some(runtime.measured.size(&runtime.store, now).await?),
        false => None,
    };
    let parts = measured.as_ref().map(|(_, size)| {
        let part = |(name, rows, bytes): &(String, u64, u64)| json!({ "name": name, "rows": rows, "size_bytes": bytes });
        size.tables.iter().map(part).collect::<Vec<_>>()
    });
    let pruned = runtime.measured.last_pruned();
    let connections = &server.connections;
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "contract": CONTRACT,
        "at": now.to_string(),
        "host": {
            "id": runtime.identity.name,
            "version": env!("CARGO_PKG_VERSION"),
            "started_at": runtime.started_at.to_string(),
            "url": server.outside_url(),
            "config_file": runtime.config_file.file_name().map(|name| name.to_string_lossy()),
        },
        "hosts": hosts(&runtime).await?,
        "uptime_ms": now.duration_since(runtime.started_at).as_millis(),
        "revision": present.revision.number,
        "store": {
            "kind": if runtime.store.is_shared() { "postgres" } else { "sqlite" },
            "size_bytes": bytes,
            "free_bytes": free,
            "parts": parts,
            "measured_at": measured.as_ref().map(|(at, _)| at.to_string()),
            "oldest_event_at": measured.as_ref().and_then(|(_, size)| size.oldest_event).map(|at| at.to_string()),
            "retention_ms": retention(config.retention),
            "dead_letter_retention_ms": retention(config.dead_letter_retention),
            "dedup_window_ms": millis(config.dedup_window),
            "last_pruned": pruned.map(|pruned| json!({ "at": pruned.at.to_string(), "events": pruned.events, "components": pruned.components })),
        },
        "disk": { "free_bytes": runtime.pressure.free_bytes(), "min_free_bytes": config.min_free_space },
        "limits": {
            "max_event_size": server.max_event_size,
            "max_backlog": server.max_backlog,
            "max_intake_memory": server.max_intake_memory,
            "max_connections": connections.most,
            "max_connections_per_address": connections.most_per_address,
            "max_wrong_tokens": connections.wrong_tokens,
            "max_wrong_tokens_overall": connections.wrong_tokens_overall,
            "header_timeout_ms": millis(connections.header_timeout),
            "body_timeout_ms": millis(connections.body_timeout),
            "shutdown_grace_ms": millis(server.shutdown_grace),
            "lease_ms": millis(server.lease),
        },
        "access": match server.access { Access::Open => "open", Access::Tokens => "tokens" },
        "login": server.oidc.as_ref().map(|oidc| json!({ "issuer": oidc.issuer })),
        "key": { "id": runtime.vault.key_id() },
        "certificate": runtime.certificates.as_ref().map(|certificates| json!({ "ends_at": certificates.ends_at().to_string() })),
    })))
}

/// All hosts of the store, the longest running first. A file has one: this.
pub(super) async fn hosts(runtime: &Runtime) -> Result<Vec<Value>, Problem> {
    let now = runtime.clock.now();
    let own = HostRow {
        id: runtime.identity.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: runtime.present().revision.number,
        cannot_serve: runtime.unservable.at(now),
        started_at: runtime.started_at,
        seen_at: now,
    };
    let mut rows = if runtime.store.is_shared() { runtime.store.hosts().await? } else { Vec::new() };
    // Of itself it knows more than it has written down.
    rows.retain(|row| row.id != own.id);
    rows.push(own);
    rows.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
    let shown = |row: &HostRow| {
        json!({
            "id": row.id,
            "version": row.version,
            "revision": row.revision,
            "cannot_serve": row.cannot_serve,
            "started_at": row.started_at.to_string(),
            "seen_at": row.seen_at.to_string(),
            "alive": now.duration_since(row.seen_at) < SILENT,
            "own": row.id == runtime.identity.name,
        })
    };
    Ok(rows.iter().map(shown).collect())
}

/// `null`: for ever.
fn retention(retention: Retention) -> Option<u64> {
    match retention {
        Retention::For(age) => Some(millis(age)),
        Retention::Forever => None,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
