//! Values before they are checked, with their origins, and why settings can't be used.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Names of settings for tests and units, so not in the users' lists.
pub(super) const UPGRADE_TIMES: &str = "upgrade_times";
pub(super) const GUARDED: &str = "guarded";

/// A value and where it was found.
pub(super) struct Setting {
    pub(super) value: String,
    /// Flag, variable or file and key.
    pub(super) from: String,
}

/// Values by the name of their setting.
pub(super) type Layer = BTreeMap<&'static str, Setting>;

impl Setting {
    pub(super) fn bad(&self, problem: String) -> ConfigError {
        ConfigError::Bad { from: self.from.clone(), problem }
    }
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value is not what it has to be.
    #[error("{from}: {problem}")]
    Bad {
        /// Flag, variable or file and key.
        from: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The file can't be read.
    #[error("settings file {}: {source}", path.display())]
    Unreadable {
        /// The settings file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It belongs to the service, and whoever asks may not look.
    #[error(
        "{} is closed to you: this needs root (sudo), or DATA_DIR for another panel than the service's",
        path.display()
    )]
    Closed {
        /// What can't be read.
        path: PathBuf,
    },
    /// The file isn't TOML.
    #[error("settings file {}: {problem}", path.display())]
    NotToml {
        /// The settings file.
        path: PathBuf,
        /// Where and why.
        problem: String,
    },
}
