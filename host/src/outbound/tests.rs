use std::net::IpAddr;

use url::Url;

use super::address::AddressGuard;
use super::policy::Policy;
use super::request::{HttpError, Prepared, Request};
use crate::config::{Destination, Grants};

/// First and last address of every block of the IANA special-purpose registries (RFC 6890, as of 2026) that is not globally reachable, of
/// multicast, and of what else leads inside. Blocks that are globally reachable and serve nothing over HTTP are among them.
const SPECIAL: &[(&str, &str, &str)] = &[
    ("this network (RFC 791)", "0.0.0.0", "0.255.255.255"),
    ("private use (RFC 1918)", "10.0.0.0", "10.255.255.255"),
    ("shared by carriers (RFC 6598)", "100.64.0.0", "100.127.255.255"),
    ("Alibaba's metadata", "100.100.100.200", "100.100.100.200"),
    ("loopback (RFC 1122)", "127.0.0.0", "127.255.255.255"),
    ("Azure's WireServer", "168.63.129.16", "168.63.129.16"),
    ("link-local (RFC 3927)", "169.254.0.0", "169.254.255.255"),
    ("metadata of AWS, Google, Azure", "169.254.169.254", "169.254.169.254"),
    ("credentials of ECS tasks", "169.254.170.2", "169.254.170.2"),
    ("private use (RFC 1918)", "172.16.0.0", "172.31.255.255"),
    ("protocol assignments (RFC 6890)", "192.0.0.0", "192.0.0.255"),
    ("Oracle's metadata", "192.0.0.192", "192.0.0.192"),
    ("documentation (RFC 5737)", "192.0.2.0", "192.0.2.255"),
    ("6to4 relays (RFC 7526)", "192.88.99.0", "192.88.99.255"),
    ("private use (RFC 1918)", "192.168.0.0", "192.168.255.255"),
    ("benchmarks (RFC 2544)", "198.18.0.0", "198.19.255.255"),
    ("documentation (RFC 5737)", "198.51.100.0", "198.51.100.255"),
    ("documentation (RFC 5737)", "203.0.113.0", "203.0.113.255"),
    ("multicast (RFC 5771)", "224.0.0.0", "239.255.255.255"),
    ("reserved, broadcast (RFC 1112)", "240.0.0.0", "255.255.255.255"),
    ("unspecified (RFC 4291)", "::", "::"),
    ("loopback (RFC 4291)", "::1", "::1"),
    ("compatible, of loopback", "::7f00:0", "::7fff:ffff"),
    ("compatible, of private use", "::a00:0", "::aff:ffff"),
    ("mapped, of loopback", "::ffff:127.0.0.0", "::ffff:127.255.255.255"),
    ("mapped, of private use", "::ffff:10.0.0.0", "::ffff:192.168.255.255"),
    ("mapped, of metadata", "::ffff:169.254.169.254", "::ffff:169.254.169.254"),
    ("translated (RFC 2765), of loopback", "::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1"),
    ("NAT64 (RFC 6052), of loopback", "64:ff9b::7f00:1", "64:ff9b::7fff:ffff"),
    ("NAT64, of private use", "64:ff9b::a00:0", "64:ff9b::aff:ffff"),
    ("NAT64, of metadata", "64:ff9b::a9fe:a9fe", "64:ff9b::a9fe:a9fe"),
    ("NAT64 of local use (RFC 8215)", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("discard (RFC 6666)", "100::", "100::ffff:ffff:ffff:ffff"),
    ("dummy prefix (RFC 9780)", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"),
    ("Teredo (RFC 4380)", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("protocol assignments (RFC 2928)", "2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("benchmarks (RFC 5180)", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
    ("ORCHID (RFC 7343)", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("documentation (RFC 3849)", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("6to4 (RFC 3056), of loopback", "2002:7f00:1::", "2002:7fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("6to4, of private use", "2002:a00::", "2002:c0a8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("ISATAP (RFC 5214), of private use", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:192.168.0.1"),
    ("documentation (RFC 9637)", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("never given out", "4000::", "4fff:ffff::"),
    ("segment routing (RFC 9602)", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("unique local (RFC 4193)", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("metadata of AWS", "fd00:ec2::254", "fd00:ec2::254"),
    ("metadata of Google", "fd20:ce::254", "fd20:ce::254"),
    ("link-local (RFC 4291)", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("site-local (RFC 3879)", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("multicast (RFC 4291)", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// The neighbours of those blocks, and addresses that everybody knows.
const PUBLIC: &[&str] = &[
    "1.0.0.0",
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "203.0.114.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2001:200::",
    "2001:4860:4860::8888",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2003::",
    "2606:4700::1111",
    "2606:4700::100:5efe:0:1",
    "3ffe:ffff::",
    "3fff:1000::",
];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is an address"))
}

#[test]
fn special_addresses_in_every_spelling_are_blocked() {
    let guard = AddressGuard::default();
    for (what, first, last) in SPECIAL {
        for text in [first, last] {
            assert!(guard.check(address(text)).is_err(), "{text} went through: {what}");
        }
    }
    for text in PUBLIC {
        assert!(guard.check(address(text)).is_ok(), "{text} was blocked");
    }
}

#[test]
fn a_named_block_opens_only_itself() {
    let guard = AddressGuard::new(vec!["10.0.0.0/8".parse().expect("a block"), "fd00:1::/32".parse().expect("a block")]);
    for text in ["10.9.8.7", "::ffff:10.9.8.7", "fd00:1::1"] {
        assert!(guard.check(address(text)).is_ok(), "{text}");
    }
    // Where a tunnel ends is not what was named.
    for text in ["127.0.0.1", "169.254.169.254", "2002:a09:807::", "2606:4700::5efe:10.9.8.7", "fd00:2::1", "fd00:ec2::254"] {
        assert!(guard.check(address(text)).is_err(), "{text}");
    }
}

#[test]
fn a_name_with_public_and_private_addresses_is_refused_whole() {
    let guard = AddressGuard::new(vec!["127.0.0.0/8".parse().expect("a block")]);
    let choose = |texts: &[&str]| {
        let found: Vec<IpAddr> = texts.iter().map(|text| address(text)).collect();
        guard.choose(found, |address| *address).map(|chosen| chosen.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let blocked = |texts: &[&str]| choose(texts).expect_err("blocked").address.to_string();
    assert_eq!(choose(&["8.8.8.8", "2606:4700::1111"]).expect("public"), ["8.8.8.8", "2606:4700::1111"]);
    assert_eq!(blocked(&["8.8.8.8", "10.0.0.1"]), "10.0.0.1");
    assert_eq!(blocked(&["10.0.0.1", "8.8.8.8", "192.168.0.1"]), "10.0.0.1");
    assert_eq!(blocked(&["10.0.0.1"]), "10.0.0.1");
    // `localhost`, of which the administrator named one half.
    assert_eq!(choose(&["::1", "127.0.0.1"]).expect("the named half"), ["127.0.0.1"]);
    assert_eq!(choose(&["127.0.0.1", "8.8.8.8"]).expect("named and public"), ["127.0.0.1", "8.8.8.8"]);
    assert_eq!(choose(&[]).expect("nothing is not private"), Vec::<String>::new());
}

fn judged(allow: &[&str], method: &str, url: &str) -> Result<(), HttpError> {
    let grants = Grants {
        hosts: allow.iter().map(|text| Destination::parse(text).unwrap_or_else(|error| panic!("{error}"))).collect(),
        authorities: Vec::new(),
        certificate: None,
        private_addresses: Vec::new(),
        credentials: Vec::new(),
        emits: Vec::new(),
        declines: Vec::new(),
        read_only: Vec::new(),
    };
    let prepared = Prepared::new(&Request { method: method.to_owned(), url: url.to_owned(), ..Request::default() })?;
    Policy::new(&grants, AddressGuard::default()).check(&prepared.method, &prepared.url)
}

#[test]
fn hosts_are_granted_in_every_spelling_of_the_same_and_in_no_other() {
    const ALLOW: &[&str] = &["https://api.example.com", "https://bücher.example", "https://*.crm.example:8443", "http://8.8.8.8"];
    for url in [
        "https://api.example.com/any/../thing?q=1#f",
        "HTTPS://API.Example.COM:443/",
        "https://api.example.com./",
        "https://%61pi.example.com/",
        "https://ａｐｉ.example.com/",
        "https://xn--bcher-kva.example/",
        "https://BÜCHER.example/",
        "https://eu.crm.example:8443/x",
        "http://8.8.8.8/",
        "http://0x8.0x8.0x8.0x8/",
        "http://134744072/",
        "http://8.8.2056/",
    ] {
        assert!(judged(ALLOW, "GET", url).is_ok(), "{url}: {:?}", judged(ALLOW, "GET", url));
    }
    for url in [
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.example/",
        "https://evil.example/https://api.example.com/",
        "https://evil.example?https://api.example.com/",
        "https://evil.example#@api.example.com/",
        "https://api.example.com@evil.example/",
        "https://api.example.com:443@evil.example/",
        "https://evil.example\\@api.example.com/",
        "https://evil.example\\.api.example.com/",
        "https:\\\\evil.example/",
        "https://xapi.example.com/",
        "https://api.example.co/",
        "https://api.example.com%2eevil.example/",
        "https://api.example.com%00.evil.example/",
        "https://аpi.example.com/", // the first letter is Cyrillic
        "https://crm.example:8443/",
        "https://a.b.crm.example:8443/",
        "https://.crm.example:8443/",
        "http://127.0.0.1/",
        "http://8.8.8.8:81/",
        "//api.example.com/",
        "api.example.com",
        "ftp://api.example.com/",
        "javascript:fetch('https://api.example.com/')",
        "",
    ] {
        assert!(judged(ALLOW, "GET", url).is_err(), "{url} was let through");
    }
}

#[test]
fn addresses_in_every_spelling_are_checked_though_granted() {
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://%31%32%37.0.0.1/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://169.254.169.254/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://0/",
        "http://[::]/",
    ] {
        let host = Url::parse(url).expect("a URL").host_str().expect("a host").to_owned();
        match judged(&[&format!("http://{host}")], "GET", url) {
            Err(HttpError::Denied(why)) => assert!(why.contains("allow-private-addresses"), "{url}: {why}"),
            other => panic!("{url} was not stopped by its address: {other:?}"),
        }
    }
}

#[test]
fn a_grant_of_a_method_or_a_path_covers_no_other() {
    const ALLOW: &[&str] =
        &["GET https://api.example.com/crm/**", "POST https://api.example.com/crm/*/search", "DELETE https://other.example"];
    for (method, url) in [
        ("GET", "https://api.example.com/crm"),
        ("GET", "https://api.example.com/crm/"),
        ("GET", "https://api.example.com/crm/a/b/?q=../../admin"),
        ("GET", "https://api.example.com/crm/v1;page=2/a%20b/100%25/caf%C3%A9"),
        ("GET", "https://api.example.com/admin/../crm/a"),
        ("GET", "https://api.example.com/%2e%2E/crm/a"),
        ("POST", "https://api.example.com/crm/contacts/search?limit=1"),
        ("DELETE", "https://other.example/any/thing"),
    ] {
        assert!(judged(ALLOW, method, url).is_ok(), "{method} {url}: {:?}", judged(ALLOW, method, url));
    }
    for (method, url) in [
        ("get", "https://api.example.com/crm/a"),
        ("HEAD", "https://api.example.com/crm/a"),
        ("POST", "https://api.example.com/crm/a"),
        ("POST", "https://api.example.com/crm/a/b/search"),
        ("GET", "https://other.example/any/thing"),
        ("GET", "https://api.example.com/"),
        ("GET", "https://api.example.com/admin"),
        ("GET", "https://api.example.com/CRM/a"),
        ("GET", "https://api.example.com/crmx/a"),
        ("GET", "https://api.example.com/%63rm/a"),
        ("GET", "https://api.example.com//crm/a"),
        ("GET", "https://api.example.com/crm//a"),
        ("GET", "https://api.example.com/crm/../admin"),
        ("GET", "https://api.example.com/crm/%2e%2e/admin"),
        ("GET", "https://api.example.com/crm/.%2E/admin"),
        ("GET", "https://api.example.com/crm/..%2fadmin"),
        ("GET", "https://api.example.com/crm/..%2Fadmin"),
        ("GET", "https://api.example.com/crm/..%5cadmin"),
        ("GET", "https://api.example.com/crm/..%5Cadmin"),
        ("GET", "https://api.example.com/crm/..\\admin"),
        ("GET", "https://api.example.com/crm/a%2f..%2f..%2fadmin"),
        ("GET", "https://api.example.com/crm/..;/admin"),
        ("GET", "https://api.example.com/crm/..;a=b/admin"),
        ("GET", "https://api.example.com/crm/%2e%2e;/admin"),
        ("GET", "https://api.example.com/crm/..%3b/admin"),
        ("GET", "https://api.example.com/crm/;/admin"),
        ("GET", "https://api.example.com/crm/%252e%252e/admin"),
        ("GET", "https://api.example.com/crm/%252e%252e%252fadmin"),
        ("GET", "https://api.example.com/crm/%25252e%25252e/admin"),
        ("GET", "https://api.example.com/crm/..%20/admin"),
        ("GET", "https://api.example.com/crm/.../admin"),
        ("GET", "https://api.example.com/crm/..%00/admin"),
        ("GET", "https://api.example.com/crm/a%0d%0aX:%20y"),
        ("GET", "https://api.example.com/crm/..%c0%afadmin"),
        ("GET", "https://api.example.com/crm\\..\\admin"),
        ("GET", "https://api.example.com/crm/\t../admin"),
    ] {
        match judged(ALLOW, method, url) {
            Err(HttpError::Denied(why)) => assert!(why.contains("allow-hosts"), "{method} {url}: {why}"),
            Err(HttpError::InvalidRequest(_)) => {}
            other => panic!("{method} {url} was let through: {other:?}"),
        }
    }
}

#[test]
fn what_parsers_read_differently_is_refused() {
    let prepare = |method: &str, url: &str, name: &str, value: &[u8]| {
        let headers = vec![(name.to_owned(), value.to_vec())];
        Prepared::new(&Request { method: method.to_owned(), url: url.to_owned(), headers, ..Request::default() }).map(drop)
    };
    let fine = "https://a.example/x?q=a\\b";
    assert_eq!(prepare("GET", fine, "x-a", b"b \xff\t c"), Ok(()));
    for url in
        ["https://a.example/\r\nX: y", "https://a.example/a\tb", "https://a.exa\nmple/", "\u{1}https://a.example/", "https://a.example/\0"]
    {
        assert!(matches!(prepare("GET", url, "x-a", b""), Err(HttpError::InvalidRequest(_))), "{url:?}");
    }
    for method in ["", "G ET", "GET\r\n", "GET /x HTTP/1.1\r\nX:", "GÉT", "GET\0", &"A".repeat(33)] {
        assert!(matches!(prepare(method, fine, "x-a", b""), Err(HttpError::InvalidRequest(_))), "{method:?}");
    }
    for name in ["", "x a", "x:a", "x\r\na", "x\0", "é", "x-a\n"] {
        assert!(matches!(prepare("GET", fine, name, b""), Err(HttpError::InvalidRequest(_))), "{name:?}");
    }
    for value in [&b"a\r\nx-b: c"[..], b"a\nb", b"a\rb", b"a\0b", b"\x7f", b"\x1b[31m"] {
        assert!(matches!(prepare("GET", fine, "x-a", value), Err(HttpError::InvalidRequest(_))), "{value:?}");
    }
    for name in [
        "Host",
        "CONTENT-LENGTH",
        "Content_Length",
        "transfer_encoding",
        "Forwarded",
        "X-Forwarded-For",
        "x_forwarded_host",
        "X-Real-IP",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "Sangam-Effect",
        "Proxy-Authorization",
        "HTTP2-Settings",
    ] {
        match prepare("GET", fine, name, b"1") {
            Err(HttpError::Denied(why)) => assert!(why.contains("set by the host"), "{why}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}
