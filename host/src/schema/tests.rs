use serde_json::json;

use super::*;

fn violations(schema: Value, value: Value) -> Vec<(String, String)> {
    let schema = Schema::compile(&schema).unwrap_or_else(|error| panic!("{error}"));
    schema.check(&value).into_iter().map(|violation| (violation.pointer, violation.message)).collect()
}

#[test]
fn violations_have_their_place() {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "additionalProperties": false,
        "properties": {"id": {"type": "string"}, "n": {"minimum": 3}, "a/b": {"type": "string"}},
    });
    let found = violations(schema, json!({"n": 1, "a/b": "very private".len(), "x/y": 1}));
    let mut expected = vec![
        ("".to_owned(), "`id` is missing".to_owned()),
        ("/a~1b".to_owned(), "value is not of type \"string\"".to_owned()),
        ("/n".to_owned(), "value is less than the minimum of 3".to_owned()),
        ("/x~1y".to_owned(), "`x/y` is not known here".to_owned()),
    ];
    expected.sort();
    let mut found = found;
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_check_ends_at_twenty() {
    let items: Vec<Value> = (0..1000).map(Value::from).collect();
    assert_eq!(violations(json!({"items": {"type": "string"}}), Value::Array(items)).len(), MAX_VIOLATIONS);
    let members: serde_json::Map<String, Value> = (0..1000).map(|n| (n.to_string(), Value::Null)).collect();
    assert_eq!(violations(json!({"additionalProperties": false}), Value::Object(members)).len(), MAX_VIOLATIONS);
}

#[test]
fn long_numbers_keep_their_digits() {
    let schema = json!({"maximum": 12345678901234567890_u64});
    let value: Value = serde_json::from_str("12345678901234567891").expect("a number");
    assert_eq!(violations(schema, value).len(), 1);
}

#[test]
fn schemas_refer_only_to_themselves() {
    let fine = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}});
    assert_eq!(violations(fine, json!(1)).len(), 1);
    for reference in ["https://example.com/s.json", "file:///etc/passwd", "other.json", "#anchor", "#/$defs/b", "#/$defs/%61"] {
        let schema = json!({"properties": {"x": {"$ref": reference}}, "$defs": {"a": {}}});
        let error = Schema::compile(&schema).expect_err(reference);
        assert!(matches!(error, SchemaError::Reference { .. }), "{reference}: {error}");
    }
    // What only looks like a reference is none.
    assert!(Schema::compile(&json!({"properties": {"$ref": {"type": "string"}}, "default": {"$ref": "x"}})).is_ok());
    for schema in [
        json!({"$schema": "https://example.com/dialect"}),
        json!({"$schema": "http://json-schema.org/draft-04/schema#"}),
        json!({"$dynamicRef": "#a"}),
        json!({"properties": {"a": {"$id": "https://example.com/x"}}}),
    ] {
        assert!(matches!(Schema::compile(&schema), Err(SchemaError::Unsupported { .. })), "{schema}");
    }
}

#[test]
fn hostile_schemas_are_refused() {
    let mut deep = json!({});
    for _ in 0..MAX_DEPTH {
        deep = json!({"not": deep});
    }
    assert!(matches!(Schema::compile(&deep), Err(SchemaError::TooDeep { .. })));
    let long = json!({"description": "x".repeat(MAX_SIZE)});
    assert_eq!(Schema::compile(&long).expect_err("too large"), SchemaError::TooLarge);
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}}),
    ] {
        assert!(matches!(Schema::compile(&schema), Err(SchemaError::Endless { .. })), "{schema}");
    }
    for pattern in ["(", "(?=a)b", "(a{1000}){1000}"] {
        assert!(matches!(Schema::compile(&json!({"pattern": pattern})), Err(SchemaError::Invalid { .. })), "{pattern}");
    }
    assert!(matches!(Schema::compile(&json!({"type": "strin"})), Err(SchemaError::Invalid { .. })));
}

#[test]
fn patterns_run_in_linear_time() {
    let value = Value::from("a".repeat(200_000));
    assert_eq!(violations(json!({"pattern": "^(a+)+$"}), value.clone()).len(), 0);
    assert_eq!(violations(json!({"pattern": "^(a+)+b$"}), value).len(), 1);
}

#[test]
fn references_that_double_at_every_level_are_not_followed() {
    let doubling = |target: String| json!({"allOf": [{"$ref": target}, {"$ref": target}]});
    let mut parts: serde_json::Map<String, Value> = (0..10).map(|n| (format!("p{n}"), doubling(format!("#/$defs/p{}", n + 1)))).collect();
    parts.insert("p10".to_owned(), json!({"type": "string"}));
    // A thousand evaluations are fine …
    let schema = Schema::compile(&json!({"$ref": "#/$defs/p0", "$defs": parts})).expect("a schema");
    assert_eq!(schema.check(&json!("x")), []);
    // … but not for every level of a deep value.
    let schema = json!({"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}});
    let mut value = json!(1);
    for _ in 0..60 {
        value = json!({"a": value});
    }
    let found = violations(schema, value);
    assert_eq!(found, [("".to_owned(), "the schema is too complicated for this value to be checked".to_owned())]);
}

#[test]
fn recursive_schemas_and_deep_values_are_checked_on_a_small_stack() {
    let chain: Value = (0..8).fold(json!({"$ref": "#"}), |inner, _| json!({"allOf": [inner]}));
    let schema = json!({"type": ["object", "null"], "additionalProperties": chain});
    let mut value = Value::Null;
    for _ in 0..MAX_DEPTH {
        value = json!({"child": value});
    }
    let deep_schema = (0..MAX_DEPTH - 1).fold(json!({}), |inner, _| json!({"items": inner}));
    let deep_list = (0..MAX_DEPTH).fold(json!([]), |inner, _| json!([inner]));
    // A thread has 2 MiB unless told otherwise, and so do those of the runtime.
    let check = move || (violations(schema, value), violations(deep_schema, deep_list));
    let (found, too_deep) = std::thread::spawn(check).join().expect("the stack was enough");
    assert_eq!(found, []);
    assert_eq!(too_deep, [("".to_owned(), "the value is nested too deeply to be checked".to_owned())]);
}
