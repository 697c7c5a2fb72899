//! What is shown to other systems, and what lets people and programs into this host.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Patient;
use super::finding::{Check, Finding};
use super::host::Seen;
use crate::amount::{count, span};
use crate::config::{Access, Credential};
use crate::credentials::{Inspected, Vault, inspect, kind};
use crate::store::Store;
use crate::telemetry;

/// How long before its end something is warned of.
pub(super) const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Each credential of the configuration: as files and store have it, and as the hosts say.
pub(super) async fn all(patient: &Patient, store: &Store, vault: &Vault, seen: &Seen) -> Vec<Finding> {
    let health = match store.credential_health().await {
        Ok(health) => health,
        Err(error) => return vec![Check::Credential.error("", telemetry::chain(&error), "see what is said of the store")],
    };
    let mut findings = Vec::new();
    for credential in patient.config.credentials.values() {
        let told = seen.credentials().into_iter().flatten().find(|told| told["name"] == credential.name);
        let broken = health.iter().find(|row| row.name == credential.name && row.broken);
        let inspected = inspect(vault, credential, patient.now()).await;
        findings.push(match (told.and_then(trouble), broken) {
            (Some(finding), _) => finding,
            (None, Some(row)) if !matches!(inspected, Inspected::Broken(_)) => Check::Credential.error(
                &credential.name,
                format!(
                    "broken since {}: {}",
                    row.changed_at.strftime("%Y-%m-%d %H:%M UTC"),
                    row.reason.as_deref().unwrap_or("the vendor refuses it")
                ),
                remedy(credential),
            ),
            (None, _) => found(credential, inspected, patient.now(), seen.is_running()),
        });
    }
    if findings.is_empty() {
        findings.push(Check::Credential.ok("", "none are configured"));
    }
    findings
}

/// What a running host knows better than the store.
fn trouble(told: &Value) -> Option<Finding> {
    let text = |key: &str| told[key].as_str().unwrap_or_default();
    let (name, why) = (text("name"), told["last_error"].as_str().unwrap_or("the vendor gives no token"));
    match text("state") {
        "broken" => {
            let advice = "mend what it says; a changed secret or configuration counts at once, `sangam connect NAME` for one that a person agrees to";
            Some(Check::Credential.error(name, format!("broken: {why}"), advice))
        }
        "cooling-down" => {
            let advice = "it is tried again by itself; if it goes on, the vendor's status page or administrator knows why";
            Some(Check::Credential.warning(name, format!("no new token could be fetched: {why}"), advice))
        }
        _ => None,
    }
}

fn found(credential: &Credential, inspected: Inspected, now: Timestamp, is_running: bool) -> Finding {
    let (name, kind) = (credential.name.as_str(), kind(credential));
    match inspected {
        Inspected::Fixed => Check::Credential.ok(name, format!("{kind}: all that it is made of is there")),
        Inspected::Unused => Check::Credential.ok(name, format!("{kind}: all that it is made of is there; no token was fetched yet")),
        Inspected::NotConnected => {
            let advice = format!("`sangam connect {name}`; runs that need it wait until then");
            Check::Credential.error(name, format!("{kind}: nobody has agreed to it at the vendor"), advice)
        }
        Inspected::Token { expired: true, expires_at, .. } if is_running => {
            let since = expires_at.map_or(String::new(), |at| format!(" {} ago", span(now.duration_since(at).as_secs())));
            let advice = "it is fetched when a request needs it; if requests fail, `sangam credentials list` says why";
            Check::Credential.warning(name, format!("{kind}: its token ended{since}, and no new one was fetched"), advice)
        }
        Inspected::Token { expired: true, .. } => {
            Check::Credential.ok(name, format!("{kind}: its token has ended; a host fetches a new one"))
        }
        Inspected::Token { due: true, .. } => {
            Check::Credential.ok(name, format!("{kind}: a new token is due; a host fetches it by itself"))
        }
        Inspected::Token { expires_at: Some(at), .. } => {
            Check::Credential.ok(name, format!("{kind}: its token is good for {}", span(at.duration_since(now).as_secs())))
        }
        Inspected::Token { expires_at: None, .. } => {
            Check::Credential.ok(name, format!("{kind}: it has a token, whose end the vendor has not said"))
        }
        Inspected::Broken(why) => Check::Credential.error(name, format!("{kind}: {why}"), remedy(credential)),
    }
}

fn remedy(credential: &Credential) -> String {
    let name = &credential.name;
    format!(
        "set what it is made of ([credentials.{name}]: `sangam secret set`, file or variable), or `sangam connect {name}` where a person agrees"
    )
}

/// Tokens of the host's own API that end soon, and whether anybody can get in.
pub(super) async fn api_tokens(patient: &Patient, store: &Store) -> Vec<Finding> {
    let now = patient.now();
    let tokens = match store.token_list().await {
        Ok(tokens) => tokens,
        Err(error) => return vec![Check::ApiTokens.error("", telemetry::chain(&error), "see what is said of the store")],
    };
    let active: Vec<_> = tokens.iter().filter(|token| token.state(now) == "active").collect();
    let mut findings = Vec::new();
    for token in &active {
        if let Some(at) = token.expires_at.filter(|at| at.duration_since(now) < SOON) {
            findings.push(Check::ApiTokens.warning(
                &token.id,
                format!("the token of {} ends in {}", token.name, span(at.duration_since(now).as_secs())),
                "make its bearer a new one (`sangam token create`), then revoke this",
            ));
        }
    }
    let is_open = patient.config.server.access == Access::Open;
    if active.is_empty() && !is_open && patient.config.server.oidc.is_none() {
        let advice = "`sangam token create --role admin --name NAME`, or configure [server.oidc] for people";
        findings.push(Check::ApiTokens.warning("", "nobody can get in: there is no token that is good, and no login for people", advice));
    } else if findings.is_empty() {
        let number = count(active.len() as u64, "token", "tokens");
        let open = if is_open { "; nobody is asked for one (access = \"open\")" } else { "" };
        findings.push(Check::ApiTokens.ok("", format!("{number} good, none that ends within two weeks{open}")));
    }
    findings
}
