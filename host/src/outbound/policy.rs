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
        if !self.hosts.iter().any(|pattern| pattern.matches(url.scheme(), &host, port)) {
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
            || (marked && self.read_only.iter().any(|pattern| pattern.matches(method.as_str(), path)))
    }
}
