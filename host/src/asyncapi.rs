//! The AsyncAPI document: what events come in and go out, made from a configuration.
//!
//! AsyncAPI 3.0.0, <https://www.asyncapi.com/docs/reference/specification/v3.0.0>. It says what the host makes sure of: a message has a schema where
//! `[[events]]` gives its type one.

mod events;
mod outward;
mod schemas;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::config::EventRule;
use crate::event::RESERVED;
use crate::router::Pattern;

use self::events::EventType;

/// What a document is made from.
#[derive(Debug)]
pub struct Described<'a> {
    /// The revision's content: `sources`, `routes`, `nats`, `webhooks` as they are written, without secrets.
    pub content: &'a Value,
    /// `[[events]]`.
    pub rules: &'a [Arc<EventRule>],
    /// Types of events that streams bring in, by plugin and stream; with `*`.
    pub streams: &'a BTreeMap<(String, String), Vec<String>>,
    /// Where the host is reached from outside, such as `https://sangam.acme.example`.
    pub url: &'a str,
    /// Whether senders need a token.
    pub tokens: bool,
}

/// The document, in the making.
struct Document<'a> {
    described: &'a Described<'a>,
    servers: Map<String, Value>,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

/// Which way a message goes, as seen from the host.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// The name of the host itself among the servers.
const HOST: &str = "host";

/// Makes the document.
pub fn document(described: &Described<'_>) -> Value {
    let mut document = Document {
        described,
        servers: Map::new(),
        channels: Map::new(),
        operations: Map::new(),
        messages: Map::new(),
        schemas: Map::new(),
    };
    document.host();
    document.posted();
    for source in described.content["sources"].as_array().into_iter().flatten() {
        document.source(source);
    }
    for route in described.content["routes"].as_array().into_iter().flatten() {
        document.outward(route);
    }
    document.finish()
}

impl<'a> Document<'a> {
    fn host(&mut self) {
        let (protocol, host, path) = text::parts(self.described.url);
        let mut server = json!({ "host": host, "protocol": protocol, "title": "The host" });
        if !path.is_empty() {
            server["pathname"] = path.into();
        }
        self.servers.insert(HOST.to_owned(), server);
    }

    /// `POST /v1/events`.
    fn posted(&mut self) {
        let mut types: Vec<EventType> = Vec::new();
        for on in self.routes_on() {
            // What begins with these paths comes in by other ways.
            if on.sources.is_empty() || on.sources.iter().any(|source| !RESERVED.iter().any(|taken| source.to_string().starts_with(taken)))
            {
                types.extend(on.types.iter().map(|pattern| EventType::wanted(pattern, &on.sources)));
            }
        }
        if types.is_empty() {
            types.push(EventType::any());
        }
        let messages = self.events(types);
        let mut channel = json!({
            "address": "/v1/events",
            "title": "Events that are posted",
            "description": "CloudEvents 1.0 over HTTP, structured, binary or batched. `202` once they are durable. Here are the types that a route wants; \
                            others are taken in too, and stay unrouted.",
        });
        channel["servers"] = json!([{ "$ref": format!("#/servers/{HOST}") }]);
        self.channel("events", channel, &messages);
        let mut operation = json!({ "title": "Post events", "bindings": { "http": { "method": "POST", "bindingVersion": "0.3.0" } } });
        if self.described.tokens {
            operation["security"] = json!([{ "$ref": "#/components/securitySchemes/token" }]);
        }
        self.operation("events", Way::In, operation);
    }

    /// `[[sources]]`: the way in where others call it, and the events that it brings in.
    fn source(&mut self, source: &'a Value) {
        let (Some(name), Some(kind)) = (source["name"].as_str(), source["type"].as_str()) else { return };
        let types = self.types_of_source(source, name);
        let messages = self.events(types);
        let (address, servers, title): (Value, Vec<String>, &str) = match kind {
            "webhook" => {
                self.delivery(name, source);
                (Value::Null, Vec::new(), "What deliveries of a webhook become")
            }
            "poll" => (Value::Null, Vec::new(), "What is polled"),
            "schedule" => (Value::Null, Vec::new(), "What the clock brings"),
            _ => {
                let servers = match source["server"].as_str() {
                    Some(server) => self.brokers(&format!("nats.{server}"), &self.described.content["nats"][server]),
                    None => self.brokers(&format!("source.{name}"), source),
                };
                (text::subject(source).into(), servers, "What a broker brings")
            }
        };
        let mut channel = json!({ "address": address, "title": title, "description": described_source(source, kind) });
        if !servers.is_empty() {
            channel["servers"] = servers.iter().map(|server| json!({ "$ref": format!("#/servers/{server}") })).collect();
        }
        let key = format!("source.{name}");
        self.channel(&key, channel, &messages);
        self.operation(&key, Way::In, json!({ "title": format!("Events of the source {name}") }));
    }

