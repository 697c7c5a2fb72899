//! `/services/oauth2/token`: sessions for a signed assertion or for a client secret.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::org::USER_ID;
use super::{CLIENT_ID, CLIENT_SECRET, ORG_ID, PUBLIC_KEY_DER, USERNAME};

/// Hosts that an assertion may be for, beside the org's own.
const AUDIENCES: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];
/// Furthest end of an assertion. The vendor asks for a few minutes; one longer than that is refused.
const MAX_ASSERTION: Duration = Duration::from_secs(6 * 60);
/// How long a session lasts unless set.
pub const SESSION: Duration = Duration::from_secs(2 * 60 * 60);

/// Sessions by access token.
#[derive(Debug)]
pub struct Sessions {
    lifetime: Duration,
    open: BTreeMap<String, Instant>,
}

/// A refused grant: the `error` and its description.
pub type Denied = (&'static str, &'static str);

impl Sessions {
    /// None open.
    pub fn new() -> Sessions {
        Sessions { lifetime: SESSION, open: BTreeMap::new() }
    }

    /// How long those that are opened from now on last.
    pub fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// Ends all.
    pub fn expire(&mut self) {
        self.open.clear();
    }

    /// Those that haven't ended.
    pub fn count(&self, now: Instant) -> usize {
        self.open.values().filter(|end| **end > now).count()
    }

    /// Whether a token's session is open.
    pub fn holds(&self, token: &str, now: Instant) -> bool {
        self.open.get(token).is_some_and(|end| *end > now)
    }

    fn open(&mut self, now: Instant) -> String {
        self.open.retain(|_, end| *end > now);
        let token = format!("{}!{}", &ORG_ID[..15], Uuid::new_v4().simple());
        self.open.insert(token.clone(), now + self.lifetime);
        token
    }
}

/// Answers a token request at the org's own origin.
pub fn answer(sessions: &mut Sessions, origin: &str, basic: Option<&str>, form: &str, now: (Timestamp, Instant)) -> (StatusCode, Value) {
    match granted(origin, basic, form, now.0) {
        Ok(()) => {
            let token = sessions.open(now.1);
            let body = json!({
                "access_token": token,
                "signature": STANDARD.encode(Uuid::new_v4().as_bytes()),
                "scope": "api",
                "instance_url": origin,
                "id": format!("https://login.salesforce.com/id/{ORG_ID}/{USER_ID}"),
                "token_type": "Bearer",
                "issued_at": now.0.as_millisecond().to_string(),
            });
            (StatusCode::OK, body)
        }
        Err((error, description)) => (StatusCode::BAD_REQUEST, json!({ "error": error, "error_description": description })),
    }
}

fn granted(origin: &str, basic: Option<&str>, form: &str, now: Timestamp) -> Result<(), Denied> {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str);
    match field("grant_type") {
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => asserted(field("assertion").unwrap_or_default(), origin, now),
        Some("client_credentials") => {
            let basic = basic.and_then(|basic| String::from_utf8(STANDARD.decode(basic).ok()?).ok());
            let (id, secret) = match basic.as_deref().and_then(|basic| basic.split_once(':')) {
                Some((id, secret)) => (Some(id), Some(secret)),
                None => (field("client_id"), field("client_secret")),
            };
            if id != Some(CLIENT_ID) {
                Err(("invalid_client_id", "client identifier invalid"))
            } else if secret != Some(CLIENT_SECRET) {
                Err(("invalid_client", "invalid client credentials"))
            } else {
                Ok(())
            }
        }
        Some(_) => Err(("unsupported_grant_type", "grant type not supported")),
        None => Err(("unsupported_grant_type", "grant type not supported")),
    }
}

/// Checks a JWT by RFC 7523 and the vendor's own rules.
fn asserted(assertion: &str, origin: &str, now: Timestamp) -> Result<(), Denied> {
    const INVALID: Denied = ("invalid_grant", "invalid assertion");
    let (signed, signature) = assertion.rsplit_once('.').ok_or(INVALID)?;
    let (head, claims) = signed.split_once('.').ok_or(INVALID)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| INVALID);
    let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).map_err(|_| INVALID);
    let claims = json(claims)?;
    if json(head)?["alg"] != "RS256" {
        return Err(("invalid_grant", "algorithm type not supported"));
    }
    if claims["iss"] != CLIENT_ID {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY_DER)
        .verify(signed.as_bytes(), &decoded(signature)?)
        .map_err(|_| INVALID)?;
    let audience = claims["aud"].as_str().unwrap_or_default().trim_end_matches('/');
    if audience != origin && !AUDIENCES.contains(&audience) {
        return Err(("invalid_grant", "audience is invalid"));
    }
    let end = claims["exp"].as_i64().ok_or(INVALID)?;
    let left = end.saturating_sub(now.as_second());
    if left <= 0 {
        return Err(("invalid_grant", "expired assertion"));
    }
    if left > MAX_ASSERTION.as_secs() as i64 {
        return Err(("invalid_grant", "assertion expires too far in the future"));
    }
    if claims["sub"] != USERNAME {
        return Err(("invalid_grant", "user hasn't approved this consumer"));
    }
    Ok(())
}
