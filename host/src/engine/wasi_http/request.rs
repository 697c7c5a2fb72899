//! Resources `outgoing-request` and `request-options`, and the request of the host that becomes of them.

use std::time::Duration;

use http::Method;
use http::uri::{Authority, PathAndQuery};
use wasmtime::component::Resource;

use super::body::OutgoingBody;
use super::fields::Fields;
use crate::engine::bindings::wasi_http::wasi::http::types::{self, HostOutgoingRequest, HostRequestOptions, Scheme};
use crate::engine::state::HostState;
use crate::outbound;

/// Longest path with query, authority, and name of a scheme or method.
const MAX_PATH: usize = 16 << 10;
const MAX_AUTHORITY: usize = 1 << 10;
const MAX_WORD: usize = 32;
/// The marks that stand for what the contract's `http` has fields for. They don't leave.
const EFFECT: &str = "sangam-effect";
const EFFECT_NAME: &str = "sangam-effect-name";

/// A request in the making.
#[derive(Debug)]
pub struct OutgoingRequest {
    headers: Fields,
    method: types::Method,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path: Option<String>,
    pub(super) body: Option<OutgoingBody>,
}

/// How long the guest would wait.
#[derive(Debug, Default, Clone, Copy)]
pub struct RequestOptions {
    connect: Option<u64>,
    first_byte: Option<u64>,
    between_bytes: Option<u64>,
}

impl RequestOptions {
    /// Of the whole exchange, as the host gives answers whole: the sum of what the guest named, if it bounds the answer at all.
    fn timeout(self) -> Option<Duration> {
        let parts = [self.connect, self.first_byte, self.between_bytes];
        let sum = parts.into_iter().flatten().fold(0_u64, u64::saturating_add);
        self.first_byte.map(|_| Duration::from_nanos(sum))
    }
}

impl OutgoingRequest {
    pub(super) fn new(headers: Fields) -> OutgoingRequest {
        OutgoingRequest { headers, method: types::Method::Get, scheme: None, authority: None, path: None, body: None }
    }

    /// What its headers say of the length of its body; `Some(Err)`: nothing that could be.
    fn declared(&self) -> Option<Result<u64, String>> {
        let mut values = self.headers.list().iter().filter(|(name, _)| name == "content-length");
        let (_, value) = values.next()?;
        let length = std::str::from_utf8(value).ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
        Some(match (length.and_then(|text| text.parse().ok()), values.next()) {
            (Some(length), None) => Ok(length),
            _ => Err("content-length must be one number".to_owned()),
        })
    }

    /// As the host sends it.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub(super) fn finished(&self, options: RequestOptions, body: Vec<u8>) -> Result<outbound::Request, String> {
        let mut request = outbound::Request {
            method: method(&self.method).to_owned(),
            url: self.url()?,
            timeout: options.timeout(),
            ..outbound::Request::default()
        };
        if let Some(declared) = self.declared()
            && declared? != body.len() as u64
        {
            return Err(format!("content-length is not that of the body, which has {} bytes", body.len()));
        }
        for (name, value) in self.headers.list() {
            match name.as_str() {
                EFFECT if value.eq_ignore_ascii_case(b"read") => request.read_only = true,
                EFFECT if value.eq_ignore_ascii_case(b"write") => {}
                EFFECT => return Err("Sangam-Effect is `read` or `write`".to_owned()),
                EFFECT_NAME if request.name.is_some() => return Err("a write has one Sangam-Effect-Name".to_owned()),
                EFFECT_NAME => {
                    let name = std::str::from_utf8(value).map_err(|_| "Sangam-Effect-Name must be text in UTF-8".to_owned())?;
                    request.name = Some(name.to_owned());
                }
                // It was true, and the host says it by itself.
                "content-length" => {}
                _ => request.headers.push((name.clone(), value.clone())),
            }
        }
        request.body = body;
        Ok(request)
    }

    fn url(&self) -> Result<String, String> {
        let scheme = match &self.scheme {
            Some(Scheme::Http) => "http",
            None | Some(Scheme::Https) => "https",
            Some(Scheme::Other(scheme)) => return Err(format!("scheme {scheme:?} is neither http nor https")),
        };
        let authority = self.authority.as_deref().ok_or("a request without a host (set-authority)")?;
        let path = self.path.as_deref().unwrap_or("/");
        Ok(format!("{scheme}://{authority}{path}"))
    }

    /// What is shown of it where it is refused before it is a request.
    pub(super) fn shown(&self) -> String {
        let url = self.url().unwrap_or_else(|_| self.path.clone().unwrap_or_default());
        format!("{} {url}", method(&self.method))
    }
}

