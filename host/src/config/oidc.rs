//! `[server.oidc]`: how people log in.

use std::fmt;
use std::time::Duration;

use super::item::Item;
use super::model::Reference;
use super::origin::secret_url;
use super::reader::Reader;
use super::reference::{kept, resolved};
use super::section::Section;
use crate::credentials::Role;

const HOUR: Duration = Duration::from_secs(3600);
const DEFAULT_IDLE: Duration = Duration::from_secs(8 * 3600);
const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Hosts write down every half minute who was there: a shorter idle time would end sessions in use.
const IDLE: std::ops::RangeInclusive<Duration> = Duration::from_secs(300)..=HOUR.saturating_mul(24 * 30);

/// `[server.oidc]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// `issuer`, exactly as the provider calls itself.
    pub issuer: String,
    /// `client-id`
    pub client_id: String,
    /// `client-secret`; none for a public client.
    pub client_secret: Option<Reference>,
    /// `scopes`, `openid` among them.
    pub scopes: Vec<String>,
    /// `roles`: who is what, from the role with the most rights down.
    pub roles: Vec<(Role, Vec<ClaimRule>)>,
    /// `session-idle`: a session ends so long after its last request.
    pub session_idle: Duration,
    /// `session-lifetime`: and so long after the login in any case.
    pub session_lifetime: Duration,
}

/// What a person's claims must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimRule {
    /// `"*"`: whoever the provider lets in.
    Anyone,
    /// `"groups:admins"`: that value, or a list with it. A dot leads into an object: `realm_access.roles`.
    Holds {
        /// Path of the claim.
        claim: String,
        /// Its value.
        value: String,
    },
}

impl ClaimRule {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Anyone);
        }
        match text.split_once(':') {
            Some((claim, value)) if !claim.trim().is_empty() && !value.is_empty() => {
                Ok(Self::Holds { claim: claim.to_owned(), value: value.to_owned() })
            }
            _ => Err(format!(
                "`{text}` says neither \"*\" nor claim and value, such as \"groups:sangam-admins\" or \"email:ann@acme.example\""
            )),
        }
    }
}

impl fmt::Display for ClaimRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("*"),
            Self::Holds { claim, value } => write!(f, "{claim}:{value}"),
        }
    }
}

/// Reads `[server.oidc]`.
pub(super) fn oidc(r: &mut Reader<'_>, mut section: Section<'_>) -> Option<Oidc> {
    let issuer = section.required(r, "issuer", "\"https://login.example.com\"").and_then(|item| issuer(r, &item));
    let client_id = section.required(r, "client-id", "\"sangam\"").and_then(|item| {
        let text = item.text(r)?;
        resolved(r, &text).filter(|id| !id.is_empty())
    });
    let client_secret = section.get("client-secret").map(|item| secret(r, &item));
    let scopes = match section.get("scopes") {
        Some(item) => scopes(r, &item),
        None => ["openid", "profile", "email"].map(str::to_owned).to_vec(),
    };
    let roles = section.required(r, "roles", "{ admin = [\"groups:sangam-admins\"], viewer = [\"*\"] }").map(|item| roles(r, &item));
    let session_idle = section.get("session-idle").and_then(|item| item.duration(r, IDLE)).unwrap_or(DEFAULT_IDLE);
    let session_lifetime = section.get("session-lifetime").and_then(|item| item.duration(r, IDLE)).unwrap_or(DEFAULT_LIFETIME);
    section.finish(r);
    let client_secret = match client_secret {
        Some(secret) => Some(secret?),
        None => None,
    };
    Some(Oidc { issuer: issuer?, client_id: client_id?, client_secret, scopes, roles: roles?, session_idle, session_lifetime })
}

fn issuer(r: &mut Reader<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.text(r)?;
    let value = resolved(r, &text)?;
    let wrong = match secret_url(&value) {
        Err(message) => message,
        Ok(url) if url.contains('?') => format!("`{value}` can't have a query: it is no issuer then (OpenID Connect Discovery 1.0)"),
        // As it is written: an issuer is compared character by character.
        Ok(_) => return Some(value),
    };
    r.error(&text.span, wrong).help("write it as the provider's /.well-known/openid-configuration says");
    None
}

fn secret(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Reference> {
    let text = item.text(r)?;
    let reference = kept(r, &text)?;
    if reference.is_literal() {
        r.hidden.push(text.span.clone());
        r.error(&text.span, "`client-secret` is a secret and can't stand in the file in clear text")
            .help("run `sangam secret set NAME` and write client-secret = \"${secret:NAME}\"; ${env:…} and ${file:…} work too");
        return None;
    }
    Some(reference)
}

fn scopes(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<String> {
    let mut scopes: Vec<String> = item.texts(r).iter().map(|text| text.value.to_owned()).collect();
    if let Some(scope) = scopes.iter().find(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
        r.error(&item.span, format!("`{}` is no scope: one scope an item, without spaces", scope.escape_debug()));
    }
    // Without it this is no OpenID Connect.
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    scopes
}

fn roles(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<(Role, Vec<ClaimRule>)> {
    let Some(mut section) = item.table(r, "`roles`") else { return Vec::new() };
    let mut roles = Vec::new();
    // From most to least: the first that fits counts. Nobody logs in to be a sender.
    for role in [Role::Admin, Role::Operator, Role::Viewer] {
        let Some(item) = section.get(role.as_str()) else { continue };
        let rules: Vec<ClaimRule> = item.one_or_more().iter().filter_map(|item| item.parsed(r, ClaimRule::parse)).collect();
        if role == Role::Admin && rules.contains(&ClaimRule::Anyone) {
            r.warn(&item.span, "everybody whom the provider lets in becomes an administrator")
                .help("name a group, such as admin = [\"groups:sangam-admins\"], and give \"*\" to viewer");
        }
        roles.push((role, rules));
    }
    section.finish(r);
    if roles.is_empty() {
        r.error(&item.span, "`roles` gives nobody a role, so nobody could log in")
            .help("write roles = { admin = [\"groups:sangam-admins\"], viewer = [\"*\"] }");
    }
    roles
}
