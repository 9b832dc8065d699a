//! Copies of the whole database: made while it is in use, verified before they get their final name, and restored.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::backend::{FileDisk, give_to_owner_of_folder, private_file, sync_folder_of};
use crate::error::Error;
use crate::open::{FILE, OpenError, check, lock};
use crate::schema;
use crate::store::Store;

/// Why no copy was made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database could not be read, or the copy not written.
    #[error(transparent)]
    Database(#[from] Error),
    /// The copy would be in the data folder, or replace the database itself.
    #[error(
        "{} is in the data folder, where only the folder copies takes copies: name a file elsewhere, or one in {}",
        path.display(), copies.display()
    )]
    Inside {
        /// The requested path.
        path: PathBuf,
        /// The folder for copies.
        copies: PathBuf,
    },
    /// The copy, the file to restore, or the existing database could not be opened or checked.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Facts about a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its schema number.
    pub schema: u32,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Store {
    /// Makes a consistent copy at `to`, replacing that file atomically. Writes wait meanwhile; for a panel's few
    /// megabytes that is a moment.
    ///
    /// # Errors
    /// [`CopyError`]; the file at `to` is then unchanged.
    pub async fn copy_to(&self, to: PathBuf) -> Result<Copied, CopyError> {
        let from = self.path().to_owned();
        not_itself(&from, &to)?;
        let unfinished = beside(&to);
        let target = unfinished.clone();
        // This runs on the writer's thread between two commits, so the file holds exactly the newest commit.
        self.write(move |_tx| copy(&from, &target).map_err(CopyError::Open)).await?;
        tokio::task::spawn_blocking(move || finish(&unfinished, &to))
            .await
            .map_err(|error| CopyError::Database(Error::Panicked(error.to_string())))?
    }
}

/// Checks whether a copy may be written to `to`: anywhere outside the data folder `dir`, however that is named, or in
/// its folder for copies. It must not be another name of the database.
///
/// # Errors
/// [`CopyError::Inside`], or [`CopyError::Open`] if the folder of `to` does not exist.
pub fn check_target(dir: &Path, to: &Path) -> Result<(), CopyError> {
    use std::os::unix::fs::MetadataExt;
    let looked = |path: &Path| {
        let path = path.to_owned();
        move |error| CopyError::Open(OpenError::io("looking for the folder of", &path, error))
    };
    let id = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let copies = dir.join("copies");
    let inside = || CopyError::Inside { path: to.to_owned(), copies: copies.clone() };
    let (database, data, kept) = (id(&dir.join(FILE)), id(dir), id(&copies));
    // Check both the folder as named and, if `to` exists, the folder a link there leads to.
    let named = to.parent().map(|parent| parent.canonicalize()).transpose().map_err(looked(to))?;
    let behind = to.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    for folder in named.iter().chain(&behind) {
        // Compared by device and inode, since a folder may be mounted in two places.
        let above =
            folder.ancestors().map(id).find(|above| above.is_some() && (*above == kept || *above == data));
        if above.is_some_and(|above| above == data) {
            return Err(inside());
        }
    }
    if id(to).is_some_and(|found| Some(found) == database) {
        return Err(inside());
    }
    Ok(())
}

/// Refuses to overwrite the database with its own copy, under whatever name.
fn not_itself(database: &Path, to: &Path) -> Result<(), CopyError> {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    if id(to).is_some_and(|found| Some(found) == id(database)) {
        let copies = database.with_file_name("copies");
        return Err(CopyError::Inside { path: to.to_owned(), copies });
    }
    Ok(())
}

/// Verifies every checksum of a database that is not in use. Writes nothing.
///
/// # Errors
/// [`OpenError`] says what is wrong with it.
pub fn check_file(path: &Path) -> Result<Copied, OpenError> {
    let bytes = fs::metadata(path).map_err(|e| OpenError::io("looking for", path, e))?.len();
    let facts = check::check_up_to(&FileDisk::new(path.to_owned()), u64::MAX)?;
    Ok(Copied { schema: facts.schema, bytes })
}

/// Like [`check_file`], and refuses a database of a newer program.
///
/// # Errors
/// [`OpenError`] says what is wrong with it.
pub fn check_usable(path: &Path) -> Result<Copied, OpenError> {
    let facts = check_file(path)?;
    let known = schema::CURRENT.number;
    if facts.schema > known {
        return Err(OpenError::NewerSchema { path: path.to_owned(), file: facts.schema, known });
    }
    Ok(facts)
}

