//! What a component may ask for, read off its imports and its descriptor.

use super::descriptor::{Descriptor, Stream};
use super::inspection::Inspection;
use crate::config::Permissions;

/// Of a component. Without a descriptor: what its imports alone show.
pub(super) fn permissions(inspection: &Inspection, descriptor: Option<&Descriptor>) -> Permissions {
    let set = |list: Option<&Vec<String>>| list.into_iter().flatten().cloned().collect();
    let mut permissions = Permissions {
        // Types are no ability.
        imports: inspection.imports.iter().map(|import| ability(import)).filter(|import| import != "sangam:connector/types").collect(),
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

/// An import without its version: of this house the interface, of WASI the package.
fn ability(import: &str) -> String {
    let name = import.split('@').next().unwrap_or(import);
    match name.split_once('/') {
        Some((package, _)) if package.starts_with("wasi:") => package.to_owned(),
        _ => name.to_owned(),
    }
}

fn stream(stream: &Stream) -> String {
    let ways: Vec<&str> =
        [(stream.poll, "polled"), (stream.receive, "webhooks")].iter().filter(|(has, _)| *has).map(|(_, way)| *way).collect();
    let types = if stream.types.is_empty() { "types that it does not name".to_owned() } else { stream.types.join(", ") };
    format!("{} ({}): {types}", stream.name, ways.join(", "))
}
