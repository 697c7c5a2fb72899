//! What the vendors post to a webhook: what people write, and what became of a message. Signed as the vendor signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{ACCOUNT, PHONE_NUMBER_ID};
use crate::webhook::{Delivery, Target};

/// A delivery of the WhatsApp Cloud API about a number: `value` has `messages`, or `statuses`. (developers.facebook.com: webhooks, payload reference.)
pub(super) fn whatsapp(value: &Value, target: &Target) -> Delivery {
    let mut value = value.clone();
    value["messaging_product"] = "whatsapp".into();
    value["metadata"] = json!({ "display_phone_number": "43 1 2345", "phone_number_id": PHONE_NUMBER_ID });
    let body =
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1055", "changes": [{ "field": "messages", "value": value }] }] });
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    let signature: String = hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Delivery {
        headers: vec![("content-type", "application/json".to_owned()), ("x-hub-signature-256", format!("sha256={signature}"))],
        body: body.into_bytes(),
    }
}

/// A form of Twilio's: the signature is over the URL and the sorted fields. (twilio.com/docs/usage/webhooks/webhooks-security.)
pub(super) fn twilio(fields: &[(&'static str, String)], target: &Target) -> Delivery {
    let mut fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    fields.push(("AccountSid", ACCOUNT));
    fields.push(("ApiVersion", "2010-04-01"));
    fields.sort_unstable();
    let signed: String = std::iter::once(target.url.as_str()).chain(fields.iter().flat_map(|(name, value)| [*name, *value])).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, target.secret.as_bytes());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    Delivery {
        headers: vec![
            ("content-type", "application/x-www-form-urlencoded; charset=UTF-8".to_owned()),
            ("x-twilio-signature", STANDARD.encode(hmac::sign(&key, signed.as_bytes()))),
        ],
        body: body.into_bytes(),
    }
}
