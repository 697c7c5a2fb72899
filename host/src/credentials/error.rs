//! What can go wrong between a credential and a request that carries it.

use std::error::Error;
use std::fmt::{self, Write};
use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;

use super::endpoint::EndpointError;
use super::jwt::JwtError;
use super::key::OpenError;
use super::vault::SecretError;
use crate::store::StoreError;

/// Why a request can't carry its credential. Names the credential; never holds a secret.
///
/// Cloned to everyone who waited for the same refresh.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialError {
    /// A reference of the credential has no value.
    #[error("credential `{credential}` is incomplete")]
    Unresolved {
        /// The credential.
        credential: String,
        /// Which reference, and what to do.
        source: Arc<SecretError>,
    },
    /// The request would go out in the clear.
    #[error("credential `{credential}` is not sent to {origin}: only https keeps it secret on the way; use an https address")]
    Exposed {
        /// The credential.
        credential: String,
        /// Where the request was going.
        origin: String,
    },
    /// The value, its parts or a header's name can't be written where they belong.
    #[error("credential `{credential}` can't be put onto a request: {reason}")]
    Unwritable {
        /// The credential.
        credential: String,
        /// What is in the way.
        reason: &'static str,
    },
    /// The request is not one to fill a placeholder in.
    #[error("credential `{credential}`: {reason}")]
    Placeholder {
        /// The credential.
        credential: String,
        /// What is in the way.
        reason: &'static str,
    },
    /// Nobody has connected it yet.
    #[error("credential `{credential}` is not connected: run `sangam connect {credential}`")]
    NotConnected {
        /// The credential.
        credential: String,
    },
    /// `token-url` is no address that a secret may be sent to.
    #[error("credential `{credential}`: `token-url` must be an https address (http only to this machine), without user name")]
    TokenUrl {
        /// The credential.
        credential: String,
    },
    /// No assertion could be signed.
    #[error("credential `{credential}` can't sign its assertion")]
    Signing {
        /// The credential.
        credential: String,
        /// Why, and what to do.
        source: JwtError,
    },
    /// The vendor judged the credential: asking again with the same one can't help.
    #[error("credential `{credential}`: {host} refused it{}; {}", said(.answer), advice(.answer, *.held, .credential))]
    Refused {
        /// The credential.
        credential: String,
        /// Host of the token endpoint.
        host: String,
        /// What the vendor said.
        answer: VendorAnswer,
        /// What was shown to the vendor.
        held: Held,
    },
    /// The vendor answered without a token; this may pass.
    #[error("credential `{credential}`: no token from {host}{}; next try not before {retry_at}", said(.answer))]
    NoToken {
        /// The credential.
        credential: String,
        /// Host of the token endpoint.
        host: String,
        /// What the vendor said.
        answer: VendorAnswer,
        /// When the cool-down ends.
        retry_at: Timestamp,
    },
    /// There was no answer; this may pass.
    #[error("credential `{credential}`: no token from {host}; next try not before {retry_at}")]
    NoAnswer {
        /// The credential.
        credential: String,
        /// Host of the token endpoint.
        host: String,
        /// What happened.
        source: Arc<EndpointError>,
        /// When the cool-down ends.
        retry_at: Timestamp,
    },
    /// The store's copy of the token does not open or is no token.
    #[error("credential `{credential}`: its token in the store can't be read: {reason}")]
    Unreadable {
        /// The credential.
        credential: String,
        /// Why.
        reason: Unreadable,
    },
    /// The store did not answer.
    #[error("credential `{credential}`: reading or keeping its token in the store")]
    Store {
        /// The credential.
        credential: String,
        /// What the store said.
        source: Arc<StoreError>,
    },
    /// Another host has been refreshing for longer than it may.
    #[error("credential `{credential}`: another host is refreshing it and does not finish")]
    Busy {
        /// The credential.
        credential: String,
    },
    /// The host is shutting down, or the refresh ended without a result.
    #[error("credential `{credential}`: the refresh was cut short")]
    Interrupted {
        /// The credential.
        credential: String,
    },
}

/// Why a stored token can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It does not open.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// It opens, but a newer program wrote it.
    #[error("a newer version of sangam wrote it")]
    Format,
}

/// What a token endpoint said instead of giving a token: bounded, printable, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorAnswer {
    /// HTTP status.
    pub status: StatusCode,
    /// `error` (RFC 6749 section 5.2).
    pub error: Option<String>,
    /// `error_description`, or the start of an answer that is no JSON.
    pub description: Option<String>,
}

/// What a token was asked for with, besides the client's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing that the vendor gave.
    Nothing,
    /// A refresh token of the configuration, or what became of it.
    RefreshToken,
    /// What a person agreed to.
    Consent,
}

/// Again, or never?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Asking again from this time on may help.
    At(Timestamp),
    /// Asking again may help, after the pause the caller gives any passing trouble.
    Later,
    /// Only a changed secret or configuration helps: wait for [`Broker::changes`](super::Broker::changes).
    Change,
}

impl CredentialError {
    /// What would help.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::NoToken { retry_at, .. } | Self::NoAnswer { retry_at, .. } => Remedy::At(*retry_at),
            Self::Store { .. } | Self::Busy { .. } | Self::Interrupted { .. } => Remedy::Later,
            Self::Unresolved { source, .. } if matches!(**source, SecretError::Store(_)) => Remedy::Later,
            Self::Unresolved { .. }
            | Self::Exposed { .. }
            | Self::Unwritable { .. }
            | Self::Placeholder { .. }
            | Self::NotConnected { .. }
            | Self::TokenUrl { .. }
            | Self::Signing { .. }
            | Self::Refused { .. }
            | Self::Unreadable { .. } => Remedy::Change,
        }
    }

    /// The error and all its causes in one line, as status pages show it.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(text, ": {error}").expect("a String takes any text");
            cause = error.source();
        }
        text
    }
}

/// `: invalid_grant (Token expired)`, or the status where there is no code.
fn said(answer: &VendorAnswer) -> impl fmt::Display {
    let mut text = match &answer.error {
        Some(error) => format!(": {error}"),
        None if answer.status.is_success() => ": its answer holds no `access_token` in JSON".to_owned(),
        None => format!(": it answered {}", answer.status),
    };
    if let Some(description) = &answer.description {
        write!(text, " ({description})").expect("a String takes any text");
    }
    text
}

fn advice(answer: &VendorAnswer, held: Held, credential: &str) -> String {
    let advice = match (answer.error.as_deref(), held) {
        (Some("invalid_grant"), Held::Consent) => return format!("connect it again: `sangam connect {credential}`"),
        (Some("invalid_grant"), Held::RefreshToken) => "get a new refresh token from the vendor and set it in place of the old one",
        (Some("invalid_grant"), Held::Nothing) => {
            "check that the vendor lets this client act for this subject, and the clock of this machine; then reload"
        }
        (Some("invalid_client"), _) => "check `client-id`, `client-secret` and `client-auth`; then set the right secret or reload",
        (Some("invalid_scope"), _) => "check `scopes`; then reload",
        _ => "check what the vendor allows this client; then reload",
    };
    advice.to_owned()
}
