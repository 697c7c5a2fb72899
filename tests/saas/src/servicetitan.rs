//! ServiceTitan: the part of its API (v2) that integrations of jobs use, written from the developer documentation: `jpm` jobs, appointments, notes and the export feed, `dispatch`
//! assignments and non-job appointments, `crm` customers and locations.
//!
//! Every request needs a bearer token and the header `ST-App-Key`, and names the tenant. Lists are `{page, pageSize, hasMore, data}`; refusals problem details. A job that is booked twice is
//! two jobs; but jobs are found by the external data that they carry.
//!
//! Settings: `edit` (`{"job", "fields"}`: the office writes a job; without an id a new one for the first customer; `jobStatus`, `start`, `end` and `technicianId` among the fields), `webhook`
//! (`{"url", "secret"}`: `{eventId, eventType, jobId}`, signed in `X-ServiceTitan-Signature` by HMAC-SHA256 of the body in hexadecimal), `export-page` (records of the feed).

#![expect(clippy::result_large_err, reason = "a refusal is the answer itself, made once and moved once")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Map, Value, json};

use crate::fieldservice::hex;
use crate::system::System;
use crate::webhook::{Delivery, Hooks, Target};

/// Bearer token that is taken.
pub const TOKEN: &str = "st-token";
/// Key of the application.
pub const APP_KEY: &str = "st-app-key";
/// The one tenant.
pub const TENANT: u64 = 42;
/// Who works: id, name.
pub const TECHNICIANS: &[(u64, &str)] = &[(1017, "Tom Field"), (1018, "Ana Ruiz")];
/// Records of a page of the feed.
const EXPORT_PAGE: usize = 500;

/// ServiceTitan.
pub struct ServiceTitan {
    inner: Mutex<Inner>,
    hooks: Hooks,
}

struct Inner {
    jobs: BTreeMap<u64, Map<String, Value>>,
    appointments: BTreeMap<u64, Value>,
    /// Appointment and technician.
    assignments: Vec<(u64, u64)>,
    notes: BTreeMap<u64, Vec<Value>>,
    absences: BTreeMap<u64, Value>,
    customers: BTreeMap<u64, Value>,
    locations: BTreeMap<u64, Value>,
    next: u64,
    last: Timestamp,
    export_page: usize,
}

impl Inner {
    fn new() -> Inner {
        let mut inner = Inner {
            jobs: BTreeMap::new(),
            appointments: BTreeMap::new(),
            assignments: Vec::new(),
            notes: BTreeMap::new(),
            absences: BTreeMap::new(),
            customers: BTreeMap::new(),
            locations: BTreeMap::new(),
            next: 5000,
            last: Timestamp::UNIX_EPOCH,
            export_page: EXPORT_PAGE,
        };
        let address = json!({ "street": "1 Boiler Way", "city": "Springfield", "state": "MA", "zip": "01101", "country": "USA" });
        inner.customer(
            &json!({ "name": "Acme Heating", "address": address, "locations": [{ "name": "Acme Heating", "address": address }] }),
        );
        inner
    }

    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn now(&mut self) -> String {
        let now = Timestamp::now().max(self.last + std::time::Duration::from_micros(1));
        self.last = now;
        format!("{now:.6}")
    }

    fn customer(&mut self, body: &Value) -> Value {
        let id = self.next();
        let mut customer = body.clone();
        customer["id"] = id.into();
        let places = body["locations"].as_array().cloned().unwrap_or_default();
        customer["locations"] = places.iter().map(|place| self.location(id, place)).collect();
        self.customers.insert(id, customer.clone());
        customer
    }

    fn location(&mut self, customer: u64, body: &Value) -> Value {
        let id = self.next();
        let location = json!({ "id": id, "customerId": customer, "name": body["name"], "address": body["address"], "active": true });
        self.locations.insert(id, location.clone());
        location
    }

