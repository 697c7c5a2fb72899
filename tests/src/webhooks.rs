//! Webhooks as their vendors sign them, by the vendors' own libraries: a Node.js program. See `tests/peers/webhooks/sign.mjs`.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::speaker::{Speaker, Spoken};
use crate::tool::NodePeer;

const PEER: NodePeer =
    NodePeer { folder: "webhooks", what: "the vendors' libraries that sign webhooks are", packages: &["standardwebhooks"] };

/// A request as a vendor would send it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// As the vendor sees it.
    pub url: String,
    /// Names as the vendor writes them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Signed {
    /// Path and query.
    pub fn target(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.find('/').map_or("/", |at| &rest[at..])
    }

    /// The place of a header, whatever case its name is in.
    pub fn place(&self, name: &str) -> anyhow::Result<usize> {
        let place = self.headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        place.with_context(|| format!("there is no header {name}"))
    }
}

/// The program that signs. Ends when it is dropped.
#[derive(Debug)]
pub struct WebhookSigner {
    signer: Speaker,
    spoken: Spoken,
}

impl WebhookSigner {
    /// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        PEER.is_there()
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> anyhow::Result<WebhookSigner> {
        let (signer, spoken) = Speaker::start("the signer", PEER.script("sign.mjs"), &PEER.advice())?;
        Ok(WebhookSigner { signer, spoken })
    }

    /// Signs what `order` says: the members that `sign.mjs` names at its beginning.
    ///
    /// # Errors
    /// When it can't, with its reason.
    pub async fn sign(&mut self, order: &Value) -> anyhow::Result<Signed> {
        let answer = self.ask(order).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = answer["headers"].as_array().context("headers are a list")?;
        let headers = headers.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        Ok(Signed { url: text(&answer["url"]), headers, body: text(&answer["body"]) })
    }

    /// The public key that goes with an algorithm of RFC 9421: PEM, and of Ed25519 the 32 bytes in base64.
    ///
    /// # Errors
    /// When there is no such algorithm.
    pub async fn public_key(&mut self, algorithm: &str) -> anyhow::Result<(String, Option<String>)> {
        let answer = self.ask(&json!({ "scheme": "public-key", "key": algorithm })).await?;
        let pem = answer["body"].as_str().context("a key is text")?.to_owned();
        Ok((pem, answer["raw"].as_str().map(str::to_owned)))
    }

    async fn ask(&mut self, order: &Value) -> anyhow::Result<Value> {
        self.signer.tell(order).await?;
        let answer: Value = serde_json::from_str(&self.spoken.line().await?)?;
        match answer["error"].as_str() {
            None => Ok(answer),
            Some(error) => anyhow::bail!("{error}"),
        }
    }
}
