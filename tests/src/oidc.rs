//! A real OpenID provider: npm's `oidc-provider`, started for one test on a free port. See `tests/peers/oidc/provider.mjs` for its settings.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::client::Client;
use crate::speaker::Speaker;
use crate::tool::NodePeer;

const PEER: NodePeer = NodePeer { folder: "oidc", what: "the OpenID provider for tests is", packages: &["oidc-provider"] };

/// The client that it knows; its redirect URIs are `/login/callback` and `/oauth/callback` on any port of 127.0.0.1.
pub const CLIENT_ID: &str = "sangam";
/// Its secret.
pub const CLIENT_SECRET: &str = "sangam-test-client-secret";

/// A running provider. Ends when it is dropped.
#[derive(Debug)]
pub struct OpenIdProvider {
    /// Its URL, which is the issuer.
    pub issuer: String,
    client: Client,
    _provider: Speaker,
}

impl OpenIdProvider {
    /// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        PEER.is_there()
    }

    /// Starts it with settings such as `{"alg": "ES256"}`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(settings: &Value) -> anyhow::Result<OpenIdProvider> {
        let mut command = PEER.script("provider.mjs");
        command.arg(settings.to_string());
        let (provider, _, issuer) = Speaker::serve("the OpenID provider", command, &PEER.advice()).await?;
        Ok(OpenIdProvider { client: Client::new(&issuer), issuer, _provider: provider })
    }

    /// What is wrong with the next ID tokens: one of the modes of `tamper` in `provider.mjs`, or nothing.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn tamper(&self, mode: Option<&str>) -> anyhow::Result<()> {
        self.order("/test/tamper", json!({ "mode": mode })).await
    }

    /// Signs with a new key from now on; the former one is gone from its key set.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn rotate(&self) -> anyhow::Result<()> {
        self.order("/test/rotate", json!({})).await
    }

    /// Answers 503 to everybody, or no longer.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn down(&self, down: bool) -> anyhow::Result<()> {
        self.order("/test/down", json!({ "down": down })).await
    }

    async fn order(&self, path: &str, body: Value) -> anyhow::Result<()> {
        let answer = self.client.post(path, &body).await?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text);
        Ok(())
    }
}
