//! The console: its files, which travel in this program. They hold no data, so that anybody may have them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::{AsItIs, Problem, problem};

/// As `build/console.rs` packed them: path, content type, bytes, bytes packed by gzip.
type Packed = (&'static str, &'static str, &'static [u8], Option<&'static [u8]>);
const PACKED: &[Packed] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// What the console may load and ask: this host, and nothing else. No script and no style stands in a page, so none that got into one would run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                      manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
/// The page that every path of the console answers with; the console finds out from the path what to show.
const INDEX: &str = "index.html";
/// Below these no page ever is.
const OF_PROGRAMS: &[&str] = &["/v1/", "/hooks/", "/console/", "/login/", "/oauth/"];
/// Kept by browsers, but asked about each time: after an upgrade nobody has files of two versions.
const REVALIDATED: &str = "no-cache";

/// One file.
#[derive(Debug)]
struct File {
    content_type: &'static str,
    plain: Form,
    gzip: Option<Form>,
}

/// One form of a file, with its strong entity tag (RFC 9110 section 8.8.3).
#[derive(Debug)]
struct Form {
    bytes: &'static [u8],
    etag: HeaderValue,
}

impl Form {
    fn of(bytes: &'static [u8]) -> Form {
        let digest = URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..18]);
        Form { bytes, etag: HeaderValue::from_str(&format!("\"{digest}\"")).expect("base64url fits into a header") }
    }
}

/// The files, by path.
#[derive(Debug)]
pub(super) struct Console {
    files: BTreeMap<&'static str, File>,
}

impl Console {
    /// What was packed into this program.
    pub(super) fn packed() -> Console {
        let file =
            |&(path, content_type, plain, gzip): &Packed| (path, File { content_type, plain: Form::of(plain), gzip: gzip.map(Form::of) });
        Console { files: PACKED.iter().map(file).collect() }
    }

    fn answer(&self, path: &str, asked: &HeaderMap) -> Option<Response> {
        let file = self.files.get(path)?;
        let packed = file.gzip.as_ref().filter(|_| takes_gzip(asked));
        let form = packed.unwrap_or(&file.plain);
        let headers = [
            (header::ETAG, form.etag.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static(REVALIDATED)),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        ];
        if is_known(asked, &form.etag) {
            return Some((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        let mut response = (headers, [(header::CONTENT_TYPE, file.content_type)], Bytes::from_static(form.bytes)).into_response();
        if packed.is_some() {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Some(response)
    }
}

/// A page of the console.
pub(super) async fn page(Extension(console): Extension<Arc<Console>>, asked: HeaderMap) -> Result<Response, Problem> {
    console.answer(INDEX, &asked).ok_or_else(|| Problem::not_found("this program was built without its console"))
}

/// A file of the console.
pub(super) async fn file(
    Extension(console): Extension<Arc<Console>>,
    Path(path): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    console.answer(&path, &asked).ok_or_else(|| Problem::not_found(format!("the console has no file {path}")))
}

/// What nothing is at. A person who opens it is told by the console, which has the way back; a program by a problem document.
pub(super) async fn elsewhere(Extension(console): Extension<Arc<Console>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_of_programs = OF_PROGRAMS.iter().any(|begin| path.starts_with(begin));
    let opens = request.method() == Method::GET && values(request.headers(), header::ACCEPT).any(|kind| kind.starts_with("text/html"));
    let mut asked = HeaderMap::new();
    if let Some(encoding) = request.headers().get(header::ACCEPT_ENCODING) {
        asked.insert(header::ACCEPT_ENCODING, encoding.clone());
    }
    match console.answer(INDEX, &asked).filter(|_| opens && !is_of_programs) {
        Some(mut page) => {
            *page.status_mut() = StatusCode::NOT_FOUND;
            page.extensions_mut().insert(AsItIs);
            page
        }
        None => problem::not_found(request).await.into_response(),
    }
}

fn values(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

/// RFC 9110 section 12.5.3. Who does not name gzip gets the file as it is.
fn takes_gzip(headers: &HeaderMap) -> bool {
    values(headers, header::ACCEPT_ENCODING).any(|value| {
        let (coding, weight) = value.split_once(';').unwrap_or((value, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty());
        coding.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// Whether a browser has this form already (RFC 9110 section 13.1.2: compared weakly).
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    values(headers, header::IF_NONE_MATCH)
        .any(|value| value == "*" || value.strip_prefix("W/").unwrap_or(value).as_bytes() == etag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_form_that_it_takes() {
        let with = |name: header::HeaderName, value: &'static str| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        for (value, takes) in [
            ("gzip", true),
            ("br, gzip;q=0.8", true),
            ("br;q=1, GZIP", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;q=0.01", true),
            ("identity", false),
            ("*", false),
        ] {
            assert_eq!(takes_gzip(&with(header::ACCEPT_ENCODING, value)), takes, "{value}");
        }
        let etag = HeaderValue::from_static("\"a\"");
        for (value, known) in [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false), ("a", false)] {
            assert_eq!(is_known(&with(header::IF_NONE_MATCH, value), &etag), known, "{value}");
        }
    }

    #[test]
    fn the_console_is_whole() {
        let console = Console::packed();
        let index = console.files.get(INDEX).map(|file| String::from_utf8_lossy(file.plain.bytes).into_owned()).unwrap_or_default();
        let named: Vec<&str> = index.split('"').filter_map(|text| text.strip_prefix("/console/")).collect();
        assert!(named.len() > 4, "{index}");
        for file in named {
            assert!(console.files.contains_key(file), "index.html names {file}, which is not there");
        }
    }
}
