//! Durations, sizes, origins, patterns, references, near names.

use super::*;
use crate::config::problems::near;
use crate::config::units;

#[test]
fn durations_have_units() {
    let cases = [
        ("30s", Some(30_000)),
        ("500ms", Some(500)),
        ("1h30m", Some(5_400_000)),
        ("2w", Some(1_209_600_000)),
        ("0s", Some(0)),
        ("30", None),
        ("", None),
        ("s", None),
        ("30m1h", None),
        ("1s1s", None),
        ("-1s", None),
        ("1.5h", None),
        ("3 s", None),
        ("99999999999999999999s", None),
        ("40000d", None),
    ];
    for (text, millis) in cases {
        assert_eq!(units::duration(text).ok(), millis.map(Duration::from_millis), "{text}");
    }
    for text in ["30s", "500ms", "90m", "7d", "20h"] {
        let value = units::duration(text).expect("a duration");
        assert_eq!(units::duration_text(value), text);
    }
}

#[test]
fn sizes_have_units() {
    let cases = [
        ("64MiB", Some(64 << 20)),
        ("1KB", Some(1000)),
        ("0B", Some(0)),
        ("5 GiB", Some(5 << 30)),
        ("64", None),
        ("64mb", None),
        ("MiB", None),
        ("99999999999GiB", None),
    ];
    for (text, bytes) in cases {
        assert_eq!(units::size(text).ok(), bytes, "{text}");
    }
    assert_eq!(units::size_text(64 << 20), "64MiB");
    assert_eq!(units::size_text(1001), "1001B");
}

#[test]
fn host_patterns_cover_exactly_one_label() {
    let covers =
        |pattern: &str, scheme: &str, host: &str, port: u16| HostPattern::parse(pattern).expect("a pattern").matches(scheme, host, port);
    assert!(covers("https://*.example.com", "https", "a.example.com", 443));
    assert!(!covers("https://*.example.com", "https", "example.com", 443));
    assert!(!covers("https://*.example.com", "https", "a.b.example.com", 443));
    assert!(!covers("https://*.example.com", "https", "aexample.com", 443));
    assert!(!covers("https://*.example.com", "https", ".example.com", 443));
    assert!(!covers("https://example.com", "http", "example.com", 443));
    assert!(!covers("https://example.com", "https", "example.com", 8443));
    assert!(covers("http://[::1]:8080", "http", "::1", 8080));
    for (text, shown) in [
        ("https://EXAMPLE.com:443/", Some("https://example.com")),
        ("https://*.Example.com:8443", Some("https://*.example.com:8443")),
        ("http://[::1]:8080", Some("http://[::1]:8080")),
        ("example.com", None),
        ("https://", None),
        ("https://*", None),
        ("https://*.com", None),
        ("https://a.*.com", None),
        ("https://*.*.com", None),
        ("https://*.10.0.0.1", None),
        ("https://example.com/path", None),
        ("https://user@example.com", None),
        ("ftp://example.com", None),
    ] {
        assert_eq!(HostPattern::parse(text).ok().map(|pattern| pattern.to_string()).as_deref(), shown, "{text}");
    }
}

#[test]
fn a_destination_is_an_origin_and_perhaps_a_method_and_a_path() {
    for (text, shown) in [
        ("https://EXAMPLE.com:443", Some("https://example.com")),
        ("https://example.com/", Some("https://example.com")),
        ("GET https://example.com/", Some("GET https://example.com")),
        ("https://example.com/crm/**", Some("https://example.com/crm/**")),
        ("PATCH https://*.example.com:8443/v1/*/größe", Some("PATCH https://*.example.com:8443/v1/*/gr%C3%B6%C3%9Fe")),
        ("http://[::1]:8080/a%c3%a9/", Some("http://[::1]:8080/a%C3%A9/")),
        ("get https://example.com", None),
        ("GET POST https://example.com", None),
        ("GET example.com", None),
        ("GET /crm", None),
        ("https://example.com/a b", None),
        ("https://example.com/a?b", None),
        ("https://example.com?b", None),
        ("https://example.com/a#b", None),
        ("https://example.com/a*", None),
        ("https://example.com/**/a", None),
        ("https://example.com/../a", None),
        ("https://example.com/a%2f", None),
        ("https://example.com/%2e%2e", None),
        ("https://example.com/..;x", None),
        ("https://user@example.com/a", None),
    ] {
        assert_eq!(Destination::parse(text).ok().map(|destination| destination.to_string()).as_deref(), shown, "{text}");
    }
}

#[test]
fn request_patterns_match_whole_segments() {
    let matches = |pattern: &str, request: &str| {
        let (method, path) = request.split_once(' ').expect("method and path");
        RequestPattern::parse(pattern).expect("a pattern").matches(method, path)
    };
    assert!(matches("POST /crm/*/search", "POST /crm/v3/search"));
    assert!(!matches("POST /crm/*/search", "POST /crm/v3/x/search"));
    assert!(!matches("POST /crm/*/search", "POST /crm//search"));
    assert!(!matches("POST /crm/*/search", "POST /crm/../search"));
    assert!(!matches("POST /crm/*/search", "POST /crm/%2e%2E/search"));
    assert!(!matches("POST /crm/*/search", "POST /crm/a%2Fb/search"));
    assert!(!matches("POST /crm/*/search", "PUT /crm/v3/search"));
    assert!(!matches("POST /crm/*/search", "POST /crm/v3/search/all"));
    assert!(matches("POST /query/**", "POST /query/a/b"));
    assert!(!matches("POST /query/**", "POST /query/a/../b"));
    assert!(matches("POST /query/**", "POST /query") && matches("POST /query/**", "POST /query/a/"));
    assert!(!matches("POST /query/**", "POST /query//a") && !matches("POST /query/*", "POST /query/"));
    assert!(!matches("POST /query/*", "POST /query/..;x") && !matches("POST /query/*", "POST /query/%252e%252e"));
    for text in ["POST", "post /a", "POST a", "POST /a*", "POST /**/a", "POST /a?b"] {
        assert!(RequestPattern::parse(text).is_err(), "{text}");
    }
}

#[test]
fn references_are_read() {
    let base = Path::new("/b");
    let parsed = Reference::parse("a${env:X}${file:p}${secret:s}", base).expect("a reference");
    let parts = [
        ReferencePart::Text("a".into()),
        ReferencePart::Env("X".into()),
        ReferencePart::File("/b/p".into()),
        ReferencePart::Secret("s".into()),
    ];
    assert_eq!(parsed.parts, parts);
    assert!(!parsed.is_literal());
    assert!(Reference::parse("", base).expect("empty text").is_literal());
    let error = Reference::parse("ab${secrt:s}", base).expect_err("a misspelt kind");
    assert_eq!((error.range, error.help.as_deref()), (2..12, Some("did you mean `${secret:s}`?")));
    for text in ["${", "${env:", "${env:}", "${env}", "${x}", "${env: X}"] {
        assert!(Reference::parse(text, base).is_err(), "{text}");
    }
}

#[test]
fn near_names_are_near() {
    for (word, expected) in
        [("componnt", Some("component")), ("Digest", Some("digest")), ("x", None), ("hosts", None), ("digset", Some("digest"))]
    {
        assert_eq!(near(word, ["component", "digest", "config"]), expected, "{word}");
    }
}
