//! Who may ask: tokens and roles, and requests that a web page of somebody else's made a browser send.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use url::Url;

use super::{Problem, Sees};
use crate::audit::{Actor, By};
use crate::config::Access;
use crate::credentials::api_token::{self, TokenError};
use crate::credentials::{Permission, allows};
use crate::runtime::Runtime;

/// Lets a request through whose token's role includes what it needs.
pub(super) async fn authorize(
    State((runtime, permission)): State<(Arc<Runtime>, Permission)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let from = peer(&request);
    let mut actor = Actor::Anyone;
    let mut sees = Sees::All;
    if runtime.server.access == Access::Tokens {
        let refused = || runtime.refusals.note(from);
        let token = bearer(request.headers()).ok_or_else(|| {
            refused();
            Problem::new(StatusCode::UNAUTHORIZED, "send an API token as `Authorization: Bearer …`; `sangam token create` makes one")
        })?;
        let row = api_token::verify(&runtime.store, token, runtime.clock.now()).await.map_err(|error| match error {
            TokenError::Store(error) => Problem::from(error),
            why => {
                refused();
                Problem::new(StatusCode::UNAUTHORIZED, why.to_string())
            }
        })?;
        if !allows(row.role, permission) {
            refused();
            return Err(Problem::new(StatusCode::FORBIDDEN, format!("the token's role {} does not include this", row.role.as_str())));
        }
        if !row.personal && !allows(row.role, Permission::Personal) {
            sees = Sees::Unmarked;
        }
        actor = Actor::Token { id: row.id, name: row.name };
    }
    // For handlers whose acts are put on record.
    request.extensions_mut().insert(sees);
    request.extensions_mut().insert(By::request(actor, from));
    Ok(next.run(request).await)
}

/// The address that a request came from.
fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Refuses a `Host` that is a foreign name (it may have been rebound to this address) and an `Origin` that is another site's.
pub(super) async fn same_site(State(runtime): State<Arc<Runtime>>, request: Request, next: Next) -> Result<Response, Problem> {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
        .or_else(|| request.uri().authority().map(ToString::to_string))
        .unwrap_or_default();
    let public = runtime.server.public_url.as_deref().and_then(|url| Url::parse(url).ok());
    if !known_host(&host, public.as_ref()) {
        let why = format!("host {host:?} is not this host's name; ask for localhost, an address, or set server.public-url");
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("");
        let own = [format!("http://{host}"), format!("https://{host}")];
        let allowed = own.iter().any(|own| own.eq_ignore_ascii_case(origin))
            || public.is_some_and(|public| public.origin().ascii_serialization() == origin);
        if !allowed {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!("requests of {origin:?} are refused: only the host's own pages may ask"),
            ));
        }
    }
    Ok(next.run(request).await)
}

fn known_host(host: &str, public: Option<&Url>) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}/")) else { return false };
    match url.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || public.and_then(Url::host_str).is_some_and(|public| public == name)
        }
        // An address can't be rebound.
        Some(url::Host::Ipv4(address)) => IpAddr::from(address).is_ipv4(),
        Some(url::Host::Ipv6(_)) => true,
        None => false,
    }
}
