//! Trees of files that a game made, and may still be changing: walked, counted, removed and given away by the handles of
//! the folders, never by joined paths.

mod open;
mod remove;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use open::FOLDER;
pub(crate) use remove::remove;
pub(crate) use walk::{At, Bounds, Missed, Mounts, Next, Stopped, Visitor, walk};

/// Removes a data folder with all that games have made in it; one that is not there is removed already. Blocks.
///
/// # Errors
/// Something is left.
pub fn remove_folder(path: &std::path::Path) -> std::io::Result<()> {
    match remove(path, &tokio_util::sync::CancellationToken::new()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A path of a game's in a message: readable, and short whatever the game did.
pub(crate) fn shown(path: &[u8]) -> String {
    /// Bytes at either end.
    const END: usize = 80;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
    match path {
        path if path.len() <= 3 * END => text(path),
        path => format!("{}…{}", text(&path[..END]), text(&path[path.len() - END..])),
    }
}
