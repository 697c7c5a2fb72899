//! Salesforce: OAuth, records, external ids, SOQL, collections and composite requests.
//!
//! Written from the REST API guide (resources `sobjects`, `query`, `composite`, `composite/sobjects`) and from recorded
//! answers. Settings: `session-lifetime` (seconds), `expire-sessions` (any value: now), `rate-limit`
//! (`{"requests": n, "seconds": s}` or null), `query-page` (records), `unique-external-ids` (boolean), `lock-rows`
//! (ids whose writes fail with `UNABLE_TO_LOCK_ROW`), `case-statuses` (`[["Done", true], …]`: name and whether closed), `edit`
//! (`{"object", "id", "fields"}`: a person writes in the org; without `id` a new record, with `"delete": true` it is deleted,
//! with `"at": moment` it has that stamp, as a transaction that ends late), `webhook` (`{"url", "object", "fields"}`:
//! a flow sends outbound messages about that object).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::quota::Quota;
use crate::system::System;
use crate::webhook::Hooks;

mod collection;
mod composite;
mod cursor;
mod id;
mod oauth;
mod org;
mod outbound;
mod query;
mod refusal;
mod rest;
mod schema;
mod seed;
mod soql;
mod value;

use cursor::Cursors;
use id::Id;
use oauth::Sessions;
pub use org::{PERSON_ID, USER_ID};
use refusal::Refusal;
use rest::{Call, Desk, Reply};
use schema::Object;
pub use seed::CASE_STATUSES;

/// The client that may have sessions.
pub const CLIENT_ID: &str = "sf-client";
/// Its secret, for the client credentials grant.
pub const CLIENT_SECRET: &str = "sf-secret";
/// The user that assertions name.
pub const USERNAME: &str = "integration@acme.example";
/// The org.
pub const ORG_ID: &str = "00DSg0000000001MAA";
/// Signs assertions. A test key: it protects nothing.
pub const PRIVATE_KEY_PEM: &str = include_str!("../keys/salesforce-test-key.pem");
const PUBLIC_KEY_DER: &[u8] = include_bytes!("../keys/salesforce-test-key.pub.der");

/// Requests per day that the org's answers tell of.
const DAILY_REQUESTS: u32 = 15_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The org behind its API.
pub struct Salesforce {
    origin: Mutex<String>,
    state: Mutex<Inner>,
    hooks: Hooks,
}

struct Inner {
    desk: Desk,
    sessions: Sessions,
    quota: Quota,
}

impl Inner {
    fn new() -> Inner {
        let mut org = seed::seed(Timestamp::now());
        org.changes.clear();
        Inner { desk: Desk { org, cursors: Cursors::new(cursor::PAGE) }, sessions: Sessions::new(), quota: Quota::unlimited(DAY) }
    }
}

