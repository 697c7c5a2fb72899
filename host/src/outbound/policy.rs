//! Which requests a plugin may make, and which of them only read.

use http::Method;
use url::{Host, Url};

use super::address::AddressGuard;
use super::request::{HttpError, shortened};
use crate::config::{Destination, Grants, RequestPattern};

/// The grants that concern the way out.
#[derive(Debug, Clone)]
pub struct Policy {
    hosts: Vec<Destination>,
    read_only: Vec<RequestPattern>,
    guard: AddressGuard,
}

impl Policy {
    pub(super) fn new(grants: &Grants, guard: AddressGuard) -> Policy {
        Policy { hosts: grants.hosts.clone(), read_only: grants.read_only.clone(), guard }
    }

    /// Whether a request may go there. Names are checked again as addresses when they are dialled.
    pub(super) fn check(&self, method: &Method, url: &Url) -> Result<(), HttpError> {
        let port = url.port_or_known_default().unwrap_or(0);
        let (host, address) = match url.host() {
            Some(Host::Domain(name)) => (name.trim_end_matches('.').to_owned(), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(address.into())),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(address.into())),
            None => return Err(HttpError::InvalidRequest("a URL without a host".to_owned())),
        };
        let origin = (url.scheme(), host.as_str(), port);
        if !self.hosts.iter().any(|granted| granted.matches(method.as_str(), origin, url.path())) {
            let shown = url.origin().ascii_serialization();
            let what = match self.hosts.iter().any(|granted| granted.origin.matches(origin.0, origin.1, origin.2)) {
                true => format!("{method} {} at {shown}", shortened(url.path())),
                false => shown,
            };
            return Err(HttpError::Denied(format!("{what} is not granted; the administrator can add it to allow-hosts of this plugin")));
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
