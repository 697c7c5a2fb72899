//! The host itself: what it is, how much room it has, and who else serves the store.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::shown::Time;
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

/// What there is to know of a host.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "System")]
pub(super) struct System {
    /// Of the program.
    version: &'static str,
    /// Version of the contract with plugins.
    contract: &'static str,
    /// The host's time.
    at: Time,
    host: AskedHost,
    /// All hosts of the store, the longest running first.
    hosts: Vec<Host>,
    uptime_ms: u64,
    /// The configuration that new events run on.
    revision: i64,
    store: StoreFigures,
    disk: Disk,
    limits: ServerLimits,
    /// `open`: nobody is asked for a token; or `tokens`.
    access: &'static str,
    /// How people log in; null: they can't.
    login: Option<Login>,
    key: Key,
    /// Null: plain HTTP.
    certificate: Option<CertificateEnd>,
}

/// The host that was asked.
#[derive(Debug, Serialize, JsonSchema)]
struct AskedHost {
    id: String,
    version: &'static str,
    started_at: Time,
    /// Where it is reached.
    url: String,
    config_file: Option<String>,
}

/// A host of the store.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "StoreHost")]
pub(super) struct Host {
    pub(super) id: String,
    version: String,
    /// The configuration that new events get there.
    pub(super) revision: i64,
    /// Configurations that it can't load: their runs are left to others.
    cannot_serve: Vec<i64>,
    started_at: Time,
    /// Its last sign of life.
    seen_at: Time,
    pub(super) alive: bool,
    /// It is the one that was asked.
    own: bool,
}

/// The store and what it takes.
#[derive(Debug, Serialize, JsonSchema)]
struct StoreFigures {
    /// `sqlite` or `postgres`.
    kind: &'static str,
    size_bytes: u64,
    /// Free for new rows; null: a server does not say.
    free_bytes: Option<u64>,
    /// The largest first; null: too large to be measured unasked.
    parts: Option<Vec<Part>>,
    /// When the parts were measured.
    measured_at: Option<Time>,
    oldest_event_at: Option<Time>,
    /// Null: for ever.
    retention_ms: Option<u64>,
    /// Null: for ever.
    dead_letter_retention_ms: Option<u64>,
    dedup_window_ms: u64,
    /// What retention removed last; null: not since this host started.
    last_pruned: Option<Removed>,
}

/// A table.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StorePart")]
struct Part {
    name: String,
    rows: u64,
    /// With its indexes.
    size_bytes: u64,
}

/// What retention removed in one pass.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RetentionPass")]
struct Removed {
    at: Time,
    events: u64,
    components: u64,
}

/// Room on the disk of the store.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DiskRoom")]
struct Disk {
    /// Null: the store is a server's, or the disk does not say.
    free_bytes: Option<u64>,
    /// Below it no more events are taken in.
    min_free_bytes: u64,
}

/// Limits of `[server]`.
#[derive(Debug, Serialize, JsonSchema)]
struct ServerLimits {
    max_event_size: usize,
    max_backlog: u64,
    max_waiting: u64,
    max_intake_memory: usize,
    max_connections: u32,
    max_connections_per_address: u32,
    max_wrong_tokens: u32,
    max_wrong_tokens_overall: u32,
    header_timeout_ms: u64,
    body_timeout_ms: u64,
    shutdown_grace_ms: u64,
    lease_ms: u64,
}

/// The provider where people log in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LoginProvider")]
struct Login {
    issuer: String,
}

/// The key that seals secrets, by name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SealingKeyName")]
struct Key {
    /// The beginning of its fingerprint.
    id: String,
}

/// The certificate that is shown to who connects.
#[derive(Debug, Serialize, JsonSchema)]
struct CertificateEnd {
    ends_at: Time,
}

