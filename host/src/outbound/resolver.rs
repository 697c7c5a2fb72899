//! Names to addresses, checked: what is dialled is what was checked, so a name can't be bound to another address in between.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use tower_service::Service;

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

/// Why a name leads nowhere.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Of a name, those addresses that may be dialled.
async fn resolved(guard: AddressGuard, name: String) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    Ok(guard.choose(found, SocketAddr::ip)?.into_iter())
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolved = resolved(self.guard.clone(), name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(resolved.await?) as Addrs) })
    }
}

impl Service<dns::Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        Box::pin(resolved(self.guard.clone(), name.as_str().to_owned()))
    }
}
