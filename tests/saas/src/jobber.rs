//! Jobber: the part of its GraphQL API that integrations of jobs use, written from the developer documentation (developer.getjobber.com).
//!
//! It knows operations by the field they ask for, takes their arguments from `variables`, and answers whole records whatever is selected: more than was asked for, never less. Operations are
//! `client`, `clients`, `clientCreate`, `clientEdit`, `propertyCreate`, `job`, `jobs`, `jobCreate`, `jobEdit`, `jobClose`, `jobCreateNote`, `jobDeleteNote`, `visit`, `visitCreate`, `visitEditSchedule`,
//! `visitEditAssignedUsers`, `tasks`, `taskCreate`, `taskEdit`, `taskDelete`. As Jobber does, a refusal of the input is a 200 with `userErrors`, one of the operation a 200 with `errors`, and an operation
//! that costs more points than are left is `THROTTLED`. Nothing recognises a mutation that is sent twice.
//!
//! Settings: `edit` (`{"job", "fields"}`: somebody writes a job; without an id a new one for the first client; `{"client", "fields"}`), `complete` (a job's id: its visits are done and it is closed), `forget` (a job's id: it never was), `points`
//! (points left and restored by the second, `{"available", "restore"}`), `webhook` (`{"url", "secret"}`: topics of jobs, visits and clients, signed in `X-Jobber-Hmac-SHA256`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use crate::system::System;
use crate::webhook::{Delivery, Hooks, Target};

/// Bearer token that is taken.
pub const TOKEN: &str = "jobber-token";
/// The account.
pub const ACCOUNT_ID: &str = "MQ==";
/// Versions of the schema that are served.
const VERSIONS: [&str; 2] = ["2025-04-16", "2025-01-20"];
/// Who works: id, name.
pub const USERS: &[(&str, &str)] = &[("VTE=", "Tom Field"), ("VTI=", "Ana Ruiz")];
/// What an operation costs.
const COST: f64 = 20.0;

/// Jobber.
pub struct Jobber {
    inner: Mutex<Inner>,
    hooks: Hooks,
}

struct Inner {
    clients: BTreeMap<String, Value>,
    properties: BTreeMap<String, Value>,
    jobs: BTreeMap<String, Value>,
    visits: BTreeMap<String, Value>,
    notes: BTreeMap<String, Value>,
    tasks: BTreeMap<String, Value>,
    next: u64,
    last: Timestamp,
    available: f64,
    restore: f64,
    /// Topic and id of what happened since somebody took note.
    happened: Vec<(&'static str, String)>,
}

impl Inner {
    fn new() -> Inner {
        let mut inner = Inner {
            clients: BTreeMap::new(),
            properties: BTreeMap::new(),
            jobs: BTreeMap::new(),
            visits: BTreeMap::new(),
            notes: BTreeMap::new(),
            tasks: BTreeMap::new(),
            next: 0,
            last: Timestamp::UNIX_EPOCH,
            available: 10_000.0,
            restore: 500.0,
            happened: Vec::new(),
        };
        let acme = json!({ "companyName": "Acme Heating", "emails": [{ "address": "ada.stone@acme.example" }], "phones": [{ "number": "+1 555 0100" }] });
        let id = inner.client(&acme);
        inner.property(&id, &json!({ "street1": "1 Boiler Way", "city": "Springfield" }));
        inner.happened.clear();
        inner
    }

    /// An encoded id, as Jobber's are.
    fn id(&mut self, kind: &str) -> String {
        self.next += 1;
        STANDARD.encode(format!("gid://Jobber/{kind}/{}", self.next))
    }

    fn now(&mut self) -> String {
        let now = Timestamp::now().max(self.last + std::time::Duration::from_millis(1));
        self.last = now;
        format!("{now:.3}")
    }

