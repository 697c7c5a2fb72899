//! OAuth2 (RFC 6749) as data: the request for a token and what the answer means. No I/O, no clock.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::error::VendorAnswer;
use super::hidden::Hidden;
use super::jwt::{self, Claims, JwtError};
use super::patterns::Patterns;
use super::secret::Secret;
use super::sources::{Grant, Sources};
use crate::config::ClientAuth;
use crate::telemetry::is_hidden;

/// Most characters of a text from the vendor that an error repeats.
const MOST_TEXT: usize = 300;
/// Longest life of a token that is believed, in seconds: ten years.
const LONGEST_LIFE: i64 = 10 * 365 * 24 * 60 * 60;

/// A request to the token endpoint: a form, and the `Authorization` header where the client proves itself by it.
pub(super) struct TokenRequest {
    pub(super) authorization: Option<Secret>,
    pub(super) form: Secret,
    /// The assertion in the form, where there is one: no error text may repeat it.
    assertion: Option<Secret>,
}

/// Writes the request. `refresh` is the refresh token in force; `origin` that of the token URL.
pub(super) fn request(sources: &Sources, refresh: Option<&Secret>, origin: &str, now: Timestamp) -> Result<TokenRequest, JwtError> {
    let client = &sources.client;
    let mut fields = Vec::<(&str, &str)>::new();
    let mut assertion = None;
    let scopes = client.scopes.join(" ");
    match &sources.grant {
        Grant::ClientCredentials => fields.push(("grant_type", "client_credentials")),
        Grant::RefreshToken { first } => {
            fields.push(("grant_type", "refresh_token"));
            fields.push(("refresh_token", refresh.unwrap_or(first).expose()));
        }
        Grant::AuthorizationCode => {
            fields.push(("grant_type", "refresh_token"));
            fields.push(("refresh_token", refresh.map(Secret::expose).unwrap_or_default()));
        }
        Grant::JwtBearer { issuer, subject, private_key, algorithm } => {
            let claims = Claims {
                issuer: issuer.as_ref().unwrap_or(&sources.client_id).expose(),
                subject: subject.expose(),
                audience: client.audience.as_deref().unwrap_or(origin),
                scopes: &client.scopes,
                issued_at: now,
            };
            let signed = assertion.insert(jwt::assertion(&claims, *algorithm, private_key)?);
            fields.push(("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"));
            fields.push(("assertion", signed.expose()));
        }
    }
    // What a person agreed to stays in force; some vendors refuse to hear it again.
    if !scopes.is_empty() && !matches!(sources.grant, Grant::AuthorizationCode) {
        fields.push(("scope", &scopes));
    }
    let by_assertion = matches!(sources.grant, Grant::JwtBearer { .. });
    if let Some(audience) = client.audience.as_deref().filter(|_| !by_assertion) {
        fields.push(("audience", audience));
    }
    let authorization = identify(sources, by_assertion, &mut fields);
    Ok(TokenRequest { authorization, form: written(fields), assertion })
}

/// Writes the request that trades a person's consent for tokens (section 4.1.3, RFC 7636 section 4.5).
pub(super) fn exchange(sources: &Sources, code: &Secret, verifier: &Secret, redirect_uri: &str) -> TokenRequest {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier.expose()),
    ];
    let authorization = identify(sources, false, &mut fields);
    TokenRequest { authorization, form: written(fields), assertion: None }
}

/// How the client says who it is: in the form, or by the header that is given.
fn identify<'a>(sources: &'a Sources, by_assertion: bool, fields: &mut Vec<(&'a str, &'a str)>) -> Option<Secret> {
    match &sources.client_secret {
        Some(secret) if sources.client.client_auth == ClientAuth::Basic => return Some(basic(&sources.client_id, secret)),
        Some(secret) => {
            fields.push(("client_id", sources.client_id.expose()));
            fields.push(("client_secret", secret.expose()));
        }
        // A client without a secret says its name (section 3.2.1); one that signs has said it as the issuer.
        None if by_assertion => {}
        None => fields.push(("client_id", sources.client_id.expose())),
    }
    None
}

fn written(fields: Vec<(&str, &str)>) -> Secret {
    Secret::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}

/// Section 2.3.1: both are form-encoded before they are joined.
fn basic(id: &Secret, secret: &Secret) -> Secret {
    let encoded = |text: &Secret| form_urlencoded::byte_serialize(text.expose().as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encoded(id), encoded(secret)));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// A token as the vendor gave it.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) access_token: Secret,
    /// The next refresh token, where the vendor rotates it.
    pub(super) refresh_token: Option<Secret>,
    /// In seconds; `None` where the vendor does not say.
    pub(super) lifetime: Option<i64>,
}

/// An answer without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) answer: VendorAnswer,
    /// The vendor has judged the credential; asking again with the same one can't help.
    pub(super) is_final: bool,
}

#[derive(Deserialize)]
struct Body {
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<Value>,
    error: Option<Value>,
    error_description: Option<Value>,
}

/// Reads the vendor's answer. Texts in a refusal are bounded, printable and free of what was sent.
pub(super) fn read(
    status: StatusCode,
    body: &[u8],
    request: &TokenRequest,
    sources: &Sources,
    refresh: Option<&Secret>,
) -> Result<Granted, Refusal> {
    let parsed = serde_json::from_slice::<Body>(body).ok();
    let sent = [request.authorization.as_ref(), request.assertion.as_ref(), refresh];
    let patterns = Patterns::new([&sent.into_iter().flatten().chain(sources.secrets()).collect::<Hidden>()]);
    let Some(parsed) = parsed else {
        // A success that is no JSON may well be a token in another format.
        let said = (!status.is_success()).then(|| printable(&patterns, &String::from_utf8_lossy(body))).flatten();
        let answer = VendorAnswer { status, error: None, description: said };
        return Err(Refusal { answer, is_final: false });
    };
    // Some vendors answer 200 with an `error`.
    if let (true, None, Some(token)) = (status.is_success(), &parsed.error, parsed.access_token) {
        return Ok(Granted {
            access_token: Secret::new(token),
            refresh_token: parsed.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
            lifetime: parsed.expires_in.as_ref().and_then(lifetime),
        });
    }
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => printable(&patterns, &text),
        Some(other) if !other.is_null() => printable(&patterns, &other.to_string()),
        _ => None,
    };
    let error = text(parsed.error);
    let is_final = (status.is_success() || matches!(status.as_u16(), 400 | 401 | 403)) && error.as_deref().is_some_and(condemns);
    let answer = VendorAnswer { status, error, description: text(parsed.error_description) };
    Err(Refusal { answer, is_final })
}

/// The codes of section 5.2 that blame the credential or its configuration. `invalid_request` is not among them:
/// vendors use it for all sorts of passing trouble.
fn condemns(error: &str) -> bool {
    matches!(error, "invalid_grant" | "invalid_client" | "unauthorized_client" | "unsupported_grant_type" | "invalid_scope")
}

/// Seconds; some vendors write the number as a string. What is no positive number says nothing.
fn lifetime(value: &Value) -> Option<i64> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    (seconds >= 1.0).then(|| seconds.min(LONGEST_LIFE as f64) as i64)
}

pub(super) fn printable(patterns: &Patterns, text: &str) -> Option<String> {
    let clean = patterns.redact(text.as_bytes());
    let clean = String::from_utf8_lossy(&clean);
    let mut shown = String::new();
    for c in clean.trim().chars().take(MOST_TEXT) {
        if is_hidden(c) { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests;
