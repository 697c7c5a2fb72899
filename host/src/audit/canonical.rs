//! JSON in its canonical form (RFC 8785): the same bytes whoever writes it.

use serde_json::Value;

/// The canonical form of a value whose numbers are whole and within ±2⁵³, as those of entries are.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, into: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // By UTF-16 code units, as the RFC says.
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            into.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    into.push(',');
                }
                string(name, into);
                into.push(':');
                write(value, into);
            }
            into.push('}');
        }
        Value::Array(items) => {
            into.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    into.push(',');
                }
                write(item, into);
            }
            into.push(']');
        }
        Value::String(text) => string(text, into),
        plain => into.push_str(&plain.to_string()),
    }
}

/// `serde_json` escapes what the RFC wants escaped, in the way it wants: the short forms, else `\u00xx` in lower case.
fn string(text: &str, into: &mut String) {
    into.push_str(&Value::String(text.to_owned()).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8785, sections 3.2.2 and 3.2.3, without numbers that are not whole.
    #[test]
    fn the_published_examples() {
        let value: Value = serde_json::from_str(
            r#"{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false], "numbers": [333333333, 2]}"#,
        )
        .expect("JSON");
        assert_eq!(canonical(&value), r#"{"literals":[null,true,false],"numbers":[333333333,2],"string":"€$\u000f\nA'B\"\\\\\"/"}"#);
        let sorted: Value = serde_json::from_str(
            r#"{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
                "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}"#,
        )
        .expect("JSON");
        let text = canonical(&sorted);
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"].map(|name| text.find(name).expect("it is there"));
        assert!(order.is_sorted(), "{text}");
    }
}
