//! What the metrics look up: everything that is not counted as it happens.

use super::Runtime;
use crate::credentials::State;
use crate::store::{Lane, StoreError};
use crate::telemetry::{Sample, process_samples};

impl Runtime {
    /// The metrics as OpenMetrics text.
    ///
    /// # Errors
    /// The store can't be asked.
    pub async fn metrics_text(&self) -> Result<String, StoreError> {
        let mut samples = process_samples();
        self.of_store(&mut samples).await?;
        self.of_plugins(&mut samples);
        self.of_credentials(&mut samples);
        self.of_sources(&mut samples).await?;
        self.of_webhooks(&mut samples).await?;
        samples.extend(self.export.samples());
        samples.push(Sample::new("sangam_build_info", 1.0).with("version", env!("CARGO_PKG_VERSION")));
        samples.push(Sample::new("sangam_configuration_revision", self.present().revision.number as f64));
        if let Some(certificates) = &self.certificates {
            samples.push(Sample::new("sangam_certificate_expiry_timestamp_seconds", seconds(certificates.ends_at())));
        }
        Ok(self.metrics.encode(&samples))
    }

    async fn of_store(&self, samples: &mut Vec<Sample>) -> Result<(), StoreError> {
        let now = self.clock.now();
        // A run under way is due at the end of its lease, which lies ahead: the oldest time that has passed is that of a run that waits.
        let oldest = self.store.due_routes().await?.into_iter().map(|(_, due)| due).min();
        let waited = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
        let open = self.store.unfinished().await?;
        samples.push(Sample::new("sangam_queue_depth", open.backlog as f64));
        samples.push(Sample::new("sangam_runs_asleep", open.asleep as f64));
        samples.push(Sample::new("sangam_oldest_pending_seconds", waited));
        samples.push(Sample::new("sangam_dead_letters", self.store.dead_letter_count().await? as f64));
        samples.push(Sample::new("sangam_store_size_bytes", self.store.bytes().await?.0 as f64));
        samples.push(Sample::new("sangam_store_queue_depth", self.store.writes_waiting() as f64));
        samples.extend(self.pressure.free_space().map(|free| Sample::new("sangam_store_disk_free_bytes", free as f64)));
        Ok(())
    }

    fn of_plugins(&self, samples: &mut Vec<Sample>) {
        for (name, plugin) in &self.present().plugins {
            let limit = plugin.config.concurrency as usize;
            let busy = limit - plugin.slots.available_permits().min(limit);
            samples.push(Sample::new("sangam_plugin_calls", busy as f64).with("plugin", name));
            samples.push(Sample::new("sangam_plugin_calls_limit", limit as f64).with("plugin", name));
            let hosts = plugin.outbound.breaker().unwrap_or_default();
            let open = hosts.iter().filter(|host| host.open_until.is_some()).count();
            samples.push(Sample::new("sangam_plugin_breakers_open", open as f64).with("plugin", name));
        }
    }

    fn of_credentials(&self, samples: &mut Vec<Sample>) {
        for status in self.broker.status() {
            let sample = |name, value| Sample::new(name, value).with("credential", status.name.as_str());
            let up = !matches!(status.state, State::Broken | State::NotConnected);
            samples.push(sample("sangam_credential_up", f64::from(u8::from(up))));
            samples.extend(status.expires_at.map(|at| sample("sangam_credential_expiry_timestamp_seconds", seconds(at))));
            for (outcome, count) in [("ok", status.refreshes), ("failed", status.failures)] {
                samples.push(sample("sangam_credential_refreshes_total", count as f64).with("outcome", outcome));
            }
        }
    }

    async fn of_sources(&self, samples: &mut Vec<Sample>) -> Result<(), StoreError> {
        let present = self.present();
        for row in self.store.sources().await?.into_iter().filter(|row| row.lane == Lane::Live) {
            // A row may outlive the source.
            let Some(source) = present.revision.source(&row.name) else { continue };
            let sample = |name, value| Sample::new(name, value).with("source", source.name.as_str());
            samples.push(sample("sangam_source_failures", f64::from(row.failures)));
            samples.extend(row.succeeded_at.map(|at| sample("sangam_source_last_success_timestamp_seconds", seconds(at))));
            let lag = row.reached_at.map(|at| self.clock.now().duration_since(at).as_secs_f64().max(0.0));
            samples.extend(lag.map(|lag| sample("sangam_source_lag_seconds", lag)));
        }
        Ok(())
    }

    async fn of_webhooks(&self, samples: &mut Vec<Sample>) -> Result<(), StoreError> {
        let present = self.present();
        for row in self.store.subscribers().await?.into_iter().filter(|row| present.subscribers.contains_key(&row.name)) {
            let sample = |name, value| Sample::new(name, value).with("webhook", row.name.as_str());
            samples.push(sample("sangam_webhook_up", f64::from(u8::from(row.disabled_at.is_none()))));
            samples.push(sample("sangam_webhook_failures", f64::from(row.failures)));
        }
        Ok(())
    }
}

/// Since 1970.
fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
