//! Mango Office (telephony): `sign` is the SHA-256 of the key, the field `json` and a salt.

use url::form_urlencoded;

use super::digest::{self, same};
use super::{Delivery, Refused, Verified};
use crate::credentials::Secret;

/// Verifies one. The secrets are key and salt.
pub(super) fn verify(secrets: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    let [api_key, salt] = secrets else { return Err(Refused::Key) };
    let field = |name: &str| {
        let mut values = form_urlencoded::parse(delivery.body).filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let value = values.next().ok_or_else(|| Refused::Missing(format!("field {name}")))?;
        if values.next().is_some() { Err(Refused::Doubled(format!("field {name}"))) } else { Ok(value) }
    };
    let (key, sign, json) = (field("vpbx_api_key")?, field("sign")?, field("json")?);
    let expected = digest::sha256_hex([api_key.expose(), json.as_str(), salt.expose()].concat().as_bytes());
    let right_key = same(key.as_bytes(), api_key.expose().as_bytes());
    if !(right_key & same(sign.to_ascii_lowercase().as_bytes(), expected.as_bytes())) {
        return Err(Refused::Signature);
    }
    Ok(Verified::default())
}