fn method(method: &types::Method) -> &str {
    match method {
        types::Method::Get => "GET",
        types::Method::Head => "HEAD",
        types::Method::Post => "POST",
        types::Method::Put => "PUT",
        types::Method::Delete => "DELETE",
        types::Method::Connect => "CONNECT",
        types::Method::Options => "OPTIONS",
        types::Method::Trace => "TRACE",
        types::Method::Patch => "PATCH",
        types::Method::Other(name) => name,
    }
}

/// Nothing in it may end the part of the URL that it stands for.
fn is_path(path: &str) -> bool {
    path.len() <= MAX_PATH && path.starts_with(['/', '?']) && !path.contains('#') && path.parse::<PathAndQuery>().is_ok()
}

fn is_authority(authority: &str) -> bool {
    authority.len() <= MAX_AUTHORITY && !authority.contains(['/', '?', '#', '\\', '@']) && authority.parse::<Authority>().is_ok()
}

fn is_word(word: &str) -> bool {
    word.len() <= MAX_WORD && Method::from_bytes(word.as_bytes()).is_ok()
}

impl HostState {
    fn outgoing(&mut self, request: &Resource<OutgoingRequest>) -> wasmtime::Result<&mut OutgoingRequest> {
        Ok(self.table().get_mut(request)?)
    }

    fn options(&mut self, options: &Resource<RequestOptions>) -> wasmtime::Result<&mut RequestOptions> {
        Ok(self.table().get_mut(options)?)
    }
}

impl HostOutgoingRequest for HostState {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Resource<OutgoingRequest>> {
        let headers = self.table().delete(headers)?;
        Ok(self.table().push(OutgoingRequest::new(headers))?)
    }

    fn body(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        let room = self.room.clone();
        let request = self.outgoing(&request)?;
        if request.body.is_some() {
            return Ok(Err(()));
        }
        let body = OutgoingBody::new(&room, request.declared().and_then(Result::ok))?;
        request.body = Some(body.clone());
        Ok(Ok(self.table().push(body)?))
    }

