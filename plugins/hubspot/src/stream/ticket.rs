//! Tickets: `case.opened`, `case.changed`, `case.closed`, with the contact that is associated.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

use super::{Object, What, origin, value};
use crate::{
    client::{associations_of_many, get, id, property, read_of},
    config::Config,
    pipeline::{Stage, stages_of_all},
};

/// The types of events.
pub const TYPES: [&str; 3] = ["case.opened", "case.changed", "case.closed"];

/// Tickets.
pub const TICKETS: Object =
    Object { plural: "tickets", singular: "ticket", type_id: "0-5", modified: "hs_lastmodifieddate", news, events, gone };

/// Names in the event, and HubSpot's.
const FIELDS: [(&str, &str); 5] = [
    ("subject", "subject"),
    ("description", "content"),
    ("priority", "hs_ticket_priority"),
    ("kind", "hs_ticket_category"),
    ("resolution", "hs_resolution"),
];
const STAGE: &str = "hs_pipeline_stage";
/// What is told of the person.
const CONTACT: [&str; 10] = ["firstname", "lastname", "email", "phone", "mobilephone", "company", "address", "city", "zip", "country"];

fn news(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = FIELDS.iter().map(|(_, theirs)| (*theirs).to_owned()).collect();
    names.push(STAGE.to_owned());
    names.extend(config.ticket_job_property.clone());
    names
}

fn told(name: &str, config: &Config) -> String {
    match name {
        STAGE => "status".to_owned(),
        name if config.ticket_job_property.as_deref() == Some(name) => "job_id".to_owned(),
        name => FIELDS.iter().find(|(_, theirs)| *theirs == name).map_or(name, |(ours, _)| ours).to_owned(),
    }
}

fn events(config: &Config, records: &[(Value, What)]) -> Result<Vec<NewEvent>, Failure> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let stages = stages_of_all(config)?;
    let contacts = contacts(config, records)?;
    records.iter().map(|(record, what)| event(config, record, what, &stages, &contacts)).collect()
}

/// The first contact of each ticket, in two requests.
fn contacts(config: &Config, records: &[(Value, What)]) -> Result<BTreeMap<String, Value>, Failure> {
    let inputs: Vec<Value> = records.iter().filter_map(|(record, _)| Some(json!({ "id": id(&record["id"])? }))).collect();
    let request = sangam_sdk::Write::new("POST", associations_of_many(config, "tickets", "contacts")).read_only();
    let found = get(request.json(&json!({ "inputs": inputs })))?;
    let pairs: Vec<(String, String)> = found["results"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|result| Some((id(&result["from"]["id"])?, id(&result["to"][0]["toObjectId"])?)))
        .collect();
    let mut ids: Vec<String> = pairs.iter().map(|(_, contact)| contact.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut contacts = BTreeMap::new();
    for contact in read_of(config, "contacts", &ids, &CONTACT)? {
        let of = pairs.iter().filter(|(_, own)| Some(own) == id(&contact["id"]).as_ref());
        contacts.extend(of.map(|(ticket, _)| (ticket.clone(), contact.clone())));
    }
    Ok(contacts)
}

fn event(config: &Config, record: &Value, what: &What, stages: &[Stage], contacts: &BTreeMap<String, Value>) -> Result<NewEvent, Failure> {
    let (id, changed_at) = TICKETS.version(record)?;
    let stage = property(record, STAGE).unwrap_or_default();
    let stage = stages.iter().find(|known| known.id == stage);
    let closed = stage.is_some_and(|stage| stage.closed);
    let kind = match what {
        What::Created if !closed => TYPES[0],
        What::Created => TYPES[2],
        What::Changed(fields) if closed && (fields.is_empty() || fields.iter().any(|name| name == STAGE)) => TYPES[2],
        What::Changed(_) => TYPES[1],
    };
    let contact = contacts.get(&id);
    let text = |name: &str| contact.and_then(|contact| property(contact, name));
    let name = [text("firstname"), text("lastname")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let address = json!({ "street": text("address"), "city": text("city"), "postal_code": text("zip"), "country": text("country") });
    let address = if text("address").or(text("city")).is_some() { address } else { Value::Null };
    let person = contact.map(|contact| {
        json!({
            "id": contact["id"], "name": if name.is_empty() { text("email") } else { Some(name.clone()) }, "email": text("email"),
            "phone": text("phone"), "mobile_phone": text("mobilephone"), "address": address,
        })
    });
    let customer = person.clone().map(|mut customer| {
        if let Some(company) = text("company") {
            customer["name"] = company.into();
        }
        customer
    });
    let mut data = json!({
        "case_id": id,
        "number": id,
        "status": stage.map(|stage| stage.label.clone()).or_else(|| property(record, STAGE)),
        "closed": closed,
        "job_id": config.ticket_job_property.as_deref().map(|name| value(record, name)),
        "contact": person,
        "company": text("company").map(|name| json!({ "name": name })),
        "customer": customer,
        "address": address,
        "opened_at": value(record, "createdate"),
        "updated_at": changed_at,
        "origin": origin(config, TICKETS.type_id, &id),
    });
    for (ours, theirs) in FIELDS {
        data[ours] = value(record, theirs);
    }
    if closed {
        data["closed_at"] = changed_at.as_str().into();
    }
    if let What::Changed(fields) = what {
        data["changed"] = fields.iter().map(|name| told(name, config)).collect::<Vec<_>>().into();
    }
    Ok(NewEvent::new(kind, data)?.id(format!("{id}/{changed_at}")).subject(id).time(changed_at))
}

fn gone(id: &str, at: &str) -> Result<NewEvent, Failure> {
    let data = json!({ "case_id": id, "deleted": true, "closed": true, "updated_at": (!at.is_empty()).then_some(at), "origin": { "system": "hubspot" } });
    let event = NewEvent::new(TYPES[2], data)?.id(format!("{id}/{at}/deleted")).subject(id);
    // Not every sender says when.
    Ok(if at.is_empty() { event } else { event.time(at) })
}
