//! Published releases: a signed list of files with their hashes. Nothing is used that is not signed by the key.

use std::fmt;

use agent::upgrades::release::{MOST_SIGNATURE, MOST_SUMS, ReleaseKey, SignedError, SignedList, SignedText};
pub use agent::upgrades::release::{architecture, own_architecture};
use semver::Version;

use super::fetch::{FetchError, Fetcher};

/// Why a source of releases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The address is invalid.
    #[error("CTRL_ALT_PLAY_DOWNLOAD has to be a whole address, such as https://example.org/releases")]
    Address,
    /// The key is invalid.
    #[error("CTRL_ALT_PLAY_KEY is no minisign public key: it is the second line of a .pub file")]
    Key,
}

/// Why a release cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is signed by another key, or was modified.
    #[error(
        "the list of the release at {0} is not signed by the key that this program knows: nothing of it is used"
    )]
    Signature(String),
    /// The signature is valid, but the content is not that of a release.
    #[error("the release at {url} is none of ours: {why}")]
    Odd {
        /// The address of the release.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where releases are published, and the key that signs them. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    base: String,
    key: ReleaseKey,
    pub(super) fetcher: Fetcher,
}

/// A release whose signature was verified.
#[derive(Clone, Debug)]
pub struct Release {
    /// The released version.
    pub version: Version,
    folder: String,
    list: SignedList,
    signed: SignedText,
}

/// A file of a release.
#[derive(Clone, Debug)]
pub struct Published {
    /// The file's URL.
    pub url: String,
    /// Its SHA-256 in hex digits.
    pub sha256: String,
    /// The release's list with its signature, which contains this hash.
    pub signed: SignedText,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Source {
    /// A source with this base URL and public key.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn new(base: &str, key: &str, fetcher: Fetcher) -> Result<Self, SourceError> {
        let base = base.trim().trim_end_matches('/').to_owned();
        let host = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
        if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            return Err(SourceError::Address);
        }
        let key = ReleaseKey::parse(key).map_err(|_| SourceError::Key)?;
        Ok(Self { base, key, fetcher })
    }

    /// The newest release. Blocks.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn latest(&self) -> Result<Release, ReleaseError> {
        let folder = format!("{}/latest/download", self.base);
        match self.at(&folder) {
            // A newer release may have been published between the requests for list and signature.
            Err(ReleaseError::Signature(_)) => self.at(&folder),
            other => other,
        }
    }

    /// The release of a version. Blocks.
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

    /// The URL of a version's release notes, if known.
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
        let text = |bytes| String::from_utf8(bytes).map_err(|_| ReleaseError::Signature(folder.to_owned()));
        self.read(SignedText { sums: text(sums)?, signature: text(signature)? }, folder)
    }

    /// Reads a list that is stored locally, with the same checks as for a fetched one.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn read(&self, signed: SignedText, folder: &str) -> Result<Release, ReleaseError> {
        let list = signed.verify(&self.key).map_err(|error| match error {
            SignedError::Key | SignedError::Signature => ReleaseError::Signature(folder.to_owned()),
            error => ReleaseError::Odd { url: folder.to_owned(), why: error.to_string() },
        })?;
        let version = list.version.clone();
        // `latest` may point to another version the next time.
        Ok(Release { folder: self.folder(&version), version, list, signed })
    }
}

impl Release {
    /// The list as published, with its signature.
    pub fn signed(&self) -> &SignedText {
        &self.signed
    }

    /// The program for an architecture.
    ///
    /// # Errors
    /// [`ReleaseError::Odd`] if the release has none.
    pub fn program(&self, arch: &str) -> Result<Published, ReleaseError> {
        let name = self.list.program_name(arch);
        let url = format!("{}/{name}", self.folder);
        match self.list.sha256(&name) {
            Some(sha256) => Ok(Published { url, sha256: sha256.to_owned(), signed: self.signed.clone() }),
            None => Err(ReleaseError::Odd { url, why: format!("it has no program for {arch}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
}