/// What there is to know of this host. Never a secret: of the key its name, which is the beginning of a fingerprint.
pub(super) async fn show(State(runtime): State<Arc<Runtime>>, Query(asked): Query<Asked>) -> Result<Json<System>, Problem> {
    let now = runtime.clock.now();
    let server = &runtime.server;
    let connections = &server.connections;
    let uptime = Duration::try_from(now.duration_since(runtime.started_at)).unwrap_or_default();
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION"),
        contract: CONTRACT,
        at: now.into(),
        host: AskedHost {
            id: runtime.identity.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: runtime.started_at.into(),
            url: server.outside_url(),
            config_file: runtime.config_file.file_name().map(|name| name.to_string_lossy().into_owned()),
        },
        hosts: hosts(&runtime).await?,
        uptime_ms: millis(uptime),
        revision: runtime.present().revision.number,
        store: store(&runtime, asked.parts, now).await?,
        disk: Disk { free_bytes: runtime.pressure.free_bytes(), min_free_bytes: runtime.store_config.min_free_space },
        limits: ServerLimits {
            max_event_size: server.max_event_size,
            max_backlog: server.max_backlog,
            max_waiting: server.max_waiting,
            max_intake_memory: server.max_intake_memory,
            max_connections: connections.most,
            max_connections_per_address: connections.most_per_address,
            max_wrong_tokens: connections.wrong_tokens,
            max_wrong_tokens_overall: connections.wrong_tokens_overall,
            header_timeout_ms: millis(connections.header_timeout),
            body_timeout_ms: millis(connections.body_timeout),
            shutdown_grace_ms: millis(server.shutdown_grace),
            lease_ms: millis(server.lease),
        },
        access: match server.access {
            Access::Open => "open",
            Access::Tokens => "tokens",
        },
        login: server.oidc.as_ref().map(|oidc| Login { issuer: oidc.issuer.clone() }),
        key: Key { id: runtime.vault.key_id() },
        certificate: runtime.certificates.as_ref().map(|certificates| CertificateEnd { ends_at: certificates.ends_at().into() }),
    }))
}

async fn store(runtime: &Runtime, parts: bool, now: Timestamp) -> Result<StoreFigures, Problem> {
    let config = &runtime.store_config;
    let (bytes, free) = runtime.store.bytes().await?;
    let measured = match parts || bytes <= MEASURED_UNASKED {
        true => Some(runtime.measured.size(&runtime.store, now).await?),
        false => None,
    };
    let part = |(name, rows, size_bytes): &(String, u64, u64)| Part { name: name.clone(), rows: *rows, size_bytes: *size_bytes };
    Ok(StoreFigures {
        kind: if runtime.store.is_shared() { "postgres" } else { "sqlite" },
        size_bytes: bytes,
        free_bytes: free,
        parts: measured.as_ref().map(|(_, size)| size.tables.iter().map(part).collect()),
        measured_at: measured.as_ref().map(|(at, _)| (*at).into()),
        oldest_event_at: measured.as_ref().and_then(|(_, size)| size.oldest_event).map(Time::from),
        retention_ms: retention(config.retention),
        dead_letter_retention_ms: retention(config.dead_letter_retention),
        dedup_window_ms: millis(config.dedup_window),
        last_pruned: runtime.measured.last_pruned().map(|pruned| Removed {
            at: pruned.at.into(),
            events: pruned.events,
            components: pruned.components,
        }),
    })
}

/// All hosts of the store, the longest running first. A file has one: this.
pub(super) async fn hosts(runtime: &Runtime) -> Result<Vec<Host>, Problem> {
    let now = runtime.clock.now();
    let own = runtime.as_host(now);
    let mut rows = if runtime.store.is_shared() { runtime.store.hosts().await? } else { Vec::new() };
    // Of itself it knows more than it has written down.
    rows.retain(|row| row.id != own.id);
    rows.push(own);
    rows.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
    let shown = |row: HostRow| Host {
        alive: now.duration_since(row.seen_at) < SILENT,
        own: row.id == runtime.identity.name,
        id: row.id,
        version: row.version,
        revision: row.revision,
        cannot_serve: row.cannot_serve,
        started_at: row.started_at.into(),
        seen_at: row.seen_at.into(),
    };
    Ok(rows.into_iter().map(shown).collect())
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
