//! What is published: a list of files with their hashes, signed. Nothing is believed that the key did not sign.

use std::fmt;

use agent::upgrades::release::{MOST_SIGNATURE, MOST_SUMS, ReleaseKey, SignedError, SignedList, SignedText};
pub use agent::upgrades::release::{architecture, own_architecture};
use semver::Version;

use super::fetch::{FetchError, Fetcher};

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
        /// The address of the release.
        url: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where releases are, and the key by which they are known. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    base: String,
    key: ReleaseKey,
    pub(super) fetcher: Fetcher,
}

/// A release, signed.
#[derive(Clone, Debug)]
pub struct Release {
    /// The released version.
    pub version: Version,
    folder: String,
    list: SignedList,
    signed: SignedText,
}

/// One of its files.
#[derive(Clone, Debug)]
pub struct Published {
    /// The file's address.
    pub url: String,
    /// Its SHA-256 in hex digits.
    pub sha256: String,
    /// What says so: the release's list with its signature.
    pub signed: SignedText,
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
        let key = ReleaseKey::parse(key).map_err(|_| SourceError::Key)?;
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
        let text = |bytes| String::from_utf8(bytes).map_err(|_| ReleaseError::Signature(folder.to_owned()));
        self.read(SignedText { sums: text(sums)?, signature: text(signature)? }, folder)
    }

    /// A release's list that lies here already, checked as one that was just fetched.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn read(&self, signed: SignedText, folder: &str) -> Result<Release, ReleaseError> {
        let list = signed.verify(&self.key).map_err(|error| match error {
            SignedError::Key | SignedError::Signature => ReleaseError::Signature(folder.to_owned()),
            error => ReleaseError::Odd { url: folder.to_owned(), why: error.to_string() },
        })?;
        let version = list.version.clone();
        // `latest` may lead elsewhere the next time.
        Ok(Release { folder: self.folder(&version), version, list, signed })
    }
}

impl Release {
    /// Its list as it was published, with the signature.
    pub fn signed(&self) -> &SignedText {
        &self.signed
    }

    /// The program for machines of this architecture.
    ///
    /// # Errors
    /// [`ReleaseError::Odd`] where it has none.
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
