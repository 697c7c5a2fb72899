//! The descriptor as a custom section of the component, so that it is read without running anything.

use wasm_encoder::{Component, CustomSection, Encode as _, Section as _};

/// Name of the section.
pub(super) const SECTION: &str = "sangam:descriptor";

/// The component with the descriptor embedded. A descriptor that it has already is kept: embed once, at build.
pub fn embed(component: &[u8], descriptor: &str) -> Vec<u8> {
    let section = CustomSection { name: SECTION.into(), data: descriptor.as_bytes().into() };
    let mut bytes = component.to_vec();
    // A component is a sequence of sections: one more may follow.
    bytes.push(section.id());
    section.encode(&mut bytes);
    debug_assert!(bytes.len() > Component::HEADER.len());
    bytes
}
