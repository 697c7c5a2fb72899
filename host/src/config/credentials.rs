//! `[credentials.NAME]`.

use super::clear_text::{plain, reference, secret};
use super::header;
use super::item::{Item, Text};
use super::model::{Credential, CredentialKind, JwtAlgorithm};
use super::oauth2::{AUTHORIZATION_KEYS, authorization_code, client, renewed_client};
use super::origin::origin;
use super::place::places;
use super::problems::did_you_mean;
use super::reader::Reader;
use super::reference::{has_reference, resolved};
use super::section::Section;
use super::signing::{HMAC_KEYS, hmac};

/// A type of credential and the keys that belong to it, besides `type` and `hosts`.
struct Type {
    name: &'static str,
    keys: &'static [&'static str],
}

const BEARER: Type = Type { name: "bearer", keys: &["token"] };
const BASIC: Type = Type { name: "basic", keys: &["username", "password"] };
const HEADER: Type = Type { name: "header", keys: &["name", "value"] };
const QUERY: Type = Type { name: "query", keys: &["name", "value"] };
const HMAC: Type = Type { name: "hmac", keys: &HMAC_KEYS };
const PLACEHOLDER: Type = Type { name: "placeholder", keys: &["value", "in"] };
const CLIENT_CREDENTIALS: Type =
    Type { name: "oauth2-client-credentials", keys: &["token-url", "client-id", "client-secret", "client-auth", "scopes", "audience"] };
const REFRESH_TOKEN: Type = Type {
    name: "oauth2-refresh-token",
    keys: &["token-url", "client-id", "client-secret", "client-auth", "scopes", "audience", "refresh-token", "keep-alive"],
};
const AUTHORIZATION_CODE: Type = Type { name: "oauth2-authorization-code", keys: &AUTHORIZATION_KEYS };
const JWT_BEARER: Type = Type {
    name: "oauth2-jwt-bearer",
    keys: &[
        "token-url",
        "client-id",
        "client-secret",
        "client-auth",
        "scopes",
        "audience",
        "issuer",
        "subject",
        "private-key",
        "algorithm",
    ],
};
const TYPES: [Type; 10] =
    [BEARER, BASIC, HEADER, QUERY, HMAC, PLACEHOLDER, CLIENT_CREDENTIALS, REFRESH_TOKEN, AUTHORIZATION_CODE, JWT_BEARER];

