//! Housecall Pro: the part of its API that integrations of jobs use, written from the public documentation: jobs with schedule, dispatch and notes, customers and their addresses.
//!
//! | request | answer |
//! |---|---|
//! | `GET /jobs?page&page_size&customer_id&sort_by&sort_direction` | `{page, page_size, total_pages, jobs}` |
//! | `POST /jobs` `{customer_id, address_id, schedule?, line_items?, notes?, assigned_employee_ids?}`, `GET /jobs/{id}` | the job |
//! | `PUT /jobs/{id}/schedule` `{start_time, end_time}`, `DELETE` it, `PUT /jobs/{id}/dispatch` `{dispatched_employees}` | the schedule, nothing, the job |
//! | `POST /jobs/{id}/notes` `{content}`, `DELETE /jobs/{id}/notes/{note}` | the note |
//! | `GET /customers?q`, `POST /customers`, `GET`, `PUT /customers/{id}`, `POST /customers/{id}/addresses` | |
//!
//! A token `Authorization: Token …` or `Bearer …`. Refusals are `{"error": {"message"}}`. Amounts are cents. Nothing recognises a request that is sent twice.
//!
//! Settings: `edit` (`{"job", "fields"}`: the office writes a job; without an id a new one for the first customer; `{"customer", "fields"}`), `delete-job` (an id), `webhook` (`{"url", "secret"}`: `{event, event_occurred_at,
//! company_id, job}`, signed in `Api-Signature`: the HMAC-SHA256 of timestamp, a dot and the body in hexadecimal, with `Api-Timestamp`).

#![expect(clippy::result_large_err, reason = "a refusal is the answer itself, made once and moved once")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Map, Value, json};

use crate::fieldservice::hex;
use crate::system::System;
use crate::webhook::{Delivery, Hooks, Target};

/// Token that is taken.
pub const TOKEN: &str = "hcp-token";
/// The company.
pub const COMPANY_ID: &str = "co_1";
/// Who works: id, first name, last name.
pub const EMPLOYEES: &[(&str, &str, &str)] = &[("pro_1", "Tom", "Field"), ("pro_2", "Ana", "Ruiz")];

/// Housecall Pro.
pub struct Housecall {
    inner: Mutex<Inner>,
    hooks: Hooks,
}

struct Inner {
    jobs: BTreeMap<String, Value>,
    customers: BTreeMap<String, Value>,
    next: u64,
    last: Timestamp,
}

