//! What the tests share: a store, a vault, a vendor with a token endpoint.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use url::{Url, form_urlencoded};

use crate::audit::By;
use crate::clock::Clock;
use crate::config::{ClientAuth, Credential, CredentialKind, OAuth2Client, Reference, ReferencePart, Secrets};
use crate::credentials::{Attached, Broker, CredentialError, Outgoing, TokenClient, Vault};
use crate::store::Store;

/// A store in a folder of its own, which goes with it.
pub(super) struct House {
    store: Store,
    _folder: TempDir,
}

impl Deref for House {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

pub(super) async fn store() -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/sangam.db", folder.path().display());
    House { store: Store::open(&url).await.expect("the store opens"), _folder: folder }
}

pub(super) fn clock() -> Clock {
    Clock::manual("2026-03-01T10:00:00Z".parse::<Timestamp>().expect("a time"))
}

pub(super) async fn vault(store: &House, clock: &Clock) -> Vault {
    // Any 32 bytes.
    let command = ["echo", "c2FuZ2FtIHNhbmdhbSBzYW5nYW0gc2FuZ2FtIHNhbmc="].map(String::from).to_vec();
    Vault::open(store.store.clone(), &Secrets::Command(command), clock.clone()).await.expect("the vault opens")
}

pub(super) fn by() -> By {
    By::host("test")
}

pub(super) fn text(text: &str) -> Reference {
    Reference { parts: vec![ReferencePart::Text(text.into())] }
}

pub(super) fn secret(name: &str) -> Reference {
    Reference { parts: vec![ReferencePart::Secret(name.into())] }
}

pub(super) fn credential(name: &str, hosts: &[&str], kind: CredentialKind) -> (String, Arc<Credential>) {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    (name.to_owned(), Arc::new(Credential { name: name.into(), hosts, kind }))
}

pub(super) const API: &str = "https://api.vendor.example";

pub(super) async fn broker<const N: usize>(store: &House, clock: &Clock, credentials: [(String, Arc<Credential>); N]) -> Arc<Broker> {
    let client = TokenClient::new(crate::tls::client_config().expect("roots")).expect("a client");
    Arc::new(Broker::new(vault(store, clock).await, BTreeMap::from(credentials), client, "host"))
}

/// Attaches the credential `books` to a request to [`API`]: the header's value and what was attached.
pub(super) async fn attach(broker: &Broker) -> Result<(String, Attached), CredentialError> {
    let mut request = request(API);
    let attached = broker.attach(&["books".into()], &mut request).await?.expect("belongs there");
    let value = request.headers.values().next().expect("a header");
    assert!(value.is_sensitive());
    Ok((value.to_str().expect("text").to_owned(), attached))
}

/// A request without headers or body.
pub(super) fn request(url: &str) -> Outgoing {
    Outgoing { method: Method::GET, url: Url::parse(url).expect(url), headers: HeaderMap::new(), body: Bytes::new() }
}

/// A vendor that rotates refresh tokens: each is good once.
pub(super) struct Vendor {
    pub(super) url: String,
    books: Arc<Books>,
}

struct Books {
    state: Mutex<Ledger>,
    gate: Semaphore,
}

#[derive(Default)]
struct Ledger {
    valid_refresh: String,
    issued: u32,
    requests: Vec<(HeaderMap, BTreeMap<String, String>)>,
    reused: bool,
    script: VecDeque<(u16, HeaderMap, String)>,
    expires_in: Option<i64>,
}

