//! How a system is spoken to. Everything has the value of the plain shape: `/v1/jobs`, `/v1/technicians/{technician_id}/absences/{external_id}` and so on.

use std::collections::BTreeMap;

use sangam_sdk::{prelude::*, serde_json::Map};

use crate::job::Status;

/// Field-service software.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Where the system is, such as `https://field.acme.example`; paths are put behind it.
    pub base_url: String,
    /// Headers of every request. Not for secrets: those are attached by the host as a credential.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Jobs.
    #[serde(default)]
    pub jobs: Jobs,
    /// Notes of a job.
    #[serde(default)]
    pub notes: Notes,
    /// Absences of a technician.
    #[serde(default)]
    pub absences: Absences,
    /// Customers.
    #[serde(default)]
    pub customers: Customers,
    /// Their technicians by our employees, such as `{ "emp-1" = "t-17" }`; who is not listed has the same id in both.
    #[serde(default)]
    pub technicians: BTreeMap<String, String>,
    /// What the system's webhook tells.
    #[serde(default)]
    pub hook: Hook,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Put,
    Post,
    Patch,
}

/// Jobs. Names of fields may have dots, which go into objects: ours as in the events (`customer.name`), theirs as their system has it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Jobs {
    /// Path to create a job and to list jobs, with a query that is always the same, if there is one.
    pub path: String,
    /// Path of one job, with `{job_id}`: to read it, and to change it.
    pub record_path: String,
    /// How a job is changed.
    pub update_method: Method,
    /// Field of a request's or an answer's body that holds the job; empty where the body is it.
    pub wrapper: String,
    /// Their names by ours. What is not listed is neither sent nor read.
    pub fields: BTreeMap<String, String>,
    /// Lists of a job: their place by our name (`labour`, `parts`, `expenses`), and the names in each item.
    pub lists: BTreeMap<String, Items>,
    /// Fields of a new job that are always the same.
    pub constants: Map<String, Value>,
    /// Our statuses by theirs. Those that are not listed must be ours.
    pub statuses: BTreeMap<String, Status>,
    /// How a job is found by our id of it. It is looked for before one is created.
    pub lookup: Option<Lookup>,
    /// How jobs are listed.
    pub list: List,
}

/// A list within a record.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Items {
    /// Where it is.
    pub path: String,
    /// Their names by ours; all fields as they are where none are given.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

/// How a record is found by our id of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lookup {
    /// Such as `/jobs?ref={external_id}`; for customers also with `{email}`.
    pub path: String,
    /// Field of the answer that holds the list; empty where the answer is the list.
    #[serde(default = "items")]
    pub list: String,
}

/// How changed records are listed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct List {
    /// Name of the query parameter that asks for records changed since a moment (that moment included).
    pub since: String,
    /// Name of the query parameter that asks for the next page.
    pub cursor: String,
    /// Name of the query parameter for the size of a page; empty where there is none.
    pub limit: String,
    /// Field of the answer that holds the list; empty where the answer is the list.
    pub list: String,
    /// Field of the answer that holds the cursor of the next page, null or absent on the last.
    pub next: String,
}

/// Notes of a job, which the technician sees.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Notes {
    /// Path with `{job_id}`: to add a note, and to list notes.
    pub path: String,
    /// Field of a note that holds its text.
    pub text: String,
    /// Fields that are always the same.
    pub constants: Map<String, Value>,
    /// Field of the answer to the list that holds it; empty where the answer is the list. The notes are looked through before one is written again.
    pub list: String,
    /// Path to delete a note, with `{job_id}` and `{note_id}`; empty where the system has none.
    pub delete_path: String,
}

/// Absences. What can be sent: `technician_id`, `external_id`, `start` and `end` (days, both included), `after` (the day after the last), `start_time` and `end_time`
/// (`2026-11-23T00:00:00` to `2026-11-27T23:59:59`, without an offset), `reason`, `half_day`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Absences {
    /// `PUT` where the path names the absence, so that repeating it changes nothing; else `POST`, together with `lookup`.
    pub method: Method,
    /// Path of the write, with `{technician_id}` and `{external_id}`; empty where the system knows no absences.
    pub path: String,
    /// Their names by ours.
    pub fields: BTreeMap<String, String>,
    /// Fields that are always the same.
    pub constants: Map<String, Value>,
    /// How an absence is found by our id of it.
    pub lookup: Option<Lookup>,
    /// Path to delete one, which may also hold `{absence_id}`.
    pub delete_path: String,
}

