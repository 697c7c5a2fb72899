//! `sangam plugin`.

mod bundle;
mod pull;
mod push;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{ConfigArg, Failure, plain};
use crate::engine::Engine;
use crate::registry::{self, Component, Descriptor};
use crate::telemetry;

/// Builds and inspects plugins.
#[derive(Debug, clap::Args)]
pub(super) struct Plugin {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Read off a component what it is: contract, actions with schemas, imports, expected hosts, size, digest
    Inspect {
        /// The component: a file, or oci://registry/name:tag
        #[arg(value_name = "FILE|REF")]
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Embed a component's descriptor, so that it can be shown and checked without running it
    Embed {
        /// The component as the toolchain made it
        file: PathBuf,
        /// Where to write the plugin
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Write a component to an OCI registry
    Push(push::Push),
    /// Fetch a component from an OCI registry into a file
    Pull(pull::Pull),
    /// Carry components to machines without a network
    Bundle(bundle::Bundle),
}

impl Plugin {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.verb {
            Verb::Inspect { file, json, config } => inspect(&file, json, &config).await,
            Verb::Embed { file, output } => embed(&file, &output).await,
            Verb::Push(verb) => verb.run().await,
            Verb::Pull(verb) => verb.run().await,
            Verb::Bundle(verb) => verb.run().await,
        }
    }
}

fn read(file: &Path) -> Result<Component, Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::Usage(format!("can't read {}: {error}", file.display())))?;
    Component::new(bytes).map_err(|error| Failure::Failed(format!("{}: {}", file.display(), telemetry::chain(&error))))
}

/// Asks a component to describe itself, with every import trapping.
pub(super) async fn describe(component: &Component) -> Result<Descriptor, String> {
    Descriptor::parse(&describe_text(component).await?).map_err(|error| telemetry::chain(&error))
}

async fn describe_text(component: &Component) -> Result<String, String> {
    let engine = Engine::start(None, [0; 32], &crate::config::Engine::default()).map_err(|error| telemetry::chain(&error))?;
    let code = engine.load(&component.digest, &component.bytes).await.map_err(|error| telemetry::chain(&error))?;
    engine.describe(&code, &crate::config::Limits::default()).await.map_err(|error| telemetry::chain(&error))
}

async fn embed(file: &Path, output: &Path) -> Result<(), Failure> {
    let component = read(file)?;
    if component.inspection.descriptor.is_some() {
        return Err(Failure::Usage(format!("{} has its descriptor already", file.display())));
    }
    let text = describe_text(&component).await.map_err(Failure::Failed)?;
    Descriptor::parse(&text).map_err(|error| Failure::Failed(format!("{}: {}", file.display(), telemetry::chain(&error))))?;
    let bytes = registry::embed(&component.bytes, &text);
    // What is written must be what a host will take.
    Component::new(bytes.clone()).map_err(|error| Failure::Failed(format!("{}: {}", file.display(), telemetry::chain(&error))))?;
    if let Some(folder) = output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(Failure::failed)?;
    }
    std::fs::write(output, &bytes).map_err(|error| Failure::failed(format!("can't write {}: {error}", output.display())))?;
    anstream::println!("{}: {} KiB, {}", output.display(), bytes.len() >> 10, registry::digest(&bytes));
    Ok(())
}

async fn inspect(file: &Path, json: bool, config: &ConfigArg) -> Result<(), Failure> {
    let component = match file.to_str().filter(|name| name.starts_with(crate::config::OCI)) {
        Some(reference) => pull::fetch(&pull::reference(reference)?, config).await?.component,
        None => read(file)?,
    };
    let inspection = &component.inspection;
    let (descriptor, described) = match &inspection.descriptor {
        Some(descriptor) => (descriptor.clone(), false),
        None => (describe(&component).await.map_err(Failure::Failed)?, true),
    };
    if json {
        let document = json!({
            "digest": component.digest,
            "size": inspection.size,
            "contract": inspection.contract,
            "core_instances": inspection.core_instances,
            "imports": inspection.imports,
            "descriptor": descriptor,
            "descriptor_embedded": !described,
        });
        anstream::println!("{document:#}");
        return Ok(());
    }
    anstream::println!("{} {} ({})", plain(&descriptor.title), plain(&descriptor.version), descriptor.name);
    if !descriptor.description.is_empty() {
        anstream::println!("  {}", super::plain_lines(&descriptor.description));
    }
    anstream::println!("  contract        {}", inspection.contract);
    anstream::println!("  size            {} KiB, {} core instance(s)", inspection.size >> 10, inspection.core_instances);
    anstream::println!("  digest          {}", component.digest);
    if described {
        anstream::println!("  descriptor      not embedded: the plugin was asked to describe itself (`sangam plugin embed` embeds it)");
    }
    list("imports", &inspection.imports);
    list("expects hosts", &descriptor.hosts);
    list("only reads", &descriptor.read_only);
    let required = |schema: &serde_json::Value| {
        let names: Vec<String> = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let needed: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
        names
            .iter()
            .map(|name| if needed.contains(&name.as_str()) { plain(name) } else { format!("[{}]", plain(name)) })
            .collect::<Vec<_>>()
            .join(" ")
    };
    anstream::println!("  configuration   {}", required(&descriptor.configuration));
    for action in &descriptor.actions {
        let undo = action.undo.as_ref().map(|undo| format!(", undone by {undo}")).unwrap_or_default();
        let idempotent = if action.idempotent { ", idempotent" } else { "" };
        anstream::println!("  action {}: {}{undo}{idempotent}", action.name, plain(&action.title));
        anstream::println!("    input         {}", required(&action.input));
        anstream::println!("    output        {}", required(&action.output));
    }
    for stream in &descriptor.streams {
        anstream::println!("  stream {}: {} ({})", stream.name, plain(&stream.title), plain(&stream.types.join(", ")));
    }
    anstream::println!("`--json` prints the schemas in full");
    Ok(())
}

fn list(name: &str, items: &[String]) {
    for (index, item) in items.iter().enumerate() {
        anstream::println!("  {:15} {}", if index == 0 { name } else { "" }, plain(item));
    }
}
