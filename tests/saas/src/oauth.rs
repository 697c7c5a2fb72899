//! A vendor with OAuth2 that forgives nothing: authorization code with PKCE (RFC 7636), rotating refresh tokens whose
//! whole family ends when one is used twice (RFC 9700 section 4.14), and a resource that echoes what it was sent.
//!
//! `/authorize` agrees at once and redirects; `/token` gives tokens; `/api/…` wants an access token; every other path
//! takes anything. Both answer with all they got, in several spellings, as careless systems do in their error pages.
//!
//! | setting | value | default |
//! |---|---|---|
//! | `access-token-life-s` | life of access tokens issued from now on, or null: not said | 3600 |
//! | `issuer` | what redirects say as `iss` (RFC 9207), or null | its own origin |
//! | `refuse` | error with which `/authorize` redirects, or null | null |
//! | `revoke` | `true`: ends all tokens issued so far | |
//! | `refresh-token` | one more that is good, of a family of its own | |

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};
use uuid::Uuid;

use crate::system::System;

/// OAuth client, sent by HTTP Basic.
pub const CLIENT_ID: &str = "strict-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "strict-client-secret";
/// The first refresh token of the one family that exists without a consent.
pub const REFRESH_TOKEN: &str = "strict-refresh-first";

/// The stand-in.
pub struct OAuth(Mutex<Books>);

struct Books {
    life: Option<Duration>,
    origin: String,
    issuer: Option<String>,
    refuse: Option<String>,
    codes: HashMap<String, Code>,
    /// Access tokens with their family and end.
    access: HashMap<String, (usize, Option<Instant>)>,
    /// Refresh tokens with their family, and how often each was used.
    refresh: BTreeMap<String, (usize, u32)>,
    revoked: Vec<bool>,
    issued: u64,
}

struct Code {
    challenge: String,
    redirect_uri: String,
}

