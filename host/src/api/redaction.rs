//! What people and programs that only look don't see: `redact` of a route, which counts for everybody, and fields that are marked as personal data,
//! for those whose role or token does not include them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Problem;
use crate::audit::By;
use crate::config::Route;
use crate::personal::{Mask, Values};
use crate::runtime::{Revision, Runtime};
use crate::store::RunRow;

/// Stands for what is hidden.
const HIDDEN: &str = "[redacted]";

/// Whether somebody sees personal data. Part of a request once it is authorized.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sees {
    /// Everything but what routes redact. Who it is goes on record where marked fields are shown.
    All(Arc<By>),
    /// Nothing that is marked as personal.
    #[default]
    Unmarked,
}

impl Sees {
    /// Whether a text may be looked for in what is stored: where fields are hidden, finding it would tell what is in them.
    pub(super) async fn may_search(&self, runtime: &Runtime) -> Result<bool, Problem> {
        Ok(matches!(self, Sees::All(_)) || !runtime.hides_fields().await?)
    }
}

/// What is to be hidden of one event.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    /// JSON pointers into the event.
    pointers: Vec<String>,
    /// Values that those lead to, wherever else they turn up.
    values: Values,
    /// Of these the ones that are personal: hidden where the event says them again, too.
    personal: Values,
}

impl Redaction {
    /// What the routes of an event's runs hide, and what is marked as personal. A route that can't be asked hides all data.
    pub(super) async fn of(runtime: &Runtime, event: &Value, runs: &[RunRow], sees: &Sees) -> Result<Redaction, Problem> {
        let mut redaction = Redaction::default();
        for run in runs {
            match runtime.revision(run.revision).await {
                Ok(revision) => {
                    let paths = revision.route(&run.route).map(|route| route.redact.clone()).unwrap_or_default();
                    // `.event.data.customer.email`
                    redaction
                        .pointers
                        .extend(paths.iter().filter_map(|path| path.strip_prefix(".event")).map(|path| path.replace('.', "/")));
                }
                Err(_) => redaction.pointers.push("/data".to_owned()),
            }
        }
        let rules = runtime.personal_rules(event, runs).await;
        if let Sees::All(by) = sees {
            if let Some(run) = runs.first()
                && (rules.mark_steps() || !rules.marked(event).personal.is_empty())
            {
                runtime.readings.note(by, &run.eid);
            }
        } else {
            let marked = rules.marked(event).personal;
            marked.iter().filter_map(|pointer| event.pointer(pointer)).for_each(|value| redaction.personal.add(value));
            redaction.pointers.extend(marked);
            if rules.mark_steps() {
                for run in runs {
                    for step in runtime.store.steps(&run.id).await? {
                        rules.add_step(&step, &mut redaction.personal);
                    }
                }
            }
            redaction.values.extend(&redaction.personal);
        }
        for pointer in &redaction.pointers {
            if let Some(value) = event.pointer(pointer) {
                redaction.values.add(value);
            }
        }
        Ok(redaction)
    }

    /// What a route hides of an event that it is only tried on.
    pub(super) fn add_route(&mut self, route: &Route, event: &Value) {
        let paths = route.redact.iter().filter_map(|path| path.strip_prefix(".event")).map(|path| path.replace('.', "/"));
        for pointer in paths {
            if let Some(value) = event.pointer(&pointer) {
                self.values.add(value);
            }
            self.pointers.push(pointer);
        }
    }

    /// What steps that were only tried were given and gave is marked as personal by the schemas of their actions.
    pub(super) fn add_tried(&mut self, revision: &Revision, route: &Route, steps: &Value, sees: &Sees) {
        if matches!(sees, Sees::All(_)) {
            return;
        }
        for step in &route.steps {
            let plugin = revision.plugins.get(&step.plugin);
            let Some(action) = plugin.and_then(|plugin| plugin.actions.get(&step.action)) else { continue };
            let shown = steps.as_array().into_iter().flatten().find(|shown| shown["name"] == step.name.as_str());
            let Some(shown) = shown else { continue };
            for (schema, document) in [(Some(&action.input), &shown["input"]), (action.output.as_ref(), &shown["output"])] {
                let Some(schema) = schema.filter(|schema| schema.has_marks()) else { continue };
                for pointer in schema.marked(document).personal {
                    if let Some(value) = document.pointer(&pointer) {
                        self.values.add(value);
                    }
                }
            }
        }
    }

