//! Names to addresses, checked: what is dialled is what was checked, so a name can't be bound to another address in between.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::AddressGuard;

#[derive(Debug, Clone)]
pub(crate) struct GuardedResolver {
    guard: AddressGuard,
}

impl GuardedResolver {
    pub(crate) fn new(guard: AddressGuard) -> GuardedResolver {
        GuardedResolver { guard }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let chosen = guard.choose(found, SocketAddr::ip)?;
            Ok(Box::new(chosen.into_iter()) as Addrs)
        })
    }
}
