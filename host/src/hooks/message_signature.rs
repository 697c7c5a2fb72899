//! HTTP Message Signatures (RFC 9421), with the digest of the body (RFC 9530).
//!
//! What is signed is said by the request itself, so that what counts is [`MessageSignature::required`]: a component that is not signed proves
//! nothing.

mod base;
mod content_digest;
mod key;

use jiff::Timestamp;
use sfv::{Dictionary, InnerList, ListEntry, Parser};

use super::{Delivery, Refused, Verified, time};
use crate::config::{MessageKey, MessageKeyKind, MessageSignature, SecretEncoding};
use crate::credentials::Secret;

/// Header of what is signed.
const INPUT: &str = "signature-input";
/// Header of the signatures.
const SIGNATURE: &str = "signature";
/// Signatures looked at in one request.
const MOST: usize = 8;
/// Components of one signature.
const MOST_COMPONENTS: usize = 64;

/// Verifies one signature that fits all that is asked for.
pub(super) fn verify(how: &MessageSignature, secrets: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    let inputs = dictionary(delivery, INPUT)?;
    let signatures = dictionary(delivery, SIGNATURE)?;
    let wanted = |label: &str| how.label.as_ref().is_none_or(|wanted| wanted == label);
    let mut refused = Refused::Key;
    for (label, entry) in inputs.iter().filter(|(label, _)| wanted(label.as_str())).take(MOST) {
        let ListEntry::InnerList(input) = entry else { return Err(Refused::Malformed(INPUT.to_owned())) };
        let signature = match signatures.get(label.as_str()) {
            Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence(),
            _ => None,
        };
        let Some(signature) = signature else {
            refused = Refused::Missing(format!("the signature {label:?}"));
            continue;
        };
        match one(how, secrets, delivery, input, signature) {
            Ok(verified) => return Ok(verified),
            // What is known of one whose key we have says more than that there is another.
            Err(Refused::Key) => {}
            Err(why) => refused = why,
        }
    }
    Err(refused)
}

/// How its secrets are written, in the order of `Verify::secrets`.
pub(super) fn encodings(how: &MessageSignature) -> impl Iterator<Item = SecretEncoding> {
    how.keys.iter().filter_map(|key| match &key.kind {
        MessageKeyKind::HmacSha256 { encoding, .. } => Some(*encoding),
        MessageKeyKind::Public { .. } => None,
    })
}

fn one(
    how: &MessageSignature,
    secrets: &[Secret],
    delivery: &Delivery<'_>,
    input: &InnerList,
    signature: &[u8],
) -> Result<Verified, Refused> {
    let malformed = || Refused::Malformed(INPUT.to_owned());
    let text =
        |name: &str| input.params.get(name).map(|value| value.as_string().map(|text| text.as_str()).ok_or_else(malformed)).transpose();
    let second = |name: &str| {
        let value = input.params.get(name).map(|value| value.as_integer().ok_or_else(malformed)).transpose()?;
        value.map(|value| Timestamp::from_second(i64::from(value)).map_err(|_| malformed())).transpose()
    };
    let (key_id, algorithm) = (text("keyid")?, text("alg")?);
    let (created, expires, nonce) = (second("created")?, second("expires")?, text("nonce")?);
    if input.items.len() > MOST_COMPONENTS {
        return Err(malformed());
    }
    let base = base::base(delivery, input)?;
    let mut fits = false;
    let mut known = false;
    let mut left = secrets.iter();
    for key in &how.keys {
        // In the order of `Verify::secrets`, whether it is tried or not.
        let secret = key.secret().and_then(|_| left.next());
        if !may_be(key, key_id, algorithm) {
            continue;
        }
        known = true;
        fits |= key::verify(key, secret, base.as_bytes(), signature)?;
    }
    if !known {
        return Err(Refused::Key);
    }
    if !fits {
        return Err(Refused::Signature);
    }
    let signed = |component: &str| input.items.iter().any(|item| base::is(item, component));
    for component in &how.required {
        // A body that is not there has no digest.
        let needless = component == "content-digest" && delivery.body.is_empty();
        if !signed(component) && !needless {
            return Err(Refused::Unsigned(component.clone()));
        }
    }
    if signed("content-digest") {
        content_digest::check(delivery)?;
    }
    let created = created.ok_or_else(|| Refused::Missing("the time of the signature (created)".to_owned()))?;
    time::near(created, delivery.now, how.tolerance)?;
    if let Some(over) = expires.filter(|expires| *expires < delivery.now) {
        return Err(Refused::Old { seconds: delivery.now.duration_since(over).as_secs() });
    }
    let delivery_id = match &how.id_header {
        Some(name) if !signed(name) => return Err(Refused::Unsigned(name.clone())),
        Some(name) => Some(delivery.required(name)?.to_owned()),
        // Every signature has a nonce of its own, and so has a delivery that is sent again.
        None => nonce.map(str::to_owned),
    };
    Ok(Verified { delivery_id, sent_at: Some(created) })
}

/// Whether a signature that says this may be made with the key.
fn may_be(key: &MessageKey, key_id: Option<&str>, algorithm: Option<&str>) -> bool {
    let id = key.id.as_deref().is_none_or(|id| key_id == Some(id));
    // The key says with which algorithm it is used; a signature that says something else is not believed (section 3.2).
    id && algorithm.is_none_or(|algorithm| algorithm == key::algorithm(key))
}

fn dictionary(delivery: &Delivery<'_>, name: &str) -> Result<Dictionary, Refused> {
    let values: Vec<&[u8]> = delivery.headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
    if values.is_empty() {
        return Err(Refused::Missing(name.to_owned()));
    }
    // A field in several lines is one (RFC 9110 section 5.3); but a label in two of them would mean one thing to us and another to a proxy.
    let mut all = Dictionary::new();
    for value in values {
        let line = Parser::new(value).parse::<Dictionary>().map_err(|_| Refused::Malformed(name.to_owned()))?;
        for (label, entry) in line {
            if all.contains_key(label.as_str()) {
                return Err(Refused::Doubled(format!("{label} in {name}")));
            }
            all.insert(label, entry);
        }
    }
    Ok(all)
}
