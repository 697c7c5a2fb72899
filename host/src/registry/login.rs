//! Who this host is at a registry: the answer to a 401, by `Basic` (RFC 7617) or with a token of the registry's token service.
//!
//! A login is given to the registry itself, and to the token service that it names, which the caller reaches by TLS or where the administrator
//! said so; never to where blobs are redirected.

use std::sync::Arc;

use base64::Engine as _;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use url::Url;

use super::client::RegistryError;
use crate::config::{self, RegistryLogin};
use crate::credentials::{Secret, SecretError, Vault, resolve};

/// Longest answer of a token service.
pub(super) const MOST_TOKEN: u64 = 64 << 10;
/// Longest challenge that is read.
const MOST_CHALLENGE: usize = 4 << 10;

/// A request to a token service.
pub(super) struct TokenRequest {
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
}

/// Who this host is at one registry.
pub(super) struct Login {
    registry: Arc<config::Registry>,
    vault: Option<Vault>,
    /// `repository:NAME:pull`: this repository and no more than is needed, whatever the registry suggests.
    scope: String,
    authorization: Option<HeaderValue>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Login {
    /// `vault`: where it is needed for the login's references.
    pub(super) fn new(registry: Arc<config::Registry>, vault: Option<Vault>, repository: &str, writes: bool) -> Login {
        let actions = if writes { "pull,push" } else { "pull" };
        Login { registry, vault, scope: format!("repository:{repository}:{actions}"), authorization: None }
    }

    /// The header for the registry, as far as it is known: a fixed token from the first request on.
    pub(super) async fn authorization(&mut self) -> Result<Option<HeaderValue>, RegistryError> {
        if self.authorization.is_none()
            && let Some(RegistryLogin::Token(token)) = &self.registry.login
        {
            let token = self.value(token).await?;
            self.authorization = Some(self.header("Bearer ", token.expose())?);
        }
        Ok(self.authorization.clone())
    }

    /// What a 401 asks for. `None`: the header is known now. Otherwise the token service is to be asked.
    pub(super) async fn answer(&mut self, headers: &HeaderMap) -> Result<Option<TokenRequest>, RegistryError> {
        let refused = || RegistryError::Refused {
            asked: self.registry.host.clone(),
            status: http::StatusCode::UNAUTHORIZED,
            registry: self.registry.host.clone(),
        };
        let challenges: Vec<&str> = headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .filter(|text| text.len() <= MOST_CHALLENGE)
            .collect();
        let challenges: Vec<http_auth::ChallengeRef<'_>> =
            challenges.iter().filter_map(|text| http_auth::parse_challenges(text).ok()).flatten().collect();
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        let basic = match &self.registry.login {
            // It was sent already.
            Some(RegistryLogin::Token(_)) => return Err(refused()),
            Some(RegistryLogin::Basic { username, password }) => {
                let (username, password) = (self.value(username).await?, self.value(password).await?);
                let pair = zeroize::Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
                let encoded = zeroize::Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()));
                Some(self.header("Basic ", &encoded)?)
            }
            None => None,
        };
        if let Some(bearer) = of("bearer") {
            let parameter = |name: &str| {
                bearer.params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_unescaped())
            };
            let wrong = |why: &str| RegistryError::Protocol { registry: self.registry.host.clone(), why: why.to_owned() };
            let realm = parameter("realm").ok_or_else(|| wrong("it asks for a token without saying where to get it (realm)"))?;
            let mut url = Url::parse(&realm).map_err(|_| wrong("the address of its token service (realm) is no URL"))?;
            if !url.username().is_empty() || url.password().is_some() || !matches!(url.scheme(), "http" | "https") {
                return Err(wrong("the address of its token service (realm) is no plain web address"));
            }
            url.query_pairs_mut().append_pair("scope", &self.scope);
            if let Some(service) = parameter("service") {
                url.query_pairs_mut().append_pair("service", &service);
            }
            return Ok(Some(TokenRequest { url, authorization: basic }));
        }
        match (of("basic"), basic) {
            (Some(_), Some(basic)) => {
                self.authorization = Some(basic);
                Ok(None)
            }
            _ => Err(refused()),
        }
    }

    /// Takes what a token service answered.
    pub(super) fn take(&mut self, answer: &[u8]) -> Result<(), String> {
        let answer: TokenAnswer =
            serde_json::from_slice(answer).map_err(|_| "its token service answers no JSON with a token".to_owned())?;
        let token = answer.token.or(answer.access_token).map(zeroize::Zeroizing::new).ok_or("its token service gives no token")?;
        self.authorization = Some(self.header("Bearer ", &token).map_err(|_| "its token does not fit into a header".to_owned())?);
        Ok(())
    }

    async fn value(&self, reference: &config::Reference) -> Result<Secret, RegistryError> {
        resolve(reference, self.vault.as_ref()).await.map_err(|error| RegistryError::Secret(self.registry.host.clone(), error))
    }

    fn header(&self, scheme: &str, value: &str) -> Result<HeaderValue, RegistryError> {
        let text = zeroize::Zeroizing::new(format!("{scheme}{value}"));
        let mut header = HeaderValue::from_str(&text).map_err(|_| {
            let registry = self.registry.host.clone();
            RegistryError::Secret(registry.clone(), SecretError::NotText(format!("the login of registry {registry}")))
        })?;
        header.set_sensitive(true);
        Ok(header)
    }
}
