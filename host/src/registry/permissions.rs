//! What a component may ask for, read off its imports and its descriptor.

use super::descriptor::{Descriptor, Stream};
use super::inspection::Inspection;
use crate::config::Permissions;

/// Types are no ability.
const TYPES: &[&str] = &["sangam:connector/types", "wasi:http/types"];

/// Of a component. Without a descriptor: what its imports alone show.
pub(super) fn permissions(inspection: &Inspection, descriptor: Option<&Descriptor>) -> Permissions {
    let set = |list: Option<&Vec<String>>| list.into_iter().flatten().cloned().collect();
    let mut permissions = Permissions {
        imports: inspection.imports.iter().map(|import| ability(import)).filter(|import| !TYPES.contains(&import.as_str())).collect(),
        hosts: set(descriptor.map(|descriptor| &descriptor.hosts)),
        read_only: set(descriptor.map(|descriptor| &descriptor.read_only)),
        emits: set(descriptor.and_then(|descriptor| descriptor.emits.as_ref())),
        streams: descriptor.into_iter().flat_map(|descriptor| &descriptor.streams).map(stream).collect(),
    };
    if permissions.sends() && permissions.hosts.is_empty() {
        permissions.hosts.insert(Permissions::ANY_HOST.to_owned());
    }
    permissions
}

/// An import without its version: of this house and of `wasi:http` the interface, of the rest of WASI the package.
fn ability(import: &str) -> String {
    let name = import.split('@').next().unwrap_or(import);
    match name.split_once('/') {
        Some((package, _)) if package.starts_with("wasi:") && package != "wasi:http" => package.to_owned(),
        _ => name.to_owned(),
    }
}

fn stream(stream: &Stream) -> String {
    let ways: Vec<&str> =
        [(stream.poll, "polled"), (stream.receive, "webhooks")].iter().filter(|(has, _)| *has).map(|(_, way)| *way).collect();
    let types = if stream.types.is_empty() { "types that it does not name".to_owned() } else { stream.types.join(", ") };
    format!("{} ({}): {types}", stream.name, ways.join(", "))
}
