use super::inspection::{InspectError, Inspection};

#[test]
fn what_is_not_a_component_is_told_apart() {
    assert_eq!(Inspection::of(b"#!/bin/sh\n").expect_err("a script"), InspectError::NotWasm);
    assert_eq!(Inspection::of(b"").expect_err("nothing"), InspectError::NotWasm);
    assert_eq!(Inspection::of(b"\0asm\x01\0\0\0").expect_err("a core module"), InspectError::CoreModule);
    assert_eq!(Inspection::of(b"\0asm\x0d\0\x01\0").expect_err("an empty component"), InspectError::NotAPlugin);
    assert!(matches!(Inspection::of(b"\0asm\x0d\0\x01\0\x01\xff"), Err(InspectError::Invalid(_))));
}