/// Customers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Customers {
    /// Path to create one.
    pub path: String,
    /// Path of one, with `{customer_id}`.
    pub record_path: String,
    /// How one is changed.
    pub update_method: Method,
    /// Their names by ours: `external_id`, `name`, `first_name`, `last_name`, `company`, `email`, `phone`, `mobile_phone`, `address.street` and so on.
    pub fields: BTreeMap<String, String>,
    /// How one is found by our id of it, or by its address: a path with `{external_id}` or `{email}`.
    pub lookup: Option<Lookup>,
}

/// What a webhook tells: the jobs themselves, or ids to read them by.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Hook {
    /// Field of the body that holds the job, or the list of jobs; empty where the body is that.
    pub list: String,
    /// Whether the job is read as it is now, rather than taken from the webhook: right wherever webhooks may come out of order, or tell only an id.
    pub read: bool,
    /// Field of what is in the body that holds the job's id; needed to read it.
    pub id: String,
    /// Field of the body that says what happened; empty where all webhooks are about jobs that are there.
    pub kind: String,
    /// What happens to jobs, with `*` at the end for anything: other webhooks are passed over. None: all.
    pub kinds: Vec<String>,
    /// What says that a job is gone.
    pub deleted: Vec<String>,
}

fn items() -> String {
    "items".to_owned()
}

fn same<const N: usize>(names: [&str; N]) -> BTreeMap<String, String> {
    names.map(|name| (name.to_owned(), name.to_owned())).into()
}

impl Default for Jobs {
    fn default() -> Self {
        let mut fields = same([
            "number",
            "status",
            "title",
            "description",
            "date",
            "scheduled_start",
            "scheduled_end",
            "started_at",
            "completed_at",
            "technician.id",
            "technician.name",
            "technician.email",
            "customer.id",
            "customer.name",
            "customer.email",
            "customer.phone",
            "address",
            "case_id",
            "ticket_id",
            "external_id",
            "priority",
            "notes",
            "worked_minutes",
            "total",
            "currency",
            "reason",
            "updated_at",
        ]);
        fields.insert("job_id".to_owned(), "id".to_owned());
        let items = |name: &str| (name.to_owned(), Items { path: name.to_owned(), fields: BTreeMap::new() });
        Self {
            path: "/v1/jobs".to_owned(),
            record_path: "/v1/jobs/{job_id}".to_owned(),
            update_method: Method::Patch,
            wrapper: String::new(),
            fields,
            lists: [items("labour"), items("parts"), items("expenses")].into(),
            constants: Map::new(),
            statuses: BTreeMap::new(),
            lookup: Some(Lookup { path: "/v1/jobs?external_id={external_id}".to_owned(), list: self::items() }),
            list: List::default(),
        }
    }
}

impl Default for List {
    fn default() -> Self {
        Self {
            since: "updated_since".to_owned(),
            cursor: "cursor".to_owned(),
            limit: "limit".to_owned(),
            list: items(),
            next: "next_cursor".to_owned(),
        }
    }
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            path: "/v1/jobs/{job_id}/notes".to_owned(),
            text: "text".to_owned(),
            constants: Map::new(),
            list: items(),
            delete_path: "/v1/jobs/{job_id}/notes/{note_id}".to_owned(),
        }
    }
}

impl Default for Absences {
    fn default() -> Self {
        Self {
            method: Method::Put,
            path: "/v1/technicians/{technician_id}/absences/{external_id}".to_owned(),
            fields: same(["start", "end", "reason", "half_day"]),
            constants: Map::new(),
            lookup: None,
            delete_path: "/v1/technicians/{technician_id}/absences/{external_id}".to_owned(),
        }
    }
}

impl Default for Customers {
    fn default() -> Self {
        Self {
            path: "/v1/customers".to_owned(),
            record_path: "/v1/customers/{customer_id}".to_owned(),
            update_method: Method::Patch,
            fields: same(["external_id", "name", "first_name", "last_name", "company", "email", "phone", "mobile_phone", "address"]),
            lookup: Some(Lookup { path: "/v1/customers?external_id={external_id}".to_owned(), list: items() }),
        }
    }
}

impl Default for Hook {
    fn default() -> Self {
        Self {
            list: "data".to_owned(),
            read: true,
            id: "id".to_owned(),
            kind: "type".to_owned(),
            kinds: vec!["job.*".to_owned()],
            deleted: vec!["job.deleted".to_owned()],
        }
    }
}
