//! `sangam plugin inspect`: what an administrator should know of a component before it runs.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{pull, read};
use crate::cli::{ConfigArg, Failure, one_line};
use crate::config::Permissions;
use crate::registry::{Component, Descriptor};

/// What no component can do, whatever it was built for.
const NEVER: &str = "  open files or sockets, start programs, or see the environment: these imports lead nowhere
  send to a host that `allow-hosts` does not name, or to an address of your own network that `allow-private-addresses` does not
  see a credential: the host attaches it, to the credential's own hosts alone
  see events, values or logs of other plugins
  use more memory, time, requests or space than `limits` lets it
  tell the time or draw random numbers otherwise than the host gives them, the same on every attempt";

#[derive(Debug, clap::Args)]
pub(super) struct Inspect {
    /// The component: a file, or oci://registry/name:tag
    #[arg(value_name = "FILE|REF")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Inspect {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let component = match self.file.to_str().filter(|name| name.starts_with(crate::config::OCI)) {
            Some(reference) => pull::fetch(&pull::reference(reference)?, &self.config).await?.component,
            None => read(&self.file)?,
        };
        let (descriptor, described) = super::descriptor(&component).await.map_err(Failure::Failed)?;
        if self.json {
            anstream::println!("{:#}", document(&component, &descriptor, described));
        } else {
            show(&component, &descriptor, described);
        }
        Ok(())
    }
}

fn document(component: &Component, descriptor: &Descriptor, described: bool) -> Value {
    let inspection = &component.inspection;
    let Permissions { imports, hosts, read_only, emits, streams } = component.permissions(Some(descriptor));
    json!({
        "digest": component.digest,
        "size": inspection.size,
        "contract": inspection.contract,
        "core_instances": inspection.core_instances,
        "memory": inspection.memory,
        "imports": inspection.imports,
        "signed_by": inspection.signed_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "permissions": { "imports": imports, "hosts": hosts, "read_only": read_only, "emits": emits, "streams": streams },
        "descriptor": descriptor,
        "descriptor_embedded": !described,
    })
}

fn show(component: &Component, descriptor: &Descriptor, described: bool) {
    let inspection = &component.inspection;
    anstream::println!("{} {} ({})", one_line(&descriptor.title), one_line(&descriptor.version), descriptor.name);
    if !descriptor.description.is_empty() {
        anstream::println!("  {}", one_line(&descriptor.description));
    }
    anstream::println!("  contract        {}", inspection.contract);
    let (size, memory) = (inspection.size >> 10, inspection.memory >> 10);
    anstream::println!(
        "  size            {size} KiB, {} core instance(s), {memory} KiB of memory to begin with",
        inspection.core_instances
    );
    anstream::println!("  digest          {}", component.digest);
    match inspection.signed_by[..] {
        [] => anstream::println!("  signed by       nobody"),
        _ => list("signed by", &inspection.signed_by.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
    if described {
        anstream::println!("  descriptor      not embedded: the plugin was asked to describe itself (`sangam plugin embed` embeds it)");
    }
    list("imports", &inspection.imports);
    anstream::println!("  configuration   {}", members(&descriptor.configuration));
    for action in &descriptor.actions {
        let undo = action.undo.as_ref().map(|undo| format!(", undone by {undo}")).unwrap_or_default();
        let idempotent = if action.idempotent { ", idempotent" } else { "" };
        let batch = action.batch.map(|batch| format!(", up to {batch} runs at once")).unwrap_or_default();
        anstream::println!("  action {}: {}{undo}{idempotent}{batch}", action.name, one_line(&action.title));
        anstream::println!("    input         {}", members(&action.input));
        anstream::println!("    output        {}", members(&action.output));
    }
    for stream in &descriptor.streams {
        anstream::println!("  stream {}: {} ({})", stream.name, one_line(&stream.title), one_line(&stream.types.join(", ")));
    }
    anstream::println!("it may ask to, and gets what the configuration grants:");
    for word in component.permissions(Some(descriptor)).words() {
        anstream::println!("  {}", one_line(&word));
    }
    if descriptor.emits.is_none() {
        anstream::println!("  bring in events: it does not say of which types");
    }
    anstream::println!("it can never:\n{NEVER}");
    anstream::println!("`--json` prints the schemas in full");
}

/// The members of an object's schema, those that may be left out in brackets.
fn members(schema: &Value) -> String {
    let needed: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
    let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name);
    let shown = names.map(|name| if needed.contains(&name.as_str()) { one_line(name) } else { format!("[{}]", one_line(name)) });
    shown.collect::<Vec<_>>().join(" ")
}

fn list(name: &str, items: &[String]) {
    for (index, item) in items.iter().enumerate() {
        anstream::println!("  {:15} {}", if index == 0 { name } else { "" }, one_line(item));
    }
}
