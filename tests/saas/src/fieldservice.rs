//! Field-service software of no particular vendor: jobs with notes, technicians with absences, customers, and webhooks.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/jobs` `{title, …, external_id?}` | 201 with the job; `Idempotency-Key` is honoured |
//! | `GET`, `PATCH /v1/jobs/{id}` | 200 with the job |
//! | `GET /v1/jobs?external_id&updated_since&cursor&limit` | `{items, next_cursor}`, by their last change |
//! | `POST`, `GET /v1/jobs/{id}/notes` `{text}` | 201 `{id, text, created_at}`; `{items}` |
//! | `DELETE /v1/jobs/{id}/notes/{note}` | 204 |
//! | `PUT`, `GET`, `DELETE /v1/technicians/{id}/absences/{external_id}` `{start, end, reason?, half_day?}` | 201 or 200; 204 |
//! | `POST /v1/customers`, `PATCH /v1/customers/{id}`, `GET /v1/customers?external_id&email` | 201, 200, `{items}` |
//!
//! Refusals are problem details. Settings: `edit` (`{"job": id or null, "fields": {…}}`: somebody in the office or in the field writes a job; without an id a new one), `delete-job` (an id), `webhook`
//! (`{"url", "secret"}`: `{type: "job.updated", id, data: {id}}`, signed in `X-Signature: sha256=` and the HMAC-SHA256 of timestamp, a dot and the body in hexadecimal, with
//! `X-Timestamp` in seconds), `rate-limit`.

#![expect(clippy::result_large_err, reason = "a refusal is the answer itself, made once and moved once")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, put};
use axum::{Json, Router};
use jiff::Timestamp;
use jiff::civil::Date;
use ring::hmac;
use serde_json::{Map, Value, json};

use crate::quota::Quota;
use crate::system::System;
use crate::webhook::{Delivery, Hooks, Target};

/// Bearer token that is taken.
pub const TOKEN: &str = "field-token";
/// Who is sent out: id, name. The ids are those of the HR system.
pub const TECHNICIANS: &[(&str, &str)] = &[("emp-1", "Tom Field"), ("emp-2", "Ana Ruiz"), ("emp-3", "Lee Park")];
/// Statuses of a job.
const STATUSES: [&str; 5] = ["open", "scheduled", "started", "completed", "cancelled"];
const PAGE: usize = 50;
const MINUTE: Duration = Duration::from_secs(60);

/// The software.
pub struct FieldService {
    inner: Mutex<Inner>,
    hooks: Hooks,
}

#[derive(Default)]
struct Inner {
    jobs: BTreeMap<u64, Map<String, Value>>,
    notes: BTreeMap<u64, Vec<Value>>,
    /// By technician and external id.
    absences: BTreeMap<(String, String), Value>,
    customers: BTreeMap<u64, Map<String, Value>>,
    /// Answers by idempotency key.
    keys: BTreeMap<String, Value>,
    next: u64,
    quota: Option<Quota>,
    /// The last time stamp given out: no two changes have the same.
    last: Timestamp,
}

impl Inner {
    fn next(&mut self) -> u64 {
        self.next += 1;
        1000 + self.next
    }

    fn now(&mut self) -> String {
        let now = Timestamp::now().max(self.last + Duration::from_micros(1));
        self.last = now;
        format!("{now:.6}")
    }
}

impl FieldService {
    /// Without jobs.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> FieldService {
        FieldService { inner: Mutex::default(), hooks: Hooks::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, kind: &'static str, id: u64) {
        self.hooks.send(move |target, attempt| message(kind, id, target, attempt));
    }

