//! Origins of URLs, and which of them are this machine.

use url::{Host, Url};

/// `https://host[:port]` of an `http` or `https` URL, lower case, the default port left out (RFC 6454 section 6.2).
pub(super) fn origin(url: &Url) -> Option<String> {
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

/// Whether secrets may be sent there: over TLS, or without it to this machine only.
pub(super) fn is_protected(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `host[:port]`, as errors show it.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_travel_over_tls_or_stay_on_this_machine() {
        for (url, protected) in [
            ("https://erp.example/a", true),
            ("http://127.0.0.1:8080/", true),
            ("http://127.9.9.9/", true),
            ("http://2130706433/", true),
            ("http://[::1]:1/", true),
            ("http://LOCALHOST/", true),
            ("http://localhost.example/", false),
            ("http://127.0.0.1.example/", false),
            ("http://10.0.0.1/", false),
            ("http://[::ffff:10.0.0.1]/", false),
            ("ftp://localhost/", false),
            ("data:text/plain,x", false),
        ] {
            assert_eq!(is_protected(&Url::parse(url).expect(url)), protected, "{url}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_that_is_not_the_default() {
        for (url, expected) in [
            ("https://User:Pass@ACME.example:443/x?y", Some("https://acme.example")),
            ("https://acme.example:8443", Some("https://acme.example:8443")),
            ("http://[::1]:80/", Some("http://[::1]")),
            ("ftp://acme.example", None),
            ("data:text/plain,x", None),
        ] {
            assert_eq!(origin(&Url::parse(url).expect(url)).as_deref(), expected, "{url}");
        }
    }
}
