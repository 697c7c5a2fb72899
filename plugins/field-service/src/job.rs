//! A job, in our words and in theirs.

use sangam_sdk::{
    path::{at, fill, put},
    prelude::*,
    serde_json::Map,
};

use crate::{
    client::{list, read},
    config::{Config, Jobs},
    shape::{ours, text, theirs},
};

/// Name of an object in key-value.
pub const OBJECT: &str = "job";

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not planned yet.
    Open,
    /// Planned.
    Scheduled,
    /// Somebody is at it, or on the way.
    Started,
    /// Done.
    Completed,
    /// Not to be done.
    Cancelled,
}

impl Status {
    /// In our events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Scheduled => "scheduled",
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Our status of theirs.
    pub fn of(theirs: &str, jobs: &Jobs) -> Result<Self, String> {
        if let Some(status) = jobs.statuses.get(theirs) {
            return Ok(*status);
        }
        serde_json::from_value(theirs.into()).map_err(|_| format!("the status `{theirs}` is not known: see configuration.jobs.statuses"))
    }

    /// Their status of ours: the first one of the configuration, else the same.
    pub fn theirs(self, jobs: &Jobs) -> String {
        let found = jobs.statuses.iter().find(|(_, ours)| **ours == self);
        found.map_or_else(|| self.name().to_owned(), |(theirs, _)| theirs.clone())
    }
}

/// An address.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A job for their system: in their names, with their technician and their status.
pub fn outgoing(mut job: Value, config: &Config) -> Value {
    if let Some(technician) = job["technician"]["id"].as_str().and_then(|ours| config.technicians.get(ours)) {
        job["technician"]["id"] = technician.as_str().into();
    }
    let status = job.get("status").cloned().and_then(|status| serde_json::from_value::<Status>(status).ok());
    if let Some(status) = status {
        job["status"] = status.theirs(&config.jobs).into();
    }
    Value::Object(theirs(&job, &config.jobs.fields))
}

/// Puts a job where a body has it.
pub fn wrapped(job: Map<String, Value>, jobs: &Jobs) -> Value {
    if jobs.wrapper.is_empty() {
        return Value::Object(job);
    }
    let mut body = Map::new();
    put(&mut body, &jobs.wrapper, Value::Object(job));
    Value::Object(body)
}

/// A job of theirs in our words, or what is wrong with it. Ids are text, the technician is our employee, the status ours.
pub fn incoming(record: &Value, config: &Config) -> Result<Map<String, Value>, String> {
    let jobs = &config.jobs;
    let mut job = ours(record, &jobs.fields);
    for (name, items) in &jobs.lists {
        let Value::Array(list) = at(record, &items.path) else { continue };
        let item = |item: &Value| if items.fields.is_empty() { item.clone() } else { Value::Object(ours(item, &items.fields)) };
        job.insert(name.clone(), list.iter().map(item).collect());
    }
    let id = job.get("job_id").and_then(text).ok_or_else(|| format!("`{}` is missing", name_of("job_id", jobs)))?;
    job.insert("job_id".to_owned(), id.into());
    for (object, field) in [("technician", "id"), ("customer", "id")] {
        if let Some(value) = job.get_mut(object).and_then(|object| object.get_mut(field))
            && let Some(id) = text(value)
        {
            let ours = config.technicians.iter().find(|(_, theirs)| object == "technician" && **theirs == id);
            *value = ours.map_or(id, |(ours, _)| ours.clone()).into();
        }
    }
    for field in ["number", "case_id", "ticket_id", "external_id"] {
        if let Some(value) = job.get_mut(field)
            && let Some(id) = text(value)
        {
            *value = id.into();
        }
    }
    let status = job.get("status").and_then(text).ok_or_else(|| format!("`{}` is missing", name_of("status", jobs)))?;
    job.insert("status".to_owned(), Status::of(&status, jobs)?.name().into());
    if !job.contains_key("date") {
        let moment = ["completed_at", "started_at", "scheduled_start"].into_iter().find_map(|field| job.get(field)?.as_str()?.get(..10));
        if let Some(date) = moment.map(str::to_owned) {
            job.insert("date".to_owned(), date.into());
        }
    }
    Ok(job)
}

/// Their name of a field.
fn name_of<'a>(ours: &'a str, jobs: &'a Jobs) -> &'a str {
    jobs.fields.get(ours).map_or(ours, String::as_str)
}

/// Reads a job.
pub fn by_id(config: &Config, job_id: &str) -> Result<Value, Failure> {
    let answer = read(config, &fill(&config.jobs.record_path, &[("job_id", job_id)])?)?;
    Ok(at(&answer, &config.jobs.wrapper).clone())
}

/// The system's job with our id, where there is one and the system can be asked.
pub fn by_external_id(config: &Config, external_id: &str) -> Result<Option<Value>, Failure> {
    let Some(lookup) = &config.jobs.lookup else {
        return Ok(None);
    };
    let found = list(config, &fill(&lookup.path, &[("external_id", external_id)])?, &lookup.list)?;
    // Some systems pass over a filter that they don't know, and answer with all jobs.
    let external = name_of("external_id", &config.jobs);
    let ours = |record: &Value| text(at(record, external)).is_none_or(|id| id == external_id);
    Ok(found.into_iter().find(ours))
}

/// The system's id of a job that is named by it or by ours.
pub fn named(config: &Config, job_id: Option<String>, external_id: Option<String>) -> Result<String, Failure> {
    match (job_id, external_id) {
        (Some(id), _) => Ok(id),
        (None, Some(external_id)) => {
            let found = by_external_id(config, &external_id)?;
            let id = found.as_ref().and_then(|record| text(at(record, name_of("job_id", &config.jobs))));
            id.ok_or_else(|| Failure::rejected(format!("The system has no job with the external id {external_id}")))
        }
        (None, None) => Err(Failure::rejected("Give `job_id` or `external_id`")),
    }
}

/// Remembers fields of a job, in our words, as an action has just written them.
pub fn wrote(job_id: &str, job: &Value) -> Result<(), Failure> {
    let news = crate::look::news(job);
    echo::wrote(OBJECT, job_id, news.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (*name, value)))
}
