//! Import `wasi:http/outgoing-handler`: a request leaves by the way of the contract's `http`.

use wasmtime::component::Resource;

use super::body::{OutgoingBody, Stage};
use super::request::{OutgoingRequest, RequestOptions};
use super::response::{FutureResponse, IncomingResponse, Promise};
use crate::attempt::Level;
use crate::engine::bindings::wasi_http::wasi::http::outgoing_handler::Host;
use crate::engine::bindings::wasi_http::wasi::http::types::ErrorCode;
use crate::engine::state::{HostState, broken};
use crate::outbound::HttpError;

/// A request that was handed over.
#[derive(Debug)]
pub(super) struct Waiting {
    request: OutgoingRequest,
    options: RequestOptions,
    promise: Promise,
}

impl Waiting {
    /// It is over, without having been sent.
    pub(super) fn answer(self, answer: Result<IncomingResponse, ErrorCode>) {
        self.promise.keep(answer);
    }
}

impl Host for HostState {
    /// The exchange takes place as soon as request and body are there, while the guest stands still: here, or when the body is finished. So
    /// requests go out in the guest's own order, one after another, and an attempt that is made again takes the same way.
    async fn handle(
        &mut self,
        request: Resource<OutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<FutureResponse>, ErrorCode>> {
        self.attempt()?;
        let mut request = self.table().delete(request)?;
        let options = options.map(|options| self.table().delete(options)).transpose()?.unwrap_or_default();
        let (future, promise) = FutureResponse::new();
        let body = request.body.take();
        let waiting = Waiting { request, options, promise };
        match &body {
            Some(body) if matches!(body.lock().stage, Stage::Open) => body.lock().waiting = Some(waiting),
            body => self.send(waiting, body.as_ref()).await?,
        }
        Ok(Ok(self.table().push(future)?))
    }
}

impl HostState {
    /// Sends what is complete, unless the guest does not want it any more.
    pub(super) async fn send(&mut self, waiting: Waiting, body: Option<&OutgoingBody>) -> wasmtime::Result<()> {
        if !waiting.promise.is_wanted() {
            return Ok(());
        }
        let Waiting { request, options, promise } = waiting;
        // Held until the exchange is over.
        let (bytes, _held) = match body {
            None => (Vec::new(), None),
            Some(body) => {
                let mut collected = body.lock();
                if let Stage::Broken(why) = &collected.stage {
                    let why = why.clone();
                    drop(collected);
                    promise.keep(Err(why));
                    return Ok(());
                }
                let bytes = std::mem::take(&mut collected.bytes);
                let size = bytes.len();
                (bytes, Some(collected.held.split(size)))
            }
        };
        let answer = self.exchange(&request, options, bytes).await?;
        promise.keep(answer);
        Ok(())
    }

    async fn exchange(
        &mut self,
        request: &OutgoingRequest,
        options: RequestOptions,
        body: Vec<u8>,
    ) -> wasmtime::Result<Result<IncomingResponse, ErrorCode>> {
        let outgoing = match request.finished(options, body) {
            Ok(outgoing) => outgoing,
            Err(why) => {
                // Clients of most languages keep a code's text to themselves.
                self.attempt()?.log().add(Level::Warn, &format!("{} was not sent: {why}", request.shown()), Vec::new());
                return Ok(Err(internal(&why)));
            }
        };
        let held = self.room.hold_answer()?;
        match self.attempt()?.send(outgoing).await {
            Ok(Ok(response)) => Ok(Ok(IncomingResponse::new(response, held))),
            Ok(Err(error)) => Ok(Err(code(error))),
            Err(why) => Err(broken(why)),
        }
    }
}

/// The catch-all, with a sentence.
pub(super) fn internal(why: &str) -> ErrorCode {
    ErrorCode::InternalError(Some(why.to_owned()))
}

/// The nearest code. Where there is none that says what to do, the sentence does.
fn code(error: HttpError) -> ErrorCode {
    match error {
        HttpError::Denied(_) => ErrorCode::HttpRequestDenied,
        HttpError::Timeout(_) => ErrorCode::ConnectionTimeout,
        HttpError::NotSent(_) | HttpError::Unavailable { .. } => ErrorCode::DestinationUnavailable,
        HttpError::Connection(_) => ErrorCode::ConnectionTerminated,
        HttpError::ResponseTooLarge(most) => ErrorCode::HttpResponseBodySize(Some(most)),
        HttpError::InvalidRequest(_) | HttpError::NameUsed(_) | HttpError::TooManyCalls(_) | HttpError::Credential(..) => {
            internal(&error.to_string())
        }
    }
}
