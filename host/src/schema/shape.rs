//! The shape of a schema: which of its parts apply to which parts of a value, and what a check will cost.
//!
//! A validator evaluates each part as often as it is reached, so that a few references can make it work for ever:
//! `{"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}`, and `a` the same of `b`, doubles with each level. The
//! counting here goes once over (part, place in the value) and adds up how often the validator would.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::{SchemaError, shortened};

/// Most parts that a validator may evaluate for one value.
const MAX_WORK: u64 = 4_000_000;
/// Most parts within one another that apply to one place: each takes stack.
const MAX_IN_PLACE: usize = 24;

const DIALECTS: [&str; 4] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// One part: an object or boolean at a place where a schema is expected.
#[derive(Debug, Default)]
pub(super) struct Part {
    pointer: String,
    reference: Option<String>,
    /// Apply to the same place of the value.
    pub(super) in_place: Vec<usize>,
    /// Apply to the member of that name.
    pub(super) properties: HashMap<String, usize>,
    /// Applies to members that are not in `properties`.
    pub(super) additional: Option<usize>,
    /// May apply to any member.
    pub(super) members: Vec<usize>,
    /// Apply to the item of that index.
    pub(super) prefix: Vec<usize>,
    /// May apply to any item.
    pub(super) items: Vec<usize>,
    /// It is `false`: nothing fits it.
    pub(super) never: bool,
    /// `x-personal` is true.
    pub(super) personal: bool,
    /// `x-subject` is true.
    pub(super) subject: bool,
}

#[derive(Debug)]
pub(super) struct Shape {
    pub(super) parts: Vec<Part>,
    /// Position of each part in an order where what applies in place comes later.
    pub(super) rank: Vec<usize>,
    pub(super) by_rank: Vec<usize>,
}

impl Shape {
    /// Finds all parts of a schema whose depth is bounded.
    pub(super) fn of(schema: &Value) -> Result<Self, SchemaError> {
        let mut parts = Vec::new();
        collect(&mut parts, schema, String::new())?;
        let by_pointer: HashMap<String, usize> =
            parts.iter().enumerate().map(|(index, part): (usize, &Part)| (part.pointer.clone(), index)).collect();
        for part in &mut parts {
            let Some(reference) = &part.reference else {
                continue;
            };
            // Percent-encoded pointers are refused rather than decoded twice in two ways.
            let target = reference.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
            let target = target
                .and_then(|pointer| by_pointer.get(pointer))
                .ok_or_else(|| SchemaError::Reference { pointer: shortened(&part.pointer), reference: shortened(reference) })?;
            part.in_place.push(*target);
        }
        let mut order = Order { parts: &parts, height: vec![None; parts.len()], done: Vec::new() };
        for part in 0..parts.len() {
            order.visit(part)?;
        }
        let mut by_rank = order.done;
        by_rank.reverse();
        let mut rank = vec![0; parts.len()];
        for (position, part) in by_rank.iter().enumerate() {
            rank[*part] = position;
        }
        Ok(Self { parts, rank, by_rank })
    }

    /// Whether a check of the value, whose depth is bounded, ends soon.
    pub(super) fn affordable(&self, value: &Value) -> bool {
        let mut left = MAX_WORK;
        self.spend(&mut left, BTreeMap::from([(self.rank[0], 1)]), value).is_some()
    }

    /// Counts the evaluations at one place and below. `counts`: how often each part, by rank, is evaluated here.
    fn spend(&self, left: &mut u64, mut counts: BTreeMap<usize, u64>, value: &Value) -> Option<()> {
        let mut active = Vec::new();
        while let Some((rank, count)) = counts.pop_first() {
            *left = left.checked_sub(count)?;
            let part = &self.parts[self.by_rank[rank]];
            for next in &part.in_place {
                add(&mut counts, self.rank[*next], count);
            }
            active.push((part, count));
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    *left = left.checked_sub(active.len() as u64)?;
                    let mut below = BTreeMap::new();
                    for (part, count) in &active {
                        let named = part.properties.get(name).or(part.additional.as_ref());
                        for next in named.into_iter().chain(&part.members) {
                            add(&mut below, self.rank[*next], *count);
                        }
                    }
                    self.descend(left, below, member)?;
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    *left = left.checked_sub(active.len() as u64)?;
                    let mut below = BTreeMap::new();
                    for (part, count) in &active {
                        for next in part.prefix.get(index).into_iter().chain(&part.items) {
                            add(&mut below, self.rank[*next], *count);
                        }
                    }
                    self.descend(left, below, item)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn descend(&self, left: &mut u64, counts: BTreeMap<usize, u64>, value: &Value) -> Option<()> {
        if counts.is_empty() { Some(()) } else { self.spend(left, counts, value) }
    }
}

fn add(counts: &mut BTreeMap<usize, u64>, rank: usize, count: u64) {
    let total = counts.entry(rank).or_default();
    *total = total.saturating_add(count);
}

/// Orders the parts, and finds those that apply in place to themselves.
struct Order<'s> {
    parts: &'s [Part],
    /// Parts in place below each; `Some(None)` while it is being looked at.
    height: Vec<Option<Option<usize>>>,
    done: Vec<usize>,
}

impl Order<'_> {
    fn visit(&mut self, part: usize) -> Result<usize, SchemaError> {
        let pointer = || shortened(&self.parts[part].pointer);
        match self.height[part] {
            Some(Some(height)) => return Ok(height),
            Some(None) => return Err(SchemaError::Endless { pointer: pointer() }),
            None => self.height[part] = Some(None),
        }
        let mut height = 0;
        for next in &self.parts[part].in_place {
            height = height.max(1 + self.visit(*next)?);
        }
        if height > MAX_IN_PLACE {
            return Err(SchemaError::TooDeep { pointer: shortened(&self.parts[part].pointer) });
        }
        self.height[part] = Some(Some(height));
        self.done.push(part);
        Ok(height)
    }
}

