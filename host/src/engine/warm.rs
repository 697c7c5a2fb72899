//! Instances that are there before their call: kept between calls, for plugins that an administrator trusts (`instances = "reuse"`), or made
//! ahead (see [`super::ahead`]).
//!
//! An instance serves one call at a time. It is dropped after a trap, a limit or a time-out, and after a number of calls, so that a plugin
//! that leaks or leans on what it remembers shows it early.

use std::sync::{Mutex, PoisonError};

use wasmtime::Store;

use super::bindings::connector::Connector;
use super::places::Place;
use super::state::HostState;

/// Most instances kept for a plugin.
const MAX_KEPT: usize = 16;
/// Calls that an instance serves.
const MAX_CALLS: u32 = 1000;

/// An instance with its memory.
pub(super) struct Warm {
    pub(super) store: Store<HostState>,
    pub(super) instance: Connector,
    pub(super) calls: u32,
    /// Given back with the instance.
    pub(super) place: Place,
}

/// The idle instances of a component.
#[derive(Default)]
pub(super) struct WarmInstances(Mutex<Vec<Warm>>);

impl WarmInstances {
    /// An idle instance.
    pub(super) fn take(&self) -> Option<Warm> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps an instance whose call ended well.
    pub(super) fn keep(&self, warm: Warm) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_KEPT && warm.calls < MAX_CALLS {
            kept.push(warm);
        }
    }
}
