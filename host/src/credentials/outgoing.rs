//! A request on its way out, as credentials see and fill it.

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use super::escape;
use super::secret::Secret;

/// A request before it is sent. What credentials put into it is in no record of it.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// HTTP method.
    pub method: Method,
    /// Absolute URL.
    pub url: Url,
    /// Its headers.
    pub headers: HeaderMap,
    /// Empty: none.
    pub body: Bytes,
}

impl Outgoing {
    /// Sets a query parameter, in place of what the plugin wrote under that name. The others keep their spelling.
    pub(super) fn set_parameter(&mut self, name: &str, value: &Secret) {
        let is_other = |pair: &&str| !pair.is_empty() && escape::decoded(pair.split('=').next().unwrap_or_default()) != name;
        let others = self.url.query().unwrap_or_default().split('&').filter(is_other);
        let own = [&*escape::percent(name), "=", &*escape::percent(value.expose())].concat();
        let query = others.chain([own.as_str()]).collect::<Vec<_>>().join("&");
        self.url.set_query(Some(&query));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_takes_the_place_of_its_namesakes_and_of_nothing_else() {
        for (url, expected) in [
            ("https://a.example/x", "https://a.example/x?key=a%2Fb%26c"),
            ("https://a.example/x?", "https://a.example/x?key=a%2Fb%26c"),
            ("https://a.example/x?q=1%2C2+3&r", "https://a.example/x?q=1%2C2+3&r&key=a%2Fb%26c"),
            ("https://a.example/x?key=mine&k%65y=too&q&key", "https://a.example/x?q&key=a%2Fb%26c"),
            ("https://a.example/x?keys=1", "https://a.example/x?keys=1&key=a%2Fb%26c"),
        ] {
            let url = Url::parse(url).expect(url);
            let mut request = Outgoing { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() };
            request.set_parameter("key", &Secret::new("a/b&c".into()));
            assert_eq!(request.url.as_str(), expected);
        }
    }
}
