//! A repository that lies at a new target already: its backups are taken in.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::{
    BackupAction, BackupFound, BackupLimits, BackupRepository, FoundBackup, NodeId, ServerId, capability,
};
use storage::backups::deleted::{self, DeletedServer};
use storage::backups::repositories::{self, Place};
use storage::backups::targets::{self, Location, Target};
use storage::backups::{Backup, Checks, Contents, Origin, Plan, Repository, RepositoryCheck, Stage};

use super::views::{FoundView, TestView};
use crate::auth::Admin;
use crate::backups::Backups;
use crate::backups::job::{Ended, Job};
use crate::backups::repositories::{new_repository, wire};
use crate::error::{ApiError, Code};
use crate::system::{clock, clock::rfc3339, ids};

/// Bytes of a password.
const PASSWORD: usize = 200;

/// A repository that was found.
pub(super) struct FoundRepository {
    found: BackupFound,
    /// Its folder's name at a folder target.
    id: String,
    /// Where the target is that it lies at.
    location: Location,
    password: Option<String>,
}

impl Backups {
    /// Whether a repository lies there; with its password also what is in it.
    pub(super) async fn look_for_repository(
        &self,
        node_id: &NodeId,
        location: &Location,
        password: Option<String>,
    ) -> Result<Option<FoundRepository>, ApiError> {
        if self.agents.lacks(node_id, capability::BACKUP_ADOPT) {
            return Ok(None);
        }
        if password.as_ref().is_some_and(|password| password.is_empty() || password.len() > PASSWORD) {
            return Err(ApiError::field("repositoryPassword", "is empty or too long"));
        }
        let Some((location, id)) = inside(location) else { return Ok(None) };
        // The key is not known yet.
        let Repository { key, .. } = new_repository();
        let repository = BackupRepository {
            id: id.clone(),
            key,
            password: password.clone().unwrap_or_default(),
            location: wire(location.clone()),
        };
        let job = Job {
            node_id: node_id.clone(),
            server_id: None,
            job_id: ids::long(),
            repository,
            action: BackupAction::Adopt { open: password.is_some() },
            limits: BackupLimits::default(),
            tracked: None,
        };
        match self.ask_soon(&job).await {
            Ended::Done(report) => {
                Ok(report.found.map(|found| FoundRepository { found: *found, id, location, password }))
            }
            Ended::Failed(why) if password.is_some() => {
                Err(ApiError::field("repositoryPassword", format!("could not be used. {why}")))
            }
            // The test says why.
            Ended::Failed(_) | Ended::Cancelled => Ok(None),
        }
    }

    /// What was found, before it is taken in.
    pub(super) fn found_view(
        &self,
        node_id: &NodeId,
        repository: &FoundRepository,
    ) -> Result<TestView, ApiError> {
        let view = TestView { foreign: true, ..TestView::new(node_id.to_string()) };
        if repository.found.key.is_none() {
            let sentence = "A backup repository lies there already. Enter its password, which is in its emergency kit, to take in its backups; or choose another folder.";
            return Ok(TestView { sentence: sentence.to_owned(), ..view });
        }
        let mut found = Vec::new();
        for (group, some) in groups(&repository.found.backups) {
            let server = match &group {
                Group::Server(id) => self.store.read_now(|tx| storage::servers::get(tx, id))?,
                Group::Folder(..) => None,
            };
            found.push(FoundView {
                known: server.is_some(),
                name: server.map_or_else(|| group.name(), |server| server.name),
                backups: some.len(),
                newest_at: rfc3339(some.iter().map(|one| one.at).max().unwrap_or(0)),
            });
        }
        let mut sentence = "The password is right. Saving the target takes in these backups. If another panel uses this repository too, both respect each other's locks, and a backup that one of them deletes is gone for the other.".to_owned();
        if repository.found.more > 0 {
            sentence = format!("{sentence} {} older ones are left out.", repository.found.more);
        }
        Ok(TestView { ok: true, sentence, found, ..view })
    }

