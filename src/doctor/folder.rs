//! The data folder: its owner, and who can read the secrets in it.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::views::Finding;

/// Permission bits that give others access.
const OTHERS: u32 = 0o077;

/// `running` is the user of the running panel, if any.
pub(super) fn folder(data_dir: &Path, running: Option<u32>) -> Vec<Finding> {
    let at = data_dir.display();
    let found = match std::fs::metadata(data_dir) {
        Ok(found) => found,
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            let detail = format!("{at} is not there yet: the panel makes it at its first start.");
            let advice = "Start the panel, or name its folder: `DATA_DIR=/where/it/is ctrl-alt-play doctor`.";
            return vec![Finding::note(
                "folder",
                "folder_missing",
                "There is no data folder",
                detail,
                advice,
            )];
        }
        Err(cause) => return vec![closed(data_dir, &cause)],
    };
    if !found.is_dir() {
        let detail = format!("{at} is no folder.");
        let advice = "Choose a folder by DATA_DIR in /etc/default/ctrl-alt-play.";
        return vec![Finding::problem("folder", "folder_missing", "There is no data folder", detail, advice)];
    }
    let mut all = Vec::new();
    if let Some(exposed) = exposed(data_dir, &found) {
        all.push(exposed);
    }
    all.extend(foreign(data_dir, &found, running));
    match secrets(data_dir) {
        Ok(files) => all.extend(files.iter().filter_map(|path| {
            let found = std::fs::metadata(path).ok()?;
            exposed(path, &found)
        })),
        Err(cause) => all.push(closed(data_dir, &cause)),
    }
    if all.is_empty() {
        let detail = format!("{at} and its secrets are closed to other users (owner {}).", found.uid());
        all.push(Finding::ok("folder", "folder", "Data folder", detail));
    }
    all
}

/// Files that only the panel's user may read.
fn secrets(data_dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    // Fails without permission to read the folder, which is reported.
    std::fs::read_dir(data_dir)?;
    let mut files: Vec<PathBuf> = match std::fs::read_dir(data_dir.join("secrets")) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Vec::new(),
        Err(cause) => return Err(cause),
    };
    files.sort();
    files.extend(["panel.redb", "setup-token", "config.toml", "admin.sock"].map(|name| data_dir.join(name)));
    Ok(files)
}

fn exposed(path: &Path, found: &Metadata) -> Option<Finding> {
    let mode = found.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 {
        return None;
    }
    let (at, right) = (path.display(), if found.is_dir() { "700" } else { "600" });
    let detail = format!("{at} is open to other users of this machine (mode {mode:04o}).");
    let advice = format!("`sudo chmod {right} {at}`");
    let title = if found.is_dir() { "The data folder is open to others" } else { "Others can read a secret" };
    let found = if found.is_dir() {
        Finding::warning("folder", "folder_exposed", title, detail, &advice)
    } else {
        Finding::problem("folder", "secret_exposed", title, detail, &advice)
    };
    Some(found.of(at.to_string()))
}

/// Files of another user: the panel was run as that user once, and cannot open them now.
fn foreign(data_dir: &Path, folder: &Metadata, running: Option<u32>) -> Vec<Finding> {
    let owner = running.unwrap_or_else(|| folder.uid());
    // Root can open all files.
    if owner == 0 {
        return Vec::new();
    }
    let names = ["panel.redb", "panel.lock", "instance.json", "secrets", "servers", "copies", "admin.sock"];
    let paths = std::iter::once(data_dir.to_owned()).chain(names.map(|name| data_dir.join(name)));
    let wrong = paths.filter(|path| std::fs::metadata(path).is_ok_and(|found| found.uid() != owner));
    let wrong: Vec<String> = wrong.map(|path| path.display().to_string()).collect();
    let Some(first) = wrong.first() else { return Vec::new() };
    let detail =
        format!("The panel's user is {owner}, but {first} belongs to another one ({} in all).", wrong.len());
    let advice = format!(
        "With the panel stopped: `sudo find {} -maxdepth 1 -exec chown {owner}:{owner} {{}} +`, and the same for `secrets` \
         and `copies` in it. Leave what lies below `servers` as it is.",
        data_dir.display()
    );
    vec![Finding::problem("folder", "folder_foreign", "Files belong to another user", detail, &advice)]
}

fn closed(data_dir: &Path, cause: &std::io::Error) -> Finding {
    let detail = format!("{} could not be looked at: {cause}.", data_dir.display());
    let advice = "Ask as root: `sudo ctrl-alt-play doctor`.";
    Finding::note("folder", "folder_unseen", "The data folder was not looked at", detail, advice)
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;
    use super::*;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_is_closed_open_or_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        set(path, 0o700);
        std::fs::create_dir(path.join("secrets")).unwrap();
        std::fs::write(path.join("secrets/jwt"), "x").unwrap();
        set(&path.join("secrets/jwt"), 0o600);
        assert_eq!(codes(&self::folder(path, None)), ["folder"]);
        set(&path.join("secrets/jwt"), 0o644);
        let found = self::folder(path, None);
        assert_eq!(codes(&found), ["secret_exposed"]);
        assert!(found[0].advice.as_deref().unwrap().contains("chmod 600"));
        set(&path.join("secrets/jwt"), 0o600);
        set(path, 0o755);
        assert_eq!(codes(&self::folder(path, None)), ["folder_exposed"]);
        assert_eq!(codes(&self::folder(&path.join("none"), None)), ["folder_missing"]);
        assert_eq!(codes(&self::folder(&path.join("secrets/jwt"), None)), ["folder_missing"]);
    }

    #[test]
    fn files_of_another_user_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("instance.json"), "").unwrap();
        let ours = rustix::process::geteuid().as_raw();
        let found = self::folder(folder.path(), Some(ours + 1));
        assert!(codes(&found).contains(&"folder_foreign".to_owned()), "{found:?}");
        assert!(!codes(&self::folder(folder.path(), Some(ours))).contains(&"folder_foreign".to_owned()));
    }
}
