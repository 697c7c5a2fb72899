//! `verify`: how a webhook proves where it comes from.

mod mac;
mod message_signature;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::mtls;
use crate::config::clear_text::{plain, reference_secret};
use crate::config::header::header_name;
use crate::config::item::Item;
use crate::config::model::{Reference, TokenPlace, Verify};
use crate::config::reader::Reader;
use crate::config::section::Section;

/// How far a signature's time may be from now, unless the file says otherwise: what Standard Webhooks, Stripe, Slack and HubSpot recommend.
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(300);
const TOLERANCES: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
/// Secrets of one source: the present one and those that are being replaced.
const MOST_SECRETS: usize = 8;

/// The words of `scheme`.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    Mac(mac::Preset),
    StandardWebhooks,
    Rfc9421,
    Twilio,
    MangoOffice,
    Salesforce,
    Bearer,
    Basic,
    Mtls,
    Token,
}

const SCHEMES: [(&str, Scheme); 20] = [
    ("standard-webhooks", Scheme::StandardWebhooks),
    ("hmac", Scheme::Mac(mac::Preset::Own)),
    ("rfc9421", Scheme::Rfc9421),
    ("hubspot-v3", Scheme::Mac(mac::Preset::HubSpot)),
    ("intuit", Scheme::Mac(mac::Preset::Intuit)),
    ("salesforce-outbound-message", Scheme::Salesforce),
    ("github", Scheme::Mac(mac::Preset::GitHub)),
    ("stripe", Scheme::Mac(mac::Preset::Stripe)),
    ("shopify", Scheme::Mac(mac::Preset::Shopify)),
    ("slack", Scheme::Mac(mac::Preset::Slack)),
    ("twilio", Scheme::Twilio),
    ("meta", Scheme::Mac(mac::Preset::Meta)),
    ("jobber", Scheme::Mac(mac::Preset::Jobber)),
    ("housecall-pro", Scheme::Mac(mac::Preset::HousecallPro)),
    ("servicetitan", Scheme::Mac(mac::Preset::ServiceTitan)),
    ("mango-office", Scheme::MangoOffice),
    ("bearer", Scheme::Bearer),
    ("basic", Scheme::Basic),
    ("mtls", Scheme::Mtls),
    ("token", Scheme::Token),
];

