//! Bytes that somebody calls a component: looked at, never run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sangam::registry::Component;

fuzz_target!(|input: &[u8]| {
    match Component::new(input.to_vec()) {
        Ok(component) => {
            assert_eq!(component.inspection.size, input.len());
            assert!(component.digest.starts_with("sha256:"));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
