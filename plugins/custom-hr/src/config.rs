//! How a system is spoken to. Everything has the value of the plain shape: `PUT /v1/time-entries/{external_id}` and
//! `GET /v1/leaves`.

use std::collections::BTreeMap;

use sangam_sdk::{prelude::*, serde_json::Map};

use crate::{entry::Field, leave::Status, overtime::Overtime};

/// An HR system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Where the system is, such as `https://hr.acme.example`; paths are put behind it.
    pub base_url: String,
    /// Headers of every request. Not for secrets: those are attached by the host as a credential.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What counts as overtime; without rules nothing does.
    #[serde(default)]
    pub overtime: Overtime,
    /// How hours are written.
    #[serde(default)]
    pub entries: Entries,
    /// How leave is read.
    #[serde(default)]
    pub leaves: Leaves,
}

/// How hours are written. Paths may hold `{external_id}`, `{employee_ref}` and `{date}`, in segments or in the query.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Entries {
    /// `PUT` where the path names the entry, so that repeating it changes nothing; else `POST`, together with `lookup`.
    pub method: Method,
    /// Path of the write.
    pub path: String,
    /// Our names and theirs: what is not listed is not sent. A dot goes into an object: `employee.id`. Minutes that have no
    /// field count as the next lower kind: doubletime as overtime, overtime as regular.
    pub fields: BTreeMap<Field, String>,
    /// Fields that are always the same.
    pub constants: Map<String, Value>,
    /// Decimals of hours, for systems that want hours rather than minutes.
    #[schemars(range(max = 6))]
    pub hours_decimals: u8,
    /// Field of the answer that holds the system's id of the entry; without such a field it is the external id.
    pub id: String,
    /// How an entry is found again, where writing twice makes two. It is looked for before every write.
    pub lookup: Option<Lookup>,
    /// Path to delete an entry, which may also hold `{entry_id}`; empty where the system has none.
    pub delete_path: String,
}

/// How an entry is found by its external id.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lookup {
    /// Such as `/hours?ref={external_id}`.
    pub path: String,
    /// Field of the answer that holds the list; empty where the answer is the list.
    #[serde(default)]
    pub list: String,
    /// Field of an entry that holds the system's id.
    #[serde(default = "id")]
    pub id: String,
}

/// How an entry is written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Creates or replaces what the path names.
    Put,
    /// Creates another each time.
    Post,
}

/// How leave is read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Leaves {
    /// Path of the list, with a query that is always the same, if there is one.
    pub path: String,
    /// Name of the query parameter that asks for leaves changed since a moment (that moment included).
    pub since: String,
    /// Name of the query parameter that asks for the next page.
    pub cursor: String,
    /// Field of the answer that holds the list; empty where the answer is the list.
    pub list: String,
    /// Field of the answer that holds the cursor of the next page, null or absent on the last.
    pub next: String,
    /// Their names of our fields.
    pub fields: LeaveFields,
    /// Our kinds by theirs, such as `{ "SICK_LEAVE" = "sick" }`. Kinds that are not listed stay as they are.
    pub kinds: BTreeMap<String, String>,
    /// Our statuses by theirs. Statuses that are not listed must be one of ours.
    pub statuses: BTreeMap<String, Status>,
    /// What the system's webhook tells.
    pub hook: Hook,
}

/// What a webhook tells: the leaves themselves, or ids to read them by.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Hook {
    /// Field of the body that holds the leave, or the list of leaves; empty where the body is that.
    pub list: String,
    /// How a leave is read that the webhook does not tell whole: a path with `{id}`; empty where it does.
    pub path: String,
    /// Field of what is in the body that holds the id for `path`.
    pub id: String,
    /// Field of the answer to `path` that holds the leave; empty where the answer is it.
    pub record: String,
}

/// Their names of the fields of a leave. A dot goes into an object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LeaveFields {
    /// The leave's id.
    pub id: String,
    /// The employee's id.
    pub employee_ref: String,
    /// Why; `sick` is sick leave.
    pub kind: String,
    /// How far it is.
    pub status: String,
    /// First day, `YYYY-MM-DD`.
    pub start: String,
    /// Last day.
    pub end: String,
    /// Only half of the day; false where the field is absent.
    pub half_day: String,
    /// Last change, RFC 3339.
    pub updated_at: String,
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            method: Method::Put,
            path: "/v1/time-entries/{external_id}".to_owned(),
            fields: Field::PLAIN.map(|(field, name)| (field, name.to_owned())).into(),
            constants: Map::new(),
            hours_decimals: 2,
            id: id(),
            lookup: None,
            delete_path: "/v1/time-entries/{external_id}".to_owned(),
        }
    }
}

impl Default for Leaves {
    fn default() -> Self {
        Self {
            path: "/v1/leaves".to_owned(),
            since: "updated_since".to_owned(),
            cursor: "cursor".to_owned(),
            list: "items".to_owned(),
            next: "next_cursor".to_owned(),
            fields: LeaveFields::default(),
            kinds: BTreeMap::new(),
            statuses: BTreeMap::new(),
            hook: Hook::default(),
        }
    }
}

impl Default for Hook {
    fn default() -> Self {
        Self { list: String::new(), path: String::new(), id: id(), record: String::new() }
    }
}

impl Default for LeaveFields {
    fn default() -> Self {
        Self {
            id: id(),
            employee_ref: "employee_ref".to_owned(),
            kind: "kind".to_owned(),
            status: "status".to_owned(),
            start: "start".to_owned(),
            end: "end".to_owned(),
            half_day: "half_day".to_owned(),
            updated_at: "updated_at".to_owned(),
        }
    }
}

fn id() -> String {
    "id".to_owned()
}
