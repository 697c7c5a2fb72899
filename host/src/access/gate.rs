//! What a host knows of those who ask it, put together.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Attempts, Login, Uses};
use crate::config::Server;
use crate::credentials::Vault;
use crate::store::{Store, StoreError};

/// How long a token that was revoked stays on the list.
const REVOKED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a host knows of those who ask it.
#[derive(Debug)]
pub struct Gate {
    /// Wrong tokens and sessions.
    pub guesses: Attempts,
    /// Wrong secrets at webhooks. Apart from the others: a sender with an old secret keeps nobody out of the API.
    pub deliveries: Attempts,
    /// Logins that failed.
    pub logins: Attempts,
    /// Who was let in.
    pub uses: Uses,
    /// How people log in, where they can.
    pub login: Option<Login>,
}

impl Gate {
    /// As `[server]` says.
    pub fn new(server: &Server, vault: &Vault, tls: &rustls::ClientConfig) -> Result<Gate, super::LoginError> {
        let attempts = || Attempts::new(server.connections.wrong_tokens, server.connections.wrong_tokens_overall);
        let login = match &server.oidc {
            Some(oidc) => Some(Login::new(oidc.clone(), vault.clone(), tls.clone())?),
            None => None,
        };
        Ok(Gate { guesses: attempts(), deliveries: attempts(), logins: attempts(), uses: Uses::default(), login })
    }

    /// Writes down who was let in since the last time, and forgets sessions that are over and tokens that were revoked long ago.
    pub async fn write_down(&self, store: &Store, idle: Option<Duration>, now: Timestamp) -> Result<(), StoreError> {
        let since = self.uses.take();
        if !since.tokens.is_empty() || !since.sessions.is_empty() {
            store.used(since.tokens.into_iter().collect(), since.sessions.into_iter().collect()).await?;
        }
        store.tokens_prune(now.checked_sub(REVOKED).unwrap_or(Timestamp::MIN)).await?;
        if let Some(idle) = idle {
            let since = SignedDuration::try_from(idle).ok().and_then(|idle| now.checked_sub(idle).ok());
            store.sessions_prune(since.unwrap_or(Timestamp::MIN), now).await?;
        }
        Ok(())
    }
}
