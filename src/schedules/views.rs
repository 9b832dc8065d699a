//! JSON of schedules and their runs.

use protocol::{ScheduleRun, ScheduleStepRun};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::SchedulePlan;
use crate::system::clock::rfc3339;

/// The schedules of a server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedules)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchedulesView {
    /// Whether the node's agent can run schedules.
    pub(super) supported: bool,
    /// Whether the game can be asked who plays.
    pub(super) players: bool,
    /// All of them, the oldest first.
    pub(super) schedules: Vec<ScheduleView>,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleView {
    /// Never changes.
    pub(super) id: String,
    /// When it runs and what it does.
    pub(super) plan: SchedulePlan,
    /// The next times, if it is enabled and depends on the time; at most five.
    pub(super) next_runs: Vec<String>,
}

/// One run of a schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleRun)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleRunView {
    /// Unique on its server.
    id: String,
    /// The schedule's id; it may be deleted.
    schedule_id: String,
    /// The schedule's name at that time.
    name: String,
    /// `time`, `event`, `missed`, `manual`, `dry` or `schedule`.
    cause: String,
    /// When it began.
    started_at: String,
    /// When it ended; null while it goes on.
    ended_at: Option<String>,
    /// `running`, `done`, `failed`, `skipped` or `cut_off`.
    outcome: String,
    /// Why it ended so.
    sentence: Option<String>,
    /// What became of each step that was begun.
    steps: Vec<ScheduleStepRunView>,
}

/// What became of a step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleStepRun)]
pub(super) struct ScheduleStepRunView {
    /// `running`, `done`, `failed` or `cut_off`.
    outcome: String,
    /// What came of it; may be empty.
    output: String,
}

impl From<ScheduleRun> for ScheduleRunView {
    fn from(run: ScheduleRun) -> Self {
        let ScheduleRun { id, schedule_id, name, cause, started_at, ended_at, outcome, sentence, steps } =
            run;
        let step = |ScheduleStepRun { outcome, output }| ScheduleStepRunView { outcome, output };
        Self {
            id,
            schedule_id,
            name,
            cause,
            started_at: rfc3339(started_at),
            ended_at: ended_at.map(rfc3339),
            outcome,
            sentence,
            steps: steps.into_iter().map(step).collect(),
        }
    }
}
