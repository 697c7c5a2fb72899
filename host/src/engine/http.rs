//! Import `http`.

use std::time::Duration;

use super::bindings::http::{Error, Host, Request, Response};
use super::state::{HostState, broken};
use crate::outbound::{self, HttpError};

impl Host for HostState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        let request = outbound::Request {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: request.timeout_ms.map(Duration::from_millis),
            name: request.name,
            read_only: request.read_only,
        };
        match self.attempt()?.send(request).await {
            Ok(Ok(response)) => Ok(Ok(Response { status: response.status, headers: response.headers, body: response.body })),
            Ok(Err(error)) => Ok(Err(shown(error))),
            Err(why) => Err(broken(why)),
        }
    }

    async fn key(&mut self, name: String) -> wasmtime::Result<String> {
        Ok(self.attempt()?.key(&name))
    }
}

fn shown(error: HttpError) -> Error {
    match error {
        HttpError::Denied(why) => Error::Denied(why),
        HttpError::InvalidRequest(why) => Error::InvalidRequest(why),
        HttpError::NameUsed(name) => Error::NameUsed(name),
        HttpError::Timeout(why) => Error::Timeout(why),
        HttpError::NotSent(why) | HttpError::Connection(why) => Error::Connection(why),
        HttpError::ResponseTooLarge(limit) => Error::ResponseTooLarge(limit),
        HttpError::TooManyCalls(limit) => Error::TooManyCalls(limit),
        HttpError::Credential(why, _) | HttpError::Unavailable { why, .. } => Error::Unavailable(why),
    }
}
