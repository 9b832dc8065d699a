//! A repository in a folder of this machine, in restic's layout. A file gets its name when it is whole and on the disk, and
//! its folder is synced before the next step relies on it; what a kill leaves lies in `tmp` and is swept by the next worker.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::guard::Guard;

/// What is left to everything else on the disk.
const RESERVE: u64 = 64 << 20;
/// The largest file that is read as a whole: an index, a snapshot, a pack.
const LARGEST: u64 = 1 << 30;

/// The files of a repository.
#[derive(Debug)]
pub(super) struct LocalStore {
    root: PathBuf,
    guard: Guard,
    parts: AtomicU64,
}

impl LocalStore {
    /// Of this folder. Snapshots are written as long as `guard` knows of no problem.
    pub(super) fn new(root: &Path, guard: Guard) -> Self {
        Self { root: root.to_owned(), guard, parts: AtomicU64::new(0) }
    }

    /// Makes the folders that are missing, and removes what a killed worker has left. Only for who is alone in it.
    pub(super) fn prepare(&self) -> io::Result<()> {
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

    fn path(&self, tpe: FileType, id: &Id) -> PathBuf {
        let hex = id.to_hex();
        match tpe {
            FileType::Config => self.root.join("config"),
            FileType::Pack => self.root.join("data").join(&hex.as_str()[..2]).join(hex.as_str()),
            _ => self.root.join(tpe.dirname()).join(hex.as_str()),
        }
    }

    fn write(&self, tpe: FileType, id: &Id, content: &BytesList) -> io::Result<()> {
        let size = content.size() as u64;
        if tpe == FileType::Pack {
            let stat = rustix::fs::statvfs(&self.root)?;
            if stat.f_bavail.saturating_mul(stat.f_frsize) < RESERVE.saturating_add(size) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let part = self.root.join("tmp").join(self.parts.fetch_add(1, Ordering::Relaxed).to_string());
        let written = write_synced(&part, content.slice()).and_then(|()| {
            let path = self.path(tpe, id);
            let folder = path.parent().unwrap_or(&self.root);
            if tpe == FileType::Pack && DirBuilder::new().mode(0o700).create(folder).is_ok() {
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

    fn list(&self, tpe: FileType) -> io::Result<Vec<(Id, u32)>> {
        let mut found = Vec::new();
        match tpe {
            FileType::Config => {
                if let Ok(meta) = fs::metadata(self.root.join("config")) {
                    found.push((Id::default(), u32::try_from(meta.len()).unwrap_or(u32::MAX)));
                }
            }
            FileType::Pack => {
                for folder in entries(&self.root.join("data"))? {
                    list_into(&folder?.path(), &mut found)?;
                }
            }
            _ => list_into(&self.root.join(tpe.dirname()), &mut found)?,
        }
        Ok(found)
    }
}

/// What is in a folder; nothing where it is missing.
fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// The files of a folder whose names are ids.
fn list_into(folder: &Path, found: &mut Vec<(Id, u32)>) -> io::Result<()> {
    for entry in entries(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(id) = name.to_str().filter(|name| name.len() == 64) else { continue };
        let (Ok(id), meta) = (id.parse::<Id>(), entry.metadata()?) else { continue };
        if meta.is_file() {
            found.push((id, u32::try_from(meta.len()).unwrap_or(u32::MAX)));
        }
    }
    Ok(())
}

/// Writes a new file, and has it on the disk.
pub(super) fn write_synced(path: &Path, content: &[Bytes]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for bytes in content {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

/// Has the names in a folder on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What a file of the repository holds, from `offset` on.
fn read(path: &Path, offset: u64, length: Option<u64>) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    let length = match length {
        Some(length) => length,
        None => file.metadata()?.len(),
    };
    if length > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "it is larger than any file of a repository",
        ));
    }
    if offset > 0 {
        file.seek(SeekFrom::Start(offset))?;
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

/// An error of the system, as the library wants it.
fn wrap(doing: &str, tpe: FileType, id: &Id, error: io::Error) -> Box<RusticError> {
    let cause = error.to_string();
    RusticError::with_source(
        ErrorKind::Backend,
        "{doing} the file `{id}` ({type}) of the repository failed: {cause}",
        error,
    )
    .attach_context("cause", cause)
    .attach_context("doing", doing)
    .attach_context("type", tpe.to_string())
    .attach_context("id", id.to_hex().to_string())
}

impl ReadBackend for LocalStore {
    fn location(&self) -> String {
        format!("local:{}", self.root.display())
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.list(tpe).map_err(|error| wrap("Listing", tpe, &Id::default(), error))
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        read(&self.path(tpe, id), 0, None).map_err(|error| wrap("Reading", tpe, id, error))
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        read(&self.path(tpe, id), offset.into(), Some(length.into()))
            .map_err(|error| wrap("Reading", tpe, id, error))
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.path(tpe, id).display().to_string()
    }
}

impl WriteBackend for LocalStore {
    fn create(&self) -> RusticResult<()> {
        self.prepare().map_err(|error| wrap("Making", FileType::Config, &Id::default(), error))
    }

    fn write_bytes(&self, tpe: FileType, id: &Id, _cacheable: bool, content: BytesList) -> RusticResult<()> {
        // A snapshot says that all of its files are there.
        if tpe == FileType::Snapshot
            && let Some(problem) = self.guard.first_problem()
        {
            return Err(wrap("Writing", tpe, id, io::Error::other(problem)));
        }
        self.write(tpe, id, &content).map_err(|error| {
            if error.kind() == io::ErrorKind::StorageFull {
                self.guard.problem("disk full");
            }
            wrap("Writing", tpe, id, error)
        })
    }

    fn remove(&self, tpe: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let path = self.path(tpe, id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(wrap("Removing", tpe, id, error)),
            _ => Ok(()),
        }
    }
}
