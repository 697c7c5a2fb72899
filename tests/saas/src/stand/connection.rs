//! Serves connections by hand, so that one can be reset, closed without an answer, or closed within an answer.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::{Recorded, Shared};
use crate::control;
use crate::fault::FaultAct;

/// Largest request body that is read.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Wait after a failed accept: it fails when the process is out of files, and again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts until aborted; the connections end with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    open.spawn(converse(stream, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// One connection, from its first request to its close.
async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers go out at once; a failure costs only time.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| answer(request, Arc::clone(&shared), Arc::clone(&reset)));
    let mut connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).serve_connection(TokioIo::new(stream), service);
    // An error here is a client that went away or a fault that was asked for.
    let _ = (&mut connection).await;
    let stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::Relaxed) {
        let _ = stream.set_zero_linger();
    }
}

/// Answers one request. An error ends the connection without an answer.
async fn answer(request: hyper::Request<Incoming>, shared: Arc<Shared>, reset: Arc<AtomicBool>) -> io::Result<Response> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(Body::new(body), MAX_BODY).await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    if head.uri.path().starts_with(control::PREFIX) {
        return Ok(control::answer(&shared, &head, &body));
    }
    let number = shared.record(recorded(&head, &body));
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let act = shared.faults().take(head.method.as_str(), path);
    let request = Request::from_parts(head, Body::from(body));
    let response = match act {
        None => ask(&shared, request).await,
        Some(FaultAct::Delay { ms }) => {
            // A system ends what it has begun, whether or not somebody still waits for the answer.
            let shared = Arc::clone(&shared);
            let begun = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                let response = ask(&shared, request).await;
                shared.answered(number, response.status().as_u16());
                response
            });
            begun.await.map_err(io::Error::other)?
        }
        Some(FaultAct::Late { ms }) => {
            let response = ask(&shared, request).await;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            response
        }
        Some(FaultAct::Status { status, headers, body }) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).map_err(io::Error::other)?
        }
        Some(FaultAct::Reset) => {
            reset.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Some(FaultAct::LoseAnswer) => {
            ask(&shared, request).await;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Some(FaultAct::Truncate { bytes }) => truncated(ask(&shared, request).await, bytes).await?,
        // Dropped with the connection, when the client has had enough.
        Some(FaultAct::Hang) => std::future::pending().await,
        Some(FaultAct::Trickle { ms }) => trickling(ask(&shared, request).await, Duration::from_millis(ms)).await?,
        Some(FaultAct::Disown { status }) => {
            ask(&shared, request).await;
            Response::builder().status(status).body(Body::empty()).map_err(io::Error::other)?
        }
    };
    shared.answered(number, response.status().as_u16());
    Ok(response)
}

async fn ask(shared: &Shared, request: Request) -> Response {
    let answered: Result<Response, Infallible> = shared.router.clone().oneshot(request).await;
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn recorded(head: &axum::http::request::Parts, body: &[u8]) -> Recorded {
    let mut headers = std::collections::BTreeMap::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|joined: &mut String| {
                joined.push_str(", ");
                joined.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    Recorded {
        method: head.method.as_str().to_owned(),
        path: head.uri.path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned()),
        headers,
        body: String::from_utf8_lossy(body).into_owned(),
        status: None,
        at: Timestamp::now(),
    }
}

/// The same answer, announced whole, that ends after some bytes of its body.
async fn truncated(response: Response, bytes: usize) -> io::Result<Response> {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(io::Error::other)?;
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let start = body.slice(..bytes.min(body.len()));
    let whole = start.len() == body.len();
    Ok(Response::from_parts(head, if whole { Body::from(body) } else { Body::new(Stump::Start(start)) }))
}

/// The same answer, announced whole, whose body comes byte by byte.
async fn trickling(response: Response, pause: Duration) -> io::Result<Response> {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(io::Error::other)?;
    head.headers.insert(header::CONTENT_LENGTH, body.len().into());
    Ok(Response::from_parts(head, Body::new(Trickle { rest: body, pause, next: Box::pin(tokio::time::sleep(pause)) })))
}

/// A body that takes its time.
struct Trickle {
    rest: Bytes,
    pause: Duration,
    next: Pin<Box<tokio::time::Sleep>>,
}

impl HttpBody for Trickle {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        std::task::ready!(self.next.as_mut().poll(context));
        let again = tokio::time::Instant::now() + self.pause;
        self.next.as_mut().reset(again);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(1)))))
    }
}

/// A body that breaks off.
enum Stump {
    Start(Bytes),
    /// Lets the connection send what it holds: an error drops whatever is still in its buffer.
    Flush,
    Broken,
}

impl HttpBody for Stump {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match std::mem::replace(&mut *self, Stump::Broken) {
            Stump::Start(start) => {
                *self = Stump::Flush;
                if start.is_empty() {
                    return self.poll_frame(context);
                }
                Poll::Ready(Some(Ok(Frame::data(start))))
            }
            Stump::Flush => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Stump::Broken => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }
}
