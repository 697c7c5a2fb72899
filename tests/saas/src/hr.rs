//! A custom HR system: time entries, leaves and employees, by the shape that the project proposes, and under `/hr/api`
//! by another one, for connectors that are configured with paths and field names.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /v1/time-entries/{external_id}` | 201 or 200 with `ETag`; 412 on `If-Match`, 422 on bad fields, 409 in a closed period |
//! | `GET`, `DELETE /v1/time-entries/{external_id}` | 200 with `ETag`; 204 |
//! | `GET /v1/time-entries?employee_ref&from&to` | `{items, next_cursor}` |
//! | `GET /v1/leaves?from&to&updated_since&cursor` | `{items, next_cursor}` |
//! | `GET /v1/employees?email` | `{items, next_cursor}` |
//! | `POST /hr/api/hours` `{emp, day, hrs, ot, ref?, memo?}` | 201 `{id}`, each time another |
//! | `GET /hr/api/hours?emp&ref` | `{rows}` |
//! | `DELETE /hr/api/hours/{id}` | 204 |
//!
//! Settings: `rate-limit` (`{"requests": n, "seconds": s}` or null), `add-leaves` (a list of leaves; one with a known
//! id replaces it), `add-employees` (a list of `{id, email, name}`), `leave-page` (leaves in a page), `closed-through`
//! (a day or null: entries up to it can't change), `webhook` (`{"url", "secret"}` or null: leaves that are added are told as Standard Webhooks,
//! <https://www.standardwebhooks.com>; the secret is text).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::quota::Quota;
use crate::system::System;
use crate::webhook::Hooks;

mod entry;
mod hours;
mod leave;
mod problem;
mod store;
mod webhook;

use entry::Condition;
use hours::Fault;
use leave::{Leave, Wanted};
use problem::Problem;
use store::Store;

/// Bearer token that is taken.
pub const TOKEN: &str = "hr-token";
/// Key that is taken in the header `X-Api-Key` instead.
pub const API_KEY: &str = "hr-key";

/// Leaves in a page unless set.
const LEAVE_PAGE: usize = 50;
/// Most entries in a list; there are no pages of them.
const MAX_ENTRIES: usize = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

/// The HR system behind its API.
pub struct Hr(Mutex<Inner>, Hooks);

struct Inner {
    store: Store,
    quota: Quota,
    leave_page: usize,
}

impl Inner {
    fn new() -> Inner {
        Inner { store: Store::seed(), quota: Quota::unlimited(MINUTE), leave_page: LEAVE_PAGE }
    }
}

impl Hr {
    /// With the seeded employees and leaves.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> Hr {
        Hr(Mutex::new(Inner::new()), Hooks::new())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Hr {
    fn name(&self) -> &'static str {
        "hr"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/time-entries", get(list_entries))
            .route("/v1/time-entries/{external_id}", put(put_entry).get(get_entry).delete(delete_entry))
            .route("/v1/leaves", get(list_leaves))
            .route("/v1/employees", get(list_employees))
            .route("/hr/api/hours", get(find_hours).post(add_hours))
            .route("/hr/api/hours/{id}", delete(remove_hours))
            .fallback(async || Problem::not_found("such path"))
            .method_not_allowed_fallback(async || {
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", "the path has other methods")
            })
            .layer(middleware::from_fn_with_state(Arc::clone(&self), admit))
            .with_state(self)
    }

    fn state(&self) -> Value {
        let mut state = self.lock().store.state();
        state["webhooks"] = self.1.state();
        state
    }

