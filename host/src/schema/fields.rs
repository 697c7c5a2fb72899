//! Whether a field can be there at all: what `check` says of an expression that reads one.

use std::collections::BTreeSet;

use super::Schema;
use super::shape::Part;

/// A field that a schema does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Index of the name in the path.
    pub at: usize,
    /// What may be there instead.
    pub known: Vec<String>,
    /// Other names are refused; otherwise they are only not spoken of.
    pub closed: bool,
}

impl Schema {
    /// The first name of a path that it does not have; `None` where it has all, or where anything may stand. `None` in the path is any item of a list.
    pub fn lacks(&self, path: &[Option<&str>]) -> Option<Lacking> {
        let mut ranks = BTreeSet::from([self.shape.rank[0]]);
        for (at, token) in path.iter().enumerate() {
            let parts = self.shape.in_place(ranks);
            let next: Vec<usize> = match token {
                Some(name) => parts.iter().flat_map(|part| self.below(part, name)).collect(),
                None => parts.iter().flat_map(|part| part.prefix.iter().chain(&part.items).copied()).collect(),
            };
            if next.is_empty() {
                let known: BTreeSet<&String> = parts.iter().flat_map(|part| part.properties.keys()).collect();
                let lists = |part: &&&Part| !part.properties.is_empty();
                let closed = parts.iter().any(|part| lists(&part)) && parts.iter().filter(lists).all(|part| self.refuses_others(part));
                return token.filter(|_| !known.is_empty()).map(|_| Lacking { at, known: known.into_iter().cloned().collect(), closed });
            }
            ranks = next.into_iter().map(|next| self.shape.rank[next]).collect();
        }
        None
    }

    /// What says something of the member of that name, other than that there is none.
    fn below<'p>(&self, part: &'p Part, name: &str) -> impl Iterator<Item = usize> + use<'p> {
        let other = part.additional.filter(|additional| !self.shape.parts[*additional].never);
        part.properties.get(name).copied().or(other).into_iter().chain(part.members.iter().copied())
    }

    fn refuses_others(&self, part: &Part) -> bool {
        part.additional.is_some_and(|additional| self.shape.parts[additional].never)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_lacking_only_where_fields_are_listed() {
        let schema = Schema::compile(&json!({
            "properties": { "customer": { "$ref": "#/$defs/party" }, "parts": { "items": { "properties": { "item": {} }, "additionalProperties": false } }, "any": {} },
            "$defs": { "party": { "type": ["object", "null"], "properties": { "email": {}, "name": {} } } },
        }))
        .expect("a schema");
        let lacking = |at: usize, known: &[&str], closed: bool| {
            Some(Lacking { at, known: known.iter().map(|name| (*name).to_owned()).collect(), closed })
        };
        assert_eq!(schema.lacks(&[Some("customer"), Some("email")]), None);
        assert_eq!(schema.lacks(&[Some("customer"), Some("emial"), Some("x")]), lacking(1, &["email", "name"], false));
        assert_eq!(schema.lacks(&[Some("custmer")]), lacking(0, &["any", "customer", "parts"], false));
        assert_eq!(schema.lacks(&[Some("parts"), None, Some("sku")]), lacking(2, &["item"], true));
        assert_eq!(schema.lacks(&[Some("any"), Some("thing"), None, Some("x")]), None);
        assert_eq!(schema.lacks(&[Some("customer"), None, Some("x")]), None, "members of an object, one after another");
        let other = Schema::compile(&json!({ "properties": { "a": {} }, "patternProperties": { "^x": {} } })).expect("a schema");
        assert_eq!(other.lacks(&[Some("b")]), None, "a pattern may be met");
    }
}