    /// The body that a vendor posts to a webhook: whatever it is.
    fn delivery(&mut self, name: &str, source: &Value) {
        let key = format!("hook.{name}");
        let message = json!({
            "name": key,
            "title": "A delivery, as the vendor makes it",
            "payload": true,
        });
        self.messages.insert(key.clone(), message);
        let scheme = source["verify"]["scheme"].as_str().or(source["verify"].as_str()).unwrap_or("none");
        let channel = json!({
            "address": format!("/hooks/{name}"),
            "title": "A webhook",
            "description": format!("The vendor's own body; how it is verified: {scheme}. The channel source.{name} has the events that it becomes."),
            "servers": [{ "$ref": format!("#/servers/{HOST}") }],
        });
        self.channel(&key, channel, std::slice::from_ref(&key));
        let operation = json!({ "title": "Deliver", "bindings": { "http": { "method": "POST", "bindingVersion": "0.3.0" } } });
        self.operation(&key, Way::In, operation);
    }

    fn channel(&mut self, key: &str, mut channel: Value, messages: &[String]) {
        let messages =
            messages.iter().map(|message| (message.clone(), json!({ "$ref": format!("#/components/messages/{}", text::token(message)) })));
        channel["messages"] = Value::Object(messages.collect());
        self.channels.insert(key.to_owned(), channel);
    }

    fn operation(&mut self, channel: &str, way: Way, mut operation: Value) {
        let (verb, action) = match way {
            Way::In => ("receive", "receive"),
            Way::Out => ("send", "send"),
        };
        operation["action"] = action.into();
        operation["channel"] = json!({ "$ref": format!("#/channels/{}", text::token(channel)) });
        self.operations.insert(format!("{verb}.{channel}"), operation);
    }

    fn finish(self) -> Value {
        let mut document = json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Sangam",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Events that this host takes in and sends out, as it is configured.",
            },
            "defaultContentType": "application/cloudevents+json",
            "servers": self.servers,
            "channels": self.channels,
            "operations": self.operations,
            "components": { "messages": self.messages, "schemas": self.schemas },
        });
        if self.described.tokens {
            document["components"]["securitySchemes"] =
                json!({ "token": { "type": "http", "scheme": "bearer", "description": "An API token with the role sender." } });
        }
        document
    }

    /// `on` of each route.
    fn routes_on(&self) -> Vec<On> {
        let routes = self.described.content["routes"].as_array().into_iter().flatten();
        routes.map(|route| On { types: patterns(&route["on"]["type"]), sources: patterns(&route["on"]["source"]) }).collect()
    }
}

/// `on` of a route.
struct On {
    types: Vec<Pattern>,
    sources: Vec<Pattern>,
}

/// A pattern or a list of them, as the content of a valid configuration has it.
fn patterns(value: &Value) -> Vec<Pattern> {
    text::one_or_more(value).filter_map(|text| Pattern::parse(text).ok()).collect()
}

fn described_source(source: &Value, kind: &str) -> String {
    let by = match (source["uses"].as_str(), source["stream"].as_str()) {
        (Some(plugin), Some(stream)) => format!(", by the stream {stream} of the plugin {plugin}"),
        _ => String::new(),
    };
    let when = match kind {
        "poll" => source["every"].as_str().map(|every| format!(", every {every}")),
        "schedule" => source["cron"].as_str().map(|cron| format!(", at {cron} ({})", source["time-zone"].as_str().unwrap_or("UTC"))),
        _ => None,
    };
    format!("{kind}{by}{}", when.unwrap_or_default())
}
