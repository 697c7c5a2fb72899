//! The contract in Rust, generated from `wit/`.

use wasmtime::component::{HasSelf, Linker};

use super::state::HostState;

/// World `connector`: what every plugin imports, and `plugin` and `actions`.
pub(super) mod connector {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "connector",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

/// World `source`: `events`. Imports and shared types are those of [`connector`].
pub(super) mod source {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "source",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "sangam:connector/types@0.1.0": super::connector::sangam::connector::types,
            "sangam:connector/http@0.1.0": super::connector::sangam::connector::http,
            "sangam:connector/key-value@0.1.0": super::connector::sangam::connector::key_value,
            "sangam:connector/log@0.1.0": super::connector::sangam::connector::log,
        },
    });
}

pub(super) use connector::sangam::connector::{http, key_value, log, types};

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    http::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    key_value::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    log::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    Ok(())
}

impl types::Host for HostState {}
