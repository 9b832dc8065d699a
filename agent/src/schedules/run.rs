//! One run of a schedule.

use std::sync::Arc;

use protocol::{OnFailure, Schedule, ScheduleAction, ScheduleRun, ScheduleStepRun, ScheduleTrigger};

use super::entry::{Allowed, Entry, Running};
use super::handle::{Schedules, now};
use super::steps;
use super::store::{Kept, advance};
use crate::server::Handle;

/// Schedules that may start each other in a row.
const DEPTH: u32 = 5;

/// Why a schedule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Time,
    Missed,
    Event,
    Manual,
    Dry,
    Schedule,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Missed => "missed",
            Self::Event => "event",
            Self::Manual => "manual",
            Self::Dry => "dry",
            Self::Schedule => "schedule",
        }
    }
}

/// Why a schedule runs, and how many before it started each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    cause: Cause,
    depth: u32,
}

impl Start {
    pub(super) fn timed(cause: Cause) -> Self {
        Self { cause, depth: 0 }
    }

    pub(super) fn event() -> Self {
        Self { cause: Cause::Event, depth: 0 }
    }

    pub(super) fn manual() -> Self {
        Self { cause: Cause::Manual, depth: 0 }
    }

    pub(super) fn dry() -> Self {
        Self { cause: Cause::Dry, depth: 0 }
    }
}

impl Schedules {
    /// Starts a run, in a task of its own. A schedule that is running is not started again.
    pub(super) fn launch(&self, entry: &Arc<Entry>, id: &str, start: Start) {
        let running = entry.begin(id);
        if running.is_none() && start.cause == Cause::Event {
            return;
        }
        let (here, entry, id) = (self.clone(), Arc::clone(entry), id.to_owned());
        self.spawn(async move {
            let wakes = here.clone();
            here.run(&entry, &id, start, running).await;
            wakes.0.changed.notify_one();
        });
    }

    async fn run(&self, entry: &Arc<Entry>, id: &str, start: Start, running: Option<Running>) {
        let kept = entry.kept().await;
        let Some(schedule) = kept.schedule(id) else { return };
        let Some(handle) = self.0.tools.servers.get(&kept.server_id) else {
            return self.forget(&kept);
        };
        if start.cause == Cause::Event {
            match entry.event() {
                Allowed::Yes => {}
                Allowed::Held => return,
                Allowed::HeldNow => {
                    let sentence = "Events started more than 10 runs within a minute: schedules may be starting each \
                                    other. Events are ignored for 10 minutes.";
                    return self.skip(entry, schedule, start, sentence, false).await;
                }
            }
        }
        let Some(running) = running else {
            return self
                .skip(entry, schedule, start, "The run before this one was still going on.", true)
                .await;
        };
        if start.cause == Cause::Missed && !schedule.catch_up {
            return self
                .skip(entry, schedule, start, "It was missed while this machine was off.", false)
                .await;
        }
        if start.depth >= DEPTH {
            let sentence = "More than 5 schedules started each other in a row: they may do so in a circle.";
            return self.skip(entry, schedule, start, sentence, false).await;
        }
        let unmet = self.0.tools.unmet(&handle, &schedule.conditions, kept.players.as_ref()).await;
        if let Some(sentence) = unmet {
            return self.skip(entry, schedule, start, &sentence, true).await;
        }
        if start.cause == Cause::Dry {
            let sentence = format!("It would take {} steps now.", schedule.steps.len());
            return self.skip(entry, schedule, start, &sentence, false).await;
        }
        let record = record(schedule, start);
        let run_id = record.id.clone();
        let begun = entry.change(&self.0.dir, |kept| {
            if start.cause.is_timed() {
                advance(kept, id, now());
            }
            kept.add_run(record);
        });
        if let Err(error) = begun.await {
            tracing::warn!(server = %kept.server_id, %error, "a schedule was not run: it could not be written down first");
            // Not again at once, and without the disk.
            let later = entry.change_lazily(&self.0.dir, |kept| advance(kept, id, now())).await;
            return drop(later);
        }
        running.noted();
        self.0.changed.notify_one();
        self.steps(entry, &kept, schedule, &handle, (&run_id, start)).await;
    }

