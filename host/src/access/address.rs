//! The address that a request comes from, behind proxies too.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header};
use ipnet::IpNet;

use crate::config::{Connections, ForwardedHeader};

/// Entries of one header that are looked at: more proxies than that are nobody's.
const MOST_HOPS: usize = 32;

/// The client's address: that of the connection, or, where that is a trusted proxy's, the last one in its header that no trusted proxy has.
/// What stands before it was written by the client, and may be anything.
pub fn client_address(connection: IpAddr, headers: &HeaderMap, options: &Connections) -> IpAddr {
    let connection = connection.to_canonical();
    if !is_trusted(connection, &options.trusted_proxies) {
        return connection;
    }
    let hops = match options.forwarded_header {
        ForwardedHeader::XForwardedFor => hops(headers, "x-forwarded-for", |text| address(text.trim())),
        ForwardedHeader::Forwarded => hops(headers, header::FORWARDED.as_str(), forwarded_for),
    };
    let mut client = connection;
    for hop in hops.into_iter().rev() {
        // One that is no address (`unknown`, a name) hides what is before it: the proxy that wrote it is the last that is known.
        let Some(hop) = hop else { break };
        client = hop;
        if !is_trusted(hop, &options.trusted_proxies) {
            break;
        }
    }
    client
}

fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|block| block.contains(&address))
}

/// The last entries of a header that may be there several times, in order.
fn hops(headers: &HeaderMap, name: &str, read: impl Fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let mut hops = Vec::new();
    for value in headers.get_all(name) {
        match value.to_str() {
            Ok(text) => hops.extend(text.split(',').map(&read)),
            Err(_) => hops.push(None),
        }
    }
    let skipped = hops.len().saturating_sub(MOST_HOPS);
    hops.split_off(skipped)
}

/// The `for` of one element of `Forwarded` (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pair = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })?;
    address(pair.trim_matches('"'))
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    plain.or_else(bracketed).or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn from(connection: &str, header: ForwardedHeader, headers: &[(&'static str, &str)]) -> String {
        let trusted = ["10.0.0.0/24", "fd00::/64"].map(|block| block.parse().expect("a block")).to_vec();
        let options = Connections { trusted_proxies: trusted, forwarded_header: header, ..Connections::default() };
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value")))
            .collect();
        client_address(connection.parse().expect("an address"), &headers, &options).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_who_it_speaks_for() {
        let x = |connection, value| from(connection, ForwardedHeader::XForwardedFor, &[("x-forwarded-for", value)]);
        assert_eq!(x("192.0.2.9", "198.51.100.1"), "192.0.2.9", "not a proxy");
        assert_eq!(x("10.0.0.5", "198.51.100.1"), "198.51.100.1");
        assert_eq!(x("10.0.0.5", "1.2.3.4, 198.51.100.1"), "198.51.100.1", "what the client wrote itself");
        assert_eq!(x("10.0.0.5", "1.2.3.4, 198.51.100.1, 10.0.0.7"), "198.51.100.1", "through two proxies");
        assert_eq!(x("10.0.0.5", "10.0.0.7, 10.0.0.8"), "10.0.0.7", "a proxy asks for itself");
        assert_eq!(x("10.0.0.5", "198.51.100.1, unknown"), "10.0.0.5");
        assert_eq!(x("10.0.0.5", "198.51.100.1, unknown, 10.0.0.9"), "10.0.0.9");
        assert_eq!(x("10.0.0.5", ""), "10.0.0.5");
        assert_eq!(x("::ffff:10.0.0.5", "::ffff:198.51.100.1"), "198.51.100.1", "IPv4 in IPv6 form");
        assert_eq!(x("fd00::1", "2001:db8::1"), "2001:db8::1");
        assert_eq!(from("10.0.0.5", ForwardedHeader::XForwardedFor, &[]), "10.0.0.5");
        assert_eq!(x("10.0.0.5", &format!("1.1.1.1{}", ", 10.0.0.6".repeat(5000))), "10.0.0.6", "bounded");
    }

    #[test]
    fn headers_that_are_there_twice_are_one_list_and_the_other_kind_is_not_read() {
        let twice = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(from("10.0.0.5", ForwardedHeader::XForwardedFor, &twice), "198.51.100.1");
        let both = [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(from("10.0.0.5", ForwardedHeader::XForwardedFor, &both), "1.2.3.4");
        assert_eq!(from("10.0.0.5", ForwardedHeader::Forwarded, &both), "198.51.100.1");
    }

    #[test]
    fn forwarded_is_read_as_its_specification_writes_it() {
        let forwarded = |value| from("10.0.0.5", ForwardedHeader::Forwarded, &[("forwarded", value)]);
        assert_eq!(forwarded("proto=https;For=\"[2001:db8::17]:4711\";by=10.0.0.5"), "2001:db8::17");
        assert_eq!(forwarded("for=1.2.3.4, for=\"198.51.100.1:80\""), "198.51.100.1");
        assert_eq!(forwarded("for=198.51.100.1, for=_hidden"), "10.0.0.5");
    }
}
