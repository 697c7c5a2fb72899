//! `hmac`, and the schemes of vendors that are a form of it.

use std::time::Duration;

use super::{secrets, tolerance};
use crate::config::braces::Parts;
use crate::config::header::header_name;
use crate::config::item::{Item, given};
use crate::config::model::{DeliveryId, HmacAlgorithm, HookPart, HookTime, Mac, SecretEncoding, SignatureEncoding, SignedTime, TimePlace};
use crate::config::reader::Reader;
use crate::config::section::Section;

/// Schemes that differ in their form alone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Preset {
    /// `hmac`: the file says it all.
    Own,
    /// `hubspot-v3`
    HubSpot,
    /// `intuit`, both formats of its bodies.
    Intuit,
    /// `github`
    GitHub,
    /// `stripe`
    Stripe,
    /// `shopify`
    Shopify,
    /// `slack`
    Slack,
    /// `meta`: WhatsApp, Messenger, Instagram.
    Meta,
    /// `jobber`
    Jobber,
    /// `housecall-pro`
    HousecallPro,
    /// `servicetitan`
    ServiceTitan,
}

/// What a vendor does.
struct Form {
    scheme: &'static str,
    header: &'static str,
    signed: Vec<HookPart>,
    prefix: &'static str,
    encoding: SignatureEncoding,
    field: Option<&'static str>,
    time: Option<(TimePlace, HookTime)>,
    id: Option<DeliveryId>,
}

/// Reads the keys of the scheme; the caller finishes the section.
pub(super) fn mac(r: &mut Reader<'_>, section: &mut Section<'_>, preset: Preset) -> Option<Mac> {
    let secrets = secrets(r, section, "secret");
    let Some(form) = form(preset) else { return own(r, section, secrets) };
    let tolerance = if form.time.is_some() { tolerance(r, section) } else { Some(Duration::ZERO) };
    // Whose form nobody documents for certain.
    let header = match preset {
        Preset::ServiceTitan => section.get("header").map_or(Some(form.header.to_owned()), |item| lower_header(r, &item)),
        _ => Some(form.header.to_owned()),
    };
    let encoding = match preset {
        Preset::ServiceTitan => section.get("encoding").map_or(Some(form.encoding), |item| item.choice(r, &ENCODINGS)),
        _ => Some(form.encoding),
    };
    let tolerance = tolerance?;
    Some(Mac {
        scheme: form.scheme,
        secrets: secrets?,
        secret_encoding: SecretEncoding::Text,
        algorithm: HmacAlgorithm::Sha256,
        signed: form.signed,
        header: header?,
        field: form.field.map(str::to_owned),
        prefix: form.prefix.to_owned(),
        encoding: encoding?,
        time: form.time.map(|(place, form)| SignedTime { place, form, tolerance }),
        id: form.id,
    })
}

const ENCODINGS: [(&str, SignatureEncoding); 3] =
    [("hex", SignatureEncoding::Hex), ("base64", SignatureEncoding::Base64), ("base64url", SignatureEncoding::Base64Url)];

