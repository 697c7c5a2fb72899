//! Search: filter groups over what has been indexed.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::kind::Kind;
use super::portal::{Portal, Record};
use super::property::{Form, moment};
use super::refusal::Refusal;

const MAX_GROUPS: usize = 5;
const MAX_FILTERS_IN_GROUP: usize = 6;
const MAX_FILTERS: usize = 18;
const MAX_LIMIT: usize = 200;
const DEFAULT_LIMIT: usize = 10;
/// No query pages further than this.
const MAX_TOTAL: usize = 10_000;

type Properties = BTreeMap<String, String>;

/// One condition.
struct Filter {
    name: String,
    form: Form,
    test: Test,
}

enum Test {
    Compare(fn(Ordering) -> bool, String),
    Equal(String, bool),
    Between(String, String),
    In(Vec<String>, bool),
    Has(bool),
    Token(String, bool),
}

/// Answers a search.
pub(super) fn search(portal: &Portal, kind: Kind, body: &Value, now: Instant) -> Result<Value, Refusal> {
    let groups = groups(portal, kind, body)?;
    let limit = number(&body["limit"], DEFAULT_LIMIT)?;
    if limit > MAX_LIMIT {
        return Err(Refusal::invalid(format!("limit must be at most {MAX_LIMIT}")));
    }
    let after = number(&body["after"], 0)?;
    if after + limit > MAX_TOTAL {
        return Err(Refusal::invalid(format!("paging beyond {MAX_TOTAL} results is not possible")));
    }
    let query = body["query"].as_str().unwrap_or_default().to_lowercase();
    let mut found: Vec<(&Record, &Properties)> = portal
        .indexed(kind, now)
        .into_iter()
        .filter(|(_, properties)| groups.is_empty() || groups.iter().any(|group| group.iter().all(|filter| filter.holds(properties))))
        .filter(|(_, properties)| query.is_empty() || mentions(properties, &query))
        .collect();
    sort(portal, kind, &mut found, &body["sorts"])?;
    let asked: Vec<&str> = body["properties"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let results: Vec<Value> = found
        .iter()
        .skip(after)
        .take(limit)
        .map(|(record, properties)| {
            // Search answers from its index: with the values of that version.
            let mut seen = (*record).clone();
            seen.properties = (*properties).clone();
            seen.public(asked.iter().copied(), asked.is_empty())
        })
        .collect();
    let mut answer = json!({ "total": found.len(), "results": results });
    if after + limit < found.len() && limit > 0 {
        answer["paging"] = json!({ "next": { "after": (after + limit).to_string() } });
    }
    Ok(answer)
}

/// A number that may travel as a text.
fn number(value: &Value, otherwise: usize) -> Result<usize, Refusal> {
    let read = match value {
        Value::Null => Some(otherwise),
        Value::String(text) if text.is_empty() => Some(otherwise),
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    read.ok_or_else(|| Refusal::invalid(format!("{value} is not a valid limit or after")))
}

fn groups(portal: &Portal, kind: Kind, body: &Value) -> Result<Vec<Vec<Filter>>, Refusal> {
    let Some(groups) = body["filterGroups"].as_array() else {
        return Ok(Vec::new());
    };
    let mut read = Vec::with_capacity(groups.len());
    for group in groups {
        let filters = group["filters"].as_array().ok_or_else(|| problem("filters is not a list"))?;
        read.push(filters.iter().map(|filter| Filter::read(portal, kind, filter)).collect::<Result<Vec<_>, _>>()?);
    }
    let too_many = read.len() > MAX_GROUPS
        || read.iter().any(|group| group.len() > MAX_FILTERS_IN_GROUP)
        || read.iter().map(Vec::len).sum::<usize>() > MAX_FILTERS;
    if too_many {
        return Err(problem("too many filters: at most 5 groups of 6, and 18 in all"));
    }
    Ok(read)
}

impl Filter {
    fn read(portal: &Portal, kind: Kind, filter: &Value) -> Result<Filter, Refusal> {
        let name = filter["propertyName"].as_str().ok_or_else(|| problem("propertyName is not set"))?;
        let Some(property) = portal.definitions(kind).get(name) else {
            return Err(problem(&format!("Property \"{name}\" does not exist")));
        };
        let one = |field: &str| text(&filter[field]).ok_or_else(|| problem(&format!("{field} of a filter on {name} is not set")));
        let many = || {
            let values = filter["values"].as_array().ok_or_else(|| problem(&format!("values of a filter on {name} is not set")))?;
            Ok::<_, Refusal>(values.iter().filter_map(text).collect::<Vec<_>>())
        };
        let test = match filter["operator"].as_str().unwrap_or_default() {
            "EQ" => Test::Equal(one("value")?, true),
            "NEQ" => Test::Equal(one("value")?, false),
            "LT" => Test::Compare(Ordering::is_lt, one("value")?),
            "LTE" => Test::Compare(Ordering::is_le, one("value")?),
            "GT" => Test::Compare(Ordering::is_gt, one("value")?),
            "GTE" => Test::Compare(Ordering::is_ge, one("value")?),
            "BETWEEN" => Test::Between(one("value")?, one("highValue")?),
            "IN" => Test::In(many()?, true),
            "NOT_IN" => Test::In(many()?, false),
            "HAS_PROPERTY" => Test::Has(true),
            "NOT_HAS_PROPERTY" => Test::Has(false),
            "CONTAINS_TOKEN" => Test::Token(one("value")?, true),
            "NOT_CONTAINS_TOKEN" => Test::Token(one("value")?, false),
            other => return Err(problem(&format!("operator \"{other}\" is not valid"))),
        };
        Ok(Filter { name: name.to_owned(), form: property.form.clone(), test })
    }

    fn holds(&self, properties: &Properties) -> bool {
        let value = properties.get(&self.name);
        let compare = |other: &String| value.map(|value| compare(&self.form, value, other));
        match &self.test {
            Test::Compare(wanted, other) => compare(other).is_some_and(wanted),
            Test::Equal(other, wanted) => compare(other).is_some_and(Ordering::is_eq) == *wanted,
            Test::Between(low, high) => compare(low).is_some_and(Ordering::is_ge) && compare(high).is_some_and(Ordering::is_le),
            Test::In(others, wanted) => others.iter().any(|other| compare(other).is_some_and(Ordering::is_eq)) == *wanted,
            Test::Has(wanted) => value.is_some() == *wanted,
            Test::Token(token, wanted) => value.is_some_and(|value| has_token(value, token)) == *wanted,
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn compare(form: &Form, left: &str, right: &str) -> Ordering {
    match form {
        Form::Number => match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left), Ok(right)) => left.total_cmp(&right),
            _ => left.cmp(right),
        },
        Form::Moment | Form::Day => match (moment(left), moment(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.cmp(right),
        },
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

/// Whether a value has a word that the token names; `*` stands for any letters at either end of it.
fn has_token(value: &str, token: &str) -> bool {
    let (value, token) = (value.to_lowercase(), token.to_lowercase());
    let (open_start, open_end) = (token.starts_with('*'), token.ends_with('*'));
    let token = token.trim_matches('*');
    let words = value.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | ';' | '<' | '>'));
    let parts = words.flat_map(|word| [Some(word), word.split_once('@').map(|(_, host)| host)]).flatten();
    let mut parts = parts.chain([value.as_str()]);
    parts.any(|part| match (open_start, open_end) {
        (true, true) => part.contains(token),
        (true, false) => part.ends_with(token),
        (false, true) => part.starts_with(token),
        (false, false) => part == token,
    })
}

fn mentions(properties: &Properties, query: &str) -> bool {
    properties.values().any(|value| value.to_lowercase().contains(query))
}

/// Sorts by one property, given as `{propertyName, direction}` or as its name with `-` for descending.
fn sort(portal: &Portal, kind: Kind, found: &mut [(&Record, &Properties)], sorts: &Value) -> Result<(), Refusal> {
    let Some(sort) = sorts.as_array().and_then(|sorts| sorts.first()) else {
        return Ok(());
    };
    let (name, descending) = match sort {
        Value::String(name) => (name.trim_start_matches('-'), name.starts_with('-')),
        other => (other["propertyName"].as_str().unwrap_or_default(), other["direction"] == "DESCENDING"),
    };
    let property = portal.definitions(kind).get(name);
    let form = &property.ok_or_else(|| problem(&format!("Property \"{name}\" does not exist")))?.form;
    found.sort_by(|(_, left), (_, right)| {
        let order = match (left.get(name), right.get(name)) {
            (Some(left), Some(right)) => compare(form, left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        };
        if descending { order.reverse() } else { order }
    });
    Ok(())
}

fn problem(reason: &str) -> Refusal {
    Refusal::invalid("There was a problem with the request.").with("errors", json!([{ "message": reason }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_hosts_of_addresses() {
        assert!(has_token("anna@acme.example", "*@acme.example"));
        assert!(has_token("anna@acme.example", "acme.example"));
        assert!(has_token("Boiler leaks again", "leaks"));
        assert!(!has_token("Boiler leaks again", "leak"));
        assert!(has_token("Boiler leaks again", "leak*"));
    }
}
