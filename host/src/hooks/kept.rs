//! A body as it may be kept: without the secret that its sender put into it.

use std::borrow::Cow;

use serde_json::Value;
use url::form_urlencoded;

use crate::config::{TokenPlace, Verify};

/// What Mango Office proves itself with, beside the data in `json`.
const MANGO: [&str; 2] = ["vpbx_api_key", "sign"];

/// The body without its secret; the body itself where the scheme puts none into it. Of a verified delivery: what can't be read holds no secret
/// that was found.
pub fn kept_body<'b>(how: &Verify, body: &'b [u8]) -> Cow<'b, [u8]> {
    match how {
        Verify::Token { place: TokenPlace::Form(name), .. } => without_fields(body, &[name]),
        Verify::Token { place: TokenPlace::Body(pointer), .. } => without_member(body, pointer),
        Verify::MangoOffice { .. } => without_fields(body, &MANGO),
        _ => Cow::Borrowed(body),
    }
}

/// The other fields stay as they are written.
fn without_fields<'b>(body: &'b [u8], names: &[&str]) -> Cow<'b, [u8]> {
    let is_kept = |pair: &&[u8]| !form_urlencoded::parse(pair).next().is_some_and(|(name, _)| names.contains(&name.as_ref()));
    let kept: Vec<&[u8]> = body.split(|byte| *byte == b'&').filter(is_kept).collect();
    Cow::Owned(kept.join(&b'&'))
}

/// The other members stay, with the digits of their numbers.
fn without_member<'b>(body: &'b [u8], pointer: &str) -> Cow<'b, [u8]> {
    let removed = || {
        let mut value: Value = serde_json::from_slice(body).ok()?;
        let (parent, member) = pointer.rsplit_once('/')?;
        let member = member.replace("~1", "/").replace("~0", "~");
        match value.pointer_mut(parent)? {
            Value::Object(members) => drop(members.remove(&member)),
            // The places of the others stay.
            Value::Array(items) => *items.get_mut(member.parse::<usize>().ok()?)? = Value::Null,
            _ => return None,
        }
        serde_json::to_vec(&value).ok()
    };
    removed().map_or(Cow::Borrowed(body), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Reference;

    fn token(place: TokenPlace) -> Verify {
        Verify::Token { place, values: Vec::new() }
    }

    fn kept(how: &Verify, body: &str) -> String {
        String::from_utf8(kept_body(how, body.as_bytes()).into_owned()).expect("text")
    }

    #[test]
    fn a_secret_in_a_form_is_taken_out_and_the_other_fields_stay_as_they_are_written() {
        let how = token(TokenPlace::Form("auth[token]".to_owned()));
        assert_eq!(kept(&how, "a=1&auth%5Btoken%5D=s3cret&b=%2f+x&a=2"), "a=1&b=%2f+x&a=2");
        assert_eq!(kept(&how, "auth[token]=s3cret"), "");
        assert_eq!(kept(&how, "auth[tokens]=1&&c"), "auth[tokens]=1&&c");
        let none = Reference { parts: Vec::new() };
        let how = Verify::MangoOffice { api_key: none.clone(), salt: none };
        assert_eq!(kept(&how, "vpbx_api_key=k&sign=00&json=%7B%7D"), "json=%7B%7D");
    }

    #[test]
    fn a_secret_in_json_is_taken_out_and_numbers_keep_their_digits() {
        let how = token(TokenPlace::Body("/auth/t~1k".to_owned()));
        assert_eq!(
            kept(&how, r#"{"n": 10.10, "auth": {"t/k": "s3cret", "id": 123456789012345678901}}"#),
            r#"{"auth":{"id":123456789012345678901},"n":10.10}"#
        );
        assert_eq!(kept(&token(TokenPlace::Body("/0".to_owned())), r#"["s3cret",1]"#), "[null,1]");
        assert_eq!(kept(&token(TokenPlace::Body("/token".to_owned())), "no JSON"), "no JSON");
    }
}
