//! An HMAC over parts of the request: what most vendors sign with, each in a form of its own.

use super::digest::{self, same};
use super::{Delivery, Refused, Verified, time};
use crate::config::{DeliveryId, HookPart, Mac, TimePlace};
use crate::credentials::Secret;

/// Signatures that one header may hold: a sender that rotates its secret has two.
const MOST: usize = 16;

/// What HubSpot decodes in the URL before it signs (its documentation of `X-HubSpot-Signature-v3`).
const HUBSPOT: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// Verifies it.
pub(super) fn verify(how: &Mac, secrets: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    let header = delivery.required(&how.header)?;
    let signatures = signatures(how, header)?;
    let written = match how.time.as_ref().map(|time| &time.place) {
        Some(TimePlace::Header(name)) => Some(delivery.required(name)?),
        Some(TimePlace::Field(name)) => {
            Some(field(header, name).next().ok_or_else(|| Refused::Missing(format!("{name} in {}", how.header)))?)
        }
        None => None,
    };
    let id_header = match &how.id {
        Some(DeliveryId::Header(name)) => delivery.header(name)?,
        _ => None,
    };
    let message = message(how, delivery, written, id_header)?;
    let mut fits = false;
    for secret in secrets {
        let key = digest::key(secret, how.secret_encoding)?;
        let expected = digest::mac(&key, how.algorithm, &message);
        // All of them, whichever fits: the time says nothing.
        for signature in &signatures {
            fits |= same(expected.as_ref(), signature);
        }
    }
    if !fits {
        return Err(Refused::Signature);
    }
    let mut sent_at = None;
    if let (Some(time), Some(written)) = (&how.time, written) {
        let signed = time::read(written, time.form).ok_or_else(|| Refused::Malformed("the time of the signature".to_owned()))?;
        time::near(signed, delivery.now, time.tolerance)?;
        sent_at = Some(signed);
    }
    let delivery_id = match &how.id {
        Some(DeliveryId::Header(_)) => id_header.filter(|id| !id.is_empty()).map(str::to_owned),
        Some(DeliveryId::Body(pointer)) => in_body(delivery.body, pointer),
        None => None,
    };
    Ok(Verified { delivery_id, sent_at })
}

fn signatures(how: &Mac, header: &str) -> Result<Vec<Vec<u8>>, Refused> {
    let malformed = || Refused::Malformed(how.header.clone());
    let texts: Vec<&str> = match &how.field {
        Some(name) => field(header, name).take(MOST).collect(),
        None => vec![header],
    };
    if texts.is_empty() {
        return Err(malformed());
    }
    let read = |text: &&str| digest::signature(text.strip_prefix(how.prefix.as_str())?, how.encoding);
    texts.iter().map(|text| read(text).ok_or_else(malformed)).collect()
}

/// The values of a name in `a=1,b=2`.
fn field<'h>(header: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    header.split(',').filter_map(move |pair| pair.trim().split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
}

fn message(how: &Mac, delivery: &Delivery<'_>, time: Option<&str>, id: Option<&str>) -> Result<Vec<u8>, Refused> {
    let mut message = Vec::with_capacity(delivery.body.len() + 128);
    for part in &how.signed {
        match part {
            HookPart::Text(text) => message.extend(text.as_bytes()),
            HookPart::Method => message.extend(delivery.method.as_bytes()),
            HookPart::Url => message.extend(delivery.url.as_bytes()),
            HookPart::UrlDecoded => message.extend(hubspot_decoded(delivery.url).as_bytes()),
            HookPart::Host => message.extend(delivery.host().as_bytes()),
            HookPart::Path => message.extend(delivery.path().as_bytes()),
            HookPart::Query => message.extend(delivery.query().unwrap_or_default().as_bytes()),
            HookPart::Target => message.extend(delivery.target().as_bytes()),
            HookPart::Body => message.extend(delivery.body),
            HookPart::BodySha256 => message.extend(digest::sha256_hex(delivery.body).as_bytes()),
            HookPart::Timestamp => message.extend(time.ok_or_else(|| Refused::Missing("the time of the signature".to_owned()))?.as_bytes()),
            HookPart::Id => message.extend(id.ok_or_else(|| Refused::Missing("the id of the delivery".to_owned()))?.as_bytes()),
            HookPart::Header(name) => message.extend(delivery.required(name)?.as_bytes()),
        }
    }
    Ok(message)
}

fn hubspot_decoded(url: &str) -> String {
    let mut decoded = url.to_owned();
    for (escaped, char) in HUBSPOT {
        decoded = decoded.replace(escaped, char).replace(&escaped.to_ascii_lowercase(), char);
    }
    decoded
}

/// The text or number at a pointer of a JSON body.
fn in_body(body: &[u8], pointer: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    match body.pointer(pointer)? {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
