//! Action `upsert-company`.
//!
//! A domain names a company for people, but it is no unique property: HubSpot can't upsert by it, and its search shows a new company some
//! seconds late. So after an attempt that may have made one without getting the answer, the next only looks, and where
//! it sees nothing leaves the search time until the one after that.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    client::{get, id, objects},
    config::Config,
    errors::ok,
    upsert::{Upserted, upsert},
};

/// How late HubSpot's search is at most, as far as is known: seconds.
const INDEX_LAG: Duration = Duration::from_secs(15);

/// Updates a company, or creates it. Give your id of it where `company-external-id-property` is configured; else the
/// domain. Properties that are not given keep their values.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpsertCompany {
    /// Your id of it.
    external_id: Option<String>,
    /// Such as `acme.example`.
    domain: Option<String>,
    /// By internal name, such as `name`; an empty text clears one.
    #[serde(default)]
    properties: Map<String, Value>,
}

pub fn upsert_company(input: UpsertCompany, cx: &Context<Config>) -> Result<Upserted, Failure> {
    let UpsertCompany { external_id, domain, mut properties } = input;
    if let Some(domain) = &domain {
        properties.insert("domain".to_owned(), domain.as_str().into());
    }
    match (external_id, &cx.config.company_external_id_property, domain) {
        (Some(external_id), Some(property), _) => upsert(cx, "companies", property, &external_id, &properties),
        (Some(_), None, _) => Err(Failure::rejected("`external_id` needs `company-external-id-property` in the plugin's configuration")),
        (None, _, Some(domain)) => by_domain(cx, &domain, &properties),
        (None, _, None) => Err(Failure::rejected("Give `external_id` or `domain`")),
    }
}

fn by_domain(cx: &Context<Config>, domain: &str, properties: &Map<String, Value>) -> Result<Upserted, Failure> {
    let body = json!({ "properties": properties });
    // Two names: creating and updating are two requests, and an attempt may find what an earlier one has created.
    match find(cx, domain)? {
        Some(id) => {
            cx.patch(objects(cx, &format!("companies/{id}"))).name("update").json(&body).send().and_then(ok)?;
            Ok(Upserted { id, created: false })
        }
        // Patience rather than a retry: the attempts before may all have been turned away by a limit, and none is to be used up by looking.
        None if cx.attempt.is_multiple_of(2) => Err(Failure::rate_limited(format!(
            "HubSpot's search shows no company of {domain}, but may be late with one of an earlier attempt"
        ))
        .after(INDEX_LAG)),
        None => {
            let created = cx.post(objects(cx, "companies")).name("create").json(&body).send().and_then(ok)?;
            let id = id(&created.json::<Value>()?["id"]).unwrap_or_default();
            log::info("created a company", &[("id", &id), ("domain", &domain)]);
            Ok(Upserted { id, created: true })
        }
    }
}

/// The oldest company of that domain.
fn find(cx: &Context<Config>, domain: &str) -> Result<Option<String>, Failure> {
    let search = json!({
        "filterGroups": [{ "filters": [{ "propertyName": "domain", "operator": "EQ", "value": domain }] }],
        "sorts": [{ "propertyName": "createdate", "direction": "ASCENDING" }],
        "properties": ["domain"],
        "limit": 1,
    });
    let found = get(cx.post(objects(cx, "companies/search")).read_only().json(&search))?;
    Ok(id(&found["results"][0]["id"]))
}
