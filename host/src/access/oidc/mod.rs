//! Logging in with OpenID Connect: authorization code with PKCE.
//!
//! Looked at and not taken: `openidconnect` 4 brings a second set of cryptography (`rsa`, `p256`, `ed25519-dalek`), `jsonwebtoken` 12 the same or
//! AWS-LC. *ring*, which is here already, verifies every signature that providers use; what is left is in [`id_token`], a page long.
//!
//! A login under way is kept in the browser, sealed with the store's key: any host of the store can finish it, nobody else can read or change it,
//! and a state that comes back to another browser finds nothing there. So it costs the host no memory however many begin.

mod claims;
mod id_token;
mod keys;
mod provider;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

pub use id_token::IdTokenError;
pub use provider::ProviderError;

use self::provider::Provider;
use crate::clock::later;
use crate::config::Oidc;
use crate::credentials::{Role, SecretError, Vault, random};

/// How long a person may take at the provider.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest sealed login that is opened: a cookie has 4 KiB.
const MOST_SEALED: usize = 4096;
/// Longest text of the provider's that is shown.
const MOST_SHOWN: usize = 200;
/// Longest name or subject.
const MOST_NAME: usize = 255;

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The provider does not answer as it should: try again later.
    #[error("the OpenID provider can't be used now")]
    Provider(#[from] ProviderError),
    /// There is no login under way in this browser, or it is another one.
    #[error("no login is under way in this browser with that answer: begin again at /login")]
    NotUnderWay,
    /// The answer came from somebody else than the provider.
    #[error("the answer names another issuer than the configured one")]
    OtherIssuer,
    /// The provider or the person said no.
    #[error("the OpenID provider refused the login: {0}")]
    Refused(String),
    /// The ID token is not good.
    #[error("the OpenID provider's ID token is refused")]
    IdToken(#[from] IdTokenError),
    /// The person has no role here.
    #[error("{0} has logged in, but has no role here: an administrator gives one in `roles` of [server.oidc]")]
    NoRole(String),
    /// The client secret can't be had.
    #[error("the client secret of [server.oidc] can't be read")]
    Secret(#[from] SecretError),
}

/// Somebody who has logged in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The provider's name for them.
    pub subject: String,
    /// For people.
    pub name: String,
    /// What they are.
    pub role: Role,
}

/// What comes back from the provider by way of the browser.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "ProviderAnswer")]
pub struct Answer {
    /// Good for one token.
    code: Option<String>,
    /// Of the login that it answers.
    state: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// The same in words.
    error_description: Option<String>,
}

/// A login that begins.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub location: String,
    /// What it keeps until it comes back.
    pub sealed: String,
}

/// What the browser keeps, sealed.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    state: String,
    nonce: String,
    verifier: String,
    redirect_uri: String,
    return_to: String,
    until: Timestamp,
}

/// Asks a provider for what it says of itself and for its keys, as a login would: for who looks whether it is there. Both are public.
///
/// # Errors
/// Why nobody could log in there now.
pub async fn look(issuer: &str, tls: rustls::ClientConfig, now: Timestamp) -> Result<(), ProviderError> {
    Provider::new(issuer, tls)?.keys(now, false).await.map(drop)
}

/// How people log in at this host.
#[derive(Debug)]
pub struct Login {
    oidc: Oidc,
    vault: Vault,
    provider: Provider,
}

impl Login {
    /// With the provider of `[server.oidc]`. Nothing is asked yet: a host starts without it.
    pub fn new(oidc: Oidc, vault: Vault, tls: rustls::ClientConfig) -> Result<Login, LoginError> {
        let provider = Provider::new(&oidc.issuer, tls)?;
        Ok(Login { oidc, vault, provider })
    }

    /// As configured.
    pub fn config(&self) -> &Oidc {
        &self.oidc
    }

