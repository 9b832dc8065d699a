//! Counts events that happen too often to log each one.

use std::collections::HashMap;

/// Bytes of a kind's name that are kept.
const NAME: usize = 64;
/// Maximum number of kinds; the peer chooses their names, so they must be limited.
const KINDS: usize = 32;

/// Counts events on one connection, by kind.
#[derive(Debug, Default)]
pub struct LogCounter {
    kinds: HashMap<String, u64>,
    others: u64,
}

impl LogCounter {
    /// Counts an event; returns the count of its kind. The first one should be logged.
    pub fn note(&mut self, kind: &str) -> u64 {
        let kind: String = kind.chars().take(NAME).collect();
        let count = match self.kinds.len() >= KINDS && !self.kinds.contains_key(&kind) {
            true => &mut self.others,
            false => self.kinds.entry(kind).or_default(),
        };
        *count += 1;
        *count
    }

    /// Total number of events.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.kinds.values().sum::<u64>() + self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_kind_is_told_and_kinds_have_an_end() {
        let mut log_counter = LogCounter::default();
        let told = (0..1000).filter(|n| log_counter.note(&(n % 100).to_string()) == 1).count();
        assert_eq!((told, log_counter.total(), log_counter.kinds.len()), (KINDS + 1, 1000, KINDS));
    }
}
