//! The open connections of one port, and which of them is closed when there are too many.
//!
//! A connection is anonymous until a request on it has presented a valid session or secret
//! ([`ConnectionSlot::signed_in`]). Anonymous connections have a limit per network and in total. Beyond either, the one
//! that has been idle for longest is closed, so a new client always gets in. The rest of the port's capacity is
//! reserved for signed-in connections, and for networks from which somebody signed in recently.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::net::rate_limit::{KnownSources, Network};

/// Most open connections of one port. WebSockets do not count here; they are limited per account or node.
pub const CONNECTIONS: usize = 4096;
/// The part reserved for signed-in connections and for networks from which somebody signed in recently.
const RESERVE: usize = CONNECTIONS / 2;
/// Signed-in connections of one account; further ones count as anonymous.
const PER_ACCOUNT: usize = 128;
/// A network with no more anonymous connections than this is not considered crowded.
const CROWDED: usize = 16;
/// How long a network counts as known after somebody signed in from it.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How many connections are closed at once when the process has run out of file descriptors.
const SHED: usize = 64;

type Predicate<T> = Arc<dyn Fn(T) -> bool + Send + Sync>;

/// Limits of a port.
#[derive(Clone)]
pub struct PortPolicy {
    per_network: usize,
    shared: Predicate<IpAddr>,
    refused: Predicate<SocketAddr>,
}

impl PortPolicy {
    /// Anonymous connections of one network.
    const PER_NETWORK: usize = 256;
    /// Anonymous connections of an address shared by many clients.
    const PER_SHARED: usize = 1024;

    /// For users: 256 anonymous connections per network, and 1,024 for this machine, where a proxy may run.
    pub fn people() -> Self {
        Self {
            per_network: Self::PER_NETWORK,
            shared: Arc::new(|address: IpAddr| address.is_loopback()),
            refused: Arc::new(|_| false),
        }
    }

    /// For agents: allows a thousand to reconnect at once from one address.
    pub fn agents() -> Self {
        Self { per_network: Self::PER_SHARED, ..Self::people() }
    }

    /// Gives the addresses of proxies the limit of shared addresses.
    #[must_use]
    pub fn shared(mut self, proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.shared = Arc::new(move |address| address.is_loopback() || proxy(address));
        self
    }

    /// Connections from these peers are closed without being read.
    #[must_use]
    pub fn refusing(mut self, peer: impl Fn(SocketAddr) -> bool + Send + Sync + 'static) -> Self {
        self.refused = Arc::new(peer);
        self
    }

    pub(super) fn refuses(&self, peer: SocketAddr) -> bool {
        (self.refused)(peer)
    }

    fn share(&self, address: IpAddr) -> usize {
        if (self.shared)(address) { self.per_network.max(Self::PER_SHARED) } else { self.per_network }
    }
}

/// The connections of one port. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    policy: PortPolicy,
    total: usize,
    anonymous: usize,
    known: KnownSources,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    next: u64,
    open: HashMap<u64, Entry>,
    /// Anonymous connections of unknown networks, by their last progress: the first has been idle for longest.
    strangers: BTreeMap<u64, u64>,
    /// Anonymous connections of each network, known or not, by their last progress.
    networks: HashMap<Network, BTreeMap<u64, u64>>,
    accounts: HashMap<String, usize>,
}

struct Entry {
    network: Network,
    standing: ConnectionState,
    /// Its last progress, on a clock that counts events.
    progress: u64,
    dropped: CancellationToken,
}

#[derive(PartialEq)]
enum ConnectionState {
    /// Anonymous, and nobody of its network signed in recently.
    Stranger,
    /// Anonymous, but somebody of its network signed in recently.
    Neighbour,
    /// A request on it presented a valid session or secret of this account.
    SignedIn(String),
}

/// The slot of one connection, released when all clones are dropped.
#[derive(Clone)]
pub struct ConnectionSlot(Arc<Slot>);

struct Slot {
    number: u64,
    connections: Connections,
    /// No more to record: the connection is signed in or closed.
    settled: AtomicBool,
}

impl Connections {
    pub(super) fn new(policy: PortPolicy) -> Self {
        let total = room();
        let anonymous = total - RESERVE.min(total / 2);
        Self::with(policy, total, anonymous)
    }

    fn with(policy: PortPolicy, total: usize, anonymous: usize) -> Self {
        let known = KnownSources::new(KNOWN_FOR);
        Self(Arc::new(Shared { policy, total, anonymous, known, list: Mutex::default() }))
    }

