//! Action `upsert-account`, for one run or for many.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    config::Config,
    upsert::{Record, Upserted, fields, upsert, upsert_many},
};

/// Updates the account with that external id, or creates it. Fields that are not given keep their values.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all(serialize = "PascalCase"), deny_unknown_fields)]
pub struct UpsertAccount {
    /// Your id of it, in the field that `account-external-id-field` names.
    #[serde(skip_serializing)]
    external_id: String,
    name: String,
    phone: Option<String>,
    website: Option<String>,
    description: Option<String>,
    billing_street: Option<String>,
    billing_city: Option<String>,
    billing_state: Option<String>,
    billing_postal_code: Option<String>,
    billing_country: Option<String>,
    /// Further fields by API name, such as `Industry` or `Region__c`; null clears one.
    #[serde(default, skip_serializing)]
    fields: Map<String, Value>,
}

pub fn upsert_account(input: UpsertAccount, cx: &Context<Config>) -> Result<Upserted, Failure> {
    upsert(cx, &record(&input, &cx.config)?)
}

/// The same for several runs.
pub fn upsert_accounts(items: &[Item<UpsertAccount, Config>]) -> Result<Vec<Result<Upserted, Failure>>, Failure> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let records: Vec<_> = items.iter().map(|item| record(&item.input, &item.cx.config)).collect();
    Ok(upsert_many(&first.cx.config, &records))
}

fn record<'a>(input: &'a UpsertAccount, config: &'a Config) -> Result<Record<'a>, Failure> {
    Ok(Record {
        object: "Account",
        field: &config.account_external_id_field,
        external_id: &input.external_id,
        fields: fields(input, &input.fields)?,
    })
}
