//! Answers SOQL from the org's records.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::id::Id;
use super::org::{Org, Record};
use super::refusal::Refusal;
use super::schema::{Field, Kind, Object};
use super::soql::{self, Columns, Filter, Glyph, Literal, Operator, Path, Query, Text};
use super::value;

/// What a query finds.
#[derive(Debug, PartialEq)]
pub struct Found {
    /// How many records match.
    pub total: usize,
    /// Them as answers show them; none for a count.
    pub records: Vec<Value>,
}

/// Runs a query; `base` is the path that records' links start with. `deleted_too`: also over the recycle bin.
pub fn run(org: &Org, soql: &str, base: &str, deleted_too: bool) -> Result<Found, Refusal> {
    let query = soql::parse(soql)?;
    let object = Object::named(&query.object.text).ok_or_else(|| {
        let message = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the \
             '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            query.object.text
        );
        soql::refused("INVALID_TYPE", soql, query.object.at, &message)
    })?;
    let desk = Desk { org, soql, base };
    desk.check(object, &query)?;
    let mut rows = Vec::new();
    let records: Box<dyn Iterator<Item = (&Id, &Record)>> =
        if deleted_too { Box::new(org.all_with_deleted(object)) } else { Box::new(org.all(object)) };
    for (_, record) in records {
        if query.filter.as_ref().is_none_or(|filter| desk.holds(object, record, filter)) {
            rows.push(record);
        }
    }
    rows.sort_by(|one, other| desk.order(object, &query, one, other));
    let rows = rows.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX));
    match &query.columns {
        Columns::Count => Ok(Found { total: rows.count(), records: Vec::new() }),
        Columns::Paths(paths) => {
            let records: Vec<Value> = rows.map(|record| desk.shown(object, record, paths)).collect();
            Ok(Found { total: records.len(), records })
        }
    }
}

/// The type and link that every record in an answer carries.
pub fn attributes(object: &Object, id: &str, base: &str) -> Value {
    json!({ "type": object.name, "url": format!("{base}/sobjects/{}/{id}", object.name) })
}

struct Desk<'a> {
    org: &'a Org,
    soql: &'a str,
    base: &'a str,
}