/// What happened, to what kind of record, of which id.
type Happened = (&'static str, String);

impl Inner {
    fn new() -> Inner {
        let mut inner = Inner { jobs: BTreeMap::new(), customers: BTreeMap::new(), next: 0, last: Timestamp::UNIX_EPOCH };
        let acme = json!({
            "company": "Acme Heating", "email": "ada.stone@acme.example", "mobile_number": "5550100",
            "addresses": [{ "street": "1 Boiler Way", "city": "Springfield", "state": "MA", "zip": "01101", "country": "US" }],
        });
        inner.customer(&acme);
        inner
    }

    fn id(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}_{}", self.next)
    }

    fn now(&mut self) -> String {
        let now = Timestamp::now().max(self.last + std::time::Duration::from_millis(1));
        self.last = now;
        format!("{now:.3}")
    }

    fn customer(&mut self, body: &Value) -> Value {
        let (id, now) = (self.id("cus"), self.now());
        let places = body["addresses"].as_array().cloned().unwrap_or_default();
        let places: Vec<Value> = places.into_iter().map(|place| self.place(place)).collect();
        let mut customer = json!({ "id": id, "created_at": now, "updated_at": now, "addresses": places });
        for name in ["first_name", "last_name", "company", "email", "mobile_number"] {
            customer[name] = body[name].clone();
        }
        self.customers.insert(id, customer.clone());
        customer
    }

    fn place(&mut self, mut place: Value) -> Value {
        place["id"] = self.id("adr").into();
        place
    }

    fn job(&mut self, body: &Value) -> Result<String, Response> {
        let customer = body["customer_id"]
            .as_str()
            .and_then(|id| self.customers.get(id))
            .cloned()
            .ok_or_else(|| refused(StatusCode::UNPROCESSABLE_ENTITY, "Customer not found"))?;
        let mut places = customer["addresses"].as_array().into_iter().flatten();
        let place = places
            .find(|place| place["id"] == body["address_id"])
            .cloned()
            .ok_or_else(|| refused(StatusCode::UNPROCESSABLE_ENTITY, "Address not found"))?;
        let employees = employees(body["assigned_employee_ids"].as_array().into_iter().flatten())?;
        let (id, now) = (self.id("job"), self.now());
        let lines = body["line_items"].as_array().cloned().unwrap_or_default();
        let total: i64 = lines.iter().map(|line| line["unit_price"].as_i64().unwrap_or_default()).sum();
        let notes: Vec<Value> =
            body["notes"].as_str().map(|content| json!({ "id": self.id("nte"), "content": content })).into_iter().collect();
        let start = &body["schedule"]["scheduled_start"];
        let mut job = json!({
            "id": id, "invoice_number": id.trim_start_matches("job_"), "description": lines.first().map(|line| line["name"].clone()),
            "customer": customer, "address": place, "notes": notes, "line_items": lines, "total_amount": total, "assigned_employees": employees,
            "work_status": if start.is_string() { "scheduled" } else { "unscheduled" },
            "work_timestamps": { "on_my_way_at": null, "started_at": null, "completed_at": null },
            "schedule": { "scheduled_start": start, "scheduled_end": body["schedule"]["scheduled_end"], "arrival_window": 0 },
            "created_at": now, "updated_at": now,
        });
        if let Some(customer) = job["customer"].as_object_mut() {
            customer.remove("addresses");
        }
        self.jobs.insert(id.clone(), job);
        Ok(id)
    }

    fn touch(&mut self, job: &str) {
        let now = self.now();
        if let Some(job) = self.jobs.get_mut(job) {
            job["updated_at"] = now.into();
        }
    }

    /// The office writes a record.
    fn edit(&mut self, edit: &Value) -> Result<Happened, String> {
        let fields = edit["fields"].as_object().cloned().unwrap_or_default();
        let now = self.now();
        if let Some(id) = edit["customer"].as_str() {
            let customer = self.customers.get_mut(id).and_then(Value::as_object_mut).ok_or("there is no such customer")?;
            customer.extend(fields);
            customer.insert("updated_at".to_owned(), now.into());
            return Ok(("customer.updated", id.to_owned()));
        }
        let id = match edit["job"].as_str() {
            Some(id) => id.to_owned(),
            None => {
                let (customer, place) = self
                    .customers
                    .iter()
                    .next()
                    .map(|(id, customer)| (id.clone(), customer["addresses"][0]["id"].clone()))
                    .ok_or("there is no customer")?;
                self.job(&json!({ "customer_id": customer, "address_id": place })).map_err(|_| "the job was refused".to_owned())?
            }
        };
        let job = self.jobs.get_mut(&id).and_then(Value::as_object_mut).ok_or("there is no such job")?;
        for (name, value) in fields {
            match (job.get_mut(&name), value) {
                (Some(Value::Object(present)), Value::Object(given)) => present.extend(given),
                (_, value) => drop(job.insert(name, value)),
            }
        }
        let event = match job["work_status"].as_str() {
            Some("scheduled") => "job.scheduled",
            Some("complete unrated" | "complete rated") => "job.completed",
            _ => "job.updated",
        };
        if event == "job.completed" && job["work_timestamps"]["completed_at"].is_null() {
            job["work_timestamps"]["completed_at"] = now.into();
        }
        self.touch(&id);
        Ok((event, id))
    }

    fn answer(
        &mut self,
        method: &Method,
        path: &[&str],
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Result<(Value, Option<Happened>), Response> {
        let no_such = || refused(StatusCode::NOT_FOUND, "Not found");
        let number = |name: &str, otherwise: usize| query.get(name).and_then(|text| text.parse::<usize>().ok()).unwrap_or(otherwise).max(1);
        Ok(match (method.as_str(), path) {
            ("GET", ["jobs"]) => {
                let mut found: Vec<&Value> = self
                    .jobs
                    .values()
                    .filter(|job| query.get("customer_id").is_none_or(|id| job["customer"]["id"] == id.as_str()))
                    .collect();
                let by = query.get("sort_by").map_or("created_at", String::as_str);
                let moment = |job: &Value| job[by].as_str().and_then(|at| at.parse::<Timestamp>().ok());
                found.sort_by_key(|job| moment(job));
                if query.get("sort_direction").is_none_or(|direction| direction != "asc") {
                    found.reverse();
                }
                let (page, size) = (number("page", 1), number("page_size", 10));
                let pages = found.len().div_ceil(size);
                let jobs: Vec<&Value> = found.into_iter().skip((page - 1) * size).take(size).collect();
                (json!({ "page": page, "page_size": size, "total_pages": pages, "jobs": jobs }), None)
            }
            ("POST", ["jobs"]) => {
                let id = self.job(body)?;
                (self.jobs[&id].clone(), Some(("job.created", id)))
            }
            ("GET", ["jobs", id]) => (self.jobs.get(*id).cloned().ok_or_else(no_such)?, None),
            (method, ["jobs", id, "schedule"]) => {
                let job = self.jobs.get_mut(*id).ok_or_else(no_such)?;
                let (status, start, end) = match method {
                    "PUT" if body["start_time"].is_string() => ("scheduled", body["start_time"].clone(), body["end_time"].clone()),
                    "DELETE" => ("unscheduled", Value::Null, Value::Null),
                    _ => return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, "start_time is missing")),
                };
                job["work_status"] = status.into();
                job["schedule"] = json!({ "scheduled_start": start, "scheduled_end": end, "arrival_window": 0 });
                let schedule = job["schedule"].clone();
                self.touch(id);
                (schedule, Some(("job.scheduled", (*id).to_owned())))
            }
            ("PUT", ["jobs", id, "dispatch"]) => {
                let dispatched =
                    employees(body["dispatched_employees"].as_array().into_iter().flatten().map(|employee| &employee["employee_id"]))?;
                let job = self.jobs.get_mut(*id).ok_or_else(no_such)?;
                job["assigned_employees"] = dispatched.into();
                self.touch(id);
                (self.jobs[*id].clone(), Some(("job.updated", (*id).to_owned())))
            }
            ("POST", ["jobs", id, "notes"]) => {
                let note = json!({ "id": self.id("nte"), "content": body["content"] });
                let job = self.jobs.get_mut(*id).ok_or_else(no_such)?;
                if let Some(notes) = job["notes"].as_array_mut() {
                    notes.push(note.clone());
                }
                (note, None)
            }
            ("DELETE", ["jobs", id, "notes", note]) => {
                let notes = self.jobs.get_mut(*id).and_then(|job| job["notes"].as_array_mut()).ok_or_else(no_such)?;
                let before = notes.len();
                notes.retain(|own| own["id"] != *note);
                if notes.len() == before {
                    return Err(no_such());
                }
                (json!({}), None)
            }
            ("GET", ["customers"]) => {
                let term = query.get("q").map(|term| term.to_lowercase()).unwrap_or_default();
                let like = |customer: &&Value| customer.to_string().to_lowercase().contains(&term);
                let found: Vec<&Value> = self.customers.values().filter(like).collect();
                (json!({ "page": 1, "page_size": 50, "total_pages": 1, "customers": found }), None)
            }
            ("POST", ["customers"]) => {
                if ["first_name", "last_name", "company", "email", "mobile_number"].iter().all(|name| body[*name].is_null()) {
                    return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, "A customer needs a name, an email or a number"));
                }
                let customer = self.customer(body);
                let id = customer["id"].as_str().unwrap_or_default().to_owned();
                (customer, Some(("customer.created", id)))
            }
            ("GET", ["customers", id]) => (self.customers.get(*id).cloned().ok_or_else(no_such)?, None),
            ("PUT", ["customers", id]) => {
                let now = self.now();
                let customer = self.customers.get_mut(*id).and_then(Value::as_object_mut).ok_or_else(no_such)?;
                customer.extend(body.as_object().cloned().unwrap_or_else(Map::new));
                customer.insert("updated_at".to_owned(), now.into());
                (Value::Object(customer.clone()), Some(("customer.updated", (*id).to_owned())))
            }
            ("POST", ["customers", id, "addresses"]) => {
                if body["street"].is_null() {
                    return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, "street is missing"));
                }
                let place = self.place(body.clone());
                let customer = self.customers.get_mut(*id).ok_or_else(no_such)?;
                if let Some(places) = customer["addresses"].as_array_mut() {
                    places.push(place.clone());
                }
                (place, None)
            }
            _ => return Err(no_such()),
        })
    }
}