    fn client(&mut self, input: &Value) -> String {
        let (id, now) = (self.id("Client"), self.now());
        let mut client = json!({ "id": id, "createdAt": now, "updatedAt": now, "emails": [], "phones": [], "jobberWebUri": "https://secure.getjobber.com/clients/1" });
        for field in ["firstName", "lastName", "companyName"] {
            client[field] = input[field].clone();
        }
        for (list, value) in [("emails", "address"), ("phones", "number")] {
            let items = input[list].as_array().cloned().unwrap_or_default();
            client[list] = items.iter().map(|item| json!({ "id": self.id("Contact"), value: item[value] })).collect();
        }
        name(&mut client);
        self.clients.insert(id.clone(), client);
        self.happened.push(("CLIENT_CREATE", id.clone()));
        id
    }

    fn property(&mut self, client: &str, address: &Value) -> String {
        let id = self.id("Property");
        self.properties.insert(id.clone(), json!({ "id": id, "client": client, "address": address }));
        id
    }

    fn job(&mut self, property: &str, input: &Value) -> Value {
        let (id, now) = (self.id("Job"), self.now());
        let number = 100 + self.jobs.len();
        let client = self.properties[property]["client"].clone();
        let job = json!({
            "id": id, "jobNumber": number, "title": input["title"], "instructions": input["instructions"], "client": client, "property": property,
            "closed": false, "completedAt": null, "total": 0.0, "createdAt": now, "updatedAt": now, "jobberWebUri": format!("https://secure.getjobber.com/jobs/{number}"),
        });
        self.jobs.insert(id.clone(), job);
        self.happened.push(("JOB_CREATE", id.clone()));
        self.shown_job(&id)
    }

    fn visit(&mut self, job: &str, title: &Value, start: Value, end: Value, users: Value) -> String {
        let id = self.id("Visit");
        let visit = json!({ "id": id, "job": job, "title": title, "startAt": start, "endAt": end, "completedAt": null, "isComplete": false, "users": users });
        self.visits.insert(id.clone(), visit);
        self.happened.push(("VISIT_CREATE", id.clone()));
        self.touch(job);
        id
    }

    fn touch(&mut self, job: &str) {
        let now = self.now();
        if let Some(job) = self.jobs.get_mut(job) {
            job["updatedAt"] = now.into();
        }
        self.happened.push(("JOB_UPDATE", job.to_owned()));
    }

    fn close(&mut self, job: &str, completed: bool) {
        let now = self.now();
        self.visits.retain(|_, visit| visit["job"] != job || visit["isComplete"] == true);
        if let Some(job) = self.jobs.get_mut(job) {
            job["closed"] = true.into();
            if completed {
                job["completedAt"] = now.into();
            }
        }
        self.touch(job);
        self.happened.push(("JOB_CLOSED", job.to_owned()));
    }

    fn shown_client(&self, id: &str) -> Value {
        let Some(mut client) = self.clients.get(id).cloned() else {
            return Value::Null;
        };
        let of = |record: &&Value, field: &str| record[field] == id;
        client["clientProperties"] =
            json!({ "nodes": self.properties.values().filter(|property| of(property, "client")).collect::<Vec<_>>() });
        let jobs: Vec<Value> = self.jobs.iter().filter(|(_, job)| of(job, "client")).map(|(id, _)| self.bare_job(id)).collect();
        client["jobs"] = json!({ "nodes": jobs });
        client
    }

    fn bare_job(&self, id: &str) -> Value {
        let mut job = self.jobs[id].clone();
        let visits: Vec<&Value> = self.visits.values().filter(|visit| visit["job"] == id).collect();
        let scheduled = visits.iter().any(|visit| !visit["startAt"].is_null());
        job["jobStatus"] = match (job["closed"] == true, scheduled) {
            (true, _) => "archived",
            (false, true) => "upcoming",
            (false, false) => "unscheduled",
        }
        .into();
        job["startAt"] = visits.iter().find_map(|visit| visit["startAt"].as_str()).into();
        job["endAt"] = visits.iter().find_map(|visit| visit["endAt"].as_str()).into();
        job
    }