    fn reset(&self) {
        self.1.reset();
        *self.lock() = Inner::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut inner = self.lock();
        let wrong = |wanted: &str| format!("`{setting}` takes {wanted}");
        match setting {
            "rate-limit" if value.is_null() => inner.quota = Quota::unlimited(MINUTE),
            "rate-limit" => {
                let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
                let limit = number("requests").zip(number("seconds"));
                let (requests, seconds) = limit.ok_or_else(|| wrong("{\"requests\": n, \"seconds\": s}"))?;
                inner.quota.allow(Some(requests), Duration::from_secs(seconds.into()));
            }
            "add-leaves" => {
                let leaves: Vec<Leave> = serde_json::from_value(value).map_err(|error| error.to_string())?;
                for leave in leaves {
                    let added = inner.store.add_leave(leave, Timestamp::now());
                    self.1.send(move |target, _| webhook::delivery(&added, target));
                }
            }
            "add-employees" => {
                let employees = value.as_array().ok_or_else(|| wrong("a list of {id, email, name}"))?;
                for employee in employees {
                    let (id, email, name) = (&employee["id"], &employee["email"], &employee["name"]);
                    if !id.is_string() || !email.is_string() {
                        return Err(wrong("a list of {id, email, name}"));
                    }
                    let employee = json!({ "id": id, "email": email, "name": name, "active": true });
                    inner.store.employees.push(employee);
                }
            }
            "leave-page" => {
                let size = value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
                inner.leave_page = size.ok_or_else(|| wrong("a number of leaves"))?;
            }
            "webhook" => self.1.set(value)?,
            "closed-through" => {
                let day = value.as_str().map(|day| day.parse().map_err(|_| wrong("a day or null"))).transpose()?;
                inner.store.closed_through = day;
            }
            _ => {
                return Err(format!(
                    "hr has no setting `{setting}`; it has rate-limit, add-leaves, add-employees, leave-page, \
                     closed-through, webhook"
                ));
            }
        }
        Ok(())
    }
}

/// Lets requests in that carry a credential, and not too many of them.
async fn admit(State(hr): State<Arc<Hr>>, request: Request, next: Next) -> Response {
    if !authorized(request.headers()) {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "Not authorized", "no valid token or key");
        let challenge = HeaderValue::from_static("Bearer");
        return ([(header::WWW_AUTHENTICATE, challenge)], problem).into_response();
    }
    let (taken, limit, used) = {
        let quota = &mut hr.lock().quota;
        (quota.take(Instant::now()), quota.limit(), quota.used())
    };
    let (mut response, wait) = match taken {
        Ok(()) => (next.run(request).await, None),
        Err(wait) => {
            let detail = "wait as long as Retry-After says";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", detail);
            // Whole seconds, and no less than the wait.
            (problem.into_response(), Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)))
        }
    };
    let headers = response.headers_mut();
    if let Some(limit) = limit {
        headers.insert("ratelimit-limit", limit.into());
        headers.insert("ratelimit-remaining", limit.saturating_sub(used).into());
    }
    if let Some(wait) = wait {
        headers.insert(header::RETRY_AFTER, wait.into());
        headers.insert("ratelimit-reset", wait.into());
    }
    response
}

fn authorized(headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.split_once(' '));
    let by_token = bearer.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token == TOKEN);
    by_token || header("x-api-key") == Some(API_KEY)
}

async fn put_entry(
    State(hr): State<Arc<Hr>>,
    Path(external_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let fields = json_body(&headers, &body)?;
    let condition = condition(&headers);
    let (entry, created) = hr.lock().store.put(&external_id, fields, &condition, Timestamp::now())?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(header::ETAG, entry.tag())], Json(entry.shown(&external_id))).into_response())
}

async fn get_entry(State(hr): State<Arc<Hr>>, Path(external_id): Path<String>) -> Result<Response, Problem> {
    let inner = hr.lock();
    let entry = inner.store.entries.get(&external_id).ok_or_else(|| Problem::not_found("such time entry"))?;
    Ok(([(header::ETAG, entry.tag())], Json(entry.shown(&external_id))).into_response())
}

