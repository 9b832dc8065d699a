//! One check of a repository, and what follows from it.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::{BackupAction, BackupLimits, BackupReport, NodeId};
use storage::Millis;
use storage::backups::repositories::{self, Place};
use storage::backups::{self, Backup, CheckResult, Proof, ProofKind};
use tokio_util::sync::CancellationToken;

use super::Backups;
use super::job::{Ended, Job};
use crate::error::ApiError;
use crate::system::{clock, ids};

pub(super) const DAY: Millis = 86_400_000;
pub(super) const WEEK: Millis = 7 * DAY;
/// The data of one in so many packs is read, another part each time: all of it in ten weeks.
const SHARE: u32 = 10;
/// How long a node may be away in the middle of it.
const AWAY: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(20);

/// What the tracker knows the checks by: one at a time for each target, and for each node's own repository.
pub(super) fn check_key(place: &Place) -> String {
    match (&place.target_id, &place.node_id) {
        (Some(target), _) => format!("check:target:{target}"),
        (None, node) => format!("check:node:{}", node.as_ref().map_or("", |node| node.as_str())),
    }
}

/// What the tracker knows the check of one repository by.
pub(super) fn repository_key(place: &Place) -> String {
    format!("{}:{}", check_key(place), place.node_id.as_ref().map_or("*", |node| node.as_str()))
}

impl Backups {
    /// Checks a repository in the background.
    pub(super) fn begin_check(&self, place: Place, node_id: NodeId, due: Option<Millis>) {
        let (turn, key) = (check_key(&place), repository_key(&place));
        self.tracker.begin(&turn);
        let cancel = self.tracker.begin(&key);
        let (all, end) = (self.clone(), self.tasks.token());
        drop(self.tasks.spawn("backup-check", async move {
            let work = async {
                if let Err(error) = all.check(&place, &node_id, due, &cancel).await {
                    tracing::warn!(node = %node_id, %error, "what a check of backups found could not be kept");
                }
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = work => {}
            }
            all.tracker.end(&key);
            all.tracker.end(&turn);
            // Another repository of this target may be due.
            all.check_asked.notify_one();
        }));
    }

    async fn check(
        &self,
        place: &Place,
        node_id: &NodeId,
        due: Option<Millis>,
        cancel: &CancellationToken,
    ) -> Result<(), ApiError> {
        let target = place.target_id.as_deref().unwrap_or("-");
        let began = clock::now();
        let ended = self.repository_job(place, node_id, BackupAction::Check { share: SHARE }, cancel).await;
        let report = match ended {
            Ended::Done(report) => *report,
            Ended::Failed(why) => {
                tracing::warn!(node = %node_id, target, why, "a backup repository could not be checked");
                return self.plan_check(place, due, clock::now() + DAY / 4, Some(why)).await;
            }
            Ended::Cancelled => return Ok(()),
        };
        match report.damaged.len() {
            0 => tracing::info!(node = %node_id, target, "a backup repository is as it should be"),
            count => tracing::error!(node = %node_id, target, count, "backups are damaged"),
        }
        let next = self.keep_check(place, node_id, began, report).await?;
        // What deleted backups have left is marked when they are deleted, and removed a day later at the earliest.
        if let Ended::Failed(why) = self.repository_job(place, node_id, BackupAction::Prune {}, cancel).await
        {
            tracing::warn!(node = %node_id, target, why, "the space of deleted backups could not be freed");
            let why = format!("The space of deleted backups could not be freed. {why}");
            self.plan_check(place, Some(next), clock::now() + DAY, Some(why)).await?;
        }
        Ok(())
    }

    async fn repository_job(
        &self,
        place: &Place,
        node_id: &NodeId,
        action: BackupAction,
        cancel: &CancellationToken,
    ) -> Ended {
        let repository = match self.repository(node_id, place.target_id.as_deref()).await {
            Ok(repository) => repository,
            Err(error) => return Ended::Failed(error.message().to_owned()),
        };
        let job = Job {
            node_id: node_id.clone(),
            server_id: None,
            job_id: ids::long(),
            repository,
            action,
            limits: BackupLimits::default(),
            tracked: Some((repository_key(place), None)),
        };
        tokio::select! {
            ended = self.ask(&job, cancel) => ended,
            () = self.is_away(node_id) => Ended::Failed(format!("The node {node_id} went offline meanwhile.")),
        }
    }

    /// Ends when the node was away for too long.
    async fn is_away(&self, node_id: &NodeId) {
        let mut seen = tokio::time::Instant::now();
        while seen.elapsed() < AWAY {
            tokio::time::sleep(LOOK).await;
            if self.agents.node(node_id).online {
                seen = tokio::time::Instant::now();
            }
        }
    }

    async fn keep_check(
        &self,
        place: &Place,
        node_id: &NodeId,
        began: Millis,
        report: BackupReport,
    ) -> Result<Millis, ApiError> {
        let (at, now) = (place.clone(), clock::now());
        let last = CheckResult {
            at: now,
            node_id: node_id.clone(),
            damaged: report.damaged.len() as u64,
            sentence: report.warning.unwrap_or_default(),
        };
        let space = report.space;
        let damaged: BTreeSet<String> = report.damaged.into_iter().collect();
        let servers = self.store.write(move |tx| {
            repositories::update(tx, &at, |there| {
                there.check.due = Some(now + WEEK);
                there.check.last = Some(last);
                there.check.problem = None;
                there.space = space.map(|space| super::repositories::kept_space(space, now)).or(there.space);
            })?;
            backups::update_at(tx, &at, |backup| note(backup, &damaged, began, now))
        });
        for server_id in servers.await? {
            self.told(&server_id);
        }
        Ok(now + WEEK)
    }
}

/// Notes what was found of a backup; that the game was started from it is worth more than that it was read.
fn note(backup: &mut Backup, damaged: &BTreeSet<String>, began: Millis, now: Millis) -> bool {
    if backup.finished_at.is_none_or(|at| at > began) {
        return false;
    }
    let bad = damaged.contains(&backup.id);
    let started = backup.checks.proof.as_ref().is_some_and(|proof| proof.kind == ProofKind::Started);
    if !bad && started {
        return false;
    }
    let reason = if bad { "A check of the repository found that it is damaged." } else { "" };
    let (kind, reason) = (ProofKind::Checked, reason.to_owned());
    backup.checks.proof = Some(Proof { at: now, kind, ok: !bad, reason, lines: Vec::new() });
    true
}
