//! Installs the program: directly, or by the guard if it runs the service. The guard restores the old program if the
//! new one does not start.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use agent::upgrades::{Folder, hash, newer};

use super::answers::answers;
use super::error::ServiceError;
use super::layout::Layout;
use super::put::{self, Owner, ROOT};
use super::tools::{command, wait};

/// Bytes compared at a time.
const CHUNK: usize = 64 * 1024;
/// Free space required for a program and its copies, in bytes.
const ROOM: u64 = 64 << 20;
/// Time limit for a new program to start, or for the guard to restore the old one.
const COMES_UP_WITHIN: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(200);

/// The version that a program reports; `None` if it does not exist or does not run.
pub(super) fn version(program: &Path) -> Option<String> {
    let said = command(program.to_str()?).arg("--version").stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout);
    said.split_whitespace().nth(1).map(str::to_owned)
}

/// Whether two files have the same content.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut ours, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let read = one.read(&mut ours)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut theirs[..read])?;
        if ours[..read] != theirs[..read] {
            return Ok(false);
        }
    }
}

/// A program to install, and the one it replaces.
pub(super) struct Binary<'p> {
    /// The new one.
    program: &'p Path,
    /// Its version.
    pub(super) version: String,
    /// Version of the program currently installed; `None` if there is none that runs.
    pub(super) before: Option<String>,
    /// Whether the same file is already installed.
    pub(super) in_place: bool,
}

impl<'p> Binary<'p> {
    /// Compares the two. An older version is refused, because it may be unable to read what a newer one has written.
    pub(super) fn new(layout: &Layout, program: &'p Path) -> Result<Self, ServiceError> {
        let Some(version) = version(program) else {
            let why = "does not run on this machine; nothing was changed";
            return Err(ServiceError::Refused(format!("{} {why}", program.display())));
        };
        let place = layout.binary();
        let in_place = same(program, &place).unwrap_or(false);
        let before = self::version(&place);
        not_older(before.as_deref(), &version)?;
        Ok(Self { program, version, before, in_place })
    }

    /// Like [`Self::new`], for a version whose program has not been downloaded yet.
    pub(super) fn with_version(self, version: &str) -> Result<Self, ServiceError> {
        not_older(self.before.as_deref(), version)?;
        Ok(Self { version: version.to_owned(), in_place: false, ..self })
    }

    /// Whether the guard can install it: there is one, and its service is running.
    pub(super) fn guarded(layout: &Layout) -> bool {
        let guarded = layout.found.as_ref().is_some_and(|found| found.guarded);
        guarded && layout.guard().exists() && layout.runs()
    }

    /// Renames it over the old one, so that there is never a partial file, and a running program keeps its own.
    pub(super) fn replace(&self, layout: &Layout) -> Result<(), ServiceError> {
        let place = layout.binary();
        let folder = place.parent().unwrap_or(Path::new("/"));
        put::make_folder(folder)?;
        room(folder)?;
        let mut from = File::open(self.program).map_err(ServiceError::file("read", self.program))?;
        put::write(&place, &mut from, 0o755, ROOT)
    }

    /// Stages the program for the guard, restarts the service, and waits for the result.
    pub(super) fn hand_over(&self, layout: &Layout, user: Owner) -> Result<(), ServiceError> {
        let folder = Folder::of(&layout.data_dir);
        let staged = self.stage(layout, user);
        if staged.is_err() {
            folder.unstage();
        }
        staged?;
        // The restart may fail because the guard restores the old program; that is checked below.
        let manager = layout.manager.into_iter();
        manager.for_each(|manager| drop(manager.launch(layout.name, "restart")));
        let deadline = Instant::now() + COMES_UP_WITHIN;
        while (folder.is_staged() || folder.on_trial() || !answers(layout)) && Instant::now() < deadline {
            wait(LOOK);
        }
        if same(self.program, &layout.binary()).unwrap_or(false) {
            return Ok(());
        }
        let _ = put::remove(&layout.unfinished());
        let reason = folder.outcome().and_then(|outcome| outcome.reason);
        Err(ServiceError::Refused(format!(
            "{} did not come up ({}), and {} is back as it was. Its log says more: {}",
            self.version,
            reason.as_deref().unwrap_or("see the log"),
            self.before.as_deref().unwrap_or("the old one"),
            layout.log(),
        )))
    }

    fn stage(&self, layout: &Layout, user: Owner) -> Result<(), ServiceError> {
        let folder = layout.data_dir.join("upgrade");
        room(&layout.data_dir)?;
        match fs::symlink_metadata(&folder) {
            Ok(there) if !there.is_dir() => {
                let why = "is no folder, which it must be: remove it, then run this again";
                return Err(ServiceError::Refused(format!("{} {why}", folder.display())));
            }
            Ok(_) => {}
            Err(_) => DirBuilder::new()
                .mode(0o700)
                .create(&folder)
                .and_then(|()| chown(&folder, Some(user.0), Some(user.1)))
                .map_err(ServiceError::file("made", &folder))?,
        }
        let staged = folder.join("staged");
        put::remove(&staged).map_err(ServiceError::file("removed", &staged))?;
        let mut from = File::open(self.program).map_err(ServiceError::file("read", self.program))?;
        put::write(&folder.join("program"), &mut from, 0o755, user)?;
        // The guard accepts files staged by root without the release's signature.
        let mut program = File::open(self.program).map_err(ServiceError::file("read", self.program))?;
        let sha256 = hash(&mut program).map_err(ServiceError::file("read", self.program))?;
        let text = format!("{} {sha256}\n", self.version);
        put::write(&staged, &mut text.as_bytes(), 0o644, ROOT)
    }
}

fn not_older(before: Option<&str>, version: &str) -> Result<(), ServiceError> {
    match before {
        Some(before) if newer(version, before).is_ok() => Err(ServiceError::Refused(format!(
            "Ctrl-Alt-Play {before} is installed, and {version} is older: an older one may not be able to read its data. \
             Nothing was changed; --version {before} is the release to install again"
        ))),
        _ => Ok(()),
    }
}

fn room(folder: &Path) -> Result<(), ServiceError> {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= ROOM {
        return Ok(());
    }
    Err(ServiceError::Refused(format!(
        "{} has {} MB left, {} MB are needed: make room, then run this again; nothing was changed",
        folder.display(),
        free >> 20,
        ROOM >> 20
    )))
}
