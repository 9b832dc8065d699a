//! The install script as a file in a folder that is mounted into the install container.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use protocol::ServerId;
use tokio_util::sync::CancellationToken;

/// Path of the script in the container.
pub(super) const PLACE: &str = "/mnt/install/install.sh";

fn folder(data_dir: &Path, server_id: &ServerId) -> PathBuf {
    data_dir.join("agent").join("install").join(server_id.as_str())
}

/// Writes the script into a new folder. Windows line ends and a byte order mark are removed; they would become part of
/// its commands.
pub(super) fn write(data_dir: &Path, server_id: &ServerId, script: &str) -> io::Result<PathBuf> {
    remove(data_dir, server_id)?;
    let folder = folder(data_dir, server_id);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o755).open(folder.join("install.sh"))?;
    file.write_all(plain(script).as_bytes())?;
    file.sync_all()?;
    Ok(folder)
}

fn plain(script: &str) -> String {
    let mut plain = script.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    if !plain.ends_with('\n') {
        plain.push('\n');
    }
    plain
}

/// Removes the folder with everything the script left in it.
pub(super) fn remove(data_dir: &Path, server_id: &ServerId) -> io::Result<()> {
    let folder = folder(data_dir, server_id);
    match fs::symlink_metadata(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => crate::fs::remove(&folder, &CancellationToken::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_script_is_written_as_a_shell_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = write(dir.path(), &"a".into(), "\u{feff}#!/bin/bash\r\necho a\r\n\r\nexit 3").unwrap();
        assert_eq!(fs::read_to_string(folder.join("install.sh")).unwrap(), "#!/bin/bash\necho a\n\nexit 3\n");
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("x"), "x").unwrap();
        symlink(outside.path(), folder.join("out")).unwrap();
        write(dir.path(), &"a".into(), "true").unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        remove(dir.path(), &"a".into()).unwrap();
        remove(dir.path(), &"a".into()).unwrap();
        assert!(outside.path().join("x").exists() && !folder.exists());
    }
}