/// Keys whose values people may see. Under any other, even a misspelt one, a literal text may be a secret.
const PUBLIC: [&str; 26] = [
    "type",
    "hosts",
    "name",
    "username",
    "token-url",
    "auth-url",
    "auth-parameters",
    "client-id",
    "client-auth",
    "scopes",
    "audience",
    "issuer",
    "subject",
    "algorithm",
    "keep-alive",
    "in",
    "key-encoding",
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

/// Reads one credential.
pub(super) fn credential(r: &mut Reader<'_>, name: &str, mut section: Section<'_>) -> Option<Credential> {
    let members = section.members();
    let secrets = members.iter().filter(|member| !PUBLIC.contains(&member.name.as_str()));
    r.hidden.extend(secrets.filter(|item| !item.value.as_str().is_some_and(has_reference)).map(|item| item.span.clone()));
    let type_item = section.required(r, "type", "\"bearer\"");
    let hosts = section.required(r, "hosts", "[\"https://api.example.com\"]").map(|item| hosts(r, &item));
    let Some(type_item) = type_item else {
        // Without a type nobody knows which of the other keys belong.
        return None;
    };
    let text = type_item.text(r)?;
    let Some(found) = TYPES.iter().find(|known| known.name == text.value) else {
        wrong_type(r, &text);
        return None;
    };
    let kind = kind(r, found.name, &mut section);
    refuse_keys_of_other_types(r, found, &mut section);
    section.finish(r);
    Some(Credential { name: name.to_owned(), hosts: hosts?, kind: kind? })
}

fn wrong_type(r: &mut Reader<'_>, text: &Text<'_>) {
    let names = TYPES.iter().map(|known| known.name);
    r.unknown(&text.span, format!("unknown credential type {:?}", text.value), text.value, names);
}

fn refuse_keys_of_other_types(r: &mut Reader<'_>, found: &Type, section: &mut Section<'_>) {
    let others = TYPES.iter().flat_map(|other| other.keys).filter(|key| !found.keys.contains(key));
    for key in others.copied().collect::<std::collections::BTreeSet<_>>() {
        // Asked for only where it is there, so that it is not offered as a near name.
        let Some(item) = section.table.contains_key(key).then(|| section.get(key)).flatten() else {
            continue;
        };
        let message = format!("`{key}` does not belong to a credential of type {:?}", found.name);
        r.error(&item.key, message).help = did_you_mean(key, found.keys.iter().copied());
    }
}

fn hosts(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<String> {
    let texts = item.texts(r);
    if item.value.as_array().is_some_and(|array| array.is_empty()) {
        r.error(&item.span, "`hosts` names no origin, so that the credential would never be attached")
            .help("write hosts = [\"https://api.example.com\"]");
    }
    let mut origins = Vec::new();
    for text in texts {
        let Some(value) = resolved(r, &text) else {
            continue;
        };
        match origin(&value) {
            Ok(origin) if origin.scheme == "http" && !origin.is_loopback() => {
                r.error(&text.span, format!("`{value}` would carry the credential unencrypted")).help("write https://");
            }
            Ok(origin) => origins.push(origin.to_string()),
            Err(message) => r.error(&text.span, message).help("write the scheme and host alone, such as \"https://api.example.com\""),
        }
    }
    origins
}

fn kind(r: &mut Reader<'_>, name: &str, section: &mut Section<'_>) -> Option<CredentialKind> {
    let found = |other: &Type| name == other.name;
    if found(&BEARER) {
        return Some(CredentialKind::Bearer { token: secret(r, section, "token")? });
    }
    if found(&BASIC) {
        let (username, password) = (plain(r, section, "username"), secret(r, section, "password"));
        return Some(CredentialKind::Basic { username: username?, password: password? });
    }
    if found(&HEADER) {
        let (name, value) = (header_name(r, section), secret(r, section, "value"));
        return Some(CredentialKind::Header { name: name?, value: value? });
    }
    if found(&QUERY) {
        let name = section.required(r, "name", "\"api_key\"").and_then(|item| item.parsed(r, parameter_name));
        let value = secret(r, section, "value");
        return Some(CredentialKind::Query { name: name?, value: value? });
    }
    if found(&HMAC) {
        return hmac(r, section).map(|hmac| CredentialKind::Hmac(Box::new(hmac)));
    }
    if found(&PLACEHOLDER) {
        let (value, places) = (secret(r, section, "value"), places(r, section));
        return Some(CredentialKind::Placeholder { value: value?, places: places? });
    }
    if found(&AUTHORIZATION_CODE) {
        return authorization_code(r, section);
    }
    if found(&CLIENT_CREDENTIALS) {
        return client(r, section, true).map(CredentialKind::OAuth2ClientCredentials);
    }
    if found(&REFRESH_TOKEN) {
        let (client, refresh_token) = (renewed_client(r, section), secret(r, section, "refresh-token"));
        return Some(CredentialKind::OAuth2RefreshToken { client: client?, refresh_token: refresh_token? });
    }
    let client = client(r, section, false);
    let issuer = section.get("issuer").map(|item| reference(r, &item));
    let subject = plain(r, section, "subject");
    let private_key = secret(r, section, "private-key");
    let algorithms = [("RS256", JwtAlgorithm::Rs256), ("ES256", JwtAlgorithm::Es256)];
    let algorithm = section.get("algorithm").map(|item| item.choice(r, &algorithms));
    Some(CredentialKind::OAuth2JwtBearer {
        client: client?,
        issuer: match issuer {
            Some(issuer) => Some(issuer?),
            None => None,
        },
        subject: subject?,
        private_key: private_key?,
        algorithm: algorithm.unwrap_or(Some(JwtAlgorithm::Rs256))?,
    })
}

fn header_name(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<String> {
    let item = section.required(r, "name", "\"X-Api-Key\"")?;
    item.parsed(r, header::header_name)
}

/// Anything can be the name of a parameter; nothing, or what only looks like a name, is a slip.
fn parameter_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|c| c.is_control() || matches!(c, '&' | '=' | '#' | '?')) {
        return Err(format!("{text:?} is not the name of a query parameter"));
    }
    Ok(text.to_owned())
}
