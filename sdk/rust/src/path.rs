//! Paths that an administrator configures: of requests, with placeholders, and into JSON, with dots. For connectors to systems that are described by
//! their configuration rather than known.

use serde_json::{Map, Value, json};

use crate::{Failure, encode};

/// Fills `{name}` in, each encoded for a segment or a query.
///
/// ```
/// # use sangam_sdk::path;
/// let path = path::fill("/jobs/{job_id}/notes", &[("job_id", "a/b")]);
/// assert_eq!(path.as_deref(), Ok("/jobs/a%2Fb/notes"));
/// ```
///
/// # Errors
/// Rejected where the template asks for something else, and where a value would change the path: an empty one, `.` and `..`.
pub fn fill(template: &str, values: &[(&str, &str)]) -> Result<String, Failure> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| Failure::rejected(format!("configuration: `{template}` has a `{{` without its `}}`")))?;
        let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let value = value.ok_or_else(|| {
            let known: Vec<_> = values.iter().map(|(known, _)| *known).collect();
            Failure::rejected(format!("configuration: `{template}` asks for `{name}`; it may hold {}", known.join(", ")))
        })?;
        if matches!(value, "" | "." | "..") {
            return Err(Failure::rejected(format!("`{name}` can't stand in a URL: `{value}`")));
        }
        filled.push_str(before);
        filled.push_str(&encode(value).to_string());
        rest = after;
    }
    Ok(filled + rest)
}

/// What is at `a.b` in a value; the value itself where the path is empty. A number goes into a list: `lines.0.price`.
pub fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    if path.is_empty() {
        return value;
    }
    path.split('.').fold(value, |value, name| match (value, name.parse::<usize>()) {
        (Value::Array(items), Ok(index)) => items.get(index).unwrap_or(&Value::Null),
        _ => &value[name],
    })
}

/// The id, name or cursor at `a.b`: a text that is not empty, or a number as its digits.
pub fn text_at(value: &Value, path: &str) -> Option<String> {
    match at(value, path) {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Puts a value at `a.b`, making the objects on the way.
pub fn put(object: &mut Map<String, Value>, path: &str, value: Value) {
    let Some((name, rest)) = path.split_once('.') else {
        object.insert(path.to_owned(), value);
        return;
    };
    let inner = object.entry(name).or_insert_with(|| json!({}));
    if !inner.is_object() {
        *inner = json!({});
    }
    if let Some(inner) = inner.as_object_mut() {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureKind;

    #[test]
    fn placeholders_are_encoded() {
        let values = [("id", "a/b c"), ("emp", "é")];
        assert_eq!(fill("/x/{id}?e={emp}", &values).as_deref(), Ok("/x/a%2Fb%20c?e=%C3%A9"));
        assert_eq!(fill("/x", &values).as_deref(), Ok("/x"));
        for (template, value) in [("/{no}", "1"), ("/{id", "1"), ("/{id}", ".."), ("/{id}", "")] {
            let failure = fill(template, &[("id", value)]).expect_err(template);
            assert_eq!(failure.kind, FailureKind::Rejected);
        }
    }

    #[test]
    fn dots_go_into_objects_and_lists() {
        let value = json!({ "a": { "b": 7, "c": "x" }, "d": [{ "e": "f" }] });
        assert_eq!(text_at(&value, "a.b").as_deref(), Some("7"));
        assert_eq!(text_at(&value, "a.c").as_deref(), Some("x"));
        assert_eq!(text_at(&value, "d.0.e").as_deref(), Some("f"));
        assert_eq!((text_at(&value, "a.x"), text_at(&value, "d.b"), text_at(&value, "d.1.e")), (None, None, None));
        assert_eq!(at(&value, ""), &value);
        let mut object = Map::new();
        put(&mut object, "data.hours", json!(1));
        put(&mut object, "data.who.id", json!("e"));
        put(&mut object, "day", json!("d"));
        assert_eq!(Value::Object(object), json!({ "data": { "hours": 1, "who": { "id": "e" } }, "day": "d" }));
    }
}
