//! Puts some restored files in the place of a server's. They lie aside until all of them are whole; then each that was chosen
//! changes places with what is there in one step, so that a kill at any moment leaves the one or the other of each, and the job,
//! which is asked for again, does the rest. The game may be at work meanwhile: no link leads out of its folder.

use std::os::fd::AsFd;
use std::sync::Arc;

use protocol::{ErrorCode, ServerId};
use rustix::fs::{RenameFlags, renameat, renameat_with};
use rustix::io::Errno;

use super::place::Failed;
use crate::fs::{FileError, RelPath, RootDir, meaning};
use crate::server::{Context, folder};

/// Puts what lies aside at these paths in the place of the server's.
pub(super) async fn put(
    context: &Arc<Context>,
    server_id: &ServerId,
    paths: Vec<String>,
) -> Result<(), Failed> {
    let (all, id) = (Arc::clone(context), server_id.clone());
    let put = tokio::task::spawn_blocking(move || {
        let done = exchange_all(&all, &id, &paths);
        let aside = folder::restoring(&all.data_dir, &id);
        // What the files were before lies there now.
        if let Err(error) = folder::discard(&all.data_dir, &id, &aside) {
            tracing::warn!(server = %id, %error, "what was replaced could not be removed");
        }
        done
    });
    let put = put.await;
    context.shared.sweeper.wake();
    match put {
        Ok(Ok(())) => Ok(()),
        Ok(Err((path, error))) => {
            Err((ErrorCode::AgentFailed, format!("{path} could not be put back: {error}.")))
        }
        Err(_) => Err((ErrorCode::AgentFailed, "The restored files could not be put in place.".into())),
    }
}

fn exchange_all(
    context: &Context,
    server_id: &ServerId,
    paths: &[String],
) -> Result<(), (String, FileError)> {
    let top = |error| ("The server's folder".to_owned(), error);
    let aside = RootDir::open(&folder::restoring(&context.data_dir, server_id)).map_err(top)?;
    let root = RootDir::open(&folder::of(&context.data_dir, server_id)).map_err(top)?;
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        all.push((path, RelPath::parse(path).map_err(|error| (path.clone(), error))?));
    }
    for (at, (path, chosen)) in all.iter().enumerate() {
        // What lies in another of them comes with it.
        let comes_along = |(other_at, (_, other)): (usize, &(&String, RelPath))| {
            other_at != at && chosen.is_within(other) && (chosen != other || other_at < at)
        };
        if all.iter().enumerate().any(comes_along) {
            continue;
        }
        exchange(&aside, &root, chosen).map_err(|error| ((*path).clone(), error))?;
    }
    let folder = root.folder(&RelPath::of_bytes(b"/").map_err(top)?).map_err(top)?;
    rustix::fs::syncfs(folder).map_err(meaning("keep the files")).map_err(top)
}

fn exchange(aside: &RootDir, root: &RootDir, path: &RelPath) -> Result<(), FileError> {
    let (from, name) = aside.parent(path)?;
    let (to, _) = root.parent_made(path)?;
    let failed = meaning("put it in place");
    match renameat_with(from.as_fd(), name, to.as_fd(), name, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::NOENT) => renameat(&from, name, &to, name).map_err(failed),
        Err(errno) => Err(failed(errno)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn chosen_files_change_places_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let (aside, root) = (dir.path().join("aside"), dir.path().join("root"));
        fs::create_dir_all(aside.join("world/region")).unwrap();
        fs::write(aside.join("world/region/r"), "old").unwrap();
        fs::create_dir_all(root.join("world/region")).unwrap();
        fs::write(root.join("world/region/r"), "new").unwrap();
        fs::write(root.join("world/region/later"), "new").unwrap();
        fs::write(root.join("world/level"), "new").unwrap();
        let exchange = |path: &str| {
            let (aside, root) = (RootDir::open(&aside).unwrap(), RootDir::open(&root).unwrap());
            super::exchange(&aside, &root, &RelPath::parse(path).unwrap())
        };
        exchange("/world/region").unwrap();
        assert_eq!(fs::read(root.join("world/region/r")).unwrap(), b"old");
        assert!(!root.join("world/region/later").exists(), "a folder is as it was");
        assert_eq!(fs::read(root.join("world/level")).unwrap(), b"new");
        assert_eq!(fs::read(aside.join("world/region/later")).unwrap(), b"new", "what was there lies aside");
        // The folder above is gone since.
        fs::create_dir_all(aside.join("a/b")).unwrap();
        fs::write(aside.join("a/b/c"), "old").unwrap();
        exchange("/a/b/c").unwrap();
        assert_eq!(fs::read(root.join("a/b/c")).unwrap(), b"old");
        // A link that leads out.
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir_all(aside.join("out")).unwrap();
        fs::write(aside.join("out/f"), "old").unwrap();
        symlink(outside.path(), root.join("out")).unwrap();
        assert!(exchange("/out/f").is_err());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