    /// Hides it in an event; what is personal also where it is said again.
    pub(super) fn hide_in_event(&self, event: &mut Value) {
        for pointer in self.pointers.iter().filter(|pointer| !pointer.is_empty()) {
            if let Some(value) = event.pointer_mut(pointer) {
                *value = json!(HIDDEN);
            }
        }
        self.personal.mask_event(event, Mask::Text(HIDDEN));
    }

    /// Hides its values in a document about runs: only where something of the event can stand.
    pub(super) fn hide_in_document(&self, document: &mut Value) {
        self.values.mask_document(document, Mask::Text(HIDDEN));
    }

    /// Hides its values wherever they stand, whole or within a text. For content alone: it spares nothing.
    pub(super) fn hide(&self, value: &mut Value) {
        self.values.mask(value, Mask::Text(HIDDEN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_hosts_own_is_spared_and_content_is_not() {
        let mut redaction = Redaction::default();
        redaction.values.add(&json!({ "hours": 2, "place": "019", "name": "ann" }));
        let step = json!({
            "name": "ann", "status": "succeeded", "input": { "of": "ann", "n": 2 }, "output": [2, 3], "next_attempt_at": "2019-01-01T00:00:02Z",
            "error": { "kind": "ann", "reason": "for ann", "details": { "n": 2 } },
            "attempts": [{
                "number": 2, "duration_ms": 2, "error": null, "digest": "sha256:019",
                "logs": [{ "level": "info", "message": "ann is in 019", "fields": { "hours": 2 } }],
                "effects": [{ "seq": 2, "status": 2, "key": "0190", "method": "POST", "name": "to/ann", "url": "http://ann/", "error": "no ann" }],
            }],
            "would_send": { "method": "PUT", "url": "/019", "headers": [["x", "ann"]], "body": { "n": 2 }, "name": "ann", "key": "0190" },
            "difference": { "against": { "attempt": 2, "key": "019" }, "changes": [{ "part": "body", "path": "/ann", "then": 2, "now": 3 }], "more_changes": 2 },
        });
        let mut document =
            json!([{ "id": "0190-1", "root": "0190-1", "revision": 2, "order_key": "ann", "status_reason": "by ann", "steps": [step] }]);
        redaction.hide_in_document(&mut document);
        let hidden = json!({
            "name": "ann", "status": "succeeded", "input": { "of": HIDDEN, "n": HIDDEN }, "output": [HIDDEN, 3], "next_attempt_at": "2019-01-01T00:00:02Z",
            "error": { "kind": "ann", "reason": "for [redacted]", "details": { "n": HIDDEN } },
            "attempts": [{
                "number": 2, "duration_ms": 2, "error": null, "digest": "sha256:019",
                "logs": [{ "level": "info", "message": "[redacted] is in [redacted]", "fields": { "hours": HIDDEN } }],
                "effects": [{
                    "seq": 2, "status": 2, "key": "0190", "method": "POST", "name": "to/[redacted]", "url": "http://[redacted]/", "error": "no [redacted]",
                }],
            }],
            "would_send": { "method": "PUT", "url": "/[redacted]", "headers": [["x", HIDDEN]], "body": { "n": HIDDEN }, "name": HIDDEN, "key": "0190" },
            "difference": {
                "against": { "attempt": 2, "key": "019" },
                "changes": [{ "part": "body", "path": "/[redacted]", "then": HIDDEN, "now": 3 }],
                "more_changes": 2,
            },
        });
        let expected = json!([{ "id": "0190-1", "root": "0190-1", "revision": 2, "order_key": HIDDEN, "status_reason": "by [redacted]", "steps": [hidden] }]);
        assert_eq!(document, expected);
    }
}
