//! `sangam plugin pull`.

use std::path::PathBuf;

use super::super::{ConfigArg, Failure, sources};
use crate::config::{self, Config, OciReference};
use crate::registry::Pulled;

/// Fetches a component from an OCI registry into a file, every byte verified, and says how to pin it. Logins are those of [registries."HOST"] in
/// the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Pull {
    /// Where it is: registry.example/name:tag, or name@sha256:… to get just that
    #[arg(value_name = "REF")]
    reference: String,
    /// Where to write it; default NAME.wasm here, if there is no such file
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

impl Pull {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let reference = reference(&self.reference)?;
        // Named after what was asked for, not by what the registry says of it.
        let output = self.output.clone().unwrap_or_else(|| format!("{}.wasm", reference.short_name()).into());
        if self.output.is_none() && output.exists() {
            return Err(Failure::Usage(format!("{} is there already: say where to write with --output", output.display())));
        }
        let Pulled { manifest_digest, component } = fetch(&reference, &self.config).await?;
        std::fs::write(&output, component.bytes.as_slice())
            .map_err(|error| Failure::failed(format!("can't write {}: {error}", output.display())))?;
        anstream::println!("{}: {} KiB", output.display(), component.bytes.len() >> 10);
        anstream::println!("  digest     {}", component.digest);
        anstream::println!("  component  {:?}", reference.pinned(&manifest_digest).to_string());
        Ok(())
    }
}

/// Reads a reference of the command line.
pub(super) fn reference(text: &str) -> Result<OciReference, Failure> {
    OciReference::parse(text).map_err(Failure::Usage)
}

/// Fetches what a reference leads to.
pub(super) async fn fetch(reference: &OciReference, config: &ConfigArg) -> Result<Pulled, Failure> {
    sources(&configuration(config)?).fetch(reference).await.map_err(|error| Failure::error(&error))
}

/// The configuration, for its registries; where there is none, that of an empty file.
pub(super) fn configuration(config: &ConfigArg) -> Result<Config, Failure> {
    let usage = |problems: config::Problems| Failure::Usage(problems.to_string());
    if config.config.exists() {
        return config::load(&config.config).map(|loaded| loaded.config).map_err(usage);
    }
    if config.config != std::path::Path::new("sangam.toml") {
        return Err(Failure::Usage(format!("there is no {}", config.config.display())));
    }
    let here = std::env::current_dir().map_err(Failure::failed)?;
    config::parse("", "sangam.toml", &here, &config::Outside::process()).map(|loaded| loaded.config).map_err(usage)
}
