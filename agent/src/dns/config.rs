//! This machine's resolver configuration: `/etc/hosts` and `/etc/resolv.conf`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::host;

/// Maximum number of servers, as in the C library.
const SERVERS: usize = 3;
/// Maximum timeout for one answer in seconds, whatever the file says.
const MOST: u64 = 3;

#[derive(Clone, Debug)]
pub(super) struct Config {
    /// The text of `/etc/hosts`.
    pub(super) hosts: String,
    pub(super) servers: Vec<SocketAddr>,
    pub(super) search: Vec<String>,
    /// A name with at least this many dots is tried as is first.
    pub(super) ndots: usize,
    /// Timeout for one answer.
    pub(super) patience: Duration,
    pub(super) attempts: usize,
    /// The multicast address for local queries.
    pub(super) multicast: SocketAddr,
    /// Our addresses; each stands for a network to query.
    pub(super) own: Vec<IpAddr>,
}

impl Config {
    pub(super) fn of_this_machine() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let mut config = Self::parse(&text("/etc/resolv.conf"));
        config.hosts = text("/etc/hosts");
        config.own = host::addresses();
        config
    }

    /// Parses `/etc/resolv.conf`.
    pub(super) fn parse(text: &str) -> Self {
        let mut config = Self {
            hosts: String::new(),
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            patience: Duration::from_secs(MOST),
            attempts: 2,
            multicast: (Ipv4Addr::new(224, 0, 0, 251), 5353).into(),
            own: Vec::new(),
        };
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if config.servers.len() < SERVERS => {
                    // Link-local addresses with a zone (`fe80::1%eth0`) are skipped: we have no call to resolve the
                    // zone.
                    if let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) {
                        config.servers.push((address, 53).into());
                    }
                }
                // The last such line wins.
                Some("search" | "domain") => {
                    config.search = words.map(|word| word.trim_matches('.').to_ascii_lowercase()).collect();
                    config.search.retain(|domain| !domain.is_empty());
                }
                Some("options") => words.for_each(|word| config.option(word)),
                _ => {}
            }
        }
        if config.servers.is_empty() {
            config.servers.push((Ipv4Addr::LOCALHOST, 53).into());
        }
        config
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else { return };
        let Ok(value) = value.parse::<u64>() else { return };
        match name {
            "ndots" => self.ndots = usize::try_from(value.min(15)).unwrap_or(1),
            "timeout" => self.patience = Duration::from_secs(value.clamp(1, MOST)),
            "attempts" => self.attempts = usize::try_from(value.clamp(1, 5)).unwrap_or(2),
            _ => {}
        }
    }

    /// The addresses of a name in `/etc/hosts`.
    pub(super) fn hosts(&self, name: &str) -> Vec<IpAddr> {
        let of_line = |line: &str| {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let address: IpAddr = words.next()?.parse().ok()?;
            words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
        };
        self.hosts.lines().filter_map(of_line).collect()
    }

    /// The full names that a name may stand for, in order.
    pub(super) fn candidates(&self, name: &str, whole: bool) -> Vec<String> {
        let itself = name.to_owned();
        if whole || self.search.is_empty() {
            return vec![itself];
        }
        let searched = self.search.iter().map(|domain| format!("{name}.{domain}"));
        if name.matches('.').count() >= self.ndots {
            std::iter::once(itself).chain(searched).collect()
        } else {
            searched.chain(std::iter::once(itself)).collect()
        }
    }
}
