//! The signed list of a release's files, which shows that a program belongs to a release, and to which. Signed with
//! minisign.
//!
//! The list is `SHA256SUMS`, as written by `sha256sum`; the signature is `SHA256SUMS.minisig`, with the trusted comment
//! `ctrl-alt-play VERSION`. The format of the signature: <https://jedisct1.github.io/minisign/>.

use std::collections::BTreeMap;

use minisign_verify::{PublicKey, Signature};
use semver::Version;

/// Maximum bytes of a list. A release's list has a dozen lines.
pub const MOST_SUMS: u64 = 64 * 1024;
/// Maximum bytes of a signature.
pub const MOST_SIGNATURE: u64 = 4 * 1024;

/// Why a list was rejected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignedError {
    /// The key is invalid.
    #[error("the key is no minisign public key: it is the second line of a .pub file")]
    Key,
    /// It was signed with another key, or changed.
    #[error("it is not signed by the key that this program knows")]
    Signature,
    /// It is signed, but is not a release's list.
    #[error("it is signed, but is no list of a release: {0}")]
    Odd(&'static str),
    /// The list has no program of this version for this architecture with these bytes.
    #[error("the signed list of version {version} does not hold these bytes as the program for {arch}")]
    NotListed {
        /// The version of the list.
        version: Version,
        /// The architecture, as named by releases.
        arch: String,
    },
}

/// A release's public key.
#[derive(Clone, Debug)]
pub struct ReleaseKey(PublicKey);

impl ReleaseKey {
    /// Reads the second line of a minisign `.pub` file.
    ///
    /// # Errors
    /// [`SignedError::Key`].
    pub fn parse(text: &str) -> Result<Self, SignedError> {
        PublicKey::from_base64(text.trim()).map(Self).map_err(|_| SignedError::Key)
    }
}

/// The list and its signature as published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedText {
    /// `SHA256SUMS`.
    pub sums: String,
    /// `SHA256SUMS.minisig`.
    pub signature: String,
}

/// A list with a verified signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedList {
    /// The release's version.
    pub version: Version,
    files: BTreeMap<String, String>,
}

impl SignedText {
    /// Whether both are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty() && self.signature.is_empty()
    }

    /// Verifies the signature and parses the list.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn verify(&self, key: &ReleaseKey) -> Result<SignedList, SignedError> {
        if self.sums.len() as u64 > MOST_SUMS || self.signature.len() as u64 > MOST_SIGNATURE {
            return Err(SignedError::Odd("it is too long"));
        }
        let signature = Signature::decode(&self.signature).map_err(|_| SignedError::Signature)?;
        // Includes the trusted comment, which has the version; legacy signatures are not accepted.
        key.0.verify(self.sums.as_bytes(), &signature, false).map_err(|_| SignedError::Signature)?;
        let comment = signature.trusted_comment().trim();
        let version = comment.strip_prefix("ctrl-alt-play ");
        let version = version.ok_or(SignedError::Odd("it names no version"))?;
        let version = Version::parse(version).map_err(|_| SignedError::Odd("its version is none"))?;
        Ok(SignedList { version, files: self.sums.lines().filter_map(line).collect() })
    }
}

impl SignedList {
    /// The program's file name for an architecture.
    #[must_use]
    pub fn program_name(&self, arch: &str) -> String {
        format!("ctrl-alt-play-{}-linux-{arch}", self.version)
    }

    /// A file's SHA-256 in lower-case hex digits; `None` if it is not listed.
    #[must_use]
    pub fn sha256(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// Checks that this hash belongs to the program of this release for this machine.
    ///
    /// # Errors
    /// [`SignedError::NotListed`].
    pub fn check_own_program(&self, sha256: &str) -> Result<(), SignedError> {
        let arch = own_architecture();
        if self.sha256(&self.program_name(arch)) == Some(sha256) {
            return Ok(());
        }
        Err(SignedError::NotListed { version: self.version.clone(), arch: arch.to_owned() })
    }
}

/// Parses a line of `sha256sum`.
fn line(text: &str) -> Option<(String, String)> {
    let (hash, name) = text.split_once("  ").or_else(|| text.split_once(" *"))?;
    let good = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let plain = !name.is_empty() && !name.contains('/');
    (good && plain).then(|| (name.to_owned(), hash.to_ascii_lowercase()))
}

/// The architecture as named by releases, from the name used by `uname -m`, Go or Rust.
#[must_use]
pub fn architecture(word: &str) -> &str {
    match word {
        "amd64" | "x86_64" => "x86_64",
        "arm64" | "aarch64" => "aarch64",
        "arm" | "armhf" => "armv7",
        word if word.starts_with("armv7") || word.starts_with("armv8") => "armv7",
        other => other,
    }
}

/// The architecture of this machine.
#[must_use]
pub fn own_architecture() -> &'static str {
    architecture(std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_sha256sum() {
        let hash = "BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let lower = hash.to_ascii_lowercase();
        assert_eq!(line(&format!("{hash}  a-1")), Some(("a-1".into(), lower.clone())));
        assert_eq!(line(&format!("{hash} *a-1")), Some(("a-1".into(), lower)));
        for bad in
            [format!("{hash} a-1"), format!("{}  a", &hash[1..]), format!("{hash}  ../a"), "x  a".into()]
        {
            assert_eq!(line(&bad), None, "{bad}");
        }
    }

    #[test]
    fn nothing_without_a_signature_is_a_list() {
        let key = ReleaseKey::parse("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").unwrap();
        assert_eq!(ReleaseKey::parse("RWQ").err(), Some(SignedError::Key));
        for signature in ["", "untrusted comment: x\nAAAA\ntrusted comment: ctrl-alt-play 9.9.9\nAAAA\n"] {
            let text = SignedText { sums: String::new(), signature: signature.to_owned() };
            assert_eq!(text.verify(&key), Err(SignedError::Signature));
        }
        let long = SignedText { sums: "x".repeat(70_000), signature: String::new() };
        assert_eq!(long.verify(&key), Err(SignedError::Odd("it is too long")));
    }

    #[test]
    fn machines_have_one_word() {
        for (word, ours) in [
            ("amd64", "x86_64"),
            ("arm64", "aarch64"),
            ("arm", "armv7"),
            ("armv7l", "armv7"),
            ("riscv64", "riscv64"),
        ] {
            assert_eq!(architecture(word), ours);
        }
    }
}
