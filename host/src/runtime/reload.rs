//! A running host takes another configuration: its file as it is now, or what another host on the store has applied.

use super::apply::{When, warn};
use super::{Applied, ApplyError, Runtime};
use crate::audit::By;
use crate::config::{self, Loaded};
use crate::server::{Certificates, Prepared};

impl Runtime {
    /// Applies the configuration file as it is now, or refuses it whole.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn reload(&self, by: &By) -> Result<Applied, ApplyError> {
        let _one_at_a_time = self.reloading.lock().await;
        let loaded = config::load(&self.config_file)?;
        warn(&loaded);
        let certificates = self.prepare_certificates(&loaded).await?;
        let applied = self.apply(loaded, When::Reload, by).await?;
        if let Some((certificates, prepared)) = certificates {
            certificates.install(prepared);
        }
        self.store.wake("credential", self.clock.now()).await?;
        self.due.notify_one();
        Ok(applied)
    }

    /// The certificate that the file names now, judged but not shown yet: nothing of a file is applied unless all of it can be.
    async fn prepare_certificates(&self, loaded: &Loaded) -> Result<Option<(&Certificates, Prepared)>, ApplyError> {
        let (Some(certificates), Some(source)) = (&self.certificates, &loaded.config.server.tls) else {
            if self.certificates.is_some() != loaded.config.server.tls.is_some() {
                tracing::warn!("[server.tls] came or went; like the rest of [server] that counts after a restart");
            }
            return Ok(None);
        };
        let prepared = certificates.prepare(source, self.clock.now()).await.map_err(ApplyError::start)?;
        Ok(Some((certificates, prepared)))
    }

    /// Takes over a revision that another host on the store has applied.
    ///
    /// # Errors
    /// [`ApplyError::Revision`] when it can't run here: then the present one stays, and its own runs are left to hosts that can serve them.
    pub async fn follow(&self) -> Result<(), ApplyError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let _one_at_a_time = self.reloading.lock().await;
        let latest = self.store.latest_revision().await?;
        if latest <= self.present().revision.number {
            return Ok(());
        }
        let revision = self.stored_revision(latest, &self.supply()).await?;
        self.install(revision).await?;
        tracing::info!(revision = latest, "took over the configuration that another host applied");
        self.due.notify_one();
        Ok(())
    }
}
