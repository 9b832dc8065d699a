//! A server's policy: when it is backed up by itself, where to, and which of these backups are kept.

pub(super) mod agenda;
pub(super) mod due;
pub(super) mod keep;
mod routes;
mod schedule;
mod views;

use protocol::ServerId;
use storage::Millis;
use storage::backups::policies::{self, Keep, Kept, Policy, Problem, Tests};
use storage::backups::{self, Backup, Origin, Plan, ProofKind, Stage};
use storage::servers::Server;

pub(super) use routes::{routes, with_tag};
pub(super) use views::{PolicyBody, PolicyView};

use super::{BackupView, Backups, new_backup};
use crate::auth::{Permission, Permit, need};
use crate::error::{ApiError, Code};
use crate::revision::Expected;
use crate::system::clock;

/// After a scheduled backup has failed, until it is tried again, in milliseconds.
const RETRY: i64 = 3_600_000;

impl Backups {
    /// The policy of a server; the usual one where it has none.
    fn policy(&self, permit: &Permit<need::Backups>) -> Result<PolicyView, ApiError> {
        self.policy_view(permit.server_id())
    }

    pub(super) fn policy_view(&self, server_id: &ServerId) -> Result<PolicyView, ApiError> {
        let read = |tx: &storage::ReadTx| {
            let there =
                server_id.as_str() == backups::PANEL || storage::servers::get(tx, server_id)?.is_some();
            let proved = last_proved(&backups::list(tx, server_id)?);
            let kept = policies::get(tx, server_id)?;
            Ok::<_, storage::Error>((there, kept, backups::targets::list(tx)?, proved))
        };
        let (there, kept, targets, proved) = self.store.read_now(read)?;
        if !there {
            return Err(ApiError::not_found("server"));
        }
        Ok(PolicyView::new(kept.unwrap_or_else(usual), &targets, proved))
    }

    /// Writes the policy of a server.
    async fn set_policy(
        &self,
        permit: &Permit<need::Backups>,
        body: PolicyBody,
        expected: Expected,
    ) -> Result<PolicyView, ApiError> {
        let may_stop = permit.permissions().allow(Permission::Power);
        self.write_policy(permit.server_id(), body, expected, may_stop).await?;
        tracing::info!(server = %permit.server_id(), by = %permit.actor(), "the backup policy was changed");
        self.policy_view(permit.server_id())
    }

    /// Writes the policy of a server or of the panel.
    pub(super) async fn write_policy(
        &self,
        server_id: &ServerId,
        body: PolicyBody,
        expected: Expected,
        may_stop: bool,
    ) -> Result<(), ApiError> {
        let target_id = self.known_target(&body.target)?;
        let policy = body.checked(target_id)?;
        let id = server_id.clone();
        let due = if policy.enabled { Some(next_due(&policy)) } else { None };
        let written = self.store.write(move |tx| {
            if let Some(target) = &policy.target_id
                && backups::targets::get(tx, target)?.is_none()
            {
                return Err(ApiError::not_found("backup target"));
            }
            let before = policies::get(tx, &id)?.unwrap_or_else(usual);
            expected.check(Some(&views::revision(&before.policy)))?;
            if policy.stop_server && !before.policy.stop_server && !may_stop {
                let sentence = "You may not stop this server, and so no backup may do it for you.";
                return Err(ApiError::new(Code::Forbidden, sentence));
            }
            let same_time = before.policy.enabled
                && (before.policy.minute, &before.policy.time_zone) == (policy.minute, &policy.time_zone);
            let due = if same_time && policy.enabled { before.due.or(due) } else { due };
            let problem = before.problem.filter(|_| policy.enabled);
            let mut tests = before.tests;
            match (policy.test_weekly, tests.since) {
                (true, None) => tests.since = Some(clock::now()),
                (true, Some(_)) => {}
                (false, _) => tests = Tests::default(),
            }
            policies::put(tx, &id, &Kept { policy, due, problem, tests })?;
            Ok::<_, ApiError>(due)
        });
        let due = written.await?;
        self.agenda.set(server_id, due);
        self.test_asked.notify_one();
        Ok(())
    }

