//! Values that are looked for, and what is put in their place.

use serde_json::{Map, Value, json};

use super::ERASED;
use super::path::KEPT;
use super::text::Needle;

/// Shorter texts are not looked for within others: they would hide half of everything.
const MIN_TEXT: usize = 3;
/// Members of the host's own documents that hold what came from an event or from a plugin. All others are the host's: ids, numbers, states and
/// times, which say nothing of an event even where they look like a part of it.
const CONTENT: [&str; 17] = [
    "body",
    "details",
    "event",
    "fatal",
    "fields",
    "headers",
    "input",
    "message",
    "now",
    "order_key",
    "output",
    "path",
    "reason",
    "status_reason",
    "then",
    "url",
    "what",
];

/// What is put in the place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// This text, whatever it was.
    Text(&'static str),
    /// [`ERASED`]; numbers become 0 and flags false, so that what was an object, a list, a text or a number still is one.
    Erased,
}

impl Mask {
    fn text(self) -> &'static str {
        match self {
            Mask::Text(text) => text,
            Mask::Erased => ERASED,
        }
    }

    /// Puts it in the place of a whole value.
    pub fn cover(self, value: &mut Value) {
        match (self, &mut *value) {
            (Mask::Erased, Value::Array(items)) => items.iter_mut().for_each(|item| self.cover(item)),
            (Mask::Erased, Value::Object(members)) => members.values_mut().for_each(|member| self.cover(member)),
            (Mask::Erased, Value::Number(_)) => *value = json!(0),
            (Mask::Erased, Value::Bool(_)) => *value = json!(false),
            (Mask::Erased, Value::Null) => {}
            (Mask::Erased, Value::String(_)) | (Mask::Text(_), _) => *value = json!(self.text()),
        }
    }
}

/// Values that are looked for, whole and within texts.
#[derive(Debug, Clone, Default)]
pub struct Values {
    values: Vec<Value>,
    /// The longest first: "Ann Smith" before "Ann".
    texts: Vec<Needle>,
    /// Texts count only as whole words.
    words: bool,
}