/// Keeps every panel out of a data folder, until it is dropped.
pub struct Held {
    _lock: lock::Lock,
}

/// Keeps every panel out of a data folder.
///
/// # Errors
/// [`OpenError::AlreadyOpen`] if a panel is using the folder.
pub fn hold(dir: &Path) -> Result<Held, OpenError> {
    Ok(Held { _lock: lock::take(&dir.join("panel.lock"), &dir.join(FILE))? })
}

/// Moves a copy to another place, replacing the file there atomically.
///
/// # Errors
/// [`CopyError`]; the file at `to` is then unchanged.
pub fn bring(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    let unfinished = beside(to);
    let brought = copy(from, &unfinished).map_err(CopyError::Open).and_then(|()| finish(&unfinished, to));
    remove(from).map_err(|e| OpenError::io("removing a copy", from, e))?;
    brought
}

/// Like [`Store::copy_to`], for the database of a data folder that no panel is using.
///
/// # Errors
/// [`CopyError`]; [`OpenError::AlreadyOpen`] if a panel is using it.
pub fn copy_of_closed(dir: &Path, to: &Path) -> Result<Copied, CopyError> {
    let path = dir.join(FILE);
    let _lock = lock::take(&dir.join("panel.lock"), &path)?;
    not_itself(&path, to)?;
    let unfinished = beside(to);
    copy(&path, &unfinished)?;
    finish(&unfinished, to)
}

/// Replaces the database of a data folder that no panel is using with a copy. The previous database is kept beside it,
/// at the returned path; `None` if there was none.
///
/// # Errors
/// The copy is not a database or has a schema that this program does not know; [`OpenError::AlreadyOpen`] if a panel is
/// using the folder. Nothing has changed then.
pub fn restore(dir: &Path, from: &Path) -> Result<Option<PathBuf>, OpenError> {
    let path = dir.join(FILE);
    let _lock = lock::take(&dir.join("panel.lock"), &path)?;
    check_usable(from)?;
    let unfinished = beside(&path);
    copy(from, &unfinished)?;
    File::open(&unfinished)
        .and_then(|file| give_to_owner_of_folder(&file, &unfinished))
        .map_err(|e| OpenError::io("giving away", &unfinished, e))?;
    check_file(&unfinished)?;
    let failed = |e| OpenError::io("putting back", &path, e);
    let before = dir.join(format!("{FILE}.before-restore"));
    // Linked under a second name first, so that there is a database at every moment.
    let kept = match fs::metadata(&path) {
        Ok(_) => {
            remove(&before).map_err(failed)?;
            fs::hard_link(&path, &before).map_err(failed)?;
            Some(before)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(failed(e)),
    };
    fs::rename(&unfinished, &path).and_then(|()| sync_folder_of(&path)).map_err(failed)?;
    Ok(kept)
}

/// Temporary path of an incomplete copy.
fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    let work = || {
        remove(to)?;
        let mut file = private_file(to)?;
        io::copy(&mut File::open(from)?, &mut file)?;
        file.sync_all()
    };
    work().map_err(|e| {
        drop(fs::remove_file(to));
        OpenError::io("copying the database to", to, e)
    })
}

