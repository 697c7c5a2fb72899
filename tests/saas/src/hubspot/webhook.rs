//! Webhooks of an app: batches of changes, signed by version 3 of the vendor's scheme.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

use super::portal::{Change, Happened};
use crate::webhook::{Delivery, Target};

/// The app that writes through the API.
pub const APP_ID: u64 = 54_321;

/// The batch that tells some changes.
pub(super) fn batch(changes: &[Change], by_app: bool) -> Vec<Value> {
    let now = Timestamp::now().as_millisecond();
    let (source, source_id) = if by_app { ("INTEGRATION", APP_ID.to_string()) } else { ("CRM_UI", "userId:12345".to_owned()) };
    let event = |(index, change): (usize, &Change)| {
        let (happened, flag) = match &change.what {
            Happened::Creation => ("creation", "NEW"),
            Happened::Deletion => ("deletion", "DELETED"),
            Happened::Property(..) => ("propertyChange", "UPDATED"),
        };
        let mut event = json!({
            "eventId": now * 1000 + i64::try_from(index).unwrap_or_default(),
            "subscriptionId": 12_345,
            "portalId": super::PORTAL_ID,
            "appId": APP_ID,
            "occurredAt": now,
            "subscriptionType": format!("{}.{happened}", change.kind.singular()),
            "attemptNumber": 0,
            "objectId": change.id,
            "changeSource": source,
            "changeFlag": flag,
            "sourceId": source_id,
        });
        if let Happened::Property(name, value) = &change.what {
            event["propertyName"] = name.as_str().into();
            event["propertyValue"] = value.as_deref().unwrap_or_default().into();
        }
        event
    };
    changes.iter().enumerate().map(event).collect()
}

/// A batch on its way. What is signed is the address that the sender knows: the option `public-url`, else where it goes.
pub(super) fn delivery(batch: &[Value], target: &Target, attempt: u32) -> Delivery {
    let mut batch = batch.to_vec();
    batch.iter_mut().for_each(|event| event["attemptNumber"] = (attempt - 1).into());
    let body = Value::Array(batch).to_string();
    let now = Timestamp::now().as_millisecond();
    let uri = target.options.get("public-url").and_then(Value::as_str).unwrap_or(&target.url);
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("POST{uri}{body}{now}").as_bytes()));
    Delivery {
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-hubspot-signature-v3", signature),
            ("x-hubspot-request-timestamp", now.to_string()),
        ],
        body: body.into_bytes(),
    }
}
