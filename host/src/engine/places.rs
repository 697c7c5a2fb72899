//! How much of the engine's room each component may take. The engine has a fixed number of places; a component may hold as many as are free. So
//! one alone gets half of them, two get a third each, and whoever comes next always finds some, whatever `concurrency` says.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Component;

use super::pool::Size;

/// The places of a pool. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Places {
    all: u32,
    free: Arc<Mutex<u32>>,
}

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
        Places { all: places, free: Arc::new(Mutex::new(places)) }
    }

    /// Places for an instance; `None`: the component has its share.
    pub(super) fn take(&self, tenant: &Tenant) -> Option<Place> {
        self.leaving(0, tenant)
    }

    /// Places for an instance that nobody has asked for yet; `None`: less than half of all would be left for those that are asked for.
    pub(super) fn spare(&self, tenant: &Tenant) -> Option<Place> {
        self.leaving(self.all / 2, tenant)
    }

    fn leaving(&self, rest: u32, tenant: &Tenant) -> Option<Place> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // Changed under the lock alone.
        let held = tenant.holds.load(Ordering::Relaxed);
        if held + tenant.needs > *free || tenant.needs + rest > *free {
            return None;
        }
        *free -= tenant.needs;
        tenant.holds.store(held + tenant.needs, Ordering::Relaxed);
        Some(Place { places: self.clone(), tenant: tenant.clone() })
    }
}

impl Needs {
    /// What instances of the component need in a pool of that size. Core instances are never short: the pool counts as many as all its
    /// calls may have.
    pub(super) fn of(component: &Component, size: &Size) -> Needs {
        let most = || size.calls / 32;
        Needs(component.resources_required().map_or_else(most, |needed| {
            let (memories, tables) = (needed.num_memories.div_ceil(size.memories), needed.num_tables.div_ceil(size.tables));
            memories.max(tables).max(1)
        }))
    }
}

impl Tenant {
    pub(super) fn new(needs: Needs) -> Tenant {
        Tenant { needs: needs.0, holds: Arc::default() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut free = self.places.free.lock().unwrap_or_else(PoisonError::into_inner);
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

    #[test]
    fn what_is_made_ahead_leaves_half_of_all_places() {
        let places = Places::new(12);
        let tenants: Vec<Tenant> = (0..12).map(|_| Tenant { needs: 1, holds: Arc::default() }).collect();
        let ahead: Vec<Place> = tenants.iter().filter_map(|tenant| places.spare(tenant)).collect();
        assert_eq!(ahead.len(), 6);
        let others = tenants.iter().skip(6).filter_map(|tenant| places.take(tenant)).count();
        assert_eq!(others, 6, "whoever has a call finds a place");
    }
}
