//! Random ids without characters that are easily confused (l, i, o, 0, 1), so that they can be read aloud.

use rand::RngExt;

const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// Length of ids of servers, users and other records.
pub const SHORT: usize = 10;
/// Length of ids that must not be guessed (sessions).
pub const LONG: usize = 26;

/// `length` random characters.
pub fn random(length: usize) -> String {
    let mut source = rand::rng();
    (0..length).map(|_| char::from(ALPHABET[source.random_range(0..ALPHABET.len())])).collect()
}

/// A new id for a record.
pub fn short() -> String {
    random(SHORT)
}

/// A new id that cannot be guessed.
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
