//! Cases: `case.opened`, `case.changed`, `case.closed`.

use sangam_sdk::prelude::*;

use super::{Object, What, origin, version};
use crate::config::Config;

/// The types of events.
pub const TYPES: [&str; 3] = ["case.opened", "case.changed", "case.closed"];

/// Cases.
pub const CASES: Object = Object { name: "Case", select, news, event };

/// Names in the event, and where they are in a record.
const FIELDS: [(&str, &str); 7] = [
    ("subject", "Subject"),
    ("description", "Description"),
    ("status", "Status"),
    ("priority", "Priority"),
    ("kind", "Type"),
    ("account_id", "AccountId"),
    ("contact_id", "ContactId"),
];

/// Name of a field of a case in the events; that of further ones is their own.
pub fn name_of<'a>(field: &'a str, config: &'a Config) -> &'a str {
    if field == config.case_external_id_field.as_str() {
        return "job_id";
    }
    FIELDS.iter().find(|(_, theirs)| *theirs == field).map_or(field, |(ours, _)| ours)
}

fn select(config: &Config) -> String {
    let mut fields: Vec<String> = FIELDS.iter().map(|(_, theirs)| (*theirs).to_owned()).collect();
    let further = [
        "Id",
        "IsDeleted",
        "CaseNumber",
        "IsClosed",
        "ClosedDate",
        "CreatedDate",
        "LastModifiedById",
        "SystemModstamp",
        "Account.Name",
        "Contact.Name",
        "Contact.Email",
        "Contact.Phone",
        "Contact.MobilePhone",
        "Contact.MailingStreet",
        "Contact.MailingCity",
        "Contact.MailingState",
        "Contact.MailingPostalCode",
        "Contact.MailingCountry",
    ];
    fields.extend(further.map(str::to_owned));
    fields.push(config.case_external_id_field.to_string());
    fields.join(", ")
}

fn news(config: &Config, record: &Value) -> Vec<(String, Value)> {
    let mut news: Vec<_> = FIELDS.iter().map(|(ours, theirs)| ((*ours).to_owned(), record[theirs].clone())).collect();
    news.push(("job_id".to_owned(), record[config.case_external_id_field.as_str()].clone()));
    news
}

fn event(config: &Config, record: &Value, what: &What) -> Result<NewEvent, Failure> {
    let (id, changed_at) = version(record)?;
    let closed = record["IsClosed"] == true;
    let kind = match what {
        What::Deleted => TYPES[2],
        What::Created if !closed => TYPES[0],
        // Closed by this change, as far as can be told.
        What::Created => TYPES[2],
        What::Changed(fields) if closed && (fields.is_empty() || fields.iter().any(|field| field == "status")) => TYPES[2],
        What::Changed(_) => TYPES[1],
    };
    let (account, contact) = (&record["Account"], &record["Contact"]);
    let name = |party: &Value| party["Name"].as_str().map(str::to_owned);
    let address: Value = [
        ("street", "MailingStreet"),
        ("city", "MailingCity"),
        ("state", "MailingState"),
        ("postal_code", "MailingPostalCode"),
        ("country", "MailingCountry"),
    ]
    .into_iter()
    .filter(|(_, theirs)| contact[*theirs].is_string())
    .map(|(ours, theirs)| (ours.to_owned(), contact[theirs].clone()))
    .collect::<serde_json::Map<_, _>>()
    .into();
    let address = if address.as_object().is_some_and(|parts| parts.is_empty()) { Value::Null } else { address };
    // Who the work is for: the company, reached through the person; or the person.
    let customer = name(account).or_else(|| name(contact)).map(|customer| {
        let id = if record["AccountId"].is_null() { &record["ContactId"] } else { &record["AccountId"] };
        json!({ "id": id, "name": customer, "email": contact["Email"], "phone": contact["Phone"], "address": address })
    });
    let mut data = json!({
        "case_id": id,
        "number": record["CaseNumber"],
        "closed": closed,
        "job_id": record[config.case_external_id_field.as_str()],
        "contact": name(contact).map(|name| json!({
            "id": record["ContactId"], "name": name, "email": contact["Email"], "phone": contact["Phone"], "mobile_phone": contact["MobilePhone"],
        })),
        "company": name(account).map(|name| json!({ "id": record["AccountId"], "name": name })),
        "customer": customer,
        "address": address,
        "opened_at": record["CreatedDate"].as_str().map(super::stamp::utc),
        "closed_at": record["ClosedDate"].as_str().map(super::stamp::utc),
        "updated_at": changed_at,
        "origin": origin(config, record),
    });
    for (ours, theirs) in &FIELDS[..5] {
        data[*ours] = record[*theirs].clone();
    }
    match what {
        What::Changed(fields) => data["changed"] = fields.clone().into(),
        What::Deleted => data["deleted"] = true.into(),
        What::Created => {}
    }
    Ok(NewEvent::new(kind, data)?.id(format!("{id}/{changed_at}")).subject(id).time(changed_at))
}
