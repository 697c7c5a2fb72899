//! Action `upsert-contact`, for one run or for many.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    client::{associate_many, associations},
    config::Config,
    errors::ok,
    upsert::{Upserted, Wanted, upsert, upsert_many},
};

/// Updates the contact with that email address, or creates it. Properties that are not given keep their values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpsertContact {
    email: String,
    /// By internal name, such as `firstname`; an empty text clears one.
    #[serde(default)]
    properties: Map<String, Value>,
    /// HubSpot's id of a company to associate it with.
    company_id: Option<String>,
}

pub fn upsert_contact(input: UpsertContact, cx: &Context<Config>) -> Result<Upserted, Failure> {
    let contact = upsert(cx, "contacts", "email", &input.email, &input.properties)?;
    if let Some(company) = &input.company_id {
        let default = format!("default/companies/{}", encode(company));
        let url = associations(cx, &format!("contacts/{}", contact.id), &default);
        cx.put(url).name("associate").send().and_then(ok)?;
    }
    Ok(contact)
}

/// Two requests in all: one for the contacts, one for their companies.
pub fn upsert_contacts(items: &[Item<UpsertContact, Config>]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let config = &first.cx.config;
    let wanted: Vec<Wanted<'_>> = items
        .iter()
        .map(|item| Wanted { trace: &item.cx.idempotency_key, value: &item.input.email, properties: &item.input.properties })
        .collect();
    let mut results = upsert_many(config, "contacts", "email", &wanted)?;
    let links: Vec<(usize, String, String)> = items
        .iter()
        .zip(&results)
        .filter_map(|(item, result)| Some((item.place, result.as_ref().ok()?.id.clone(), item.input.company_id.clone()?)))
        .collect();
    if !links.is_empty() {
        let pairs: Vec<(&str, &str)> = links.iter().map(|(_, contact, company)| (contact.as_str(), company.as_str())).collect();
        let linked = associate_many(config, "contacts", "companies", &pairs);
        for ((place, ..), linked) in links.iter().zip(linked) {
            if let (Err(failure), Some(at)) = (linked, items.iter().position(|item| item.place == *place)) {
                results[at] = Err(failure);
            }
        }
    }
    Ok(results)
}
