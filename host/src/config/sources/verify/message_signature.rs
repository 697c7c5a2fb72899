//! `scheme = "rfc9421"`.

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use webpki::RawPublicKeyEntity;

use super::{one, tolerance};
use crate::config::clear_text::reference;
use crate::config::header::header_name;
use crate::config::item::Item;
use crate::config::model::{MessageKey, MessageKeyKind, MessageSignature, PublicAlgorithm, SecretEncoding};
use crate::config::reader::Reader;
use crate::config::reference::resolved_as_far_as_possible;
use crate::config::section::Section;

/// What has to be signed unless the file says otherwise: all that says what is asked of whom.
const REQUIRED: [&str; 3] = ["@method", "@target-uri", "content-digest"];
const MOST_KEYS: usize = 16;

/// `algorithm` of a key.
#[derive(Clone, Copy)]
enum Algorithm {
    Hmac,
    Public(PublicAlgorithm),
}

const ALGORITHMS: [(&str, Algorithm); 6] = [
    ("hmac-sha256", Algorithm::Hmac),
    ("ed25519", Algorithm::Public(PublicAlgorithm::Ed25519)),
    ("ecdsa-p256-sha256", Algorithm::Public(PublicAlgorithm::EcdsaP256)),
    ("ecdsa-p384-sha384", Algorithm::Public(PublicAlgorithm::EcdsaP384)),
    ("rsa-pss-sha512", Algorithm::Public(PublicAlgorithm::RsaPss)),
    ("rsa-v1_5-sha256", Algorithm::Public(PublicAlgorithm::RsaPkcs1)),
];

/// Reads the keys of the scheme; the caller finishes the section.
pub(super) fn message_signature(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<MessageSignature> {
    let keys_item = section.required(r, "keys", "[{ id = \"…\", algorithm = \"ed25519\", public-key = \"${file:vendor.pem}\" }]");
    let keys = keys_item.and_then(|item| {
        let items = item.items(r)?;
        if items.is_empty() || items.len() > MOST_KEYS {
            r.error(&item.span, format!("`keys` takes 1 to {MOST_KEYS} keys"));
            return None;
        }
        let keys: Vec<Option<MessageKey>> = items.iter().map(|item| key(r, item)).collect();
        keys.into_iter().collect::<Option<Vec<MessageKey>>>()
    });
    let required = match section.get("required") {
        None => Some(REQUIRED.iter().map(ToString::to_string).collect()),
        Some(item) => item.items(r).and_then(|items| items.iter().map(|item| item.parsed(r, component)).collect()),
    };
    let label = section.get("label").map(|item| item.text(r).map(|text| text.value.to_owned()));
    let tolerance = tolerance(r, section);
    let id_header = section.get("id-header").map(|item| item.parsed(r, header_name).map(|name| name.to_ascii_lowercase()));
    Some(MessageSignature {
        keys: keys?,
        required: required?,
        label: match label {
            Some(label) => Some(label?),
            None => None,
        },
        tolerance: tolerance?,
        id_header: match id_header {
            Some(name) => Some(name?),
            None => None,
        },
    })
}

fn component(text: &str) -> Result<String, String> {
    let fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
    if fine {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is no component: write it such as \"@method\" or \"content-digest\", in lower case"))
    }
}

fn key(r: &mut Reader<'_>, item: &Item<'_>) -> Option<MessageKey> {
    let mut section = item.table(r, "a key")?;
    let id = section.get("id").map(|item| item.text(r).map(|text| text.value.to_owned()));
    let algorithm = section.required(r, "algorithm", "\"ed25519\"").and_then(|item| item.choice(r, &ALGORITHMS))?;
    let kind = match algorithm {
        Algorithm::Hmac => {
            let encodings = [("text", SecretEncoding::Text), ("hex", SecretEncoding::Hex), ("base64", SecretEncoding::Base64)];
            let encoding = section.get("secret-encoding").map_or(Some(SecretEncoding::Text), |item| item.choice(r, &encodings));
            let secret = one(r, &mut section, "secret");
            secret.zip(encoding).map(|(secret, encoding)| MessageKeyKind::HmacSha256 { secret, encoding })
        }
        Algorithm::Public(algorithm) => {
            let item = section.required(r, "public-key", "\"${file:vendor.pem}\"");
            item.and_then(|item| public_key(r, &item)).map(|key| MessageKeyKind::Public { algorithm, key })
        }
    };
    section.finish(r);
    let id = match id {
        Some(id) => Some(id?),
        None => None,
    };
    Some(MessageKey { id, kind: kind? })
}

/// A public key in PEM, in the file or beside it.
fn public_key(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<u8>> {
    let reference = reference(r, item)?;
    let Some(text) = resolved_as_far_as_possible(r, &reference) else {
        r.error(&item.span, "a public key is no secret, and has to be known when the configuration is read")
            .help("write \"${file:vendor.pem}\"");
        return None;
    };
    let key = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes());
    match key {
        Ok(key) if RawPublicKeyEntity::try_from(&key).is_ok() => Some(key.as_ref().to_vec()),
        _ => {
            r.error(&item.span, "this is no public key in PEM")
                .help("it begins with -----BEGIN PUBLIC KEY-----; `openssl pkey -pubin -in FILE` reads it");
            None
        }
    }
}
