//! The networks that games are in, as peers of this machine's own ports: a game's connection comes from an address in them.
//!
//! They are learnt from the engine, and from the kernel's routes to the bridges of ours, which are there before the engine
//! answers and when a network was made anew.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the names of our bridges begin with.
pub(crate) const BRIDGES: &str = "ctrl-alt-play";
/// How long what the kernel said counts.
const FRESH: Duration = Duration::from_secs(2);
/// The most that is read of the kernel's routes.
const ROUTES: u64 = 1 << 20;

/// The kernel's marks of routes to this machine's own addresses, and of those that refuse.
const LOCAL: u32 = 0x8000_0000;
const REJECT: u32 = 0x0200;

/// An address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subnet {
    address: IpAddr,
    bits: u8,
}

impl Subnet {
    fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        // Everything is no network of games, whatever somebody says.
        (1..=most).contains(&bits).then_some(Self { address, bits })
    }

    /// `172.18.0.0/16`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        Self::new(address.parse().ok()?, bits.parse().ok()?)
    }

    pub(crate) fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    pub(crate) fn bits(self) -> u8 {
        self.bits
    }

    /// Whether all of another one is in it.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The networks that games are in, and what is known of the rules that keep games from others. Cheap to clone; all clones
/// learn together.
#[derive(Clone, Debug)]
pub struct GameNetworks(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    proc: PathBuf,
    sys: PathBuf,
    /// By the engine's name of the network.
    engine: BTreeMap<&'static str, Vec<Subnet>>,
    /// Why the firewall rules are not in place; nothing before the first try.
    rules: Option<Result<(), String>>,
    kernel: Vec<Subnet>,
    /// Indexes of the bridges: a link-local address of IPv6 tells by which interface it came.
    indexes: Vec<u32>,
    read_at: Option<Instant>,
}

impl Default for GameNetworks {
    fn default() -> Self {
        Self::with_sources("/proc".into(), "/sys".into())
    }
}

impl GameNetworks {
    fn with_sources(proc: PathBuf, sys: PathBuf) -> Self {
        let known = Known {
            proc,
            sys,
            engine: BTreeMap::new(),
            rules: None,
            kernel: Vec::new(),
            indexes: Vec::new(),
            read_at: None,
        };
        Self(Arc::new(Mutex::new(known)))
    }

    /// Whether a connection from there is one of a game.
    #[must_use]
    pub fn contain(&self, peer: SocketAddr) -> bool {
        let address = peer.ip().to_canonical();
        if address.is_loopback() {
            return false;
        }
        let mut known = self.lock();
        if known.read_at.is_none_or(|at| at.elapsed() >= FRESH) {
            known.read_kernel();
        }
        let link_local = matches!(peer, SocketAddr::V6(peer)
            if peer.ip().is_unicast_link_local() && known.indexes.contains(&peer.scope_id()));
        // The bridge's own address is this machine's: only its own programs have it.
        link_local
            || known
                .engine
                .values()
                .flatten()
                .chain(&known.kernel)
                .any(|subnet| subnet.contains(address) && subnet.address != address)
    }

    /// What the engine says of a network of ours; replaces what it said before.
    pub(crate) fn learn(&self, network: &'static str, subnets: Vec<Subnet>) {
        self.lock().engine.insert(network, subnets);
    }

    /// Whether the firewall rules for games are in place, or why not; `None` before that is known.
    pub(crate) fn rules(&self) -> Option<Result<(), String>> {
        self.lock().rules.clone()
    }

    /// Notes the outcome of setting the firewall rules.
    pub(crate) fn set_rules(&self, rules: Result<(), String>) {
        self.lock().rules = Some(rules);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn read_kernel(&mut self) {
        let read = |name: &str| {
            use std::io::Read;
            let mut text = String::new();
            let file = std::fs::File::open(self.proc.join("net").join(name));
            // What can't be read says nothing.
            let _ = file.and_then(|file| file.take(ROUTES).read_to_string(&mut text));
            text
        };
        let mut found: Vec<Subnet> = read("route").lines().filter_map(route).collect();
        found.extend(read("ipv6_route").lines().filter_map(route_v6));
        self.kernel = found;
        let bridges = std::fs::read_dir(self.sys.join("class/net")).into_iter().flatten().flatten();
        self.indexes = bridges
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(BRIDGES))
            .filter_map(|entry| {
                std::fs::read_to_string(entry.path().join("ifindex")).ok()?.trim().parse().ok()
            })
            .collect();
        self.read_at = Some(Instant::now());
    }
}

/// A line of `/proc/net/route`: interface, destination and, as the eighth, mask, in the byte order of the network.
fn route(line: &str) -> Option<Subnet> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [interface, destination, .., mask] = words.get(..8)? else { return None };
    interface.starts_with(BRIDGES).then(|| subnet(destination, mask)).flatten()
}

