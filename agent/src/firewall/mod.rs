//! THE owner of this machine's firewall rules for games: what they reach of the machine itself and, where a server asks for
//! it, of the networks that the machine is in.
//!
//! The rules are one table of nftables or, where there is no usable `nft`, a chain of iptables in each of two tables. They
//! name interfaces, so they hold before a bridge exists and after it was made again. They are the same for all agents of a
//! machine, and are written again every minute, since a reload of another firewall removes them.
//!
//! One backend has rules at a time: the other one's, and those of earlier versions, are removed once ours are there. Their
//! list of published ports would be out of date, and would keep players and games from newer ones.

mod command;
pub(crate) mod game_networks;
mod iptables;
mod lan;
mod nft;
mod rules;

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

pub(crate) use self::lan::Lan;
pub(crate) use self::rules::{GAMES, NO_LAN, Published, Rules};

/// How often the rules are written again.
const EVERY: Duration = Duration::from_secs(60);
/// How often it is tried again after a failure.
const RETRY: Duration = Duration::from_secs(600);

/// What sets the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Nft,
    Iptables,
}

/// Keeps the rules in place.
#[derive(Debug, Default)]
pub(crate) struct Firewall(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    rules: Rules,
    written: Option<(Instant, Result<Backend, String>)>,
    /// Rules of this process may be in place: a list of ports that is out of date does harm.
    ever: bool,
    /// The backend whose predecessors were removed.
    alone: Option<Backend>,
}

impl Firewall {
    /// Writes the rules where they changed or a minute has passed, or `now`. The error says why they are not in place.
    pub(crate) async fn hold(&self, rules: Rules, now: bool) -> Result<(), String> {
        let mut held = self.0.lock().await;
        if let Some((at, result)) = &held.written
            && !now
        {
            let again = if held.ever { EVERY } else { RETRY };
            if at.elapsed() < again && (rules == held.rules || !held.ever) {
                return result.as_ref().map(|_| ()).map_err(Clone::clone);
            }
        }
        let result = write(&rules).await;
        let before = held.written.take().map(|(_, result)| result);
        match (&result, &before) {
            (Ok(_), Some(Ok(_))) => {}
            (Ok(_), _) => tracing::info!("games reach nothing of this machine but DNS and published ports"),
            (Err(cause), Some(Err(known))) if cause == known => {}
            (Err(cause), _) => tracing::info!(
                cause,
                "no firewall rule for games: the panel's own ports refuse them, other ports of this machine and the \
                 local network are open to them"
            ),
        }
        if let Ok(backend) = result
            && held.alone != Some(backend)
        {
            match remove_others(backend).await {
                Ok(()) => held.alone = Some(backend),
                Err(cause) => {
                    tracing::warn!(cause, "firewall rules of an earlier start could not be removed");
                }
            }
        }
        held.rules = rules;
        held.ever |= result.is_ok();
        held.written = Some((Instant::now(), result.clone()));
        result.map(|_| ())
    }
}

async fn write(rules: &Rules) -> Result<Backend, String> {
    match nft::write(rules).await {
        Ok(()) => Ok(Backend::Nft),
        Err(nft) => match iptables::write(rules).await {
            Ok(()) => Ok(Backend::Iptables),
            Err(iptables) => Err(format!("{nft}; {iptables}")),
        },
    }
}

async fn remove_others(backend: Backend) -> Result<(), String> {
    match backend {
        Backend::Nft => iptables::remove(&[]).await,
        Backend::Iptables => {
            let used = iptables::in_use();
            let (of_nft, of_iptables) = (nft::remove().await, iptables::remove(&used).await);
            iptables::remove_old_jumps(&used).await;
            of_nft.and(of_iptables)
        }
    }
}

/// Removes every rule of ours, whichever backend and version set it.
///
/// # Errors
/// What could not be removed, and why.
pub async fn remove_firewall_rules() -> Result<(), String> {
    let (of_nft, of_iptables) = (nft::remove().await, iptables::remove(&[]).await);
    match (of_nft, of_iptables) {
        (Err(nft), Err(iptables)) => Err(format!("{nft}; {iptables}")),
        (of_nft, of_iptables) => of_nft.and(of_iptables),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Protocol;

    pub(super) fn rules() -> Rules {
        Rules {
            published: [(Protocol::Tcp, 25565), (Protocol::Udp, 27015), (Protocol::Tcp, 25566)].into(),
            lan: Lan::of(&["192.168.0.0/16", "fc00::/7"], &["192.168.1.1"]),
        }
    }
}
