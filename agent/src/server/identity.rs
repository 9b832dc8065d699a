//! The user of a game inside images made for eggs: a user with a name and a home directory, and a machine id. Small
//! files of the agent, mounted over those of the image.

use std::io;
use std::path::Path;

use protocol::ServerId;
use sha2::{Digest, Sha256};

use super::{folder, zone};
use crate::runtime::MountedFile;

/// Subfolder of the agent's own folder, with one folder per server.
const FOLDER: &str = "identity";

/// Writes the files for a container that runs as `uid:gid` with this home directory.
pub(super) fn files(
    state_dir: &Path,
    server_id: &ServerId,
    user: &str,
    home: &str,
) -> io::Result<Vec<MountedFile>> {
    let Some((uid, gid)) = folder::parse_pair(user) else { return Ok(Vec::new()) };
    let dir = state_dir.join(FOLDER).join(server_id.as_str());
    // A colon or line end would start a new field or entry.
    let home = if home.contains([':', '\n']) { "/" } else { home };
    let root = if uid == 0 { String::new() } else { "root:x:0:0:root:/root:/bin/sh\n".to_owned() };
    let passwd = format!(
        "{root}container:x:{uid}:{gid}::{home}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    );
    let root = if gid == 0 { "" } else { "root:x:0:\n" };
    let group = format!("{root}container:x:{gid}:\nnogroup:x:65534:\n");
    let hash = Sha256::digest(format!("ctrl-alt-play machine-id {server_id}"));
    let machine_id: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    [("passwd", passwd), ("group", group), ("machine-id", format!("{machine_id}\n"))]
        .into_iter()
        .map(|(name, text)| {
            let file = dir.join(name);
            zone::keep(&file, text.as_bytes())?;
            Ok(MountedFile { file, place: format!("/etc/{name}") })
        })
        .collect()
}

/// Removes a server's identity files.
pub(super) fn remove(state_dir: &Path, server_id: &ServerId) {
    // They are rewritten before each start, so leftovers are harmless.
    let _ = std::fs::remove_dir_all(state_dir.join(FOLDER).join(server_id.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_with_a_name_and_a_machine_that_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let read = |server: &str| {
            let files = files(dir.path(), &server.into(), "988:989", "/home/container").unwrap();
            files.iter().map(|one| std::fs::read_to_string(&one.file).unwrap()).collect::<Vec<_>>()
        };
        let first = read("a");
        assert!(first[0].contains("\ncontainer:x:988:989::/home/container:/bin/sh\n"), "{}", first[0]);
        assert!(first[1].contains("container:x:989:\n"));
        assert!(first[2].len() == 33 && first[2].trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(read("a"), first);
        assert_ne!(read("b")[2], first[2]);
        assert!(files(dir.path(), &"a".into(), "games", "/").unwrap().is_empty());
        remove(dir.path(), &"a".into());
        assert!(!dir.path().join(FOLDER).join("a").exists());
    }
}
