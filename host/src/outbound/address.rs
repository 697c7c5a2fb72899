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

    /// Those addresses of a name that may be dialled.
    ///
    /// A name that leads to public addresses and to private ones that nobody named is refused whole: that is how names look that are
    /// bound anew to get behind a firewall, and no public system has need of it. Beside private addresses that were named, those that were not are
    /// only left out: `localhost` has two where often one was named.
    ///
    /// # Errors
    /// [`Blocked`], for the first address that stands against it.
    pub fn choose<T>(&self, found: Vec<T>, address: impl Fn(&T) -> IpAddr) -> Result<Vec<T>, Blocked> {
        let mut blocked = None;
        let mut chosen = Vec::with_capacity(found.len());
        for one in found {
            match self.check(address(&one)) {
                Ok(()) => chosen.push(one),
                Err(error) => blocked = blocked.or(Some(error)),
            }
        }
        let is_public = |one: &T| special(embedded(address(one))).is_none();
        match blocked {
            Some(error) if chosen.is_empty() || chosen.iter().any(is_public) => Err(error),
            _ => Ok(chosen),
        }
    }
}

/// The IPv4 address that an IPv6 address is another spelling of: mapped and compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052).
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
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
    Some(match address.octets() {
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [169, 254, ..] => "a link-local address, where clouds serve machine credentials",
        // Public by number, yet every virtual machine of one cloud reaches its own machine's agent there.
        [168, 63, 129, 16] => "the address at which Azure serves machine credentials",
        [100, 64..=127, ..] => "an address shared by a carrier",
        [0, ..] => "an address of this network",
        [192, 88, 99, _] => "a tunnel address",
        [192, 0, 0 | 2, _] | [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => "a reserved address",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

/// Of IPv6 only 2000::/3 has ever been given out as public: what is not in it is special, whether or not it has a name here.
fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [0, 0, 0, 0, 0, 0, 0, 0] => "an address of this network",
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfec0..=0xfeff, ..] => "a site-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        // Teredo, 6to4, ISATAP within any prefix: where they end is written in the address, by whoever made it.
        [0x2001, 0, ..] | [0x2002, ..] | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => "a tunnel address",
        // Protocol assignments, among them benchmarks and ORCHID; documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "a reserved address",
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    })
}
