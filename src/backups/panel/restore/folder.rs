//! Which repository is meant by a folder: it itself, or the only one in it.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::RestoreError;

/// Entries of a folder that are looked at.
const MOST: usize = 10_000;

/// The folder above the repository, and the repository's name in it.
pub(super) fn repository(path: &Path) -> Result<(PathBuf, String), RestoreError> {
    let whole = fs::canonicalize(path).map_err(|error| {
        RestoreError::Source(format!(
            "the folder {} cannot be opened: {error}. Is the disk mounted, or the share connected?",
            path.display()
        ))
    })?;
    if is_repository(&whole) {
        return split(&whole);
    }
    let mut found = Vec::new();
    // Also the data folder of a panel that is no more, from its disk.
    for folder in [whole.clone(), whole.join("backups")] {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten().take(MOST);
        found.extend(entries.map(|entry| entry.path()).filter(|path| is_repository(path)));
    }
    match found.as_slice() {
        [one] => split(one),
        [] => Err(RestoreError::Source(format!("there is no backup repository in {}", path.display()))),
        some => {
            let names: Vec<_> = some.iter().take(20).map(|path| path.display().to_string()).collect();
            Err(RestoreError::Source(format!(
                "there are several backup repositories: name one of {}. The emergency kit says which is the panel's",
                names.join(", ")
            )))
        }
    }
}

fn is_repository(path: &Path) -> bool {
    path.join("config").is_file() && path.join("keys").is_dir() && path.join("snapshots").is_dir()
}

fn split(path: &Path) -> Result<(PathBuf, String), RestoreError> {
    match (path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (Some(above), Some(name)) => Ok((above.to_owned(), name.to_owned())),
        _ => Err(RestoreError::Source(format!("{} is no folder that can be used", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_by_itself_or_by_what_it_lies_in() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let make = |name: &str| {
            for part in ["keys", "snapshots"] {
                fs::create_dir_all(root.join(name).join(part)).unwrap();
            }
            fs::write(root.join(name).join("config"), "x").unwrap();
        };
        assert!(repository(&root).is_err());
        assert!(repository(&root.join("away")).is_err());
        make("one");
        fs::create_dir(root.join("games")).unwrap();
        assert_eq!(repository(&root).unwrap(), (root.clone(), "one".to_owned()));
        assert_eq!(repository(&root.join("one")).unwrap(), (root.clone(), "one".to_owned()));
        make("backups/two");
        let said = repository(&root).unwrap_err().to_string();
        assert!(said.contains("/one") && said.contains("/two"), "{said}");
    }
}
