//! A person's data: found, exported, erased. Whose it is comes in bodies, never in addresses, which proxies log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use super::access_form::{ErasureForm, ErasureList};
use super::document::whole_document;
use super::events::time;
use super::order::Order;
use crate::audit::{Act, Action, By};
use crate::personal::Mask;
use crate::runtime::{Member, Runtime, Search, Step, Wanted};
use crate::store::StoreError;
use crate::telemetry;

/// How often a search says how far it has come.
const PROGRESS: Duration = Duration::from_secs(2);
/// Stands for the personal data of others in somebody's export.
const OTHERS: Mask = Mask::Text("[redacted]");

/// Body of the requests.
#[derive(Debug, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DataOrder")]
pub(super) struct Asked {
    /// What the person is known by: an address, a number, a name.
    #[serde(default)]
    subjects: Vec<String>,
    /// Where in events' data to look, such as `customer.email`; without it in all fields that are marked.
    field: Option<String>,
    /// In events of this type alone.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Received at this time or later.
    since: Option<String>,
    /// Received before this time.
    until: Option<String>,
    /// Erasing: the whole events rather than the person's values in them.
    #[serde(default)]
    whole: bool,
    /// Erasing: runs that have not ended are cancelled rather than waited for.
    #[serde(default)]
    cancel: bool,
}

impl Asked {
    fn wanted(self) -> Result<Wanted, Problem> {
        let at = |name: &str, text: &Option<String>| text.as_deref().map(|text| time(name, text)).transpose();
        let (since, until) = (at("since", &self.since)?, at("until", &self.until)?);
        let Asked { subjects, field, event_type, whole, cancel, .. } = self;
        let wanted = Wanted { subjects, field, event_type, since, until, eid: None, whole, cancel };
        wanted.sought().map_err(Problem::bad_request)?;
        Ok(wanted)
    }

    fn search(self) -> Result<Search, Problem> {
        if self.whole || self.cancel {
            return Err(Problem::bad_request("\"whole\" and \"cancel\" are about erasing"));
        }
        let wanted = self.wanted()?;
        let sought = wanted.sought().map_err(Problem::bad_request)?;
        Ok(Search::new(sought, wanted.event_type, wanted.since, wanted.until))
    }
}

pub(super) async fn find(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Order(asked): Order<Asked>,
) -> Result<Response, Problem> {
    let act = by.did(Action::DataFound, subjects(&runtime, &asked.subjects));
    let search = asked.search()?;
    runtime.store.audit(act, runtime.clock.now()).await?;
    Ok(lines(runtime, search, Form::Places))
}

pub(super) async fn export(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Order(asked): Order<Asked>,
) -> Result<Response, Problem> {
    let act = by.did(Action::DataExported, subjects(&runtime, &asked.subjects));
    let search = asked.search()?;
    runtime.store.audit(act, runtime.clock.now()).await?;
    Ok(lines(runtime, search, Form::Documents))
}

pub(super) async fn erase(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Order(wish): Order<Asked>,
) -> Result<Response, Problem> {
    let wanted = wish.wanted()?;
    let act = by.did(Action::DataErased, subjects(&runtime, &wanted.subjects));
    asked(&runtime, &wanted, act).await
}

/// Who is meant, for the audit log: a digest, the same that the erasure shows. The log outlives what is erased.
fn subjects(runtime: &Runtime, subjects: &[String]) -> String {
    runtime.vault.digest(&subjects.join("\n"))
}

/// Body of `POST /v1/events/{eid}/erase`.
#[derive(Debug, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EraseEventOrder")]
pub(super) struct OfEvent {
    /// Runs that have not ended are cancelled rather than waited for.
    #[serde(default)]
    cancel: bool,
}

