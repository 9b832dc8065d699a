//! Fetches what a panel backup holds, and the servers' files, and checks it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent::backups::worker::{Found, MasterKey, Outcome, Unlocked, Work, WorkerRequest};
use agent::backups::{WorkerEnded, run_worker};
use agent::persist::settle_restored;
use protocol::BackupLimits;
use storage::db_backups;
use tokio_util::sync::CancellationToken;

use super::error::RestoreError;
use super::owner;
use super::place::Places;
use super::source::Source;
use super::wanted::{Progress, Restored, Servers, Wanted, blocking};
use crate::agents::local;
use crate::backups::panel::manifest::{FORMAT, Manifest, ServerEntry};
use crate::system::{ids, private_files};

/// Files of a folder in a panel backup.
const MOST_FILES: usize = 10_000;

/// A repository that its password has opened.
pub struct Opened {
    source: Source,
    key: MasterKey,
    pub(super) found: Vec<Found>,
    /// What should be known of it.
    pub warning: Option<String>,
}

impl Opened {
    /// Opens the repository and looks what is in it. Nothing is written there.
    ///
    /// # Errors
    /// It cannot be reached, or the password does not open it.
    pub async fn open(source: Source) -> Result<Self, RestoreError> {
        // For the worker's small files.
        let node = std::env::temp_dir().join(format!("ctrl-alt-play-{}", ids::long()));
        let nobody = MasterKey::from_bytes(&[0; 64]);
        let request = request(&node, &source, nobody, Work::Find);
        let outcome = work(&request, &CancellationToken::new(), |_, _| {}).await;
        drop(tokio::task::spawn_blocking(move || fs::remove_dir_all(node)).await);
        let outcome = outcome?;
        match (outcome.opened, outcome.host_key) {
            (Some(opened), _) => {
                let Unlocked { key, found } = *opened;
                Ok(Self { source, key, found, warning: outcome.warning })
            }
            (None, Some(host_key)) => Err(RestoreError::UnknownServer { host_key }),
            (None, None) => Err(RestoreError::Damaged("its key cannot be read".to_owned())),
        }
    }
}

fn request(node: &Path, source: &Source, key: MasterKey, work: Work) -> WorkerRequest {
    WorkerRequest {
        node: node.to_owned(),
        id: source.id.clone(),
        location: source.location.clone(),
        limits: BackupLimits::default(),
        key,
        password: source.password.clone(),
        work,
    }
}

async fn work(
    request: &WorkerRequest,
    cancel: &CancellationToken,
    told: impl Fn(u64, u64),
) -> Result<Outcome, RestoreError> {
    let failed = |source| RestoreError::Io {
        doing: "running the process that reads backups in",
        path: request.node.clone(),
        source,
    };
    match run_worker(request, cancel, told).await.map_err(failed)? {
        WorkerEnded::Done(outcome) => Ok(*outcome),
        WorkerEnded::Failed(code, message) => Err(RestoreError::Repository { code, message }),
        WorkerEnded::BrokenOff => Err(RestoreError::BrokenOff),
    }
}

/// One restore, as far as it lays everything aside.
pub(super) struct Step<'s> {
    pub(super) opened: &'s Opened,
    pub(super) places: &'s Places,
    pub(super) data_dir: &'s Path,
    pub(super) cancel: &'s CancellationToken,
}

impl Step<'_> {
    /// Fetches and checks all of it.
    pub(super) async fn everything(
        &self,
        found: &Found,
        wanted: &Wanted,
        told: &impl Fn(Progress),
    ) -> Result<Restored, RestoreError> {
        let folder = self.data_dir.to_owned();
        blocking(move || begin(&folder)).await?;
        told(Progress::default());
        let new = self.places.new_content();
        self.fetch(&found.backup_id, new, |bytes, total| {
            told(Progress { bytes: (bytes, total), ..Progress::default() });
        })
        .await?;
        let folder = self.data_dir.to_owned();
        let manifest = blocking(move || check(&folder)).await?;
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            manifest.servers.iter().partition(|server| server.node_id == local::NODE_ID);
        let here: Vec<&ServerEntry> =
            here.into_iter().filter(|server| is_wanted(server, &wanted.servers)).collect();
        let mut restored = Restored {
            made_at: found.at,
            host: found.host.clone(),
            elsewhere: elsewhere.len(),
            ..Restored::default()
        };
        if let Servers::Some(ids) = &wanted.servers {
            for id in ids.iter().filter(|id| !here.iter().any(|server| server.id == **id)) {
                restored
                    .missing
                    .push((id.to_string(), "the panel has no such server on this machine".to_owned()));
            }
        }
        for (index, server) in here.iter().enumerate() {
            let number = (index + 1, here.len());
            let told = |bytes, total| {
                told(Progress { server: server.name.clone(), number, bytes: (bytes, total) });
            };
            told(0, 0);
            match self.server(server, told).await {
                Ok(()) => restored.servers.push(server.name.clone()),
                Err(RestoreError::BrokenOff) => return Err(RestoreError::BrokenOff),
                Err(error) if error.is_of_one_backup() => {
                    restored.missing.push((server.name.clone(), error.to_string()));
                }
                Err(error) => {
                    let source = Box::new(error);
                    return Err(RestoreError::Server { server: server.name.clone(), source });
                }
            }
        }
        Ok(restored)
    }

    /// The newest backup of a server's files.
    async fn server(&self, server: &ServerEntry, told: impl Fn(u64, u64)) -> Result<(), RestoreError> {
        if !server.id.is_valid() {
            return Err(RestoreError::Damaged("a server's id is none".to_owned()));
        }
        let newest = self.opened.found.iter().rev().find(|one| one.server_id == server.id.as_str());
        let Some(newest) = newest else {
            return Err(RestoreError::NotFound("it has no backup at this place".to_owned()));
        };
        let destination = self.places.servers().join(server.id.as_str());
        let done = self.fetch(&newest.backup_id, destination.clone(), told).await;
        let done = done.and_then(|()| {
            let given = owner::give(&destination, self.data_dir);
            given.map_err(|error| RestoreError::io("giving away", &destination, error))
        });
        if done.is_err() {
            // The part of it that came.
            drop(tokio::task::spawn_blocking(move || fs::remove_dir_all(destination)).await);
        }
        done
    }

    async fn fetch(
        &self,
        backup_id: &str,
        destination: PathBuf,
        told: impl Fn(u64, u64),
    ) -> Result<(), RestoreError> {
        let job = Work::Restore { backup_id: backup_id.to_owned(), destination, paths: Vec::new() };
        let Opened { source, key, .. } = self.opened;
        work(&request(&self.places.worker(), source, key.clone(), job), self.cancel, told).await?;
        Ok(())
    }
}