    fn shown_job(&self, id: &str) -> Value {
        if !self.jobs.contains_key(id) {
            return Value::Null;
        }
        let mut job = self.bare_job(id);
        job["client"] = self.clients.get(job["client"].as_str().unwrap_or_default()).cloned().unwrap_or_default();
        job["property"] = self.properties.get(job["property"].as_str().unwrap_or_default()).cloned().unwrap_or_default();
        let visits: Vec<Value> = self.visits.iter().filter(|(_, visit)| visit["job"] == id).map(|(id, _)| self.bare_visit(id)).collect();
        job["visits"] = json!({ "nodes": visits });
        for list in ["lineItems", "expenses", "timeSheetEntries"] {
            let items = job[list].as_array().cloned().unwrap_or_default();
            job[list] = json!({ "nodes": items });
        }
        let notes: Vec<&Value> = self.notes.values().filter(|note| note["job"] == id).collect();
        job["notes"] = json!({ "nodes": notes });
        job
    }

    fn bare_visit(&self, id: &str) -> Value {
        let mut visit = self.visits[id].clone();
        let users = visit["users"].as_array().cloned().unwrap_or_default();
        let users: Vec<Value> =
            users.iter().map(|id| json!({ "id": id, "name": { "full": user(id) }, "email": { "raw": null } })).collect();
        visit["assignedUsers"] = json!({ "nodes": users });
        visit
    }

    fn shown_visit(&self, id: &str) -> Value {
        if !self.visits.contains_key(id) {
            return Value::Null;
        }
        let mut visit = self.bare_visit(id);
        let job = self.shown_job(visit["job"].as_str().unwrap_or_default());
        visit["client"] = job["client"].clone();
        visit["property"] = job["property"].clone();
        visit["job"] = json!({ "id": job["id"] });
        visit
    }

