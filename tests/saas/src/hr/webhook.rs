//! Webhooks: a leave that changed, signed by Standard Webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::json;

use super::leave::Leave;
use crate::webhook::{Delivery, Target};

/// The message about a leave.
pub fn delivery(leave: &Leave, target: &Target) -> Delivery {
    let body = json!(leave).to_string();
    let id = format!("msg_{}_{}", leave.id, leave.updated_at.map_or(0, |at| at.as_microsecond()));
    let now = Timestamp::now().as_second();
    // `whsec_` and Base64, as the specification writes secrets; or any other text.
    let encoded = target.secret.strip_prefix("whsec_").and_then(|secret| STANDARD.decode(secret).ok());
    let secret = encoded.unwrap_or_else(|| target.secret.clone().into_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}.{now}.{body}").as_bytes()));
    Delivery {
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", format!("v1,{signature}")),
        ],
        body: body.into_bytes(),
    }
}
