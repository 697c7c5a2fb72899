//! What the OAuth2 types of credentials share: the client.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clear_text::{plain, secret};
use super::item::Item;
use super::model::{ClientAuth, CredentialKind, OAuth2Client};
use super::origin::secret_url;
use super::reader::Reader;
use super::reference::resolved;
use super::section::Section;

/// Keys of `oauth2-authorization-code`.
pub(super) const AUTHORIZATION_KEYS: [&str; 9] =
    ["token-url", "client-id", "client-secret", "client-auth", "scopes", "auth-url", "auth-parameters", "issuer", "keep-alive"];

/// How often a refresh token is used at the least. Vendors end unused ones after 30 days or more.
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(7 * 24 * 3600);
const KEEP_ALIVE: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(365 * 24 * 3600);
/// What the host itself puts into the authorization request.
const OWN_PARAMETERS: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"];

/// Reads `oauth2-authorization-code`.
pub(super) fn authorization_code(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<CredentialKind> {
    let client = renewed_client(r, section);
    let auth_url = section.required(r, "auth-url", "\"https://login.example.com/oauth2/authorize\"").and_then(|item| {
        let text = item.text(r)?;
        let value = resolved(r, &text)?;
        secret_url(&value).map_err(|message| r.error(&text.span, message).help = None).ok()
    });
    let issuer = section.get("issuer").map(|item| item.text(r).and_then(|text| resolved(r, &text)));
    let parameters = section.get("auth-parameters").map(|item| parameters(r, &item)).unwrap_or_default();
    Some(CredentialKind::OAuth2AuthorizationCode {
        client: client?,
        auth_url: auth_url?,
        issuer: match issuer {
            Some(issuer) => Some(issuer?),
            None => None,
        },
        parameters,
    })
}

fn parameters(r: &mut Reader<'_>, item: &Item<'_>) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    let Some(section) = item.table(r, "`auth-parameters`") else { return parameters };
    for member in section.members() {
        if OWN_PARAMETERS.contains(&member.name.as_str()) {
            r.error(&member.key, format!("`{}` is set by the host", member.name)).help("leave it out");
            continue;
        }
        if let Some(value) = member.text(r).and_then(|text| resolved(r, &text)) {
            parameters.insert(member.name, value);
        }
    }
    parameters
}

/// The client of a credential that has a refresh token.
pub(super) fn renewed_client(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<OAuth2Client> {
    let client = client(r, section, false);
    let keep_alive = keep_alive(r, section);
    client.map(|client| OAuth2Client { keep_alive, ..client })
}

/// `keep-alive`: a duration, or false.
fn keep_alive(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Duration> {
    match section.get("keep-alive") {
        Some(item) if item.value.as_bool() == Some(false) => None,
        Some(item) => item.duration(r, KEEP_ALIVE),
        None => Some(DEFAULT_KEEP_ALIVE),
    }
}

/// Reads the keys of a client. `needs_secret`: it has no other way to prove who it is.
pub(super) fn client(r: &mut Reader<'_>, section: &mut Section<'_>, needs_secret: bool) -> Option<OAuth2Client> {
    let token_url = section.required(r, "token-url", "\"https://login.example.com/oauth2/token\"").and_then(|item| {
        let text = item.text(r)?;
        let value = resolved(r, &text)?;
        secret_url(&value).map_err(|message| r.error(&text.span, message).help = None).ok()
    });
    let client_id = plain(r, section, "client-id");
    let client_secret = if needs_secret || section.table.contains_key("client-secret") {
        Some(secret(r, section, "client-secret"))
    } else {
        section.get("client-secret");
        None
    };
    let choices = [("basic", ClientAuth::Basic), ("body", ClientAuth::Body)];
    let client_auth = section.get("client-auth").map(|item| item.choice(r, &choices));
    let scopes = section.get("scopes").map(|item| scopes(r, &item)).unwrap_or_default();
    let audience = section.get("audience").and_then(|item| item.text(r)).and_then(|text| resolved(r, &text));
    Some(OAuth2Client {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: match client_secret {
            Some(secret) => Some(secret?),
            None => None,
        },
        client_auth: client_auth.unwrap_or(Some(ClientAuth::Basic))?,
        scopes,
        audience,
        keep_alive: None,
    })
}

fn scopes(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<String> {
    let mut scopes = Vec::new();
    for text in item.texts(r) {
        let Some(scope) = resolved(r, &text) else {
            continue;
        };
        if scope.is_empty() || scope.contains(char::is_whitespace) {
            r.error(&text.span, format!("{scope:?} is not one scope")).help("write each scope as an item of the list");
        }
        scopes.push(scope);
    }
    scopes
}
