//! Connectors that travel in the binary.

const BUILTIN: &[(&str, &[u8])] = &[("http", include_bytes!(concat!(env!("OUT_DIR"), "/http.wasm")))];

pub(super) fn find(name: &str) -> Option<&'static [u8]> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

pub(super) fn names() -> Vec<&'static str> {
    BUILTIN.iter().map(|(name, _)| *name).collect()
}
