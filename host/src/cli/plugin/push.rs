//! `sangam plugin push`.

use std::path::PathBuf;

use serde_json::json;

use super::super::{ConfigArg, Failure, sources};

/// Writes a component to an OCI registry, in the layout that `wkg` and `oras` read, and says how to pin it. The same component always gets the same
/// digest. Logins are those of [registries."HOST"] in the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Push {
    /// The component
    file: PathBuf,
    /// Where to: registry.example/name:tag
    #[arg(value_name = "REF")]
    reference: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Push {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let reference = super::pull::reference(&self.reference)?;
        if reference.tag.is_none() || reference.digest.is_some() {
            return Err(Failure::Usage(format!(
                "{reference}: push to a tag, such as registry.example/name:1.0; its digest comes by itself"
            )));
        }
        let component = super::read(&self.file)?;
        let digest = component.digest.clone();
        let sources = sources(&super::pull::configuration(&self.config)?);
        let pinned = sources.push(component, &reference).await.map_err(|error| Failure::error(&error))?;
        if self.json {
            anstream::println!("{:#}", json!({ "reference": pinned.to_string(), "manifest_digest": pinned.digest, "digest": digest }));
            return Ok(());
        }
        anstream::println!("pushed {}", reference);
        anstream::println!("  digest     {digest}");
        anstream::println!("  component  {:?}", pinned.to_string());
        Ok(())
    }
}
