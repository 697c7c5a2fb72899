//! Whether a plugin is granted the host's own API in passing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{Access, Destination, Plugin, Server};
use super::position::Positions;
use super::reader::Reader;

/// In open mode whoever reaches the API may do everything: a grant of it must say what it is for.
pub(super) fn check(r: &mut Reader<'_>, positions: &Positions, server: &Server, plugins: &BTreeMap<String, Arc<Plugin>>) {
    // Port 0 is one that nobody can have named.
    if server.access != Access::Open || server.listen.port() == 0 {
        return;
    }
    for plugin in plugins.values() {
        for (index, destination) in plugin.grants.hosts.iter().enumerate().filter(|(_, destination)| is_whole_api(destination, server)) {
            let path = format!("plugins.{}.allow-hosts[{index}]", plugin.name);
            let Some(place) = positions.get(&path).map(|position| position.value.clone()) else {
                continue;
            };
            let message = format!("{destination} is this host itself, where access = \"open\" lets `{}` do all that you can", plugin.name);
            r.error(&place, message).help(format!("name what it is for, such as \"POST {}/v1/events\"", destination.origin));
        }
    }
}

fn is_whole_api(destination: &Destination, server: &Server) -> bool {
    let origin = &destination.origin;
    destination.path.is_none() && origin.scheme == "http" && origin.port == server.listen.port() && origin.is_loopback()
}
