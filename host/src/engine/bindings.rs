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

/// World `batching`: `batches`. Imports and shared types are those of [`connector`].
pub(super) mod batching {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "batching",
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

/// `wasi:http`, generated from `host/wasi`. Sending is the only thing in it that takes time.
pub(super) mod wasi_http {
    wasmtime::component::bindgen!({
        path: "wasi",
        world: "http",
        imports: {
            default: trappable,
            "wasi:http/outgoing-handler.handle": async | trappable,
            "wasi:http/types.[static]outgoing-body.finish": async | trappable,
        },
        with: {
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:http/types.fields": crate::engine::wasi_http::Fields,
            "wasi:http/types.future-incoming-response": crate::engine::wasi_http::FutureResponse,
            "wasi:http/types.future-trailers": crate::engine::wasi_http::FutureTrailers,
            "wasi:http/types.incoming-body": crate::engine::wasi_http::IncomingBody,
            "wasi:http/types.incoming-response": crate::engine::wasi_http::IncomingResponse,
            "wasi:http/types.outgoing-body": crate::engine::wasi_http::OutgoingBody,
            "wasi:http/types.outgoing-request": crate::engine::wasi_http::OutgoingRequest,
            "wasi:http/types.outgoing-response": crate::engine::wasi_http::OutgoingResponse,
            "wasi:http/types.request-options": crate::engine::wasi_http::RequestOptions,
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
