//! Connecting a credential: a person agrees in the vendor's own pages, and what the vendor gives for it is kept.
//!
//! RFC 6749 section 4.1 with PKCE (RFC 7636, S256). The `state` is 32 random bytes, of which the store keeps the digest:
//! it is good for one answer, for ten minutes, at any host on the store. The answer's `iss` is compared where the vendor
//! sends one (RFC 9207), so that one vendor's code is not given to another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use url::{Host, Url};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::broker::{Broker, Means};
use super::context::Context;
use super::error::{CredentialError, Held};
use super::key::{Purpose, random};
use super::oauth2::{self, printable};
use super::origin;
use super::patterns::Patterns;
use super::renewable::Renewable;
use super::renewal;
use super::secret::Secret;
use super::sources::Sources;
use crate::clock::later;
use crate::config::CredentialKind;
use crate::store::{ConsentRow, StoreError};

/// For how long a person may take.
const TIME: Duration = Duration::from_secs(600);
/// How long it is remembered how it ended.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Most of what a vendor's answer says besides the code that is passed on, …
const MOST_SAID: usize = 16;
/// … the longest name of it, in characters, …
const MOST_NAME: usize = 64;
/// … and the longest code, state or other value that is looked at, in bytes.
const MOST_VALUE: usize = 8 << 10;

/// A consent that was asked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "AskedConsent")]
pub struct Asked {
    /// Names it, for who asked.
    pub id: String,
    /// Where a person agrees. Good for one answer.
    pub url: String,
    /// Where the vendor sends the person then.
    pub redirect_uri: String,
    /// Until when.
    #[serde(serialize_with = "super::status::moment")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Timestamp,
}

/// The vendor's answer, as the query of the redirect brings it.
#[derive(Debug, Default)]
pub struct Answer(BTreeMap<String, Secret>);

impl Answer {
    /// Of decoded names and values. Of a name that is there twice the first counts.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Answer {
        let mut answer = BTreeMap::new();
        for (name, value) in pairs {
            if value.len() <= MOST_VALUE {
                answer.entry(name).or_insert_with(|| Secret::new(value));
            }
        }
        Answer(answer)
    }

    fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name).filter(|value| !value.expose().is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| printable(&Patterns::default(), value.expose()))
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// The credential.
    pub credential: String,
    /// The vendor gave a refresh token, so that it stays connected.
    pub renewable: bool,
    /// What else the vendor said, such as QuickBooks' `realmId`.
    pub said: BTreeMap<String, String>,
}

/// How a consent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It is connected.
    Well(Connected),
    /// It is not, and why.
    Badly(String),
}

/// Why a credential was not connected. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is none of that name.
    #[error("there is no credential `{0}`")]
    Unknown(String),
    /// It is of a type that nobody agrees to.
    #[error("credential `{name}` is of type \"{kind}\", which nobody has to connect; only \"oauth2-authorization-code\" is connected")]
    NotByConsent {
        /// Its name.
        name: String,
        /// Its type.
        kind: &'static str,
    },
    /// The address that the vendor should send the person to is not one that only this host or its user's machine has.
    #[error("`redirect_uri` is an address on the loopback interface, such as http://127.0.0.1:8765/callback, or left out")]
    Redirect,
    /// Nothing was asked with that state, or it was answered, or too long ago.
    #[error("this answer belongs to nothing that was asked here in the last ten minutes, or was used already: run `sangam connect` again")]
    State,
    /// The vendor, or the person there, refused.
    #[error("credential `{credential}` is not connected: {host} said {error}{}", .description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Vendor {
        /// The credential.
        credential: String,
        /// The vendor.
        host: String,
        /// Its code (section 4.1.2.1).
        error: String,
        /// Its words.
        description: Option<String>,
    },
    /// Another one than the vendor answered.
    #[error(
        "credential `{credential}` is not connected: the answer is of {got}, and {expected} was asked; if that is the same vendor, write issuer = \"{got}\""
    )]
    Issuer {
        /// The credential.
        credential: String,
        /// Whose answer it says it is.
        got: String,
        /// Whose it should be.
        expected: String,
    },
    /// The answer holds neither code nor error.
    #[error("credential `{0}` is not connected: the vendor's answer holds no code")]
    NoCode(String),
    /// The code could not be traded for tokens, or these not be kept.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The store did not answer.
    #[error("the store can't be asked now")]
    Store(#[from] StoreError),
}

