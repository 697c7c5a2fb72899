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

/// What a check comes to, if it ends within a time that no fast machine needs.
fn in_time(schema: Value, value: Value) -> Option<Vec<Violation>> {
    let (done, checked) = std::sync::mpsc::channel();
    // Left to itself where it never ends: the test is over then.
    std::thread::spawn(move || done.send(Schema::compile(&schema).map_or_else(|_| Vec::new(), |schema| schema.check(&value))));
    checked.recv_timeout(std::time::Duration::from_secs(20)).ok()
}

#[test]
fn numbers_that_no_memory_holds_are_checked_in_time() {
    let number = |text: &str| serde_json::from_str::<Value>(text).expect("JSON has such numbers");
    let huge = ["1e999999999", "-1e999999999", "1e-999999999", "0.1e999999999", "123456789e999999", "1e99999999999999999999"];
    for text in huge {
        for keyword in ["multipleOf", "maximum", "exclusiveMinimum", "const"] {
            for (schema, value) in [
                (json!({ keyword: 3 }), number(text)),
                (json!({ keyword: number("0.01") }), number(text)),
                (json!({ keyword: number(text) }), json!(7)),
                (json!({ keyword: number(text) }), number("0.5")),
                (json!({ keyword: number(text) }), number(text)),
            ] {
                assert!(in_time(schema.clone(), value.clone()).is_some(), "{schema} {value}");
            }
        }
        for schema in [json!({ "type": "integer" }), json!({ "enum": [1, number("1e5")] }), json!({ "maxLength": number(text) })] {
            assert!(in_time(schema.clone(), number(text)).is_some(), "{schema} {text}");
        }
        let twice = json!([number(text), number(text), 1]);
        assert!(in_time(json!({ "uniqueItems": true }), twice).is_some(), "{text}");
    }
}

#[test]
fn large_lists_and_large_enumerations_are_checked_in_time() {
    let items: Vec<Value> = (0..60_000).map(|n| json!({ "a": [n, { "b": n }] })).collect();
    assert!(in_time(json!({ "uniqueItems": true }), Value::Array(items)).is_some(), "unique objects");
    let lists: Vec<Value> = (0..20_000).map(|n| json!([[n]])).collect();
    assert!(in_time(json!({ "uniqueItems": true }), Value::Array(lists)).is_some(), "unique lists");
    let words: Vec<String> = (0..20_000).map(|n| format!("w{n}")).collect();
    let absent: Vec<Value> = (0..60_000).map(|n| json!(format!("x{n}"))).collect();
    assert!(in_time(json!({ "items": { "enum": words } }), Value::Array(absent)).is_some(), "absent words");
    let contains: Vec<Value> = (0..60_000).map(Value::from).collect();
    assert!(in_time(json!({ "contains": { "const": "x" }, "minContains": 3 }), Value::Array(contains)).is_some(), "contains");
}

#[test]
fn formats_are_no_way_to_the_outside() {
    // They are not asserted, so that none can be slow, and none is looked up.
    for format in ["email", "uri", "regex", "hostname", "nonsense", "idn-email", "json-pointer"] {
        let schema = Schema::compile(&json!({ "format": format })).expect("an unknown format is none of our business");
        assert_eq!(schema.check(&Value::from("(".repeat(100_000))), [], "{format}");
    }
    for keyword in ["$recursiveRef", "$dynamicRef", "$id", "$vocabulary"] {
        let refused = Schema::compile(&json!({ "properties": { "a": { keyword: "https://evil.example/x" } } }));
        assert!(refused.is_err(), "{keyword}");
    }
}
