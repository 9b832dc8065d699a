//! Messages about backups of a server. The panel keeps which backups there are, and the key of the repository; the node does
//! the work and keeps the repository. The panel gives each job an id: one that is asked for again under the same id is not done
//! twice, so that either side may be killed and the panel asks again.

use std::fmt;

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::backup_targets::{BackupLimits, BackupLocation, BackupSpace};
use super::codes::ErrorCode;
use super::payload::{Payload, WORD, few, id, some, within};
use super::text::TextRule;
use super::{BackupFound, BackupProof, PATHS, file_paths};

/// Backups that are forgotten by one message.
const BACKUPS: usize = 1_000;
/// Lines that are typed on a console before and after a backup.
const LINES: usize = 10;
/// Bytes of such a line.
const TYPED: usize = 1_000;
/// Names of files that changed meanwhile.
const CHANGED: usize = 20;
/// Lines of what is left out, and bytes of one.
const IGNORED: usize = 200;
const IGNORED_LINE: usize = 500;

/// `backup_run`: makes, restores or forgets backups. Answered when the job is taken on; [`BackupQuery`] asks how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupRun {
    /// The server's id; absent where the job is about the repository itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<ServerId>,
    /// The job's id: letters and digits.
    pub job_id: String,
    /// Where the backups lie.
    pub repository: BackupRepository,
    /// What is to be done.
    pub action: BackupAction,
    /// How hard the work may be.
    #[serde(default, skip_serializing_if = "BackupLimits::is_none")]
    pub limits: BackupLimits,
}

/// A repository of restic's format.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupRepository {
    /// Its id, which names its folder on a node: letters and digits.
    pub id: String,
    /// The 64 bytes of its key, as Base64.
    pub key: String,
    /// With which `restic` opens it too.
    pub password: String,
    /// Where it lies.
    #[serde(default, skip_serializing_if = "BackupLocation::is_node")]
    pub location: BackupLocation,
}

impl fmt::Debug for BackupRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupRepository")
            .field("id", &self.id)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum BackupAction {
    /// Makes a backup of the server's folder.
    Create {
        /// The new backup's id: letters and digits.
        backup_id: String,
        /// What a running game is told around it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quiesce: Option<BackupQuiesce>,
        /// What is left out, in gitignore's syntax. The server's own `.backupignore` and `.pteroignore` are read as well.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ignore: Vec<String>,
    },
    /// Makes a backup of the panel itself, which has laid a copy of all that it keeps into its data folder. Only the
    /// panel's own agent finds that.
    CreatePanel {
        /// The new backup's id: letters and digits.
        backup_id: String,
    },
    /// Puts the files of a backup in the place of the server's, which must not run; or some of them, which it may.
    Restore {
        /// The backup's id.
        backup_id: String,
        /// Files and folders that are put back; empty for all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
    },
    /// Writes the files of a backup to where the folder of a server will lie that is yet to be made here: the job names that one.
    RestoreNew {
        /// The backup's id.
        backup_id: String,
    },
    /// Starts the game from a copy of the backup in a container that nobody reaches, up to its ready line, and removes both.
    RestoreTest {
        /// The backup's id.
        backup_id: String,
    },
    /// Forgets backups, and removes what none of the others needs.
    Delete {
        /// Their ids.
        backup_ids: Vec<String>,
    },
    /// Writes, reads and deletes a probe where the repository is to lie, and opens the repository where there is one.
    Test {},
    /// Says whether there is a repository already; opened by its password, also its key and which backups lie in it.
    Adopt {
        /// Whether it is opened, by the repository's password.
        #[serde(default)]
        open: bool,
    },
    /// Reads the repository and says which backups are damaged.
    Check {
        /// The data of one in so many packs is read, another part each time; 1 for all.
        share: u32,
    },
    /// Removes what no backup needs. What a reader may still want is marked first, and removed by one that runs a day later.
    Prune {},
}

/// What a running game is told around a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupQuiesce {
    /// Lines that are typed before.
    pub before: Vec<String>,
    /// What the console says when all is saved: a part of the line, or `regex:` and an expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<String>,
    /// Lines that are typed after it, whatever became of it.
    pub after: Vec<String>,
}

/// `backup_query` and `backup_cancel`: about a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupQuery {
    /// The server's id, or its absence, as in the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<ServerId>,
    /// The job's id.
    pub job_id: String,
}