impl Vendor {
    pub(super) async fn open() -> Self {
        let state = Ledger { valid_refresh: "refresh-0".into(), expires_in: Some(3600), ..Ledger::default() };
        let books = Arc::new(Books { state: Mutex::new(state), gate: Semaphore::new(Semaphore::MAX_PERMITS) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/token", listener.local_addr().expect("an address"));
        let app = Router::new().route("/token", post(answer)).with_state(books.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, books }
    }

    /// Requests so far, as forms.
    pub(super) fn forms(&self) -> Vec<BTreeMap<String, String>> {
        self.state().requests.iter().map(|(_, form)| form.clone()).collect()
    }

    pub(super) fn headers(&self, request: usize) -> HeaderMap {
        self.state().requests[request].0.clone()
    }

    pub(super) fn asked(&self) -> usize {
        self.state().requests.len()
    }

    /// Whether a refresh token came that had been used before.
    pub(super) fn saw_reuse(&self) -> bool {
        self.state().reused
    }

    /// The next answer, in place of a token.
    pub(super) fn say(&self, status: u16, body: &str) {
        self.say_with(status, HeaderMap::new(), body);
    }

    pub(super) fn say_with(&self, status: u16, headers: HeaderMap, body: &str) {
        self.state().script.push_back((status, headers, body.to_owned()));
    }

    pub(super) fn lifetime(&self, seconds: Option<i64>) {
        self.state().expires_in = seconds;
    }

    pub(super) fn accept(&self, refresh: &str) {
        self.state().valid_refresh = refresh.to_owned();
    }

    /// Holds back all answers until [`Vendor::release`].
    pub(super) fn hold(&self) {
        self.books.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn release(&self) {
        self.books.gate.add_permits(1_000);
    }

    /// Waits until so many requests have come.
    pub(super) async fn until_asked(&self, count: usize) {
        while self.asked() < count {
            tokio::task::yield_now().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, Ledger> {
        self.books.state.lock().expect("not poisoned")
    }

    pub(super) fn client(&self) -> OAuth2Client {
        OAuth2Client {
            token_url: self.url.clone(),
            client_id: text("the-client"),
            client_secret: Some(text("the-client-secret")),
            client_auth: ClientAuth::Basic,
            scopes: Vec::new(),
            audience: None,
            keep_alive: None,
        }
    }

    /// The credential `books`, whose refresh token is `refresh`.
    pub(super) fn refreshing(&self, refresh: Reference) -> (String, Arc<Credential>) {
        let kind = CredentialKind::OAuth2RefreshToken { client: self.client(), refresh_token: refresh };
        credential("books", &[API], kind)
    }
}

async fn answer(State(books): State<Arc<Books>>, headers: HeaderMap, body: String) -> Response {
    let form = form_urlencoded::parse(body.as_bytes()).into_owned().collect::<BTreeMap<_, _>>();
    let refresh = form.get("refresh_token").cloned();
    books.state.lock().expect("not poisoned").requests.push((headers, form));
    books.gate.acquire().await.expect("open").forget();
    let mut state = books.state.lock().expect("not poisoned");
    if let Some((status, headers, body)) = state.script.pop_front() {
        return (StatusCode::from_u16(status).expect("a status"), headers, body).into_response();
    }
    if refresh.is_some_and(|token| token != state.valid_refresh) {
        state.reused = true;
        let refusal = json!({ "error": "invalid_grant", "error_description": "Token invalid or used" });
        return (StatusCode::BAD_REQUEST, refusal.to_string()).into_response();
    }
    state.issued += 1;
    state.valid_refresh = format!("refresh-{}", state.issued);
    let mut token = json!({
        "access_token": format!("access-{}", state.issued),
        "refresh_token": state.valid_refresh,
        "token_type": "bearer",
    });
    if let Some(seconds) = state.expires_in {
        token["expires_in"] = seconds.into();
    }
    token.to_string().into_response()
}

/// Fails if the text holds any of the secrets that these tests use.
pub(super) fn assert_no_secret(text: &str) {
    let numbered = (0..10).flat_map(|i| [format!("refresh-{i}"), format!("access-{i}")]);
    for secret in numbered.chain(["the-client-secret".into(), "hunter2".into()]) {
        assert!(!text.contains(&secret), "`{secret}` in: {text}");
    }
}
