//! An event with all that the store keeps of it: whose it is, where somebody's data stands in it, and what is left when that is erased.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::path::{KEPT, marked};
use super::{ERASED, Mask, Sought, Values, belonging};
use crate::config::EventRule;
use crate::schema::{Marked, Schema};
use crate::store::{AttemptRow, EffectRow, EventRow, ReadRow, RunRow, StepRow};

/// Most places that are named of one event.
const MAX_PLACES: usize = 100;

/// What marks the fields of one event, and of its steps' inputs and outputs.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Those that are about it.
    pub events: Vec<Arc<EventRule>>,
    /// Schemas of what the steps of its runs are given and give, by run and step.
    pub steps: HashMap<(String, String), [Option<Arc<Schema>>; 2]>,
    /// Steps that waited for an event, and have it as their output: the rules that may be about that.
    pub waits: HashMap<(String, String), Vec<Arc<EventRule>>>,
}

/// An event as the store keeps it.
#[derive(Debug, Clone)]
pub struct Group {
    /// The event.
    pub event: EventRow,
    /// Its runs.
    pub runs: Vec<RunRow>,
    /// Their steps.
    pub steps: Vec<StepRow>,
    /// Their attempts.
    pub attempts: Vec<AttemptRow>,
    /// The journal of their lines.
    pub effects: Vec<EffectRow>,
    /// Recorded answers to reads.
    pub reads: Vec<ReadRow>,
}

/// What somebody has to do with an event.
#[derive(Debug, Clone)]
pub struct Hit {
    /// It is that person's own, or came of such a one; otherwise it only mentions the person.
    pub own: bool,
    /// What of it is personal: identifiers and marked fields.
    pub values: Values,
    /// Marked fields of the event itself, as JSON pointers.
    pub fields: Vec<String>,
}

/// Where something stands in an event and what belongs to it: `event/data/customer/email`, `step invoice/input/customer/email`.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The first ones.
    pub named: Vec<String>,
    /// All.
    pub count: usize,
}

impl Places {
    fn note(&mut self, what: String, found: usize) {
        if found > 0 && self.named.len() < MAX_PLACES {
            self.named.push(what);
        }
        self.count += found;
    }
}

impl Rules {
    /// What is marked in the event.
    pub fn marked(&self, event: &Value) -> Marked {
        let mut all = Marked::default();
        self.events.iter().for_each(|rule| all.add("", marked_by(rule, event)));
        all
    }

    /// Whether anything can be marked in what steps were given or gave.
    pub fn mark_steps(&self) -> bool {
        !self.steps.is_empty() || !self.waits.is_empty()
    }

    /// Adds what is marked as personal in what a step was given and gave.
    pub fn add_step(&self, step: &StepRow, values: &mut Values) {
        for (document, marked) in self.documents(step) {
            marked.personal.iter().filter_map(|pointer| document.pointer(pointer)).for_each(|value| values.add(value));
        }
    }

    fn documents(&self, step: &StepRow) -> Vec<(Value, Marked)> {
        let key = (step.run.clone(), step.name.clone());
        let parsed = |text: &Option<String>| serde_json::from_str::<Value>(text.as_ref()?).ok();
        if let Some(rules) = self.waits.get(&key) {
            let output = parsed(&step.output);
            let document = output.and_then(|output| {
                let marked = marked_arrival(rules, output.get("event")?);
                Some((output, marked))
            });
            return document.into_iter().collect();
        }
        let Some(schemas) = self.steps.get(&key) else { return Vec::new() };
        let texts = schemas.iter().zip([&step.input, &step.output]);
        let documents = texts.filter_map(|(schema, text)| {
            let document = parsed(text)?;
            let marked = schema.as_ref()?.marked(&document);
            Some((document, marked))
        });
        documents.collect()
    }
}

/// What a rule marks in an event that it is about.
fn marked_by(rule: &EventRule, event: &Value) -> Marked {
    let mut all = marked(event, &rule.personal, &rule.subject);
    let attribute = |name: &str| event.get(name).and_then(Value::as_str);
    let event_type = attribute("type").unwrap_or_default();
    let schema = rule.schema.as_ref().and_then(|schema| schema.for_marks(event_type, attribute("dataschema")));
    if let (Some(schema), Some(data)) = (schema, event.get("data")) {
        all.add("/data", schema.marked(data));
    }
    all
}

/// The same in the event that a step waited for, which is the member `event` of its output.
fn marked_arrival(rules: &[Arc<EventRule>], event: &Value) -> Marked {
    let attribute = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut all = Marked::default();
    for rule in rules.iter().filter(|rule| rule.is_about(attribute("type"), attribute("source"))) {
        all.add("/event", marked_by(rule, event));
    }
    all
}

