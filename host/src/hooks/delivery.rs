//! A delivery as it came, and what is known of it once it is verified.

use http::HeaderMap;
use jiff::Timestamp;

use super::Refused;

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Whole, as the sender wrote it: what the outside sees of the host, path and query.
    pub url: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, untouched.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

/// What is known of a delivery that is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The sender's id of it: the same when it is sent again.
    pub delivery_id: Option<String>,
    /// When it was signed.
    pub sent_at: Option<Timestamp>,
}

impl<'a> Delivery<'a> {
    /// The value of a header that is there once. What is there twice means one thing to a proxy and another to us.
    pub(super) fn header(&self, name: &str) -> Result<Option<&'a str>, Refused> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Refused::Doubled(name.to_owned()));
        }
        value.to_str().map(|value| Some(value.trim())).map_err(|_| Refused::Malformed(name.to_owned()))
    }

    /// The same of one without which nothing can be verified.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, Refused> {
        self.header(name)?.ok_or_else(|| Refused::Missing(name.to_owned()))
    }

    /// Path and query.
    pub(super) fn target(&self) -> &'a str {
        let rest = self.url.find("://").map_or(self.url, |at| &self.url[at + 3..]);
        rest.find(['/', '?']).map_or("/", |at| &rest[at..])
    }

    /// The path.
    pub(super) fn path(&self) -> &'a str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// The query, without its question mark.
    pub(super) fn query(&self) -> Option<&'a str> {
        self.target().split_once('?').map(|(_, query)| query)
    }

    /// Host and, if it is written, port.
    pub(super) fn host(&self) -> &'a str {
        let rest = self.url.find("://").map_or(self.url, |at| &self.url[at + 3..]);
        rest.find(['/', '?']).map_or(rest, |at| &rest[..at])
    }

    /// Before the colon.
    pub(super) fn scheme(&self) -> &'a str {
        self.url.split_once("://").map_or("http", |(scheme, _)| scheme)
    }

    /// The media type, lower case, without parameters.
    pub(super) fn media_type(&self) -> String {
        let value = self.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Whether the body is `application/x-www-form-urlencoded`.
    pub(super) fn is_form(&self) -> bool {
        self.media_type() == "application/x-www-form-urlencoded"
    }
}
