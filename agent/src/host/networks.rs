//! The machine's own addresses, for the address that players copy.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::sources::Sources;

/// Prefixes of interfaces created by container engines and virtual machines.
const VIRTUAL: [&str; 12] = [
    "docker", "veth", "br-", "virbr", "podman", "cni", "flannel", "cali", "lxcbr", "lxdbr", "vmnet", "dummy",
];

/// Interface name to address (IPv4 if it has one), and under `default` the address of the one with the default route.
/// Without loopback and interfaces of container engines.
pub(super) fn networks(sources: &Sources) -> BTreeMap<String, String> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten().filter_map(|interface| {
        let address = interface.address?;
        let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (_, Some(v6)) => IpAddr::V6(v6.ip()),
            _ => return None,
        };
        Some((interface.interface_name, ip))
    });
    choose(all, default_interface(sources).as_deref(), |name| {
        sources.sys.join("class/net").join(name).join("bridge").exists()
    })
}

fn choose(
    all: impl Iterator<Item = (String, IpAddr)>,
    default: Option<&str>,
    is_bridge: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    let mut chosen: BTreeMap<String, IpAddr> = BTreeMap::new();
    for (name, ip) in all {
        // A bridge with the default route is the machine's own network, whatever its name.
        let own = default == Some(name.as_str());
        let made = VIRTUAL.iter().any(|prefix| name.starts_with(prefix)) || is_bridge(&name);
        if !reachable(ip) || (made && !own) {
            continue;
        }
        match chosen.get(&name) {
            Some(IpAddr::V4(_)) => {}
            Some(IpAddr::V6(_)) if ip.is_ipv6() => {}
            _ => {
                chosen.insert(name, ip);
            }
        }
    }
    let default = default.and_then(|name| chosen.get(name)).copied();
    let mut named: BTreeMap<String, String> =
        chosen.into_iter().map(|(name, ip)| (name, ip.to_string())).collect();
    if let Some(ip) = default {
        named.insert("default".into(), ip.to_string());
    }
    named
}

fn reachable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_loopback() && !link_local(ip) && !ip.is_unspecified(),
    }
}

fn link_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xFFC0 == 0xFE80
}

/// The interface of the default route with the lowest metric.
fn default_interface(sources: &Sources) -> Option<String> {
    let v4 = sources.proc("net/route");
    let v4 = v4.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [name, destination, _, flags, _, _, metric, mask, ..] = fields.as_slice() else { return None };
        let up = u32::from_str_radix(flags, 16).ok()? & 1 == 1;
        (up && *destination == "00000000" && *mask == "00000000")
            .then(|| Some((metric.parse::<u32>().ok()?, *name)))?
    });
    if let Some((_, name)) = v4.min() {
        return Some(name.to_owned());
    }
    let v6 = sources.proc("net/ipv6_route");
    let v6 = v6.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [destination, "00", _, _, _, metric, _, _, flags, name] = fields.as_slice() else { return None };
        let up = u32::from_str_radix(flags, 16).ok()? & 1 == 1;
        let default = up && *name != "lo" && destination.bytes().all(|b| b == b'0');
        default.then(|| Some((u32::from_str_radix(metric, 16).ok()?, *name)))?
    });
    v6.min().map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(all: &[(&str, &str)], default: Option<&str>, bridges: &[&str]) -> BTreeMap<String, String> {
        let all = all.iter().map(|(name, ip)| ((*name).to_owned(), ip.parse().unwrap()));
        choose(all, default, |name| bridges.contains(&name))
    }

    fn map(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, ip)| ((*name).to_owned(), (*ip).to_owned())).collect()
    }

    #[test]
    fn only_addresses_that_others_reach() {
        let all = [
            ("lo", "127.0.0.1"),
            ("eth0", "fe80::1"),
            ("eth0", "fd00::2"),
            ("eth0", "192.168.1.20"),
            ("wlan0", "169.254.3.4"),
            ("docker0", "172.17.0.1"),
            ("br-0123456789ab", "172.18.0.1"),
            ("veth1234", "172.18.0.9"),
            ("tailscale0", "100.64.0.7"),
        ];
        assert_eq!(
            some(&all, Some("eth0"), &["docker0"]),
            map(&[("default", "192.168.1.20"), ("eth0", "192.168.1.20"), ("tailscale0", "100.64.0.7")])
        );
    }

    #[test]
    fn a_bridge_with_the_default_route_is_the_machines_own() {
        let all = [("br0", "10.0.0.5"), ("br1", "10.1.0.5")];
        assert_eq!(
            some(&all, Some("br0"), &["br0", "br1"]),
            map(&[("br0", "10.0.0.5"), ("default", "10.0.0.5")])
        );
    }

    #[test]
    fn v6_only_and_no_default_route() {
        assert_eq!(some(&[("eth0", "2001:db8::1")], None, &[]), map(&[("eth0", "2001:db8::1")]));
        assert_eq!(some(&[], Some("eth0"), &[]), BTreeMap::new());
    }

    #[test]
    fn the_default_route_with_the_lowest_metric() {
        let proc = tempfile::tempdir().unwrap();
        let sources = Sources { proc: proc.path().into(), ..Sources::default() };
        std::fs::create_dir(proc.path().join("net")).unwrap();
        assert_eq!(default_interface(&sources), None);

        let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth6\n\
                  00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
        std::fs::write(proc.path().join("net/ipv6_route"), v6).unwrap();
        assert_eq!(default_interface(&sources).as_deref(), Some("eth6"));

        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                  wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
                  eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                  eth1\t00000000\t0101A8C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n\
                  tun0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n";
        std::fs::write(proc.path().join("net/route"), v4).unwrap();
        assert_eq!(default_interface(&sources).as_deref(), Some("eth0"));
    }
}
