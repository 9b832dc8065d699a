//! What a job does.

use protocol::FileAction;
use rustix::fd::AsFd;

use super::archives;
use super::chmod::chmod;
use super::copy::copy;
use super::guarded::check_within;
use super::job::Job;
use super::store::{fresh_number, sync};
use super::trash;
use crate::fs::{FileError, RelPath, Replace, look, remove_at, rename, special};

/// What is left to do once the job was answered.
#[derive(Debug, Default)]
pub(super) struct After {
    /// Batches of the trash whose sizes are to be counted.
    pub(super) count: Vec<String>,
    /// Bytes that came to the server's files.
    pub(super) written: u64,
}

/// Does what was asked.
pub(super) fn act(job: &mut Job<'_>, action: &FileAction) -> Result<After, FileError> {
    let mut after = After::default();
    match action {
        FileAction::MakeDirectory { path } => make_directory(job, &RelPath::parse(path)?)?,
        FileAction::Rename { path, to, replace } => {
            move_to(job, &RelPath::parse(path)?, &RelPath::parse(to)?, *replace)?;
        }
        FileAction::Copy { path, to } => {
            copy(job, &RelPath::parse(path)?, &RelPath::parse(to)?)?;
            after.written = job.progress.bytes();
        }
        FileAction::Delete { paths, permanent } => {
            let paths = parse_all(paths)?;
            match permanent {
                true => delete(job, &paths)?,
                false => after.count = trash::put(job, &paths)?,
            }
        }
        FileAction::Chmod { path, mode, recursive } => {
            chmod(job, &RelPath::parse(path)?, *mode, *recursive)?;
        }
        FileAction::Restore { ids } => trash::restore(job, ids)?,
        FileAction::EmptyTrash { ids } => trash::empty(job, ids.as_deref())?,
        FileAction::Archive { paths, to, format } => {
            after.written = archives::pack(job, paths, to, *format)?;
        }
        FileAction::Extract { path, to } => after.written = archives::unpack(job, path, to)?,
    }
    Ok(after)
}

/// All of them, none of which is the server's folder itself.
fn parse_all(paths: &[String]) -> Result<Vec<RelPath>, FileError> {
    if paths.is_empty() {
        return Err(FileError::BadPath("is missing"));
    }
    let all: Vec<RelPath> = paths.iter().map(|path| RelPath::parse(path)).collect::<Result<_, _>>()?;
    match all.iter().any(RelPath::is_root) {
        true => Err(FileError::BadPath("is the server's folder itself")),
        false => Ok(all),
    }
}

fn make_directory(job: &mut Job<'_>, path: &RelPath) -> Result<(), FileError> {
    let (parent, name) = job.root.parent_made(path)?;
    if look(&parent, name).is_ok() {
        return Err(FileError::Exists);
    }
    job.root.make(path)?;
    job.progress.add(1, 0, path.as_bytes());
    Ok(())
}

fn move_to(job: &mut Job<'_>, from: &RelPath, to: &RelPath, replace: bool) -> Result<(), FileError> {
    let (folder, name) = job.root.parent(from)?;
    let stat = look(&folder, name)?;
    if to != from && to.is_within(from) {
        return Err(FileError::BadPath("leads into what is moved"));
    }
    let (into, new_name) = job.root.parent_made(to)?;
    // A folder replaces nothing.
    let replace = if replace && special(stat.st_mode).is_none() { Replace::File } else { Replace::Nothing };
    rename(&folder, name, &into, new_name, replace)?;
    job.progress.add(1, 0, to.as_bytes());
    sync(&into)?;
    sync(&folder)
}

/// Removes for good. Each is out of sight at once; what is cut short then, the sweeper ends.
fn delete(job: &mut Job<'_>, paths: &[RelPath]) -> Result<(), FileError> {
    let removed = job.store.removed()?;
    let mut first_error = None;
    for path in paths {
        job.wanted()?;
        let number = fresh_number();
        let moved =
            check_within(job, path).and_then(|()| job.root.parent(path)).and_then(|(folder, name)| {
                match rename(&folder, name, &removed, number.as_bytes(), Replace::Nothing) {
                    Ok(()) => Ok((removed.as_fd().try_clone_to_owned().ok(), number.clone().into_bytes())),
                    // Another file system: remove it in place.
                    Err(FileError::OtherFileSystem) => Ok((Some(folder), name.to_vec())),
                    Err(error) => Err(error),
                }
            });
        let progress = &mut job.progress;
        let done = match moved {
            Ok((Some(folder), name)) => {
                remove_at(folder.as_fd(), &name, job.cancel, &mut |n| progress.add(n, 0, path.as_bytes()))
                    .map_err(FileError::io("remove it"))
            }
            Ok((None, _)) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            job.wanted()?;
            job.progress.skip(path.as_bytes(), error.sentence());
            first_error.get_or_insert(error);
        }
    }
    match first_error {
        Some(error) if job.progress.entries() == 0 => Err(error),
        _ => Ok(()),
    }
}