    /// Creates or changes a job, by whoever.
    fn write(&self, id: Option<u64>, fields: &Map<String, Value>) -> Result<Value, Response> {
        check(fields)?;
        let mut inner = self.lock();
        let (id, kind) = match id {
            Some(id) if inner.jobs.contains_key(&id) => (id, "job.updated"),
            Some(_) => return Err(problem(StatusCode::NOT_FOUND, "no such job")),
            None => {
                if !fields.get("title").is_some_and(Value::is_string) {
                    return Err(problem(StatusCode::UNPROCESSABLE_ENTITY, "`title` is missing"));
                }
                let id = inner.next();
                let job = json!({ "id": id, "number": format!("J-{id}"), "status": "open", "created_at": inner.now() });
                inner.jobs.insert(id, job.as_object().cloned().unwrap_or_default());
                (id, "job.created")
            }
        };
        let now = inner.now();
        let job = inner.jobs.get_mut(&id).expect("it was just there");
        for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "number" | "created_at" | "updated_at")) {
            match (job.get_mut(name), value) {
                // Objects are changed by their members.
                (Some(Value::Object(present)), Value::Object(given)) => present.extend(given.clone()),
                _ => drop(job.insert(name.clone(), value.clone())),
            }
        }
        let named = job.get("technician").and_then(|technician| technician["id"].as_str()).and_then(name_of);
        if let Some(name) = named {
            job["technician"]["name"] = name.into();
        }
        if job["status"] == "completed" {
            job.entry("completed_at").or_insert_with(|| now.clone().into());
        }
        job.insert("updated_at".to_owned(), now.into());
        let job = Value::Object(job.clone());
        drop(inner);
        self.tell(kind, id);
        Ok(job)
    }
}

impl System for FieldService {
    fn name(&self) -> &'static str {
        "fieldservice"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/jobs", get(list_jobs).post(create_job))
            .route("/v1/jobs/{id}", get(read_job).patch(change_job))
            .route("/v1/jobs/{id}/notes", get(list_notes).post(add_note))
            .route("/v1/jobs/{id}/notes/{note}", delete(delete_note))
            .route("/v1/technicians/{id}/absences/{external_id}", put(put_absence).get(read_absence).delete(delete_absence))
            .route("/v1/customers", get(list_customers).post(create_customer))
            .route("/v1/customers/{id}", patch(change_customer))
            .fallback(async || problem(StatusCode::NOT_FOUND, "no such path"))
            .with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        let absences: Vec<&Value> = inner.absences.values().collect();
        let notes: Vec<&Value> = inner.notes.values().flatten().collect();
        json!({
            "jobs": inner.jobs.values().collect::<Vec<_>>(), "notes": notes, "absences": absences,
            "customers": inner.customers.values().collect::<Vec<_>>(), "webhooks": self.hooks.state(),
        })
    }

    fn reset(&self) {
        self.hooks.reset();
        *self.lock() = Inner::default();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        match setting {
            "edit" => {
                let id = number(&value["job"]);
                let fields = value["fields"].as_object().ok_or("`edit` takes {\"job\", \"fields\"}")?;
                self.write(id, fields).map(|_| ()).map_err(|refused| format!("refused with {}", refused.status()))
            }
            "delete-job" => {
                let id = number(&value).ok_or("`delete-job` takes an id")?;
                self.lock().jobs.remove(&id).ok_or("there is no such job")?;
                self.tell("job.deleted", id);
                Ok(())
            }
            "webhook" => self.hooks.set(value),
            "rate-limit" => {
                let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
                let limit = number("requests").zip(number("seconds"));
                let mut quota = Quota::unlimited(MINUTE);
                if let Some((requests, seconds)) = limit {
                    quota.allow(Some(requests), Duration::from_secs(seconds.into()));
                }
                self.lock().quota = Some(quota);
                Ok(())
            }
            _ => Err(format!("fieldservice has no setting `{setting}`; it has edit, delete-job, webhook, rate-limit")),
        }
    }
}

fn message(kind: &str, id: u64, target: &Target, attempt: u32) -> Delivery {
    let body = json!({ "type": kind, "id": format!("{kind}-{id}-{}", Timestamp::now().as_microsecond()), "attempt": attempt, "data": { "id": id } }).to_string();
    let now = Timestamp::now().as_second().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    let signature = hex(hmac::sign(&key, format!("{now}.{body}").as_bytes()).as_ref());
    Delivery {
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-timestamp", now),
            ("x-signature", format!("sha256={signature}")),
        ],
        body: body.into_bytes(),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn name_of(technician: &str) -> Option<&'static str> {
    TECHNICIANS.iter().find(|(id, _)| *id == technician).map(|(_, name)| *name)
}