fn collect(parts: &mut Vec<Part>, schema: &Value, pointer: String) -> Result<usize, SchemaError> {
    let index = parts.len();
    parts.push(Part { pointer: pointer.clone(), never: *schema == Value::Bool(false), ..Part::default() });
    let Value::Object(keywords) = schema else {
        return Ok(index);
    };
    refuse_unsupported(keywords, &pointer)?;
    let mut part = Part { pointer, ..Part::default() };
    for (keyword, value) in keywords {
        let pointer = format!("{}/{}", part.pointer, super::escaped(keyword));
        match keyword.as_str() {
            "$ref" => part.reference = value.as_str().map(str::to_owned),
            "not" | "if" | "then" | "else" => part.in_place.push(collect(parts, value, pointer)?),
            "allOf" | "anyOf" | "oneOf" => part.in_place.extend(list(parts, value, &pointer)?),
            "dependentSchemas" | "dependencies" => part.in_place.extend(map(parts, value, &pointer)?.into_values()),
            "properties" => part.properties = map(parts, value, &pointer)?,
            "patternProperties" => part.members.extend(map(parts, value, &pointer)?.into_values()),
            "additionalProperties" => part.additional = Some(collect(parts, value, pointer)?),
            "unevaluatedProperties" | "propertyNames" => part.members.push(collect(parts, value, pointer)?),
            "prefixItems" => part.prefix.extend(list(parts, value, &pointer)?),
            "items" if value.is_array() => part.prefix.extend(list(parts, value, &pointer)?),
            "items" | "additionalItems" | "contains" | "unevaluatedItems" => {
                part.items.push(collect(parts, value, pointer)?);
            }
            "$defs" | "definitions" => drop(map(parts, value, &pointer)?),
            super::PERSONAL => part.personal = value == true,
            super::SUBJECT => part.subject = value == true,
            _ => {}
        }
    }
    parts[index] = part;
    Ok(index)
}

fn list(parts: &mut Vec<Part>, value: &Value, pointer: &str) -> Result<Vec<usize>, SchemaError> {
    let schemas = value.as_array().into_iter().flatten().enumerate();
    schemas.map(|(index, schema)| collect(parts, schema, format!("{pointer}/{index}"))).collect()
}

fn map(parts: &mut Vec<Part>, value: &Value, pointer: &str) -> Result<HashMap<String, usize>, SchemaError> {
    let schemas = value.as_object().into_iter().flatten();
    schemas.map(|(name, schema)| Ok((name.clone(), collect(parts, schema, format!("{pointer}/{}", super::escaped(name)))?))).collect()
}

fn refuse_unsupported(keywords: &Map<String, Value>, pointer: &str) -> Result<(), SchemaError> {
    let unsupported = |keyword: &str| SchemaError::Unsupported { pointer: shortened(pointer), keyword: keyword.to_owned() };
    let known = |dialect: &str| DIALECTS.contains(&dialect.trim_end_matches('#'));
    if keywords.get("$schema").is_some_and(|dialect| !dialect.as_str().is_some_and(known)) {
        return Err(unsupported("$schema"));
    }
    // They change where references lead to, which can't be followed from here.
    for keyword in ["$dynamicRef", "$recursiveRef"] {
        if keywords.contains_key(keyword) {
            return Err(unsupported(keyword));
        }
    }
    // A draft that has `id` is not among the dialects.
    if !pointer.is_empty() && keywords.contains_key("$id") {
        return Err(unsupported("$id"));
    }
    Ok(())
}