pub(super) async fn erase_event(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(eid): Path<String>,
    Order(OfEvent { cancel }): Order<OfEvent>,
) -> Result<Response, Problem> {
    if runtime.store.event(&eid).await?.is_none() {
        return Err(Problem::not_found(format!("there is no event {eid}")));
    }
    let act = by.did(Action::DataErased, eid.as_str());
    asked(&runtime, &Wanted { eid: Some(eid), whole: true, cancel, ..Wanted::default() }, act).await
}

/// An erasure that was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ErasureBegun")]
pub(super) struct Begun {
    /// Its id.
    erasure: String,
}

async fn asked(runtime: &Runtime, wanted: &Wanted, act: Act) -> Result<Response, Problem> {
    // On record before it begins: what is erased can't be looked up afterwards.
    runtime.store.audit(act, runtime.clock.now()).await?;
    let id = runtime.ask_erasure(wanted).await?;
    let location = format!("/v1/data/erasures/{id}");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(Begun { erasure: id })).into_response())
}

pub(super) async fn erasures(State(runtime): State<Arc<Runtime>>) -> Result<Json<ErasureList>, Problem> {
    Ok(Json(ErasureList { erasures: runtime.store.erasures().await?.into_iter().map(ErasureForm::from).collect() }))
}

pub(super) async fn erasure(State(runtime): State<Arc<Runtime>>, Path(id): Path<String>) -> Result<Json<ErasureForm>, Problem> {
    let erasure = runtime.store.erasure(&id).await?.ok_or_else(|| Problem::not_found(format!("there is no erasure {id}")))?;
    let mut shown = ErasureForm::from(erasure);
    shown.waits_for = Some(runtime.store.erasure_waits(&id).await?);
    Ok(Json(shown))
}

/// What is said of what is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Places,
    Documents,
}

/// A search on its way to whoever asked.
struct Lines {
    runtime: Arc<Runtime>,
    search: Search,
    form: Form,
    said: Instant,
    records: u64,
    scanned: u64,
    over: bool,
}

/// Lines of JSON, made while they are read. The last one is of kind `end`: an answer without it is not whole.
fn lines(runtime: Arc<Runtime>, search: Search, form: Form) -> Response {
    let lines = Lines { runtime, search, form, said: Instant::now(), records: 0, scanned: 0, over: false };
    let stream = futures::stream::unfold(lines, |mut lines| async move {
        let chunk = lines.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), lines))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