    /// Does an operation; `Err` is a `userErrors` of its payload.
    fn operate(&mut self, field: &str, v: &Value) -> Result<Value, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let input = &v["input"];
        match field {
            "client" => Ok(self.shown_client(&text(&v["id"]))),
            "clients" => {
                let term = text(&v["term"]).to_lowercase();
                let like = |client: &&String| self.clients[*client].to_string().to_lowercase().contains(&term);
                Ok(json!({ "nodes": self.clients.keys().filter(like).map(|id| self.shown_client(id)).collect::<Vec<_>>() }))
            }
            "clientCreate" => {
                if ["firstName", "lastName", "companyName"].iter().all(|name| input[*name].as_str().is_none_or(str::is_empty)) {
                    return Err("a client needs a name".to_owned());
                }
                let id = self.client(input);
                Ok(json!({ "client": self.shown_client(&id) }))
            }
            "clientEdit" => {
                let (id, now) = (text(&v["clientId"]), self.now());
                let added = self.id("Contact");
                let client = self.clients.get_mut(&id).ok_or("there is no such client")?;
                for name in ["firstName", "lastName", "companyName"] {
                    if !input[name].is_null() {
                        client[name] = input[name].clone();
                    }
                }
                for (list, edit, add, value) in
                    [("emails", "emailsToEdit", "emailsToAdd", "address"), ("phones", "phonesToEdit", "phonesToAdd", "number")]
                {
                    for change in input[edit].as_array().into_iter().flatten() {
                        let items = client[list].as_array_mut().into_iter().flatten();
                        items.filter(|item| item["id"] == change["id"]).for_each(|item| item[value] = change[value].clone());
                    }
                    for new in input[add].as_array().into_iter().flatten() {
                        if let Some(items) = client[list].as_array_mut() {
                            items.push(json!({ "id": added, value: new[value] }));
                        }
                    }
                }
                name(client);
                client["updatedAt"] = now.into();
                self.happened.push(("CLIENT_UPDATE", id.clone()));
                Ok(json!({ "client": self.shown_client(&id) }))
            }
            "propertyCreate" => {
                let client = text(&v["clientId"]);
                if !self.clients.contains_key(&client) {
                    return Err("there is no such client".to_owned());
                }
                let address = input["properties"][0]["address"].clone();
                if address["street1"].is_null() {
                    return Err("an address needs a street".to_owned());
                }
                let id = self.property(&client, &address);
                Ok(json!({ "properties": [self.properties[&id]] }))
            }
            "job" => Ok(self.shown_job(&text(&v["id"]))),
            "jobs" => {
                let since = v["filter"]["updatedAt"]["after"].as_str().and_then(|since| since.parse::<Timestamp>().ok());
                let size = usize::try_from(v["first"].as_u64().unwrap_or(20)).unwrap_or(20);
                let at = |job: &Value| job["updatedAt"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
                let mut ids: Vec<&String> =
                    self.jobs.keys().filter(|id| since.is_none_or(|since| at(&self.jobs[*id]) > Some(since))).collect();
                ids.sort_by_key(|id| self.jobs[*id]["jobNumber"].as_u64());
                let start = v["after"].as_str().map_or(0, |after| ids.iter().position(|id| *id == after).map_or(0, |at| at + 1));
                let page: Vec<&&String> = ids.iter().skip(start).take(size).collect();
                let more = start + page.len() < ids.len();
                Ok(json!({
                    "nodes": page.iter().map(|id| self.shown_job(id)).collect::<Vec<_>>(),
                    "pageInfo": { "hasNextPage": more, "endCursor": page.last() },
                }))
            }
            "jobCreate" => {
                if input["invoicing"]["invoicingType"].is_null() || input["invoicing"]["invoicingSchedule"].is_null() {
                    return Err("invoicing is missing".to_owned());
                }
                let property = text(&input["propertyId"]);
                if !self.properties.contains_key(&property) {
                    return Err("there is no such property".to_owned());
                }
                Ok(json!({ "job": self.job(&property, input) }))
            }
            "jobEdit" | "jobClose" => {
                let id = text(&v["jobId"]);
                if !self.jobs.contains_key(&id) {
                    return Err("there is no such job".to_owned());
                }
                if field == "jobClose" {
                    let completed = match input["modifyIncompleteVisitsBy"].as_str() {
                        Some("DESTROY_ALL") => false,
                        Some("COMPLETE_PAST_DESTROY_FUTURE") => true,
                        _ => return Err("modifyIncompleteVisitsBy is missing".to_owned()),
                    };
                    self.close(&id, completed);
                } else {
                    for name in ["title", "instructions"] {
                        if !input[name].is_null() {
                            self.jobs.get_mut(&id).expect("it is there")[name] = input[name].clone();
                        }
                    }
                    self.touch(&id);
                }
                Ok(json!({ "job": self.shown_job(&id) }))
            }
            "jobCreateNote" => {
                let job = text(&v["jobId"]);
                if !self.jobs.contains_key(&job) {
                    return Err("there is no such job".to_owned());
                }
                let id = self.id("JobNote");
                let note = json!({ "id": id, "job": job, "message": input["message"] });
                self.notes.insert(id, note.clone());
                Ok(json!({ "jobNote": note }))
            }
            "jobDeleteNote" => {
                let note = self.notes.remove(&text(&input["noteId"])).ok_or("there is no such note")?;
                Ok(json!({ "deletedNote": note }))
            }
            "visit" => Ok(self.shown_visit(&text(&v["id"]))),
            "visitCreate" => {
                let job = text(&v["jobId"]);
                if !self.jobs.contains_key(&job) {
                    return Err("there is no such job".to_owned());
                }
                let mut made = Vec::new();
                for visit in input["visits"].as_array().into_iter().flatten() {
                    let schedule = &visit["schedule"];
                    let users = schedule["teamMemberIdsToAssign"].clone();
                    known(&users)?;
                    made.push(self.visit(&job, &visit["title"], local(&schedule["startAt"])?, local(&schedule["endAt"])?, users));
                }
                Ok(json!({ "createdVisits": made.iter().map(|id| self.shown_visit(id)).collect::<Vec<_>>() }))
            }
            "visitEditSchedule" | "visitEditAssignedUsers" => {
                let id = text(if field == "visitEditSchedule" { &v["id"] } else { &v["visitId"] });
                let visit = self.visits.get_mut(&id).ok_or("there is no such visit")?;
                if field == "visitEditSchedule" {
                    visit["startAt"] = local(&input["startAt"])?;
                    visit["endAt"] = local(&input["endAt"])?;
                } else {
                    known(&input["assignedUserIds"])?;
                    visit["users"] = input["assignedUserIds"].clone();
                }
                let job = text(&visit["job"]);
                self.happened.push(("VISIT_UPDATE", id.clone()));
                self.touch(&job);
                Ok(json!({ "visit": self.shown_visit(&id) }))
            }
            "tasks" => Ok(json!({ "nodes": self.tasks.values().collect::<Vec<_>>() })),
            "taskCreate" | "taskEdit" => {
                known(&input["assignedTo"])?;
                let id = if field == "taskCreate" { self.id("Task") } else { text(&v["taskId"]) };
                if field == "taskEdit" && !self.tasks.contains_key(&id) {
                    return Err("there is no such task".to_owned());
                }
                let mut task = input.clone();
                task["id"] = id.as_str().into();
                self.tasks.insert(id, task.clone());
                Ok(json!({ "task": task }))
            }
            "taskDelete" => {
                for id in v["taskIds"].as_array().into_iter().flatten() {
                    self.tasks.remove(&text(id));
                }
                Ok(json!({}))
            }
            _ => Err(format!("no such field {field}")),
        }
    }
}

fn user(id: &Value) -> Option<&'static str> {
    USERS.iter().find(|(known, _)| id == *known).map(|(_, name)| *name)
}

