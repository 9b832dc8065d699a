//! Backups of game servers: the rules. The node makes and keeps them; which there are, the key of its repository, and what is to be done is
//! kept here, and written before it is done.

mod absent;
mod acts;
mod auto_test;
mod body;
mod check;
mod contents;
mod contents_routes;
mod copy;
mod deleted;
mod follow_up;
mod halt;
mod job;
mod orphans;
pub mod panel;
mod policy;
mod repositories;
mod restore;
mod routes;
mod run;
mod targets;
mod topic;
mod tracker;
mod verify;
mod views;
mod weekly;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use protocol::{NodeId, ServerId, capability};
use storage::Store;
use storage::backups::{self, Backup, Checks, Contents, Origin, Plan, Stage};
use storage::servers::Server;
use tokio::sync::Notify;

pub use acts::{Acts, Also, Done};
pub(crate) use repositories::wire;
pub use routes::routes;
pub(crate) use targets::LocationBody;
pub use topic::topics;
pub use views::BackupView;

use self::policy::agenda::Agenda;
use self::tracker::{Tracker, copy_key, test_key};
use crate::agents::Agents;
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::files::Files;
use crate::system::shutdown::Tasks;
use crate::system::{clock, ids};

/// Characters of a backup's name, and of the note about it.
const NAME: usize = 100;
const NOTE: usize = 2_000;

/// Everything about backups. Cheap to clone.
#[derive(Clone)]
pub struct Backups {
    store: Store,
    agents: Agents,
    files: Files,
    tasks: Tasks,
    tracker: Tracker,
    agenda: Agenda,
    acts: Arc<OnceLock<Arc<dyn Acts>>>,
    /// The data folder of the local node.
    data_dir: Arc<Path>,
    /// Somebody has asked for a check, or one has ended.
    check_asked: Arc<Notify>,
    /// A policy has changed, or a restore test has ended.
    test_asked: Arc<Notify>,
}

/// What is to be changed of a backup; what is absent stays.
#[derive(Default)]
pub struct BackupChange {
    /// What people call it.
    pub name: Option<String>,
    /// What they have to say about it.
    pub note: Option<String>,
    /// Whether it must not be deleted.
    pub locked: Option<bool>,
}

