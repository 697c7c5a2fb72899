//! Checks answers and requests against the vendors' schemas in `specs/`.

use serde_json::{Value, json};

/// Panics, saying how, where a value is not what the vendor's schema of that name describes.
pub fn conforms(spec: &str, schema: &str, value: &Value) {
    let mut root: Value = serde_json::from_str(spec).expect("specs are JSON");
    assert!(root["$defs"].get(schema).is_some(), "specs have {schema}");
    root["$ref"] = json!(format!("#/$defs/{schema}"));
    let validator = jsonschema::validator_for(&root).expect("specs are JSON Schema");
    let wrong: Vec<String> = validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "no {schema}: {wrong:#?}\n{value:#}");
}