fn finish(unfinished: &Path, to: &Path) -> Result<Copied, CopyError> {
    let copied = check_file(unfinished).inspect_err(|_| drop(fs::remove_file(unfinished)))?;
    fs::rename(unfinished, to)
        .and_then(|()| sync_folder_of(to))
        .map_err(|e| OpenError::io("naming a copy", to, e))?;
    Ok(copied)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes;
    use crate::testing::{node, read, store, write};

    fn copy_now(store: &Store, to: &Path) -> Copied {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.copy_to(to.to_owned())).unwrap()
    }

    #[test]
    fn a_copy_under_writers_is_whole_and_can_be_put_back() {
        let (dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("first")));
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = store.clone();
                std::thread::spawn(move || {
                    for n in 0..50 {
                        let id = format!("n{writer}-{n}");
                        store.write_blocking(move |tx| nodes::insert(tx, &node(&id))).unwrap();
                    }
                })
            })
            .collect();
        let copy = dir.path().join("copy.redb");
        for _ in 0..5 {
            let copied = copy_now(&store, &copy);
            assert_eq!(
                (copied.schema, copied.bytes),
                (schema::CURRENT.number, fs::metadata(&copy).unwrap().len())
            );
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        copy_now(&store, &copy);
        let then = read(&store, nodes::list);
        write(&store, |tx| nodes::delete(tx, "first"));
        assert!(matches!(restore(dir.path(), &copy), Err(OpenError::AlreadyOpen { .. })));
        store.close();
        let kept = restore(dir.path(), &copy).unwrap().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(read(&store, nodes::list), then);
        store.close();
        // And back again.
        restore(dir.path(), &kept).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(read(&store, nodes::list).len(), then.len() - 1);
    }

    #[test]
    fn what_root_puts_back_is_the_folders_owners() {
        use std::os::unix::fs::{MetadataExt, chown};
        let (dir, store) = store();
        store.close();
        let copy = tempfile::tempdir().unwrap();
        let copy = copy.path().join("copy.redb");
        if chown(dir.path(), Some(1234), Some(1235)).is_err() {
            return;
        }
        fs::remove_file(dir.path().join("panel.lock")).unwrap();
        copy_of_closed(dir.path(), &copy).unwrap();
        restore(dir.path(), &copy).unwrap();
        for name in [FILE, "panel.lock"] {
            let found = fs::metadata(dir.path().join(name)).unwrap();
            assert_eq!((found.uid(), found.gid(), found.mode() & 0o777), (1234, 1235, 0o600), "{name}");
        }
        assert_eq!(fs::metadata(&copy).unwrap().uid(), 0, "what root takes out is root's");
    }

    #[test]
    fn a_copy_never_takes_the_place_of_what_is_in_the_data_folder() {
        use std::os::unix::fs::symlink;
        let (dir, store) = store();
        let data = dir.path();
        let outside = tempfile::tempdir().unwrap();
        let out = |name: &str| outside.path().join(name);
        fs::create_dir(data.join("servers")).unwrap();
        symlink(data, out("link")).unwrap();
        symlink(data.join(FILE), out("to-the-database")).unwrap();
        symlink(data.join("new.redb"), out("to-what-is-not-there")).unwrap();
        fs::hard_link(data.join(FILE), out("second-name")).unwrap();
        for bad in [
            data.join(FILE),
            data.join("other.redb"),
            data.join("servers/x"),
            data.join("copies/x"),
            data.join("servers/../panel.redb"),
            out("link/panel.redb"),
            out("link/x"),
            out("to-the-database"),
            out("second-name"),
            out("nowhere/x"),
        ] {
            assert!(check_target(data, &bad).is_err(), "{}", bad.display());
        }
        fs::create_dir_all(data.join("copies/mine")).unwrap();
        fs::hard_link(data.join(FILE), data.join("copies/second")).unwrap();
        for bad in [data.join("copies/../x"), data.join("copies/second")] {
            assert!(check_target(data, &bad).is_err(), "{}", bad.display());
        }
        for good in [
            out("x.redb"),
            data.join("copies/x"),
            data.join("copies/mine/x"),
            out("link/copies/x"),
            out("link/../y"),
        ] {
            check_target(data, &good).unwrap();
        }
        // A link is replaced, not followed.
        check_target(data, &out("to-what-is-not-there")).unwrap();
        drop(store);
    }

    #[test]
    fn what_is_no_database_is_not_put_back() {
        let (dir, store) = store();
        store.close();
        let before = fs::read(dir.path().join(FILE)).unwrap();
        let odd = dir.path().join("odd");
        for bytes in [&b""[..], b"not a database", &before[..before.len() / 2]] {
            fs::write(&odd, bytes).unwrap();
            assert!(restore(dir.path(), &odd).is_err(), "{} bytes", bytes.len());
        }
        let mut flipped = before.clone();
        let middle = flipped.len() / 2;
        flipped[middle..middle + 64].fill(0xa5);
        fs::write(&odd, &flipped).unwrap();
        if check_file(&odd).is_err() {
            assert!(restore(dir.path(), &odd).is_err());
        }
        assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), before);
        assert!(!dir.path().join("panel.redb.new").exists());
    }

    #[test]
    fn a_database_that_vanished_comes_back() {
        let (dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("n")));
        store.close();
        let copy = dir.path().join("copy");
        copy_of_closed(dir.path(), &copy).unwrap();
        fs::remove_file(dir.path().join(FILE)).unwrap();
        assert!(matches!(Store::open(dir.path()), Err(OpenError::Missing { .. })));
        assert_eq!(restore(dir.path(), &copy).unwrap(), None);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(read(&store, nodes::list).len(), 1);
    }
}
