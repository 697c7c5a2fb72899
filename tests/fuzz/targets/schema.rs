//! Descriptors and JSON Schemas of plugins, and values they are to judge: JSON, a NUL, JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sangam::registry::Descriptor;
use sangam::schema::Schema;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (schema, value) = text.split_once('\0').unwrap_or((text, "{}"));
    if let Ok(descriptor) = Descriptor::parse(schema) {
        let text = serde_json::to_string(&descriptor).expect("a descriptor is JSON");
        assert_eq!(Descriptor::parse(&text).expect("what was taken is a descriptor"), descriptor);
    }
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return };
    let Ok(value) = serde_json::from_str::<Value>(value) else { return };
    if let Ok(schema) = Schema::compile(&schema) {
        for violation in schema.check(&value) {
            assert!(violation.pointer.is_empty() || violation.pointer.starts_with('/'), "not a JSON pointer: {:?}", violation.pointer);
        }
    }
});
