//! The servers' files of another machine, as this one goes on with them.

use std::path::Path;

use super::{PersistError, Wanted, load_all, save};

/// Makes the files in `dir` those of servers that stand still: their containers are made at their next start. Who owns
/// their files is chosen anew where `same_user` is false.
///
/// # Errors
/// A file could not be read or written.
pub fn settle_restored(dir: &Path, same_user: bool) -> Result<(), PersistError> {
    for mut file in load_all(dir)?.into_iter().filter(|file| !file.deleting) {
        file.wanted = Wanted::Stopped;
        file.pending = None;
        file.installing = None;
        file.ready = None;
        if !same_user {
            file.user = None;
        }
        save(dir, &file)?;
    }
    Ok(())
}
