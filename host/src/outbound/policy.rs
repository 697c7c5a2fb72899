//! Which requests a plugin may make, and which of them only read.

use http::Method;
use url::{Host, Url};

use super::address::AddressGuard;
use super::request::HttpError;
use crate::config::{Grants, HostPattern, RequestPattern};

/// The grants that concern the way out.
#[derive(Debug, Clone)]
pub struct Policy {
    hosts: Vec<HostPattern>,
    read_only: Vec<RequestPattern>,
    guard: AddressGuard,
}

impl Policy {
    pub(super) fn new(grants: &Grants, guard: AddressGuard) -> Policy {
        Policy { hosts: grants.hosts.clone(), read_only: grants.read_only.clone(), guard }
    }

    /// Whether a request may go there. Names are checked again as addresses when they are dialled.
    pub(super) fn check(&self, url: &Url) -> Result<(), HttpError> {
        let port = url.port_or_known_default().unwrap_or(0);
        let (host, address) = match url.host() {
            Some(Host::Domain(name)) => (name.trim_end_matches('.').to_owned(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(address.into())),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(address.into())),
            None => return Err(HttpError::InvalidRequest("a URL without a host".to_owned())),
        };
        if !self.hosts.iter().any(|pattern| matches(pattern, url.scheme(), &host, port)) {
            let origin = url.origin().ascii_serialization();
            return Err(HttpError::Denied(format!("{origin} is not granted; the administrator can add it to allow-hosts of this plugin")));
        }
        if let Some(address) = address {
            self.guard.check(address).map_err(|blocked| HttpError::Denied(blocked.to_string()))?;
        }
        Ok(())
    }

    /// GET, HEAD and OPTIONS read; others do where plugin and administrator agree.
    pub(super) fn reads(&self, method: &Method, path: &str, marked: bool) -> bool {
        matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
            || (marked && self.read_only.iter().any(|pattern| pattern.method == method.as_str() && path_matches(&pattern.segments, path)))
    }
}

fn matches(pattern: &HostPattern, scheme: &str, host: &str, port: u16) -> bool {
    pattern.scheme == scheme
        && pattern.port == port
        && if pattern.wildcard {
            // Exactly one label stands for the star.
            host.strip_suffix(&pattern.host)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty() && !label.contains('.'))
        } else {
            host == pattern.host
        }
}

fn path_matches(pattern: &[String], path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let rest = pattern.last().is_some_and(|last| last == "**");
    let fixed = if rest { &pattern[..pattern.len() - 1] } else { pattern };
    (if rest { segments.len() >= fixed.len() } else { segments.len() == fixed.len() })
        && fixed.iter().zip(&segments).all(|(pattern, segment)| pattern == "*" || pattern == segment)
}
