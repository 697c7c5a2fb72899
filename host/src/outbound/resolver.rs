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
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut allowed: Vec<SocketAddr> = Vec::new();
            let mut blocked = None;
            for address in found {
                match guard.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(error) => blocked = Some(error),
                }
            }
            match blocked {
                Some(error) if allowed.is_empty() => Err(error.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