fn number(id: &Value) -> Option<u64> {
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({ "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

fn check(job: &Map<String, Value>) -> Result<(), Response> {
    let wrong = |detail: &str| problem(StatusCode::UNPROCESSABLE_ENTITY, detail);
    if job.get("status").is_some_and(|status| !STATUSES.iter().any(|known| status == *known)) {
        return Err(wrong("`status` is none of open, scheduled, started, completed, cancelled"));
    }
    let technician = job.get("technician").map(|technician| &technician["id"]).filter(|id| !id.is_null());
    if technician.is_some_and(|id| id.as_str().and_then(name_of).is_none()) {
        return Err(wrong("`technician.id` is nobody's"));
    }
    for name in ["scheduled_start", "scheduled_end"] {
        let moment = job.get(name).filter(|moment| !moment.is_null());
        if moment.is_some_and(|moment| moment.as_str().is_none_or(|moment| moment.parse::<Timestamp>().is_err())) {
            return Err(wrong(&format!("`{name}` is no date and time with an offset")));
        }
    }
    Ok(())
}

/// Lets a request in that has the token, if the rate allows it.
fn admit(inner: &mut Inner, headers: &HeaderMap) -> Result<(), Response> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    if given != Some(TOKEN) {
        return Err(problem(StatusCode::UNAUTHORIZED, "no valid token"));
    }
    if let Some(Err(wait)) = inner.quota.as_mut().map(|quota| quota.take(Instant::now())) {
        let mut refusal = problem(StatusCode::TOO_MANY_REQUESTS, "wait as long as Retry-After says");
        refusal.headers_mut().insert(header::RETRY_AFTER, (wait.as_secs() + 1).into());
        return Err(refusal);
    }
    Ok(())
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Response> {
    serde_json::from_slice(body).map_err(|error| problem(StatusCode::BAD_REQUEST, &error.to_string()))
}

fn keyed(headers: &HeaderMap) -> Option<String> {
    headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned)
}

type Software = State<Arc<FieldService>>;
type Answer = Result<Response, Response>;

async fn create_job(State(software): Software, headers: HeaderMap, body: Bytes) -> Answer {
    admit(&mut software.lock(), &headers)?;
    let fields = object(&body)?;
    let key = keyed(&headers);
    if let Some(known) = key.as_ref().and_then(|key| software.lock().keys.get(key).cloned()) {
        return Ok((StatusCode::CREATED, Json(known)).into_response());
    }
    let taken = fields.get("external_id").filter(|id| !id.is_null());
    if let Some(id) = taken
        && software.lock().jobs.values().any(|job| job.get("external_id") == Some(id))
    {
        return Err(problem(StatusCode::CONFLICT, "`external_id` is taken"));
    }
    let job = software.write(None, &fields)?;
    if let Some(key) = key {
        software.lock().keys.insert(key, job.clone());
    }
    Ok((StatusCode::CREATED, Json(job)).into_response())
}

async fn read_job(State(software): Software, headers: HeaderMap, Path(id): Path<u64>) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    let job = inner.jobs.get(&id).ok_or_else(|| problem(StatusCode::NOT_FOUND, "no such job"))?;
    Ok(Json(job).into_response())
}

async fn change_job(State(software): Software, headers: HeaderMap, Path(id): Path<u64>, body: Bytes) -> Answer {
    admit(&mut software.lock(), &headers)?;
    Ok(Json(software.write(Some(id), &object(&body)?)?).into_response())
}

async fn list_jobs(State(software): Software, headers: HeaderMap, Query(query): Query<BTreeMap<String, String>>) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    let bad = |name: &str| problem(StatusCode::BAD_REQUEST, &format!("`{name}` can't be read"));
    let since = query.get("updated_since").map(|since| since.parse::<Timestamp>().map_err(|_| bad("updated_since"))).transpose()?;
    let size = query.get("limit").map(|limit| limit.parse::<usize>().map_err(|_| bad("limit"))).transpose()?.unwrap_or(PAGE).clamp(1, PAGE);
    let at = |job: &Map<String, Value>| job.get("updated_at").and_then(|at| at.as_str()?.parse::<Timestamp>().ok()).unwrap_or_default();
    let after = query.get("cursor").map(|cursor| cursor.parse::<Timestamp>().map_err(|_| bad("cursor"))).transpose()?;
    let mut found: Vec<&Map<String, Value>> = inner
        .jobs
        .values()
        .filter(|job| since.is_none_or(|since| at(job) >= since) && after.is_none_or(|after| at(job) > after))
        .filter(|job| query.get("external_id").is_none_or(|id| job.get("external_id").is_some_and(|own| own == id.as_str())))
        .collect();
    found.sort_by_key(|job| at(job));
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|job| job["updated_at"].clone());
    Ok(Json(json!({ "items": found, "next_cursor": next })).into_response())
}

