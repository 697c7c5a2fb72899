//! How credentials are doing, as `/v1/credentials` tells it: never a secret.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::config::CredentialKind;

/// State of one credential on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "CredentialState")]
pub enum State {
    /// Requests can carry it.
    Ok,
    /// A new token is being fetched.
    Refreshing,
    /// Fetching one failed; tried again from `retry_at` on, when a request needs it.
    CoolingDown,
    /// Nothing but a changed secret or configuration helps.
    Broken,
    /// Nobody has agreed to it yet: `sangam connect`.
    NotConnected,
    /// No request has needed it since this host started.
    Unused,
}

/// One credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its `type` in the configuration.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// How it is doing.
    pub state: State,
    /// When the present access token ends, as far as the vendor said.
    #[serde(serialize_with = "time")]
    pub expires_at: Option<Timestamp>,
    /// When the cool-down ends.
    #[serde(serialize_with = "time")]
    pub retry_at: Option<Timestamp>,
    /// Since when nothing but a changed secret or configuration helps.
    #[serde(serialize_with = "time")]
    pub broken_at: Option<Timestamp>,
    /// When it was last seen to work: its token fetched, or a request answered that carried it.
    #[serde(serialize_with = "time")]
    pub works_at: Option<Timestamp>,
    /// What went wrong last, if nothing has gone right since.
    pub last_error: Option<String>,
    /// Tokens fetched since this host started.
    pub refreshes: u64,
    /// Failed attempts to fetch one since this host started.
    pub failures: u64,
}

/// The `type` of a credential.
pub(super) fn kind(kind: &CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Bearer { .. } => "bearer",
        CredentialKind::Basic { .. } => "basic",
        CredentialKind::Header { .. } => "header",
        CredentialKind::Query { .. } => "query",
        CredentialKind::Hmac(_) => "hmac",
        CredentialKind::Placeholder { .. } => "placeholder",
        CredentialKind::OAuth2ClientCredentials(_) => "oauth2-client-credentials",
        CredentialKind::OAuth2RefreshToken { .. } => "oauth2-refresh-token",
        CredentialKind::OAuth2AuthorizationCode { .. } => "oauth2-authorization-code",
        CredentialKind::OAuth2JwtBearer { .. } => "oauth2-jwt-bearer",
    }
}

/// RFC 3339, or null.
fn time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

/// RFC 3339.
pub(super) fn moment<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
