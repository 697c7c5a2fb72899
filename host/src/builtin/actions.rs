//! What the host's own actions are called and take: as a plugin's descriptor lists them.

use serde_json::{Value, json};

use crate::registry::Action;

/// All of them, by name.
pub(super) fn list() -> Vec<Action> {
    vec![emit(), super::mail::step::action(), wait()]
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
    }
}
