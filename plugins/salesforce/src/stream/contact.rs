//! Contacts: `contact.created`, `contact.changed`, `contact.deleted`.

use sangam_sdk::{path::at, prelude::*};
use serde_json::Map;

use super::{Object, What, origin, stamp, version};
use crate::config::Config;

/// The types of events.
pub const TYPES: [&str; 3] = ["contact.created", "contact.changed", "contact.deleted"];

/// Contacts.
pub const CONTACTS: Object = Object { name: "Contact", select, news, event };

/// Names in the event, and where they are in a record.
const FIELDS: [(&str, &str); 11] = [
    ("first_name", "FirstName"),
    ("last_name", "LastName"),
    ("email", "Email"),
    ("phone", "Phone"),
    ("mobile_phone", "MobilePhone"),
    ("title", "Title"),
    ("street", "MailingStreet"),
    ("city", "MailingCity"),
    ("state", "MailingState"),
    ("postal_code", "MailingPostalCode"),
    ("country", "MailingCountry"),
];

/// Name of a field of a contact in the events; that of further ones is their own.
pub fn name_of(field: &str) -> &str {
    FIELDS.iter().find(|(_, theirs)| *theirs == field).map_or(field, |(ours, _)| ours)
}

fn select(config: &Config) -> String {
    let mut fields: Vec<String> = FIELDS.iter().map(|(_, theirs)| (*theirs).to_owned()).collect();
    fields.extend(
        ["Id", "IsDeleted", "Name", "AccountId", "Account.Name", "CreatedDate", "LastModifiedById", "SystemModstamp"].map(str::to_owned),
    );
    fields.push(config.contact_external_id_field.to_string());
    fields.push(format!("Account.{}", config.account_external_id_field));
    fields.extend(config.preference_fields.iter().map(ToString::to_string));
    fields.join(", ")
}

fn news(config: &Config, record: &Value) -> Vec<(String, Value)> {
    let mut news: Vec<_> = FIELDS.iter().map(|(ours, theirs)| ((*ours).to_owned(), record[theirs].clone())).collect();
    news.push(("external_id".to_owned(), record[config.contact_external_id_field.as_str()].clone()));
    news.push(("company".to_owned(), company(config, record)));
    news.extend(config.preference_fields.iter().map(|field| (field.to_string(), record[field.as_str()].clone())));
    news
}

/// What names the company: your id of it, else Salesforce's.
fn company(config: &Config, record: &Value) -> Value {
    match &record["Account"][config.account_external_id_field.as_str()] {
        Value::Null => record["AccountId"].clone(),
        external_id => external_id.clone(),
    }
}

fn event(config: &Config, record: &Value, what: &What) -> Result<NewEvent, Failure> {
    let (id, changed_at) = version(record)?;
    let kind = match what {
        What::Created => TYPES[0],
        What::Changed(_) => TYPES[1],
        What::Deleted => TYPES[2],
    };
    let account = &record["Account"];
    let mut data = json!({
        "contact_id": id,
        "external_id": record[config.contact_external_id_field.as_str()],
        "name": record["Name"],
        "company": if record["AccountId"].is_null() { Value::Null } else { json!({
            "id": record["AccountId"], "external_id": account[config.account_external_id_field.as_str()], "name": account["Name"],
        }) },
        "address": address(record),
        "preferences": config.preference_fields.iter().map(|field| (field.to_string(), at(record, field.as_str()).clone())).collect::<Map<_, _>>(),
        "updated_at": stamp::utc(&changed_at),
        "version": changed_at,
        "origin": origin(config, record),
    });
    for (ours, theirs) in &FIELDS[..6] {
        data[*ours] = record[*theirs].clone();
    }
    if let What::Changed(fields) = what {
        data["changed"] = fields.clone().into();
    }
    Ok(NewEvent::new(kind, data)?.id(format!("{id}/{changed_at}")).subject(id).time(changed_at))
}

/// The mailing address; null where there is none.
fn address(record: &Value) -> Value {
    let parts: Map<String, Value> = FIELDS[6..]
        .iter()
        .filter(|(_, theirs)| !record[*theirs].is_null())
        .map(|(ours, theirs)| ((*ours).to_owned(), record[*theirs].clone()))
        .collect();
    if parts.is_empty() { Value::Null } else { Value::Object(parts) }
}
