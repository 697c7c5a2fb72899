//! `type = "hmac"`: what is signed, how, and where the signature goes.
//!
//! `signed` and `format` are texts with parts in braces.

use super::braces::Parts;
use super::clear_text::{reference, secret};
use super::header::header_name;
use super::item::{Item, given};
use super::model::{Encoding, Hmac, HmacAlgorithm, SignedPart, TimeForm};
use super::reader::Reader;
use super::section::Section;

/// Keys of `hmac`.
pub(super) const HMAC_KEYS: [&str; 12] = [
    "key",
    "key-encoding",
    "algorithm",
    "signed",
    "header",
    "format",
    "encoding",
    "key-id",
    "key-id-header",
    "timestamp",
    "timestamp-header",
    "nonce-header",
];

/// Parts that are a word.
const PARTS: [(&str, SignedPart); 13] = [
    ("method", SignedPart::Method),
    ("url", SignedPart::Url),
    ("host", SignedPart::Host),
    ("path", SignedPart::Path),
    ("query", SignedPart::Query),
    ("target", SignedPart::Target),
    ("body", SignedPart::Body),
    ("body-sha256", SignedPart::BodySha256),
    ("body-sha256-base64", SignedPart::BodySha256Base64),
    ("timestamp", SignedPart::Timestamp),
    ("nonce", SignedPart::Nonce),
    ("key-id", SignedPart::KeyId),
    ("signature", SignedPart::Signature),
];

/// Parts that the other side has to be told.
const TOLD: [(SignedPart, &str, &str); 2] =
    [(SignedPart::Timestamp, "timestamp", "timestamp-header"), (SignedPart::Nonce, "nonce", "nonce-header")];

/// Reads the keys of `hmac`.
pub(super) fn hmac(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Hmac> {
    let key = secret(r, section, "key");
    let encodings = [("text", Encoding::Text), ("hex", Encoding::Hex), ("base64", Encoding::Base64)];
    let key_encoding = section.get("key-encoding").map_or(Some(Encoding::Text), |item| item.choice(r, &encodings));
    let algorithms = [
        ("sha256", HmacAlgorithm::Sha256),
        ("sha1", HmacAlgorithm::Sha1),
        ("sha384", HmacAlgorithm::Sha384),
        ("sha512", HmacAlgorithm::Sha512),
    ];
    let algorithm = section.get("algorithm").map_or(Some(HmacAlgorithm::Sha256), |item| item.choice(r, &algorithms));
    let signed_item = section.required(r, "signed", "\"{timestamp}.{body}\"");
    let signed = signed_item.as_ref().and_then(|item| template(r, item));
    let header = section.required(r, "header", "\"X-Signature\"").and_then(|item| item.parsed(r, header_name));
    let format_item = section.get("format");
    let format = format_item.as_ref().map_or(Some(vec![SignedPart::Signature]), |item| template(r, item));
    let encoding = section.get("encoding").map_or(Some(Encoding::Hex), |item| item.choice(r, &encodings[1..]));
    let key_id = section.get("key-id").map(|item| reference(r, &item));
    let mut named = |r: &mut Reader<'_>, key| section.get(key).map(|item| item.parsed(r, header_name));
    let key_id_header = named(r, "key-id-header");
    let timestamp_header = named(r, "timestamp-header");
    let nonce_header = named(r, "nonce-header");
    let forms =
        [("unix", TimeForm::Seconds), ("unix-ms", TimeForm::Milliseconds), ("rfc3339", TimeForm::Rfc3339), ("http", TimeForm::Http)];
    let timestamp = section.get("timestamp").map_or(Some(TimeForm::Seconds), |item| item.choice(r, &forms));
    let read = Hmac {
        key: key?,
        key_encoding: key_encoding?,
        algorithm: algorithm?,
        signed: signed?,
        header: header?,
        format: format?,
        encoding: encoding?,
        key_id: given(key_id)?,
        key_id_header: given(key_id_header)?,
        timestamp: timestamp?,
        timestamp_header: given(timestamp_header)?,
        nonce_header: given(nonce_header)?,
    };
    let place = |item: &Option<Item<'_>>| item.as_ref().map(|item| item.span.clone());
    let (signed_at, format_at) = (place(&signed_item)?, place(&format_item));
    coherent(r, &read, &signed_at, format_at.as_ref().unwrap_or(&signed_at)).then_some(read)
}

/// Whether the other side can check what is signed.
fn coherent(r: &mut Reader<'_>, hmac: &Hmac, signed: &std::ops::Range<usize>, format: &std::ops::Range<usize>) -> bool {
    let before = r.problems.len();
    if hmac.signed.contains(&SignedPart::Signature) {
        r.error(signed, "`signed` can't hold `{signature}`, which is made of it").help("write it in `format`");
    }
    if !hmac.format.contains(&SignedPart::Signature) {
        r.error(format, "`format` lacks `{signature}`").help("write it where the vendor expects the signature");
    }
    let sent = [SignedPart::Signature, SignedPart::Timestamp, SignedPart::Nonce, SignedPart::KeyId];
    if hmac.format.iter().any(|part| !matches!(part, SignedPart::Text(_)) && !sent.contains(part)) {
        r.error(format, "`format` takes `{signature}`, `{timestamp}`, `{nonce}` and `{key-id}` only")
            .help("other parts of the request are signed in `signed`");
    }
    for (part, name, header) in TOLD {
        let told = match part {
            SignedPart::Timestamp => hmac.timestamp_header.is_some(),
            _ => hmac.nonce_header.is_some(),
        };
        if hmac.signed.contains(&part) && !told && !hmac.format.contains(&part) {
            r.error(signed, format!("`{{{name}}}` is signed, but the other side is not told it"))
                .help(format!("add {header} = \"X-…\", or put {{{name}}} into `format`"));
        }
    }
    let asks = |parts: &[SignedPart]| parts.contains(&SignedPart::KeyId);
    if hmac.key_id.is_none() && (asks(&hmac.signed) || asks(&hmac.format) || hmac.key_id_header.is_some()) {
        r.error(signed, "`key-id` is missing, and its header or `{key-id}` is there").help("add key-id = \"…\"");
    }
    r.problems.len() == before
}

/// A text with parts in braces.
fn template(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<SignedPart>> {
    Parts { of: "a request", words: &PARTS, header: SignedPart::Header, text: SignedPart::Text }.read(r, item)
}