/// `None`: the file says it.
fn form(preset: Preset) -> Option<Form> {
    use HookPart::{Body, Method, Text, Timestamp, UrlDecoded};
    use SignatureEncoding::{Base64, Hex};
    let header = |name: &str| Some(DeliveryId::Header(name.to_owned()));
    let member = |pointer: &str| Some(DeliveryId::Body(pointer.to_owned()));
    let text = |text: &str| Text(text.to_owned());
    let at = |name: &str, form| Some((TimePlace::Header(name.to_owned()), form));
    let body =
        |scheme, header, prefix, encoding, id| Form { scheme, header, signed: vec![Body], prefix, encoding, field: None, time: None, id };
    Some(match preset {
        Preset::Own => return None,
        Preset::HubSpot => Form {
            scheme: "hubspot-v3",
            header: "x-hubspot-signature-v3",
            signed: vec![Method, UrlDecoded, Body, Timestamp],
            prefix: "",
            encoding: Base64,
            field: None,
            time: at("x-hubspot-request-timestamp", HookTime::Milliseconds),
            // A delivery holds several events, each with an id of its own.
            id: None,
        },
        Preset::Intuit => body("intuit", "intuit-signature", "", Base64, None),
        Preset::GitHub => body("github", "x-hub-signature-256", "sha256=", Hex, header("x-github-delivery")),
        Preset::Shopify => body("shopify", "x-shopify-hmac-sha256", "", Base64, header("x-shopify-webhook-id")),
        Preset::Meta => body("meta", "x-hub-signature-256", "sha256=", Hex, None),
        Preset::Jobber => body("jobber", "x-jobber-hmac-sha256", "", Base64, None),
        Preset::ServiceTitan => body("servicetitan", "x-servicetitan-signature", "", Hex, None),
        Preset::Stripe => Form {
            scheme: "stripe",
            header: "stripe-signature",
            signed: vec![Timestamp, text("."), Body],
            prefix: "",
            encoding: Hex,
            field: Some("v1"),
            time: Some((TimePlace::Field("t".to_owned()), HookTime::Seconds)),
            id: member("/id"),
        },
        Preset::Slack => Form {
            scheme: "slack",
            header: "x-slack-signature",
            signed: vec![text("v0:"), Timestamp, text(":"), Body],
            prefix: "v0=",
            encoding: Hex,
            field: None,
            time: at("x-slack-request-timestamp", HookTime::Seconds),
            id: member("/event_id"),
        },
        Preset::HousecallPro => Form {
            scheme: "housecall-pro",
            header: "api-signature",
            signed: vec![Timestamp, text("."), Body],
            prefix: "",
            encoding: Hex,
            field: None,
            time: at("api-timestamp", HookTime::Seconds),
            id: None,
        },
    })
}

/// `scheme = "hmac"`.
fn own(r: &mut Reader<'_>, section: &mut Section<'_>, secrets: Option<Vec<crate::config::Reference>>) -> Option<Mac> {
    let secret_encodings = [("text", SecretEncoding::Text), ("hex", SecretEncoding::Hex), ("base64", SecretEncoding::Base64)];
    let secret_encoding = section.get("secret-encoding").map_or(Some(SecretEncoding::Text), |item| item.choice(r, &secret_encodings));
    let algorithms = [
        ("sha256", HmacAlgorithm::Sha256),
        ("sha512", HmacAlgorithm::Sha512),
        ("sha384", HmacAlgorithm::Sha384),
        ("sha1", HmacAlgorithm::Sha1),
    ];
    let algorithm = section.get("algorithm").map_or(Some(HmacAlgorithm::Sha256), |item| item.choice(r, &algorithms));
    let signed_item = section.get("signed");
    let signed = signed_item.as_ref().map_or(Some(vec![HookPart::Body]), |item| template(r, item));
    let header = section.required(r, "header", "\"X-Signature\"").and_then(|item| lower_header(r, &item));
    let prefix = section.get("prefix").map_or(Some(String::new()), |item| item.text(r).map(|text| text.value.to_owned()));
    let encoding = section.get("encoding").map_or(Some(SignatureEncoding::Hex), |item| item.choice(r, &ENCODINGS));
    let field = section.get("signature-field").map(|item| item.parsed(r, field_name));
    let time = time(r, section, field.is_some());
    let id_header = section.get("id-header").map(|item| lower_header(r, &item));
    let id_item = section.get("id");
    let id = id_item.as_ref().map(|item| item.parsed(r, pointer));
    if let (Some(_), Some(item)) = (&id_header, &id_item) {
        r.error(&item.key, "`id-header` and `id` both say where the id of the delivery is").help("keep one of the two");
        return None;
    }
    let (signed, field, time) = (signed?, given(field)?, time?);
    let place = signed_item.map_or(section.span.clone(), |item| item.span);
    if signed.contains(&HookPart::Timestamp) && time.is_none() {
        r.error(&place, "`{timestamp}` is signed, and nothing says where it stands")
            .help("add timestamp-header = \"X-Timestamp\", or timestamp-field = \"t\"");
        return None;
    }
    if let Some(time) = &time
        && !covers(&signed, &time.place)
    {
        r.error(&place, "the time of the signature is not among what is signed, so that anybody could write another")
            .help("write it as {timestamp} into `signed`, as the sender does");
        return None;
    }
    if signed.contains(&HookPart::Id) && id_header.is_none() {
        r.error(&place, "`{id}` is signed, and nothing says where it stands").help("add id-header = \"X-Delivery-Id\"");
        return None;
    }
    if !signed.iter().any(|part| matches!(part, HookPart::Body | HookPart::BodySha256)) {
        r.warn(&place, "the body is not among what is signed: whoever holds one request can send any other with its signature");
    }
    let id = match (given(id_header)?, given(id)?) {
        (Some(name), _) => Some(DeliveryId::Header(name)),
        (None, Some(pointer)) => Some(DeliveryId::Body(pointer)),
        (None, None) => None,
    };
    Some(Mac {
        scheme: "hmac",
        secrets: secrets?,
        secret_encoding: secret_encoding?,
        algorithm: algorithm?,
        signed,
        header: header?,
        field,
        prefix: prefix?,
        encoding: encoding?,
        time,
        id,
    })
}