async fn add_note(State(software): Software, headers: HeaderMap, Path(id): Path<u64>, body: Bytes) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    if !inner.jobs.contains_key(&id) {
        return Err(problem(StatusCode::NOT_FOUND, "no such job"));
    }
    let text = object(&body)?.get("text").and_then(Value::as_str).map(str::to_owned);
    let text = text.ok_or_else(|| problem(StatusCode::UNPROCESSABLE_ENTITY, "`text` is missing"))?;
    let note = json!({ "id": inner.next(), "job_id": id, "text": text, "created_at": inner.now() });
    inner.notes.entry(id).or_default().push(note.clone());
    Ok((StatusCode::CREATED, Json(note)).into_response())
}

async fn list_notes(State(software): Software, headers: HeaderMap, Path(id): Path<u64>) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    Ok(Json(json!({ "items": inner.notes.get(&id).cloned().unwrap_or_default() })).into_response())
}

async fn delete_note(State(software): Software, headers: HeaderMap, Path((id, note)): Path<(u64, u64)>) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    let notes = inner.notes.entry(id).or_default();
    let before = notes.len();
    notes.retain(|own| own["id"] != note);
    if notes.len() == before { Err(problem(StatusCode::NOT_FOUND, "no such note")) } else { Ok(StatusCode::NO_CONTENT.into_response()) }
}

async fn put_absence(State(software): Software, headers: HeaderMap, Path(of): Path<(String, String)>, body: Bytes) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    if name_of(&of.0).is_none() {
        return Err(problem(StatusCode::NOT_FOUND, "no such technician"));
    }
    let mut absence = object(&body)?;
    let day = |name: &str| absence.get(name).and_then(|day| day.as_str()?.parse::<Date>().ok());
    match day("start").zip(day("end")) {
        Some((start, end)) if start <= end => {}
        _ => return Err(problem(StatusCode::UNPROCESSABLE_ENTITY, "`start` and `end` are days, in this order")),
    }
    absence.insert("technician_id".to_owned(), of.0.as_str().into());
    absence.insert("external_id".to_owned(), of.1.as_str().into());
    absence.insert("id".to_owned(), format!("{}/{}", of.0, of.1).into());
    let absence = Value::Object(absence);
    let status = if inner.absences.insert(of, absence.clone()).is_none() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(absence)).into_response())
}

async fn read_absence(State(software): Software, headers: HeaderMap, Path(of): Path<(String, String)>) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    let absence = inner.absences.get(&of).ok_or_else(|| problem(StatusCode::NOT_FOUND, "no such absence"))?;
    Ok(Json(absence).into_response())
}

async fn delete_absence(State(software): Software, headers: HeaderMap, Path(of): Path<(String, String)>) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    inner.absences.remove(&of).ok_or_else(|| problem(StatusCode::NOT_FOUND, "no such absence"))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn create_customer(State(software): Software, headers: HeaderMap, body: Bytes) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    if let Some(known) = keyed(&headers).and_then(|key| inner.keys.get(&key).cloned()) {
        return Ok((StatusCode::CREATED, Json(known)).into_response());
    }
    let mut customer = object(&body)?;
    let id = inner.next();
    customer.insert("id".to_owned(), id.into());
    inner.customers.insert(id, customer.clone());
    if let Some(key) = keyed(&headers) {
        inner.keys.insert(key, Value::Object(customer.clone()));
    }
    Ok((StatusCode::CREATED, Json(customer)).into_response())
}

async fn change_customer(State(software): Software, headers: HeaderMap, Path(id): Path<u64>, body: Bytes) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    let fields = object(&body)?;
    let customer = inner.customers.get_mut(&id).ok_or_else(|| problem(StatusCode::NOT_FOUND, "no such customer"))?;
    customer.extend(fields);
    customer.insert("id".to_owned(), id.into());
    Ok(Json(&*customer).into_response())
}

async fn list_customers(State(software): Software, headers: HeaderMap, Query(query): Query<BTreeMap<String, String>>) -> Answer {
    let mut inner = software.lock();
    admit(&mut inner, &headers)?;
    let wanted = |customer: &&Map<String, Value>| {
        ["external_id", "email"]
            .iter()
            .all(|name| query.get(*name).is_none_or(|value| customer.get(*name).is_some_and(|own| own == value.as_str())))
    };
    let found: Vec<_> = inner.customers.values().filter(wanted).collect();
    Ok(Json(json!({ "items": found })).into_response())
}
