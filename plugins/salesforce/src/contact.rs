//! Action `upsert-contact`, for one run or for many.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    config::Config,
    upsert::{Record, Upserted, fields, upsert, upsert_many},
};

/// Updates the contact with that external id, or creates it. Fields that are not given keep their values.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"), deny_unknown_fields)]
pub struct UpsertContact {
    /// Your id of it, in the field that `contact-external-id-field` names.
    #[serde(skip_serializing)]
    external_id: String,
    last_name: String,
    first_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    mobile_phone: Option<String>,
    title: Option<String>,
    mailing_street: Option<String>,
    mailing_city: Option<String>,
    mailing_state: Option<String>,
    mailing_postal_code: Option<String>,
    mailing_country: Option<String>,
    /// Your id of the account it belongs to, which must be there.
    #[serde(skip_serializing)]
    account_external_id: Option<String>,
    /// Further fields by API name, such as `DoNotCall` or `Preferred_Channel__c`; null clears one.
    #[serde(default, skip_serializing)]
    fields: Map<String, Value>,
}

pub fn upsert_contact(input: UpsertContact, cx: &Context<Config>) -> Result<Upserted, Failure> {
    upsert(cx, &record(&input, &cx.config)?)
}

/// The same for several runs.
pub fn upsert_contacts(items: &[Item<UpsertContact, Config>]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let records: Vec<_> = items.iter().map(|item| record(&item.input, &item.cx.config)).collect();
    Ok(upsert_many(&first.cx.config, &records))
}

fn record<'a>(input: &'a UpsertContact, config: &'a Config) -> Result<Record<'a>, Failure> {
    let mut fields = fields(input, &input.fields)?;
    if let Some(external_id) = &input.account_external_id {
        let field = config.account_external_id_field.to_string();
        fields.insert("Account".to_owned(), json!({ field: external_id }));
    }
    Ok(Record { object: "Contact", field: &config.contact_external_id_field, external_id: &input.external_id, fields })
}
