//! Where the host's facts are read.

use std::path::{Path, PathBuf};

/// Where the kernel and the system tell of the machine; other places in tests.
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
    /// A machine of files: `proc`, `sys` and all else lie below `root`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { proc: root.join("proc"), sys: root.join("sys"), root: root.into() }
    }

    /// The text of a file below `/proc`, or nothing: what cannot be read is not known.
    #[must_use]
    pub fn proc(&self, name: &str) -> String {
        std::fs::read_to_string(self.proc.join(name)).unwrap_or_default()
    }

    /// The same below `/sys`.
    #[must_use]
    pub fn sys(&self, name: &str) -> String {
        std::fs::read_to_string(self.sys.join(name)).unwrap_or_default()
    }

    /// The text of any other file, named without its first slash; none where it is not there or closed to us.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(name)).ok()
    }

    /// Where a file is, named without its first slash.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where a file below `/proc` is.
    #[must_use]
    pub fn proc_path(&self, name: &str) -> PathBuf {
        self.proc.join(name)
    }
}
