//! Where the database's bytes are stored: a file, or in tests a simulated disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::overlay::Overlay;

/// Size of redb's page cache in bytes. The panel's data is small, and the rest is in the system's cache anyway.
const CACHE: usize = 4 << 20;

/// Bytes that must fit on a disk that was full before writes are retried.
const PROBE: usize = 256 << 10;

/// The storage of one database.
pub(crate) trait Disk: Send + Sync {
    /// Opens the database for reading and writing. Never creates one.
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError>;
    /// The current bytes, with writes that stay in memory.
    fn overlay(&self) -> io::Result<Overlay>;
    /// Fails if a write would find no space.
    fn probe(&self) -> io::Result<()>;
    /// Makes a synced copy beside the database and returns its path.
    fn copy_aside(&self, schema: u32) -> io::Result<PathBuf>;
    /// The path, for messages.
    fn path(&self) -> &Path;
}

/// The redb settings for every handle.
pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// A database in a file.
pub(crate) struct FileDisk {
    path: PathBuf,
}

impl FileDisk {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The database's path with this suffix.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }
}

impl Disk for FileDisk {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        // redb would create a new database in an empty file, and with it a panel that anybody can claim.
        if file.metadata()?.len() == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        builder.create_with_backend(FileBackend::new(file)?)
    }

    fn overlay(&self) -> io::Result<Overlay> {
        let file = File::open(&self.path)?;
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        let len = backend.len()?;
        Ok(Overlay::new(Box::new(backend), len))
    }

    fn probe(&self) -> io::Result<()> {
        let path = self.beside(".probe");
        let outcome = write_synced(&path, &vec![0x5a; PROBE]);
        let removed = fs::remove_file(&path);
        outcome.and(removed)
    }

    fn copy_aside(&self, schema: u32) -> io::Result<PathBuf> {
        let copy = self.beside(&format!(".v{schema}.bak"));
        let unfinished = self.beside(".bak.new");
        drop(fs::remove_file(&unfinished));
        let mut to = private_file(&unfinished)?;
        io::copy(&mut File::open(&self.path)?, &mut to)?;
        to.sync_all()?;
        fs::rename(&unfinished, &copy)?;
        sync_folder_of(&copy)?;
        Ok(copy)
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Creates a new file that only its owner can access.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// When running as root, gives a new file to the owner of its folder, so that a panel running as that user can open it.
/// Otherwise does nothing.
pub(crate) fn give_to_owner_of_folder(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let folder = fs::metadata(path.parent().unwrap_or(Path::new(".")))?;
    if folder.uid() == 0 { Ok(()) } else { fchown(file, Some(folder.uid()), Some(folder.gid())) }
}

/// Replaces a file and syncs it to the disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = private_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Syncs the folder of `path`, which makes a rename in it durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
