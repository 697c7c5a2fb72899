//! What the OAuth2 types of credentials share: the client.

use super::clear_text::{plain, secret};
use super::item::Item;
use super::model::{ClientAuth, OAuth2Client};
use super::origin::secret_url;
use super::reader::Reader;
use super::reference::resolved;
use super::section::Section;

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
