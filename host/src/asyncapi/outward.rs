//! What steps of routes send: `sangam.emit`, `sangam.publish`, `sangam.webhook`.

use serde_json::{Value, json};

use super::events::EventType;
use super::{Document, Way, patterns, text};

impl<'a> Document<'a> {
    /// The steps of one route.
    pub(super) fn outward(&mut self, route: &'a Value) {
        let name = route["name"].as_str().unwrap_or_default();
        for step in route["steps"].as_array().into_iter().flatten() {
            let key = format!("{name}.{}", step["name"].as_str().unwrap_or_default());
            match step["uses"].as_str() {
                Some("sangam.emit") => self.emit(&key, name, &step["with"]),
                Some("sangam.publish") => self.publish(&key, route, &step["with"]),
                Some("sangam.webhook") => self.webhook(&key, route, &step["with"]),
                _ => {}
            }
        }
    }

    /// Into the host itself.
    fn emit(&mut self, key: &str, route: &str, with: &Value) {
        let messages = self.events(vec![EventType::written(with["type"].as_str(), &format!("/routes/{route}"))]);
        let key = format!("emit.{key}");
        let description = format!("The route {route} brings it in; other routes may want it.");
        self.channel(&key, json!({ "address": null, "title": "An event of the host's own", "description": description }), &messages);
        self.operation(&key, Way::Out, json!({ "title": "Bring in an event" }));
    }

    /// To a broker.
    fn publish(&mut self, key: &str, route: &Value, with: &Value) {
        let (address, parameters) = text::address(with["subject"].as_str().unwrap_or_default());
        let nats = self.described.content["nats"].as_object();
        let only = || nats.filter(|servers| servers.len() == 1).and_then(|servers| servers.keys().next().map(String::as_str));
        let server = with["server"].as_str().or_else(only).map(str::to_owned);
        let servers =
            server.map(|server| self.brokers(&format!("nats.{server}"), &self.described.content["nats"][&server])).unwrap_or_default();
        let mut channel = json!({ "title": "Published", "address": address });
        if !parameters.is_empty() {
            channel["parameters"] = Value::Object(parameters);
        }
        if !servers.is_empty() {
            channel["servers"] = servers.iter().map(|server| json!({ "$ref": format!("#/servers/{}", text::token(server)) })).collect();
        }
        let messages = if with["format"] == "raw" {
            let message = format!("publish.{key}");
            self.messages.insert(
                message.clone(),
                json!({ "name": message, "title": "What the step makes", "payload": true, "contentType": "application/json" }),
            );
            vec![message]
        } else {
            self.events(sent(route, with))
        };
        let key = format!("publish.{key}");
        self.channel(&key, channel, &messages);
        self.operation(&key, Way::Out, json!({ "title": "Publish" }));
    }

    /// To subscribers, one channel each.
    fn webhook(&mut self, key: &str, route: &Value, with: &Value) {
        let endpoints = self.described.content["webhooks"].as_object();
        let named: Vec<&str> = text::one_or_more(&with["to"]).filter(|name| !name.contains("${")).collect();
        let to_all = named.contains(&"*") || named.is_empty();
        for (name, endpoint) in endpoints.into_iter().flatten().filter(|(name, _)| to_all || named.contains(&name.as_str())) {
            let messages = self.events(sent(route, with));
            let (protocol, host, path) = text::shown(endpoint["url"].as_str().unwrap_or_default());
            let server = format!("webhook.{name}");
            self.servers.insert(server.clone(), json!({ "host": host, "protocol": protocol, "title": format!("The subscriber {name}") }));
            let channel = json!({
                "address": if path.is_empty() { "/" } else { &path },
                "title": format!("Posted to {name}"),
                "servers": [{ "$ref": format!("#/servers/{}", text::token(&server)) }],
            });
            let key = format!("webhook.{key}.{name}");
            self.channel(&key, channel, &messages);
            let operation =
                json!({ "title": "Post to a subscriber", "bindings": { "http": { "method": "POST", "bindingVersion": "0.3.0" } } });
            self.operation(&key, Way::Out, operation);
        }
    }

    /// Notes the servers of a broker; gives their names.
    pub(super) fn brokers(&mut self, name: &str, table: &Value) -> Vec<String> {
        let mut names = Vec::new();
        for (index, url) in text::one_or_more(&table["servers"]).enumerate() {
            let (protocol, host, _) = text::shown(url);
            let key = if index == 0 { name.to_owned() } else { format!("{name}.{}", index + 1) };
            let protocol = if url.contains("://") { protocol } else { "nats".to_owned() };
            self.servers.insert(key.clone(), json!({ "host": host, "protocol": protocol, "title": "A broker" }));
            names.push(key);
        }
        names
    }
}

/// What a step sends on: events of the type that it gives them, else of those that its route wants.
fn sent(route: &Value, with: &Value) -> Vec<EventType> {
    match with["type"].as_str() {
        Some(written) => vec![EventType::written(Some(written), "*")],
        None => {
            patterns(&route["on"]["type"]).iter().map(|pattern| EventType::wanted(pattern, &patterns(&route["on"]["source"]))).collect()
        }
    }
}
