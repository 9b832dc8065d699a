//! Settings before validation, with their origins, and errors in settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Undocumented setting for tests and service units.
pub(super) const UPGRADE_TIMES: &str = "upgrade_times";
pub(super) const GUARDED: &str = "guarded";

/// A value and where it was set.
pub(super) struct Setting {
    pub(super) value: String,
    /// The flag or variable, or the file and key.
    pub(super) from: String,
}

/// Values by name of the setting.
pub(super) type Layer = BTreeMap<&'static str, Setting>;

impl Setting {
    pub(super) fn bad(&self, problem: String) -> ConfigError {
        ConfigError::Bad { from: self.from.clone(), problem }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An invalid value.
    #[error("{from}: {problem}")]
    Bad {
        /// The flag or variable, or the file and key.
        from: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A file cannot be read.
    #[error("settings file {}: {source}", path.display())]
    Unreadable {
        /// The settings file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The settings belong to the service, and the user may not read them.
    #[error(
        "{} is closed to you: this needs root (sudo), or DATA_DIR for another panel than the service's",
        path.display()
    )]
    Closed {
        /// The unreadable file or folder.
        path: PathBuf,
    },
    /// The file is not valid TOML.
    #[error("settings file {}: {problem}", path.display())]
    NotToml {
        /// The settings file.
        path: PathBuf,
        /// Position and cause.
        problem: String,
    },
}
