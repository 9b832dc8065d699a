//! The files checked by the architecture tests: all handwritten files in the checkout.

use std::fs;
use std::path::{Path, PathBuf};

/// A file: its path relative to the root of the checkout, with `/`, and its text.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// A file that is not on the disk, for tests of the checks themselves.
    pub(super) fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether it is in this folder or below.
    pub(super) fn within(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Its name without folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it belongs to a test binary rather than to the program.
    pub(super) fn test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/")
    }

    /// Whether it is Rust.
    pub(super) fn rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// The root of the checkout.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All handwritten files.
pub(super) fn all() -> Vec<File> {
    let mut found = Vec::new();
    for folder in ["src", "storage", "agent", "web", "tests", "packaging"] {
        walk(&root().join(folder), &mut found);
    }
    for file in ["build.rs", "install.sh"] {
        read(&root().join(file), &mut found);
    }
    assert!(found.len() > 50, "the walk found only {} files", found.len());
    found
}

fn walk(folder: &Path, found: &mut Vec<File>) {
    const MADE: [&str; 7] =
        ["node_modules", "build", "target", "test-results", "playwright-report", "dist", "generated"];
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || MADE.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() { walk(&path, found) } else { read(&path, found) }
    }
}

/// Scripts without an extension are recognized by their first line.
fn read(path: &Path, found: &mut Vec<File>) {
    const ENDINGS: [&str; 7] = ["rs", "ts", "js", "svelte", "sh", "css", "toml"];
    let ending = path.extension().and_then(|ending| ending.to_str());
    if ending.is_some_and(|ending| !ENDINGS.contains(&ending)) {
        return;
    }
    let Ok(text) = fs::read_to_string(path) else { return };
    if ending.is_none() && !text.starts_with("#!") {
        return;
    }
    let Ok(path) = path.strip_prefix(root()) else { return };
    found.push(File { path: path.to_string_lossy().replace('\\', "/"), text });
}