impl Desk<'_> {
    /// Refuses unknown fields, and comparisons that the vendor doesn't make.
    fn check(&self, object: &'static Object, query: &Query) -> Result<(), Refusal> {
        if let Columns::Paths(paths) = &query.columns {
            paths.iter().try_for_each(|path| self.field(object, path).map(|_| ()))?;
        }
        for order in &query.order {
            if !self.field(object, &order.path)?.filterable() {
                return Err(self.refused(&order.path, "can not be sorted in a query call"));
            }
        }
        query.filter.as_ref().map_or(Ok(()), |filter| self.check_filter(object, filter))
    }

    fn check_filter(&self, object: &'static Object, filter: &Filter) -> Result<(), Refusal> {
        match filter {
            Filter::All(filters) | Filter::Any(filters) => filters.iter().try_for_each(|filter| self.check_filter(object, filter)),
            Filter::Not(filter) => self.check_filter(object, filter),
            Filter::Compare { path, by, with } => {
                let field = self.field(object, path)?;
                if !field.filterable() {
                    return Err(self.refused(path, "can not be filtered in a query call"));
                }
                with.iter().try_for_each(|literal| self.check_literal(field, path, *by, literal))
            }
        }
    }

    fn check_literal(&self, field: &Field, path: &Path, by: Operator, literal: &Literal) -> Result<(), Refusal> {
        let invalid = |wanted: &str| {
            let message = format!("value of filter criterion for field '{}' must be of type {wanted}", field.name);
            Err(soql::refused("INVALID_FIELD", self.soql, path.at, &message))
        };
        let is_id = matches!(field.kind, Kind::Id | Kind::Reference { .. });
        let by_text = by == Operator::Like;
        match (field.kind, literal) {
            (Kind::Boolean, Literal::Boolean(_)) if matches!(by, Operator::Is | Operator::IsNot) => Ok(()),
            (Kind::Boolean, _) => invalid("boolean and should not be enclosed in quotes"),
            (_, Literal::Text(_)) if is_id && by_text => {
                let message = "invalid operator on id field";
                Err(soql::refused("INVALID_QUERY_FILTER_OPERATOR", self.soql, path.at, message))
            }
            (_, Literal::Text(text)) if is_id && Id::parse(&text.text()).is_none() => {
                let message = format!("invalid ID field: {}", text.text());
                Err(soql::refused("INVALID_QUERY_FILTER_OPERATOR", self.soql, path.at, &message))
            }
            (_, Literal::Null) if !by_text => Ok(()),
            (Kind::Number, Literal::Number(_)) if !by_text => Ok(()),
            (Kind::Number, _) => invalid("double and should not be enclosed in quotes"),
            (Kind::Date, Literal::Date(_)) if !by_text => Ok(()),
            (Kind::Date, _) => invalid("date and should not be enclosed in quotes"),
            (Kind::DateTime, Literal::DateTime(_)) if !by_text => Ok(()),
            (Kind::DateTime, _) => invalid("dateTime and should not be enclosed in quotes"),
            (_, Literal::Text(_)) => Ok(()),
            (_, _) => invalid("string and should be enclosed in quotes"),
        }
    }

    fn refused(&self, path: &Path, what: &str) -> Refusal {
        let name = path.names.last().map_or("", String::as_str);
        soql::refused("INVALID_FIELD", self.soql, path.at, &format!("field '{name}' {what}"))
    }

    /// The field that a path ends in.
    fn field(&self, object: &'static Object, path: &Path) -> Result<&'static Field, Refusal> {
        let mut objects = vec![object];
        let (name, relations) = path.names.split_last().map_or(("", &[] as &[String]), |(n, r)| (n.as_str(), r));
        // A query may start its paths with the object's own name.
        let own = relations.first().is_some_and(|first| first.eq_ignore_ascii_case(object.name)) && object.relation(object.name).is_none();
        for relation in relations.iter().skip(usize::from(own)) {
            let field = objects.iter().find_map(|object| object.relation(relation));
            let Some(Kind::Reference { to, .. }) = field.map(|field| field.kind) else {
                let message = format!(
                    "Didn't understand relationship '{relation}' in field path. If you are attempting to use a custom \
                     relationship, be sure to append the '__r' after the custom relationship name."
                );
                return Err(soql::refused("INVALID_FIELD", self.soql, path.at, &message));
            };
            objects = to.iter().filter_map(|name| Object::named(name)).collect();
        }
        objects.iter().find_map(|object| object.field(name)).ok_or_else(|| {
            let message = format!(
                "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append \
                 the '__c' after the custom field name. Please reference your WSDL or the describe call for the \
                 appropriate names.",
                objects.first().map_or("", |object| object.name)
            );
            soql::refused("INVALID_FIELD", self.soql, path.at, &message)
        })
    }

    /// The record that a reference leads to.
    fn related(&self, object: &Object, record: &Record, relation: &str) -> Option<(&'static Object, &Record)> {
        let id = Id::parse(record[object.relation(relation)?.name].as_str()?)?;
        let object = Object::of_prefix(id.prefix())?;
        Some((object, self.org.get(object, &id)?))
    }

    /// The value at the end of a path; null where a relationship is empty.
    fn value<'r>(&'r self, object: &'static Object, record: &'r Record, names: &[String]) -> &'r Value {
        match names {
            [] => &Value::Null,
            [name] => object.field(name).map_or(&Value::Null, |field| &record[field.name]),
            [own, rest @ ..] if own.eq_ignore_ascii_case(object.name) && object.relation(own).is_none() => self.value(object, record, rest),
            [relation, rest @ ..] => match self.related(object, record, relation) {
                Some((object, record)) => self.value(object, record, rest),
                None => &Value::Null,
            },
        }
    }

    fn holds(&self, object: &'static Object, record: &Record, filter: &Filter) -> bool {
        match filter {
            Filter::All(filters) => filters.iter().all(|filter| self.holds(object, record, filter)),
            Filter::Any(filters) => filters.iter().any(|filter| self.holds(object, record, filter)),
            Filter::Not(filter) => !self.holds(object, record, filter),
            Filter::Compare { path, by, with } => {
                let own = self.value(object, record, &path.names);
                let is = |literal: &Literal| compared(own, literal) == Some(Ordering::Equal);
                let first = with.first().unwrap_or(&Literal::Null);
                match by {
                    Operator::Is => is(first),
                    Operator::IsNot => !is(first),
                    Operator::In => with.iter().any(is),
                    Operator::NotIn => !with.iter().any(is),
                    Operator::Below => compared(own, first) == Some(Ordering::Less),
                    Operator::Above => compared(own, first) == Some(Ordering::Greater),
                    Operator::AtMost => compared(own, first).is_some_and(Ordering::is_le),
                    Operator::AtLeast => compared(own, first).is_some_and(Ordering::is_ge),
                    Operator::Like => match (own.as_str(), first) {
                        (Some(own), Literal::Text(pattern)) => like(own, pattern),
                        _ => false,
                    },
                }
            }
        }
    }

    fn order(&self, object: &'static Object, query: &Query, one: &Record, other: &Record) -> Ordering {
        for key in &query.order {
            let (one, other) = (self.value(object, one, &key.path.names), self.value(object, other, &key.path.names));
            let order = match (one.is_null(), other.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) if key.nulls_last => Ordering::Greater,
                (true, false) => Ordering::Less,
                (false, true) if key.nulls_last => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) if key.descending => sorted(other, one),
                (false, false) => sorted(one, other),
            };
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }

    /// A record with the selected fields.
    fn shown(&self, object: &'static Object, record: &Record, paths: &[Path]) -> Value {
        let mut shown = Map::new();
        let id = record["Id"].as_str().unwrap_or_default();
        shown.insert("attributes".into(), attributes(object, id, self.base));
        for path in paths {
            self.show(&mut shown, object, record, &path.names);
        }
        Value::Object(shown)
    }

    fn show(&self, shown: &mut Map<String, Value>, object: &'static Object, record: &Record, names: &[String]) {
        match names {
            [] => {}
            [name] => {
                if let Some(field) = object.field(name) {
                    shown.insert(field.name.to_owned(), record[field.name].clone());
                }
            }
            [own, rest @ ..] if own.eq_ignore_ascii_case(object.name) && object.relation(own).is_none() => {
                self.show(shown, object, record, rest);
            }
            [relation, rest @ ..] => {
                let Some(Kind::Reference { relation: name, .. }) = object.relation(relation).map(|field| field.kind) else {
                    return;
                };
                let inner = shown.entry(name).or_insert(Value::Null);
                if let Some((object, record)) = self.related(object, record, relation) {
                    if inner.is_null() {
                        let id = record["Id"].as_str().unwrap_or_default();
                        *inner = json!({ "attributes": attributes(object, id, self.base) });
                    }
                    if let Value::Object(inner) = inner {
                        self.show(inner, object, record, rest);
                    }
                }
            }
        }
    }
}