impl Backups {
    /// Takes up what an earlier run has left.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub fn start(
        store: Store,
        agents: Agents,
        files: Files,
        tasks: Tasks,
        data_dir: &Path,
    ) -> storage::Result<Self> {
        let left = store.read_now(backups::busy)?;
        let agenda = Agenda::new(&store.read_now(backups::policies::list)?);
        let (tracker, acts) = (Tracker::default(), Arc::default());
        let used = store.read_now(backups::used)?;
        let all = Self {
            store,
            agents,
            files,
            tasks,
            tracker,
            agenda,
            acts,
            data_dir: data_dir.into(),
            check_asked: Arc::default(),
            test_asked: Arc::default(),
        };
        for backup in &left {
            all.drive(backup);
        }
        for backup in &used {
            all.drive_test(backup);
            all.drive_copy(backup);
        }
        all.look_for_absent();
        all.sweep();
        all.follow_policies();
        all.check_weekly();
        all.test_weekly();
        Ok(all)
    }

    /// All backups of a server, newest first.
    pub fn list(&self, permit: &Permit<need::Backups>) -> Result<Vec<BackupView>, ApiError> {
        self.list_of(permit.server_id())
    }

    fn list_of(&self, server_id: &ServerId) -> Result<Vec<BackupView>, ApiError> {
        let all = self.store.read_now(|tx| backups::list(tx, server_id))?;
        Ok(all.into_iter().rev().map(|backup| self.view(backup)).collect())
    }

    fn view(&self, backup: Backup) -> BackupView {
        let progress = match &backup.checks {
            Checks { test_job: Some(_), .. } => self.tracker.progress(&test_key(&backup.id)),
            Checks { copy: Some(_), .. } => self.tracker.progress(&copy_key(&backup.id)),
            _ => self.tracker.progress(&backup.id),
        };
        BackupView::new(backup, progress)
    }

    /// Makes a backup; without a target, where the server's policy says.
    pub async fn create(
        &self,
        permit: &Permit<need::Backups>,
        name: String,
        note: String,
        target: Option<&str>,
    ) -> Result<BackupView, ApiError> {
        let (name, note) = (checked_name(&name)?, checked_note(&note)?);
        let server = self.idle(permit.server_id())?;
        let name = if name.is_empty() { "Backup".to_owned() } else { name };
        let mut new = Backup { name, note, ..self.planned(&server, Origin::Manual)? };
        if let Some(target) = target {
            new.target_id = self.known_target(target)?;
        }
        self.can_keep(&server.node_id, new.target_id.as_deref())?;
        self.insert(&new).await?;
        tracing::info!(server = %server.id, backup = new.id, by = %permit.actor(), "a backup is to be made");
        self.drive(&new);
        Ok(self.view(new))
    }

    async fn insert(&self, new: &Backup) -> Result<(), ApiError> {
        let record = new.clone();
        self.store.write(move |tx| backups::insert(tx, &record)).await.map_err(full)
    }

    /// Renames a backup, changes its note, locks or unlocks it.
    pub async fn change(
        &self,
        permit: &Permit<need::Backups>,
        id: &str,
        change: BackupChange,
    ) -> Result<BackupView, ApiError> {
        self.change_one(permit.server_id(), id, change).await
    }

    async fn change_one(
        &self,
        server_id: &ServerId,
        id: &str,
        change: BackupChange,
    ) -> Result<BackupView, ApiError> {
        let name = change.name.map(|name| checked_name(&name)).transpose()?;
        if name.as_ref().is_some_and(String::is_empty) {
            return Err(ApiError::field("name", "is missing"));
        }
        let note = change.note.map(|note| checked_note(&note)).transpose()?;
        let (server, id) = (server_id.clone(), id.to_owned());
        let changed = self.store.write(move |tx| {
            backups::update(tx, &server, &id, |one| {
                one.name = name.unwrap_or_else(|| std::mem::take(&mut one.name));
                one.note = note.unwrap_or_else(|| std::mem::take(&mut one.note));
                one.locked = change.locked.unwrap_or(one.locked);
            })
        });
        let changed = changed.await.map_err(|_missing| ApiError::not_found("backup"))?;
        self.told(server_id);
        Ok(self.view(changed))
    }

    /// Deletes a backup.
    pub async fn delete(&self, permit: &Permit<need::Backups>, id: &str) -> Result<(), ApiError> {
        self.delete_one(permit.server_id(), id, &permit.actor().to_string()).await
    }

    async fn delete_one(&self, server_id: &ServerId, id: &str, by: &str) -> Result<(), ApiError> {
        let backup = self.get(server_id, id)?;
        if backup.locked {
            return Err(ApiError::new(
                Code::Conflict,
                "This backup is locked. Unlock it before it is deleted.",
            ));
        }
        if backup.stage == Stage::Deleting {
            return Ok(());
        }
        if backup.stage.is_busy() || backup.checks.is_used() {
            return Err(busy());
        }
        let (server, backup_id, job_id) = (server_id.clone(), backup.id.clone(), ids::long());
        let changed = self.store.write(move |tx| {
            backups::update(tx, &server, &backup_id, |one| {
                one.stage = Stage::Deleting;
                one.job_id = job_id;
                one.problem = None;
            })
        });
        let changed = changed.await?;
        tracing::info!(server = %server_id, backup = backup.id, by, "a backup is to be deleted");
        self.drive(&changed);
        Ok(())
    }

    /// Calls off what is under way.
    pub fn cancel(&self, permit: &Permit<need::Backups>, id: &str) -> Result<(), ApiError> {
        self.cancel_one(permit.server_id(), id, &permit.actor().to_string())
    }

    fn cancel_one(&self, server_id: &ServerId, id: &str, by: &str) -> Result<(), ApiError> {
        let backup = self.get(server_id, id)?;
        if backup.checks.test_job.is_some() && self.cancel_test(&backup) {
            tracing::info!(server = %backup.server_id, backup = backup.id, by, "a restore test is cancelled");
            return Ok(());
        }
        if backup.checks.copy.is_some() && self.tracker.cancel(&copy_key(&backup.id)) {
            tracing::info!(server = %backup.server_id, backup = backup.id, by, "a server is not made of a backup: cancelled");
            return Ok(());
        }
        match backup.stage {
            Stage::Creating | Stage::Restoring { .. } => {
                tracing::info!(server = %backup.server_id, backup = backup.id, by, "a backup job is cancelled");
                self.tracker.cancel(&backup.id);
                Ok(())
            }
            Stage::Ready | Stage::Failed | Stage::FollowUp | Stage::Deleting => {
                Err(ApiError::new(Code::Conflict, "There is nothing of this backup that could be cancelled."))
            }
        }
    }

    fn get(&self, server_id: &ServerId, id: &str) -> Result<Backup, ApiError> {
        let found = self.store.read_now(|tx| backups::get(tx, server_id, id))?;
        found.ok_or_else(|| ApiError::not_found("backup"))
    }

    /// The server, where nothing is under way that would be in the way of another backup.
    fn idle(&self, server_id: &ServerId) -> Result<Server, ApiError> {
        let read = |tx: &storage::ReadTx| {
            let server = storage::servers::get(tx, server_id)?;
            let busy = backups::list(tx, server_id)?.iter().any(|backup| backup.stage.is_busy());
            Ok::<_, storage::Error>((server, busy))
        };
        let (server, under_way) = self.store.read_now(read)?;
        let server = server.ok_or_else(|| ApiError::not_found("server"))?;
        if server.deleting.is_some() {
            return Err(ApiError::new(Code::Conflict, "The server is being deleted."));
        }
        if under_way { Err(busy()) } else { Ok(server) }
    }

    /// Whether the node is there and makes backups.
    fn can_work(&self, node_id: &NodeId) -> Result<(), ApiError> {
        if !self.agents.node(node_id).online {
            return Err(ApiError::new(Code::NodeOffline, "The node of this server is offline."));
        }
        if self.agents.lacks(node_id, capability::BACKUP) {
            let sentence = format!(
                "The agent of the node {node_id} makes no backups: it is a legacy agent, or older than this panel."
            );
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        Ok(())
    }

    /// Has those who look see what has changed.
    fn told(&self, server_id: &ServerId) {
        self.tracker.changed(server_id);
        self.agents.changes().notify();
    }
}