    async fn steps(
        &self,
        entry: &Arc<Entry>,
        kept: &Kept,
        schedule: &Schedule,
        handle: &Handle,
        (run_id, start): (&str, Start),
    ) {
        let mut end = ("done", None);
        for (n, step) in schedule.steps.iter().enumerate() {
            let journal = |kept: &mut Kept| {
                if let Some(run) = kept.run(run_id) {
                    run.steps.push(ScheduleStepRun { outcome: "running".into(), output: String::new() });
                }
            };
            // What has no effect needs no write of its own.
            let noted = if steps::has_effect(&step.action) {
                entry.change(&self.0.dir, journal).await.map(drop)
            } else {
                entry.change_lazily(&self.0.dir, journal).await
            };
            if noted.is_err() {
                end = (
                    "failed",
                    Some(format!("Step {} was not taken: the node's disk could not be written.", n + 1)),
                );
                break;
            }
            let took = self.0.tools.take(handle, &step.action, kept.players.as_ref()).await;
            if let (Ok(_), ScheduleAction::Run { schedule }) = (&took, &step.action) {
                self.launch(entry, schedule, start.deeper());
            }
            let failed = took.as_ref().err().cloned();
            let set = |kept: &mut Kept| {
                if let Some(step) = kept.run(run_id).and_then(|run| run.steps.get_mut(n)) {
                    step.outcome = if took.is_ok() { "done" } else { "failed" }.into();
                    step.output = took.unwrap_or_else(|sentence| sentence);
                }
            };
            let _ = entry.change_lazily(&self.0.dir, set).await;
            let Some(sentence) = failed else { continue };
            let sentence = Some(format!("Step {} failed: {sentence}", n + 1));
            match &step.on_failure {
                OnFailure::GoOn => end.1 = end.1.or(sentence),
                OnFailure::Stop => {
                    end = ("failed", sentence);
                    break;
                }
                OnFailure::Run { schedule } => {
                    end = ("failed", sentence);
                    self.launch(entry, schedule, start.deeper());
                    break;
                }
            }
        }
        let (outcome, sentence) = end;
        let ended = entry.change(&self.0.dir, |kept| {
            if let Some(run) = kept.run(run_id) {
                run.ended_at = Some(now());
                run.outcome = outcome.into();
                run.sentence = sentence;
            }
        });
        if let Err(error) = ended.await {
            tracing::warn!(server = %kept.server_id, %error, "could not write what became of a schedule's run");
        }
    }

    /// Notes that a schedule did not run. What may happen often costs no write each time.
    async fn skip(&self, entry: &Arc<Entry>, schedule: &Schedule, start: Start, sentence: &str, often: bool) {
        let outcome = if start.cause == Cause::Dry { "done" } else { "skipped" };
        let record = ScheduleRun {
            ended_at: Some(now()),
            outcome: outcome.into(),
            sentence: Some(sentence.to_owned()),
            ..record(schedule, start)
        };
        let change = |kept: &mut Kept| {
            if start.cause.is_timed() {
                advance(kept, &schedule.id, now());
            }
            // One line for the same thing again and again.
            let same = |last: &ScheduleRun| {
                (&last.schedule_id, &last.outcome, &last.sentence)
                    == (&record.schedule_id, &record.outcome, &record.sentence)
            };
            if kept.runs.front().is_some_and(same) {
                kept.runs.pop_front();
            }
            kept.add_run(record.clone());
        };
        // Those of an hour or more are few.
        let frequent = often && !matches!(schedule.trigger, ScheduleTrigger::NodeStarted {});
        let written = if frequent {
            entry.change_lazily(&self.0.dir, change).await
        } else {
            entry.change(&self.0.dir, change).await.map(drop)
        };
        if let Err(error) = written {
            tracing::warn!(%error, "could not write that a schedule was skipped");
            let _ = entry.change_lazily(&self.0.dir, |kept| advance(kept, &schedule.id, now())).await;
        }
    }

    /// The server is gone, and so are its schedules.
    fn forget(&self, kept: &Kept) {
        self.lock().remove(&kept.server_id);
        let (dir, id) = (self.0.dir.clone(), kept.server_id.clone());
        drop(tokio::task::spawn_blocking(move || super::store::remove(&dir, &id)));
    }
}

impl Start {
    fn deeper(self) -> Self {
        Self { cause: Cause::Schedule, depth: self.depth + 1 }
    }
}

impl Cause {
    fn is_timed(self) -> bool {
        matches!(self, Self::Time | Self::Missed)
    }
}

fn record(schedule: &Schedule, start: Start) -> ScheduleRun {
    ScheduleRun {
        id: format!("{:016x}", rand::random::<u64>()),
        schedule_id: schedule.id.clone(),
        name: schedule.name.clone(),
        cause: start.cause.name().into(),
        started_at: now(),
        ended_at: None,
        outcome: "running".into(),
        sentence: None,
        steps: Vec::new(),
    }
}