    fn method(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<types::Method> {
        Ok(self.outgoing(&request)?.method.clone())
    }

    fn set_method(&mut self, request: Resource<OutgoingRequest>, method: types::Method) -> wasmtime::Result<Result<(), ()>> {
        if matches!(&method, types::Method::Other(name) if !is_word(name)) {
            return Ok(Err(()));
        }
        self.outgoing(&request)?.method = method;
        Ok(Ok(()))
    }

    fn path_with_query(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Option<String>> {
        Ok(self.outgoing(&request)?.path.clone())
    }

    fn set_path_with_query(&mut self, request: Resource<OutgoingRequest>, path: Option<String>) -> wasmtime::Result<Result<(), ()>> {
        let path = path.filter(|path| !path.is_empty());
        if path.as_deref().is_some_and(|path| !is_path(path)) {
            return Ok(Err(()));
        }
        self.outgoing(&request)?.path = path;
        Ok(Ok(()))
    }

    fn scheme(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Option<Scheme>> {
        Ok(self.outgoing(&request)?.scheme.clone())
    }

    fn set_scheme(&mut self, request: Resource<OutgoingRequest>, scheme: Option<Scheme>) -> wasmtime::Result<Result<(), ()>> {
        if matches!(&scheme, Some(Scheme::Other(name)) if !is_word(name)) {
            return Ok(Err(()));
        }
        self.outgoing(&request)?.scheme = scheme;
        Ok(Ok(()))
    }

    fn authority(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Option<String>> {
        Ok(self.outgoing(&request)?.authority.clone())
    }

    fn set_authority(&mut self, request: Resource<OutgoingRequest>, authority: Option<String>) -> wasmtime::Result<Result<(), ()>> {
        if authority.as_deref().is_some_and(|authority| !is_authority(authority)) {
            return Ok(Err(()));
        }
        self.outgoing(&request)?.authority = authority;
        Ok(Ok(()))
    }

    fn headers(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Resource<Fields>> {
        let headers = self.outgoing(&request)?.headers.frozen();
        Ok(self.table().push(headers)?)
    }

    fn drop(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<()> {
        self.table().delete(request)?;
        Ok(())
    }
}

impl HostRequestOptions for HostState {
    fn new(&mut self) -> wasmtime::Result<Resource<RequestOptions>> {
        Ok(self.table().push(RequestOptions::default())?)
    }

    fn connect_timeout(&mut self, options: Resource<RequestOptions>) -> wasmtime::Result<Option<u64>> {
        Ok(self.options(&options)?.connect)
    }

    fn set_connect_timeout(&mut self, options: Resource<RequestOptions>, duration: Option<u64>) -> wasmtime::Result<Result<(), ()>> {
        self.options(&options)?.connect = duration;
        Ok(Ok(()))
    }

    fn first_byte_timeout(&mut self, options: Resource<RequestOptions>) -> wasmtime::Result<Option<u64>> {
        Ok(self.options(&options)?.first_byte)
    }

    fn set_first_byte_timeout(&mut self, options: Resource<RequestOptions>, duration: Option<u64>) -> wasmtime::Result<Result<(), ()>> {
        self.options(&options)?.first_byte = duration;
        Ok(Ok(()))
    }

    fn between_bytes_timeout(&mut self, options: Resource<RequestOptions>) -> wasmtime::Result<Option<u64>> {
        Ok(self.options(&options)?.between_bytes)
    }

    fn set_between_bytes_timeout(&mut self, options: Resource<RequestOptions>, duration: Option<u64>) -> wasmtime::Result<Result<(), ()>> {
        self.options(&options)?.between_bytes = duration;
        Ok(Ok(()))
    }

    fn drop(&mut self, options: Resource<RequestOptions>) -> wasmtime::Result<()> {
        self.table().delete(options)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_url_reaches_into_another() {
        for good in ["/", "/a?b=c", "?q", "/%2e/ü", "/*"] {
            assert!(is_path(good), "{good}");
        }
        for bad in ["a", "*", "@evil.example/", ".evil.example/", ":81/", "/a b", "/a#b", "/a\r\nx", "//\u{0}"] {
            assert!(!is_path(bad), "{bad}");
        }
        for good in ["example.com", "example.com:8443", "[::1]:80", "127.0.0.1"] {
            assert!(is_authority(good), "{good}");
        }
        for bad in ["", "user@example.com", "example.com/evil", "example.com?x", "example.com#", "a\\b", "a b", "a\r\nb"] {
            assert!(!is_authority(bad), "{bad}");
        }
    }

    #[test]
    fn the_time_of_an_exchange_is_what_the_guest_named_together() {
        let timeout = |connect, first_byte, between_bytes| RequestOptions { connect, first_byte, between_bytes }.timeout();
        assert_eq!(timeout(None, None, None), None);
        assert_eq!(timeout(Some(5), None, None), None, "who bounds the dialling only waits for the answer");
        assert_eq!(timeout(Some(5), Some(7), None), Some(Duration::from_nanos(12)));
        assert_eq!(timeout(Some(u64::MAX), Some(7), Some(9)), Some(Duration::from_nanos(u64::MAX)));
    }
}