fn new_backup(server: &Server, origin: Origin) -> Backup {
    Backup {
        id: ids::short(),
        server_id: server.id.clone(),
        node_id: server.node_id.clone(),
        name: String::new(),
        note: String::new(),
        locked: false,
        origin,
        stage: Stage::Creating,
        job_id: ids::long(),
        created_at: clock::now(),
        finished_at: None,
        contents: Contents::default(),
        problem: None,
        target_id: None,
        plan: Plan::default(),
        checks: Checks::default(),
    }
}

fn busy() -> ApiError {
    ApiError::new(
        Code::Conflict,
        "A backup of this server is under way. Wait until it has ended, or cancel it.",
    )
}

fn full(error: storage::Error) -> ApiError {
    match error {
        storage::Error::Taken { .. } => {
            let sentence = format!("A server has {} backups at most. Delete some of them.", backups::MOST);
            ApiError::new(Code::Conflict, sentence)
        }
        other => other.into(),
    }
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if name.chars().count() > NAME || name.chars().any(char::is_control) {
        return Err(ApiError::field("name", "is longer than 100 characters or has control characters"));
    }
    Ok(name.to_owned())
}

fn checked_note(note: &str) -> Result<String, ApiError> {
    let note = note.trim();
    let bad = |character: char| character.is_control() && character != '\n';
    if note.chars().count() > NOTE || note.chars().any(bad) {
        return Err(ApiError::field("note", "is longer than 2000 characters or has control characters"));
    }
    Ok(note.to_owned())
}
