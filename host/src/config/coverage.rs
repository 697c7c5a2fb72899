//! Whether the credentials of a plugin fit the hosts it may reach, and one another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{Credential, CredentialKind, Destination, HostPattern, Plugin};
use super::origin::origin;
use super::position::Positions;
use super::reader::Reader;

/// Looks at each credential that each plugin was granted.
pub(super) fn check(
    r: &mut Reader<'_>,
    positions: &Positions,
    credentials: &BTreeMap<String, Arc<Credential>>,
    plugins: &BTreeMap<String, Arc<Plugin>>,
) {
    for plugin in plugins.values() {
        // Header and origin of each credential so far, with its name.
        let mut taken: BTreeMap<(String, &str), &str> = BTreeMap::new();
        for (index, name) in plugin.grants.credentials.iter().enumerate() {
            let Some(credential) = credentials.get(name) else {
                continue;
            };
            let path = format!("plugins.{}.credentials[{index}]", plugin.name);
            let Some(place) = positions.get(&path).map(|position| position.value.clone()) else {
                continue;
            };
            for host in uncovered(credential, &plugin.grants.hosts) {
                let message = format!("credential `{name}` is for {host}, which `allow-hosts` does not let `{}` reach", plugin.name);
                r.warn(&place, message).help(format!("add \"{host}\" to `allow-hosts`, or take the credential away"));
            }
            for host in &credential.hosts {
                let Some(other) = taken.insert((header(&credential.kind), host), name).filter(|other| other != name) else {
                    continue;
                };
                let message = format!("credentials `{other}` and `{name}` both fill the header `{}` at {host}", header(&credential.kind));
                r.error(&place, message).help("grant one of them; a second plugin can have the other");
            }
        }
    }
}

fn uncovered<'c>(credential: &'c Credential, allowed: &'c [Destination]) -> impl Iterator<Item = &'c String> {
    credential.hosts.iter().filter(move |host| {
        let covers = |origin: &HostPattern| allowed.iter().any(|p| p.origin.matches(&origin.scheme, &origin.host, origin.port));
        !origin(host).is_ok_and(|origin| covers(&origin))
    })
}

fn header(kind: &CredentialKind) -> String {
    match kind {
        CredentialKind::Header { name, .. } => name.to_ascii_lowercase(),
        _ => "authorization".to_owned(),
    }
}
