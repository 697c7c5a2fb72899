//! Requests that a web page of somebody else's made a browser send: refused, in open mode too.
//!
//! A browser can be made to ask this host in three ways: by a name that was rebound to its address (foreign `Host`), by a page elsewhere (foreign
//! `Origin`, `Sec-Fetch-Site`), and by a form, whose content types need no permission of ours. A program that is no browser sends none of these.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::Problem;
use crate::config::Server;
use crate::server::Peer;

/// Content types that a form can send, and a script without asking (Fetch standard, CORS-safelisted).
const FORMS: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// What the host is called.
#[derive(Debug)]
pub(super) struct Site {
    public: Option<Url>,
}

impl Site {
    pub(super) fn of(server: &Server) -> Site {
        Site { public: server.public_url.as_deref().and_then(|url| Url::parse(url).ok()) }
    }

    /// Lets a request through that no foreign page can have caused.
    pub(super) fn check(&self, request: &Request) -> Result<(), Problem> {
        let host = asked_host(request).ok_or_else(|| forbidden("a request names its host once, in one `Host` header"))?;
        if !known_host(&host, self.public.as_ref()) {
            return Err(forbidden(format!(
                "host {host:?} is not this host's name; ask for localhost, an address, or set server.public-url"
            )));
        }
        let headers = request.headers();
        let is_encrypted = request.extensions().get::<Peer>().is_some_and(|peer| peer.is_encrypted);
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or("");
            if !is_own(origin, &host, is_encrypted, self.public.as_ref()) {
                return Err(forbidden(format!("requests of {origin:?} are refused: only the host's own pages may ask")));
            }
        }
        if !is_asked_here(headers, request.method()) {
            return Err(forbidden("requests that another site's page makes a browser send are refused (Sec-Fetch-Site)"));
        }
        if is_form(request) {
            let why = "a web page elsewhere could send this content type: send application/json (events: application/cloudevents+json), or an API token";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        Ok(())
    }
}

fn forbidden(why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, why)
}

/// Where the host is reached: its `public-url`, or, without one, what a request calls it that [`Site::check`] has let through.
pub(super) fn reached_at(server: &Server, request: &Request) -> String {
    if let Some(url) = &server.public_url {
        return url.clone();
    }
    let is_encrypted = request.extensions().get::<Peer>().is_some_and(|peer| peer.is_encrypted);
    let scheme = if is_encrypted { "https" } else { "http" };
    format!("{scheme}://{}", asked_host(request).as_deref().unwrap_or("localhost"))
}

/// What the request calls the host. `None`: nothing, or several things.
fn asked_host(request: &Request) -> Option<String> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().map(|host| host.to_str().map(str::to_owned).unwrap_or_default());
    if hosts.next().is_some() {
        return None;
    }
    match (host, request.uri().authority()) {
        (Some(host), None) => Some(host),
        // RFC 9112 section 3.2.2: a target in absolute form counts, but who sends both alike means one thing.
        (Some(host), Some(authority)) => authority.as_str().eq_ignore_ascii_case(&host).then_some(host),
        (None, authority) => authority.map(ToString::to_string),
    }
}

fn known_host(host: &str, public: Option<&Url>) -> bool {
    // What most ask for, without the way through a URL.
    if host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    // `@`, `/` and their like would make a URL of it whose host is another.
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)) {
        return false;
    }
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

/// Whether an origin is the host's own. The name in `public-url` has that one origin: a page without TLS of the same name may be anybody's who
/// is on the way.
fn is_own(origin: &str, host: &str, is_encrypted: bool, public: Option<&Url>) -> bool {
    if let Some(public) = public {
        if public.origin().ascii_serialization() == origin {
            return true;
        }
        let name =
            Url::parse(&format!("http://{host}/")).ok().and_then(|url| url.host_str().map(|name| name.trim_end_matches('.').to_owned()));
        if name.as_deref() == public.host_str() {
            return false;
        }
    }
    let scheme = if is_encrypted { "https" } else { "http" };
    format!("{scheme}://{host}").eq_ignore_ascii_case(origin)
}

/// What browsers say of who caused a request. Opening an address by a link elsewhere is harmless, and how people come from the provider; it changes
/// nothing here, and the page that holds the link sees nothing of the answer.
fn is_asked_here(headers: &HeaderMap, method: &Method) -> bool {
    let says = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    match says("sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        Some(_) => {
            let opens = says("sec-fetch-mode") == Some("navigate") && says("sec-fetch-dest").is_none_or(|what| what == "document");
            opens && (method == Method::GET || method == Method::HEAD)
        }
    }
}

/// Whether a form could have sent this. A form can't send a token, nor the headers of a CloudEvent in binary mode.
fn is_form(request: &Request) -> bool {
    let headers = request.headers();
    if is_safe(request.method()) || headers.contains_key(header::AUTHORIZATION) || headers.contains_key("ce-specversion") {
        return false;
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    FORMS.iter().any(|form| form.eq_ignore_ascii_case(kind))
}

/// Methods that change nothing.
pub(super) fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}