impl Lines {
    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            let mut text = String::new();
            match self.window(&mut text).await {
                Ok(true) => {}
                Ok(false) => {
                    self.over = true;
                    line(&mut text, &json!({ "kind": "end", "scanned": self.scanned, "records": self.records }));
                }
                Err(error) => {
                    self.over = true;
                    tracing::error!(error = telemetry::chain(&error), "the store did not answer a search for somebody's data");
                    line(&mut text, &json!({ "kind": "error", "detail": "the store can't be asked now; what was said so far is not all" }));
                }
            }
            if !text.is_empty() {
                return Some(text.into());
            }
        }
        None
    }

    async fn window(&mut self, text: &mut String) -> Result<bool, StoreError> {
        let Some(steps) = self.search.next(&self.runtime).await? else { return Ok(false) };
        for step in steps {
            match step {
                Step::Event(member) => {
                    self.records += 1;
                    let record = match self.form {
                        Form::Places => Some(found(&member)),
                        Form::Documents => self.exported(&member).await?,
                    };
                    record.iter().for_each(|record| line(text, record));
                }
                Step::Key(row) => {
                    self.records += 1;
                    let mut record = json!({ "kind": "key-value", "plugin": row.plugin, "key": row.key });
                    if self.form == Form::Documents {
                        record["value"] = body(&row.value);
                    }
                    line(text, &record);
                }
                Step::Identity(identity) => {
                    self.records += 1;
                    let until = identity.until.to_string();
                    line(
                        text,
                        &json!({ "kind": "identity", "source": identity.source, "id": identity.id, "eid": identity.eid, "until": until }),
                    );
                }
                Step::SetAside(row) => {
                    self.records += 1;
                    let mut record = json!({
                        "kind": "set-aside",
                        "source": row.source,
                        "id": row.id,
                        "times": row.times,
                        "first_at": row.first_at.to_string(),
                        "last_at": row.last_at.to_string(),
                    });
                    if self.form == Form::Documents {
                        record["reason"] = json!(row.reason);
                        record["data"] = body(&row.data);
                        record["context"] = row.context.as_deref().map_or(Value::Null, |context| body(context.as_bytes()));
                    }
                    line(text, &record);
                }
                Step::Progress(scanned, up_to) => {
                    self.scanned = scanned;
                    if self.said.elapsed() >= PROGRESS {
                        self.said = Instant::now();
                        line(text, &progress(scanned, up_to));
                    }
                }
            }
        }
        Ok(true)
    }

    /// An event whole, with what of it is others' hidden; `None`: it is gone by now.
    async fn exported(&self, member: &Member) -> Result<Option<Value>, StoreError> {
        let Some((group, rules)) = self.runtime.group(&member.eid).await? else { return Ok(None) };
        let others = group.personal(&rules).without(&member.hit.values);
        let document = match whole_document(&self.runtime, &group.event, &group.runs).await {
            Ok(document) => {
                let mut document = json!(document);
                others.mask_event(&mut document["event"], OTHERS);
                others.mask(&mut document["status_reason"], OTHERS);
                others.mask_document(&mut document["runs"], OTHERS);
                document
            }
            Err(problem) => return Err(StoreError::Unavailable(problem.detail().to_owned())),
        };
        let journal = group.effects.iter().map(|effect| {
            let headers = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
            let mut entry = json!({
                "run": effect.run,
                "step": effect.id.step,
                "name": effect.name,
                "key": effect.key,
                "method": effect.method,
                "url": effect.url,
                "state": effect.state.as_str(),
                "request": { "headers": headers(Some(&effect.request_headers)), "body": effect.request_body.as_deref().map(body) },
                "response": {
                    "status": effect.status,
                    "headers": headers(effect.response_headers.as_ref()),
                    "body": effect.response_body.as_deref().map(body),
                },
            });
            others.mask_document(&mut entry, OTHERS);
            entry
        });
        let journal: Vec<Value> = journal.collect();
        let reads = group.reads.iter().map(|read| {
            let headers = serde_json::from_str::<Value>(&read.read.headers).unwrap_or_default();
            let (step, url, answer) = (&read.step, &read.read.url, &read.read);
            let mut entry =
                json!({ "step": step, "method": answer.method, "url": url, "status": answer.status, "headers": headers, "body": body(&answer.body) });
            others.mask_document(&mut entry, OTHERS);
            entry
        });
        let reads: Vec<Value> = reads.collect();
        let mut record = found(member);
        record["document"] = document;
        record["journal"] = Value::Array(journal);
        record["reads"] = Value::Array(reads);
        Ok(Some(record))
    }
}

fn found(member: &Member) -> Value {
    json!({
        "kind": "event",
        "eid": member.eid,
        "type": member.event_type,
        "source": member.source,
        "received_at": member.received_at.to_string(),
        "how": member.how.as_str(),
        "over": member.over,
        "places": member.places.named,
        "count": member.places.count,
    })
}

fn progress(scanned: u64, up_to: Option<Timestamp>) -> Value {
    json!({ "kind": "progress", "scanned": scanned, "up_to": up_to.map(|time| time.to_string()) })
}

fn line(text: &mut String, record: &Value) {
    text.push_str(&record.to_string());
    text.push('\n');
}

/// Bytes as JSON, as text, or, where they are neither, in base64.
fn body(bytes: &[u8]) -> Value {
    let text = || std::str::from_utf8(bytes).ok().map(Value::from);
    serde_json::from_slice(bytes).ok().or_else(text).unwrap_or_else(|| json!({ "base64": BASE64.encode(bytes) }))
}
