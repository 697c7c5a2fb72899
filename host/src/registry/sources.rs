//! Where components come from on this host: its cache, and the registries with their logins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::cache::Cache;
use super::client::{Client, RegistryError, Ways};
use super::login::Login;
use super::manifest::{Artifact, Manifest};
use super::{Component, ComponentError, Packed, of, read};
use crate::clock::Clock;
use crate::config::{self, ComponentSource, Config, OciReference, ReferencePart, Registry, RegistryLogin};
use crate::credentials::Vault;
use crate::store::Store;
use crate::tls;

/// Longer than this, and people are told what is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Told every two seconds what is being fetched and how many bytes of it have come.
pub type Progress = Arc<dyn Fn(&str, u64) + Send + Sync>;

/// Where components come from. Nothing is opened before it is needed: most hosts never ask a registry.
pub struct Sources {
    cache: Cache,
    registries: BTreeMap<String, Arc<Registry>>,
    store: config::Store,
    secrets: config::Secrets,
    vault: OnceCell<Vault>,
    ways: OnceCell<Ways>,
    progress: Progress,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sources").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// What a reference leads to.
#[derive(Debug)]
pub struct Pulled {
    /// The digest of its manifest: what a reference pins.
    pub manifest_digest: String,
    /// The component.
    pub component: Component,
}

impl Sources {
    /// The sources that a configuration names. `vault`: where one is open already.
    pub fn new(config: &Config, vault: Option<Vault>, progress: Progress) -> Sources {
        Sources {
            cache: Cache::new(config.store.folder(&config.base).join("components")),
            registries: config.registries.clone(),
            store: config.store.clone(),
            secrets: config.secrets.clone(),
            vault: OnceCell::new_with(vault),
            ways: OnceCell::new(),
            progress,
        }
    }

    /// Where fetched components are kept.
    pub fn cache_folder(&self) -> PathBuf {
        self.cache.folder().to_owned()
    }

    /// The component of a pinned reference: from the cache, else from its registry.
    pub(super) async fn component(&self, reference: &OciReference, pinned: Option<&str>) -> Result<Component, ComponentError> {
        if reference.digest.is_none() && pinned.is_none() {
            let today = self
                .resolve(reference)
                .await
                .map_err(|source| ComponentError::UnpinnedUnknown { reference: reference.to_string(), source: Box::new(source) })?;
            return Err(ComponentError::Unpinned { reference: reference.to_string(), pinned: reference.pinned(&today).to_string() });
        }
        match self.cached(reference, pinned).await {
            Some(bytes) => of(bytes).await,
            None => Ok(self.pull(reference).await?.component),
        }
    }

    /// A component without asking anybody: a file, one that travels in the binary, or one that was fetched before. `None`: it has to be fetched.
    pub async fn at_hand(&self, source: &ComponentSource, pinned: Option<&str>) -> Option<Result<Component, ComponentError>> {
        match source {
            ComponentSource::Builtin(_) => Component::here(source),
            ComponentSource::Path(path) => {
                let bytes = self.file(path, pinned).await;
                Some(bytes.and_then(Component::new))
            }
            ComponentSource::Oci(reference) => match self.cached(reference, pinned).await {
                Some(bytes) => Some(of(bytes).await),
                None => None,
            },
        }
    }

    /// The bytes of a file. One that is pinned and not there may have come in a bundle.
    pub(super) async fn file(&self, path: &Path, pinned: Option<&str>) -> Result<Vec<u8>, ComponentError> {
        let (cache, path, pinned) = (self.cache.clone(), path.to_owned(), pinned.map(str::to_owned));
        let work = move || match read(&path) {
            Err(ComponentError::Read { source, path }) if source.kind() == std::io::ErrorKind::NotFound => {
                pinned.and_then(|pinned| cache.get(&pinned)).ok_or(ComponentError::Read { path, source })
            }
            done => done,
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| ComponentError::Broken)?
    }

    /// A component as it goes into a bundle. `None`: it travels in the binary.
    ///
    /// # Errors
    /// As [`Component::fetch`].
    pub async fn pack(&self, plugin: &str, source: &ComponentSource, pinned: Option<&str>) -> Result<Option<Packed>, ComponentError> {
        let (source, artifact) = match source {
            ComponentSource::Builtin(_) => return Ok(None),
            ComponentSource::Path(path) => {
                let component = Component::fetch(self, source, pinned).await?;
                (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), Artifact::of(component))
            }
            ComponentSource::Oci(reference) => {
                // Refused without a pin, and compared with it.
                let component = Component::fetch(self, source, pinned).await?;
                let artifact = match self.whole(reference, &component).await {
                    Some(artifact) => artifact,
                    None => self.pull(reference).await?,
                };
                if artifact.component.digest != component.digest {
                    return Err(ComponentError::Digest { actual: artifact.component.digest });
                }
                (reference.to_string(), artifact)
            }
        };
        Ok(Some(Packed { plugin: plugin.to_owned(), source, artifact }))
    }

    /// Keeps a piece of a bundle.
    pub(super) fn keep(&self, bytes: &[u8]) -> std::io::Result<String> {
        self.cache.put(bytes)
    }