/// How a field's value stands to a literal; none where they can't be compared.
fn compared(own: &Value, literal: &Literal) -> Option<Ordering> {
    match (own, literal) {
        (Value::Null, Literal::Null) => Some(Ordering::Equal),
        (Value::String(own), Literal::Text(text)) => {
            let text = text.text();
            match (Id::parse(own), Id::parse(&text)) {
                (Some(own), Some(id)) => Some(own.cmp(&id)),
                _ => Some(own.to_lowercase().cmp(&text.to_lowercase())),
            }
        }
        (Value::Number(own), Literal::Number(number)) => own.as_f64()?.partial_cmp(number),
        (Value::Bool(own), Literal::Boolean(flag)) => Some(own.cmp(flag)),
        (Value::String(own), Literal::Date(day)) => Some(own.as_str().cmp(day)),
        (Value::String(own), Literal::DateTime(text)) => Some(value::instant(own)?.cmp(&value::instant(text)?)),
        _ => None,
    }
}

fn sorted(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.to_lowercase().cmp(&other.to_lowercase()),
        (Value::Number(one), Value::Number(other)) => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => Ordering::Equal,
    }
}

/// `%` stands for any run of characters, `_` for one; case doesn't matter.
fn like(own: &str, pattern: &Text) -> bool {
    let own: Vec<char> = own.to_lowercase().chars().collect();
    let pattern = &pattern.0;
    let (mut at, mut next) = (0, 0);
    // The last `%`, and how much of the text it stands for so far.
    let mut back: Option<(usize, usize)> = None;
    while at < own.len() {
        let matches = match pattern.get(next) {
            Some(Glyph::Plain('%')) => {
                back = Some((next, at));
                next += 1;
                continue;
            }
            Some(Glyph::Plain('_')) => true,
            Some(Glyph::Plain(c) | Glyph::Escaped(c)) => c.to_lowercase().eq([own[at]]),
            None => false,
        };
        if matches {
            at += 1;
            next += 1;
        } else if let Some((percent, from)) = back {
            back = Some((percent, from + 1));
            at = from + 1;
            next = percent + 1;
        } else {
            return false;
        }
    }
    pattern[next..].iter().all(|glyph| *glyph == Glyph::Plain('%'))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::salesforce::seed::seed;

    fn found(soql: &str) -> Result<Vec<Value>, Refusal> {
        run(&seed(Timestamp::UNIX_EPOCH), soql, "/services/data/v66.0", false).map(|found| found.records)
    }

    fn names(soql: &str) -> Vec<String> {
        let records = found(soql).expect(soql);
        records.iter().map(|record| record["Name"].as_str().expect("a name").to_owned()).collect()
    }

    #[test]
    fn conditions_choose_records() {
        assert_eq!(names("SELECT Name FROM Account WHERE Name = 'O\\'Hara & Sons'"), ["O'Hara & Sons"]);
        assert_eq!(names("select name from account where name like 'ACME%'"), ["Acme Heating"]);
        assert_eq!(
            names("SELECT Name FROM Contact WHERE DoNotCall = true OR HasOptedOutOfEmail = true ORDER BY Name DESC"),
            ["Cleo Marsh", "Ben Reed"]
        );
        assert_eq!(names("SELECT Name FROM Contact WHERE Account.Name != 'Acme Heating' AND Account.Phone != null"), ["Cleo Marsh"]);
        assert_eq!(
            names("SELECT Name FROM Account WHERE External_Id__c IN ('cust-100', 'cust-200') ORDER BY Name LIMIT 1"),
            ["Acme Heating"]
        );
        assert_eq!(names("SELECT Name FROM Account WHERE Industry = null AND BillingCity NOT IN ('Springfield')").len(), 2);
        assert_eq!(names("SELECT Name FROM Account WHERE CreatedDate > 1970-01-01T00:00:00Z"), [] as [&str; 0]);
        assert_eq!(names("SELECT Name FROM Account WHERE CreatedDate = 1970-01-01T01:00:00+01:00").len(), 3);
    }

    #[test]
    fn a_relationship_is_shown_as_a_record_or_null() {
        let cases = found("SELECT Subject, Contact.Name, Contact.Email FROM Case ORDER BY CaseNumber").expect("cases");
        assert_eq!(cases[0]["Contact"]["Name"], "Ada Stone");
        assert_eq!(cases[0]["Contact"]["attributes"]["type"], "Contact");
        assert_eq!(cases[2]["Contact"], Value::Null);
    }

    #[test]
    fn what_the_vendor_does_not_compare_is_refused() {
        let code = |soql: &str| found(soql).map_err(|refusal| refusal.code);
        assert_eq!(code("SELECT Id FROM CaseComment WHERE CommentBody LIKE '%x%'"), Err("INVALID_FIELD"));
        assert_eq!(code("SELECT Id FROM Case WHERE IsClosed = 'true'"), Err("INVALID_FIELD"));
        assert_eq!(code("SELECT Id FROM Case WHERE Subject = 5"), Err("INVALID_FIELD"));
        assert_eq!(code("SELECT Id FROM Case WHERE AccountId = 'x'"), Err("INVALID_QUERY_FILTER_OPERATOR"));
        assert_eq!(code("SELECT Nope FROM Case"), Err("INVALID_FIELD"));
        assert_eq!(code("SELECT Nope.Name FROM Case"), Err("INVALID_FIELD"));
        assert_eq!(code("SELECT Id FROM Nope"), Err("INVALID_TYPE"));
    }

    #[test]
    fn like_knows_wildcards_from_escaped_ones() {
        let glyphs = |text: &str| Text(text.chars().map(Glyph::Plain).collect());
        assert!(like("Filter change", &glyphs("%ter_ch%")));
        assert!(!like("Filter change", &glyphs("ter%")));
        assert!(like("100% sure", &Text(vec![Glyph::Plain('%'), Glyph::Escaped('%'), Glyph::Plain('%')])));
        assert!(!like("100 sure", &Text(vec![Glyph::Plain('%'), Glyph::Escaped('%'), Glyph::Plain('%')])));
    }
}