fn employees<'a>(ids: impl Iterator<Item = &'a Value>) -> Result<Vec<Value>, Response> {
    ids.map(|id| {
        let known = EMPLOYEES.iter().find(|(known, ..)| id == *known);
        let (id, first, last) = known.ok_or_else(|| refused(StatusCode::UNPROCESSABLE_ENTITY, "Employee not found"))?;
        Ok(json!({ "id": id, "first_name": first, "last_name": last, "email": format!("{}@acme.example", first.to_lowercase()) }))
    })
    .collect()
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": { "message": message } }))).into_response()
}

impl Housecall {
    /// With one customer.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> Housecall {
        Housecall { inner: Mutex::new(Inner::new()), hooks: Hooks::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, inner: &Inner, (event, id): Happened) {
        let object = event.split('.').next().unwrap_or_default();
        let records = if object == "job" { &inner.jobs } else { &inner.customers };
        let record = records.get(&id).cloned().unwrap_or_else(|| json!({ "id": id }));
        self.hooks.send(move |target, _| message(event, &record, target));
    }
}

fn message(event: &str, record: &Value, target: &Target) -> Delivery {
    let object = event.split('.').next().unwrap_or_default();
    let now = Timestamp::now();
    let body = json!({ "event": event, "event_occurred_at": format!("{now:.3}"), "company_id": COMPANY_ID, object: record }).to_string();
    let stamp = now.as_second().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    let signature = hex(hmac::sign(&key, format!("{stamp}.{body}").as_bytes()).as_ref());
    Delivery {
        headers: vec![("content-type", "application/json".to_owned()), ("api-timestamp", stamp), ("api-signature", signature)],
        body: body.into_bytes(),
    }
}