    /// A component with its manifest and configuration, as far as the cache has them.
    async fn whole(&self, reference: &OciReference, component: &Component) -> Option<Artifact> {
        let (cache, wanted, component) = (self.cache.clone(), reference.digest.clone()?, component.clone());
        let look = move || {
            let manifest = cache.get(&wanted)?;
            let named = Manifest::read(&manifest, None).ok()?;
            let config = cache.get(&named.config.digest)?;
            (named.layer.digest == component.digest).then_some(Artifact { manifest, digest: wanted, config, component })
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// A component with everything that belongs to it, from its registry, and kept in the cache.
    ///
    /// # Errors
    /// Anything that a registry can do wrong, or bytes that are no plugin.
    pub async fn fetch(&self, reference: &OciReference) -> Result<Pulled, ComponentError> {
        let artifact = self.pull(reference).await?;
        Ok(Pulled { manifest_digest: artifact.digest, component: artifact.component })
    }

    /// Writes a component to a registry. Gives the reference that names just this component for ever.
    ///
    /// # Errors
    /// Anything that a registry can do wrong.
    pub async fn push(&self, component: Component, reference: &OciReference) -> Result<OciReference, ComponentError> {
        let artifact = Artifact::of(component);
        let what = format!("pushing {reference}");
        let mut client = self.client(reference, true).await?;
        let received = client.received();
        let digest = artifact.digest.clone();
        self.within(reference, &what, &received, async move { client.push(&artifact).await }).await?;
        Ok(reference.pinned(&digest))
    }

    /// The digest that a tag leads to today.
    async fn resolve(&self, reference: &OciReference) -> Result<String, ComponentError> {
        let what = format!("asking for {reference}");
        let mut client = self.client(reference, false).await?;
        let received = client.received();
        let (_, digest, _) = self.within(reference, &what, &received, async move { client.manifest().await }).await?;
        Ok(digest)
    }

    async fn pull(&self, reference: &OciReference) -> Result<Artifact, ComponentError> {
        let what = format!("fetching {reference}");
        let mut client = self.client(reference, false).await?;
        let received = client.received();
        let work = async move {
            let (manifest, digest, named) = client.manifest().await?;
            let config = client.blob("configuration", &named.config).await?;
            let component = client.blob("component", &named.layer).await?;
            Ok((manifest, digest, config, component))
        };
        let (manifest, manifest_digest, config, bytes) = self.within(reference, &what, &received, work).await?;
        let cache = self.cache.clone();
        // Looked at before it is kept: what is no plugin has no place here.
        let work = move || -> Result<Artifact, ComponentError> {
            let component = Component::new(bytes)?;
            for piece in [component.bytes.as_slice(), &config, &manifest] {
                let keep = |source| ComponentError::Cache { folder: cache.folder().display().to_string(), source };
                cache.put(piece).map_err(keep)?;
            }
            Ok(Artifact { manifest, digest: manifest_digest, config, component })
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| ComponentError::Broken)?
    }

    /// What the cache has of a pinned reference.
    async fn cached(&self, reference: &OciReference, pinned: Option<&str>) -> Option<Vec<u8>> {
        let (cache, manifest, pinned) = (self.cache.clone(), reference.digest.clone(), pinned.map(str::to_owned));
        let look = move || match (manifest, pinned) {
            (Some(manifest), _) => {
                let manifest = Manifest::read(&cache.get(&manifest)?, None).ok()?;
                cache.get(&manifest.layer.digest)
            }
            (None, pinned) => cache.get(&pinned?),
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// The registry of a reference, as it is configured.
    fn registry(&self, reference: &OciReference) -> Arc<Registry> {
        let known = self.registries.get(&reference.registry).cloned();
        known.unwrap_or_else(|| Arc::new(Registry::unnamed(&reference.registry)))
    }

    async fn client(&self, reference: &OciReference, writes: bool) -> Result<Client, ComponentError> {
        let registry = self.registry(reference);
        let ways = match registry.authorities.as_slice() {
            [] => {
                let make = || async {
                    let tls = tls::client_config()?;
                    Ok::<Ways, ComponentError>(Ways::new(tls.clone(), tls)?)
                };
                self.ways.get_or_try_init(make).await?.clone()
            }
            own => Ways::new(tls::client_config_trusting(own)?, tls::client_config()?)?,
        };
        let vault = self.vault(&registry).await?;
        let login = Login::new(registry.clone(), vault, &reference.repository, writes);
        Ok(Client::new(ways, registry, reference.clone(), login))
    }

    /// Does something with a registry, within its time, telling whoever waits.
    async fn within<T>(
        &self,
        reference: &OciReference,
        what: &str,
        received: &AtomicU64,
        work: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, ComponentError> {
        let registry = self.registry(reference);
        let done = self.watched(what, received, tokio::time::timeout(registry.timeout, work)).await;
        Ok(done.map_err(|_| RegistryError::TooSlow(registry.timeout, registry.host.clone()))??)
    }

    /// The vault, if the login of a registry needs it.
    async fn vault(&self, registry: &Registry) -> Result<Option<Vault>, ComponentError> {
        let references = match &registry.login {
            None => vec![],
            Some(RegistryLogin::Basic { username, password }) => vec![username, password],
            Some(RegistryLogin::Token(token)) => vec![token],
        };
        let sealed = |part: &ReferencePart| matches!(part, ReferencePart::Secret(_));
        if !references.iter().flat_map(|reference| &reference.parts).any(sealed) {
            return Ok(None);
        }
        let open = || async {
            let store = Store::open_beside(&self.store.url).await?;
            Ok::<Vault, ComponentError>(Vault::open(store, &self.secrets, Clock::system()).await?)
        };
        self.vault.get_or_try_init(open).await.map(|vault| Some(vault.clone()))
    }

    async fn watched<T>(&self, what: &str, received: &AtomicU64, work: impl Future<Output = T>) -> T {
        let mut every = tokio::time::interval_at(tokio::time::Instant::now() + PATIENCE, PATIENCE);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = every.tick() => (self.progress)(what, received.load(Ordering::Relaxed)),
            }
        }
    }
}
