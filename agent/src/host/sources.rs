//! The files from which facts about the machine are read.

use std::path::{Path, PathBuf};

/// The folders of the kernel's and the system's files; others in tests.
#[derive(Clone, Debug)]
pub struct Sources {
    pub(super) proc: PathBuf,
    pub(super) sys: PathBuf,
    pub(super) root: PathBuf,
}

impl Default for Sources {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into(), root: "/".into() }
    }
}

impl Sources {
    /// A simulated machine: `proc`, `sys` and everything else are below `root`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { proc: root.join("proc"), sys: root.join("sys"), root: root.into() }
    }

    /// The text of a file below `/proc`; empty if it cannot be read.
    #[must_use]
    pub fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(self.proc.join(name)).unwrap_or_default()
    }

    /// The text of a file below `/sys`; empty if it cannot be read.
    #[must_use]
    pub fn sys(&self, name: &str) -> String {
        std::fs::read_to_string(self.sys.join(name)).unwrap_or_default()
    }

    /// The text of any other file, named without the leading slash; `None` if it is missing or inaccessible.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(name)).ok()
    }

    /// The path of a file, named without the leading slash.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The path of a file below `/proc`.
    #[must_use]
    pub fn proc_path(&self, name: &str) -> PathBuf {
        self.proc.join(name)
    }
}