/// Two numbers of `/proc/net/route`.
fn subnet(destination: &str, mask: &str) -> Option<Subnet> {
    let number = |word: &str| u32::from_str_radix(word, 16).ok().map(u32::to_ne_bytes);
    let mask = u32::from_be_bytes(number(mask)?);
    Subnet::new(IpAddr::from(number(destination)?), u8::try_from(mask.leading_ones()).ok()?)
}

/// A line of `/proc/net/ipv6_route`: destination, its length, …, interface. Link-local and multicast routes are those of
/// every interface.
fn route_v6(line: &str) -> Option<Subnet> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (destination, bits, interface) = (words.first()?, words.get(1)?, words.get(9)?);
    if !interface.starts_with(BRIDGES) {
        return None;
    }
    subnet_v6(destination, bits)
}

fn subnet_v6(destination: &str, bits: &str) -> Option<Subnet> {
    let address = std::net::Ipv6Addr::from_bits(u128::from_str_radix(destination, 16).ok()?);
    if address.is_unicast_link_local() || address.is_multicast() {
        return None;
    }
    Subnet::new(address.into(), u8::from_str_radix(bits, 16).ok()?)
}

/// The networks that this machine is in itself: what `/proc/net/route` and `/proc/net/ipv6_route` list without a gateway.
pub(crate) fn neighbours(route: &str, route_v6: &str) -> Vec<Subnet> {
    let v4 = route.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, destination, gateway, _, _, _, _, mask] = words.get(..8)? else { return None };
        if gateway.bytes().any(|digit| digit != b'0') {
            return None;
        }
        subnet(destination, mask)
    });
    let v6 = route_v6.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (destination, bits) = (words.first()?, words.get(1)?);
        let (next, flags) = (words.get(4)?, u32::from_str_radix(words.get(8)?, 16).ok()?);
        if next.bytes().any(|digit| digit != b'0') || flags & (LOCAL | REJECT) != 0 {
            return None;
        }
        subnet_v6(destination, bits)
    });
    v4.chain(v6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_kernels_routes_tell_them_before_the_engine_does() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("net")).unwrap();
        let bridge = folder.path().join("class/net/ctrl-alt-play0");
        std::fs::create_dir_all(&bridge).unwrap();
        std::fs::write(bridge.join("ifindex"), "7\n").unwrap();
        let hex = |text: &str| {
            let address: std::net::Ipv4Addr = text.parse().unwrap();
            format!("{:08X}", u32::from_ne_bytes(address.octets()))
        };
        let line = |name: &str, to: &str, mask: &str| {
            format!("{name}\t{}\t00000000\t0001\t0\t0\t0\t{}\t0\t0\t0\n", hex(to), hex(mask))
        };
        let routes = [
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
                .to_owned(),
            line("eth0", "0.0.0.0", "0.0.0.0"),
            line("docker0", "172.17.0.0", "255.255.0.0"),
            line("ctrl-alt-play0", "172.19.0.0", "255.255.0.0"),
        ];
        std::fs::write(folder.path().join("net/route"), routes.concat()).unwrap();
        let v6 = "fd0000000000000000000000000000aa 7d 00000000000000000000000000000000 00 0 100 1 0 1 ctrl-alt-play0\n\
                  fe800000000000000000000000000000 40 00000000000000000000000000000000 00 0 100 1 0 1 ctrl-alt-play0\n";
        std::fs::write(folder.path().join("net/ipv6_route"), v6).unwrap();
        let networks = GameNetworks::with_sources(folder.path().into(), folder.path().into());
        for game in ["172.19.0.2:1", "[::ffff:172.19.255.254]:1", "[fd00::ab]:1", "[fe80::1%7]:1"] {
            assert!(networks.contain(peer(game)), "{game}");
        }
        for other in
            ["172.17.0.2:1", "172.20.0.1:1", "127.0.0.1:1", "[::1]:1", "[fe80::1%2]:1", "[fd01::1]:1"]
        {
            assert!(!networks.contain(peer(other)), "{other}");
        }
        networks.learn("games", vec![Subnet::parse("10.7.0.1/24").unwrap()]);
        networks.learn("others", Vec::new());
        assert!(networks.contain(peer("10.7.0.2:1")) && networks.contain(peer("172.19.0.2:1")));
        assert!(!networks.contain(peer("10.7.0.1:1")), "the bridge itself");
        networks.learn("games", Vec::new());
        assert!(!networks.contain(peer("10.7.0.2:1")), "it was made anew");
    }

    #[test]
    fn nonsense_is_no_network() {
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "0.0.0.0/0", "::/0", "x/8", "10.0.0.0/-1"] {
            assert_eq!(Subnet::parse(bad), None, "{bad}");
        }
        assert_eq!(route("eth0"), None);
        assert_eq!(route_v6(""), None);
    }
}
