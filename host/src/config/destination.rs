//! Where a plugin may send: the items of `allow-hosts`.

use std::fmt;

use super::model::{Destination, HostPattern, PathPattern};
use super::path::is_method;

impl Destination {
    /// Reads `[METHOD ]scheme://host[:port][/path]`: an origin as [`HostPattern`] has it, perhaps with one method and a path in which `*`
    /// stands for one segment and a last `**` for the rest. Without a path (or with `/` alone) all paths.
    ///
    /// # Errors
    ///
    /// What is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (method, url) = match text.split_once(' ') {
            Some((method, url)) if is_method(method) => (Some(method.to_owned()), url),
            Some(_) => {
                return Err(format!(
                    "`{text}` is not a host pattern: before a space stands one method in capitals, such as \"GET https://api.example.com\""
                ));
            }
            None => (None, text),
        };
        let authority = url.find("://").map_or(0, |at| at + 3);
        let (origin, path) = match url[authority..].find('/').map(|at| url.split_at(authority + at)) {
            Some((origin, "/")) => (origin, None),
            Some((origin, path)) => (origin, Some(path)),
            None => (url, None),
        };
        let origin = HostPattern::parse(origin)?;
        let wrong = |why| format!("`{text}` is not a host pattern: {why}, such as \"https://api.example.com/crm/**\"");
        let path = path.map(PathPattern::parse).transpose().map_err(wrong)?;
        Ok(Self { method, origin, path })
    }

    /// Whether a request may go there. `host` is lower case, an IPv6 address without brackets; `path` begins with a slash and has no query.
    pub fn matches(&self, method: &str, origin: (&str, &str, u16), path: &str) -> bool {
        let (scheme, host, port) = origin;
        self.origin.matches(scheme, host, port)
            && self.method.as_deref().is_none_or(|only| only == method)
            && self.path.as_ref().is_none_or(|pattern| pattern.matches(path))
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method.as_deref().map(|method| format!("{method} ")).unwrap_or_default();
        let path = self.path.as_ref().map(ToString::to_string).unwrap_or_default();
        write!(f, "{method}{}{path}", self.origin)
    }
}
