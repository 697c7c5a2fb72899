//! Credentials: how each is doing on all hosts of the store, who may use it and where it is sent. Never what it holds.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::shown::Time;
use crate::config::Config;
use crate::credentials::State as Health;
use crate::runtime::{KnownCredential, MetBy, Runtime};

/// States of credentials.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CredentialList {
    credentials: Vec<Credential>,
}

/// One credential.
#[derive(Debug, Serialize, JsonSchema)]
struct Credential {
    name: String,
    /// As the configuration has it.
    #[serde(rename = "type")]
    kind: &'static str,
    state: Health,
    /// Who met that state.
    met_by: MetBy,
    /// When the present access token ends.
    expires_at: Option<Time>,
    /// When the next one may be fetched.
    retry_at: Option<Time>,
    broken_at: Option<Time>,
    /// When this host last saw it work.
    works_at: Option<Time>,
    last_error: Option<String>,
    /// Tokens that this host has fetched since it was started.
    refreshes: u64,
    /// How often it could not.
    failures: u64,
    /// Plugins that may use it.
    plugins: Vec<String>,
    /// Origins that it is attached for.
    hosts: Vec<String>,
    /// Whether a person connects it, in their browser.
    connectable: bool,
}

pub(super) async fn list(State(runtime): State<Arc<Runtime>>) -> Result<Json<CredentialList>, Problem> {
    let present = runtime.present();
    let known = runtime.credentials().await?;
    Ok(Json(CredentialList { credentials: known.into_iter().map(|known| shown(&present.revision.config, known)).collect() }))
}

fn shown(config: &Config, known: KnownCredential) -> Credential {
    let KnownCredential { status, met_by } = known;
    let users = config.plugins.values().filter(|plugin| plugin.grants.credentials.contains(&status.name));
    let hosts = config.credentials.get(&status.name).map(|credential| credential.hosts.iter().map(ToString::to_string).collect());
    Credential {
        kind: status.kind,
        state: status.state,
        met_by,
        expires_at: status.expires_at.map(Time::from),
        retry_at: status.retry_at.map(Time::from),
        broken_at: status.broken_at.map(Time::from),
        works_at: status.works_at.map(Time::from),
        last_error: status.last_error,
        refreshes: status.refreshes,
        failures: status.failures,
        plugins: users.map(|plugin| plugin.name.clone()).collect(),
        hosts: hosts.unwrap_or_default(),
        // With the consent of a person.
        connectable: status.kind == "oauth2-authorization-code",
        name: status.name,
    }
}
