//! Which addresses a link from a user may lead to: public ones, and those allowed by the settings. The resolved address
//! is checked rather than the name, so that a foreign name cannot lead into the local network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Networks;

/// Whether connections to this address are allowed.
pub(super) fn allowed(address: IpAddr, allow: &Networks) -> bool {
    let meant = meant(address);
    allow.contain(address) || allow.contain(meant) || public(meant)
}

/// The IPv4 address embedded in an IPv6 address: mapped, NAT64 or 6to4.
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address.to_canonical() else { return address.to_canonical() };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let [one, two] = high.to_be_bytes();
        let [three, four] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(one, two, three, four))
    };
    match (a, b, c, d, e, f) {
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0x2002, high, low, ..) => v4(high, low),
        _ => IpAddr::V6(v6),
    }
}

fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => public_v4(v4),
        IpAddr::V6(v6) => public_v6(v6),
    }
}

fn public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, private, loopback, multicast and reserved.
        (0 | 10 | 127 | 224..=255, ..) => true,
        // Carrier-grade NAT, link-local with cloud metadata services, private.
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18..=19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !special
}

/// Whether the address is global unicast and not in a special-purpose block.
fn public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = a & 0xe000 == 0x2000;
    // 2001::/23 is for protocols (Teredo among them), 2001:db8::/32 and 3fff::/20 for documentation.
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || (a == 0x3fff && b < 0x1000);
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_dialled() {
        let dialled = |text: &str| allowed(text.parse().unwrap(), &Networks::default());
        for public in [
            "1.1.1.1",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "2606:4700::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(dialled(public), "{public}");
        }
        for refused in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.5",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:192.168.1.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::1",
            "2001::1",
            "2001:db8::1",
            "100::1",
            "fd00:ec2::254",
        ] {
            assert!(!dialled(refused), "{refused}");
        }
    }

    #[test]
    fn an_administrator_allows_networks() {
        let allow = Networks::parse("127.0.0.1, 192.168.0.0/16 fd00::/8").unwrap();
        let dialled = |text: &str| allowed(text.parse().unwrap(), &allow);
        for allowed in
            ["127.0.0.1", "192.168.7.7", "fd00::9", "::ffff:127.0.0.1", "64:ff9b::192.168.0.9", "1.1.1.1"]
        {
            assert!(dialled(allowed), "{allowed}");
        }
        for refused in ["127.0.0.2", "10.0.0.1", "::1", "fe80::1"] {
            assert!(!dialled(refused), "{refused}");
        }
    }
}