fn known(users: &Value) -> Result<(), String> {
    match users.as_array().into_iter().flatten().find(|id| user(id).is_none()) {
        Some(nobody) => Err(format!("{nobody} is no user")),
        None => Ok(()),
    }
}

/// The moment of a date and time in a zone; of UTC, which is all that is known here.
fn local(at: &Value) -> Result<Value, String> {
    match (at["date"].as_str(), at["time"].as_str(), at["timezone"].as_str()) {
        (Some(date), Some(time), Some("Etc/UTC" | "UTC")) => Ok(format!("{date}T{time}Z").into()),
        _ => Err(format!("{at} is no date and time with its zone")),
    }
}

fn name(client: &mut Value) {
    let person = [client["firstName"].as_str(), client["lastName"].as_str()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    client["name"] = if person.is_empty() { client["companyName"].clone() } else { person.into() };
}

impl Jobber {
    /// With one client.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> Jobber {
        Jobber { inner: Mutex::new(Inner::new()), hooks: Hooks::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, inner: &mut Inner) {
        for (topic, id) in inner.happened.split_off(0) {
            self.hooks.send(move |target, _| message(topic, &id, target));
        }
    }
}

fn message(topic: &str, id: &str, target: &Target) -> Delivery {
    let now = Timestamp::now();
    let event = json!({ "topic": topic, "appId": "3ef22a50", "accountId": ACCOUNT_ID, "itemId": id, "occurredAt": format!("{now:.3}") });
    let body = json!({ "data": { "webHookEvent": event } }).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, body.as_bytes()));
    Delivery {
        headers: vec![("content-type", "application/json".to_owned()), ("x-jobber-hmac-sha256", signature)],
        body: body.into_bytes(),
    }
}