impl OAuth {
    /// With one family of tokens.
    pub fn new() -> OAuth {
        OAuth(Mutex::new(Books::new()))
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for OAuth {
    fn default() -> OAuth {
        OAuth::new()
    }
}

impl Books {
    fn new() -> Books {
        Books {
            life: Some(Duration::from_secs(3600)),
            origin: String::new(),
            issuer: None,
            refuse: None,
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: [(REFRESH_TOKEN.to_owned(), (0, 0))].into(),
            revoked: vec![false],
            issued: 0,
        }
    }

    fn issue(&mut self, family: usize, now: Instant) -> Response {
        let made = |kind: &str| format!("strict-{kind}-{}", Uuid::new_v4().simple());
        let (access, refresh) = (made("access"), made("refresh"));
        self.issued += 1;
        self.access.insert(access.clone(), (family, self.life.map(|life| now + life)));
        self.refresh.insert(refresh.clone(), (family, 0));
        let mut body = json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer" });
        if let Some(life) = self.life {
            body["expires_in"] = json!(life.as_secs());
        }
        Json(body).into_response()
    }

    fn refresh(&mut self, token: &str, now: Instant) -> Response {
        let Some((family, uses)) = self.refresh.get_mut(token) else { return refused("invalid_grant", "unknown refresh token") };
        let family = *family;
        *uses += 1;
        if *uses > 1 {
            self.revoked[family] = true;
        }
        if self.revoked[family] {
            return refused("invalid_grant", "the refresh token was used before: all of its family are revoked");
        }
        self.issue(family, now)
    }

    fn trade(&mut self, form: &HashMap<String, String>, now: Instant) -> Response {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let Some(code) = self.codes.remove(field("code")) else { return refused("invalid_grant", "unknown or used code") };
        let digest = ring::digest::digest(&ring::digest::SHA256, field("code_verifier").as_bytes());
        if URL_SAFE_NO_PAD.encode(digest) != code.challenge || field("redirect_uri") != code.redirect_uri {
            return refused("invalid_grant", "code_verifier or redirect_uri is another one");
        }
        self.revoked.push(false);
        self.issue(self.revoked.len() - 1, now)
    }
}

impl System for OAuth {
    fn name(&self) -> &'static str {
        "oauth"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/api/{*path}", any(resource))
            .fallback(echo)
            .with_state(self)
    }

    fn state(&self) -> Value {
        let books = self.books();
        json!({
            "issued": books.issued,
            "refreshes": books.refresh.values().map(|(_, uses)| uses).sum::<u32>(),
            "most_uses": books.refresh.values().map(|(_, uses)| uses).max(),
            "revoked": books.revoked.iter().any(|revoked| *revoked),
        })
    }

    fn reset(&self) {
        let origin = self.books().origin.clone();
        *self.books() = Books { issuer: Some(origin.clone()), origin, ..Books::new() };
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut books = self.books();
        match setting {
            "access-token-life-s" => books.life = value.as_u64().map(Duration::from_secs),
            "issuer" => books.issuer = value.as_str().map(str::to_owned),
            "refuse" => books.refuse = value.as_str().map(str::to_owned),
            "revoke" => books.revoked.fill(true),
            "refresh-token" => {
                let family = books.revoked.len();
                books.revoked.push(false);
                books.refresh.insert(value.as_str().unwrap_or_default().to_owned(), (family, 0));
            }
            other => {
                return Err(format!("oauth has no setting {other}; it has access-token-life-s, issuer, refuse, revoke, refresh-token"));
            }
        }
        Ok(())
    }

    fn located(&self, url: &str) {
        let mut books = self.books();
        url.clone_into(&mut books.origin);
        books.issuer = Some(url.to_owned());
    }
}

async fn authorize(State(oauth): State<Arc<OAuth>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let mut books = oauth.books();
    let Ok(mut redirect) = Url::parse(field("redirect_uri")) else { return refused("invalid_request", "redirect_uri") };
    let is_right = field("response_type") == "code"
        && field("client_id") == CLIENT_ID
        && field("code_challenge_method") == "S256"
        && field("code_challenge").len() == 43
        && field("state").len() >= 32;
    if !is_right {
        return refused("invalid_request", "response_type, client_id, state or PKCE");
    }
    let code = Uuid::new_v4().simple().to_string();
    {
        let mut answer = redirect.query_pairs_mut();
        match &books.refuse {
            Some(error) => answer.append_pair("error", error).append_pair("error_description", "<b>the owner</b> said no"),
            None => answer.append_pair("code", &code).append_pair("realmId", "4620816365"),
        };
        answer.append_pair("state", field("state"));
        if let Some(issuer) = &books.issuer {
            answer.append_pair("iss", issuer);
        }
    }
    books.codes.insert(code, Code { challenge: field("code_challenge").to_owned(), redirect_uri: field("redirect_uri").to_owned() });
    (StatusCode::FOUND, [(header::LOCATION, redirect.to_string())]).into_response()
}

async fn token(State(oauth): State<Arc<OAuth>>, headers: HeaderMap, body: Bytes) -> Response {
    let own = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    if headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) != Some(own.as_str()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let (mut books, now) = (oauth.books(), Instant::now());
    match field("grant_type") {
        "refresh_token" => books.refresh(field("refresh_token"), now),
        "authorization_code" => books.trade(&form, now),
        "client_credentials" => {
            books.revoked.push(false);
            let family = books.revoked.len() - 1;
            books.issue(family, now)
        }
        _ => refused("unsupported_grant_type", "refresh_token, authorization_code and client_credentials are"),
    }
}

async fn resource(State(oauth): State<Arc<OAuth>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let is_good = {
        let books = oauth.books();
        let known = token.and_then(|token| books.access.get(token));
        known.is_some_and(|(family, end)| !books.revoked[*family] && end.is_none_or(|end| Instant::now() < end))
    };
    if !is_good {
        let headers = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        return (StatusCode::UNAUTHORIZED, headers, Json(json!({ "error": "invalid_token" }))).into_response();
    }
    echo(method, uri, headers, body).await
}

/// All that came, in several spellings, in body and headers.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let fields: BTreeMap<&str, String> =
        headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let body = String::from_utf8_lossy(&body).into_owned();
    let everything = json!({ "method": method.as_str(), "url": uri.to_string(), "headers": fields, "body": body });
    let text = everything.to_string();
    let answer = json!({
        "got": everything,
        "base64": STANDARD.encode(&text),
        "shifted": [STANDARD.encode(format!("x{text}")), URL_SAFE_NO_PAD.encode(format!("xy{text}"))],
        "percent": form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>(),
        "hex": text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "twice": text,
    });
    let mut response = Json(answer).into_response();
    for (name, value) in &headers {
        if let Ok(name) = HeaderName::from_bytes(format!("x-echo-{name}").as_bytes()) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    if let Ok(value) = HeaderValue::from_str(&uri.to_string()) {
        response.headers_mut().insert("x-echo-url", value);
    }
    response
}

fn refused(error: &str, description: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error, "error_description": description }))).into_response()
}
