//! Webhooks: batches of what happened to records of one or several accounts.
//!
//! They may come twice and out of order, and tell single properties; so each record that they name is read as it is now, once a batch.

use sangam_sdk::prelude::*;

use super::{Beginning, Object, moment};
use crate::{client::read_of, config::Config};

/// A record first seen is new if it was created at most so long before its last change.
const NEW_SECONDS: u32 = 300;

/// An element of a batch, as far as it matters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(default)]
    portal_id: Option<u64>,
    /// `contact.propertyChange`, `ticket.creation`, …, or `object.…` with a type id.
    subscription_type: String,
    #[serde(default)]
    object_type_id: Option<String>,
    #[serde(default)]
    object_id: Option<u64>,
    #[serde(default)]
    occurred_at: Option<i64>,
    /// Who changed it: `CRM_UI`, `INTEGRATION`, …
    #[serde(default)]
    change_source: Option<String>,
    /// Which one: an app's id, `userId:…`.
    #[serde(default)]
    source_id: Option<String>,
    /// Of a merge: the records that are no more.
    #[serde(default)]
    merged_object_ids: Vec<u64>,
}

pub fn receive(object: &Object, inbound: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let batch: Vec<Told> = inbound.json()?;
    let mut changed: Vec<String> = Vec::new();
    let mut gone: Vec<(String, Option<i64>)> = Vec::new();
    for told in batch {
        let Some(happened) = told.happened(object).map(str::to_owned) else { continue };
        let elsewhere = cx.config.portal_id.is_some_and(|ours| told.portal_id != Some(ours));
        if elsewhere || told.is_ours(&cx.config) {
            continue;
        }
        let id = told.object_id.map(|id| id.to_string());
        if matches!(happened.as_str(), "deletion" | "privacyDeletion") {
            gone.extend(id.map(|id| (id, told.occurred_at)));
            continue;
        }
        gone.extend(told.merged_object_ids.iter().map(|id| (id.to_string(), told.occurred_at)));
        changed.extend(id.filter(|id| !changed.contains(id)));
    }
    changed.retain(|id| !gone.iter().any(|(gone, _)| gone == id));

    let mut events = Vec::new();
    if !changed.is_empty() {
        let properties = object.properties(&cx.config);
        let names: Vec<_> = properties.iter().map(String::as_str).collect();
        let mut news = Vec::new();
        for record in read_of(&cx.config, object.plural, &changed, &names)? {
            let (_, at) = object.version(&record)?;
            let since = moment::before(&at, NEW_SECONDS);
            news.extend(object.look(&record, &cx.config, Beginning { since: Some(&since), all: false })?.map(|what| (record, what)));
        }
        events = (object.events)(&cx.config, &news)?;
    }
    for (id, at) in gone {
        echo::forget(object.plural, &id)?;
        let at = at.and_then(moment::of_milliseconds).unwrap_or_default();
        events.push((object.gone)(&id, &at)?);
    }
    Ok(Received::new(events))
}

impl Told {
    /// What happened, if it concerns that type of object.
    fn happened(&self, object: &Object) -> Option<&str> {
        let (of, happened) = self.subscription_type.split_once('.')?;
        let concerns = of == object.singular || (of == "object" && self.object_type_id.as_deref() == Some(object.type_id));
        concerns.then_some(happened)
    }

    /// Whether the app that this connector works as did it.
    fn is_ours(&self, config: &Config) -> bool {
        let by_app = matches!(self.change_source.as_deref(), Some("INTEGRATION" | "API" | "INTEGRATIONS_PLATFORM"));
        let app = config.app_id.map(|id| id.to_string());
        by_app && app.is_some() && self.source_id == app
    }
}
