//! Makes the backups that are due, one after another on each node. What is due stands in the database: one that was missed while
//! the panel was not running is made once after its start.

use std::time::Duration;

use protocol::ServerId;
use storage::backups::policies::{self, Kept, Problem};
use storage::backups::{self, Backup, Origin};
use storage::servers::Server;
use storage::{Millis, ReadTx};

use super::{is_old_failure, next_due};
use crate::agents::local;
use crate::backups::Backups;
use crate::error::{ApiError, Code};
use crate::system::clock;

/// After the start, until the first: nodes connect meanwhile.
const FIRST: Duration = Duration::from_secs(20);
/// The longest between two looks at the clock, which may be set.
const LOOK: Duration = Duration::from_secs(60);
/// Until one is tried again that could not be begun, in milliseconds.
const PUT_OFF: Millis = 30_000;
/// How long a node may be away before that is a problem, in milliseconds.
const AWAY: Millis = 180_000;
/// Nothing is due later than that, in milliseconds.
const LATEST: Millis = 26 * 3_600_000;

/// What is found of a server that is due.
enum Turn {
    /// Its backup can be made.
    Now(Box<Server>),
    /// The panel's own can be made.
    Panel,
    /// Not yet, which is no problem.
    Later,
    /// Not yet, for this reason.
    Cannot(String),
    /// It has no daily backup any more.
    Never,
}

impl Backups {
    /// Does it for as long as the panel runs.
    pub(in crate::backups) fn follow_policies(&self) {
        let (all, end) = (self.clone(), self.tasks.token());
        drop(self.tasks.spawn("backup-policies", async move {
            let work = async {
                tokio::time::sleep(FIRST).await;
                loop {
                    let now = clock::now();
                    for server_id in all.agenda.later_than(now + LATEST) {
                        all.attempt(&server_id, all.reschedule(&server_id).await);
                    }
                    for server_id in all.agenda.due(now) {
                        all.attempt(&server_id, all.begin_due(&server_id, now).await);
                    }
                    let next = all.agenda.next().map_or(LOOK, |next| {
                        let left = u64::try_from(next - clock::now()).unwrap_or(0);
                        Duration::from_millis(left).clamp(Duration::from_millis(200), LOOK)
                    });
                    tokio::select! {
                        () = tokio::time::sleep(next) => {}
                        () = all.agenda.changed() => {}
                    }
                }
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = work => {}
            }
        }));
    }

    fn attempt(&self, server_id: &ServerId, outcome: Result<(), ApiError>) {
        if let Err(error) = outcome {
            tracing::warn!(server = %server_id, %error, "a scheduled backup could not be begun; that is tried again");
            self.agenda.set(server_id, Some(clock::now() + PUT_OFF));
        }
    }

    /// The clock was turned back: what is due is found anew.
    async fn reschedule(&self, server_id: &ServerId) -> Result<(), ApiError> {
        let id = server_id.clone();
        let kept = self.store.write(move |tx| {
            policies::update(tx, &id, |kept| kept.due = kept.policy.enabled.then(|| next_due(&kept.policy)))
        });
        self.agenda.set(server_id, kept.await?.and_then(|kept| kept.due));
        Ok(())
    }

    async fn begin_due(&self, server_id: &ServerId, now: Millis) -> Result<(), ApiError> {
        match self.turn(server_id)? {
            Turn::Never => self.agenda.set(server_id, None),
            Turn::Later => self.agenda.set(server_id, Some(now + PUT_OFF)),
            Turn::Cannot(sentence) => {
                self.agenda.set(server_id, Some(now + PUT_OFF));
                let id = server_id.clone();
                let noted = self.store.write(move |tx| {
                    policies::update(tx, &id, |kept| {
                        let late = kept.due.is_some_and(|due| now - due > AWAY);
                        if late && kept.problem.is_none() {
                            kept.problem = Some(Problem { since: now, sentence });
                        }
                    })
                });
                noted.await?;
            }
            Turn::Panel => {
                let new = self.planned_of_panel(Origin::Scheduled)?;
                let due = self.write_due(&new).await?;
                self.agenda.set(server_id, due);
                tracing::info!(backup = new.id, "a scheduled panel backup is to be made");
                self.drive(&new);
            }
            Turn::Now(server) => {
                let new = Backup { name: "Daily".to_owned(), ..self.planned(&server, Origin::Scheduled)? };
                let due = self.write_due(&new).await?;
                self.agenda.set(server_id, due);
                tracing::info!(server = %server_id, backup = new.id, "a scheduled backup is to be made");
                self.drive(&new);
            }
        }
        Ok(())
    }

    /// The new backup and the day of the next one in one step; earlier ones that failed are forgotten.
    async fn write_due(&self, new: &Backup) -> Result<Option<Millis>, ApiError> {
        let record = new.clone();
        let written = self.store.write(move |tx| {
            for old in backups::list(tx, &record.server_id)?.iter().filter(|old| is_old_failure(old)) {
                backups::remove(tx, &record.server_id, &old.id)?;
            }
            backups::insert(tx, &record)?;
            policies::update(tx, &record.server_id, |kept| kept.due = Some(next_due(&kept.policy)))
        });
        Ok(written.await.map_err(crate::backups::full)?.and_then(|kept| kept.due))
    }

    fn turn(&self, server_id: &ServerId) -> Result<Turn, ApiError> {
        let read = |tx: &ReadTx| {
            let kept = policies::get(tx, server_id)?;
            Ok::<_, storage::Error>((kept, storage::servers::get(tx, server_id)?, backups::busy(tx)?))
        };
        let (kept, server, busy) = self.store.read_now(read)?;
        let Some(Kept { policy, .. }) = kept else { return Ok(Turn::Never) };
        if server_id.as_str() == backups::PANEL {
            if !policy.enabled {
                return Ok(Turn::Never);
            }
            if busy.iter().any(Backup::is_of_panel) {
                return Ok(Turn::Later);
            }
            return match self.can_keep(&local::NODE_ID, policy.target_id.as_deref()) {
                Ok(()) => Ok(Turn::Panel),
                Err(error) => Ok(Turn::Cannot(error.message().to_owned())),
            };
        }
        let Some(server) = server else { return Ok(Turn::Never) };
        if !policy.enabled || server.deleting.is_some() {
            return Ok(Turn::Never);
        }
        let in_the_way = |other: &Backup| {
            other.server_id == server.id
                || (other.origin == Origin::Scheduled && other.node_id == server.node_id)
        };
        if busy.iter().any(in_the_way) {
            return Ok(Turn::Later);
        }
        match self.can_keep(&server.node_id, policy.target_id.as_deref()) {
            Ok(()) => Ok(Turn::Now(Box::new(server))),
            Err(error) if matches!(error.code(), Code::NodeOffline | Code::Conflict) => {
                Ok(Turn::Cannot(error.message().to_owned()))
            }
            Err(error) => Err(error),
        }
    }
}
