//! Verification of webhooks: whether a delivery is from whom it says. Pure: no I/O, no clock.
//!
//! [`verify`] takes what the administrator configured ([`Verify`]), the secrets that belong to it, and the request as it came, and gives what is
//! known of the delivery then. Signatures are compared in constant time, over the bytes as they came: a body is looked into only once it is known to
//! be the sender's.

mod delivery;
mod digest;
mod kept;
mod mac;
mod mango;
mod message_signature;
mod refused;
mod salesforce;
mod shared;
mod standard;
#[cfg(test)]
mod tests;
mod time;
mod twilio;

pub use delivery::{Delivery, Verified};
pub use kept::kept_body;
pub use refused::Refused;

use zeroize::Zeroizing;

use crate::config::{DeliveryId, TimePlace, TokenPlace, Verify};
use crate::credentials::{Hidden, Secret};

/// Verifies a delivery. `secrets` are those of [`Verify::secrets`], in the same order.
///
/// # Errors
/// Why it is not believed. Its sender is told nothing but that.
pub fn verify(how: &Verify, secrets: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    if secrets.len() != how.secrets().len() {
        return Err(Refused::Key);
    }
    match how {
        Verify::Nothing => Ok(Verified::default()),
        Verify::Mac(mac) => mac::verify(mac, secrets, delivery),
        Verify::StandardWebhooks { public_keys, tolerance, .. } => standard::verify(secrets, public_keys, *tolerance, delivery),
        Verify::MessageSignature(signature) => message_signature::verify(signature, secrets, delivery),
        Verify::Twilio { .. } => twilio::verify(secrets, delivery),
        Verify::MangoOffice { .. } => mango::verify(secrets, delivery),
        Verify::Salesforce { organizations, .. } => salesforce::verify(organizations, secrets, delivery),
        Verify::Bearer { .. } => shared::bearer(secrets, delivery),
        Verify::Basic { .. } => shared::basic(secrets, delivery),
        Verify::Token { place, .. } => shared::token(place, secrets, delivery),
        // Of the connection, which is not here: whoever knows it judges it.
        Verify::Mtls(_) => Err(Refused::Key),
    }
}

/// The secret that a delivery shows, where the scheme is one that both sides know: what somebody may guess. `None`: it shows none, or proves itself by
/// a signature, which can't be tried out one by one.
pub fn shown_secret(how: &Verify, delivery: &Delivery<'_>) -> Option<String> {
    match how {
        Verify::Bearer { .. } => shared::scheme(delivery, "bearer").ok().map(str::to_owned),
        Verify::Basic { .. } => shared::scheme(delivery, "basic").ok().map(str::to_owned),
        Verify::Token { place, .. } => shared::at(place, delivery).ok().map(std::borrow::Cow::into_owned),
        Verify::Salesforce { .. } => {
            shared::at(&TokenPlace::Query(salesforce::PARAMETER.to_owned()), delivery).ok().map(std::borrow::Cow::into_owned)
        }
        Verify::Nothing
        | Verify::Mtls(_)
        | Verify::Mac(_)
        | Verify::StandardWebhooks { .. }
        | Verify::MessageSignature(_)
        | Verify::Twilio { .. }
        | Verify::MangoOffice { .. } => None,
    }
}

/// A key that is shorter is what people choose, and may be a word of any text: masked, it would change what plugins read. Bytes.
const SHORTEST_KEY: usize = 16;

/// What nobody is to see of the keys that deliveries are signed with: as they are written and as they are used. Not of the secrets that every delivery
/// shows: people choose them, and some are words that stand in any text.
pub fn hidden(how: &Verify, secrets: &[Secret]) -> Hidden {
    let mut hidden = Hidden::default();
    let secrets: Vec<&Secret> = secrets.iter().filter(|secret| secret.expose().len() >= SHORTEST_KEY).collect();
    let mut key = |secret: &Secret, bytes: Result<Zeroizing<Vec<u8>>, Refused>| match bytes {
        Ok(bytes) => hidden.key(secret, &bytes),
        // No key of the scheme: it signs nothing, and is a secret all the same.
        Err(_) => hidden.secret(secret),
    };
    match how {
        Verify::Mac(mac) => secrets.iter().for_each(|secret| key(secret, digest::key(secret, mac.secret_encoding))),
        Verify::StandardWebhooks { .. } => secrets.iter().for_each(|secret| key(secret, standard::key(secret))),
        Verify::MessageSignature(signature) => {
            message_signature::encodings(signature).zip(secrets).for_each(|(encoding, secret)| key(secret, digest::key(secret, encoding)))
        }
        Verify::Twilio { .. } | Verify::MangoOffice { .. } => secrets.iter().for_each(|secret| hidden.secret(secret)),
        Verify::Nothing
        | Verify::Mtls(_)
        | Verify::Salesforce { .. }
        | Verify::Bearer { .. }
        | Verify::Basic { .. }
        | Verify::Token { .. } => {}
    }
    hidden
}

/// Headers that carry a signature or a secret, lower case: expressions and plugins don't see them.
pub fn hidden_headers(how: &Verify) -> Vec<&str> {
    let mut hidden = vec!["authorization", "proxy-authorization", "cookie"];
    match how {
        Verify::Mac(mac) => {
            hidden.push(&mac.header);
            if let Some(time) = &mac.time
                && let TimePlace::Header(name) = &time.place
            {
                hidden.push(name);
            }
            // Where the id is that of a header, expressions may want it.
            let id = mac.id.as_ref().and_then(|id| if let DeliveryId::Header(name) = id { Some(name) } else { None });
            hidden.retain(|name| id.is_none_or(|id| id != name));
        }
        Verify::StandardWebhooks { .. } => hidden.extend(standard::SIGNATURES),
        Verify::MessageSignature(_) => hidden.extend(["signature", "signature-input"]),
        Verify::Twilio { .. } => hidden.push(twilio::HEADER),
        Verify::Token { place: TokenPlace::Header(name), .. } => hidden.push(name),
        Verify::Nothing
        | Verify::Mtls(_)
        | Verify::MangoOffice { .. }
        | Verify::Salesforce { .. }
        | Verify::Bearer { .. }
        | Verify::Basic { .. }
        | Verify::Token { .. } => {}
    }
    hidden
}

/// Parameters of the query that carry a secret.
pub fn hidden_parameters(how: &Verify) -> Vec<&str> {
    match how {
        Verify::Salesforce { .. } => vec![salesforce::PARAMETER],
        Verify::Token { place: TokenPlace::Query(name), .. } => vec![name],
        _ => Vec::new(),
    }
}
