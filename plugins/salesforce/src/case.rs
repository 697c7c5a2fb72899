//! Cases, and the action `find-case`.

use sangam_sdk::prelude::*;

use crate::{
    client::{query, quoted, text},
    config::Config,
};

/// The fields of a case that the actions work with; every org has them.
pub const FIELDS: &str = "Id, CaseNumber, Subject, Description, Status, IsClosed, Priority, CreatedDate, AccountId, ContactId";

/// Finds a case by its Salesforce id, by your own id of it, or by its number. Give one of the three.
/// It is rejected where there is no such case, or more than one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindCase {
    /// Salesforce id, 15 or 18 characters.
    case_id: Option<String>,
    /// Your id of it, in the field that `case-external-id-field` names.
    external_id: Option<String>,
    /// Number as people see it, such as `00001026`.
    case_number: Option<String>,
}

/// A case.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Case {
    /// Salesforce id.
    pub case_id: String,
    /// Number as people see it.
    pub case_number: String,
    /// Status, one of the org's own.
    pub status: String,
    /// Whether that status is a closed one.
    pub closed: bool,
    /// What it is about, in a line.
    pub subject: Option<String>,
    /// What it is about, at length.
    pub description: Option<String>,
    /// Priority, one of the org's own.
    pub priority: Option<String>,
    /// When it was opened, RFC 3339.
    pub created_at: Option<String>,
    /// The client.
    pub account_id: Option<String>,
    /// The person.
    pub contact_id: Option<String>,
}

/// What names a case.
#[derive(Debug)]
pub enum CaseKey {
    /// Salesforce id.
    Id(String),
    /// Value of the configured field.
    ExternalId(String),
    /// Number as people see it.
    Number(String),
}

impl CaseKey {
    /// The one that is given.
    ///
    /// # Errors
    /// Rejected if there is none, or more than one.
    pub fn new(id: Option<String>, external_id: Option<String>, number: Option<String>) -> Result<Self, Failure> {
        match (id, external_id, number) {
            (Some(id), None, None) => Ok(Self::Id(id)),
            (None, Some(external_id), None) => Ok(Self::ExternalId(external_id)),
            (None, None, Some(number)) => Ok(Self::Number(number)),
            _ => Err(Failure::rejected("Give one of `case_id`, `external_id` and `case_number`, the others null or not at all")),
        }
    }

    fn condition(&self, config: &Config) -> String {
        match self {
            Self::Id(id) => format!("Id = {}", quoted(id)),
            Self::ExternalId(id) => format!("{} = {}", config.case_external_id_field, quoted(id)),
            Self::Number(number) => format!("CaseNumber = {}", quoted(number)),
        }
    }
}

impl Case {
    /// A record with [`FIELDS`].
    pub fn of(record: &Value) -> Self {
        Self {
            case_id: text(record, "Id").unwrap_or_default(),
            case_number: text(record, "CaseNumber").unwrap_or_default(),
            status: text(record, "Status").unwrap_or_default(),
            closed: record["IsClosed"] == true,
            subject: text(record, "Subject"),
            description: text(record, "Description"),
            priority: text(record, "Priority"),
            created_at: text(record, "CreatedDate"),
            account_id: text(record, "AccountId"),
            contact_id: text(record, "ContactId"),
        }
    }
}

pub fn find_case(input: FindCase, cx: &Context<Config>) -> Result<Case, Failure> {
    find(cx, &CaseKey::new(input.case_id, input.external_id, input.case_number)?)
}

/// The case of that key.
///
/// # Errors
/// Rejected if there is none, or more than one.
pub fn find(cx: &Context<Config>, key: &CaseKey) -> Result<Case, Failure> {
    let condition = key.condition(&cx.config);
    let found = query(cx, &format!("SELECT {FIELDS} FROM Case WHERE {condition} LIMIT 2"))?;
    match found.records.as_slice() {
        [record] => Ok(Case::of(record)),
        [] => Err(Failure::rejected(format!("Salesforce has no case with {condition}"))),
        _ => Err(Failure::rejected(format!("Salesforce has several cases with {condition}"))),
    }
}
