//! Properties: what a type of object can hold, and the check of values against it.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::PORTAL_ID;
use super::kind::Kind;
use super::pipeline;
use super::refusal::Refusal;

/// What values a property takes. All of them travel as texts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Text,
    Email,
    Number,
    Bool,
    Moment,
    Day,
    Choice(Vec<String>),
}

impl Form {
    /// The vendor's `type`.
    fn word(&self) -> &'static str {
        match self {
            Form::Text | Form::Email => "string",
            Form::Number => "number",
            Form::Bool => "bool",
            Form::Moment => "datetime",
            Form::Day => "date",
            Form::Choice(_) => "enumeration",
        }
    }
}

/// Definition of a property.
#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) form: Form,
    /// No two live records share a value; such a property can name a record.
    pub(super) unique: bool,
    read_only: bool,
    label: String,
    field_type: String,
    group: String,
    /// Made by HubSpot, not by the portal's owner.
    standard: bool,
}

/// The properties of one type by name.
pub(super) type Definitions = BTreeMap<String, Property>;

/// A value, or nothing: the property is cleared.
pub(super) type Values = BTreeMap<String, Option<String>>;

/// HubSpot's limit of unique properties that a portal adds to a type.
const MAX_UNIQUE: usize = 10;

/// The properties that every portal has, in the part that this stand-in knows.
pub(super) fn standard(kind: Kind) -> Definitions {
    let texts: &[&str] = match kind {
        Kind::Contact => &[
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "company",
            "jobtitle",
            "website",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "salutation",
            "message",
        ],
        Kind::Company => {
            &["name", "domain", "website", "phone", "address", "address2", "city", "state", "zip", "country", "industry", "description"]
        }
        Kind::Deal => &["dealname", "pipeline", "dealstage", "dealtype", "description"],
        Kind::Ticket => &["subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_resolution", "source_type"],
        Kind::Note => &["hs_note_body", "hs_attachment_ids"],
        Kind::Task => &["hs_task_body", "hs_task_subject"],
    };
    let mut all: Definitions = texts.iter().map(|name| ((*name).to_owned(), given(Form::Text))).collect();
    let choice = |options: &[&str]| Form::Choice(options.iter().map(|option| (*option).to_owned()).collect());
    let further: Vec<(&str, Form)> = match kind {
        Kind::Contact => vec![
            ("email", Form::Email),
            (
                "lifecyclestage",
                choice(&[
                    "subscriber",
                    "lead",
                    "marketingqualifiedlead",
                    "salesqualifiedlead",
                    "opportunity",
                    "customer",
                    "evangelist",
                    "other",
                ]),
            ),
            ("hs_lead_status", choice(&["NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "CONNECTED"])),
        ],
        Kind::Company => vec![
            ("numberofemployees", Form::Number),
            ("annualrevenue", Form::Number),
            ("lifecyclestage", choice(&["subscriber", "lead", "opportunity", "customer", "other"])),
        ],
        Kind::Deal => vec![("amount", Form::Number), ("closedate", Form::Moment)],
        Kind::Ticket => vec![
            ("hs_ticket_priority", choice(&["LOW", "MEDIUM", "HIGH", "URGENT"])),
            ("hs_ticket_category", choice(&["PRODUCT_ISSUE", "BILLING_ISSUE", "FEATURE_REQUEST", "GENERAL_INQUIRY"])),
        ],
        Kind::Note => vec![("hs_timestamp", Form::Moment)],
        Kind::Task => vec![
            ("hs_timestamp", Form::Moment),
            ("hs_task_status", choice(&["NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"])),
            ("hs_task_priority", choice(&["NONE", "LOW", "MEDIUM", "HIGH"])),
            ("hs_task_type", choice(&["TODO", "CALL", "EMAIL"])),
        ],
    };
    all.extend(further.into_iter().map(|(name, form)| (name.to_owned(), given(form))));
    all.insert("hubspot_owner_id".to_owned(), given(Form::Text));
    for name in [kind.created(), kind.modified()] {
        all.insert(name.to_owned(), Property { read_only: true, ..given(Form::Moment) });
    }
    all.insert("hs_object_id".to_owned(), Property { read_only: true, unique: true, ..given(Form::Number) });
    if kind == Kind::Ticket {
        all.insert("closed_date".to_owned(), Property { read_only: true, ..given(Form::Moment) });
    }
    if let Some(email) = all.get_mut("email") {
        email.unique = true;
    }
    all
}

fn given(form: Form) -> Property {
    Property {
        form,
        unique: false,
        read_only: false,
        label: String::new(),
        field_type: "text".to_owned(),
        group: "information".to_owned(),
        standard: true,
    }
}

impl Property {
    /// As the API shows it.
    pub(super) fn public(&self, name: &str) -> Value {
        let options: Vec<Value> = match &self.form {
            Form::Choice(options) => options
                .iter()
                .zip(0u32..)
                .map(|(value, order)| json!({ "label": value, "value": value, "displayOrder": order, "hidden": false }))
                .collect(),
            _ => Vec::new(),
        };
        json!({
            "name": name,
            "label": if self.label.is_empty() { name } else { &self.label },
            "type": self.form.word(),
            "fieldType": self.field_type,
            "description": "",
            "groupName": self.group,
            "options": options,
            "displayOrder": -1,
            "calculated": false,
            "externalOptions": false,
            "hasUniqueValue": self.unique,
            "hidden": false,
            "hubspotDefined": self.standard,
            "modificationMetadata": {
                "archivable": !self.standard,
                "readOnlyDefinition": self.standard,
                "readOnlyValue": self.read_only,
            },
            "formField": !self.standard,
            "archived": false,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewProperty {
    name: String,
    label: String,
    #[serde(rename = "type")]
    word: String,
    field_type: String,
    group_name: String,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    options: Vec<NewOption>,
}

#[derive(Deserialize)]
struct NewOption {
    value: String,
}

/// Adds a property of the portal's own; answers its name.
pub(super) fn define(definitions: &mut Definitions, body: &Value) -> Result<String, Refusal> {
    let new = NewProperty::deserialize(body)
        .map_err(|error| Refusal::invalid(format!("Invalid input JSON: some required fields were not set: {error}")))?;
    let lower = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if !new.name.starts_with(|first: char| first.is_ascii_lowercase()) || !new.name.chars().all(lower) {
        return Err(Refusal::invalid(format!(
            "Property name \"{}\" is invalid: it begins with a letter and has only lower-case letters, digits and \
             underscores",
            new.name
        )));
    }
    if definitions.contains_key(&new.name) {
        let message = format!("A property named '{}' already exists.", new.name);
        return Err(Refusal::new(StatusCode::CONFLICT, "OBJECT_ALREADY_EXISTS", message));
    }
    let form = match new.word.as_str() {
        "string" => Form::Text,
        "number" => Form::Number,
        "bool" => Form::Bool,
        "datetime" => Form::Moment,
        "date" => Form::Day,
        "enumeration" => Form::Choice(new.options.into_iter().map(|option| option.value).collect()),
        other => {
            return Err(Refusal::invalid(format!("Property type \"{other}\" is not valid")));
        }
    };
    let own_unique = definitions.values().filter(|property| property.unique && !property.standard).count();
    if new.has_unique_value && own_unique >= MAX_UNIQUE {
        return Err(Refusal::invalid("Portal has reached the limit of unique properties for this object type"));
    }
    let property = Property {
        form,
        unique: new.has_unique_value,
        read_only: false,
        label: new.label,
        field_type: new.field_type,
        group: new.group_name,
        standard: false,
    };
    definitions.insert(new.name.clone(), property);
    Ok(new.name)
}

/// Checks the `properties` of a request and brings the values into their stored form.
pub(super) fn check(kind: Kind, definitions: &Definitions, body: &Value) -> Result<Values, Refusal> {
    let empty = Map::new();
    let given = match &body["properties"] {
        Value::Object(given) => given,
        Value::Null => &empty,
        _ => {
            return Err(Refusal::invalid("Invalid input JSON: properties is not an object"));
        }
    };
    let mut wrong = Vec::new();
    let mut values = Values::new();
    for (name, raw) in given {
        match value(kind, definitions, name, raw) {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err((error, message)) => wrong.push((name.clone(), error, message)),
        }
    }
    if wrong.is_empty() { Ok(values) } else { Err(not_valid(&wrong)) }
}

type Wrong = (&'static str, String);

fn value(kind: Kind, definitions: &Definitions, name: &str, raw: &Value) -> Result<Option<String>, Wrong> {
    let Some(property) = definitions.get(name) else {
        return Err(("PROPERTY_DOESNT_EXIST", format!("Property \"{name}\" does not exist")));
    };
    if property.read_only {
        return Err(("READ_ONLY_VALUE", format!("\"{name}\" is a read only property; its value cannot be set.")));
    }
    let text = match raw {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return Err(("INVALID_VALUE", format!("{raw} is not a text"))),
    };
    if let (Some(pipeline), Some((of_pipeline, of_stage))) = (pipeline::of(kind), pipeline::properties(kind)) {
        let stages: Vec<&str> = pipeline.stages.iter().map(|stage| stage.id).collect();
        if name == of_pipeline && text != pipeline.id {
            return Err(not_an_option(&text, &[pipeline.id]));
        }
        if name == of_stage && pipeline.stage(&text).is_none() {
            return Err(not_an_option(&text, &stages));
        }
    }
    match &property.form {
        Form::Text => Ok(Some(text)),
        Form::Email => {
            let text = text.trim().to_lowercase();
            let good = text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
            if good && !text.contains(' ') { Ok(Some(text)) } else { Err(("INVALID_EMAIL", format!("Email address {text} is invalid"))) }
        }
        Form::Number => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(text)),
            _ => Err(("INVALID_DOUBLE", format!("{text} was not a valid number."))),
        },
        Form::Bool => {
            if text == "true" || text == "false" {
                Ok(Some(text))
            } else {
                Err(not_an_option(&text, &["true", "false"]))
            }
        }
        Form::Moment => match moment(&text) {
            Some(moment) => Ok(Some(moment.to_string())),
            None => Err(("INVALID_DATE", format!("{text} was not a valid date: it is epoch milliseconds or ISO 8601"))),
        },
        Form::Day => match moment(&text) {
            Some(moment) => Ok(Some(moment.strftime("%Y-%m-%d").to_string())),
            None => Err(("INVALID_DATE", format!("{text} was not a valid date."))),
        },
        Form::Choice(options) if options.contains(&text) => Ok(Some(text)),
        Form::Choice(options) => Err(not_an_option(&text, &options.iter().map(String::as_str).collect::<Vec<_>>())),
    }
}

/// Reads epoch milliseconds, a moment, or a day (its midnight in UTC).
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp());
    text.parse::<Timestamp>().ok().or_else(day)
}

fn not_an_option(text: &str, options: &[&str]) -> Wrong {
    ("INVALID_OPTION", format!("{text} was not one of the allowed options: [{}]", options.join(", ")))
}

/// HubSpot puts the details as JSON into the message's text, and again into `errors`.
fn not_valid(wrong: &[(String, &'static str, String)]) -> Refusal {
    let details: Vec<Value> = wrong
        .iter()
        .map(|(name, error, message)| {
            json!({
                "isValid": false,
                "message": message,
                "error": error,
                "name": name,
                "localizedErrorMessage": message,
                "portalId": PORTAL_ID,
            })
        })
        .collect();
    let errors: Vec<Value> = wrong
        .iter()
        .map(|(name, error, message)| json!({ "message": message, "code": error, "context": { "propertyName": [name] } }))
        .collect();
    Refusal::invalid(format!("Property values were not valid: {}", Value::Array(details))).with("errors", json!(errors))
}
