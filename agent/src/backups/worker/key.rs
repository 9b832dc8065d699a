//! The key of a repository.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The key of a repository, in restic's form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKey {
    mac: MacKey,
    encrypt: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MacKey {
    k: String,
    r: String,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// From its 64 random bytes: 32 to encrypt with, 16 and 16 to authenticate with.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let text = |bytes: &[u8]| STANDARD.encode(bytes);
        let mac = MacKey { k: text(&bytes[32..48]), r: text(&bytes[48..]) };
        Self { mac, encrypt: text(&bytes[..32]) }
    }

    /// None where it is no key.
    pub(super) fn bytes(&self) -> Option<[u8; 64]> {
        let mut all = Vec::with_capacity(64);
        for part in [&self.encrypt, &self.mac.k, &self.mac.r] {
            all.extend(STANDARD.decode(part).ok()?);
        }
        all.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_it_was() {
        let bytes: [u8; 64] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        assert_eq!(MasterKey::from_bytes(&bytes).bytes(), Some(bytes));
    }
}