async fn delete_entry(State(hr): State<Arc<Hr>>, Path(external_id): Path<String>, headers: HeaderMap) -> Result<StatusCode, Problem> {
    hr.lock().store.delete(&external_id, &condition(&headers))?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct EntryQuery {
    employee_ref: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

async fn list_entries(State(hr): State<Arc<Hr>>, Query(query): Query<EntryQuery>) -> Result<Json<Value>, Problem> {
    let (from, to) = (day("from", query.from.as_deref())?, day("to", query.to.as_deref())?);
    let inner = hr.lock();
    let employee = query.employee_ref.as_deref();
    let found = inner.store.entries.iter().filter(|(_, entry)| entry.listed(employee, from, to));
    let items: Vec<Value> = found.take(MAX_ENTRIES + 1).map(|(id, entry)| entry.shown(id)).collect();
    if items.len() > MAX_ENTRIES {
        return Err(Problem::malformed(format!("more than {MAX_ENTRIES} entries: ask for fewer days")));
    }
    Ok(Json(json!({ "items": items, "next_cursor": null })))
}

#[derive(Deserialize)]
struct LeaveQuery {
    from: Option<String>,
    to: Option<String>,
    updated_since: Option<String>,
    cursor: Option<String>,
}

async fn list_leaves(State(hr): State<Arc<Hr>>, Query(query): Query<LeaveQuery>) -> Result<Json<Value>, Problem> {
    let since = query.updated_since.as_deref().map(|text| {
        let wrong = |_| Problem::malformed("`updated_since` must be a date and time with an offset");
        text.parse::<Timestamp>().map_err(wrong)
    });
    let wanted =
        Wanted { from: day("from", query.from.as_deref())?, to: day("to", query.to.as_deref())?, updated_since: since.transpose()? };
    let inner = hr.lock();
    let (items, next) = leave::page(&inner.store.leaves, &wanted, query.cursor.as_deref(), inner.leave_page)?;
    Ok(Json(json!({ "items": items, "next_cursor": next })))
}

#[derive(Deserialize)]
struct EmployeeQuery {
    email: Option<String>,
}

async fn list_employees(State(hr): State<Arc<Hr>>, Query(query): Query<EmployeeQuery>) -> Json<Value> {
    let inner = hr.lock();
    let wanted = |employee: &&Value| {
        let email = employee["email"].as_str().unwrap_or_default();
        query.email.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(email))
    };
    let items: Vec<&Value> = inner.store.employees.iter().filter(wanted).collect();
    Json(json!({ "items": items, "next_cursor": null }))
}

async fn add_hours(State(hr): State<Arc<Hr>>, headers: HeaderMap, body: Bytes) -> Result<Response, Fault> {
    let fields = json_body(&headers, &body).map_err(|problem| Fault(problem.status, problem.detail))?;
    let fields = fields.as_object().ok_or_else(|| Fault(StatusCode::BAD_REQUEST, "no object".to_owned()))?;
    let store = &mut hr.lock().store;
    let id = store.hours.add(&store.employees, fields)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))).into_response())
}

#[derive(Deserialize)]
struct HoursQuery {
    emp: Option<String>,
    r#ref: Option<String>,
}

async fn find_hours(State(hr): State<Arc<Hr>>, Query(query): Query<HoursQuery>) -> Json<Value> {
    let inner = hr.lock();
    Json(json!({ "rows": inner.store.hours.find(query.emp.as_deref(), query.r#ref.as_deref()) }))
}

async fn remove_hours(State(hr): State<Arc<Hr>>, Path(id): Path<String>) -> Result<StatusCode, Fault> {
    let id = id.parse().map_err(|_| Fault(StatusCode::NOT_FOUND, format!("no hours {id}")))?;
    hr.lock().store.hours.remove(id)?;
    Ok(StatusCode::NO_CONTENT)
}

fn condition(headers: &HeaderMap) -> Condition {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Condition { matches: text(header::IF_MATCH).map(str::to_owned), absent: text(header::IF_NONE_MATCH) == Some("*") }
}

fn day(name: &str, text: Option<&str>) -> Result<Option<Date>, Problem> {
    let wrong = |_| Problem::malformed(format!("`{name}` must be a date, YYYY-MM-DD"));
    text.map(|text| text.parse::<Date>().map_err(wrong)).transpose()
}

fn json_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if media != "application/json" {
        let detail = "the body must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type", detail));
    }
    serde_json::from_slice(body).map_err(|error| Problem::malformed(error.to_string()))
}