    /// Adds a target with the repository that lies there.
    pub(super) async fn adopt_target(
        &self,
        admin: &Admin,
        target: Target,
        node: Option<String>,
        password: String,
    ) -> Result<String, ApiError> {
        let node_id = self.node_to_try(node)?;
        self.can_keep(&node_id, Some("target"))?;
        let found = self.look_for_repository(&node_id, &target.location, Some(password)).await?;
        let none = || ApiError::new(Code::Conflict, "No backup repository lies there.");
        let FoundRepository { found, id, location, password } = found.ok_or_else(none)?;
        let (Some(key), Some(password)) = (found.key.clone(), password) else { return Err(none()) };
        let target = Target { location, ..target };
        let now = clock::now();
        let repository =
            Repository { id, key, password, created_at: now, space: None, check: RepositoryCheck::default() };
        let place = Place {
            target_id: Some(target.id.clone()),
            node_id: (!target.location.is_shared()).then(|| node_id.clone()),
        };
        let (target_id, by) = (target.id.clone(), admin.to_string());
        let count = found.backups.len();
        let written = self.store.write(move |tx| {
            targets::insert(tx, target.clone())?;
            repositories::keep(tx, &place, repository)?;
            for (group, some) in groups(&found.backups) {
                let server_id = group.server_id();
                let one = DeletedServer {
                    id: server_id.clone(),
                    name: group.name(),
                    at: now,
                    by: by.clone(),
                    server: None,
                    keep_days: None,
                };
                let taken = some.into_iter().map(|one| taken_in(one, &server_id, &node_id, &target.id));
                deleted::adopt(tx, &one, taken.collect())?;
            }
            Ok::<_, storage::Error>(())
        });
        written.await.map_err(super::full)?;
        tracing::info!(target = target_id, count, by = %admin, "a backup target is added with the backups that lie there");
        self.agents.changes().notify();
        Ok(target_id)
    }
}

/// Whose backups they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// A server's of a panel.
    Server(ServerId),
    /// A folder's of a machine, made by restic.
    Folder(String, String),
}

impl Group {
    fn name(&self) -> String {
        match self {
            Self::Server(id) => id.to_string(),
            Self::Folder(host, path) if host.is_empty() => path.clone(),
            Self::Folder(host, path) => format!("{host}: {path}"),
        }
    }

    fn server_id(&self) -> ServerId {
        match self {
            Self::Server(id) => id.clone(),
            Self::Folder(..) => ids::short().into(),
        }
    }
}

fn groups(all: &[FoundBackup]) -> BTreeMap<Group, Vec<FoundBackup>> {
    let mut groups: BTreeMap<Group, Vec<FoundBackup>> = BTreeMap::new();
    for one in all {
        let server = one.server_id.clone().map(ServerId::from).filter(ServerId::is_valid);
        let group = server.map_or_else(|| Group::Folder(one.host.clone(), one.path.clone()), Group::Server);
        groups.entry(group).or_default().push(one.clone());
    }
    groups
}

fn taken_in(found: FoundBackup, server_id: &ServerId, node_id: &NodeId, target_id: &str) -> Backup {
    let FoundBackup { backup_id, server_id: _, host: _, path: _, at, bytes, files } = found;
    Backup {
        id: backup_id,
        server_id: server_id.clone(),
        node_id: node_id.clone(),
        name: rfc3339(at).chars().take(10).collect(),
        note: String::new(),
        locked: false,
        origin: Origin::Manual,
        stage: Stage::Ready,
        job_id: String::new(),
        created_at: at,
        finished_at: Some(at),
        contents: Contents { bytes, files, ..Contents::default() },
        problem: None,
        target_id: Some(target_id.to_owned()),
        plan: Plan::default(),
        checks: Checks::default(),
    }
}

/// The target that a repository lies at, and its name there: of a folder, the one above it. None where that is no name.
fn inside(location: &Location) -> Option<(Location, String)> {
    let Location::Folder { path } = location else { return Some((location.clone(), ids::short())) };
    let path = Path::new(path);
    let (above, name) = (path.parent()?.to_str()?, path.file_name()?.to_str()?);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let named = (1..=64).contains(&name.len()) && name.bytes().all(plain);
    named.then(|| (Location::Folder { path: above.to_owned() }, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_in_a_folder_lies_in_the_one_above() {
        let folder = |path: &str| Location::Folder { path: path.into() };
        assert_eq!(inside(&folder("/mnt/my-backups")), Some((folder("/mnt"), "my-backups".to_owned())));
        for none in ["/", "/mnt/with space", "/mnt/.."] {
            assert_eq!(inside(&folder(none)), None, "{none}");
        }
    }
}
