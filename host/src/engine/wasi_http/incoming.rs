//! What `wasi:http/types` has for components that answer requests. Toolchains import it always; no request comes in this way, so there is
//! nothing behind it.

use wasmtime::component::Resource;

use super::body::{IncomingBody, OutgoingBody};
use super::fields::Fields;
use crate::engine::bindings::wasi_http::wasi::http::types::{
    ErrorCode, HostIncomingRequest, HostOutgoingResponse, HostResponseOutparam, IncomingRequest, Method, ResponseOutparam, Scheme,
};
use crate::engine::state::HostState;

/// An answer that a guest can make and give to nobody.
#[derive(Debug)]
pub struct OutgoingResponse {
    status: u16,
    headers: Fields,
    has_body: bool,
}

/// No guest has a request that came in: only the host could give it one.
fn nobody<T>() -> wasmtime::Result<T> {
    Err(wasmtime::Error::msg("no request comes in by wasi:http"))
}

impl HostIncomingRequest for HostState {
    fn method(&mut self, _: Resource<IncomingRequest>) -> wasmtime::Result<Method> {
        nobody()
    }

    fn path_with_query(&mut self, _: Resource<IncomingRequest>) -> wasmtime::Result<Option<String>> {
        nobody()
    }

    fn scheme(&mut self, _: Resource<IncomingRequest>) -> wasmtime::Result<Option<Scheme>> {
        nobody()
    }

    fn authority(&mut self, _: Resource<IncomingRequest>) -> wasmtime::Result<Option<String>> {
        nobody()
    }

    fn headers(&mut self, _: Resource<IncomingRequest>) -> wasmtime::Result<Resource<Fields>> {
        nobody()
    }

    fn consume(&mut self, _: Resource<IncomingRequest>) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        nobody()
    }

    fn drop(&mut self, _: Resource<IncomingRequest>) -> wasmtime::Result<()> {
        nobody()
    }
}

impl HostResponseOutparam for HostState {
    fn set(&mut self, _: Resource<ResponseOutparam>, _: Result<Resource<OutgoingResponse>, ErrorCode>) -> wasmtime::Result<()> {
        nobody()
    }

    fn drop(&mut self, _: Resource<ResponseOutparam>) -> wasmtime::Result<()> {
        nobody()
    }
}

impl HostOutgoingResponse for HostState {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Resource<OutgoingResponse>> {
        let headers = self.table().delete(headers)?;
        Ok(self.table().push(OutgoingResponse { status: 200, headers, has_body: false })?)
    }

    fn status_code(&mut self, response: Resource<OutgoingResponse>) -> wasmtime::Result<u16> {
        Ok(self.table().get(&response)?.status)
    }

    fn set_status_code(&mut self, response: Resource<OutgoingResponse>, status: u16) -> wasmtime::Result<Result<(), ()>> {
        if !(100..1000).contains(&status) {
            return Ok(Err(()));
        }
        self.table().get_mut(&response)?.status = status;
        Ok(Ok(()))
    }

    fn headers(&mut self, response: Resource<OutgoingResponse>) -> wasmtime::Result<Resource<Fields>> {
        let headers = self.table().get(&response)?.headers.frozen();
        Ok(self.table().push(headers)?)
    }

    fn body(&mut self, response: Resource<OutgoingResponse>) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        let room = self.room.clone();
        if std::mem::replace(&mut self.table().get_mut(&response)?.has_body, true) {
            return Ok(Err(()));
        }
        let body = OutgoingBody::new(&room, None)?;
        Ok(Ok(self.table().push(body)?))
    }

    fn drop(&mut self, response: Resource<OutgoingResponse>) -> wasmtime::Result<()> {
        self.table().delete(response)?;
        Ok(())
    }
}
