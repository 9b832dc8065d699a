//! Schedules of servers. They are kept and run here, on the node, so that they do not depend on a panel.
//!
//! `clock` starts what is due, `watch` what events start; `run` takes a schedule's `steps`, writing down each
//! before it is done, so that after a crash a step was done once or is said to have been cut off. `store` is the disk.

mod clock;
mod conditions;
mod entry;
mod handle;
mod run;
mod steps;
mod store;
mod times;
mod watch;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::{
    ErrorCode, ScheduleRunNow, ScheduleTrigger, SchedulesReport, SchedulesSet, ServerId, ToPanel,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::entry::Entry;
use self::handle::{Inner, Tools, now};
use self::run::Start;
use self::store::Kept;
use crate::console::Ready;
use crate::panel::reply_cache::{Answers, Reply};
use crate::players::Players;
use crate::supervisor::Supervisor;

pub(crate) use handle::Schedules;
pub use times::{BadTrigger, next_times};

/// How long servers may take to be inspected before the schedules of a started node run.
const SETTLE: Duration = Duration::from_secs(30);

impl Schedules {
    /// Reads what is kept below `state_dir` and runs it until `cancel`.
    pub(crate) fn start(
        state_dir: &std::path::Path,
        (servers, answers, players): (Supervisor, Answers, Players),
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let dir = state_dir.join("schedules");
        let all = store::load_all(&dir).unwrap_or_else(|error| {
            tracing::error!(%error, "could not read the servers' schedules");
            Vec::new()
        });
        let entries = all.into_iter().filter_map(|kept| restored(&dir, &servers, kept)).collect();
        let schedules = Self(Arc::new(Inner {
            dir,
            tools: Tools { servers, answers, players },
            tasks: tasks.clone(),
            cancel: cancel.clone(),
            entries: Mutex::new(entries),
            changed: Notify::new(),
        }));
        let here = schedules.clone();
        schedules.spawn(async move {
            here.begin().await;
            here.run_clock().await;
        });
        schedules
    }

    /// Starts what waits for the node, and what waits for events.
    async fn begin(&self) {
        self.0.tools.servers.settled(SETTLE).await;
        for entry in self.all() {
            let kept = entry.kept().await;
            self.watch(&entry, &kept);
            let mine = kept.schedules.iter().filter(|one| one.enabled);
            for schedule in mine.filter(|one| one.trigger == ScheduleTrigger::NodeStarted {}) {
                self.launch(&entry, &schedule.id, Start::event());
            }
        }
    }

    /// Replaces the schedules of a server; answered when they are on the disk.
    pub(crate) fn set(&self, set: Box<SchedulesSet>, reply: Reply) {
        if let Err(sentence) = check(&set) {
            return reply.refuse(ErrorCode::Invalid, sentence);
        }
        let here = self.clone();
        self.spawn(async move {
            let SchedulesSet { server_id, schedules, players } = *set;
            let entry = {
                let mut entries = here.lock();
                let new = || Arc::new(Entry::new(Kept { server_id: server_id.clone(), ..Kept::default() }));
                Arc::clone(entries.entry(server_id.clone()).or_insert_with(new))
            };
            let before = entry.kept().await;
            if before.schedules == schedules && before.players == players {
                return reply.ack(None);
            }
            let now = now();
            let written = entry.change(&here.0.dir, move |kept| {
                let unchanged = |kept: &Kept, id: &str, trigger: &ScheduleTrigger| {
                    kept.schedule(id).is_some_and(|known| known.enabled && known.trigger == *trigger)
                };
                let due = schedules.iter().filter(|one| one.enabled).filter_map(|one| {
                    let known = kept.due.get(&one.id).filter(|_| unchanged(kept, &one.id, &one.trigger));
                    let next = || next_times(&one.trigger, now, 1).ok()?.first().copied();
                    Some((one.id.clone(), known.copied().or_else(next)?))
                });
                kept.due = due.collect();
                kept.schedules = schedules;
                kept.players = players;
            });
            match written.await {
                Ok(kept) => {
                    here.watch(&entry, &kept);
                    here.0.changed.notify_one();
                    reply.ack(None);
                }
                Err(error) => {
                    tracing::warn!(server = %server_id, %error, "could not write a server's schedules");
                    reply.refuse(
                        ErrorCode::DiskFull,
                        "The schedules could not be written on the node's disk.",
                    );
                }
            }
        });
    }

    /// Runs a schedule now, whether or not it is enabled.
    pub(crate) fn run_now(&self, run: &ScheduleRunNow, reply: Reply) {
        let Some(entry) = self.lock().get(&run.server_id).cloned() else {
            return reply.refuse(ErrorCode::NotFound, "There is no such schedule on this node.");
        };
        if entry.is_running(&run.schedule_id) {
            return reply.refuse(ErrorCode::Conflict, "This schedule is running already.");
        }
        self.launch(&entry, &run.schedule_id, if run.dry { Start::dry() } else { Start::manual() });
        reply.ack(None);
    }

    /// Answers with the last runs.
    pub(crate) fn report(&self, server_id: &ServerId, reply: Reply) {
        let Some(entry) = self.lock().get(server_id).cloned() else {
            return reply.answer(ToPanel::SchedulesReport(SchedulesReport::default()));
        };
        self.spawn(async move {
            let runs = entry.kept().await.runs.into_iter().collect();
            reply.answer(ToPanel::SchedulesReport(SchedulesReport { runs }));
        });
    }
}

/// What is kept of a server that is still there; notes runs that were cut off.
fn restored(dir: &std::path::Path, servers: &Supervisor, mut kept: Kept) -> Option<(ServerId, Arc<Entry>)> {
    let id = kept.server_id.clone();
    if servers.get(&id).is_none() {
        // The server is gone.
        let _ = store::remove(dir, &id);
        return None;
    }
    if kept.cut_off(now())
        && let Err(error) = store::save(dir, &kept)
    {
        tracing::warn!(server = %id, %error, "could not write which scheduled runs were cut off");
    }
    Some((id, Arc::new(Entry::new(kept))))
}

/// Checks what only an agent can: times and patterns.
fn check(set: &SchedulesSet) -> Result<(), String> {
    for schedule in &set.schedules {
        next_times(&schedule.trigger, now(), 1).map_err(|error| error.to_string())?;
        if let ScheduleTrigger::Line { pattern } = &schedule.trigger {
            Ready::parse(pattern).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
