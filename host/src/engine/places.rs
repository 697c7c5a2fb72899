//! How much of the engine's room each component may take. The engine has a fixed number of places; a component may hold as many as are free. So
//! one alone gets half of them, two get a third each, and whoever comes next always finds some, whatever `concurrency` says.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Component;

use super::{MAX_CALLS, MAX_POOLED_MEMORIES};

/// Memories that a place stands for; of tables it is twice as many.
const MEMORIES: u32 = MAX_POOLED_MEMORIES / MAX_CALLS;

/// The places of an engine. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<u32>>);

/// Places that one instance of a component needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs(u32);

/// What one plugin takes and holds. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    /// Places of an instance.
    needs: u32,
    holds: Arc<AtomicU32>,
}

/// The places of one instance, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    tenant: Tenant,
}

impl Places {
    pub(super) fn new(places: u32) -> Places {
        Places(Arc::new(Mutex::new(places)))
    }

    /// Places for an instance; `None`: the component has its share.
    pub(super) fn take(&self, tenant: &Tenant) -> Option<Place> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Changed under the lock alone.
        let held = tenant.holds.load(Ordering::Relaxed);
        if held + tenant.needs > *free {
            return None;
        }
        *free -= tenant.needs;
        tenant.holds.store(held + tenant.needs, Ordering::Relaxed);
        Some(Place { places: self.clone(), tenant: tenant.clone() })
    }
}

impl Needs {
    /// What instances of the component need.
    pub(super) fn of(component: &Component) -> Needs {
        Needs(
            component.resources_required().map_or(MAX_CALLS / 64, |needed| {
                needed.num_memories.div_ceil(MEMORIES).max(needed.num_tables.div_ceil(2 * MEMORIES)).max(1)
            }),
        )
    }
}

impl Tenant {
    pub(super) fn new(needs: Needs) -> Tenant {
        Tenant { needs: needs.0, holds: Arc::default() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut free = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        *free += self.tenant.needs;
        self.tenant.holds.fetch_sub(self.tenant.needs, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_may_hold_as_many_as_are_free() {
        let places = Places::new(12);
        let tenant = |needs| Tenant { needs, holds: Arc::default() };
        let fill = |tenant: &Tenant| std::iter::from_fn(|| places.take(tenant)).collect::<Vec<_>>();
        let (greedy, other, large) = (tenant(1), tenant(1), tenant(2));
        let first = fill(&greedy);
        assert_eq!(first.len(), 6, "half for the first");
        assert_eq!(fill(&other).len(), 3, "half of what is left for the next, which gives it back");
        let large = fill(&large);
        assert_eq!(large.len(), 2, "an instance that needs two takes two: four of six, and two are left");
        assert_eq!(places.take(&greedy).map(drop), None, "who has its share gets no more");
        drop(first);
        assert_eq!(fill(&other).len(), 4);
    }
}
