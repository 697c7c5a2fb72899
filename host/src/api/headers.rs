//! Headers that every answer carries: what browsers may do with it.

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::problem;
use crate::config::Server;

/// How many these are.
const MOST: usize = 8;
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// What depends on the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headers {
    is_https: bool,
}

impl Headers {
    pub(super) fn of(server: &Server) -> Headers {
        Headers { is_https: server.is_https() }
    }
}

/// Adds them; one that a handler has set itself stays. Errors of extractors become problem documents before that.
pub(super) async fn finish(State(own): State<Headers>, request: Request, next: Next) -> Response {
    let mut response = problem::explained(next.run(request).await).await;
    response.headers_mut().reserve(MOST);
    let mut set = |name: HeaderName, value: &'static str| {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    // An answer is data: a page of ours says for itself what it may load.
    set(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    set(X_FRAME_OPTIONS, "DENY");
    // Paths hold ids of events.
    set(REFERRER_POLICY, "no-referrer");
    set(CACHE_CONTROL, "no-store");
    set(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    set(CROSS_ORIGIN_OPENER_POLICY, "same-origin");
    if own.is_https {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