impl Group {
    /// Whether all its runs have ended, and no dead one keeps its order key.
    pub fn is_over(&self) -> bool {
        self.runs.iter().all(|run| run.ended_at.is_some() && !run.keeps_key())
    }

    /// The event.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.event.body).unwrap_or(Value::Null)
    }

    /// What the person has to do with it; `None`: nothing.
    pub fn hit(&self, rules: &Rules, sought: &Sought) -> Option<Hit> {
        let event = self.json();
        let mut marked = rules.marked(&event);
        if let Some(field) = &sought.field {
            marked.subject = field.pointers(&event);
        }
        let is_one = |document: &Value, pointer: &String| document.pointer(pointer).is_some_and(|value| sought.is(value));
        let subjects: Vec<String> = marked.subject.iter().filter(|pointer| is_one(&event, pointer)).cloned().collect();
        let documents = self.step_documents(rules);
        let step_subjects: Vec<Vec<String>> = documents
            .iter()
            .map(|(document, marked)| match sought.field {
                Some(_) => Vec::new(),
                None => marked.subject.iter().filter(|pointer| is_one(document, pointer)).cloned().collect(),
            })
            .collect();
        if subjects.is_empty() && step_subjects.iter().all(Vec::is_empty) {
            let values = sought.words();
            // With a field only that counts.
            let mentioned = sought.field.is_none() && self.places(&values).count > 0;
            return mentioned.then_some(Hit { own: false, values, fields: Vec::new() });
        }
        let mut values = Values::default();
        sought.add_to(&mut values);
        let fields = belonging(&marked, &subjects);
        fields.iter().filter_map(|pointer| event.pointer(pointer)).for_each(|value| values.add(value));
        for ((document, marked), subjects) in documents.iter().zip(&step_subjects) {
            let fields = belonging(marked, subjects);
            fields.iter().filter_map(|pointer| document.pointer(pointer)).for_each(|value| values.add(value));
        }
        Some(Hit { own: true, values, fields })
    }

    /// What one has to do with it as it came of an event of that person.
    pub fn inherited(&self, rules: &Rules, sought: &Sought, from: &Hit) -> Hit {
        let mut hit =
            self.hit(rules, sought).filter(|hit| hit.own).unwrap_or(Hit { own: true, values: Values::default(), fields: Vec::new() });
        hit.values.extend(&from.values);
        hit
    }

    /// All that is marked in it, whosever it is.
    pub fn personal(&self, rules: &Rules) -> Values {
        let event = self.json();
        let mut values = Values::default();
        rules.marked(&event).personal.iter().filter_map(|pointer| event.pointer(pointer)).for_each(|value| values.add(value));
        self.steps.iter().for_each(|step| rules.add_step(step, &mut values));
        values
    }

    fn step_documents(&self, rules: &Rules) -> Vec<(Value, Marked)> {
        self.steps.iter().flat_map(|step| rules.documents(step)).collect()
    }

    /// Where values stand in it.
    pub fn places(&self, values: &Values) -> Places {
        self.clone().mask(values, false, false)
    }

    /// Puts [`ERASED`] in the place of what a hit found. `whole`: in the place of all that came from outside.
    pub fn erase(&mut self, hit: &Hit, whole: bool) -> Places {
        let mut event = self.json();
        for pointer in &hit.fields {
            if let Some(value) = event.pointer_mut(pointer) {
                Mask::Erased.cover(value);
            }
        }
        let mut places = self.clone().mask(&hit.values, hit.own, whole);
        if !hit.fields.is_empty() {
            self.event.body = event.to_string();
            // A field that is too short to be looked for elsewhere.
            places.count = places.count.max(hit.fields.len());
        }
        self.mask(&hit.values, hit.own, whole);
        places
    }

    /// `own`: what can't be looked into goes whole.
    fn mask(&mut self, values: &Values, own: bool, whole: bool) -> Places {
        let mut places = Places::default();
        let mut pass = Pass { values, own, whole };
        self.event(&mut pass, &mut places);
        for run in &mut self.runs {
            let of = |what: &str| format!("run {}/{what}", run.id);
            places.note(of("status_reason"), pass.text(&mut run.status_reason));
            places.note(of("order_key"), pass.text(&mut run.order_key));
            places.note(of("state"), pass.document(&mut run.state));
        }
        for step in &mut self.steps {
            for (what, text) in [("input", &mut step.input), ("output", &mut step.output)] {
                pass.content(&format!("step {}/{what}", step.name), text, &mut places);
            }
        }
        for attempt in &mut self.attempts {
            let of = |what: &str| format!("attempt {} of {}/{what}", attempt.number, attempt.step);
            places.note(of("error"), pass.document(&mut attempt.error));
            places.note(of("logs"), pass.document(&mut attempt.logs));
            places.note(of("effects"), pass.document(&mut attempt.effects));
        }
        for effect in &mut self.effects {
            let of = |what: &str| format!("journal of {}/{what}", effect.id.step);
            let mut url = Some(std::mem::take(&mut effect.url));
            let mut headers = Some(std::mem::take(&mut effect.request_headers));
            let request = [
                ("name", pass.text(&mut effect.name)),
                ("url", pass.text(&mut url)),
                ("request headers", pass.json(&mut headers)),
                ("request body", pass.body(&mut effect.request_body)),
            ];
            effect.url = url.unwrap_or_default();
            effect.request_headers = headers.unwrap_or_default();
            if whole || request.iter().any(|(_, found)| *found > 0) {
                // Both may be guessed from: one holds the name or a digest of the request, the other is a digest of its body.
                effect.id.identity = format!("erased:{}:{}", effect.key, effect.id.generation);
                effect.request_digest = vec![0; 32];
            }
            let response =
                [("response headers", pass.json(&mut effect.response_headers)), ("response body", pass.body(&mut effect.response_body))];
            request.into_iter().chain(response).for_each(|(what, found)| places.note(of(what), found));
        }
        // A replay would need them, and there is none of what was erased.
        self.reads.retain(|read| {
            let read = &read.read;
            let found = usize::from(values.is_in(read.url.as_bytes()))
                + usize::from(values.is_in(read.headers.as_bytes()))
                + usize::from(values.mask_body(&read.body, Mask::Erased).is_some());
            places.note(format!("recorded answer to {}", read.method), found);
            found == 0 && !own && !whole
        });
        places
    }

    fn event(&mut self, pass: &mut Pass<'_>, places: &mut Places) {
        let mut event = self.json();
        if pass.whole {
            if let Some(members) = event.as_object_mut() {
                members.retain(|name, _| KEPT.contains(&name.as_str()) && name != "data_base64");
                members.insert("data".to_owned(), ERASED.into());
                places.note("event".to_owned(), 1);
                self.event.body = event.to_string();
            }
            return;
        }
        let mut content = event.clone();
        if let Some(members) = content.as_object_mut() {
            members.retain(|name, _| !KEPT.contains(&name.as_str()));
        }
        pass.values.places(&content).into_iter().for_each(|pointer| places.note(format!("event{pointer}"), 1));
        if pass.values.mask_event(&mut event, Mask::Erased) > 0 {
            self.event.body = event.to_string();
        }
    }
}

