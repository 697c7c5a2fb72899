//! Origins, and the patterns for them that grants are written in.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::model::HostPattern;

impl HostPattern {
    /// Reads `scheme://host[:port]`, the host with at most one leading `*.` label.
    ///
    /// # Errors
    ///
    /// What is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (wildcard, plain) = match text.split_once("://*.") {
            Some((scheme, rest)) => (true, format!("{scheme}://{rest}")),
            None => (false, text.to_owned()),
        };
        let url = origin_url(&plain).map_err(|reason| format!("`{text}` is not a host pattern: {reason}"))?;
        let name = match url.host() {
            // The dot of an absolute name changes nothing about where it leads.
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(_) if wildcard => {
                return Err(format!("`{text}` is not a host pattern: `*.` can't stand before an address"));
            }
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => {
                return Err(format!("`{text}` is not a host pattern: there is no host in it"));
            }
        };
        if wildcard && !name.contains('.') {
            return Err(format!("`{text}` would allow a whole top-level domain: name at least two labels after `*.`"));
        }
        let port = url.port_or_known_default().ok_or_else(|| format!("`{text}` has no port"))?;
        Ok(Self { scheme: url.scheme().to_owned(), host: name, wildcard, port })
    }

    /// Whether an origin is covered. `host` is lower case, an IPv6 address without brackets.
    pub fn matches(&self, scheme: &str, host: &str, port: u16) -> bool {
        let host_matches = if self.wildcard {
            // Exactly one label: `*.example.com` covers `a.example.com`, neither `example.com` nor `a.b.example.com`.
            host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == self.host)
        } else {
            host == self.host
        };
        host_matches && scheme == self.scheme && port == self.port
    }

    /// The address, where the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether everything it allows is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        !self.wildcard && is_loopback(&self.host)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wildcard = if self.wildcard { "*." } else { "" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{}://{wildcard}{host}", self.scheme)?;
        let default = if self.scheme == "https" { 443 } else { 80 };
        if self.port == default { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Reads an exact origin: `https://host[:port]`, lower case, default port left out.
pub(super) fn origin(text: &str) -> Result<HostPattern, String> {
    if text.contains('*') {
        return Err(format!("`{text}` is not an exact origin: `*` can't stand here, name every host"));
    }
    let url = origin_url(text).map_err(|reason| format!("`{text}` is not an origin: {reason}"))?;
    HostPattern::parse(&url.origin().ascii_serialization())
}

/// Reads a URL that the host itself calls with a secret: https, or http to this machine.
pub(super) fn secret_url(text: &str) -> Result<String, String> {
    let url = web_url(text).map_err(|reason| format!("`{text}` is not a URL: {reason}"))?;
    if url.fragment().is_some() {
        return Err(format!("`{text}` has a fragment (#), which is never sent"));
    }
    if url.scheme() == "http" && !url.host_str().is_some_and(|host| is_loopback(host.trim_matches(['[', ']']))) {
        return Err(format!("`{text}` would send a secret unencrypted: write https://"));
    }
    Ok(url.into())
}

/// Reads what the outside sees of the host, without a trailing slash.
pub(super) fn public_url(text: &str) -> Result<String, String> {
    let url = web_url(text).map_err(|reason| format!("`{text}` is not a URL: {reason}"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` can't have a query or fragment"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a host is this machine, by address or by the name that always is (RFC 6761 section 6.3).
pub(super) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether an address belongs to a network of one's own, which the address check stops unless it is let through.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified(),
    }
}

fn web_url(text: &str) -> Result<Url, String> {
    if !text.contains("://") {
        return Err("write the scheme too, such as https://example.com".to_owned());
    }
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(format!("the scheme `{}` is neither https nor http", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it can't hold a user name or password".to_owned());
    }
    Ok(url)
}

fn origin_url(text: &str) -> Result<Url, String> {
    let url = web_url(text)?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("only scheme, host and port, no path".to_owned());
    }
    if url.host_str().is_some_and(|host| host.contains('*')) {
        return Err("`*` stands only as the first label, such as https://*.example.com".to_owned());
    }
    Ok(url)
}
