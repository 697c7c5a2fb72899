//! `[nats.NAME]`: how a NATS server is reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::authority::{authorities, client_certificate};
use super::clear_text::secret;
use super::item::Item;
use super::model::{NatsLogin, NatsServer};
use super::origin::is_loopback;
use super::reader::Reader;
use super::reference::{has_reference, resolved};
use super::section::Section;

/// Servers by name, with those that are wrong as `None`, so that a name that stands in the file is not said to be missing.
pub(super) type NatsServers = BTreeMap<String, Option<Arc<NatsServer>>>;

/// Most servers of one cluster.
const MAX_SERVERS: usize = 64;
/// The keys that say how a server is reached.
pub(super) const CONNECTION: [&str; 8] = ["servers", "token", "user", "password", "nkey", "credentials", "ca-file", "client-certificate"];

/// Reads one `[nats.NAME]`.
pub(super) fn server(r: &mut Reader<'_>, item: &Item<'_>) -> Option<NatsServer> {
    let mut section = item.table(r, format!("[nats.{}]", item.name))?;
    let server = connection(r, &mut section);
    section.finish(r);
    server
}

/// Reads the keys of a connection out of a section that may have others.
pub(super) fn connection(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<NatsServer> {
    hide(r, section);
    let urls = section.required(r, "servers", "[\"nats://127.0.0.1:4222\"]").map(|item| servers(r, &item));
    let login = login(r, section);
    let ca_item = section.get("ca-file");
    let own = ca_item.map_or(Some(Vec::new()), |item| Some(authorities(r, &item)).filter(|found| !found.is_empty()));
    let certificate = section.get("client-certificate").map(|item| client_certificate(r, &item));
    let tls_first = section.get("tls-first").map_or(Some(false), |item| item.boolean(r));
    let servers = urls??;
    let login = login?;
    let says_tls = servers.iter().any(|url| url.starts_with("tls:"));
    let leaves = servers.iter().any(|url| !Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(is_near)));
    // A seed signs and stays here; these are sent as they are.
    let shows_secret = matches!(login, NatsLogin::Token(_) | NatsLogin::Password { .. });
    let tls_first = tls_first?;
    Some(NatsServer {
        tls_required: says_tls || tls_first || (leaves && shows_secret),
        servers,
        login,
        authorities: own?,
        certificate: certificate.map_or(Some(None), |certificate| certificate.map(Some))?,
        tls_first,
    })
}

fn is_near(host: &str) -> bool {
    is_loopback(host.trim_matches(['[', ']']))
}

/// Secrets in clear text are refused, and not shown either.
fn hide(r: &mut Reader<'_>, section: &Section<'_>) {
    let is_secret = |name: &str| ["token", "password", "nkey", "credentials"].contains(&name);
    let members = section.members();
    let secrets = members.iter().filter(|member| is_secret(&member.name) && !member.value.as_str().is_some_and(has_reference));
    r.hidden.extend(secrets.map(|member| member.span.clone()));
}

fn servers(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<String>> {
    let items = item.items(r)?;
    if items.is_empty() || items.len() > MAX_SERVERS {
        r.error(&item.span, format!("`servers` names 1 to {MAX_SERVERS} servers")).help("write servers = [\"nats://127.0.0.1:4222\"]");
        return None;
    }
    let mut urls = Vec::new();
    for item in &items {
        let text = item.text(r);
        let Some(text) = text else {
            urls.push(None);
            continue;
        };
        let url = resolved(r, &text).map(|value| server_url(&value));
        urls.push(match url {
            Some(Ok(url)) => Some(url),
            Some(Err(message)) => {
                if message.contains("password") {
                    r.hidden.push(text.span.clone());
                }
                r.error(&text.span, message);
                None
            }
            None => None,
        });
    }
    urls.into_iter().collect()
}

fn server_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("this is not the URL of a server: {error}; write it such as nats://host:4222"))?;
    if !matches!(url.scheme(), "nats" | "tls") {
        return Err(format!("the scheme `{}` is neither nats nor tls", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a server's URL can't hold a user or password: write user = \"…\" and password = \"${secret:NAME}\"".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) || !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` is not the URL of a server: scheme, host and port alone, such as nats://host:4222"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn login(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<NatsLogin> {
    let (has_token, user, has_password) = (section.get("token"), section.get("user"), section.get("password").is_some());
    let (nkey, credentials) = (section.get("nkey"), section.get("credentials"));
    let ways = [has_token.as_ref(), user.as_ref(), nkey.as_ref(), credentials.as_ref()];
    let mut given = ways.into_iter().flatten();
    let first = given.next();
    if let (Some(first), Some(second)) = (first, given.next()) {
        r.error(&second.key, format!("`{}` and `{}` are two ways to show who the host is", first.name, second.name))
            .help("keep one of the two");
        return None;
    }
    if has_password && user.is_none() {
        let span = section.span.clone();
        r.error(&span, "`password` without `user`").help("add user = \"…\"");
        return None;
    }
    match first.map(|item| item.name.as_str()) {
        None => Some(NatsLogin::Nobody),
        Some("token") => secret(r, section, "token").map(NatsLogin::Token),
        Some("nkey") => secret(r, section, "nkey").map(NatsLogin::Nkey),
        Some("credentials") => secret(r, section, "credentials").map(NatsLogin::Credentials),
        Some(_) => {
            let user = user.as_ref().and_then(|item| item.text(r)).and_then(|text| resolved(r, &text));
            let password = secret(r, section, "password");
            Some(NatsLogin::Password { user: user?, password: password? })
        }
    }
}