    /// A slot, and a token that is cancelled when the slot is given to another connection. `None` if all slots are
    /// taken by signed-in connections.
    pub(super) fn enter(&self, address: IpAddr) -> Option<(ConnectionSlot, CancellationToken)> {
        let network = Network::of(address);
        let known = self.0.known.contains(&network.to_string());
        let mut list = self.lock();
        if list.networks.get(&network).is_some_and(|all| all.len() >= self.0.policy.share(address)) {
            list.drop_idlest(Some(network));
        }
        if (!known && list.strangers.len() >= self.0.anonymous) || list.open.len() >= self.0.total {
            list.make_room();
        }
        if list.open.len() >= self.0.total {
            return None;
        }
        let standing = if known { ConnectionState::Neighbour } else { ConnectionState::Stranger };
        let number = list.tick();
        let dropped = CancellationToken::new();
        list.open.insert(number, Entry { network, standing, progress: number, dropped: dropped.clone() });
        list.file(number);
        drop(list);
        let place = Slot { number, connections: self.clone(), settled: AtomicBool::new(false) };
        Some((ConnectionSlot(Arc::new(place)), dropped))
    }

    /// Closes some of the longest idle connections, because the process has run out of file descriptors.
    pub(super) fn shed(&self) {
        let mut list = self.lock();
        for _ in 0..SHED {
            list.make_room();
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Adds an anonymous connection to the maps that are sorted by progress.
    fn file(&mut self, number: u64) {
        let Some(entry) = self.open.get(&number) else { return };
        if entry.standing == ConnectionState::Stranger {
            self.strangers.insert(entry.progress, number);
        }
        self.networks.entry(entry.network).or_default().insert(entry.progress, number);
    }

    fn unfile(&mut self, number: u64) {
        let Some(entry) = self.open.get(&number) else { return };
        self.strangers.remove(&entry.progress);
        if let Some(all) = self.networks.get_mut(&entry.network) {
            all.remove(&entry.progress);
            if all.is_empty() {
                self.networks.remove(&entry.network);
            }
        }
    }

    fn remove(&mut self, number: u64) {
        self.unfile(number);
        let Some(entry) = self.open.remove(&number) else { return };
        if let ConnectionState::SignedIn(account) = entry.standing
            && let Some(open) = self.accounts.get_mut(&account)
        {
            *open -= 1;
            if *open == 0 {
                self.accounts.remove(&account);
            }
        }
    }

    /// Closes the anonymous connection that has been idle for longest: of this network, of all unknown networks, or of
    /// all.
    fn drop_idlest(&mut self, network: Option<Network>) -> bool {
        let idlest = match network {
            Some(network) => self.networks.get(&network).and_then(|all| all.first_key_value()),
            None => self.strangers.first_key_value(),
        };
        let idlest = idlest.map(|(_, number)| *number).or_else(|| {
            let firsts = self.networks.values().filter_map(|all| all.first_key_value());
            firsts.min_by_key(|(progress, _)| **progress).map(|(_, number)| *number)
        });
        let Some(number) = idlest else { return false };
        if let Some(entry) = self.open.get(&number) {
            entry.dropped.cancel();
        }
        self.remove(number);
        true
    }

    /// Closes a connection of the most crowded network, or else the longest idle stranger.
    fn make_room(&mut self) {
        let counts = self.networks.iter().map(|(network, all)| (all.len(), *network));
        let crowded = counts.max().filter(|(count, _)| *count > CROWDED).map(|(_, network)| network);
        self.drop_idlest(crowded);
    }
}

impl ConnectionSlot {
    /// A request presented a valid session or secret: the connection is no longer closed to make room for others.
    pub fn signed_in(&self, account: &str) {
        if self.0.settled.load(Ordering::Relaxed) {
            return;
        }
        let shared = &self.0.connections.0;
        let mut list = self.0.connections.lock();
        let Some(entry) = list.open.get(&self.0.number) else { return };
        shared.known.remember(entry.network.to_string());
        let open = list.accounts.get(account).copied().unwrap_or(0);
        if open >= PER_ACCOUNT {
            return;
        }
        list.unfile(self.0.number);
        if let Some(entry) = list.open.get_mut(&self.0.number) {
            entry.standing = ConnectionState::SignedIn(account.to_owned());
        }
        list.accounts.insert(account.to_owned(), open + 1);
        drop(list);
        self.0.settled.store(true, Ordering::Relaxed);
    }

    /// A request arrived, or the client read a part of an answer.
    pub(super) fn progress(&self) {
        if self.0.settled.load(Ordering::Relaxed) {
            return;
        }
        let mut list = self.0.connections.lock();
        let now = list.tick();
        list.unfile(self.0.number);
        if let Some(entry) = list.open.get_mut(&self.0.number) {
            entry.progress = now;
        }
        list.file(self.0.number);
    }

    /// The connection has ended, or became a WebSocket, which is counted elsewhere.
    pub(super) fn leave(&self) {
        self.0.settled.store(true, Ordering::Relaxed);
        self.0.connections.lock().remove(self.0.number);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.lock().remove(self.number);
    }
}

/// Most connections of a port; fewer if the process may open few files.
fn room() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    (files.saturating_sub(256) / 4).clamp(128, CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: usize) -> IpAddr {
        IpAddr::from([10, 0, (n / 250) as u8, (n % 250) as u8])
    }

    fn port(per_network: usize, total: usize, anonymous: usize) -> Connections {
        Connections::with(PortPolicy { per_network, ..PortPolicy::people() }, total, anonymous)
    }

    type Held = (ConnectionSlot, CancellationToken);

    fn alive(held: &[Held]) -> Vec<usize> {
        held.iter().enumerate().filter(|(_, (_, dropped))| !dropped.is_cancelled()).map(|(n, _)| n).collect()
    }

    #[test]
    fn the_idlest_of_a_full_network_gives_way_and_no_other() {
        let port = port(3, 100, 100);
        let neighbour = port.enter(address(1)).unwrap();
        let held: Vec<Held> = (0..3).map(|_| port.enter(address(0)).unwrap()).collect();
        held[0].0.progress();
        let newest = port.enter(address(0)).unwrap();
        assert_eq!(alive(&held), [0, 2], "the second had made no progress for longest");
        assert!(!newest.1.is_cancelled() && !neighbour.1.is_cancelled());
        drop((held, newest, neighbour));
        let list = port.lock();
        assert!(list.open.is_empty() && list.networks.is_empty() && list.strangers.is_empty());
    }

    #[test]
    fn a_crowded_network_gives_way_before_a_quiet_one() {
        let port = port(50, 60, 60);
        let quiet: Vec<Held> = (1..10).map(|n| port.enter(address(n)).unwrap()).collect();
        let crowd: Vec<Held> = (0..50).map(|_| port.enter(address(0)).unwrap()).collect();
        let more: Vec<Held> = (20..50).map(|n| port.enter(address(n)).unwrap()).collect();
        assert_eq!(alive(&quiet).len(), 9);
        assert_eq!(alive(&more).len(), 30);
        assert_eq!(alive(&crowd).len(), 21);
        assert_eq!(port.lock().open.len(), 60);
    }

    #[test]
    fn many_networks_leave_the_reserve_to_those_who_signed_in() {
        let port = port(50, 100, 60);
        let owner = port.enter(address(0)).unwrap();
        owner.0.signed_in("owner");
        let strangers: Vec<Held> = (1..300).map(|n| port.enter(address(n)).unwrap()).collect();
        assert!(!owner.1.is_cancelled());
        assert_eq!(alive(&strangers).len(), 60);
        let next = port.enter(address(0)).unwrap();
        let more: Vec<Held> = (300..600).map(|n| port.enter(address(n)).unwrap()).collect();
        assert!(!next.1.is_cancelled(), "somebody signed in from there");
        assert_eq!(alive(&more).len(), 60);
        assert_eq!(port.lock().open.len(), 62);
    }

    #[test]
    fn signed_in_connections_are_bounded_by_account_and_never_dropped() {
        let port = port(1000, 300, 200);
        let held: Vec<Held> = (0..PER_ACCOUNT + 10).map(|_| port.enter(address(0)).unwrap()).collect();
        held.iter().for_each(|(slot, _)| slot.signed_in("plain"));
        held.iter().for_each(|(slot, _)| slot.signed_in("plain"));
        assert_eq!(port.lock().accounts["plain"], PER_ACCOUNT);
        let others: Vec<Held> = (0..300).map(|n| port.enter(address(n)).unwrap()).collect();
        assert_eq!(alive(&held)[..PER_ACCOUNT], (0..PER_ACCOUNT).collect::<Vec<_>>());
        assert!(port.lock().open.len() <= 300);
        others.iter().take(300).enumerate().for_each(|(n, (slot, _))| slot.signed_in(&format!("u{n}")));
        drop(held);
        assert!(!port.lock().accounts.contains_key("plain"));
    }

    #[test]
    fn when_all_are_signed_in_a_newcomer_is_refused() {
        let port = port(100, 20, 20);
        let held: Vec<Held> = (0..20).map(|_| port.enter(address(0)).unwrap()).collect();
        held.iter().for_each(|(slot, _)| slot.signed_in("owner"));
        assert!(port.enter(address(1)).is_none());
        held[0].0.leave();
        assert!(port.enter(address(1)).is_some());
    }
}
