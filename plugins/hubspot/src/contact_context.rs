//! Action `contact-context`.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

use crate::{
    client::{associated, get, id, objects, property, read},
    config::Config,
    pipeline::all_stages,
};

/// Notes in a context; the latest.
const NOTES: usize = 10;
/// Tickets of a contact that are looked at; the newest.
const TICKETS: usize = 100;
/// Companies of a contact.
const COMPANIES: usize = 20;

const CONTACT: [&str; 8] = ["email", "firstname", "lastname", "phone", "mobilephone", "jobtitle", "address", "city"];
const COMPANY: [&str; 5] = ["name", "domain", "phone", "address", "city"];
const TICKET: [&str; 7] =
    ["subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category", "createdate"];
const NOTE: [&str; 2] = ["hs_note_body", "hs_timestamp"];

/// Reads what a technician needs to know before a visit: a contact's properties, companies, open tickets and latest notes.
/// Give `email` or `id`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactContextInput {
    email: Option<String>,
    /// HubSpot's id.
    id: Option<String>,
}

/// A contact.
#[derive(Serialize, JsonSchema)]
pub struct ContactContext {
    contact_id: String,
    /// The usual ones and the configured `contact-properties`, by internal name; null where there is no value.
    properties: BTreeMap<String, Value>,
    companies: Vec<Record>,
    /// Newest first.
    open_tickets: Vec<Record>,
    /// At most 10, latest first.
    notes: Vec<Record>,
}

/// A record of the CRM.
#[derive(Serialize, JsonSchema)]
struct Record {
    id: String,
    /// By internal name; null where there is no value.
    properties: BTreeMap<String, Value>,
}

pub fn contact_context(input: ContactContextInput, cx: &Context<Config>) -> Result<ContactContext, Failure> {
    let further = cx.config.contact_properties.iter().map(String::as_str);
    let wanted: Vec<&str> = CONTACT.into_iter().chain(further).collect();
    let request = match (&input.email, &input.id) {
        (Some(email), None) => cx.get(objects(cx, &format!("contacts/{}", encode(email)))).query("idProperty", "email"),
        (None, Some(id)) => cx.get(objects(cx, &format!("contacts/{}", encode(id)))),
        _ => {
            return Err(Failure::rejected("Give `email` or `id`, the other null or not at all"));
        }
    };
    let contact = get(request.query("properties", wanted.join(",")))?;
    let contact_id = id(&contact["id"]).unwrap_or_default();
    let related = |to: &str, most: usize, properties: &[&str]| -> Result<Vec<Value>, Failure> {
        let ids = associated(cx, &format!("contacts/{contact_id}"), to)?;
        read(cx, to, &ids[ids.len().saturating_sub(most)..], properties)
    };
    let companies = related("companies", COMPANIES, &COMPANY)?;
    let mut tickets = related("tickets", TICKETS, &TICKET)?;
    if !tickets.is_empty() {
        let stages = all_stages(cx)?;
        tickets.retain(|ticket| {
            let stage = property(ticket, "hs_pipeline_stage");
            !stages.iter().any(|other| other.closed && Some(&other.id) == stage.as_ref())
        });
    }
    // Associations come by id; a note's own time can be another than that of its making, so more are read than shown.
    let mut notes = related("notes", TICKETS, &NOTE)?;
    latest_first(&mut tickets, "createdate");
    latest_first(&mut notes, "hs_timestamp");
    notes.truncate(NOTES);
    Ok(ContactContext {
        contact_id,
        properties: named(&contact, &wanted),
        companies: companies.iter().map(|company| Record::of(company, &COMPANY)).collect(),
        open_tickets: tickets.iter().map(|ticket| Record::of(ticket, &TICKET)).collect(),
        notes: notes.iter().map(|note| Record::of(note, &NOTE)).collect(),
    })
}

impl Record {
    fn of(record: &Value, names: &[&str]) -> Self {
        Self { id: id(&record["id"]).unwrap_or_default(), properties: named(record, names) }
    }
}

/// HubSpot writes times in RFC 3339 and UTC, so they sort as texts, but for fractions of a second.
fn latest_first(records: &mut [Value], name: &str) {
    records.sort_by_cached_key(|record| std::cmp::Reverse(property(record, name)));
}

fn named(record: &Value, names: &[&str]) -> BTreeMap<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), record["properties"][name].clone())).collect()
}