/// Reads `verify`: `"none"`, or a table with a `scheme`.
pub(super) fn verify(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Verify> {
    if !item.value.is_table() {
        if item.value.as_str().is_some_and(|word| SCHEMES.iter().any(|(scheme, _)| *scheme == word)) {
            let word = item.value.as_str().unwrap_or_default();
            r.error(&item.span, format!("`{word}` needs to know a secret"))
                .help(format!("write verify = {{ scheme = {word:?}, secret = \"${{secret:NAME}}\" }}"));
            return None;
        }
        item.choice(r, &[("none", ())])?;
        r.warn(&item.span, "nobody verifies what comes in here: whoever reaches this host can send events through this source")
            .help("write verify = { scheme = \"…\", secret = \"${secret:NAME}\" } as soon as the sender can sign");
        return Some(Verify::Nothing);
    }
    let mut section = item.table(r, "`verify`")?;
    let scheme = section.required(r, "scheme", "\"standard-webhooks\"").and_then(|item| item.choice(r, &SCHEMES))?;
    let verify = scheme_of(r, &mut section, scheme);
    section.finish(r);
    verify
}

fn scheme_of(r: &mut Reader<'_>, section: &mut Section<'_>, scheme: Scheme) -> Option<Verify> {
    match scheme {
        Scheme::Mac(preset) => mac::mac(r, section, preset).map(|mac| Verify::Mac(Box::new(mac))),
        Scheme::Rfc9421 => message_signature::message_signature(r, section).map(|how| Verify::MessageSignature(Box::new(how))),
        Scheme::StandardWebhooks => standard_webhooks(r, section),
        Scheme::Twilio => secrets(r, section, "secret").map(|secrets| Verify::Twilio { secrets }),
        Scheme::MangoOffice => {
            let api_key = one(r, section, "api-key");
            let salt = one(r, section, "salt");
            Some(Verify::MangoOffice { api_key: api_key?, salt: salt? })
        }
        Scheme::Salesforce => {
            let items = section.required(r, "organization", "\"00D000000000001\"").map(|item| item.one_or_more());
            let organizations = items.map(|items| items.iter().map(|item| item.parsed(r, organization)).collect::<Vec<_>>());
            let tokens = secrets(r, section, "token");
            Some(Verify::Salesforce { organizations: organizations?.into_iter().collect::<Option<_>>()?, tokens: tokens? })
        }
        Scheme::Bearer => secrets(r, section, "token").map(|tokens| Verify::Bearer { tokens }),
        Scheme::Basic => {
            let username = plain(r, section, "username");
            let passwords = secrets(r, section, "password");
            Some(Verify::Basic { username: username?, passwords: passwords? })
        }
        Scheme::Mtls => mtls::mtls(r, section).map(Verify::Mtls),
        Scheme::Token => {
            let place = section.required(r, "in", "\"header:X-Token\"").and_then(|item| item.parsed(r, token_place));
            let values = secrets(r, section, "value");
            Some(Verify::Token { place: place?, values: values? })
        }
    }
}

fn standard_webhooks(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Verify> {
    let key_items = section.get("public-key").map(|item| item.one_or_more()).unwrap_or_default();
    let public_keys: Vec<Option<[u8; 32]>> = key_items.iter().map(|item| item.parsed(r, public_key)).collect();
    // Either kind of key is enough.
    let secrets = if public_keys.is_empty() || section.get("secret").is_some() { secrets(r, section, "secret") } else { Some(Vec::new()) };
    let tolerance = tolerance(r, section);
    Some(Verify::StandardWebhooks {
        secrets: secrets?,
        public_keys: public_keys.into_iter().collect::<Option<_>>()?,
        tolerance: tolerance?,
    })
}

/// `whpk_` and 32 bytes in base64.
fn public_key(text: &str) -> Result<[u8; 32], String> {
    let read = text.strip_prefix("whpk_").and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| bytes.try_into().ok());
    read.ok_or_else(|| format!("{text:?} is no public key of Standard Webhooks: it begins with whpk_, and 32 bytes in base64 follow"))
}

/// The id of an organization of Salesforce.
fn organization(text: &str) -> Result<String, String> {
    let fine = text.starts_with("00D") && matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fine { Ok(text.to_owned()) } else { Err(format!("{text:?} is not the id of an organization: 00D and 12 or 15 characters more")) }
}

fn token_place(text: &str) -> Result<TokenPlace, String> {
    match text.split_once(':') {
        Some(("header", name)) => header_name(name).map(|name| TokenPlace::Header(name.to_ascii_lowercase())),
        Some(("query", name)) if !name.is_empty() => Ok(TokenPlace::Query(name.to_owned())),
        Some(("form", name)) if !name.is_empty() => Ok(TokenPlace::Form(name.to_owned())),
        Some(("body", pointer)) if pointer.starts_with('/') => Ok(TokenPlace::Body(pointer.to_owned())),
        _ => Err(format!("{text:?} is no place: write \"header:NAME\", \"query:NAME\", \"form:NAME\" or \"body:/JSON/POINTER\"")),
    }
}

/// `tolerance`
fn tolerance(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Duration> {
    section.get("tolerance").map_or(Some(DEFAULT_TOLERANCE), |item| item.duration(r, TOLERANCES))
}

/// One secret.
fn one(r: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str) -> Option<Reference> {
    let item = section.required(r, key, "\"${secret:NAME}\"")?;
    reference_secret(r, &item, key)
}

/// A secret, or several while one is being replaced.
fn secrets(r: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str) -> Option<Vec<Reference>> {
    let item = section.required(r, key, "\"${secret:NAME}\"")?;
    let items = item.one_or_more();
    if items.is_empty() || items.len() > MOST_SECRETS {
        r.error(&item.span, format!("`{key}` takes 1 to {MOST_SECRETS} secrets"))
            .help(format!("write {key} = \"${{secret:NAME}}\"; during a rotation [\"${{secret:NEW}}\", \"${{secret:OLD}}\"]"));
        return None;
    }
    let secrets: Vec<Option<Reference>> = items.iter().map(|item| reference_secret(r, item, key)).collect();
    secrets.into_iter().collect()
}
