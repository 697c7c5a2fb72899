//! What is configured now: the present revision, and what belongs to each of its plugins, relays and endpoints across calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use tokio::sync::Semaphore;

use super::{ApplyError, PluginUse, Revision, Runtime, Trial};
use crate::builtin::mail::Relay;
use crate::config::{self, Config, Instances};
use crate::outbound::{Outbound, Poster};
use crate::tls;

/// What is configured now, with what belongs to each plugin across calls.
#[derive(Debug)]
pub struct Present {
    /// The revision that new events run on.
    pub revision: Arc<Revision>,
    /// Ways out by plugin, with the present grants.
    pub plugins: BTreeMap<String, Arc<PresentPlugin>>,
    /// Ways out for mail by relay.
    pub relays: BTreeMap<String, Arc<Relay>>,
    /// Endpoints of webhooks, with the way out to each.
    pub subscribers: BTreeMap<String, Arc<PresentSubscriber>>,
}

/// An endpoint of webhooks as configured now.
#[derive(Debug)]
pub struct PresentSubscriber {
    /// Its configuration.
    pub config: Arc<config::Subscriber>,
    /// The way out to it.
    pub poster: Poster,
}

/// A plugin as configured now.
#[derive(Debug)]
pub struct PresentPlugin {
    /// Its configuration: the present grants and limits.
    pub config: Arc<config::Plugin>,
    /// Its way out.
    pub outbound: Arc<Outbound>,
    /// Calls at the same time.
    pub slots: Arc<Semaphore>,
    /// The component that a share of runs tries.
    pub canary: Option<Arc<Trial>>,
    /// What it has used of its limits, whatever was configured meanwhile.
    pub used: Arc<PluginUse>,
}

impl Present {
    /// Nothing yet, before the first revision is applied.
    pub(super) fn empty(config: &Config) -> Present {
        Present {
            revision: Arc::new(Revision::empty(config)),
            plugins: BTreeMap::new(),
            relays: BTreeMap::new(),
            subscribers: BTreeMap::new(),
        }
    }
}

impl Runtime {
    /// What is configured now.
    pub fn present(&self) -> Arc<Present> {
        self.present.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// From now on this is what is configured.
    pub(super) fn set_present(&self, present: Present) {
        *self.present.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(present);
    }

    /// Makes a revision the present one: new events run on it, and its grants and limits hold for all runs.
    pub(super) async fn install(&self, revision: Revision) -> Result<(), ApplyError> {
        let mut plugins = BTreeMap::new();
        let mut trials = self.trials(&revision.plugins).await?;
        let before = self.present();
        for (name, plugin) in &revision.config.plugins {
            let known = before.plugins.get(name).map(|known| &*known.outbound);
            let tls = self.tls_trusting(&plugin.grants.authorities)?;
            let outbound = Outbound::new(plugin, self.broker.clone(), tls, &self.store, known);
            let slots = Arc::new(Semaphore::new(plugin.concurrency as usize));
            let used = before.plugins.get(name).map(|known| known.used.clone()).unwrap_or_default();
            let present = PresentPlugin { config: plugin.clone(), outbound: Arc::new(outbound), slots, canary: trials.remove(name), used };
            plugins.insert(name.clone(), Arc::new(present));
        }
        let mut relays = BTreeMap::new();
        for (name, relay) in &revision.config.mail {
            let known = before.relays.get(name).map(|known| &**known);
            let relay = Relay::new(relay.clone(), self.broker.clone(), &self.store, known).map_err(ApplyError::start)?;
            relays.insert(name.clone(), Arc::new(relay));
        }
        let mut subscribers = BTreeMap::new();
        for (name, config) in &revision.config.webhooks {
            // Connections that are open stay so where nothing has changed.
            let known = before.subscribers.get(name).filter(|known| known.config == *config);
            let present = match known {
                Some(known) => known.clone(),
                None => Arc::new(PresentSubscriber { config: config.clone(), poster: self.poster(config)? }),
            };
            subscribers.insert(name.clone(), present);
        }
        self.broker.replace(revision.config.credentials.clone());
        self.nats.keep(&revision.config);
        for plugin in revision.plugins.values().flat_map(|plugin| [Some(plugin), plugin.canary.as_ref()]).flatten() {
            // One that keeps its instances has them ready from its first call on.
            if plugin.config.instances == Instances::PerCall {
                self.engine.keep_ahead(&plugin.code, &plugin.config.limits, plugin.config.ahead);
            }
        }
        let revision = Arc::new(revision);
        // Runs that are under way on another revision hold it; new ones load it again.
        self.revisions.forget();
        let number = revision.number;
        self.set_present(Present { revision, plugins, relays, subscribers });
        self.configured.send_replace(number);
        Ok(())
    }

    fn poster(&self, subscriber: &config::Subscriber) -> Result<Poster, ApplyError> {
        let tls = self.tls_trusting(&subscriber.authorities)?;
        Ok(Poster::new(tls, subscriber.private_addresses.clone()))
    }

    /// What all share, where no authorities of one's own are named.
    fn tls_trusting(&self, authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, ApplyError> {
        match authorities {
            [] => Ok(self.tls.clone()),
            own => tls::client_config_trusting(own).map_err(ApplyError::start),
        }
    }
}
