//! `sangam.webhook`: tells subscribers.
//!
//! The step posts nothing itself. It brings in one event for each endpoint, committed with its success: so whoever is told is decided once, and
//! durable before anything leaves. Each of them is taken up by the endpoint's own route (`config::delivery_route`), with order, retries and dead
//! letters of its own. Rather than one write for each endpoint in this step: then the slowest would hold the run for days, and with it its order
//! key, and what two runs send to one endpoint would have no order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::deliver::Delivery;
use super::{Act, Stop};
use crate::config::{WEBHOOK_DELIVERY, WEBHOOK_SOURCE};
use crate::event::{Data, Event, Json, MAX_ATTRIBUTE};
use crate::run::FailureKind;

/// Tells; gives the `webhook-id`, who is told, and who does not want to be.
pub(super) async fn webhook(act: &mut Act<'_>) -> Result<Value, Stop> {
    let rejected = |why: String| Stop::failed(FailureKind::Rejected, why);
    let present = act.runtime.present();
    let known = &present.revision.config.webhooks;
    let names: Vec<String> = match &act.input["to"] {
        Value::String(all) if all == "*" => known.keys().cloned().collect(),
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if let Some(unknown) = names.iter().find(|name| !known.contains_key(*name)) {
        return Err(rejected(format!("the present configuration has no [webhooks.{unknown}]")));
    }
    let own = |name: &str| act.input.get(name).filter(|value| !value.is_null());
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let event_type = text(own("type")).or_else(|| text(act.event.get("type"))).unwrap_or_default();
    let id = text(own("id")).unwrap_or_else(|| act.step_key());
    if id.is_empty() || id.len() > MAX_ATTRIBUTE || !id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.') {
        // It is part of what is signed, with dots between the parts.
        return Err(rejected(format!("`id` has 1 to {MAX_ATTRIBUTE} printable ASCII characters, no spaces and no dots")));
    }
    let delivery = Delivery {
        id: id.clone(),
        event_type: event_type.clone(),
        source: text(act.event.get("source")).unwrap_or_default(),
        subject: text(act.event.get("subject")),
        time: act.clock().to_string(),
        data: act.input.get("data").or_else(|| act.event.get("data")).cloned().unwrap_or_default(),
    };
    let (told, skipped): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| known[name].wants(&event_type));
    for name in &told {
        let mut data = delivery.to_value();
        data["endpoint"] = json!(name);
        let event = Event {
            id: id.clone(),
            source: format!("{WEBHOOK_SOURCE}{name}"),
            event_type: WEBHOOK_DELIVERY.to_owned(),
            subject: Some(event_type.clone()),
            time: Some(delivery.time.clone()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            extensions: BTreeMap::new(),
            data: Data::Json(Json::try_from(&data).map_err(|error| rejected(error.to_string()))?),
        };
        act.bring_in(&event).await?;
    }
    Ok(json!({ "id": id, "told": told, "skipped": skipped }))
}
