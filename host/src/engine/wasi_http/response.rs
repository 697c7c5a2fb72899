//! Resources `incoming-response`, and `future-incoming-response` and `future-trailers`, which are there at once.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::body::IncomingBody;
use super::fields::Fields;
use super::room::Held;
use crate::engine::bindings::wasi_http::wasi::http::types::{
    ErrorCode, HostFutureIncomingResponse, HostFutureTrailers, HostIncomingResponse,
};
use crate::engine::state::HostState;
use crate::outbound;

/// An answer.
#[derive(Debug)]
pub struct IncomingResponse {
    status: u16,
    headers: Fields,
    body: Option<IncomingBody>,
}

impl IncomingResponse {
    /// `held`: what was taken for the answer, of which the rest is given back.
    pub(super) fn new(response: outbound::Response, mut held: Held) -> IncomingResponse {
        let outbound::Response { status, headers, body } = response;
        let of_headers = held.split(Fields::size(&headers));
        let of_body = held.split(body.len());
        IncomingResponse { status, headers: Fields::of(headers, of_headers), body: Some(IncomingBody::new(body, of_body)) }
    }
}

/// How far an exchange is, for whoever asked for it.
#[derive(Debug)]
enum Answer {
    Awaited,
    Here(Box<Result<IncomingResponse, ErrorCode>>),
    Taken,
}

/// What a guest has of an exchange that it asked for. Once it is dropped nobody waits.
#[derive(Debug)]
pub struct FutureResponse(Arc<Mutex<Answer>>);

/// Where the answer goes.
#[derive(Debug)]
pub(super) struct Promise(Weak<Mutex<Answer>>);

impl FutureResponse {
    pub(super) fn new() -> (FutureResponse, Promise) {
        let answer = Arc::new(Mutex::new(Answer::Awaited));
        let promise = Promise(Arc::downgrade(&answer));
        (FutureResponse(answer), promise)
    }

    fn is_awaited(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Answer::Awaited)
    }
}

impl Promise {
    /// Whether anybody waits.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.strong_count() > 0
    }

    pub(super) fn keep(self, answer: Result<IncomingResponse, ErrorCode>) {
        if let Some(future) = self.0.upgrade() {
            *future.lock().unwrap_or_else(PoisonError::into_inner) = Answer::Here(Box::new(answer));
        }
    }
}

#[async_trait]
impl Pollable for FutureResponse {
    async fn ready(&mut self) {
        // The exchange takes place while the guest stands still, within the call that made it possible. What is not here now needs the guest.
        if self.is_awaited() {
            std::future::pending::<()>().await;
        }
    }
}

impl HostFutureIncomingResponse for HostState {
    fn subscribe(&mut self, future: Resource<FutureResponse>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table(), future)
    }

    fn get(
        &mut self,
        future: Resource<FutureResponse>,
    ) -> wasmtime::Result<Option<Result<Result<Resource<IncomingResponse>, ErrorCode>, ()>>> {
        let future = self.table().get(&future)?;
        if future.is_awaited() {
            return Ok(None);
        }
        let answer = std::mem::replace(&mut *future.0.lock().unwrap_or_else(PoisonError::into_inner), Answer::Taken);
        Ok(Some(match answer {
            Answer::Here(answer) => match *answer {
                Ok(response) => Ok(Ok(self.table().push(response)?)),
                Err(code) => Ok(Err(code)),
            },
            Answer::Awaited | Answer::Taken => Err(()),
        }))
    }

    fn drop(&mut self, future: Resource<FutureResponse>) -> wasmtime::Result<()> {
        self.table().delete(future)?;
        Ok(())
    }
}

impl HostIncomingResponse for HostState {
    fn status(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<u16> {
        Ok(self.table().get(&response)?.status)
    }

    fn headers(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<Resource<Fields>> {
        let headers = self.table().get(&response)?.headers.frozen();
        Ok(self.table().push(headers)?)
    }

    fn consume(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        let Some(body) = self.table().get_mut(&response)?.body.take() else { return Ok(Err(())) };
        Ok(Ok(self.table().push(body)?))
    }

    fn drop(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<()> {
        self.table().delete(response)?;
        Ok(())
    }
}

/// Trailers of an answer, of which the host keeps none.
#[derive(Debug, Default)]
pub struct FutureTrailers {
    taken: bool,
}

#[async_trait]
impl Pollable for FutureTrailers {
    async fn ready(&mut self) {}
}

impl HostFutureTrailers for HostState {
    fn subscribe(&mut self, future: Resource<FutureTrailers>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table(), future)
    }

    fn get(
        &mut self,
        future: Resource<FutureTrailers>,
    ) -> wasmtime::Result<Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>> {
        let future = self.table().get_mut(&future)?;
        let taken = std::mem::replace(&mut future.taken, true);
        Ok(Some(if taken { Err(()) } else { Ok(Ok(None)) }))
    }

    fn drop(&mut self, future: Resource<FutureTrailers>) -> wasmtime::Result<()> {
        self.table().delete(future)?;
        Ok(())
    }
}
