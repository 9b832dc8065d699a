//! Connection limits. Unauthenticated connections have a small share. A new one is always accepted: at the limit, the oldest
//! of the same network is closed, or of the network with the most connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::net::rate_limit::Network;

/// Connections that have not signed in yet: all, and those of one network.
const STRANGERS: usize = 64;
const STRANGERS_PER_NETWORK: usize = 16;
/// Connections that have: all, and those of one account.
const SIGNED_IN: usize = 512;
const PER_ACCOUNT: usize = 128;

struct Stranger {
    number: u64,
    network: Network,
    token: CancellationToken,
}

#[derive(Default)]
struct Counts {
    next: u64,
    /// The oldest first.
    strangers: Vec<Stranger>,
    accounts: HashMap<String, usize>,
}

/// The connections of the port. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<Counts>>);

/// One connection's place, until it is dropped.
pub(super) struct Place {
    places: Places,
    number: u64,
    account: Mutex<Option<String>>,
}

impl Counts {
    fn of(&self, network: Network) -> usize {
        self.strangers.iter().filter(|one| one.network == network).count()
    }

    /// Closes the oldest connection of a network.
    fn give_way(&mut self, network: Network) {
        if let Some(at) = self.strangers.iter().position(|one| one.network == network) {
            self.strangers.remove(at).token.cancel();
        }
    }

    fn crowded(&self) -> Option<Network> {
        self.strangers.iter().map(|one| one.network).max_by_key(|network| self.of(*network))
    }
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for an unauthenticated connection, which `token` closes.
    pub(super) fn enter(&self, address: IpAddr, token: CancellationToken) -> Place {
        let network = Network::of(address);
        let mut counts = self.lock();
        if counts.of(network) >= STRANGERS_PER_NETWORK {
            counts.give_way(network);
        } else if counts.strangers.len() >= STRANGERS
            && let Some(crowded) = counts.crowded()
        {
            counts.give_way(crowded);
        }
        counts.next += 1;
        let number = counts.next;
        counts.strangers.push(Stranger { number, network, token });
        Place { places: self.clone(), number, account: Mutex::new(None) }
    }
}

impl Place {
    /// Marks the connection as authenticated. False if the account, or the server, has reached its limit.
    pub(super) fn signed_in(&self, account: &str) -> bool {
        let mut own = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_some() {
            return true;
        }
        let mut counts = self.places.lock();
        let each = counts.accounts.get(account).copied().unwrap_or(0);
        if each >= PER_ACCOUNT || counts.accounts.values().sum::<usize>() >= SIGNED_IN {
            return false;
        }
        counts.strangers.retain(|one| one.number != self.number);
        counts.accounts.insert(account.to_owned(), each + 1);
        *own = Some(account.to_owned());
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let account = self.account.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let mut counts = self.places.lock();
        let Some(account) = account else {
            counts.strangers.retain(|one| one.number != self.number);
            return;
        };
        if let Some(own) = counts.accounts.get_mut(&account) {
            *own -= 1;
            if *own == 0 {
                counts.accounts.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(places: &Places, third: u8) -> (Place, CancellationToken) {
        let token = CancellationToken::new();
        (places.enter(IpAddr::from([10, 0, third, 1]), token.clone()), token)
    }

    #[test]
    fn a_newcomer_always_gets_a_place() {
        let places = Places::default();
        let other = enter(&places, 1);
        let held: Vec<_> = (0..=STRANGERS_PER_NETWORK).map(|_| enter(&places, 0)).collect();
        assert!(held[0].1.is_cancelled(), "the oldest of its network gave way");
        assert!(held[1..].iter().all(|(_, token)| !token.is_cancelled()) && !other.1.is_cancelled());
        assert!(held[1].0.signed_in("ann") && held[1].0.signed_in("ann"));
        let more: Vec<_> = (2..=250).map(|third| enter(&places, third)).collect();
        assert_eq!(places.lock().strangers.len(), STRANGERS);
        assert!(held[2].1.is_cancelled(), "the crowded network gives way first");
        assert!(!held[1].1.is_cancelled(), "whoever has signed in stays");
        drop((held, other, more));
        assert!(places.lock().strangers.is_empty() && places.lock().accounts.is_empty());
    }

    #[test]
    fn an_account_has_a_share() {
        let places = Places::default();
        let held: Vec<_> = (0..PER_ACCOUNT)
            .map(|_| {
                let (place, _) = enter(&places, 0);
                assert!(place.signed_in("ann"));
                place
            })
            .collect();
        let (place, _) = enter(&places, 0);
        assert!(!place.signed_in("ann") && place.signed_in("bob"));
        drop(held);
    }
}
