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
        // What each credential so far fills at which origin, with its name.
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
                for spot in spots(&credential.kind) {
                    let Some(other) = taken.insert((spot.clone(), host), name).filter(|other| other != name) else {
                        continue;
                    };
                    let message = format!("credentials `{other}` and `{name}` both fill the {spot} at {host}");
                    r.error(&place, message).help("grant one of them; a second plugin can have the other");
                }
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

/// What a credential fills. A placeholder fills what the plugin writes, and so comes in nobody's way.
fn spots(kind: &CredentialKind) -> Vec<String> {
    let header = |name: &str| format!("header `{}`", name.to_ascii_lowercase());
    match kind {
        CredentialKind::Header { name, .. } => vec![header(name)],
        CredentialKind::Query { name, .. } => vec![format!("query parameter `{name}`")],
        CredentialKind::Hmac(hmac) => {
            let more = [&hmac.key_id_header, &hmac.timestamp_header, &hmac.nonce_header];
            std::iter::once(&hmac.header).chain(more.into_iter().flatten()).map(|name| header(name)).collect()
        }
        CredentialKind::Placeholder { .. } => Vec::new(),
        CredentialKind::Bearer { .. }
        | CredentialKind::Basic { .. }
        | CredentialKind::OAuth2ClientCredentials(_)
        | CredentialKind::OAuth2RefreshToken { .. }
        | CredentialKind::OAuth2AuthorizationCode { .. }
        | CredentialKind::OAuth2JwtBearer { .. } => vec![header("authorization")],
    }
}
