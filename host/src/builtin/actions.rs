//! What the host's own actions are called and take: as a plugin's descriptor lists them.

use serde_json::{Value, json};

use crate::registry::Action;

/// All of them, by name.
pub(super) fn list() -> Vec<Action> {
    vec![deliver(), emit(), super::mail::step::action(), publish(), wait(), webhook()]
}

fn deliver() -> Action {
    let text = json!({ "type": "string" });
    action(
        "deliver",
        "Posts to an endpoint of webhooks",
        "The step of the host's own routes sangam.webhooks.NAME: one delivery that `webhook` has decided on.",
        json!({
            "type": "object",
            "required": ["endpoint", "id", "type", "source", "time", "data"],
            "properties": {
                "endpoint": text, "id": text, "type": text, "source": text, "subject": { "type": ["string", "null"] }, "time": text, "data": {}
            },
            "additionalProperties": false,
            "examples": [{ "endpoint": "acme", "id": "1", "type": "job.completed", "source": "/fsm", "time": "2026-11-28T12:00:00Z", "data": {} }]
        }),
        json!({ "type": "object", "properties": { "endpoint": text, "id": text, "status": { "type": "integer" } } }),
    )
}

fn publish() -> Action {
    action(
        "publish",
        "Publishes a message to NATS",
        "Without `type` and `data` the run's event is passed on as it is. With one of them it is a new event, whose source is /routes/ROUTE. The \
         message carries the key of the write as Nats-Msg-Id, so that a stream drops what comes twice within its duplicate window.",
        json!({
            "type": "object",
            "required": ["subject"],
            "properties": {
                "server": { "type": "string", "description": "NAME of [nats.NAME]; may be left out where there is one" },
                "subject": { "type": "string", "minLength": 1 },
                "type": { "type": ["string", "null"] },
                "data": {},
                "headers": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] } },
                "format": { "enum": ["cloudevents", "cloudevents-binary", "raw"], "description": "Default: cloudevents, the whole event as JSON" },
                "delivery": { "enum": ["jetstream", "core"], "description": "core: whoever listens at the moment, and nobody acknowledges" }
            },
            "additionalProperties": false,
            "examples": [{ "subject": "jobs.completed", "data": { "job_id": "1" }, "type": "job.billed" }]
        }),
        json!({
            "type": "object",
            "properties": {
                "stream": { "type": ["string", "null"] },
                "sequence": { "type": ["integer", "null"] },
                "duplicate": { "type": "boolean" },
                "id": { "type": "string" }
            }
        }),
    )
}

fn webhook() -> Action {
    let names = json!({ "type": "array", "items": { "type": "string" } });
    action(
        "webhook",
        "Tells subscribers",
        "Decides, durably, which endpoints of [webhooks.NAME] are told; each is then posted to by a run of its own, in order, with retries. Endpoints \
         that do not want events of the type are passed over.",
        json!({
            "type": "object",
            "required": ["to"],
            "properties": {
                "to": {
                    "anyOf": [
                        { "type": "string", "minLength": 1, "description": "NAME, or * for all" },
                        { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "maxItems": 1000, "uniqueItems": true }
                    ]
                },
                "type": { "type": ["string", "null"], "description": "Default: that of the run's event" },
                "data": { "description": "Default: that of the run's event" },
                "id": { "type": ["string", "null"], "description": "webhook-id; an endpoint gets each once. Default: the key of the step" }
            },
            "additionalProperties": false,
            "examples": [{ "to": "*" }, { "to": ["acme", "globex"], "type": "job.completed", "data": { "job_id": "1" } }]
        }),
        json!({ "type": "object", "properties": { "id": { "type": "string" }, "told": names, "skipped": names } }),
    )
}

fn emit() -> Action {
    action(
        "emit",
        "Brings in an event",
        "The event is committed with the step's success; its source is /routes/ROUTE, its cause the run's event. It may start other routes. More \
         than eight events that lead to each other are refused.",
        json!({
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": { "type": "string", "minLength": 1 },
                "data": {},
                "subject": { "type": ["string", "null"] },
                "time": { "type": ["string", "null"], "description": "RFC 3339" },
                "id": { "type": ["string", "null"], "description": "Default: the key of the step, so that a replay brings in nothing twice" },
                "dataschema": { "type": ["string", "null"] },
                "extensions": { "type": "object" }
            },
            "additionalProperties": false,
            "examples": [{ "type": "visit.scheduled", "subject": "job/1", "data": { "job_id": "1" } }]
        }),
        json!({ "type": "object", "properties": { "source": { "type": "string" }, "id": { "type": "string" }, "type": { "type": "string" } } }),
    )
}

fn wait() -> Action {
    let duration = json!({ "type": "string", "pattern": "^[0-9]" });
    action(
        "wait",
        "Waits for a time or for an event",
        "Holds no worker and survives restarts, new configurations and upgrades. The time does not count against the run's deadline.",
        json!({
            "type": "object",
            "properties": {
                "for": duration,
                "until": { "type": "string", "description": "RFC 3339 with an offset" },
                "event": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {
                        "type": {
                            "anyOf": [
                                { "type": "string", "minLength": 1 },
                                { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "maxItems": 16 }
                            ]
                        },
                        "where": { "type": "string", "description": "jq; .event is the arriving one, .run.event the run's own" }
                    },
                    "additionalProperties": false
                },
                "timeout": duration
            },
            "oneOf": [{ "required": ["for"] }, { "required": ["until"] }, { "required": ["event"] }],
            "dependentRequired": { "timeout": ["event"] },
            "additionalProperties": false,
            "examples": [
                { "for": "3d" },
                { "until": "2026-12-01T08:00:00+01:00" },
                { "event": { "type": "invoice.paid", "where": ".event.subject == .run.event.subject" }, "timeout": "30d" }
            ]
        }),
        json!({ "type": "object", "properties": { "until": { "type": "string" }, "event": { "type": "object" }, "timed_out": { "const": true } } }),
    )
}

fn action(name: &str, title: &str, description: &str, input: Value, output: Value) -> Action {
    Action {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        input,
        output,
        idempotent: true,
        undo: None,
        batch: None,
    }
}