impl Broker {
    /// Asks for a consent: the address at which a person gives it. Without `public` the answer goes to `redirect`, an address on the
    /// loopback interface.
    ///
    /// # Errors
    /// [`ConnectError`]: what has to be different.
    pub async fn ask_consent(&self, name: &str, redirect: &str, is_public: bool) -> Result<Asked, ConnectError> {
        let renewable = self.consenting(name)?;
        let CredentialKind::OAuth2AuthorizationCode { client, auth_url, parameters, .. } = &renewable.credential().kind else {
            return Err(ConnectError::Unknown(name.to_owned()));
        };
        let redirect = Url::parse(redirect).ok().filter(|url| is_public || is_loopback_address(url)).ok_or(ConnectError::Redirect)?;
        let sources = sources(&self.cx, &renewable).await?;
        let (state, verifier) = (unguessable(), unguessable());
        let mut url = protected(auth_url).ok_or_else(|| CredentialError::TokenUrl { credential: name.to_owned() })?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code");
            query.append_pair("client_id", sources.client_id.expose());
            query.append_pair("redirect_uri", redirect.as_str());
            if !client.scopes.is_empty() {
                query.append_pair("scope", &client.scopes.join(" "));
            }
            query.append_pair("state", state.expose());
            query.append_pair("code_challenge", &challenge(&verifier));
            query.append_pair("code_challenge_method", "S256");
            query.extend_pairs(parameters);
        }
        let now = self.cx.vault.clock().now();
        let id = Uuid::new_v4().to_string();
        let asked = Asked { url: url.into(), redirect_uri: redirect.into(), expires_at: later(now, TIME), id };
        let row = ConsentRow {
            state: Sha256::digest(state.expose()).into(),
            credential: name.to_owned(),
            sealed: self.cx.vault.key().seal(Purpose::Credential, &bound_to(&asked.id), verifier.expose().as_bytes()),
            redirect_uri: asked.redirect_uri.clone(),
            expires_at: asked.expires_at,
            id: asked.id.clone(),
        };
        let gone_before = jiff::SignedDuration::try_from(REMEMBERED).ok().and_then(|age| now.checked_sub(age).ok()).unwrap_or(now);
        self.cx.vault.store().consent_ask(row, gone_before).await?;
        Ok(asked)
    }

    /// Takes the vendor's answer to one, once: trades its code for tokens and keeps them.
    ///
    /// # Errors
    /// [`ConnectError`]; the credential is as it was before.
    pub async fn take_answer(self: &Arc<Self>, answer: Answer) -> Result<Connected, ConnectError> {
        let state = answer.get("state").ok_or(ConnectError::State)?;
        let digest: [u8; 32] = Sha256::digest(state.expose()).into();
        let now = self.cx.vault.clock().now();
        let row = self.cx.vault.store().consent_take(&digest, now).await?.ok_or(ConnectError::State)?;
        let this = self.clone();
        // On its own: a browser that goes away must not take the tokens with it.
        let work = self.cx.tasks.spawn(async move {
            let result = this.answered_consent(&row, answer).await;
            let outcome = match &result {
                Ok(connected) => json!({ "connected": connected }),
                Err(error) => json!({ "failed": crate::telemetry::chain(error) }),
            };
            if let Err(error) = this.cx.vault.store().consent_end(&row.id, &outcome.to_string()).await {
                tracing::warn!(
                    credential = row.credential,
                    error = crate::telemetry::chain(&error),
                    "how a consent ended could not be kept"
                );
            }
            result
        });
        match work.await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::State),
        }
    }

    /// How one ended; `None` while it has not.
    ///
    /// # Errors
    /// [`ConnectError::State`] if there is none of that id, or it is long over.
    pub async fn consent_ended(&self, name: &str, id: &str) -> Result<Option<Ended>, ConnectError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Outcome {
            Connected(Connected),
            Failed(String),
        }
        let outcome = self.cx.vault.store().consent_outcome(name, id).await?.ok_or(ConnectError::State)?;
        let ended = outcome.and_then(|outcome| serde_json::from_str(&outcome).ok());
        Ok(ended.map(|outcome| match outcome {
            Outcome::Connected(connected) => Ended::Well(connected),
            Outcome::Failed(why) => Ended::Badly(why),
        }))
    }

    async fn answered_consent(&self, row: &ConsentRow, answer: Answer) -> Result<Connected, ConnectError> {
        let name = &row.credential;
        let renewable = self.consenting(name)?;
        let CredentialKind::OAuth2AuthorizationCode { auth_url, issuer, .. } = &renewable.credential().kind else {
            return Err(ConnectError::Unknown(name.clone()));
        };
        let vendor = Url::parse(auth_url).map(|url| origin::authority(&url)).unwrap_or_default();
        if let Some(error) = answer.text("error") {
            let description = answer.text("error_description");
            return Err(ConnectError::Vendor { credential: name.clone(), host: vendor, error, description });
        }
        if let Some(got) = answer.get("iss") {
            check_issuer(name, got.expose(), issuer.as_deref(), &vendor)?;
        }
        let code = answer.get("code").ok_or_else(|| ConnectError::NoCode(name.clone()))?;
        let verifier = self
            .cx
            .vault
            .key()
            .open(Purpose::Credential, &bound_to(&row.id), &row.sealed)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())
            .map(Secret::new)
            .ok_or(ConnectError::State)?;
        let sources = sources(&self.cx, &renewable).await?;
        let url = renewal::token_url(&sources.client.token_url).ok_or_else(|| CredentialError::TokenUrl { credential: name.clone() })?;
        let host = origin::authority(&url);
        let request = oauth2::exchange(&sources, code, &verifier, &row.redirect_uri);
        let asked_at = self.cx.vault.clock().now();
        let reply = self.cx.client.post(&url, &request, asked_at).await.map_err(|source| CredentialError::NoAnswer {
            credential: name.clone(),
            host: host.clone(),
            source: Arc::new(source),
            retry_at: asked_at,
        })?;
        let granted = oauth2::read(reply.status, &reply.body, &request, &sources, Some(code)).map_err(|refusal| {
            CredentialError::Refused { credential: name.clone(), host, answer: self.cx.redactor.words(refusal.answer), held: Held::Consent }
        })?;
        let is_renewable = granted.refresh_token.is_some();
        let token = renewable.keep(&self.cx, &sources, granted, asked_at).await?;
        tracing::info!(credential = name, version = token.version, renewable = is_renewable, "connected");
        Ok(Connected { credential: name.clone(), renewable: is_renewable, said: said(&answer, self) })
    }

    fn consenting(&self, name: &str) -> Result<Arc<Renewable>, ConnectError> {
        let slot = self.slot(name).ok_or_else(|| ConnectError::Unknown(name.escape_debug().to_string()))?;
        match (&slot.credential.kind, slot.state) {
            (CredentialKind::OAuth2AuthorizationCode { .. }, Means::Renewable(renewable)) => Ok(renewable),
            (kind, _) => Err(ConnectError::NotByConsent { name: name.to_owned(), kind: super::status::kind(kind) }),
        }
    }
}