    fn job(&mut self, body: &Value) -> Result<u64, Response> {
        let wrong = |detail: &str| problem(StatusCode::BAD_REQUEST, detail);
        for field in ["customerId", "locationId", "businessUnitId", "jobTypeId", "priority"] {
            if body[field].is_null() {
                return Err(wrong(&format!("The {field} field is required.")));
            }
        }
        let customer =
            body["customerId"].as_u64().filter(|id| self.customers.contains_key(id)).ok_or_else(|| wrong("There is no such customer."))?;
        let place = body["locationId"].as_u64().filter(|id| self.locations.get(id).is_some_and(|place| place["customerId"] == customer));
        let place = place.ok_or_else(|| wrong("There is no such location of the customer."))?;
        let (id, now) = (self.next(), self.now());
        let mut job = Map::new();
        for (name, value) in [
            ("id", json!(id)),
            ("jobNumber", json!(id.to_string())),
            ("customerId", json!(customer)),
            ("locationId", json!(place)),
            ("jobStatus", json!("Scheduled")),
            ("completedOn", Value::Null),
            ("invoiceId", json!(id + 100_000)),
            ("total", json!(0)),
            ("summary", body["summary"].clone()),
            ("priority", body["priority"].clone()),
            ("businessUnitId", body["businessUnitId"].clone()),
            ("jobTypeId", body["jobTypeId"].clone()),
            ("externalData", body["externalData"]["externalData"].clone()),
            ("createdOn", json!(now)),
            ("modifiedOn", json!(now)),
        ] {
            job.insert(name.to_owned(), value);
        }
        let mut last = None;
        for appointment in body["appointments"].as_array().into_iter().flatten() {
            let of = self.next();
            let technicians: Vec<u64> = appointment["technicianIds"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
            if technicians.iter().any(|id| technician(*id).is_none()) {
                return Err(wrong("There is no such technician."));
            }
            self.assignments.extend(technicians.into_iter().map(|technician| (of, technician)));
            self.appointments.insert(
                of,
                json!({ "id": of, "jobId": id, "start": appointment["start"], "end": appointment["end"], "status": "Scheduled" }),
            );
            last = Some(of);
        }
        job.insert("firstAppointmentId".to_owned(), json!(last));
        job.insert("lastAppointmentId".to_owned(), json!(last));
        self.jobs.insert(id, job);
        Ok(id)
    }

    fn touch(&mut self, job: u64) {
        let now = self.now();
        if let Some(job) = self.jobs.get_mut(&job) {
            job.insert("modifiedOn".to_owned(), now.into());
        }
    }

    /// The office writes a job.
    fn edit(&mut self, edit: &Value) -> Result<u64, String> {
        let fields = edit["fields"].as_object().cloned().unwrap_or_default();
        let id = match edit["job"].as_u64() {
            Some(id) => id,
            None => {
                let (customer, location) =
                    self.locations.iter().next().map(|(id, place)| (place["customerId"].clone(), *id)).ok_or("there is no location")?;
                let body = json!({ "customerId": customer, "locationId": location, "businessUnitId": 1, "jobTypeId": 2, "priority": "Normal", "appointments": [{ "start": "2026-12-01T09:00:00Z", "end": "2026-12-01T11:00:00Z", "technicianIds": [] }] });
                self.job(&body).map_err(|_| "the job was refused".to_owned())?
            }
        };
        let now = self.now();
        let job = self.jobs.get_mut(&id).ok_or("there is no such job")?;
        let appointment = job["lastAppointmentId"].as_u64().unwrap_or_default();
        for (name, value) in fields {
            match (name.as_str(), self.appointments.get_mut(&appointment)) {
                ("start" | "end", Some(appointment)) => appointment[name] = value,
                ("technicianId", _) => self.assignments.push((appointment, value.as_u64().unwrap_or_default())),
                _ => {
                    if name == "jobStatus" && value == "Completed" {
                        job.insert("completedOn".to_owned(), now.as_str().into());
                    }
                    job.insert(name, value);
                }
            }
        }
        self.touch(id);
        Ok(id)
    }

    fn answer(
        &mut self,
        method: &Method,
        path: &[&str],
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Result<(Value, Option<u64>), Response> {
        let no_such = || problem(StatusCode::NOT_FOUND, "Not found.");
        let wrong = |detail: &str| problem(StatusCode::BAD_REQUEST, detail);
        let number = |text: &str| text.parse::<u64>().map_err(|_| no_such());
        let list = |name: &str| query.get(name).map(|ids| ids.split(',').filter_map(|id| id.parse::<u64>().ok()).collect::<Vec<_>>());
        let page = |data: Vec<Value>| json!({ "page": 1, "pageSize": 50, "hasMore": false, "data": data });
        Ok(match (method.as_str(), path) {
            ("GET", ["crm", "customers"]) => {
                let (ids, name) = (list("ids"), query.get("name").map(|name| name.to_lowercase()));
                let wanted = |customer: &&Value| {
                    ids.as_ref().is_none_or(|ids| customer["id"].as_u64().is_some_and(|id| ids.contains(&id)))
                        && name.as_ref().is_none_or(|name| customer["name"].as_str().is_some_and(|own| own.to_lowercase().contains(name)))
                };
                (page(self.customers.values().filter(wanted).cloned().collect()), None)
            }
            ("POST", ["crm", "customers"]) => {
                if !body["name"].is_string() || body["locations"].as_array().is_none_or(Vec::is_empty) {
                    return Err(wrong("The name and locations fields are required."));
                }
                (self.customer(body), None)
            }
            ("GET", ["crm", "locations"]) => {
                let (ids, customer) = (list("ids"), query.get("customerId").and_then(|id| id.parse::<u64>().ok()));
                let wanted = |place: &&Value| {
                    ids.as_ref().is_none_or(|ids| place["id"].as_u64().is_some_and(|id| ids.contains(&id)))
                        && customer.is_none_or(|customer| place["customerId"] == customer)
                };
                (page(self.locations.values().filter(wanted).cloned().collect()), None)
            }
            ("POST", ["crm", "locations"]) => {
                let customer = body["customerId"].as_u64().ok_or_else(|| wrong("The customerId field is required."))?;
                (self.location(customer, body), None)
            }
            ("GET", ["jpm", "jobs"]) => {
                let (key, value) = (query.get("externalDataKey"), query.get("externalDataValues"));
                if key.is_some() && !query.contains_key("externalDataApplicationGuid") {
                    return Err(wrong("externalDataApplicationGuid is required."));
                }
                let has = |job: &&Map<String, Value>| {
                    let data = job["externalData"].as_array().into_iter().flatten();
                    key.zip(value)
                        .is_none_or(|(key, value)| data.clone().any(|pair| pair["key"] == key.as_str() && pair["value"] == value.as_str()))
                };
                (page(self.jobs.values().filter(has).cloned().map(Value::Object).collect()), None)
            }
            ("POST", ["jpm", "jobs"]) => {
                let id = self.job(body)?;
                (Value::Object(self.jobs[&id].clone()), Some(id))
            }
            ("GET", ["jpm", "jobs", id]) => (Value::Object(self.jobs.get(&number(id)?).cloned().ok_or_else(no_such)?), None),
            ("PATCH", ["jpm", "jobs", id]) => {
                let id = number(id)?;
                let job = self.jobs.get_mut(&id).ok_or_else(no_such)?;
                job.extend(body.as_object().cloned().unwrap_or_default());
                self.touch(id);
                (Value::Object(self.jobs[&id].clone()), Some(id))
            }
            ("PUT", ["jpm", "jobs", id, "cancel"]) => {
                let id = number(id)?;
                if body["reasonId"].is_null() {
                    return Err(wrong("The reasonId field is required."));
                }
                let job = self.jobs.get_mut(&id).ok_or_else(no_such)?;
                if job["jobStatus"] == "Completed" {
                    return Err(problem(StatusCode::CONFLICT, "A completed job can't be canceled."));
                }
                job.insert("jobStatus".to_owned(), "Canceled".into());
                self.touch(id);
                (json!({}), Some(id))
            }
            ("GET", ["jpm", "jobs", id, "notes"]) => (page(self.notes.get(&number(id)?).cloned().unwrap_or_default()), None),
            ("POST", ["jpm", "jobs", id, "notes"]) => {
                let id = number(id)?;
                if !self.jobs.contains_key(&id) {
                    return Err(no_such());
                }
                let note = json!({ "text": body["text"], "isPinned": body["pinToTop"], "createdOn": self.now() });
                self.notes.entry(id).or_default().push(note.clone());
                (note, None)
            }
            ("GET", ["jpm", "appointments"]) => {
                let (ids, job) = (list("ids"), query.get("jobId").and_then(|id| id.parse::<u64>().ok()));
                let wanted = |appointment: &&Value| {
                    ids.as_ref().is_none_or(|ids| appointment["id"].as_u64().is_some_and(|id| ids.contains(&id)))
                        && job.is_none_or(|job| appointment["jobId"] == job)
                };
                (page(self.appointments.values().filter(wanted).cloned().collect()), None)
            }
            ("PATCH", ["jpm", "appointments", id, "reschedule"]) => {
                let appointment = self.appointments.get_mut(&number(id)?).ok_or_else(no_such)?;
                appointment["start"] = body["start"].clone();
                appointment["end"] = body["end"].clone();
                let (shown, job) = (appointment.clone(), appointment["jobId"].as_u64().unwrap_or_default());
                self.touch(job);
                (shown, Some(job))
            }
            ("GET", ["jpm", "export", "jobs"]) => {
                let at =
                    |job: &Map<String, Value>| job["modifiedOn"].as_str().and_then(|at| at.parse::<Timestamp>().ok()).unwrap_or_default();
                let from = query.get("from").map(String::as_str).unwrap_or_default();
                let from = from.strip_prefix("token-").unwrap_or(from).parse::<Timestamp>().ok();
                let mut found: Vec<&Map<String, Value>> = self.jobs.values().filter(|job| from.is_none_or(|from| at(job) > from)).collect();
                found.sort_by_key(|job| at(job));
                let more = found.len() > self.export_page;
                found.truncate(self.export_page);
                let next = found.last().map(|job| format!("token-{}", job["modifiedOn"].as_str().unwrap_or_default()));
                let next = next.or_else(|| query.get("from").cloned());
                (json!({ "hasMore": more, "continueFrom": next, "data": found }), None)
            }
            ("GET", ["dispatch", "appointment-assignments"]) => {
                let wanted = list("appointmentIds").unwrap_or_default();
                let shown = |(appointment, id): &(u64, u64)| json!({ "appointmentId": appointment, "technicianId": id, "technicianName": technician(*id), "active": true });
                (page(self.assignments.iter().filter(|(appointment, _)| wanted.contains(appointment)).map(shown).collect()), None)
            }
            ("POST", ["dispatch", "appointment-assignments", what]) => {
                let appointment = body["jobAppointmentId"].as_u64().filter(|id| self.appointments.contains_key(id)).ok_or_else(no_such)?;
                let technicians: Vec<u64> = body["technicianIds"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
                if technicians.iter().any(|id| technician(*id).is_none()) {
                    return Err(wrong("There is no such technician."));
                }
                self.assignments.retain(|(of, id)| *of != appointment || !technicians.contains(id));
                if *what == "assign-technicians" {
                    self.assignments.extend(technicians.into_iter().map(|technician| (appointment, technician)));
                }
                let job = self.appointments[&appointment]["jobId"].as_u64().unwrap_or_default();
                self.touch(job);
                (json!({}), Some(job))
            }
            ("GET", ["dispatch", "non-job-appointments"]) => {
                let of = query.get("technicianId").and_then(|id| id.parse::<u64>().ok());
                let wanted = |absence: &&Value| of.is_none_or(|technician| absence["technicianId"] == technician);
                (page(self.absences.values().filter(wanted).cloned().collect()), None)
            }
            ("POST", ["dispatch", "non-job-appointments"]) => {
                if body["technicianId"].as_u64().and_then(technician).is_none() || !body["duration"].is_string() {
                    return Err(wrong("The technicianId and duration fields are required."));
                }
                let id = self.next();
                let mut absence = body.clone();
                absence["id"] = id.into();
                self.absences.insert(id, absence.clone());
                (absence, None)
            }
            ("PUT", ["dispatch", "non-job-appointments", id]) => {
                let id = number(id)?;
                let absence = self.absences.get_mut(&id).ok_or_else(no_such)?;
                *absence = body.clone();
                absence["id"] = id.into();
                (absence.clone(), None)
            }
            ("DELETE", ["dispatch", "non-job-appointments", id]) => {
                self.absences.remove(&number(id)?).ok_or_else(no_such)?;
                (json!({}), None)
            }
            _ => return Err(no_such()),
        })
    }
}

fn technician(id: u64) -> Option<&'static str> {
    TECHNICIANS.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({ "type": "about:blank", "title": detail, "status": status.as_u16(), "traceId": "00-0", "errors": {} });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

impl ServiceTitan {
    /// With one customer.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> ServiceTitan {
        ServiceTitan { inner: Mutex::new(Inner::new()), hooks: Hooks::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, job: u64) {
        self.hooks.send(move |target, _| message(job, target));
    }
}

fn message(job: u64, target: &Target) -> Delivery {
    let body = json!({ "eventId": format!("{job}-{}", Timestamp::now().as_microsecond()), "eventType": "job.updated", "tenantId": TENANT, "jobId": job }).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    let signature = hex(hmac::sign(&key, body.as_bytes()).as_ref());
    Delivery {
        headers: vec![("content-type", "application/json".to_owned()), ("x-servicetitan-signature", signature)],
        body: body.into_bytes(),
    }
}

impl System for ServiceTitan {
    fn name(&self) -> &'static str {
        "servicetitan"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new().route("/{module}/v2/tenant/{tenant}/{*path}", any(serve)).fallback(async || StatusCode::NOT_FOUND).with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        let assignments: Vec<Value> = inner.assignments.iter().map(|(appointment, technician)| json!([appointment, technician])).collect();
        json!({
            "jobs": inner.jobs.values().collect::<Vec<_>>(), "appointments": inner.appointments.values().collect::<Vec<_>>(), "assignments": assignments,
            "notes": inner.notes.values().flatten().collect::<Vec<_>>(), "absences": inner.absences.values().collect::<Vec<_>>(),
            "customers": inner.customers.values().collect::<Vec<_>>(), "locations": inner.locations.values().collect::<Vec<_>>(), "webhooks": self.hooks.state(),
        })
    }

    fn reset(&self) {
        self.hooks.reset();
        *self.lock() = Inner::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        match setting {
            "edit" => {
                let job = self.lock().edit(&value)?;
                self.tell(job);
                Ok(())
            }
            "export-page" => {
                let page = value.as_u64().and_then(|page| usize::try_from(page).ok()).filter(|page| *page > 0);
                self.lock().export_page = page.ok_or("`export-page` takes a number of records")?;
                Ok(())
            }
            "webhook" => self.hooks.set(value),
            _ => Err(format!("servicetitan has no setting `{setting}`; it has edit, export-page, webhook")),
        }
    }
}

async fn serve(
    State(titan): State<Arc<ServiceTitan>>,
    method: Method,
    Path((module, tenant, path)): Path<(String, String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if given("authorization") != format!("Bearer {TOKEN}") || given("st-app-key") != APP_KEY {
        return problem(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    if tenant != TENANT.to_string() {
        return problem(StatusCode::FORBIDDEN, "The tenant is not yours.");
    }
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    let Ok(body) = body else {
        return problem(StatusCode::BAD_REQUEST, "The body is no JSON.");
    };
    let path: Vec<&str> = std::iter::once(module.as_str()).chain(path.split('/')).collect();
    let answered = titan.lock().answer(&method, &path, &query, &body);
    match answered {
        Ok((answer, job)) => {
            if let Some(job) = job {
                titan.tell(job);
            }
            Json(answer).into_response()
        }
        Err(refused) => refused,
    }
}
