//! A pin: the hash of a panel's key. The join command contains it, so that no one in between can impersonate the panel.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const PREFIX: &str = "sha256//";

/// SHA-256 of a key's SubjectPublicKeyInfo, in the format of curl's `--pinnedpubkey`: `sha256//BASE64=`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyPin([u8; 32]);

impl KeyPin {
    /// The pin of a key in DER form.
    #[must_use]
    pub fn of_spki(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Parses one or more pins separated by commas; the prefix may be missing.
    ///
    /// # Errors
    /// A message that says what is wrong with it.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        let mut pins = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let bytes = BASE64_STANDARD.decode(part.strip_prefix(PREFIX).unwrap_or(part)).ok();
            let pin = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            pins.push(Self(
                pin.ok_or_else(|| format!("{part:?} is no key's hash: it has to look like sha256//BASE64="))?,
            ));
        }
        if pins.is_empty() { Err("there is no key's hash in it".to_owned()) } else { Ok(pins) }
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_they_are_written() {
        let (one, other) = (KeyPin::of_spki(b"one"), KeyPin::of_spki(b"other"));
        assert_eq!(KeyPin::parse_list(&format!(" {one},{other}")).unwrap(), [one, other]);
        assert_eq!(KeyPin::parse_list(one.to_string().trim_start_matches(PREFIX)).unwrap(), [one]);
        for bad in ["", ",", "sha256//", "sha256//AAAA", "sha1//x", &format!("{one};{other}")] {
            assert!(KeyPin::parse_list(bad).is_err(), "{bad}");
        }
    }
}
