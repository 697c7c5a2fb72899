//! Which addresses a plugin's connection may be dialled to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Lets public addresses through, and the private ones that the administrator named.
#[derive(Debug, Clone, Default)]
pub struct AddressGuard {
    allowed: Vec<IpNet>,
}

/// An address that may not be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("address {address} is {what}; the administrator can name its block in allow-private-addresses of this plugin")]
pub struct Blocked {
    /// The address.
    pub address: IpAddr,
    /// What kind of address it is.
    pub what: &'static str,
}

impl AddressGuard {
    /// A guard that lets these blocks through besides public addresses.
    pub fn new(allowed: Vec<IpNet>) -> AddressGuard {
        AddressGuard { allowed }
    }

    /// Whether an address may be dialled.
    ///
    /// # Errors
    /// [`Blocked`], never worth a retry.
    pub fn check(&self, address: IpAddr) -> Result<(), Blocked> {
        let seen = embedded(address);
        let allowed = self.allowed.iter().any(|block| block.contains(&address) || block.contains(&seen));
        match special(seen) {
            Some(what) if !allowed => Err(Blocked { address, what }),
            _ => Ok(()),
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b) {
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => v4(g, h),
        (0x2002, _) => v4(b, c),
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0) && (g, h) != (0, 0) && (g, h) != (0, 1) => v4(g, h),
        _ => address,
    }
}

/// What makes an address not public (IANA special-purpose registries, RFC 6890), if anything does.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (127, ..) => "a loopback address",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (169, 254, _) => "a link-local address, where clouds serve machine credentials",
        (100, 64..=127, _) => "an address shared by a carrier",
        (0, ..) => "an address of this network",
        (192, 0, 0) | (192, 0, 2) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => "a reserved address",
        (224..=239, ..) => "a multicast address",
        (240..=255, ..) => "a reserved address",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [a, b, ..] = address.segments();
    Some(match (a, b) {
        _ if address.is_loopback() => "a loopback address",
        _ if address.is_unspecified() => "an address of this network",
        (0xfc00..=0xfdff, _) => "a private address",
        (0xfe80..=0xfebf, _) => "a link-local address",
        (0xfec0..=0xfeff, _) => "a site-local address",
        (0xff00..=0xffff, _) => "a multicast address",
        (0x2001, 0xdb8) | (0x100, 0) | (0x64, 0xff9b) => "a reserved address",
        (0x2001, 0) => "a tunnel address",
        _ => return None,
    })
}
