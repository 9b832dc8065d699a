//! What is published: a list of files with their hashes, signed. Nothing is believed that the key did not sign.

use std::collections::BTreeMap;
use std::fmt;

use minisign_verify::{PublicKey, Signature};
use semver::Version;

use super::fetch::{FetchError, Fetcher};

/// The list of a release has a dozen lines.
const MOST_SUMS: u64 = 64 * 1024;
const MOST_SIGNATURE: u64 = 4 * 1024;

/// Why a source can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The address.
    #[error("CTRL_ALT_PLAY_DOWNLOAD has to be a whole address, such as https://example.org/releases")]
    Address,
    /// The key.
    #[error("CTRL_ALT_PLAY_KEY is no minisign public key: it is the second line of a .pub file")]
    Key,
}

/// Why there is no release to be had.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Somebody else signed it, or it was changed.
    #[error(
        "the list of the release at {0} is not signed by the key that this program knows: nothing of it is used"
    )]
    Signature(String),
    /// It was signed, but says something else than a release of ours.
    #[error("the release at {url} is none of ours: {why}")]
    Odd {
        /// Where.
        url: String,
        /// What.
        why: String,
    },
}

/// Where releases are, and the key by which they are known. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    base: String,
    key: PublicKey,
    pub(super) fetcher: Fetcher,
}

/// A release, signed.
#[derive(Clone, Debug)]
pub struct Release {
    /// Which.
    pub version: Version,
    folder: String,
    files: BTreeMap<String, String>,
}

/// One of its files.
#[derive(Clone, Debug)]
pub struct Published {
    /// Where.
    pub url: String,
    /// Its SHA-256 in hex digits.
    pub sha256: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Source {
    /// Below this address, signed by this key.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn new(base: &str, key: &str, fetcher: Fetcher) -> Result<Self, SourceError> {
        let base = base.trim().trim_end_matches('/').to_owned();
        let host = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            return Err(SourceError::Address);
        }
        let key = PublicKey::from_base64(key.trim()).map_err(|_| SourceError::Key)?;
        Ok(Self { base, key, fetcher })
    }

    /// The newest one. Blocks.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn latest(&self) -> Result<Release, ReleaseError> {
        let folder = format!("{}/latest/download", self.base);
        match self.at(&folder) {
            // Between list and signature a newer one may have been published.
            Err(ReleaseError::Signature(_)) => self.at(&folder),
            other => other,
        }
    }

    /// This one. Blocks.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn of(&self, version: &Version) -> Result<Release, ReleaseError> {
        let url = self.folder(version);
        let release = self.at(&url)?;
        if release.version != *version {
            return Err(ReleaseError::Odd { url, why: format!("it is {}", release.version) });
        }
        Ok(release)
    }

    /// What people may read about a version, where that is known.
    pub fn notes(&self, version: &Version) -> Option<String> {
        self.base.starts_with("https://github.com/").then(|| format!("{}/tag/v{version}", self.base))
    }

    fn folder(&self, version: &Version) -> String {
        format!("{}/download/v{version}", self.base)
    }

    fn at(&self, folder: &str) -> Result<Release, ReleaseError> {
        let url = format!("{folder}/SHA256SUMS");
        let sums = self.fetcher.small(&url, MOST_SUMS)?;
        let signature = self.fetcher.small(&format!("{url}.minisig"), MOST_SIGNATURE)?;
        let unsigned = || ReleaseError::Signature(folder.to_owned());
        let signature = String::from_utf8(signature).map_err(|_| unsigned())?;
        let signature = Signature::decode(&signature).map_err(|_| unsigned())?;
        // With the trusted comment, which says the version; signatures of the old kind are not ours.
        self.key.verify(&sums, &signature, false).map_err(|_| unsigned())?;
        let odd = |why: &str| ReleaseError::Odd { url: folder.to_owned(), why: why.to_owned() };
        let comment = signature.trusted_comment().trim();
        let version = comment.strip_prefix("ctrl-alt-play ").ok_or_else(|| odd("it names no version"))?;
        let version = Version::parse(version).map_err(|_| odd("its version is none"))?;
        let sums = String::from_utf8(sums).map_err(|_| odd("its list is no text"))?;
        let files = sums.lines().filter_map(line).collect();
        // `latest` may lead elsewhere the next time.
        Ok(Release { folder: self.folder(&version), version, files })
    }
}

/// A line of `sha256sum`.
fn line(text: &str) -> Option<(String, String)> {
    let (hash, name) = text.split_once("  ").or_else(|| text.split_once(" *"))?;
    let good = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let plain = !name.is_empty() && !name.contains('/');
    (good && plain).then(|| (name.to_owned(), hash.to_ascii_lowercase()))
}

impl Release {
    /// The program for machines of this architecture.
    ///
    /// # Errors
    /// [`ReleaseError::Odd`] where it has none.
    pub fn program(&self, arch: &str) -> Result<Published, ReleaseError> {
        let name = format!("ctrl-alt-play-{}-linux-{arch}", self.version);
        let url = format!("{}/{name}", self.folder);
        match self.files.get(&name) {
            Some(sha256) => Ok(Published { url, sha256: sha256.clone() }),
            None => Err(ReleaseError::Odd { url, why: format!("it has no program for {arch}") }),
        }
    }
}

/// The releases' word for a kind of machine, from that of `uname -m`, of Go or of Rust.
pub fn architecture(word: &str) -> &str {
    match word {
        "amd64" | "x86_64" => "x86_64",
        "arm64" | "aarch64" => "aarch64",
        "arm" | "armhf" => "armv7",
        word if word.starts_with("armv7") || word.starts_with("armv8") => "armv7",
        other => other,
    }
}

/// The word for ours.
pub fn own_architecture() -> &'static str {
    architecture(std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn sources_are_whole_addresses_with_a_key() {
        let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        let new = |base, key| Source::new(base, key, Fetcher::new(Duration::from_secs(1), None));
        assert!(new("https://github.com/a/b/releases/", key).is_ok());
        assert!(matches!(new("example.org", key), Err(SourceError::Address)));
        assert!(matches!(new("http://", key), Err(SourceError::Address)));
        assert!(matches!(new("http://x", "RWQ"), Err(SourceError::Key)));
        let notes = new("https://github.com/a/b/releases", key).unwrap().notes(&Version::new(1, 2, 3));
        assert_eq!(notes.as_deref(), Some("https://github.com/a/b/releases/tag/v1.2.3"));
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
