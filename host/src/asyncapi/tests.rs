//! Configurations in, documents out. Whether they are valid says the initiative's own parser, at the edge.

use super::*;
use crate::config::{Outside, parse_revision};

/// The document of a configuration. `[[sources]]` and the host's own steps are read from the content, so the rest is all that has to be valid.
fn of(content: Value) -> Value {
    let rules = parse_revision(
        &json!({ "events": content["events"] }),
        std::path::Path::new("/"),
        &Outside { env: &|_| None, file: &|_| Err(std::io::ErrorKind::NotFound.into()) },
    )
    .unwrap_or_else(|problems| panic!("{problems}"))
    .config
    .events;
    let streams =
        BTreeMap::from([(("crm".to_owned(), "contacts".to_owned()), vec!["contact.changed".to_owned(), "contact.created".to_owned()])]);
    document(&Described { content: &content, rules: &rules, streams: &streams, url: "https://sangam.acme.example/in", tokens: true })
}

fn messages(document: &Value, channel: &str) -> Vec<String> {
    let channel = &document["channels"][channel];
    channel["messages"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_way_in_is_a_channel_with_its_types() {
    let document = of(json!({
        "events": [],
        "routes": [
            { "name": "a", "on": { "type": ["job.completed", "visit.*"] }, "steps": [] },
            { "name": "b", "on": { "type": "contact.changed", "source": "/sources/crm" }, "steps": [] },
        ],
        "sources": [
            { "name": "crm", "type": "webhook", "uses": "crm", "stream": "contacts", "verify": { "scheme": "hubspot-v3" } },
            { "name": "night", "type": "schedule", "cron": "0 3 * * *", "event-type": "night.over" },
            { "name": "shop", "type": "nats", "servers": ["nats://user:secret@broker.example:4222", "${env:SECOND}"], "filter-subjects": ["orders.*"], "event": { "type": "${ .body.kind }" } },
        ],
    }));
    assert_eq!(messages(&document, "events"), ["job.completed", "visit.any"], "what only comes from a source is not posted");
    assert_eq!(messages(&document, "source.crm"), ["contact.changed", "contact.created"]);
    assert_eq!(document["channels"]["hook.crm"]["address"], "/hooks/crm");
    assert_eq!(messages(&document, "source.night"), ["night.over"]);
    assert_eq!(
        (&document["channels"]["source.shop"]["address"], messages(&document, "source.shop")),
        (&json!("orders.*"), vec!["event".to_owned()])
    );
    assert_eq!(
        document["servers"]["host"],
        json!({ "host": "sangam.acme.example", "pathname": "/in", "protocol": "https", "title": "The host" })
    );
    assert_eq!(document["servers"]["source.shop"]["host"], "broker.example:4222", "no user or password");
    assert_eq!(document["servers"]["source.shop.2"]["host"], "configured");
    assert_eq!(document["operations"]["receive.source.crm"]["channel"]["$ref"], "#/channels/source.crm");
    assert_eq!(document["components"]["messages"]["visit.any"]["payload"]["properties"]["type"]["pattern"], "^visit\\..*$");
}

#[test]
fn data_has_a_schema_where_the_host_makes_sure_of_it() {
    let document = of(json!({
        "events": [
            { "type": "job.*", "schema": "catalogue" },
            { "type": "order", "source": "/sources/shop", "schema": { "json": "{\"$ref\": \"#/$defs/order\", \"title\": \"An order\", \"$defs\": {\"order\": {\"type\": \"object\"}}}" } },
        ],
        "routes": [{ "name": "a", "on": { "type": ["job.completed", "order", "job.*"] }, "steps": [] }],
        "sources": [{ "name": "shop", "type": "webhook", "event-type": "order" }],
    }));
    let data = |message: &str| document["components"]["messages"][message]["payload"]["properties"]["data"].clone();
    assert_eq!(data("job.completed"), json!({ "$ref": "#/components/schemas/job.completed.1" }));
    assert_eq!(data("order"), Value::Null, "posted ones may be anything");
    assert_eq!(messages(&document, "source.shop"), ["order.2"]);
    assert_eq!(data("order.2"), json!({ "$ref": "#/components/schemas/events.2" }));
    let order = &document["components"]["schemas"]["events.2"];
    assert_eq!(order["allOf"], json!([{ "$ref": "#/components/schemas/events.2/$defs/order" }]), "what stands beside a reference counts");
    let job = &document["components"]["schemas"]["job.completed.1"];
    assert_eq!((&job["x-dataschema"], &job["$id"]), (&json!("urn:sangam:schema:job.completed:1"), &Value::Null));
    assert!(!job.to_string().contains("\"#/$defs"), "no reference is relative to the schema");
}

#[test]
fn what_goes_out_has_its_channels() {
    let document = of(json!({
        "events": [],
        "nats": { "main": { "servers": "tls://nats.example:4222" } },
        "webhooks": { "acme": { "url": "https://acme.example/in?key=1" }, "blue": { "url": "https://blue.example" } },
        "routes": [{ "name": "r", "on": { "type": "job.completed" }, "steps": [
            { "name": "tell", "uses": "sangam.emit", "with": { "type": "job.billed" } },
            { "name": "out", "uses": "sangam.publish", "with": { "subject": "jobs.${ .event.data.zone }.done", "format": "raw" } },
            { "name": "post", "uses": "sangam.webhook", "with": { "to": ["acme"] } },
            { "name": "all", "uses": "sangam.webhook", "with": { "to": "*", "type": "job.billed" } },
        ] }],
    }));
    assert_eq!(messages(&document, "emit.r.tell"), ["job.billed"]);
    let published = &document["channels"]["publish.r.out"];
    assert_eq!(
        (&published["address"], &published["parameters"]["value1"]["description"]),
        (&json!("jobs.{value1}.done"), &json!(".event.data.zone"))
    );
    assert_eq!(published["servers"], json!([{ "$ref": "#/servers/nats.main" }]));
    assert_eq!(document["channels"]["webhook.r.post.acme"]["address"], "/in");
    assert_eq!(document["channels"]["webhook.r.post.blue"], Value::Null);
    assert_eq!(messages(&document, "webhook.r.post.acme"), ["job.completed"]);
    assert_eq!(messages(&document, "webhook.r.all.blue"), ["job.billed"]);
    assert_eq!(document["operations"]["send.webhook.r.all.blue"]["action"], "send");
}
