//! A repository in a local folder, in restic's layout. Files are written to `tmp`, synced and renamed, and their folder
//! is synced too. The next worker removes what a killed one left in `tmp`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustic_core::Id;

use super::files::{Kind, LARGEST, Part, Store, id_of, push};
use crate::backups::worker::message::{Failure, FailureCode};

/// Space that is left free on the disk.
const RESERVE: u64 = 64 << 20;
/// Hint if the folder of a target is missing.
const AWAY: &str = "Is the disk mounted, or the share connected?";

/// The files of a repository in a folder.
#[derive(Debug)]
pub(in crate::backups::worker) struct FolderStore {
    root: PathBuf,
    /// The target is on the same disk as the node's data.
    same_disk: bool,
    parts: AtomicU64,
}

impl FolderStore {
    /// A repository in the node's data folder.
    pub(in crate::backups::worker) fn of_node(root: &Path) -> Self {
        Self { root: root.to_owned(), same_disk: false, parts: AtomicU64::new(0) }
    }

    /// A repository below an existing folder. `data` is a path on the node's own disk.
    pub(super) fn below(path: &Path, id: &str, data: &Path) -> Result<Self, Failure> {
        if !path.is_absolute() {
            let sentence = "The folder of the backup target has to be a whole path, such as /mnt/backups.";
            return Err(Failure::new(FailureCode::Failed, sentence));
        }
        let meta = fs::metadata(path).map_err(|error| {
            let sentence = format!(
                "The folder {} of the backup target cannot be opened: {error}. {AWAY}",
                path.display()
            );
            Failure::new(FailureCode::Unreachable, sentence)
        })?;
        if !meta.is_dir() {
            let sentence = format!("The backup target {} is no folder.", path.display());
            return Err(Failure::new(FailureCode::Failed, sentence));
        }
        let same_disk = fs::metadata(data).is_ok_and(|data| data.dev() == meta.dev());
        Ok(Self { root: path.join(id), same_disk, parts: AtomicU64::new(0) })
    }

    fn path(&self, kind: Kind, id: &Id) -> PathBuf {
        self.root.join(kind.path(id))
    }

    fn make(&self) -> io::Result<()> {
        let mut make = DirBuilder::new();
        make.recursive(true).mode(0o700);
        make.create(&self.root)?;
        let parts = self.root.join("tmp");
        match fs::remove_dir_all(&parts) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for name in ["keys", "snapshots", "index", "locks", "data", "tmp"] {
            make.create(self.root.join(name))?;
        }
        sync_folder(&self.root)
    }

    fn put(&self, kind: Kind, id: &Id, content: &[Bytes]) -> io::Result<()> {
        if kind == Kind::Pack {
            let size: u64 = content.iter().map(|bytes| bytes.len() as u64).sum();
            let stat = rustix::fs::statvfs(&self.root)?;
            if stat.f_bavail.saturating_mul(stat.f_frsize) < RESERVE.saturating_add(size) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let part = self.root.join("tmp").join(self.parts.fetch_add(1, Ordering::Relaxed).to_string());
        let written = write_synced(&part, content).and_then(|()| {
            let path = self.path(kind, id);
            let folder = path.parent().unwrap_or(&self.root);
            if kind == Kind::Pack && DirBuilder::new().mode(0o700).create(folder).is_ok() {
                sync_folder(&self.root.join("data"))?;
            }
            fs::rename(&part, &path)?;
            sync_folder(folder)
        });
        if written.is_err() {
            drop(fs::remove_file(&part));
        }
        written
    }

    fn failure(&self, doing: &str, error: &io::Error) -> Failure {
        Failure::io(format_args!("{doing} the backup repository {}", self.root.display()), error)
    }
}

impl Store for FolderStore {
    fn prepare(&self) -> Result<(), Failure> {
        self.make().map_err(|error| self.failure("Opening", &error))
    }

    fn write(&self, kind: Kind, id: &Id, content: &[Bytes]) -> Result<(), Failure> {
        self.put(kind, id, content).map_err(|error| self.failure("Writing to", &error))
    }

    fn read(&self, kind: Kind, id: &Id, part: Part) -> Result<Bytes, Failure> {
        read(&self.path(kind, id), part).map_err(|error| self.failure("Reading from", &error))
    }

    fn list(&self, kind: Kind) -> Result<Vec<(Id, u32)>, Failure> {
        let failed = |error: io::Error| self.failure("Reading", &error);
        let mut found = Vec::new();
        match kind {
            Kind::Config => match fs::metadata(self.root.join("config")) {
                Ok(meta) => push(&mut found, Id::default(), meta.len())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            },
            Kind::Pack => {
                for folder in entries(&self.root.join("data")).map_err(failed)? {
                    let folder = folder.map_err(failed)?;
                    if folder.file_type().is_ok_and(|what| what.is_dir()) {
                        self.list_into(&folder.path(), &mut found)?;
                    }
                }
            }
            _ => self.list_into(&self.root.join(kind.folder()), &mut found)?,
        }
        Ok(found)
    }

    fn remove(&self, kind: Kind, id: &Id) -> Result<(), Failure> {
        match fs::remove_file(self.path(kind, id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failure("Removing from", &error))
            }
            _ => Ok(()),
        }
    }

    fn probe(&self, content: &Bytes) -> Result<Option<String>, Failure> {
        // Beside the repository, which may not exist yet.
        let folder = self.root.parent().unwrap_or(&self.root);
        let path = folder.join(format!(".probe-{}", std::process::id()));
        let probed = write_synced(&path, std::slice::from_ref(content)).and_then(|()| read(&path, None));
        let removed = fs::remove_file(&path);
        let failed = |error: io::Error| {
            Failure::io(format_args!("Writing a probe to the folder {}", folder.display()), &error)
        };
        let read = probed.map_err(failed)?;
        removed.map_err(failed)?;
        if read != *content {
            let sentence = "What was written there was not read as it was written.";
            return Err(Failure::new(FailureCode::Failed, sentence));
        }
        Ok(self.same_disk.then(|| {
            "This folder is on the same disk as the servers. When that disk dies, the backups die too."
                .to_owned()
        }))
    }

    fn free(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.root)
            .or_else(|_| rustix::fs::statvfs(self.root.parent().unwrap_or(&self.root)))
            .ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl FolderStore {
    /// Lists the files whose names are ids.
    fn list_into(&self, folder: &Path, found: &mut Vec<(Id, u32)>) -> Result<(), Failure> {
        let failed = |error: io::Error| self.failure("Reading", &error);
        for entry in entries(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(id_of) else { continue };
            let meta = entry.metadata().map_err(failed)?;
            if meta.is_file() {
                push(found, id, meta.len())?;
            }
        }
        Ok(())
    }
}

/// The entries of a folder. Empty if it is missing.
fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// Writes and syncs a new file.
fn write_synced(path: &Path, content: &[Bytes]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for bytes in content {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

/// Syncs a folder. Some network shares do not support it.
fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

fn read(path: &Path, part: Part) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    let (offset, length) = match part {
        Some((offset, length)) => (u64::from(offset), u64::from(length)),
        None => (0, file.metadata()?.len()),
    };
    if length > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    if offset > 0 {
        file.seek(SeekFrom::Start(offset))?;
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}
