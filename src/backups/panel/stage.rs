//! Lays a copy of all that the panel keeps beside it, for its backup: the database as it is between two writes, checked; then what
//! changes seldom.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agent::backups::panel_source;
use protocol::ServerId;
use storage::{ReadTx, Store};

use super::manifest::{FILE, FORMAT, Manifest, ServerEntry};
use crate::error::Chain;
use crate::status::VERSION;
use crate::system::clock;

/// Files of the data folder that are taken along, where they are there.
const FILES: [&str; 2] = ["instance.json", "config.toml"];
/// Bytes of one of these, and of a secret.
const MOST: u64 = 4 << 20;

/// Lays everything beside. Gives why not, in one sentence.
pub(super) async fn lay_beside(store: &Store, data_dir: &Path) -> Result<(), String> {
    let folder = panel_source(data_dir);
    let failed = |doing: &str, error: &dyn std::fmt::Display| format!("{doing} failed: {error}.");
    let fresh = folder.clone();
    blocking(move || {
        remove(&fresh)?;
        crate::system::private_files::folder(&fresh).map_err(io::Error::other)
    })
    .await
    .map_err(|error| failed("Making room for a copy of the panel", &error))?;
    store
        .copy_to(folder.join("panel.redb"))
        .await
        .map_err(|error| failed("Copying the database", &Chain(&error)))?;
    // After the database: a server that is newer than it is not in the backup.
    let servers = store
        .read_now(|tx: &ReadTx| storage::servers::list(tx))
        .map_err(|error| failed("Reading the servers", &error))?;
    let servers = servers
        .into_iter()
        .map(|server| ServerEntry { id: server.id, name: server.name, node_id: server.node_id })
        .collect();
    let data_dir = data_dir.to_owned();
    blocking(move || copy_rest(&data_dir, &folder, servers))
        .await
        .map_err(|error| failed("Copying the panel's files", &error))
}

/// Throws the copy away.
pub(super) async fn clear(data_dir: &Path) {
    let folder = panel_source(data_dir);
    if let Err(error) = blocking(move || remove(&folder)).await {
        tracing::warn!(%error, "the copy of the panel beside it could not be removed");
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy_rest(data_dir: &Path, folder: &Path, servers: Vec<ServerEntry>) -> io::Result<()> {
    for name in FILES {
        copy(&data_dir.join(name), &folder.join(name))?;
    }
    fs::create_dir(folder.join("secrets"))?;
    for entry in fs::read_dir(data_dir.join("secrets"))? {
        let entry = entry?;
        copy(&entry.path(), &folder.join("secrets").join(entry.file_name()))?;
    }
    fs::create_dir(folder.join("agent"))?;
    for server in &servers {
        let name = state_of(&server.id);
        copy(&data_dir.join("agent").join(&name), &folder.join("agent").join(&name))?;
    }
    let owner = fs::metadata(data_dir)?;
    let manifest = Manifest {
        format: FORMAT,
        version: VERSION.to_owned(),
        made_at: clock::now(),
        owner: (owner.uid(), owner.gid()),
        servers,
    };
    fs::write(folder.join(FILE), serde_json::to_vec(&manifest)?)
}

/// The local agent's file about a server.
fn state_of(id: &ServerId) -> String {
    format!("{id}.json")
}

/// Copies a file that is there; a link is none.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", from.display()));
    match fs::symlink_metadata(from) {
        Ok(found) if found.is_file() && found.len() <= MOST => fs::copy(from, to).map(drop).map_err(named),
        Ok(found) if found.is_file() => Err(named(io::ErrorKind::FileTooLarge.into())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(named(error)),
    }
}
