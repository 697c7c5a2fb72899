//! `[registries."HOST"]`: how this host speaks to a registry of components.

use std::time::Duration;

use super::authority::authorities;
use super::clear_text::{plain, secret};
use super::item::Item;
use super::model::{HostPattern, Registry, RegistryLogin};
use super::oci::{is_local, registry_host};
use super::origin::origin;
use super::reader::Reader;
use super::reference::{has_reference, resolved};
use super::section::Section;

/// A component of 128 MiB over a slow line.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
const TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
/// Longer than a registry takes to find a blob, shorter than people's patience.
const DEFAULT_STALL: Duration = Duration::from_secs(30);
/// Keys whose values people may see. Under any other, even a misspelt one, a literal text may be a secret.
const PUBLIC: [&str; 6] = ["username", "allow-hosts", "tls", "ca-file", "timeout", "stall-timeout"];

impl Registry {
    /// A registry that has no section of its own.
    pub fn unnamed(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            login: None,
            tls: !is_local(host),
            authorities: Vec::new(),
            hosts: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            stall_timeout: DEFAULT_STALL,
        }
    }
}

/// Reads one registry.
pub(super) fn registry(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Registry> {
    let host = match registry_host(&item.name) {
        Ok(host) => host,
        Err(message) => {
            r.error(&item.key, message).help("write the host as in the reference, in quotes: [registries.\"registry.example\"]");
            return None;
        }
    };
    let mut section = item.table(r, format!("[registries.{:?}]", item.name))?;
    let members = section.members();
    let secrets = members.iter().filter(|member| !PUBLIC.contains(&member.name.as_str()));
    r.hidden.extend(secrets.filter(|item| !item.value.as_str().is_some_and(has_reference)).map(|item| item.span.clone()));
    let local = is_local(&host);
    let login = login(r, &mut section);
    let tls = section.get("tls").and_then(|item| item.boolean(r).map(|tls| (tls, item.span.clone())));
    if let Some((false, span)) = tls.as_ref().filter(|_| !local) {
        r.error(span, format!("without TLS anybody between here and {host} could read and change what passes"))
            .help("leave `tls` out; only a registry on this machine is spoken to without it");
    }
    let authorities = section.get("ca-file").map(|item| authorities(r, &item)).unwrap_or_default();
    let hosts = section.get("allow-hosts").map(|item| hosts(r, &item)).unwrap_or_default();
    let timeout = section.get("timeout").and_then(|item| item.duration(r, TIMEOUT)).unwrap_or(DEFAULT_TIMEOUT);
    let stall_timeout = section.get("stall-timeout").and_then(|item| item.duration(r, TIMEOUT)).unwrap_or(DEFAULT_STALL);
    section.finish(r);
    let tls = tls.map_or(!local, |(tls, _)| tls);
    Some(Registry { host, login: login?, tls, authorities, hosts, timeout, stall_timeout })
}

/// A user with a password, or a token, or neither. `None`: a mistake, which the reader has.
fn login(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Option<RegistryLogin>> {
    let has = |section: &Section<'_>, key: &str| section.table.contains_key(key);
    // Asked for so that they are known, whichever of them is there.
    let (user, _, token) = (section.get("username"), section.get("password"), section.get("token"));
    if let Some(token) = token {
        let token_value = secret(r, section, "token");
        if user.is_some() {
            r.error(&token.key, "`token` and `username` both say who logs in").help("keep `token`, or `username` and `password`");
            return None;
        }
        return Some(Some(RegistryLogin::Token(token_value?)));
    }
    if !has(section, "username") && !has(section, "password") {
        return Some(None);
    }
    let (username, password) = (plain(r, section, "username"), secret(r, section, "password"));
    Some(Some(RegistryLogin::Basic { username: username?, password: password? }))
}

/// Exact origins that the registry may send this host to. Without TLS only on this machine: what comes is checked by digest, but a login may go there.
fn hosts(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<HostPattern> {
    let mut found = Vec::new();
    for text in item.texts(r) {
        let Some(value) = resolved(r, &text) else { continue };
        match origin(&value) {
            Ok(origin) if origin.scheme == "http" && !origin.is_loopback() => {
                r.error(&text.span, format!("`{value}` would carry a login unencrypted")).help("write https://");
            }
            Ok(origin) => found.push(origin),
            Err(message) => r.error(&text.span, message).help("write the scheme and host alone, such as \"https://auth.example\""),
        }
    }
    found
}
