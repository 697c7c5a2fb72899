//! Messages that are events, by type.

use serde_json::{Value, json};

use super::Document;
use super::schemas;
use crate::router::Pattern;

/// Events of a type, or of several with one pattern, from these sources.
#[derive(Clone)]
pub(super) struct EventType {
    /// With `*`; `None`: nobody can say before it is there.
    pattern: Option<Pattern>,
    /// Empty: from anywhere.
    sources: Vec<Pattern>,
}

impl EventType {
    pub(super) fn any() -> Self {
        Self { pattern: None, sources: Vec::new() }
    }

    pub(super) fn wanted(pattern: &Pattern, sources: &[Pattern]) -> Self {
        Self { pattern: Some(pattern.clone()), sources: sources.to_vec() }
    }

    /// As it is written: a pattern, or a text with `${ … }` that may become anything.
    pub(super) fn written(text: Option<&str>, source: &str) -> Self {
        let pattern = text.filter(|text| !text.contains("${")).and_then(|text| Pattern::parse(text).ok());
        Self { pattern, sources: Pattern::parse(source).into_iter().collect() }
    }
}

impl<'a> Document<'a> {
    /// Notes messages for these types; gives their keys.
    pub(super) fn events(&mut self, types: Vec<EventType>) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for event_type in types {
            let key = self.event(&event_type);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// What a source brings in.
    pub(super) fn types_of_source(&self, source: &Value, name: &str) -> Vec<EventType> {
        let uri = format!("/sources/{name}");
        let written = source["event-type"].as_str().or(source["event"]["type"].as_str());
        if let (None, Some(plugin), Some(stream)) = (written, source["uses"].as_str(), source["stream"].as_str()) {
            let known = self.described.streams.get(&(plugin.to_owned(), stream.to_owned()));
            let types: Vec<EventType> = known.into_iter().flatten().map(|kind| EventType::written(Some(kind), &uri)).collect();
            if !types.is_empty() {
                return types;
            }
        }
        vec![EventType::written(written, &uri)]
    }

    fn event(&mut self, event_type: &EventType) -> String {
        let written = event_type.pattern.as_ref().map(Pattern::to_string);
        let name = written.as_deref().map_or("event".to_owned(), |text| text.replace('*', "any"));
        let data = self.data(event_type);
        let kind = match &written {
            None => json!({ "type": "string", "minLength": 1 }),
            Some(text) if text.contains('*') => json!({ "type": "string", "pattern": super::text::pattern(text) }),
            Some(text) => json!({ "const": text }),
        };
        let mut payload = json!({
            "type": "object",
            "required": ["specversion", "id", "source", "type"],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": { "type": "string", "minLength": 1 },
                "source": { "type": "string", "format": "uri-reference", "minLength": 1 },
                "type": kind,
                "subject": { "type": "string", "minLength": 1 },
                "time": { "type": "string", "format": "date-time" },
                "datacontenttype": { "type": "string", "minLength": 1 },
                "dataschema": { "type": "string", "format": "uri", "minLength": 1 },
            },
        });
        if let Some(data) = data {
            payload["properties"]["data"] = data;
        }
        let title = written.as_deref().and_then(|text| crate::catalogue::find(text, None)).map(|entry| entry.title());
        let mut message = json!({ "name": name, "contentType": "application/cloudevents+json", "payload": payload });
        message["title"] =
            title.unwrap_or_else(|| written.map_or("Any event".to_owned(), |text| format!("An event of type {text}"))).into();
        // Events of one type may have to fit other schemas by where they come from.
        let mut key = name.clone();
        for number in 2.. {
            match self.messages.get(&key) {
                Some(known) if *known != message => key = format!("{name}.{number}"),
                _ => break,
            }
        }
        self.messages.insert(key.clone(), message);
        key
    }

    /// The schemas that the data surely has to fit.
    fn data(&mut self, event_type: &EventType) -> Option<Value> {
        let pattern = event_type.pattern.as_ref()?;
        let described = self.described;
        let mut all = Vec::new();
        for (index, rule) in described.rules.iter().enumerate() {
            let schema = rule.schema.as_ref().filter(|_| rule.is_surely_about(pattern, &event_type.sources));
            let Some((key, json)) = schema.and_then(|schema| schemas::of(schema, &pattern.to_string(), index)) else { continue };
            let reference = json!({ "$ref": format!("#/components/schemas/{}", super::text::token(&key)) });
            self.schemas.entry(key.clone()).or_insert_with(|| schemas::placed(json, &key));
            if !all.contains(&reference) {
                all.push(reference);
            }
        }
        match all.len() {
            0 => None,
            1 => all.pop(),
            _ => Some(json!({ "allOf": all })),
        }
    }
}
