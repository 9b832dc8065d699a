//! Ids that we make: random, readable aloud, never confused (no l, i, o, 0, 1).

use rand::RngExt;

const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Length of the ids of servers, users and the like.
pub const SHORT: usize = 10;
/// Length of ids that are secrets or nearly so (sessions).
pub const LONG: usize = 26;

/// `length` random characters.
pub fn random(length: usize) -> String {
    let mut source = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[source.random_range(0..ALPHABET.len())])).collect()
}

/// A fresh id for a record.
pub fn short() -> String {
    random(SHORT)
}

/// A fresh id that nobody guesses.
pub fn long() -> String {
    random(LONG)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_have_their_length_and_alphabet() {
        let id = super::long();
        assert_eq!(id.len(), super::LONG);
        assert!(id.bytes().all(|byte| super::ALPHABET.contains(&byte)));
        assert_ne!(id, super::long());
    }
}