async fn sources(cx: &Context, renewable: &Renewable) -> Result<Sources, CredentialError> {
    let credential = renewable.credential();
    Sources::resolve(&cx.vault, &credential.kind)
        .await
        .map_err(|source| CredentialError::Unresolved { credential: credential.name.clone(), source: Arc::new(source) })
        .map(|sources| sources.expect("what is connected by consent has sources"))
}

/// The configured issuer, exactly; without one, an issuer at the host that was asked.
fn check_issuer(credential: &str, got: &str, issuer: Option<&str>, vendor: &str) -> Result<(), ConnectError> {
    let is_right = match issuer {
        Some(issuer) => got == issuer,
        None => Url::parse(got).is_ok_and(|url| origin::is_protected(&url) && origin::authority(&url) == vendor),
    };
    if is_right {
        return Ok(());
    }
    let got = printable(&Patterns::default(), got).unwrap_or_default();
    Err(ConnectError::Issuer { credential: credential.to_owned(), got, expected: issuer.unwrap_or(vendor).to_owned() })
}

/// What the vendor's answer holds besides what the protocol needs.
fn said(answer: &Answer, broker: &Broker) -> BTreeMap<String, String> {
    const OWN: [&str; 7] = ["code", "state", "iss", "error", "error_description", "error_uri", "session_state"];
    let others = answer.0.keys().filter(|name| !OWN.contains(&name.as_str()) && name.chars().count() <= MOST_NAME);
    others
        .filter_map(|name| {
            let mut value = answer.text(name)?;
            broker.redact_text(&mut value);
            Some((printable(&Patterns::default(), name)?, value))
        })
        .take(MOST_SAID)
        .collect()
}

fn protected(url: &str) -> Option<Url> {
    Url::parse(url).ok().filter(|url| origin::is_protected(url) && url.username().is_empty() && url.password().is_none())
}

/// RFC 8252 section 7.3: an address, not a name that a resolver could lead elsewhere.
fn is_loopback_address(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    url.scheme() == "http" && is_loopback && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
}

/// No credential is called so: names have no slash.
fn bound_to(id: &str) -> String {
    format!("consent/{id}")
}

/// 32 random bytes in base64url: 43 characters, as RFC 7636 section 4.1 wants at the least.
fn unguessable() -> Secret {
    let mut bytes = Zeroizing::new([0; 32]);
    random(&mut *bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(*bytes))
}

/// RFC 7636 section 4.2.
fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    #[test]
    fn the_published_challenge() {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into());
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn the_issuer_is_the_configured_one_or_at_the_host_that_was_asked() {
        for (got, issuer, fits) in [
            ("https://login.example/tenant", None, true),
            ("https://login.example:444/", None, false),
            ("https://evil.example/login.example", None, false),
            ("http://login.example/", None, false),
            ("login.example", None, false),
            ("https://issuer.example", Some("https://issuer.example"), true),
            ("https://issuer.example/", Some("https://issuer.example"), false),
            ("https://login.example/tenant", Some("https://issuer.example"), false),
        ] {
            assert_eq!(check_issuer("crm", got, issuer, "login.example").is_ok(), fits, "{got} {issuer:?}");
        }
    }

    #[test]
    fn answers_go_to_addresses_of_the_users_own_machine() {
        for (url, fits) in [
            ("http://127.0.0.1:8765/callback", true),
            ("http://[::1]:8765/", true),
            ("http://localhost:8765/callback", false),
            ("https://127.0.0.1:8765/callback", false),
            ("http://127.0.0.1.evil.example/", false),
            ("http://me@127.0.0.1/", false),
            ("http://127.0.0.1/?x", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback_address(&Url::parse(url).expect(url)), fits, "{url}");
        }
    }
}
