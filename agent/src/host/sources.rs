//! Where the host's facts are read.

use std::path::PathBuf;

/// Where the kernel tells of the machine; another place in tests.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) proc: PathBuf,
    pub(super) sys: PathBuf,
}

impl Default for Sources {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

impl Sources {
    /// A file's text, or nothing: what cannot be read is not known.
    pub(super) fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(self.proc.join(name)).unwrap_or_default()
    }

    pub(super) fn sys(&self, name: &str) -> String {
        std::fs::read_to_string(self.sys.join(name)).unwrap_or_default()
    }
}
