//! Running a query on the books.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::company::Company;
use super::entity::Entity;
use super::fault::Fault;
use super::field::Fields;
use super::money;
use super::query::{Columns, Condition, Direction, Operator, Query};

/// Answers the content of `QueryResponse`: without the entity's key where nothing was found.
pub(super) fn select(company: &Company, query: &Query) -> Result<Value, Fault> {
    let named = query.conditions.iter().map(|condition| &condition.field);
    for field in named.chain(query.order.iter().map(|(field, _)| field)) {
        check(query.entity, field)?;
    }
    let all = query.conditions.iter().any(|condition| condition.field == "Active");
    let listed = |record: &&Fields| all || record.get("Active") != Some(&Value::Bool(false));
    let mut found: Vec<&Fields> = company
        .all(query.entity)
        .filter(listed)
        .filter(|record| query.conditions.iter().all(|condition| holds(condition, record)))
        .collect();
    for (field, direction) in query.order.iter().rev() {
        found.sort_by(|left, right| {
            let order = order(left, right, field);
            if *direction == Direction::Down { order.reverse() } else { order }
        });
    }
    if query.columns == Columns::Count {
        return Ok(json!({ "totalCount": found.len() }));
    }
    let page: Vec<Value> = found
        .into_iter()
        .skip(query.start - 1)
        .take(query.limit)
        .map(|record| project(query.entity, record, &query.columns))
        .collect::<Result<_, _>>()?;
    if page.is_empty() {
        return Ok(json!({}));
    }
    let mut answer = Map::new();
    answer.insert("startPosition".to_owned(), json!(query.start));
    answer.insert("maxResults".to_owned(), json!(page.len()));
    answer.insert(query.entity.name().to_owned(), Value::Array(page));
    Ok(Value::Object(answer))
}

fn check(entity: Entity, field: &str) -> Result<(), Fault> {
    let always = ["Id", "MetaData.CreateTime", "MetaData.LastUpdatedTime"];
    let first = field.split('.').next().unwrap_or_default();
    if always.contains(&field) || entity.queryable().contains(&first) {
        Ok(())
    } else if entity.fields().contains(&first) {
        Err(Fault::query_invalid(format!("property '{field}' is not queryable")))
    } else {
        Err(Fault::query_invalid(format!("Property {field} not found for Entity {}", entity.name())))
    }
}

fn project(entity: Entity, record: &Fields, columns: &Columns) -> Result<Value, Fault> {
    let Columns::Named(names) = columns else {
        return Ok(Value::Object(record.clone()));
    };
    let mut shown = Map::new();
    for name in names {
        let first = name.split('.').next().unwrap_or_default();
        if !matches!(first, "Id" | "SyncToken" | "MetaData") && !entity.fields().contains(&first) && !record.contains_key(first) {
            return Err(Fault::query_invalid(format!("Property {name} not found for Entity {}", entity.name())));
        }
        if let Some(value) = record.get(first) {
            shown.insert(first.to_owned(), value.clone());
        }
    }
    shown.insert("domain".to_owned(), json!("QBO"));
    shown.insert("sparse".to_owned(), json!(true));
    Ok(Value::Object(shown))
}

/// The value of a field as text: of a reference its id, of an address or number its text.
fn value(record: &Fields, field: &str) -> Option<String> {
    let mut parts = field.split('.');
    let mut value = record.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) => None,
        Value::Object(fields) => {
            let inner = ["value", "Address", "FreeFormNumber", "URI"].iter().find_map(|name| fields.get(*name));
            inner.and_then(Value::as_str).map(str::to_owned)
        }
        other => Some(other.to_string()),
    }
}

fn compare(left: &str, right: &str) -> Ordering {
    let number = |text: &str| money::read(&json!(text));
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return left.cmp(&right);
    }
    if let (Ok(left), Ok(right)) = (left.parse::<Timestamp>(), right.parse::<Timestamp>()) {
        return left.cmp(&right);
    }
    left.to_lowercase().cmp(&right.to_lowercase())
}

fn order(left: &Fields, right: &Fields, field: &str) -> Ordering {
    match (value(left, field), value(right, field)) {
        (Some(left), Some(right)) => compare(&left, &right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}

fn holds(condition: &Condition, record: &Fields) -> bool {
    let Some(value) = value(record, &condition.field) else {
        return condition.operator == Operator::NotEqual;
    };
    let first = condition.values.first().map(String::as_str).unwrap_or_default();
    let order = compare(&value, first);
    match condition.operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Like => like(&value.to_lowercase(), &first.to_lowercase()),
        Operator::In => condition.values.iter().any(|other| compare(&value, other).is_eq()),
    }
}

/// `%` stands for any text.
fn like(value: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('%');
    let Some(mut rest) = value.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_stands_for_any_text() {
        assert!(like("acme facilities", "acme%"));
        assert!(like("acme facilities", "%fac%ties"));
        assert!(like("acme", "acme"));
        assert!(!like("acme", "acme facilities%"));
        assert!(!like("acme facilities", "acme"));
    }
}