impl Salesforce {
    /// With the seeded org.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> Salesforce {
        Salesforce { origin: Mutex::default(), state: Mutex::new(Inner::new()), hooks: Hooks::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what has changed, one record a message.
    fn tell(&self, inner: &mut Inner) {
        let wanted = self.hooks.option("object");
        let wanted = wanted.as_str().and_then(Object::named);
        for (name, id) in inner.desk.org.changes.split_off(0) {
            let Some(record) = wanted.filter(|object| object.name == name).and_then(|object| inner.desk.org.get(object, &id)).cloned()
            else {
                continue;
            };
            self.hooks.send(move |target, _| {
                let fields = target.options.get("fields").and_then(Value::as_array).into_iter().flatten();
                let fields: Vec<String> = fields.filter_map(|field| field.as_str().map(str::to_owned)).collect();
                outbound::message(name, std::slice::from_ref(&record), &fields)
            });
        }
    }

    /// A person writes in the org.
    fn edit(inner: &mut Inner, edit: &Value) -> Result<(), String> {
        let object = edit["object"]
            .as_str()
            .and_then(Object::named)
            .ok_or("`edit` takes {\"object\", \"id\", \"fields\"}: there is no such object")?;
        let fields = edit["fields"].as_object().cloned().unwrap_or_default();
        let now = match edit["at"].as_str() {
            Some(at) => at.parse().map_err(|_| "`edit` takes a moment as `at`")?,
            None => Timestamp::now(),
        };
        let org = &mut inner.desk.org;
        org.user = PERSON_ID;
        let id = edit["id"].as_str().and_then(Id::parse);
        let written = match (id, edit["delete"] == true) {
            (None, _) => org.create(object, fields, now).map(|_| ()),
            (Some(id), true) => org.delete(object, &id, now),
            (Some(id), false) => org.update(object, &id, fields, now),
        };
        org.user = USER_ID;
        written.map_err(|refusal| refusal.body().to_string())
    }

    fn origin(&self) -> String {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl System for Salesforce {
    fn name(&self) -> &'static str {
        "salesforce"
    }

    fn located(&self, url: &str) {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = url.to_owned();
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/services/oauth2/token", post(token))
            .route("/services/data", get(versions))
            .route("/services/data/", get(versions))
            .fallback(data)
            .with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        json!({
            "records": inner.desk.org.state(),
            "sessions": inner.sessions.count(Instant::now()),
            "api_usage": inner.quota.used(),
            "webhooks": self.hooks.state(),
        })
    }

    fn reset(&self) {
        self.hooks.reset();
        *self.lock() = Inner::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut inner = self.lock();
        let wrong = |wanted: &str| format!("`{setting}` takes {wanted}");
        match setting {
            "session-lifetime" => {
                let seconds = value.as_u64().filter(|seconds| *seconds <= 86_400);
                let seconds = seconds.ok_or_else(|| wrong("seconds, at most 86400"))?;
                inner.sessions.set_lifetime(Duration::from_secs(seconds));
            }
            "expire-sessions" => inner.sessions.expire(),
            "rate-limit" if value.is_null() => inner.quota = Quota::unlimited(DAY),
            "rate-limit" => {
                let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
                let limit = number("requests").zip(number("seconds"));
                let (requests, seconds) = limit.ok_or_else(|| wrong("{\"requests\": n, \"seconds\": s}"))?;
                inner.quota.allow(Some(requests), Duration::from_secs(seconds.into()));
            }
            "query-page" => {
                let page = value.as_u64().and_then(|page| usize::try_from(page).ok());
                inner.desk.cursors = Cursors::new(page.ok_or_else(|| wrong("a number of records"))?);
            }
            "unique-external-ids" => {
                inner.desk.org.unique_external_ids = value.as_bool().ok_or_else(|| wrong("a boolean"))?;
            }
            "lock-rows" => {
                let ids = value.as_array().ok_or_else(|| wrong("a list of ids"))?;
                let ids = ids.iter().map(|id| id.as_str().and_then(Id::parse).ok_or_else(|| wrong("a list of ids")));
                inner.desk.org.locked = ids.collect::<Result<_, _>>()?;
            }
            "case-statuses" => {
                let statuses: Vec<(String, bool)> = serde_json::from_value(value).map_err(|_| wrong("a list of [name, closed]"))?;
                inner.desk.org.set_case_statuses(&statuses, Timestamp::now());
            }
            "edit" => {
                Salesforce::edit(&mut inner, &value)?;
                self.tell(&mut inner);
            }
            "webhook" => self.hooks.set(value)?,
            _ => {
                return Err(format!(
                    "salesforce has no setting `{setting}`; it has session-lifetime, expire-sessions, rate-limit, \
                     query-page, unique-external-ids, lock-rows, case-statuses, edit, webhook"
                ));
            }
        }
        Ok(())
    }
}

async fn token(State(salesforce): State<Arc<Salesforce>>, headers: HeaderMap, form: String) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = authorization.and_then(|value| value.strip_prefix("Basic "));
    let is_form = content_type(&headers) == Some("application/x-www-form-urlencoded");
    let form = if is_form { form.as_str() } else { "" };
    let origin = salesforce.origin();
    let now = (Timestamp::now(), Instant::now());
    let (status, body) = oauth::answer(&mut salesforce.lock().sessions, &origin, basic, form, now);
    (status, [(header::CACHE_CONTROL, "no-cache, no-store")], Json(body)).into_response()
}

async fn versions() -> Json<Value> {
    let version =
        |(version, label): (&str, &str)| json!({ "label": label, "url": format!("/services/data/v{version}"), "version": version });
    Json(rest::VERSIONS.into_iter().map(version).collect())
}

async fn data(State(salesforce): State<Arc<Salesforce>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut guard = salesforce.lock();
    let inner = &mut *guard;
    if let Err(code) = open_session(&inner.sessions, &headers) {
        let message = if code == "INVALID_AUTH_HEADER" { "INVALID_HEADER_TYPE" } else { "Session expired or invalid" };
        let refusal = Refusal { status: StatusCode::UNAUTHORIZED, ..Refusal::bad(code, message) };
        let mut response = respond(refusal.into());
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"));
        return response;
    }
    let taken = inner.quota.take(Instant::now());
    let reply = match taken {
        Err(_) => {
            let refusal = Refusal::bad("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
            Refusal { status: StatusCode::FORBIDDEN, ..refusal }.into()
        }
        Ok(()) => {
            let target = uri.path_and_query().map_or("/", |target| target.as_str());
            let page = batch_size(&headers);
            let call = Call::new(method.as_str(), target, json_body(&headers, &body), page, Timestamp::now());
            let answered = call.ok_or_else(Refusal::not_found).and_then(|call| rest::answer(&mut inner.desk, &call));
            let reply = answered.unwrap_or_else(Reply::from);
            salesforce.tell(inner);
            reply
        }
    };
    let mut response = respond(reply);
    let usage = format!("api-usage={}/{}", inner.quota.used(), inner.quota.limit().unwrap_or(DAILY_REQUESTS));
    if let Ok(usage) = HeaderValue::from_str(&usage) {
        response.headers_mut().insert("sforce-limit-info", usage);
    }
    response
}

/// Checks the access token; the error is the vendor's code.
fn open_session(sessions: &Sessions, headers: &HeaderMap) -> Result<(), &'static str> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or("INVALID_AUTH_HEADER")?;
    if !scheme.eq_ignore_ascii_case("Bearer") && !scheme.eq_ignore_ascii_case("OAuth") {
        return Err("INVALID_AUTH_HEADER");
    }
    if sessions.holds(token.trim(), Instant::now()) { Ok(()) } else { Err("INVALID_SESSION_ID") }
}

fn json_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Err(Refusal::json("The HTTP entity body is required, but this request has no entity body."));
    }
    let media = content_type(headers).unwrap_or("none");
    if media != "application/json" {
        let message = format!("Content-Type header specified in HTTP request is not supported: {media}");
        let refusal = Refusal::bad("UNSUPPORTED_MEDIA_TYPE", message);
        return Err(Refusal { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..refusal });
    }
    serde_json::from_slice(body).map_err(|error| Refusal::json(error.to_string()))
}

/// The media type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// Records in a page that the client asks for: `Sforce-Query-Options: batchSize=200`.
fn batch_size(headers: &HeaderMap) -> Option<usize> {
    let options = headers.get("sforce-query-options")?.to_str().ok()?;
    options.split(',').find_map(|option| option.trim().strip_prefix("batchSize=")?.parse().ok())
}

fn respond(reply: Reply) -> Response {
    let Some(body) = reply.body else {
        return reply.status.into_response();
    };
    let media = [(header::CONTENT_TYPE, "application/json;charset=UTF-8")];
    let mut response = (reply.status, media, body.to_string()).into_response();
    if let Some(location) = reply.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
