//! What differs between a value as a case has it and as it is, field by field, for people.

use serde_json::Value;

use super::pattern::Placeholders;
use crate::telemetry::plain;

/// Most differences that are told.
const MOST: usize = 20;
/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 200;

/// The differences, each as a line such as `body.parts[0].quantity: expected 2, got 3`.
pub fn differences(placeholders: &Placeholders, place: &str, expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(placeholders, place, expected, actual, false, &mut found);
    cut(found)
}

/// As [`differences`], but of objects only the expected members count.
pub fn differences_within(placeholders: &Placeholders, place: &str, expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(placeholders, place, expected, actual, true, &mut found);
    cut(found)
}

fn cut(mut found: Vec<String>) -> Vec<String> {
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

fn compare(placeholders: &Placeholders, place: &str, expected: &Value, actual: &Value, within: bool, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::String(text), _) if text == "${any}" => {}
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, value) in expected {
                let place = format!("{place}.{}", plain(name));
                match actual.get(name) {
                    Some(actual) => compare(placeholders, &place, value, actual, within, found),
                    None => found.push(format!("{place}: expected {}, is missing", shown(value))),
                }
            }
            for (name, value) in actual.iter().filter(|(name, _)| !within && !expected.contains_key(*name)) {
                found.push(format!("{place}.{}: not expected, is {}", plain(name), shown(value)));
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(placeholders, &format!("{place}[{index}]"), expected, actual, within, found);
            }
            if expected.len() != actual.len() {
                found.push(format!("{place}: expected {} items, got {}", expected.len(), actual.len()));
            }
        }
        (Value::Number(expected), Value::Number(actual)) if same(&expected.to_string(), &actual.to_string()) => {}
        (Value::String(text), Value::String(actual)) if placeholders.fits(text, actual) => {}
        // A placeholder may stand for a number, such as a time.
        (Value::String(text), Value::Number(actual)) if text.contains("${") && placeholders.fits(text, &actual.to_string()) => {}
        (expected, actual) if expected == actual => {}
        (expected, actual) => {
            found.push(format!("{place}: expected {}, got {}", shown(expected), placeholders.spelled(&shown(actual))));
        }
    }
}

/// Whether two numbers are the same however they are written: `10.10` and `10.1` are, and of long ones no digit is lost.
fn same(one: &str, other: &str) -> bool {
    one == other || (one.len() <= 15 && other.len() <= 15 && one.parse::<f64>().ok() == other.parse::<f64>().ok())
}

/// A value on one line, bounded, with what a terminal would obey spelled out.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut cut: String = text.chars().take(MAX_SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    plain(&cut)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(expected: Value, actual: Value) -> Vec<String> {
        let placeholders = Placeholders::new("root", "do", &[], jiff::Timestamp::UNIX_EPOCH);
        differences(&placeholders, "body", &expected, &actual)
    }

    #[test]
    fn each_difference_is_named_with_its_place() {
        let wanted = json!({ "parts": [{ "sku": "F-1", "quantity": 2 }], "job": "J-1", "gone": true });
        let actual = json!({ "parts": [{ "sku": "F-1", "quantity": 3 }, {}], "job": "J-1", "more": null });
        let expected = [
            "body.gone: expected true, is missing",
            "body.parts[0].quantity: expected 2, got 3",
            "body.parts: expected 1 items, got 2",
            "body.more: not expected, is null",
        ];
        assert_eq!(found(wanted, actual), expected);
    }

    #[test]
    fn numbers_are_equal_however_they_are_written_and_long_ones_to_the_last_digit() {
        let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
        assert!(found(number("10.10"), number("10.1")).is_empty());
        assert!(!found(number("12345678901234567890"), number("12345678901234567891")).is_empty());
        assert!(found(json!("${any}"), json!([1, 2])).is_empty());
        assert!(found(json!("${now}"), json!(1_795_795_200_000_i64)).is_empty());
        assert_eq!(found(json!("\u{1b}[31m"), json!("x")), ["body: expected \"\\u001b[31m\", got \"x\""]);
    }
}
