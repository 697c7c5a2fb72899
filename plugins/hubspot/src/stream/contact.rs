//! Contacts: `contact.created`, `contact.changed`, `contact.deleted`.

use sangam_sdk::prelude::*;
use serde_json::Map;

use super::{Object, What, origin, value};
use crate::config::Config;

/// The types of events.
pub const TYPES: [&str; 3] = ["contact.created", "contact.changed", "contact.deleted"];

/// Contacts.
pub const CONTACTS: Object =
    Object { plural: "contacts", singular: "contact", type_id: "0-1", modified: "lastmodifieddate", news, events, gone };

/// Names in the event, and HubSpot's.
const FIELDS: [(&str, &str); 6] = [
    ("first_name", "firstname"),
    ("last_name", "lastname"),
    ("email", "email"),
    ("phone", "phone"),
    ("mobile_phone", "mobilephone"),
    ("title", "jobtitle"),
];

const ADDRESS: [(&str, &str); 5] =
    [("street", "address"), ("city", "city"), ("state", "state"), ("postal_code", "zip"), ("country", "country")];

fn news(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = FIELDS.iter().chain(&ADDRESS).map(|(_, theirs)| (*theirs).to_owned()).collect();
    names.push("company".to_owned());
    names.extend(config.contact_external_id_property.clone());
    names.extend(config.contact_properties.iter().cloned());
    names
}

/// The name of a property in `changed`.
fn told(name: &str, config: &Config) -> String {
    if config.contact_external_id_property.as_deref() == Some(name) {
        return "external_id".to_owned();
    }
    let ours = FIELDS.iter().chain(&ADDRESS).find(|(_, theirs)| *theirs == name);
    ours.map_or(name, |(ours, _)| ours).to_owned()
}

fn events(config: &Config, records: &[(Value, What)]) -> Result<Vec<NewEvent>, Failure> {
    records.iter().map(|(record, what)| event(config, record, what)).collect()
}

fn event(config: &Config, record: &Value, what: &What) -> Result<NewEvent, Failure> {
    let (id, changed_at) = CONTACTS.version(record)?;
    let text = |name: &str| crate::client::property(record, name);
    let name = [text("firstname"), text("lastname")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let address: Map<String, Value> =
        ADDRESS.iter().filter_map(|(ours, theirs)| Some(((*ours).to_owned(), text(theirs)?.into()))).collect();
    let mut data = json!({
        "contact_id": id,
        "external_id": config.contact_external_id_property.as_deref().map(|name| value(record, name)),
        "name": if name.is_empty() { Value::Null } else { name.into() },
        "company": text("company").map(|name| json!({ "name": name })),
        "address": if address.is_empty() { Value::Null } else { address.into() },
        "preferences": config.contact_properties.iter().map(|name| (name.clone(), value(record, name))).collect::<Map<_, _>>(),
        "updated_at": changed_at,
        "version": changed_at,
        "origin": origin(config, CONTACTS.type_id, &id),
    });
    for (ours, theirs) in FIELDS {
        data[ours] = value(record, theirs);
    }
    let kind = match what {
        What::Created => TYPES[0],
        What::Changed(fields) => {
            data["changed"] = fields.iter().map(|name| told(name, config)).collect::<Vec<_>>().into();
            TYPES[1]
        }
    };
    Ok(NewEvent::new(kind, data)?.id(format!("{id}/{changed_at}")).subject(id).time(changed_at))
}

fn gone(id: &str, at: &str) -> Result<NewEvent, Failure> {
    let data = json!({ "contact_id": id, "updated_at": (!at.is_empty()).then_some(at), "origin": { "system": "hubspot" } });
    let event = NewEvent::new(TYPES[2], data)?.id(format!("{id}/{at}/deleted")).subject(id);
    // Not every sender says when.
    Ok(if at.is_empty() { event } else { event.time(at) })
}
