//! Keys that sources verify with and deliveries to subscribers are signed with, told to the broker: a system that knows one may show it to any plugin that
//! asks, in an answer that has nothing to do with webhooks.

use std::time::{Duration, Instant};

use super::Runtime;
use crate::builtin::hidden_webhook_keys;
use crate::config::SourceKind;
use crate::credentials::Owner;
use crate::hooks;
use crate::store::SecretInfo;

/// How long what was found counts while the secrets of the store stay as they are: files and the environment tell nobody of a change.
const BELIEVED: Duration = Duration::from_secs(60);

/// What the broker was told last.
#[derive(Debug, Default)]
pub struct SigningKeys(Option<Told>);

#[derive(Debug)]
struct Told {
    revision: i64,
    secrets: Vec<SecretInfo>,
    at: Instant,
}

impl SigningKeys {
    /// Looks the keys up and tells the broker of them, if there may be others than before. To be called every few seconds, and when a configuration was
    /// taken over. Where one can't be had it is looked for the next time, and what it was before stays hidden until then: others know it still.
    pub async fn follow(&mut self, runtime: &Runtime) {
        let present = runtime.present();
        let revision = present.revision.number;
        // A store that does not answer has no key either: those from before stay hidden.
        let Ok(secrets) = runtime.vault.list().await else { return };
        let as_before = |told: &Told| told.revision == revision && told.secrets == secrets && told.at.elapsed() < BELIEVED;
        if self.0.as_ref().is_some_and(as_before) {
            return;
        }
        let at = Instant::now();
        let mut others = Vec::new();
        for source in &present.revision.config.sources {
            let SourceKind::Webhook(webhook) = &source.kind else { continue };
            let resolved = runtime.source_secrets.of(runtime, source, &webhook.verify.secrets()).await;
            others.push((Owner::Source(source.name.clone()), resolved.ok().map(|secrets| hooks::hidden(&webhook.verify, &secrets))));
        }
        for (name, subscriber) in &present.subscribers {
            let hidden = hidden_webhook_keys(&runtime.vault, &subscriber.config, runtime.clock.now()).await;
            others.push((Owner::Subscriber(name.clone()), hidden.ok()));
        }
        let all = others.iter().all(|(_, hidden)| hidden.is_some());
        runtime.broker.hide(others);
        self.0 = all.then_some(Told { revision, secrets, at });
    }
}