/// What is masked where.
struct Pass<'a> {
    values: &'a Values,
    own: bool,
    whole: bool,
}

impl Pass<'_> {
    fn text(&mut self, text: &mut Option<String>) -> usize {
        match text {
            Some(text) if self.whole => {
                *text = ERASED.to_owned();
                1
            }
            Some(text) => self.values.mask_text(text, Mask::Erased),
            None => 0,
        }
    }

    /// JSON of a plugin's or sender's making.
    fn json(&mut self, text: &mut Option<String>) -> usize {
        self.parsed(text, |pass, value| {
            if pass.whole {
                Mask::Erased.cover(value);
                return 1;
            }
            pass.values.mask(value, Mask::Erased)
        })
    }

    /// The same, with each place.
    fn content(&mut self, what: &str, text: &mut Option<String>, places: &mut Places) {
        let Some(value) = text.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return };
        let found = self.values.places(&value);
        if self.whole {
            places.note(what.to_owned(), 1);
        }
        if self.whole || !found.is_empty() {
            self.json(text);
        }
        found.into_iter().for_each(|pointer| places.note(format!("{what}{pointer}"), 1));
    }

    /// JSON of the host's own making.
    fn document(&mut self, text: &mut Option<String>) -> usize {
        self.parsed(text, |pass, value| {
            if pass.whole {
                return Values::cover_document(value, Mask::Erased);
            }
            pass.values.mask_document(value, Mask::Erased)
        })
    }

    fn parsed(&mut self, text: &mut Option<String>, mask: impl FnOnce(&Self, &mut Value) -> usize) -> usize {
        let Some(mut value) = text.as_ref().and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return 0 };
        let found = mask(self, &mut value);
        if found > 0 {
            *text = Some(value.to_string());
        }
        found
    }

    fn body(&mut self, body: &mut Option<Vec<u8>>) -> usize {
        let Some(bytes) = body.as_ref().filter(|bytes| !bytes.is_empty()) else { return 0 };
        // What can't be looked into, an image or an archive, is erased whole where the event is that person's.
        if self.whole || (self.own && std::str::from_utf8(bytes).is_err()) {
            *body = None;
            return 1;
        }
        match self.values.mask_body(bytes, Mask::Erased) {
            Some((masked, found)) => {
                *body = Some(masked);
                found
            }
            None => 0,
        }
    }
}
