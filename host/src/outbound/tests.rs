use std::net::IpAddr;

use super::address::AddressGuard;

#[test]
fn private_addresses_in_every_spelling_are_blocked() {
    let guard = AddressGuard::default();
    for blocked in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::7f00:1",
        "ff02::1",
        "198.18.0.1",
    ] {
        let address: IpAddr = blocked.parse().expect("a test address");
        assert!(guard.check(address).is_err(), "{blocked} went through");
    }
    for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
        let address: IpAddr = public.parse().expect("a test address");
        assert!(guard.check(address).is_ok(), "{public} was blocked");
    }
}

#[test]
fn a_named_block_opens_only_itself() {
    let guard = AddressGuard::new(vec!["10.0.0.0/8".parse().expect("a block")]);
    assert!(guard.check("10.9.8.7".parse().expect("an address")).is_ok());
    assert!(guard.check("::ffff:10.9.8.7".parse().expect("an address")).is_ok());
    assert!(guard.check("127.0.0.1".parse().expect("an address")).is_err());
    assert!(guard.check("169.254.169.254".parse().expect("an address")).is_err());
}
