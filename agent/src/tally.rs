//! Counts things that happen too often to be told of each time.

use std::collections::HashMap;

/// Kinds that are told apart; the peer chooses their names, so there is an end to them.
const KINDS: usize = 32;

/// How often what happened on one connection.
#[derive(Debug, Default)]
pub struct Tally {
    kinds: HashMap<String, u64>,
    others: u64,
}

impl Tally {
    /// Counts one. True where it is the first of its kind, to be told of.
    pub fn note(&mut self, kind: &str) -> bool {
        if let Some(count) = self.kinds.get_mut(kind) {
            *count += 1;
            return false;
        }
        if self.kinds.len() >= KINDS {
            self.others += 1;
            return self.others == 1;
        }
        self.kinds.insert(kind.to_owned(), 1);
        true
    }

    /// All of them.
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
        let mut tally = Tally::default();
        let told = (0..1000).filter(|n| tally.note(&(n % 100).to_string())).count();
        assert_eq!((told, tally.total(), tally.kinds.len()), (KINDS + 1, 1000, KINDS));
    }
}