fn is_wanted(server: &ServerEntry, wanted: &Servers) -> bool {
    match wanted {
        Servers::All => true,
        Servers::None => false,
        Servers::Some(ids) => ids.contains(&server.id),
    }
}

/// Makes the folders in which all is laid aside, empty.
fn begin(data_dir: &Path) -> Result<(), RestoreError> {
    let places = Places::new(data_dir);
    places.clear()?;
    for folder in [places.folder(), places.servers(), places.worker()] {
        private_files::folder(&folder)
            .map_err(|error| RestoreError::io("making", &folder, io::Error::other(error)))?;
    }
    Ok(())
}

/// Checks what came, and makes it this data folder's.
fn check(data_dir: &Path) -> Result<Manifest, RestoreError> {
    let places = Places::new(data_dir);
    let new = places.new_content();
    let damaged = |what: &str| RestoreError::Damaged(what.to_owned());
    let manifest = Manifest::read(&new)
        .map_err(|error| RestoreError::Damaged(format!("what it says of itself: {error}")))?;
    if manifest.format > FORMAT {
        return Err(RestoreError::Damaged(format!(
            "it was made by version {}; upgrade this program first",
            manifest.version.chars().filter(|c| !c.is_control()).take(50).collect::<String>()
        )));
    }
    let failed = |error| RestoreError::io("checking", &new, error);
    own(&new, data_dir, &mut 0).map_err(failed)?;
    for name in ["panel.redb", "instance.json"] {
        if !new.join(name).is_file() {
            return Err(damaged(&format!("{name} is missing")));
        }
    }
    if !new.join("secrets").is_dir() {
        return Err(damaged("the secrets are missing"));
    }
    db_backups::check_usable(&new.join("panel.redb"))?;
    let agent = new.join("agent");
    if agent.is_dir() {
        let same_user = owner::of(data_dir).is_ok_and(|owner| owner == manifest.owner);
        settle_restored(&agent, same_user)
            .map_err(|error| RestoreError::Damaged(format!("the servers' state: {error}")))?;
        own(&agent, data_dir, &mut 0).map_err(failed)?;
    }
    Ok(manifest)
}

/// Gives all in a folder to the owner of the data folder. There is nothing but files and folders in a panel backup.
fn own(folder: &Path, like: &Path, count: &mut usize) -> io::Result<()> {
    owner::give(folder, like)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        *count += 1;
        let kind = entry.file_type()?;
        if *count > MOST_FILES || !(kind.is_dir() || kind.is_file()) {
            return Err(io::Error::other(format!("{} does not belong there", entry.path().display())));
        }
        if kind.is_dir() {
            own(&entry.path(), like, count)?;
        } else {
            owner::give(&entry.path(), like)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_in_a_panel_backup_is_refused_and_not_followed() {
        let (data, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secrets = data.path().join("secrets");
        fs::create_dir(&secrets).unwrap();
        fs::write(secrets.join("jwt"), "x").unwrap();
        own(data.path(), data.path(), &mut 0).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&secrets), mode(&secrets.join("jwt"))), (0o700, 0o600));
        let other = outside.path().join("other");
        fs::write(&other, "x").unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&other, secrets.join("link")).unwrap();
        assert!(own(data.path(), data.path(), &mut 0).is_err());
        assert_eq!(mode(&other), 0o644);
        fs::remove_file(secrets.join("link")).unwrap();
        assert!(own(data.path(), data.path(), &mut { MOST_FILES }).is_err(), "too many files");
    }
}