/// `backup_report`: how far a job is, or how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupReport {
    /// The job's id.
    pub job_id: String,
    /// Where it is.
    pub state: BackupState,
    /// Bytes that are done.
    pub bytes: u64,
    /// Bytes of all of it; 0 where that is not known yet.
    pub total: u64,
    /// Of one that made a backup: bytes that the repository has grown by.
    pub stored: u64,
    /// Of one that made a backup: files in it.
    pub files: u64,
    /// Of one that made a backup: files that changed or vanished while they were read.
    pub changed: u64,
    /// The first of those.
    pub changed_names: Vec<String>,
    /// What should be known of it although it was done, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<BackupError>,
    /// Of an SFTP server: its key, as `SHA256:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// How much room the repository takes, from jobs that know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<BackupSpace>,
    /// Of a check: the ids of backups that are damaged. All others are not, as far as was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<String>,
    /// What was found of a backup that was made, or tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<BackupProof>,
    /// What was found by `adopt`; absent where there is no repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Box<BackupFound>>,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// The agent does not know of it: it was never asked, or has been restarted since.
    #[default]
    Unknown,
    /// It waits for another one.
    Waiting,
    /// It is under way.
    Running,
    /// It has done what it should.
    Done,
    /// It has not.
    Failed,
    /// It was broken off because somebody wanted that.
    Cancelled,
}

/// Why a job failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupError {
    /// For programs.
    pub code: ErrorCode,
    /// One sentence for a person.
    pub message: String,
}

/// An id that becomes part of a path: letters and digits, a few of them.
pub(super) fn plain(what: &str, text: &str) -> Result<(), String> {
    if (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(format!("{what} is not made of 1 to 64 letters and digits"))
}

/// The name of a repository's folder: one that was there before may have `-` and `_` in it.
fn folder_name(what: &str, text: &str) -> Result<(), String> {
    plain(what, &text.replace(['-', '_'], "0"))
        .map_err(|_| format!("{what} is not made of 1 to 64 letters, digits, - and _"))
}

fn lines(what: &str, lines: &[String]) -> Result<(), String> {
    few(what, lines.len(), LINES)?;
    lines.iter().try_for_each(|line| within(what, line, TYPED))
}

impl BackupRepository {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { id, key, password, location } = self;
        location.bound()?;
        folder_name("the repository's id", id)?;
        within("the repository's key", key, WORD)?;
        within("the repository's password", password, WORD)
    }
}

impl Payload for BackupRun {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, job_id, repository, action, limits } = self;
        server_id.as_ref().map_or(Ok(()), id)?;
        limits.bound();
        plain("jobId", job_id)?;
        repository.bound()?;
        match action {
            BackupAction::Create { backup_id, quiesce, ignore } => {
                few("ignore", ignore.len(), IGNORED)?;
                ignore.iter().try_for_each(|line| within("ignore", line, IGNORED_LINE))?;
                if let Some(BackupQuiesce { before, saved, after }) = quiesce {
                    lines("before", before)?;
                    some("saved", saved.as_deref(), TYPED)?;
                    lines("after", after)?;
                }
                plain("backupId", backup_id)
            }
            BackupAction::Restore { backup_id, paths } => {
                file_paths::paths("paths", paths, PATHS)?;
                plain("backupId", backup_id)
            }
            BackupAction::RestoreNew { backup_id }
            | BackupAction::RestoreTest { backup_id }
            | BackupAction::CreatePanel { backup_id } => plain("backupId", backup_id),
            BackupAction::Delete { backup_ids } => {
                few("backupIds", backup_ids.len(), BACKUPS)?;
                backup_ids.iter().try_for_each(|backup_id| plain("backupIds", backup_id))
            }
            BackupAction::Check { share: 0 } => Err("share is 0".to_owned()),
            BackupAction::Test {}
            | BackupAction::Adopt { .. }
            | BackupAction::Check { .. }
            | BackupAction::Prune {} => Ok(()),
        }
    }

    fn server_id(&self) -> Option<&ServerId> {
        self.server_id.as_ref()
    }
}

impl Payload for BackupQuery {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, job_id } = self;
        server_id.as_ref().map_or(Ok(()), id)?;
        within("jobId", job_id, WORD)
    }

    fn server_id(&self) -> Option<&ServerId> {
        self.server_id.as_ref()
    }
}

impl BackupReport {
    pub(super) fn bound(&mut self) {
        let Self {
            job_id,
            state: _,
            bytes: _,
            total: _,
            stored: _,
            files: _,
            changed: _,
            changed_names,
            warning,
            error,
            host_key,
            space: _,
            damaged,
            proof,
            found,
        } = self;
        TextRule::WORD.apply(job_id);
        changed_names.truncate(CHANGED);
        for name in changed_names {
            TextRule::line(500).apply(name);
        }
        TextRule::SENTENCE.apply_some(warning);
        TextRule::WORD.apply_some(host_key);
        damaged.truncate(BACKUPS);
        for backup_id in damaged {
            TextRule::WORD.apply(backup_id);
        }
        if let Some(proof) = proof {
            proof.bound();
        }
        if let Some(found) = found {
            found.backups.retain(|one| plain("backupId", &one.backup_id).is_ok());
            found.bound();
        }
        if let Some(BackupError { code, message }) = error {
            code.bound();
            TextRule::SENTENCE.apply(message);
        }
    }
}
