//! Action `upsert-contact`.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    client::associations,
    config::Config,
    errors::ok,
    upsert::{Upserted, upsert},
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
