//! The node's own small files about each repository: the lock of its worker, whether the repository existed before, and
//! which part is checked next.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use protocol::BackupLocation;
use rustix::fs::FlockOperation;

use super::message::{Failure, FailureCode};

/// The files about one repository.
pub(super) struct Place {
    node: PathBuf,
    id: String,
}

impl Place {
    pub(super) fn new(node: &Path, id: &str) -> Self {
        Self { node: node.to_owned(), id: id.to_owned() }
    }

    fn beside(&self, what: &str) -> PathBuf {
        self.node.join(format!("{}.{what}", self.id))
    }

    /// Ensures that only one worker of this node uses the repository.
    pub(super) fn alone(&self) -> Result<File, Failure> {
        let opened = fs::create_dir_all(&self.node).and_then(|()| {
            OpenOptions::new().create(true).append(true).mode(0o600).open(self.beside("lock"))
        });
        let file = opened.map_err(|error| Failure::io("Opening the backup repository", &error))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            let sentence = "Another process of this program is at work in the backup repository.";
            Failure::new(FailureCode::Locked, sentence)
        })?;
        Ok(file)
    }

    /// Identifies this node's workers in restic's locks.
    pub(super) fn worker_id(&self) -> Result<String, Failure> {
        let path = self.node.join("worker-id");
        if let Ok(id) = fs::read_to_string(&path)
            && id.len() == 16
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return Ok(id);
        }
        let id = format!("{:016x}", rand::random::<u64>());
        self.keep(&path, &id)?;
        Ok(id)
    }

    /// Refuses to create a repository where one existed before: a mount point without its disk looks like an empty
    /// folder.
    pub(super) fn may_be_new(&self, location: &BackupLocation) -> Result<(), Failure> {
        if location.is_node() || !self.beside("known").exists() {
            return Ok(());
        }
        let sentence = match location {
            BackupLocation::Folder { path } => format!(
                "The backup repository is not in {path} any more. Is the disk mounted, or the share connected?"
            ),
            _ => "The backup repository is not at the backup target any more. Was it emptied or replaced?"
                .to_owned(),
        };
        Err(Failure::new(FailureCode::Unreachable, sentence))
    }

    /// Records that the repository exists.
    pub(super) fn is_known(&self) -> Result<(), Failure> {
        let path = self.beside("known");
        if path.exists() { Ok(()) } else { self.keep(&path, "") }
    }

    /// The part to check next.
    pub(super) fn next_part(&self, share: u32) -> u32 {
        let path = self.beside("checked");
        let last = fs::read_to_string(&path).ok().and_then(|text| text.parse::<u32>().ok());
        // Start anywhere.
        let part = last.map_or_else(rand::random, |last| last.wrapping_add(1)) % share;
        drop(self.keep(&path, &part.to_string()));
        part
    }

    fn keep(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let keep = || -> io::Result<()> {
            fs::create_dir_all(&self.node)?;
            let part = self.beside(&format!("part-{}", std::process::id()));
            drop(fs::remove_file(&part));
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&part)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&part, path)?;
            File::open(&self.node)?.sync_all()
        };
        keep().map_err(|error| Failure::io(format_args!("Writing {}", path.display()), &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_has_been_there_is_not_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path(), "r");
        let folder = BackupLocation::Folder { path: "/mnt/disk".into() };
        assert!(place.may_be_new(&folder).is_ok());
        place.is_known().unwrap();
        let refused = place.may_be_new(&folder).unwrap_err();
        assert!(refused.message.contains("mounted"), "{refused}");
        assert!(place.may_be_new(&BackupLocation::Node).is_ok());
    }

    #[test]
    fn parts_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path(), "r");
        let first = place.next_part(3);
        assert_eq!(place.next_part(3), (first + 1) % 3);
        assert_eq!(place.worker_id().unwrap(), place.worker_id().unwrap());
        assert!(place.alone().is_ok());
    }
}
