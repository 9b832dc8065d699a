//! Weekly restore tests, of servers whose policy says so: the newest backup is tested when the last test that went well was a
//! week ago. One that cannot be made, as for want of memory, is tried again.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::{NodeId, ServerId, Status};
use storage::backups::policies::{self, Kept, Problem};
use storage::backups::{self, Backup, Stage};
use storage::{Millis, ReadTx};

use super::Backups;
use super::policy::last_proved;
use crate::error::ApiError;
use crate::system::clock;

/// After the start: nodes connect meanwhile.
const FIRST: Duration = Duration::from_secs(20);
/// Between two looks.
const EVERY: Duration = Duration::from_secs(300);
const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;
const WEEK: Millis = 7 * DAY;

impl Backups {
    /// Has them made for as long as the panel runs.
    pub(super) fn test_weekly(&self) {
        let (all, end) = (self.clone(), self.tasks.token());
        drop(self.tasks.spawn("backup-tests", async move {
            let work = async {
                tokio::time::sleep(FIRST).await;
                loop {
                    if let Err(error) = all.begin_tests().await {
                        tracing::warn!(%error, "weekly restore tests could not be begun; that is tried again");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(EVERY) => {}
                        () = all.test_asked.notified() => {}
                    }
                }
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = work => {}
            }
        }));
    }

    /// Begins those that are due, one on each node.
    async fn begin_tests(&self) -> Result<(), ApiError> {
        let mut taken: BTreeSet<NodeId> = BTreeSet::new();
        for (server_id, kept) in self.store.read_now(policies::list)? {
            if !kept.policy.test_weekly {
                continue;
            }
            let read = |tx: &ReadTx| {
                Ok::<_, storage::Error>((
                    storage::servers::get(tx, &server_id)?,
                    backups::list(tx, &server_id)?,
                ))
            };
            let (Some(server), all) = self.store.read_now(read)? else { continue };
            if all.iter().any(|backup| backup.checks.test_job.is_some()) {
                taken.insert(server.node_id);
                continue;
            }
            let Some(newest) = due(&kept, &all, clock::now()) else { continue };
            if server.deleting.is_some() || self.is_occupied(&server_id) || taken.contains(&server.node_id) {
                continue;
            }
            taken.insert(server.node_id);
            match self.begin_test(newest).await {
                Ok(_) => {
                    tracing::info!(server = %server_id, backup = newest.id, "a weekly restore test begins");
                    self.note_try(&server_id, None).await?;
                }
                Err(error) => self.note_try(&server_id, Some(error.message().to_owned())).await?,
            }
        }
        Ok(())
    }

    /// Whether the server is just being made, started or stopped.
    fn is_occupied(&self, server_id: &ServerId) -> bool {
        let status = self.agents.server(server_id).status.map(|status| status.status);
        matches!(status, Some(Status::Installing | Status::Starting | Status::Stopping))
    }

    async fn note_try(&self, server_id: &ServerId, problem: Option<String>) -> Result<(), ApiError> {
        let (id, now) = (server_id.clone(), clock::now());
        let written = self.store.write(move |tx| {
            policies::update(tx, &id, |kept| {
                kept.tests.tried_at = Some(now);
                if let Some(sentence) = problem {
                    set_problem(kept, now, sentence);
                }
            })
        });
        written.await.map(drop)?;
        Ok(())
    }

    /// Notes what a restore test has found, where the server's are made each week.
    pub(super) async fn test_ended(
        &self,
        server_id: &ServerId,
        problem: Option<String>,
    ) -> Result<(), ApiError> {
        let (id, now) = (server_id.clone(), clock::now());
        let written = self.store.write(move |tx| {
            policies::update(tx, &id, |kept| match problem {
                _ if !kept.policy.test_weekly => {}
                Some(sentence) => set_problem(kept, now, sentence),
                None => kept.tests.problem = None,
            })
        });
        written.await?;
        self.test_asked.notify_one();
        Ok(())
    }
}

fn set_problem(kept: &mut Kept, now: Millis, sentence: String) {
    let since = kept.tests.problem.as_ref().map_or(now, |problem| problem.since);
    kept.tests.problem = Some(Problem { since, sentence });
}

/// The backup that is to be tested now.
fn due<'b>(kept: &Kept, all: &'b [Backup], now: Millis) -> Option<&'b Backup> {
    if all.iter().any(|backup| backup.stage.is_busy() || backup.checks.is_used()) {
        return None;
    }
    if last_proved(all).is_some_and(|at| (0..WEEK).contains(&(now - at))) {
        return None;
    }
    let newest = all.iter().rev().find(|backup| backup.stage == Stage::Ready)?;
    // One that failed is tried again on the next day, on a newer backup at once; one that could not be made in an hour.
    let failed = newest.checks.proof.as_ref().is_some_and(|proof| proof.kind == backups::ProofKind::Started);
    let pause = if failed { DAY } else { HOUR };
    let waits = kept.tests.tried_at.is_some_and(|at| (0..pause).contains(&(now - at)));
    (!waits).then_some(newest)
}

#[cfg(test)]
mod tests {
    use storage::backups::policies::Tests;
    use storage::backups::{Checks, Contents, Origin, Plan, Proof, ProofKind};

    use super::*;

    fn backup(proved: Option<(Millis, bool)>) -> Backup {
        let proof =
            |(at, ok)| Proof { at, kind: ProofKind::Started, ok, reason: String::new(), lines: Vec::new() };
        Backup {
            id: "b".into(),
            server_id: "s".into(),
            node_id: "n".into(),
            name: String::new(),
            note: String::new(),
            locked: false,
            origin: Origin::Manual,
            stage: Stage::Ready,
            job_id: String::new(),
            created_at: 1,
            finished_at: Some(1),
            contents: Contents::default(),
            problem: None,
            target_id: None,
            plan: Plan::default(),
            checks: Checks { proof: proved.map(proof), ..Checks::default() },
        }
    }

    fn tried(at: Option<Millis>) -> Kept {
        Kept { tests: Tests { tried_at: at, ..Tests::default() }, ..Kept::default() }
    }

    #[test]
    fn one_is_due_a_week_after_the_last() {
        let now = 100 * DAY;
        let is_due = |kept: &Kept, all: &[Backup]| due(kept, all, now).is_some();
        assert!(!is_due(&tried(None), &[]), "there is no backup");
        assert!(is_due(&tried(None), &[backup(None)]));
        assert!(!is_due(&tried(None), &[backup(Some((now - DAY, true))), backup(None)]));
        assert!(is_due(&tried(None), &[backup(Some((now - WEEK, true))), backup(None)]));
        assert!(!is_due(&tried(Some(now - HOUR / 2)), &[backup(None)]), "it could not be made just now");
        assert!(is_due(&tried(Some(now - HOUR)), &[backup(None)]));
        let failed = backup(Some((now - HOUR, false)));
        assert!(!is_due(&tried(Some(now - HOUR)), std::slice::from_ref(&failed)));
        assert!(is_due(&tried(Some(now - DAY)), std::slice::from_ref(&failed)));
        assert!(is_due(&tried(Some(now - HOUR)), &[failed, backup(None)]), "a newer one is tested at once");
        assert!(is_due(&tried(Some(now + DAY)), &[backup(None)]), "the clock was turned back");
        let busy = Backup { stage: Stage::Creating, ..backup(None) };
        assert!(!is_due(&tried(None), &[backup(None), busy]));
    }
}
