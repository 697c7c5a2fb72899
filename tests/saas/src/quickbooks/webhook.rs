//! Webhooks: CloudEvents, or the form of before with the option `"format": "notifications"`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use uuid::Uuid;

use super::REALM;
use crate::webhook::{Delivery, Target};

/// A change: entity, id, what happened.
pub(super) type Change = (&'static str, String, &'static str);

/// The message about some changes.
pub(super) fn delivery(changes: &[Change], target: &Target) -> Delivery {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let old = target.options.get("format").and_then(Value::as_str) == Some("notifications");
    let body = if old { notifications(changes, &now) } else { events(changes, &now) }.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, body.as_bytes()));
    Delivery {
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("intuit-signature", signature),
            ("intuit-created-time", now),
            ("intuit-t-id", Uuid::new_v4().to_string()),
        ],
        body: body.into_bytes(),
    }
}

fn events(changes: &[Change], now: &str) -> Value {
    let event = |(entity, id, happened): &Change| {
        json!({
            "specversion": "1.0",
            "id": Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{entity}/{id}/{happened}/{now}").as_bytes()),
            "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
            "type": format!("qbo.{}.{happened}.v1", entity.to_lowercase()),
            "datacontenttype": "application/json",
            "time": now,
            "intuitentityid": id,
            "intuitaccountid": REALM,
            "data": {},
        })
    };
    changes.iter().map(event).collect()
}

fn notifications(changes: &[Change], now: &str) -> Value {
    let entity = |(entity, id, happened): &Change| {
        let operation = match *happened {
            "created" => "Create",
            "deleted" => "Delete",
            "voided" => "Void",
            "emailed" => "Emailed",
            _ => "Update",
        };
        json!({ "name": entity, "id": id, "operation": operation, "lastUpdated": now })
    };
    let entities: Vec<Value> = changes.iter().map(entity).collect();
    json!({ "eventNotifications": [{ "realmId": REALM, "dataChangeEvent": { "entities": entities } }] })
}