impl Values {
    /// Nothing yet; texts will count only as words of their own, so that `emp-1` is not found in `emp-10`.
    pub fn as_words() -> Values {
        Values { words: true, ..Values::default() }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Looks for this too, and for all that is in it.
    pub fn add(&mut self, value: &Value) {
        match value {
            // They say nothing on their own, and are everywhere.
            Value::Null | Value::Bool(_) => return,
            Value::String(text) if text.is_empty() || text == ERASED => return,
            Value::String(text) => self.add_text(text),
            Value::Number(number) => self.add_text(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => members.values().for_each(|member| self.add(member)),
        }
        if !self.values.contains(value) {
            self.values.push(value.clone());
        }
    }

    fn add_text(&mut self, text: &str) {
        let needle = Needle::new(text.to_owned());
        if text.len() >= MIN_TEXT && !self.texts.contains(&needle) {
            let place = self.texts.partition_point(|known| known.len() >= needle.len());
            self.texts.insert(place, needle);
        }
    }

    /// Those that are not among others.
    pub fn without(&self, others: &Values) -> Values {
        let mut left = Values { words: self.words, ..Values::default() };
        self.values.iter().filter(|value| !others.values.contains(value)).for_each(|value| left.add(value));
        left.texts.retain(|text| !others.texts.contains(text));
        left.values.retain(|value| !others.values.contains(value));
        left
    }

    /// Looks for all of those too.
    pub fn extend(&mut self, others: &Values) {
        others.values.iter().for_each(|value| self.add(value));
    }

    /// Only what is long enough to be meant wherever it stands: for what belongs to nobody's event.
    pub fn telling(&self, least: usize) -> Values {
        let mut telling = Values::as_words();
        let long = |value: &&Value| match value {
            Value::String(text) => text.len() >= least,
            Value::Number(number) => number.to_string().len() >= least,
            _ => false,
        };
        self.values.iter().filter(long).for_each(|value| telling.add(value));
        telling
    }

    /// The texts among them, and numbers as texts.
    pub fn plain(&self) -> Vec<String> {
        let plain = self.values.iter().filter_map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        plain.collect()
    }

    /// Masks them wherever they stand, whole, within a text, or in a member's name. For content alone: it spares nothing. Gives how many it found.
    pub fn mask(&self, value: &mut Value, mask: Mask) -> usize {
        if self.values.is_empty() {
            return 0;
        }
        if self.values.contains(value) {
            mask.cover(value);
            return 1;
        }
        match value {
            Value::String(text) => self.mask_text(text, mask),
            Value::Array(items) => items.iter_mut().map(|item| self.mask(item, mask)).sum(),
            Value::Object(members) => {
                self.mask_names(members, mask) + members.values_mut().map(|member| self.mask(member, mask)).sum::<usize>()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }

    fn mask_names(&self, members: &mut Map<String, Value>, mask: Mask) -> usize {
        if !members.keys().any(|name| self.texts.iter().any(|text| !text.ranges(name.as_bytes(), self.words).is_empty())) {
            return 0;
        }
        let mut found = 0;
        for (name, value) in std::mem::take(members) {
            let mut masked = name.clone();
            found += self.mask_text(&mut masked, mask);
            // Two names may become the same.
            let mut free = masked.clone();
            let mut number = 2;
            while members.contains_key(&free) {
                free = format!("{masked} {number}");
                number += 1;
            }
            members.insert(free, value);
        }
        found
    }

    /// The same within a text.
    pub fn mask_text(&self, text: &mut String, mask: Mask) -> usize {
        let mut found = 0;
        for needle in &self.texts {
            // From the last on, so that places stay true.
            for range in needle.ranges(text.as_bytes(), self.words).into_iter().rev() {
                if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
                    text.replace_range(range, mask.text());
                    found += 1;
                }
            }
        }
        found
    }

    /// The same in a body of whatever kind; JSON is masked as such. `None`: nothing of it is there.
    pub fn mask_body(&self, body: &[u8], mask: Mask) -> Option<(Vec<u8>, usize)> {
        if let Ok(mut json) = serde_json::from_slice::<Value>(body) {
            let found = self.mask(&mut json, mask);
            return (found > 0).then(|| (json.to_string().into_bytes(), found));
        }
        let mut bytes = body.to_vec();
        let mut found = 0;
        for needle in &self.texts {
            for range in needle.ranges(&bytes, self.words).into_iter().rev() {
                bytes.splice(range, mask.text().bytes());
                found += 1;
            }
        }
        (found > 0).then_some((bytes, found))
    }

    /// Masks them in an event (structured); what identifies it stays.
    pub fn mask_event(&self, event: &mut Value, mask: Mask) -> usize {
        let members = event.as_object_mut().into_iter().flatten().filter(|(name, _)| !KEPT.contains(&name.as_str()));
        members.map(|(_, member)| self.mask(member, mask)).sum()
    }

    /// Masks them in a document of the host's own: only where something of an event or a plugin can stand.
    pub fn mask_document(&self, document: &mut Value, mask: Mask) -> usize {
        match document {
            Value::Array(items) => items.iter_mut().map(|item| self.mask_document(item, mask)).sum(),
            Value::Object(members) => {
                let of_effect = members.contains_key("method");
                let mut found = 0;
                for (name, member) in members {
                    let content = is_content(name, member, of_effect);
                    found += if content { self.mask(member, mask) } else { self.mask_document(member, mask) };
                }
                found
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }

    /// Masks all content of a document of the host's own.
    pub fn cover_document(document: &mut Value, mask: Mask) -> usize {
        match document {
            Value::Array(items) => items.iter_mut().map(|item| Values::cover_document(item, mask)).sum(),
            Value::Object(members) => {
                let of_effect = members.contains_key("method");
                let mut found = 0;
                for (name, member) in members {
                    if is_content(name, member, of_effect) {
                        mask.cover(member);
                        found += 1;
                    } else {
                        found += Values::cover_document(member, mask);
                    }
                }
                found
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }

    /// Where they stand, as JSON pointers; names of members count.
    pub fn places(&self, value: &Value) -> Vec<String> {
        let mut places = Vec::new();
        self.look(value, &mut String::new(), &mut places);
        places
    }

    fn look(&self, value: &Value, pointer: &mut String, places: &mut Vec<String>) {
        if self.values.contains(value) {
            places.push(pointer.clone());
            return;
        }
        let length = pointer.len();
        match value {
            Value::String(text) if self.is_in(text.as_bytes()) => places.push(pointer.clone()),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    self.look(item, pointer, places);
                    pointer.truncate(length);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    pointer.push_str(&format!("/{}", crate::schema::escaped(name)));
                    if self.is_in(name.as_bytes()) {
                        places.push(pointer.clone());
                    }
                    self.look(member, pointer, places);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// Whether one of them is a text within these bytes.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.texts.iter().any(|text| !text.ranges(bytes, self.words).is_empty())
    }
}

/// Whether a member of a document holds what came from an event or a plugin. The names of steps are the route's own; those of writes and keys are a
/// plugin's. An error is an object with a kind, or, of an effect, a text.
fn is_content(name: &str, member: &Value, of_effect: bool) -> bool {
    CONTENT.contains(&name) || (name == "name" && of_effect) || (name == "error" && member.is_string())
}
