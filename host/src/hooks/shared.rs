//! A secret that both sides know, somewhere in the request.

use std::borrow::Cow;

use url::form_urlencoded;

use super::digest::{base64, same};
use super::{Delivery, Refused, Verified};
use crate::config::TokenPlace;
use crate::credentials::Secret;

/// `Authorization: Bearer TOKEN` (RFC 6750 section 2.1).
pub(super) fn bearer(tokens: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    known(tokens, scheme(delivery, "bearer")?)
}

/// `Authorization: Basic …` (RFC 7617). The secrets are the name, and passwords.
pub(super) fn basic(secrets: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    let malformed = || Refused::Malformed("authorization".to_owned());
    let text = base64(scheme(delivery, "basic")?).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(malformed)?;
    let (name, password) = text.split_once(':').ok_or_else(malformed)?;
    let (username, passwords) = secrets.split_first().ok_or(Refused::Key)?;
    let right_name = same(username.expose().as_bytes(), name.as_bytes());
    let right_password = known(passwords, password).is_ok();
    if right_name & right_password { Ok(Verified::default()) } else { Err(Refused::Secret) }
}

/// `token`: wherever the sender puts it.
pub(super) fn token(place: &TokenPlace, values: &[Secret], delivery: &Delivery<'_>) -> Result<Verified, Refused> {
    known(values, &at(place, delivery)?)
}

/// What stands where the sender puts its token.
pub(super) fn at<'d>(place: &TokenPlace, delivery: &Delivery<'d>) -> Result<Cow<'d, str>, Refused> {
    let once = |pairs: &[u8], name: &str, what: &str| {
        let mut found = form_urlencoded::parse(pairs).filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let value = found.next().ok_or_else(|| Refused::Missing(format!("{what} {name}")))?;
        if found.next().is_some() { Err(Refused::Doubled(format!("{what} {name}"))) } else { Ok(value) }
    };
    match place {
        TokenPlace::Header(name) => delivery.required(name).map(Cow::Borrowed),
        TokenPlace::Query(name) => once(delivery.query().unwrap_or_default().as_bytes(), name, "parameter").map(Cow::Owned),
        TokenPlace::Form(name) => once(delivery.body, name, "field").map(Cow::Owned),
        TokenPlace::Body(pointer) => {
            let body: serde_json::Value = serde_json::from_slice(delivery.body).map_err(|_| Refused::Malformed("the body".to_owned()))?;
            let value = body.pointer(pointer).and_then(serde_json::Value::as_str);
            value.map(|value| Cow::Owned(value.to_owned())).ok_or_else(|| Refused::Missing(format!("{pointer} in the body")))
        }
    }
}

/// What follows the name of an authentication scheme, which has no case (RFC 9110 section 11.1).
pub(super) fn scheme<'a>(delivery: &Delivery<'a>, wanted: &str) -> Result<&'a str, Refused> {
    let value = delivery.required("authorization")?;
    match value.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(wanted) => Ok(rest.trim()),
        _ => Err(Refused::Malformed("authorization".to_owned())),
    }
}

fn known(values: &[Secret], given: &str) -> Result<Verified, Refused> {
    let fits = values.iter().fold(false, |fits, value| {
        // An empty secret would let everybody in.
        fits | (same(value.expose().as_bytes(), given.as_bytes()) & !value.expose().is_empty())
    });
    if fits { Ok(Verified::default()) } else { Err(Refused::Secret) }
}
