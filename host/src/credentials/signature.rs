//! Signed requests (HMAC, RFC 2104): what a vendor wants signed, written as a recipe. Pure: time and nonce are given.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use ring::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::escape::hex;
use super::hidden::Hidden;
use super::outgoing::Outgoing;
use super::secret::Secret;
use crate::config::{Encoding, Hmac, HmacAlgorithm, SignedPart, TimeForm};

/// What a signature is made with.
#[derive(Clone)]
pub(super) struct Signer {
    recipe: Hmac,
    key: Zeroizing<Vec<u8>>,
    key_id: Option<Secret>,
}

impl Signer {
    /// Reads the key as it is written.
    pub(super) fn new(recipe: &Hmac, key: &Secret, key_id: Option<Secret>) -> Result<Self, &'static str> {
        let key = match recipe.key_encoding {
            Encoding::Text => key.expose().as_bytes().to_vec(),
            Encoding::Hex => unhex(key.expose().trim()).ok_or("its `key` is not hexadecimal, as `key-encoding` says")?,
            Encoding::Base64 => {
                let text = Zeroizing::new(key.expose().trim().trim_end_matches('=').to_owned());
                let read = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text.as_bytes());
                read.map_err(|_| "its `key` is not base64, as `key-encoding` says")?
            }
        };
        Ok(Self { recipe: recipe.clone(), key: Zeroizing::new(key), key_id })
    }

    /// The bytes of the key.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Signs the request and puts the headers onto it that carry the signature. Gives the signature, which is as good as
    /// the secret for this one request.
    pub(super) fn sign(&self, request: &mut Outgoing, now: Timestamp, nonce: &str) -> Result<Hidden, &'static str> {
        let recipe = &self.recipe;
        let time = written(recipe.timestamp, now);
        let given = Given { time: &time, nonce, key_id: self.key_id.as_ref(), signature: "" };
        // Set first: they may be among the headers that are signed.
        for (name, value) in [
            (&recipe.timestamp_header, Some(time.as_str())),
            (&recipe.nonce_header, Some(nonce)),
            (&recipe.key_id_header, self.key_id.as_ref().map(Secret::expose)),
        ] {
            if let (Some(name), Some(value)) = (name, value) {
                set(request, name, value)?;
            }
        }
        let message = text(&recipe.signed, request, &given);
        let algorithm = match recipe.algorithm {
            HmacAlgorithm::Sha1 => HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            HmacAlgorithm::Sha256 => HMAC_SHA256,
            HmacAlgorithm::Sha384 => HMAC_SHA384,
            HmacAlgorithm::Sha512 => HMAC_SHA512,
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, &self.key), &message);
        let signature = match recipe.encoding {
            Encoding::Base64 => STANDARD.encode(tag.as_ref()),
            Encoding::Hex | Encoding::Text => hex(tag.as_ref()),
        };
        let value = text(&recipe.format, request, &Given { signature: &signature, ..given });
        let value = String::from_utf8(value).map_err(|_| "its `format` gives no text")?;
        set(request, &recipe.header, &value)?;
        let mut hidden = Hidden::default();
        hidden.key(&Secret::new(signature), tag.as_ref());
        Ok(hidden)
    }
}

/// What is made for one signature.
struct Given<'a> {
    time: &'a str,
    nonce: &'a str,
    key_id: Option<&'a Secret>,
    signature: &'a str,
}

fn text(parts: &[SignedPart], request: &Outgoing, given: &Given<'_>) -> Vec<u8> {
    let url = &request.url;
    let mut out = Vec::new();
    for part in parts {
        match part {
            SignedPart::Text(text) => out.extend(text.as_bytes()),
            SignedPart::Method => out.extend(request.method.as_str().as_bytes()),
            SignedPart::Url => out.extend(url.as_str().as_bytes()),
            SignedPart::Host => out.extend(super::origin::authority(url).as_bytes()),
            SignedPart::Path => out.extend(url.path().as_bytes()),
            SignedPart::Query => out.extend(url.query().unwrap_or_default().as_bytes()),
            SignedPart::Target => {
                out.extend(url.path().as_bytes());
                if let Some(query) = url.query() {
                    out.push(b'?');
                    out.extend(query.as_bytes());
                }
            }
            SignedPart::Body => out.extend(&request.body),
            SignedPart::BodySha256 => out.extend(hex(&Sha256::digest(&request.body)).as_bytes()),
            SignedPart::BodySha256Base64 => out.extend(STANDARD.encode(Sha256::digest(&request.body)).as_bytes()),
            SignedPart::Header(name) => {
                out.extend(request.headers.get(name.as_str()).map(HeaderValue::as_bytes).unwrap_or_default());
            }
            SignedPart::Timestamp => out.extend(given.time.as_bytes()),
            SignedPart::Nonce => out.extend(given.nonce.as_bytes()),
            SignedPart::KeyId => out.extend(given.key_id.map(Secret::expose).unwrap_or_default().as_bytes()),
            SignedPart::Signature => out.extend(given.signature.as_bytes()),
        }
    }
    out
}

fn written(form: TimeForm, now: Timestamp) -> String {
    match form {
        TimeForm::Seconds => now.as_second().to_string(),
        TimeForm::Milliseconds => now.as_millisecond().to_string(),
        TimeForm::Rfc3339 => now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        TimeForm::Http => DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default(),
    }
}

fn set(request: &mut Outgoing, name: &str, value: &str) -> Result<(), &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "one of its headers has no header's name")?;
    let mut value = HeaderValue::from_str(value).map_err(|_| "one of its headers has characters that no header carries")?;
    value.set_sensitive(true);
    request.headers.insert(name, value);
    Ok(())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect())
        .flatten()
}

#[cfg(test)]
mod tests;
