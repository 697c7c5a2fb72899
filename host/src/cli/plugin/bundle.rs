//! `sangam plugin bundle`.

use std::path::{Path, PathBuf};

use super::super::{ConfigArg, Failure, plain, sources};
use crate::config::{self, ComponentSource};
use crate::registry::{Bundle as Contents, Supply, create_bundle, install_bundle, look_at_bundle};

/// Carries components to machines without a network, in one file that is verified as a whole.
#[derive(Debug, clap::Args)]
pub(super) struct Bundle {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write all components of the configuration, with their signatures and the lock, into one file (an OCI image layout in a tar)
    Create {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Verify a bundle and keep its components here, so that the configuration finds them without a network
    Install {
        /// The bundle
        file: PathBuf,
        /// Take over the bundle's sangam.lock too, where there is none: you trust what was reviewed where it was made
        #[arg(long)]
        lock: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

impl Bundle {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Create { file, config } => create(&file, &config).await,
            Verb::Install { file, lock, config } => install(file, lock, &config).await,
        }
    }
}

/// The lock beside a configuration.
fn lock_of(config: &ConfigArg) -> PathBuf {
    config.config.with_extension("lock")
}

async fn create(file: &Path, config: &ConfigArg) -> Result<(), Failure> {
    if file.exists() {
        return Err(Failure::Usage(format!("{} is there already; nothing was written", file.display())));
    }
    let loaded = config::load(&config.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
    let supply = Supply::of(&loaded).map_err(|problems| Failure::Usage(problems.to_string()))?;
    let sources = sources(&loaded.config);
    let (mut packed, mut problems) = (Vec::new(), Vec::new());
    for (name, source, written) in loaded.config.plugins.values().flat_map(|plugin| plugin.components()) {
        let pinned = supply.pinned(&name, source, written);
        match sources.pack(&name, source, pinned).await {
            Ok(Some(component)) => {
                anstream::println!("{name}: {}, {}", component.source, component.digest());
                let approved = supply.lock().is_some_and(|lock| lock.pins.contains_key(&name));
                if matches!(source, ComponentSource::Path(_)) && written.is_none() && !approved {
                    let digest = component.digest();
                    anstream::eprintln!(
                        "{name}: a file without a pin is not looked for in a bundle; approve it (`sangam plugin approve`), or write digest = {digest:?} in [plugins.{name}]"
                    );
                }
                packed.push(component);
            }
            Ok(None) => anstream::println!("{name}: travels in the binary"),
            Err(error) => problems.push(loaded.component_problem(&name, &crate::telemetry::chain(&error))),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::Usage(loaded.problems(problems).to_string()));
    }
    let lock = match std::fs::read(lock_of(config)) {
        Ok(lock) => Some(lock),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::failed(format!("can't read {}: {error}", lock_of(config).display()))),
    };
    create_bundle(file, &packed, lock.as_deref()).map_err(|error| Failure::error(&error))?;
    let lock = if lock.is_some() { " and sangam.lock" } else { "" };
    anstream::println!("{}: {} component(s){lock}", file.display(), packed.len());
    Ok(())
}

async fn install(file: PathBuf, take_lock: bool, config: &ConfigArg) -> Result<(), Failure> {
    let sources = sources(&super::pull::configuration(config)?);
    let lock = lock_of(config);
    let work = move || -> Result<Contents, Failure> {
        let bundle =
            look_at_bundle(&file).map_err(|error| Failure::Failed(format!("{}: {}", file.display(), crate::telemetry::chain(&error))))?;
        // Decided before anything is kept.
        let taken = bundle.lock.as_ref().filter(|_| take_lock);
        if taken.is_some_and(|taken| std::fs::read(&lock).is_ok_and(|here| here != *taken)) {
            return Err(Failure::Failed(format!("{} is there already and says something else; nothing was installed", lock.display())));
        }
        install_bundle(&file, &bundle, &sources).map_err(|error| Failure::error(&error))?;
        if let Some(taken) = taken {
            std::fs::write(&lock, taken).map_err(|error| Failure::failed(format!("can't write {}: {error}", lock.display())))?;
        }
        Ok(bundle)
    };
    let bundle = tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Failed("installing was broken off".to_owned()))??;
    for held in &bundle.components {
        // Other programs' bundles don't say whose a component was.
        let descriptor = held.inspection.descriptor.as_ref();
        let (name, version) = descriptor.map_or(("", ""), |said| (said.name.as_str(), said.version.as_str()));
        let name = if held.plugin.is_empty() { name } else { held.plugin.as_str() };
        anstream::println!("{}: {} {}", plain(name), plain(&held.source), plain(version));
        anstream::println!("  digest    {}", held.digest);
        anstream::println!("  manifest  {}", held.manifest_digest);
    }
    match (bundle.lock.is_some(), take_lock) {
        (true, true) => anstream::println!("sangam.lock was taken over: its permissions were reviewed where the bundle was made"),
        (true, false) => {
            anstream::println!("the bundle's sangam.lock was left out (`--lock` takes it over); review with `sangam plugin approve`")
        }
        _ => {}
    }
    Ok(())
}