/// Whether the time is among what is signed.
fn covers(signed: &[HookPart], place: &TimePlace) -> bool {
    signed.iter().any(|part| match (part, place) {
        (HookPart::Timestamp, _) => true,
        (HookPart::Header(name), TimePlace::Header(time)) => name == time,
        _ => false,
    })
}

/// `timestamp-header`, `timestamp-field`, `timestamp`, `tolerance`. `None`: a mistake.
fn time(r: &mut Reader<'_>, section: &mut Section<'_>, has_fields: bool) -> Option<Option<SignedTime>> {
    let header = section.get("timestamp-header").map(|item| lower_header(r, &item));
    let field_item = section.get("timestamp-field");
    let field = field_item.as_ref().map(|item| item.parsed(r, field_name));
    let forms = [("unix", HookTime::Seconds), ("unix-ms", HookTime::Milliseconds), ("rfc3339", HookTime::Rfc3339)];
    let form = section.get("timestamp").map_or(Some(HookTime::Seconds), |item| item.choice(r, &forms));
    let tolerance = tolerance(r, section);
    let place = match (given(header)?, given(field)?, &field_item) {
        (Some(_), Some(_), Some(item)) => {
            r.error(&item.key, "`timestamp-header` and `timestamp-field` both say where the time is").help("keep one of the two");
            return None;
        }
        (Some(name), _, _) => TimePlace::Header(name),
        (None, Some(_), Some(item)) if !has_fields => {
            r.error(&item.key, "`timestamp-field` is a field of the signature's header, which has none")
                .help("add signature-field = \"v1\"");
            return None;
        }
        (None, Some(name), _) => TimePlace::Field(name),
        (None, None, _) => return Some(None),
    };
    Some(Some(SignedTime { place, form: form?, tolerance: tolerance? }))
}

fn lower_header(r: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    item.parsed(r, header_name).map(|name| name.to_ascii_lowercase())
}

fn field_name(text: &str) -> Result<String, String> {
    let fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fine { Ok(text.to_owned()) } else { Err(format!("{text:?} is not the name of a field of a header")) }
}

fn pointer(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err(format!("{text:?} is no JSON pointer: write it such as \"/event/id\"")) }
}

/// Parts that are a word.
const PARTS: [(&str, HookPart); 11] = [
    ("body", HookPart::Body),
    ("timestamp", HookPart::Timestamp),
    ("id", HookPart::Id),
    ("method", HookPart::Method),
    ("url", HookPart::Url),
    ("url-decoded", HookPart::UrlDecoded),
    ("host", HookPart::Host),
    ("path", HookPart::Path),
    ("query", HookPart::Query),
    ("target", HookPart::Target),
    ("body-sha256", HookPart::BodySha256),
];

/// A text with parts in braces.
fn template(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<HookPart>> {
    Parts { of: "a delivery", words: &PARTS, header: HookPart::Header, text: HookPart::Text }.read(r, item)
}