impl System for Jobber {
    fn name(&self) -> &'static str {
        "jobber"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new().route("/api/graphql", post(graphql)).fallback(async || StatusCode::NOT_FOUND).with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        let list = |records: &BTreeMap<String, Value>| json!(records.values().collect::<Vec<_>>());
        json!({
            "clients": list(&inner.clients), "properties": list(&inner.properties), "visits": list(&inner.visits), "notes": list(&inner.notes), "tasks": list(&inner.tasks),
            "jobs": inner.jobs.keys().map(|id| inner.shown_job(id)).collect::<Vec<_>>(), "webhooks": self.hooks.state(),
        })
    }

    fn reset(&self) {
        self.hooks.reset();
        *self.lock() = Inner::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut inner = self.lock();
        match setting {
            "edit" if value["client"].is_string() => {
                inner.operate("clientEdit", &json!({ "clientId": value["client"], "input": value["fields"] }))?;
            }
            "edit" => {
                let id = match value["job"].as_str() {
                    Some(id) => id.to_owned(),
                    None => {
                        let property = inner.properties.keys().next().cloned().ok_or("there is no property")?;
                        inner.job(&property, &value["fields"])["id"].as_str().unwrap_or_default().to_owned()
                    }
                };
                let fields = value["fields"].as_object().cloned().unwrap_or_default();
                let job = inner.jobs.get_mut(&id).ok_or("there is no such job")?;
                for (name, field) in &fields {
                    job[name] = field.clone();
                }
                inner.touch(&id);
                if let Some(start) = fields.get("startAt") {
                    let title = inner.jobs[&id]["title"].clone();
                    inner.visit(&id, &title, start.clone(), start.clone(), json!([USERS[0].0]));
                }
            }
            "complete" => {
                let id = value.as_str().ok_or("`complete` takes the id of a job")?;
                let now = inner.now();
                for visit in inner.visits.values_mut().filter(|visit| visit["job"] == id) {
                    visit["isComplete"] = true.into();
                    visit["completedAt"] = now.as_str().into();
                }
                inner.close(id, true);
            }
            "forget" => {
                let id = value.as_str().ok_or("`forget` takes the id of a job")?;
                inner.jobs.remove(id);
                inner.visits.retain(|_, visit| visit["job"] != id);
            }
            "points" => {
                let number = |name: &str| value[name].as_f64().ok_or_else(|| "`points` takes {\"available\", \"restore\"}".to_owned());
                (inner.available, inner.restore) = (number("available")?, number("restore")?);
            }
            "webhook" => self.hooks.set(value)?,
            _ => return Err(format!("jobber has no setting `{setting}`; it has edit, complete, forget, points, webhook")),
        }
        self.tell(&mut inner);
        Ok(())
    }
}

async fn graphql(State(jobber): State<Arc<Jobber>>, headers: HeaderMap, body: Bytes) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
    if token != Some(TOKEN) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_request", "message": "Access token expired" }))).into_response();
    }
    let version = headers.get("x-jobber-graphql-version").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !VERSIONS.contains(&version) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "message": format!("The API version {version:?} is not served") }))).into_response();
    }
    let Ok(call) = serde_json::from_slice::<Value>(&body) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "message": "the body is no JSON" }))).into_response();
    };
    let mut inner = jobber.lock();
    let available = inner.available;
    let cost = json!({ "requestedQueryCost": COST, "throttleStatus": { "maximumAvailable": 10_000, "currentlyAvailable": available, "restoreRate": inner.restore } });
    if available < COST {
        inner.available += inner.restore;
        let error = json!({ "message": "Throttled", "extensions": { "code": "THROTTLED" } });
        return Json(json!({ "errors": [error], "extensions": { "cost": cost } })).into_response();
    }
    inner.available -= COST;
    // `mutation Name($a: B!) { field(…) { … } }`: the first word of the selection.
    let query = call["query"].as_str().unwrap_or_default();
    let selection = query.split_once('{').map_or("", |(_, selection)| selection);
    let field: String = selection.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
    let mutation = query.trim_start().starts_with("mutation");
    let answer = inner.operate(&field, &call["variables"]);
    jobber.tell(&mut inner);
    let data = match answer {
        Ok(mut payload) => {
            if mutation {
                payload["userErrors"] = json!([]);
            }
            json!({ field: payload })
        }
        Err(reason) if mutation => json!({ field: { "userErrors": [{ "message": reason, "path": ["input"] }] } }),
        Err(reason) => {
            let error = json!({ "message": reason, "extensions": { "code": "undefinedField" } });
            return Json(json!({ "errors": [error] })).into_response();
        }
    };
    Json(json!({ "data": data, "extensions": { "cost": cost } })).into_response()
}
