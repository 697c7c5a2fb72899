//! `wasi:http@0.2`, outgoing: the way out for guests that use their language's own HTTP client. It is the way of the contract's `http`, with the
//! same grants, credentials, journal and limits; what differs is the form. Bodies are collected whole before a request leaves, and answers are
//! there whole before the guest reads them.
//!
//! Implemented here rather than taken from wasmtime-wasi-http: that crate sends on tasks of its own, beside the attempt that has to journal
//! each request in the guest's order, and it would have every user compile another HTTP client.

mod body;
mod fields;
mod incoming;
mod request;
mod response;
mod room;
mod sending;

pub use body::{IncomingBody, OutgoingBody};
pub use fields::Fields;
pub use incoming::OutgoingResponse;
pub use request::{OutgoingRequest, RequestOptions};
pub use response::{FutureResponse, FutureTrailers, IncomingResponse};
pub(super) use room::{Room, TooMuchHeld};

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::io::error::Error as IoError;

use super::bindings::wasi_http::wasi::http::{outgoing_handler, types};
use super::state::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    outgoing_handler::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    Ok(())
}

impl types::Host for HostState {
    /// No stream of a body fails: what can go wrong has gone wrong before there is one.
    fn http_error_code(&mut self, _error: Resource<IoError>) -> wasmtime::Result<Option<types::ErrorCode>> {
        Ok(None)
    }
}
