//! What counts as the local network of this machine, and which resolvers in it have to stay in reach: the engine's own one asks
//! them from within the container's network.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use crate::firewall::game_networks::{self, Subnet};

/// Networks that the internet does not lead to: private, shared (CGNAT), link-local, loopback, multicast and reserved ones.
const PRIVATE: [&str; 17] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b:1::/48",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];
/// Where resolvers are written. The engine reads the second one where the first names systemd-resolved.
const RESOLVERS: [&str; 2] = ["etc/resolv.conf", "run/systemd/resolve/resolv.conf"];
/// The engine's own settings, whose `dns` goes before both.
const ENGINE: &str = "etc/docker/daemon.json";
/// The most that is read of a file.
const BYTES: u64 = 64 * 1024;
/// The most of networks of this machine, and of resolvers, that become rules.
const MOST: usize = 32;
/// A wider route is no network of neighbours, whatever it says.
const WIDEST: (u8, u8) = (8, 16);

/// The local network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lan {
    subnets: Vec<Subnet>,
    resolvers: Vec<IpAddr>,
}

impl Lan {
    /// As it is now. Networks that this machine is in itself are local whatever their addresses are: with IPv6 every neighbour
    /// usually has a public one.
    pub(crate) fn read() -> Self {
        Self::below(Path::new("/"))
    }

    fn below(root: &Path) -> Self {
        let read = |name: &str| {
            let mut text = String::new();
            let file = File::open(root.join(name));
            // What can't be read says nothing.
            let _ = file.and_then(|file| file.take(BYTES).read_to_string(&mut text));
            text
        };
        let mut subnets: Vec<_> = PRIVATE.iter().filter_map(|text| Subnet::parse(text)).collect();
        let neighbours = game_networks::neighbours(&read("proc/net/route"), &read("proc/net/ipv6_route"));
        for found in neighbours {
            let widest = if found.is_ipv4() { WIDEST.0 } else { WIDEST.1 };
            let narrow = found.bits() >= widest;
            if narrow
                && subnets.len() < PRIVATE.len() + MOST
                && !subnets.iter().any(|known| known.covers(found))
            {
                subnets.push(found);
            }
        }
        let mut resolvers: Vec<IpAddr> = RESOLVERS.iter().flat_map(|name| named(&read(name))).collect();
        resolvers.extend(of_engine(&read(ENGINE)));
        resolvers.retain(|address| !address.is_loopback() && !address.is_unspecified());
        resolvers.sort_unstable();
        resolvers.dedup();
        resolvers.truncate(MOST);
        Self { subnets, resolvers }
    }

    pub(super) fn subnets(&self) -> &[Subnet] {
        &self.subnets
    }

    pub(super) fn resolvers(&self) -> &[IpAddr] {
        &self.resolvers
    }
}

/// The `nameserver` lines of a `resolv.conf`.
fn named(text: &str) -> Vec<IpAddr> {
    let words = text.lines().map(|line| line.split_whitespace());
    words
        .filter_map(|mut words| (words.next()? == "nameserver").then(|| words.next()).flatten())
        // An interface may follow a link-local address.
        .filter_map(|address| address.split('%').next()?.parse().ok())
        .collect()
}

fn of_engine(text: &str) -> Vec<IpAddr> {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let list = value.get("dns").and_then(|dns| dns.as_array()).cloned().unwrap_or_default();
    list.iter().filter_map(|address| address.as_str()?.parse().ok()).collect()
}

#[cfg(test)]
impl Lan {
    pub(super) fn of(subnets: &[&str], resolvers: &[&str]) -> Self {
        Self {
            subnets: subnets.iter().map(|text| Subnet::parse(text).unwrap()).collect(),
            resolvers: resolvers.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_local_whatever_their_addresses_are() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let hex = |text: &str| {
            let address: std::net::Ipv4Addr = text.parse().unwrap();
            format!("{:08X}", u32::from_ne_bytes(address.octets()))
        };
        let line = |to: &str, by: &str, mask: &str| {
            format!("eth0\t{}\t{}\t0001\t0\t0\t0\t{}\t0\t0\t0\n", hex(to), hex(by), hex(mask))
        };
        let routes = [
            line("0.0.0.0", "192.168.1.1", "0.0.0.0"),
            line("192.168.1.0", "0.0.0.0", "255.255.255.0"),
            line("203.0.113.0", "0.0.0.0", "255.255.255.0"),
            // Somewhere else, by a router.
            line("198.51.100.0", "192.168.1.1", "255.255.255.0"),
            // A tunnel that takes half of the internet.
            line("128.0.0.0", "0.0.0.0", "128.0.0.0"),
        ];
        write("proc/net/route", &routes.concat());
        let nobody = "0".repeat(32);
        let v6 = format!(
            "20010db8000000010000000000000000 40 {nobody} 00 {nobody} 00000100 1 0 00000001 eth0\n\
             20010db8000000010000000000000007 80 {nobody} 00 {nobody} 00000000 1 0 80200001 eth0\n\
             {nobody} 00 {nobody} 00 fe800000000000000000000000000001 00000400 1 0 00000003 eth0\n"
        );
        write("proc/net/ipv6_route", &v6);
        write("etc/resolv.conf", "# x\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\noptions edns0\n");
        write("run/systemd/resolve/resolv.conf", "nameserver 192.168.1.1\nnameserver 9.9.9.9\n");
        write("etc/docker/daemon.json", r#"{"dns": ["10.0.0.2", 7]}"#);
        let lan = Lan::below(root.path());
        let local: Vec<_> = lan.subnets().iter().skip(PRIVATE.len()).map(ToString::to_string).collect();
        assert_eq!(local, ["203.0.113.0/24", "2001:db8:0:1::/64"]);
        let resolvers: Vec<_> = lan.resolvers().iter().map(ToString::to_string).collect();
        assert_eq!(resolvers, ["9.9.9.9", "10.0.0.2", "192.168.1.1", "fe80::1"]);
        let nowhere = Lan::below(&root.path().join("nowhere"));
        assert_eq!((nowhere.subnets().len(), nowhere.resolvers().len()), (PRIVATE.len(), 0));
    }
}
