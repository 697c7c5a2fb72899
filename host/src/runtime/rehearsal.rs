//! A host that rehearses: everything is real but the network, the time, and what is drawn at random.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{ApplyError, CodeKept, Present, PresentPlugin, Runtime};
use crate::clock::Clock;
use crate::crash::Crash;
use crate::engine::Engine;
use crate::outbound::{FarEnd, Outbound};

/// What a host otherwise draws at random, or keeps beside its store.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The engine, with compiled code that outlasts the host.
    pub engine: Engine,
    /// What plugins see as random derives from it.
    pub random_secret: [u8; 32],
}

impl Runtime {
    /// Starts a host that works on nothing by itself (see [`crate::worker::drive_one`]), and of which nobody else knows.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub async fn rehearse(config_file: &Path, clock: Clock, fixed: Fixed) -> Result<Arc<Runtime>, ApplyError> {
        Runtime::begin(config_file, clock, Crash::default(), CodeKept::BesideTheStore, Some(fixed)).await
    }

    /// From now on something else than the network answers all plugins.
    pub fn answer_from(&self, far_end: &Arc<dyn FarEnd>) {
        let present = self.present();
        let mut plugins = BTreeMap::new();
        for (name, plugin) in &present.plugins {
            let outbound = Outbound::new(&plugin.config, self.broker.clone(), self.tls.clone(), &self.store, None);
            let outbound = Arc::new(outbound.to(far_end.clone()));
            let (config, slots) = (plugin.config.clone(), plugin.slots.clone());
            plugins.insert(name.clone(), Arc::new(PresentPlugin { config, outbound, slots, canary: None, used: Arc::default() }));
        }
        // Nothing of a rehearsal reaches the network: no endpoint is there to post to.
        let present = Present { revision: present.revision.clone(), plugins, relays: present.relays.clone(), subscribers: BTreeMap::new() };
        self.set_present(present);
    }
}
