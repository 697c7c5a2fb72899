//! Requests that were refused for want of a token or role, and logins that failed: counted by address, and put on record together, so that whoever
//! knocks a thousand times a second fills neither the log nor the disk.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::Runtime;
use crate::audit::{Action, Actor, By};
use crate::store::StoreError;

/// Most addresses told apart in one entry; the others are counted together.
const MOST_ADDRESSES: usize = 32;

/// What was refused since the last time.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Requests.
    pub requests: Tally,
    /// Logins.
    pub logins: Tally,
}

/// Counts by address.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_address: BTreeMap<String, u64>,
    others: u64,
}

impl Tally {
    /// One more.
    pub fn note(&self, from: Option<IpAddr>) {
        let address = from.map_or_else(|| "unknown".to_owned(), |from| from.to_canonical().to_string());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.by_address.len() < MOST_ADDRESSES || counts.by_address.contains_key(&address) {
            *counts.by_address.entry(address).or_default() += 1;
        } else {
            counts.others += 1;
        }
    }

    fn take(&self) -> Option<Map<String, Value>> {
        let Counts { by_address, others } = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if by_address.is_empty() {
            return None;
        }
        let mut counts: Map<String, Value> = by_address.into_iter().map(|(address, count)| (address, json!(count))).collect();
        if others > 0 {
            counts.insert("others".to_owned(), json!(others));
        }
        Some(counts)
    }
}

impl Runtime {
    /// Puts on record how many requests and logins were refused since the last time, if any were.
    pub async fn record_refusals(&self) -> Result<(), StoreError> {
        let by = By::request(Actor::Anyone, None);
        if let Some(counts) = self.refusals.requests.take() {
            self.store.audit(by.did(Action::AccessRefused, "api").with("requests", counts), self.clock.now()).await?;
        }
        for (source, reasons) in self.arrivals.take_refused() {
            self.store.audit(by.did(Action::DeliveryRefused, source).with("reasons", reasons), self.clock.now()).await?;
        }
        if let Some(counts) = self.refusals.logins.take() {
            self.store.audit(by.did(Action::LoginRefused, "login").with("attempts", counts), self.clock.now()).await?;
        }
        Ok(())
    }
}
