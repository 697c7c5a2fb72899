//! The file as a whole: its tables, read one after another and then held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeTable;

use super::item::Item;
use super::model::{Config, Plugin, Route};
use super::nats::NatsServers;
use super::position::Positions;
use super::reader::Reader;
use super::section::Section;
use super::trust::Trust;
use super::{
    coverage, credentials, engine, events, mail, name, nats, own_api, plugins, registries, routes, server, sources, steps, subscribers,
    telemetry, templates, trust,
};

/// Reads all tables. `false`: something that is in the file could not be read and is left out; the reader has the mistakes.
pub(super) fn config(r: &mut Reader<'_>, root: &DeTable<'_>, positions: &Positions) -> (Config, bool) {
    let empty = DeTable::new();
    let mut file = Section::new(root, 0..0, "the file");
    let mut own = |r: &mut Reader<'_>, key: &'static str| {
        let label = format!("[{key}]");
        let section = file.get(key).and_then(|item| item.table(r, label.clone()));
        section.unwrap_or_else(|| Section::new(&empty, 0..0, label))
    };
    let (server, store, secrets) = (own(r, "server"), own(r, "store"), own(r, "secrets"));
    let (engine, trust, telemetry) = (own(r, "engine"), own(r, "trust"), own(r, "telemetry"));
    let server = server::server(r, server);
    let store = server::store(r, store);
    let secrets = server::secrets(r, secrets);
    let engine = engine::engine(r, engine);
    let trust = trust::trust(r, trust);
    let telemetry = telemetry::telemetry(r, telemetry);

    let mut complete = true;
    let mut known_registries = BTreeMap::new();
    let registry_items = file.get("registries").and_then(|item| item.table(r, "[registries]"));
    for item in registry_items.map(|table| table.members()).unwrap_or_default() {
        match registries::registry(r, &item) {
            Some(registry) => drop(known_registries.insert(registry.host.clone(), Arc::new(registry))),
            None => complete = false,
        }
    }

    let credential_items = named(r, &mut file, "credentials", "credential");
    let plugin_items = named(r, &mut file, "plugins", "plugin");
    let credential_names: BTreeSet<String> = credential_items.iter().map(|item| item.name.clone()).collect();
    let plugin_names: BTreeSet<String> = plugin_items.iter().map(|item| item.name.clone()).collect();
    let mut credentials = BTreeMap::new();
    for item in credential_items {
        let section = item.table(r, format!("[credentials.{}]", item.name));
        match section.and_then(|section| credentials::credential(r, &item.name, section)) {
            Some(credential) => drop(credentials.insert(item.name, Arc::new(credential))),
            None => complete = false,
        }
    }
    let mut plugins = BTreeMap::new();
    for item in plugin_items {
        if item.name == steps::RESERVED_PLUGIN {
            r.error(&item.key, "the plugin name `sangam` is reserved for the host's own steps").help("take another name");
        }
        let section = item.table(r, format!("[plugins.{}]", item.name));
        match section.and_then(|section| plugins::plugin(r, &item.name, section, &credential_names)) {
            Some(plugin) => drop(plugins.insert(item.name, Arc::new(plugin))),
            None => complete = false,
        }
    }
    let mut servers = NatsServers::new();
    for item in named(r, &mut file, "nats", "NATS server") {
        let server = nats::server(r, &item).map(Arc::new);
        complete &= server.is_some();
        servers.insert(item.name, server);
    }
    let routes = file.get("routes").map(|item| routes::routes(r, &item, &plugin_names)).unwrap_or_default();
    let events = file.get("events").map(|item| events::events(r, &item)).unwrap_or_default();
    let sources = file.get("sources").map(|item| sources::sources(r, &item, &plugin_names, &servers)).unwrap_or_default();
    let mut webhooks = BTreeMap::new();
    let mut deliveries = Vec::new();
    for item in named(r, &mut file, "webhooks", "webhook") {
        match subscribers::subscriber(r, &item) {
            Some(subscriber) => {
                deliveries.push(subscribers::delivery_route(r, &subscriber));
                webhooks.insert(item.name, Arc::new(subscriber));
            }
            None => complete = false,
        }
    }
    let mut relays = BTreeMap::new();
    let relay_items = named(r, &mut file, "mail", "relay");
    let relay_names: BTreeSet<String> = relay_items.iter().map(|item| item.name.clone()).collect();
    let mut relay_credentials = Vec::new();
    for item in relay_items {
        match mail::relay(r, &item, &credentials) {
            Some((relay, credential)) => {
                relay_credentials.extend(credential);
                relays.insert(item.name, Arc::new(relay));
            }
            None => complete = false,
        }
    }
    let mut mail_templates = BTreeMap::new();
    let template_items = named(r, &mut file, "templates", "template");
    let template_names: BTreeSet<String> = template_items.iter().map(|item| item.name.clone()).collect();
    for item in template_items {
        match templates::mail_template(r, &item) {
            Some(template) => drop(mail_templates.insert(item.name, Arc::new(template))),
            None => complete = false,
        }
    }
    mail::check_steps(r, root, &relay_names, &template_names);
    file.finish(r);
    coverage::check(r, positions, &credentials, &plugins);
    // Only now: no plugin may be granted the login of a relay.
    credentials.extend(relay_credentials.into_iter().map(|credential| (credential.name.clone(), Arc::new(credential))));
    loosened(r, positions, &trust, &plugins);
    own_api::check(r, positions, &server, &plugins);
    let routes: Vec<Option<Arc<Route>>> = routes.into_iter().chain(deliveries).map(|route| route.map(Arc::new)).collect();
    complete &= routes.iter().all(Option::is_some) && sources.iter().all(Option::is_some);
    let config = Config {
        server,
        store,
        secrets,
        engine,
        trust,
        telemetry,
        registries: known_registries,
        credentials,
        plugins,
        mail: relays,
        templates: mail_templates,
        routes: routes.into_iter().flatten().collect(),
        events,
        sources: sources.into_iter().flatten().collect(),
        webhooks,
        nats: servers.into_iter().filter_map(|(name, server)| Some((name, server?))).collect(),
        base: PathBuf::from(r.base),
    };
    (config, complete)
}

/// The members of `[key.NAME]` tables, their names checked.
fn named<'t>(r: &mut Reader<'_>, file: &mut Section<'t>, key: &'static str, what: &str) -> Vec<Item<'t>> {
    let table = file.get(key).and_then(|item| item.table(r, format!("[{key}]")));
    let members = table.map(|table| table.members()).unwrap_or_default();
    for member in &members {
        name::check(r, &member.key, what, &member.name);
    }
    members
}

/// A plugin's own `require-signature = false` can't take back what `[trust]` asks of it, and must not look as if it did.
fn loosened(r: &mut Reader<'_>, positions: &Positions, trust: &Trust, plugins: &BTreeMap<String, Arc<Plugin>>) {
    for plugin in plugins.values().filter(|plugin| !plugin.require_signature && trust.demands_signature(&plugin.name)) {
        if let Some(position) = positions.get(&format!("plugins.{}.require-signature", plugin.name)) {
            let why = if trust.require_signature { "of every plugin" } else { "of a plugin that a key is trusted for" };
            r.error(&position.value, format!("[trust] requires a signature {why}, and a plugin can't lift that"))
                .help("take the line out; or let [trust.keys] name the plugins that must be signed, instead of `require-signature` there");
        }
    }
}