impl System for Housecall {
    fn name(&self) -> &'static str {
        "housecall"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        json!({
            "jobs": inner.jobs.values().collect::<Vec<_>>(), "customers": inner.customers.values().collect::<Vec<_>>(), "webhooks": self.hooks.state(),
        })
    }

    fn reset(&self) {
        self.hooks.reset();
        *self.lock() = Inner::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut inner = self.lock();
        match setting {
            "edit" => {
                let happened = inner.edit(&value)?;
                self.tell(&inner, happened);
                Ok(())
            }
            "delete-job" => {
                let id = value.as_str().ok_or("`delete-job` takes the id of a job")?.to_owned();
                inner.jobs.remove(&id).ok_or("there is no such job")?;
                self.tell(&inner, ("job.deleted", id));
                Ok(())
            }
            "webhook" => self.hooks.set(value),
            _ => Err(format!("housecall has no setting `{setting}`; it has edit, delete-job, webhook")),
        }
    }
}

async fn serve(
    State(housecall): State<Arc<Housecall>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    if !given.is_some_and(|(scheme, token)| matches!(scheme, "Token" | "Bearer") && token == TOKEN) {
        return refused(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    let Ok(body) = body else {
        return refused(StatusCode::BAD_REQUEST, "The body is no JSON");
    };
    let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let mut inner = housecall.lock();
    match inner.answer(&method, &path, &query, &body) {
        Ok((answer, happened)) => {
            if let Some(happened) = happened {
                housecall.tell(&inner, happened);
            }
            Json(answer).into_response()
        }
        Err(refusal) => refusal,
    }
}
