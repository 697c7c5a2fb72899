//! A folder of files that a payroll office fetches from: WebDAV's plainest part (RFC 4918 sections 9.4, 9.6 and 9.7).
//!
//! | request | answer |
//! |---|---|
//! | `PUT /files/{name}` | 201 new, 204 replaced; `ETag`; 400 where `Digest` (SHA-256, RFC 3230) is not the body's |
//! | `GET`, `HEAD /files/{name}` | 200 with `ETag`, 404 |
//! | `DELETE /files/{name}` | 204, 404 |
//! | `GET /files` | 200 `{files: [{name, size, etag}]}` |
//!
//! Settings: `quota` (bytes or null: 507 beyond), `read-only` (true: 403 for whatever changes something).

#![expect(clippy::result_large_err, reason = "a refusal is the answer itself, made once and moved once")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::system::System;

/// User name and password that are taken, by HTTP Basic.
pub const USER: &str = "payroll";
/// See [`USER`].
pub const PASSWORD: &str = "payroll-secret";
/// Longest name.
const MAX_NAME: usize = 200;

/// The folder.
pub struct Files(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, Vec<u8>>,
    /// How often a file was written, by name.
    written: BTreeMap<String, u64>,
    quota: Option<usize>,
    read_only: bool,
}

impl Files {
    /// Empty.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> Files {
        Files(Mutex::default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/files", get(list))
            .route("/files/{name}", get(read).put(write).delete(remove))
            .fallback(async || StatusCode::NOT_FOUND)
            .with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        let files: BTreeMap<_, _> = inner.files.iter().map(|(name, bytes)| (name, String::from_utf8_lossy(bytes))).collect();
        json!({ "files": files, "written": inner.written })
    }

    fn reset(&self) {
        *self.lock() = Inner::default();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut inner = self.lock();
        match setting {
            "quota" => inner.quota = value.as_u64().and_then(|bytes| usize::try_from(bytes).ok()),
            "read-only" => inner.read_only = value.as_bool().ok_or("`read-only` takes true or false")?,
            _ => return Err(format!("files have no setting `{setting}`; they have quota, read-only")),
        }
        Ok(())
    }
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", hex(&digest(&SHA256, bytes).as_ref()[..8]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn admit(headers: &HeaderMap) -> Result<(), Response> {
    let wanted = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given == Some(wanted.as_str()) {
        return Ok(());
    }
    Err((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"files\"")]).into_response())
}

async fn list(State(files): State<Arc<Files>>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&headers) {
        return refused;
    }
    let inner = files.lock();
    let files: Vec<Value> =
        inner.files.iter().map(|(name, bytes)| json!({ "name": name, "size": bytes.len(), "etag": etag(bytes) })).collect();
    Json(json!({ "files": files })).into_response()
}

async fn read(State(files): State<Arc<Files>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&headers) {
        return refused;
    }
    match files.lock().files.get(&name) {
        Some(bytes) => ([(header::ETAG, etag(bytes)), (header::CONTENT_TYPE, "text/plain".to_owned())], bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn write(State(files): State<Arc<Files>>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = admit(&headers) {
        return refused;
    }
    let mut inner = files.lock();
    if inner.read_only {
        return (StatusCode::FORBIDDEN, "the folder is read-only").into_response();
    }
    if name.len() > MAX_NAME || name.contains(['/', '\\']) || name.starts_with('.') {
        return (StatusCode::BAD_REQUEST, "no name of a file").into_response();
    }
    let claimed = headers
        .get("digest")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("SHA-256=").or(value.strip_prefix("sha-256=")));
    if claimed.is_some_and(|claimed| claimed != base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, &body))) {
        return (StatusCode::BAD_REQUEST, "the digest is not the body's").into_response();
    }
    let others: usize = inner.files.iter().filter(|(known, _)| **known != name).map(|(_, bytes)| bytes.len()).sum();
    if inner.quota.is_some_and(|quota| others + body.len() > quota) {
        return (StatusCode::INSUFFICIENT_STORAGE, "no room").into_response();
    }
    *inner.written.entry(name.clone()).or_default() += 1;
    let tag = etag(&body);
    let status = if inner.files.insert(name, body.to_vec()).is_some() { StatusCode::NO_CONTENT } else { StatusCode::CREATED };
    (status, [(header::ETAG, tag)]).into_response()
}

async fn remove(State(files): State<Arc<Files>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&headers) {
        return refused;
    }
    let mut inner = files.lock();
    if inner.read_only {
        return (StatusCode::FORBIDDEN, "the folder is read-only").into_response();
    }
    if inner.files.remove(&name).is_some() { StatusCode::NO_CONTENT.into_response() } else { StatusCode::NOT_FOUND.into_response() }
}
