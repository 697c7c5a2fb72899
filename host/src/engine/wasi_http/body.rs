//! Bodies. One that goes out is collected whole, bounded, until the guest has finished it; one that came in is there whole, and is read in
//! pieces.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::response::FutureTrailers;
use super::room::{Held, Room, TooMuchHeld};
use super::sending::{Waiting, internal};
use crate::engine::bindings::wasi_http::wasi::http::types::{ErrorCode, HostIncomingBody, HostOutgoingBody};
use crate::engine::state::HostState;
use crate::engine::wasi_http::Fields;

/// Bytes that are written or read at a time.
const CHUNK: usize = 64 << 10;

/// A body that goes out. Clones are the same: the request, the guest's handle and its stream.
#[derive(Debug, Clone)]
pub struct OutgoingBody(Arc<Mutex<Collected>>);

/// What was written, and by whom it is awaited.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) bytes: Vec<u8>,
    pub(super) held: Held,
    /// What the request's header says of it.
    pub(super) declared: Option<u64>,
    pub(super) stage: Stage,
    /// The request that was handed over before its body was finished.
    pub(super) waiting: Option<Waiting>,
    written: bool,
}

/// How far a body is.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Open,
    Finished,
    /// It will never be: why.
    Broken(ErrorCode),
}

impl OutgoingBody {
    pub(super) fn new(room: &Room, declared: Option<u64>) -> Result<OutgoingBody, TooMuchHeld> {
        let held = room.hold(0)?;
        let collected = Collected { bytes: Vec::new(), held, declared, stage: Stage::Open, waiting: None, written: false };
        Ok(OutgoingBody(Arc::new(Mutex::new(collected))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    /// Ends it; what is wrong with it otherwise.
    fn finish(&mut self, trailers: bool) -> Result<(), ErrorCode> {
        let size = self.bytes.len() as u64;
        let end = match self.declared {
            Some(declared) if declared != size => Err(ErrorCode::HttpRequestBodySize(Some(size))),
            _ if trailers => Err(internal("the host sends no trailers")),
            _ => Ok(()),
        };
        self.stage = end.clone().err().map_or(Stage::Finished, Stage::Broken);
        end
    }
}

impl HostOutgoingBody for HostState {
    fn write(&mut self, body: Resource<OutgoingBody>) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let known = self.table().get(&body)?.clone();
        if std::mem::replace(&mut known.lock().written, true) {
            return Ok(Err(()));
        }
        let stream: DynOutputStream = Box::new(Writer(known));
        Ok(Ok(self.table().push_child(stream, &body)?))
    }

    async fn finish(
        &mut self,
        body: Resource<OutgoingBody>,
        trailers: Option<Resource<Fields>>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        // Fails while its stream is there.
        let body = self.table().delete(body)?;
        let trailers = trailers.map(|trailers| self.table().delete(trailers)).transpose()?;
        let (end, waiting) = {
            let mut collected = body.lock();
            let end = collected.finish(trailers.is_some_and(|trailers| !trailers.list().is_empty()));
            (end, collected.waiting.take())
        };
        if let Some(waiting) = waiting {
            self.send(waiting, Some(&body)).await?;
        }
        Ok(end)
    }

    fn drop(&mut self, body: Resource<OutgoingBody>) -> wasmtime::Result<()> {
        let body = self.table().delete(body)?;
        let mut collected = body.lock();
        if matches!(collected.stage, Stage::Open) {
            let why = internal("the request was not sent: its body was dropped before it was finished");
            collected.stage = Stage::Broken(why.clone());
            if let Some(waiting) = collected.waiting.take() {
                waiting.answer(Err(why));
            }
        }
        Ok(())
    }
}

/// The stream into a body.
struct Writer(OutgoingBody);

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CHUNK {
            return Err(StreamError::trap("more was written at once than `check-write` allows"));
        }
        let mut collected = self.0.lock();
        collected.held.grow_body(bytes.len()).map_err(|error| StreamError::Trap(error.into()))?;
        collected.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

/// A body that came in.
#[derive(Debug)]
pub struct IncomingBody {
    bytes: Option<Bytes>,
    held: Arc<Held>,
}

impl IncomingBody {
    pub(super) fn new(bytes: Vec<u8>, held: Held) -> IncomingBody {
        IncomingBody { bytes: Some(bytes.into()), held: Arc::new(held) }
    }
}

impl HostIncomingBody for HostState {
    fn stream(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<Result<Resource<DynInputStream>, ()>> {
        let known = self.table().get_mut(&body)?;
        let Some(bytes) = known.bytes.take() else { return Ok(Err(())) };
        let stream: DynInputStream = Box::new(Reader { bytes, _held: known.held.clone() });
        Ok(Ok(self.table().push_child(stream, &body)?))
    }

    fn finish(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<Resource<FutureTrailers>> {
        // Fails while its stream is there.
        self.table().delete(body)?;
        Ok(self.table().push(FutureTrailers::default())?)
    }

    fn drop(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<()> {
        self.table().delete(body)?;
        Ok(())
    }
}

/// The stream out of a body.
struct Reader {
    bytes: Bytes,
    _held: Arc<Held>,
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        Ok(self.bytes.split_to(size.min(CHUNK).min(self.bytes.len())))
    }
}