    /// Begins a login that comes back to `redirect_uri` and then leads to `return_to`, a path.
    pub async fn begin(&self, redirect_uri: &str, return_to: &str, now: Timestamp) -> Result<Begun, LoginError> {
        let metadata = self.provider.metadata(now).await?;
        let under_way = UnderWay {
            state: random_text(),
            nonce: random_text(),
            verifier: random_text(),
            redirect_uri: redirect_uri.to_owned(),
            return_to: return_to.to_owned(),
            until: later(now, PATIENCE),
        };
        let mut location = metadata.authorization_endpoint.clone();
        location
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.oidc.client_id)
            .append_pair("scope", &self.oidc.scopes.join(" "))
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", &under_way.state)
            .append_pair("nonce", &under_way.nonce)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(&under_way.verifier)))
            .append_pair("code_challenge_method", "S256");
        let text = serde_json::to_vec(&under_way).expect("texts and a time are plain data");
        Ok(Begun { location: location.into(), sealed: URL_SAFE_NO_PAD.encode(self.vault.seal_login(&text)) })
    }

    /// Finishes a login with what the provider sent and what the browser kept. Gives the person and where they wanted to go.
    pub async fn finish(&self, answer: &Answer, sealed: Option<&str>, now: Timestamp) -> Result<(Person, String), LoginError> {
        let under_way = sealed.and_then(|sealed| self.open(sealed)).ok_or(LoginError::NotUnderWay)?;
        let state = answer.state.as_deref().unwrap_or_default();
        if under_way.until <= now || !bool::from(state.as_bytes().ct_eq(under_way.state.as_bytes())) {
            return Err(LoginError::NotUnderWay);
        }
        let metadata = self.provider.metadata(now).await?;
        // RFC 9207: an answer of another provider is not taken to this one.
        match &answer.iss {
            Some(issuer) if *issuer != self.oidc.issuer => return Err(LoginError::OtherIssuer),
            None if metadata.says_issuer => return Err(LoginError::OtherIssuer),
            _ => {}
        }
        if let Some(error) = &answer.error {
            let description = answer.error_description.as_deref().unwrap_or_default();
            return Err(LoginError::Refused(shown(&format!("{error} {description}"))));
        }
        let code = answer.code.as_deref().ok_or(LoginError::NotUnderWay)?;
        let secret = match &self.oidc.client_secret {
            Some(reference) => Some(self.vault.resolve(reference).await?),
            None => None,
        };
        let tokens = self.provider.exchange(&self.oidc.client_id, secret.as_ref(), code, &under_way, now).await?;
        let expected = id_token::Expected { issuer: &self.oidc.issuer, client_id: &self.oidc.client_id, nonce: &under_way.nonce, now };
        let keys = self.provider.keys(now, false).await?;
        let claims = match id_token::verify(&tokens.id_token, &keys, &expected) {
            // It may have another key since we last looked.
            Err(IdTokenError::UnknownKey) => {
                let keys = self.provider.keys(now, true).await?;
                id_token::verify(&tokens.id_token, &keys, &expected)?
            }
            verified => verified?,
        };
        let subject = claims.get("sub").and_then(|subject| subject.as_str()).unwrap_or_default().to_owned();
        // Many providers tell groups and addresses only there.
        let more = match tokens.access_token.filter(|_| claims::lacks(&claims, &self.oidc.roles)) {
            Some(token) => self.provider.userinfo(&token, now).await?,
            None => None,
        };
        let claims = match more {
            Some(more) => claims::joined(claims, more, &subject)?,
            None => claims,
        };
        let name = claims::name(&claims).map_or_else(|| subject.clone(), |name| shorten(name, MOST_NAME));
        let role = claims::role(&claims, &self.oidc.roles).ok_or_else(|| LoginError::NoRole(shown(&name)))?;
        Ok((Person { subject, name, role }, under_way.return_to))
    }

    fn open(&self, sealed: &str) -> Option<UnderWay> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok().filter(|_| sealed.len() <= MOST_SEALED)?;
        serde_json::from_slice(&self.vault.open_login(&bytes).ok()?).ok()
    }
}

/// 256 random bits; as a code verifier it has the length that RFC 7636 asks for.
fn random_text() -> String {
    let mut bytes = [0; 32];
    random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Text of the provider's, for people.
fn shown(text: &str) -> String {
    let plain: String = text.trim().chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    shorten(&plain, MOST_SHOWN)
}

fn shorten(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The provider's endpoint, which must not lead from an encrypted issuer to an open one.
fn endpoint(text: &str, issuer: &Url) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_loopback = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback && issuer.scheme() == "http");
    (is_safe && url.username().is_empty() && url.password().is_none()).then_some(url)
}
