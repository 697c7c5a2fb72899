//! A credential looked at without using it: no token is fetched, nothing is written.

use jiff::Timestamp;

use super::key::Purpose;
use super::sources::Sources;
use super::status;
use super::token::Token;
use super::vault::{SecretError, Vault};
use crate::config::{Credential, CredentialKind, Reference};
use crate::telemetry;

/// How a credential is, as far as files and the store say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inspected {
    /// What it is made of is there; nothing of it ends.
    Fixed,
    /// It has a token.
    Token {
        /// When that ends, as far as the vendor said.
        expires_at: Option<Timestamp>,
        /// It has ended.
        expired: bool,
        /// It is time to fetch the next one.
        due: bool,
    },
    /// It has none yet, and gets one with the first request that needs it.
    Unused,
    /// Nobody has agreed to it yet.
    NotConnected,
    /// Something that it is made of can't be had, or its state can't be read. Never a secret.
    Broken(String),
}

/// The `type` of a credential.
pub fn kind(credential: &Credential) -> &'static str {
    status::kind(&credential.kind)
}

/// Looks at a credential.
pub async fn inspect(vault: &Vault, credential: &Credential, now: Timestamp) -> Inspected {
    match looked_at(vault, credential, now).await {
        Ok(inspected) => inspected,
        Err(error) => Inspected::Broken(telemetry::chain(&error)),
    }
}

async fn looked_at(vault: &Vault, credential: &Credential, now: Timestamp) -> Result<Inspected, SecretError> {
    let Some(sources) = Sources::resolve(vault, &credential.kind).await? else {
        for reference in references(&credential.kind) {
            vault.resolve(reference).await?;
        }
        return Ok(Inspected::Fixed);
    };
    let asks_person = matches!(credential.kind, CredentialKind::OAuth2AuthorizationCode { .. });
    let none = if asks_person { Inspected::NotConnected } else { Inspected::Unused };
    let Some(row) = vault.store().credential_state(&credential.name).await?.filter(|row| !row.sealed.value.is_empty()) else {
        return Ok(none);
    };
    if let Err(error) = vault.present(Purpose::Credential, &credential.name, &row.sealed) {
        return Ok(Inspected::Broken(format!("its state in the store does not open: {error}")));
    }
    let token = match Token::open(&vault.key(), &credential.name, row.version, &row.sealed.value) {
        Ok(token) => token,
        Err(error) => return Ok(Inspected::Broken(format!("its state in the store does not open: {}", telemetry::chain(&error)))),
    };
    // Of another client or another first refresh token: not used.
    let lineage = sources.lineage();
    if lineage.is_some() && token.first_refresh != lineage {
        return Ok(none);
    }
    if token.source != sources.fingerprint && lineage.is_none() {
        return Ok(Inspected::Unused);
    }
    Ok(Inspected::Token { expires_at: token.expires_at, expired: token.expired(now), due: token.due(now) })
}

/// What a credential without tokens is made of.
fn references(kind: &CredentialKind) -> Vec<&Reference> {
    match kind {
        CredentialKind::Bearer { token } => vec![token],
        CredentialKind::Basic { username, password } => vec![username, password],
        CredentialKind::Header { value, .. } | CredentialKind::Query { value, .. } | CredentialKind::Placeholder { value, .. } => {
            vec![value]
        }
        CredentialKind::Hmac(hmac) => std::iter::once(&hmac.key).chain(&hmac.key_id).collect(),
        CredentialKind::OAuth2ClientCredentials(_)
        | CredentialKind::OAuth2RefreshToken { .. }
        | CredentialKind::OAuth2AuthorizationCode { .. }
        | CredentialKind::OAuth2JwtBearer { .. } => Vec::new(),
    }
}