    /// Which backups these rules would delete now.
    fn policy_preview(
        &self,
        permit: &Permit<need::Backups>,
        keep: &Keep,
    ) -> Result<Vec<BackupView>, ApiError> {
        let all = self.store.read_now(|tx| backups::list(tx, permit.server_id()))?;
        let kept = self.store.read_now(|tx| policies::get(tx, permit.server_id()))?.unwrap_or_else(usual);
        let going = keep::going(&all, keep, clock::now(), &due::zone_of(&kept.policy));
        let gone = |backup: &Backup| going.contains(&backup.id);
        Ok(all.into_iter().rev().filter(gone).map(|backup| self.view(backup)).collect())
    }

    /// A new backup as the server's policy has it made.
    pub(super) fn planned(&self, server: &Server, origin: Origin) -> Result<Backup, ApiError> {
        let kept = self.store.read_now(|tx| policies::get(tx, &server.id))?.unwrap_or_default();
        let Policy { target_id, ignore, mib_per_sec, small_memory, stop_server, .. } = kept.policy;
        let mut new = new_backup(server, origin);
        new.target_id = target_id;
        // What is saved before it is replaced is saved whole: it may have to come back.
        let ignore = if matches!(origin, Origin::Manual | Origin::Scheduled) { ignore } else { Vec::new() };
        new.plan = Plan { ignore, mib_per_sec, small_memory, ..Plan::default() };
        if stop_server {
            new.plan.halt = self.halt_for(server, &new)?;
        }
        Ok(new)
    }

    /// What follows from a backup that was made: a problem is over, and older ones go.
    pub(super) async fn after_success(&self, backup: &Backup) -> Result<(), ApiError> {
        if backup.origin != Origin::Scheduled {
            return Ok(());
        }
        let id = backup.server_id.clone();
        let kept = self.store.write(move |tx| policies::update(tx, &id, |kept| kept.problem = None)).await?;
        let Some(Kept { policy, .. }) = kept else { return Ok(()) };
        let all = self.store.read_now(|tx| backups::list(tx, &backup.server_id))?;
        let going = keep::going(&all, &policy.keep, clock::now(), &due::zone_of(&policy));
        self.delete_old(&backup.server_id, going).await
    }

    /// Notes that a scheduled backup has failed; it is tried again soon.
    pub(super) async fn policy_failed(&self, backup: &Backup, why: &str) -> Result<(), ApiError> {
        if backup.origin != Origin::Scheduled {
            return Ok(());
        }
        let (now, id, sentence) = (clock::now(), backup.server_id.clone(), why.to_owned());
        let kept = self.store.write(move |tx| {
            policies::update(tx, &id, |kept| {
                let since = kept.problem.as_ref().map_or(now, |problem| problem.since);
                kept.problem = Some(Problem { since, sentence });
                kept.due = kept.due.map(|due| due.min(now + RETRY));
            })
        });
        if let Some(kept) = kept.await? {
            self.agenda.set(&backup.server_id, kept.due);
        }
        Ok(())
    }
}

/// What a server has before somebody has said something: none by itself, and sensible values where that is turned on.
pub(super) fn usual() -> Kept {
    let keep = Keep { last: 3, daily: 7, weekly: 4, monthly: 6, ..Keep::default() };
    Kept { policy: Policy { minute: 4 * 60, keep, ..Policy::default() }, ..Kept::default() }
}

/// When the game came up last from one of these backups.
pub(super) fn last_proved(all: &[Backup]) -> Option<Millis> {
    let proofs = all.iter().filter_map(|backup| backup.checks.proof.as_ref());
    proofs.filter(|proof| proof.ok && proof.kind == ProofKind::Started).map(|proof| proof.at).max()
}

fn next_due(policy: &Policy) -> Millis {
    due::next(policy.minute, &due::zone_of(policy), clock::now())
}

/// One that was asked for by a policy and is not whole.
fn is_old_failure(backup: &Backup) -> bool {
    backup.origin == Origin::Scheduled && backup.stage == Stage::Failed && !backup.locked
}
