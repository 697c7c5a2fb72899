//! Twilio: HMAC-SHA1 over the URL and the sorted fields of the form; of another body its digest stands in the URL.

use url::form_urlencoded;

use super::digest::{self, same};
use super::{Delivery, Refused, Verified};
use crate::config::{HmacAlgorithm, SecretEncoding};
use crate::credentials::Secret;

/// Header of the signature.
pub(super) const HEADER: &str = "x-twilio-signature";
/// Header of the delivery's id.
const ID: &str = "i-twilio-idempotency-token";
/// Header that says how it was made.
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
/// Parameter of the URL with the digest of a body that is no form.
const BODY_DIGEST: &str = "bodySHA256";

/// Verifies one.
pub(super) fn verify(secrets: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    let signature = digest::base64(delivery.required(HEADER)?).ok_or_else(|| Refused::Malformed(HEADER.to_owned()))?;
    let query = delivery.query().unwrap_or_default();
    let written = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == BODY_DIGEST).map(|(_, value)| value.into_owned());
    let fields = match written {
        // Whatever the body is called, and if there is none: else a signed URL would let in any body of another kind.
        Some(written) => {
            if !same(written.to_ascii_lowercase().as_bytes(), digest::sha256_hex(delivery.body).as_bytes()) {
                return Err(Refused::Digest);
            }
            String::new()
        }
        None if delivery.is_form() => {
            let mut pairs: Vec<(String, String)> = form_urlencoded::parse(delivery.body).into_owned().collect();
            // The same pair twice is signed once.
            pairs.sort();
            pairs.dedup();
            pairs.into_iter().map(|(name, value)| name + &value).collect()
        }
        None if delivery.body.is_empty() => String::new(),
        None => return Err(Refused::Missing(format!("{BODY_DIGEST} in the URL"))),
    };
    // Webhooks with a key of their own say that it is SHA-256.
    let settings = delivery.header(SETTINGS)?.unwrap_or_default();
    let is_sha256 = settings.split(',').any(|setting| setting.trim().eq_ignore_ascii_case("algorithm=HMAC_SHA256"));
    let algorithm = if is_sha256 { HmacAlgorithm::Sha256 } else { HmacAlgorithm::Sha1 };
    let mut fits = false;
    for url in urls(delivery) {
        for secret in secrets {
            let key = digest::key(secret, SecretEncoding::Text)?;
            let expected = digest::mac(&key, algorithm, format!("{url}{fields}").as_bytes());
            fits |= same(expected.as_ref(), &signature);
        }
    }
    if !fits {
        return Err(Refused::Signature);
    }
    Ok(Verified { delivery_id: delivery.header(ID)?.map(str::to_owned), sent_at: None })
}

/// The URL as it is, and with and without the port that its scheme has by itself: Twilio signs either.
fn urls(delivery: &Delivery<'_>) -> Vec<String> {
    let (scheme, host, target) = (delivery.scheme(), delivery.host(), delivery.target());
    let own = if scheme == "https" { ":443" } else { ":80" };
    let other = match host.strip_suffix(own) {
        Some(bare) => Some(bare.to_owned()),
        None if host.rsplit(']').next().is_some_and(|rest| rest.contains(':')) => None,
        None => Some(format!("{host}{own}")),
    };
    let whole = |host: &str| format!("{scheme}://{host}{target}");
    std::iter::once(delivery.url.to_owned()).chain(other.map(|host| whole(&host))).collect()
}
