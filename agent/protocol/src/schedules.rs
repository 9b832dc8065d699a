//! Schedules of a server. The agent keeps and runs them by itself, also while no panel is connected.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::payload::{Payload, WORD, few, id, within};
use super::text::TextRule;
use super::{Millis, PlayersQuery, PowerAction, Status};

/// Maximum number of schedules of a server.
pub const SCHEDULES: usize = 50;
/// Maximum number of steps, and of conditions, of a schedule.
pub const SCHEDULE_STEPS: usize = 20;
/// Maximum seconds that one step may wait.
pub const SCHEDULE_WAIT: u32 = 6 * 3600;
/// Maximum number of runs in a server's history.
pub const SCHEDULE_RUNS: usize = 50;
/// Maximum bytes of a line that is typed.
const COMMAND: usize = 4_000;
/// Maximum bytes of a pattern that console lines are compared with.
const PATTERN: usize = 512;

/// A schedule: when it runs, and what it does then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Its id; unique on its server.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// When it runs.
    pub trigger: ScheduleTrigger,
    /// What must be true for it to run.
    #[serde(default)]
    pub conditions: Vec<ScheduleCondition>,
    /// What it does, in order.
    pub steps: Vec<ScheduleStep>,
    /// Whether a run that was missed while the machine was off is made up for, once.
    #[serde(default)]
    pub catch_up: bool,
}

/// When a schedule runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduleTrigger {
    /// At times.
    Cron {
        /// A cron pattern of five fields.
        pattern: String,
        /// An IANA time zone, such as `Europe/Berlin`.
        zone: String,
    },
    /// Again and again.
    Every {
        /// Minutes between two runs.
        minutes: u32,
    },
    /// When the server gets into this state.
    Status {
        /// The state.
        status: Status,
    },
    /// When the game writes such a line.
    Line {
        /// A text, or a regular expression after `regex:`.
        pattern: String,
    },
    /// When the node's agent starts.
    NodeStarted {},
}

/// What must be true for a schedule to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduleCondition {
    /// The server is in this state.
    Status {
        /// The state.
        status: Status,
    },
    /// Nobody plays.
    NobodyOnline {},
    /// Somebody plays.
    SomebodyOnline {},
    /// The game has been running for at least this time.
    Uptime {
        /// Minutes.
        minutes: u32,
    },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStep {
    /// What is done.
    pub action: ScheduleAction,
    /// What happens if it fails.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What happens if a step fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OnFailure {
    /// The run ends.
    #[default]
    Stop,
    /// The next step is taken.
    GoOn,
    /// The run ends, and another schedule runs.
    Run {
        /// That schedule.
        schedule: String,
    },
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduleAction {
    /// Types a line on the game's console.
    Command {
        /// The line.
        command: String,
    },
    /// Starts, stops or restarts the server.
    Power {
        /// What is done.
        power: PowerAction,
    },
    /// Waits.
    Wait {
        /// Seconds.
        seconds: u32,
    },
    /// Waits for a console line.
    WaitLine {
        /// A text, or a regular expression after `regex:`.
        pattern: String,
        /// Seconds after which the step fails.
        seconds: u32,
    },
    /// Waits for a state.
    WaitStatus {
        /// The state.
        status: Status,
        /// Seconds after which the step fails.
        seconds: u32,
    },
    /// Waits until nobody plays.
    WaitEmpty {
        /// Seconds after which the step fails.
        seconds: u32,
    },
    /// Types a line several times, with the time that is left in place of `{left}`.
    Announce {
        /// The line.
        command: String,
        /// Seconds before the end at which it is typed, falling.
        before: Vec<u32>,
    },
    /// Runs another schedule.
    Run {
        /// That schedule.
        schedule: String,
    },
}

/// `schedules_set`: replaces all schedules of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SchedulesSet {
    /// The server's id.
    pub server_id: ServerId,
    /// All of them.
    pub schedules: Vec<Schedule>,
    /// How the game is asked who plays; absent if it cannot be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub players: Option<PlayersQuery>,
}

/// `schedule_run`: runs a schedule now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRunNow {
    /// The server's id.
    pub server_id: ServerId,
    /// The schedule's id.
    pub schedule_id: String,
    /// Whether only its conditions are checked, and nothing is done.
    #[serde(default)]
    pub dry: bool,
}

/// `schedules_report`: the answer to `schedules_query`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulesReport {
    /// The last runs, the newest first.
    pub runs: Vec<ScheduleRun>,
}

/// One run of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRun {
    /// Unique on its server.
    pub id: String,
    /// The schedule's id.
    pub schedule_id: String,
    /// The schedule's name at that time.
    pub name: String,
    /// Why it ran: `time`, `event`, `missed`, `manual`, `dry` or `schedule`.
    pub cause: String,
    /// When it began.
    pub started_at: Millis,
    /// When it ended; absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// `running`, `done`, `failed`, `skipped` or `cut_off`.
    pub outcome: String,
    /// Why it ended so, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// What became of each step that was begun.
    #[serde(default)]
    pub steps: Vec<ScheduleStepRun>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStepRun {
    /// `running`, `done`, `failed` or `cut_off`.
    pub outcome: String,
    /// What came of it, as a sentence; may be empty.
    #[serde(default)]
    pub output: String,
}

impl Schedule {
    /// Enforces the limits.
    ///
    /// # Errors
    /// What is too large, or makes no sense.
    pub fn check(&self) -> Result<(), String> {
        let Self { id, name, enabled: _, trigger, conditions, steps, catch_up: _ } = self;
        within("the id of a schedule", id, 64)?;
        within("the name of a schedule", name, 256)?;
        few("conditions", conditions.len(), SCHEDULE_STEPS)?;
        few("steps", steps.len(), SCHEDULE_STEPS)?;
        match trigger {
            ScheduleTrigger::Cron { pattern, zone } => {
                within("the cron pattern", pattern, 128)?;
                within("the time zone", zone, 64)?;
            }
            ScheduleTrigger::Every { minutes } if !(1..=525_600).contains(minutes) => {
                return Err("an interval is 1 to 525600 minutes".to_owned());
            }
            ScheduleTrigger::Line { pattern } => line_pattern(pattern)?,
            ScheduleTrigger::Every { .. } | ScheduleTrigger::NodeStarted {} => {}
            ScheduleTrigger::Status { status } => state(status)?,
        }
        for condition in conditions {
            if let ScheduleCondition::Status { status } = condition {
                state(status)?;
            }
        }
        for ScheduleStep { action, on_failure } in steps {
            if let OnFailure::Run { schedule } = on_failure {
                within("the id of a schedule", schedule, 64)?;
            }
            action.check()?;
        }
        Ok(())
    }
}

impl ScheduleAction {
    fn check(&self) -> Result<(), String> {
        let seconds = match self {
            Self::Command { command } => return within("a command", command, COMMAND),
            Self::Run { schedule } => return within("the id of a schedule", schedule, 64),
            Self::Power { .. } => return Ok(()),
            Self::Wait { seconds } | Self::WaitEmpty { seconds } => *seconds,
            Self::WaitLine { pattern, seconds } => {
                line_pattern(pattern)?;
                *seconds
            }
            Self::WaitStatus { status, seconds } => {
                state(status)?;
                *seconds
            }
            Self::Announce { command, before } => {
                within("a command", command, COMMAND)?;
                few("times of an announcement", before.len(), SCHEDULE_STEPS)?;
                if !before.is_sorted_by(|a, b| a > b) || before.last().is_none_or(|last| *last == 0) {
                    return Err("the times of an announcement must fall, and end above 0".to_owned());
                }
                before.first().copied().unwrap_or_default()
            }
        };
        if !(1..=SCHEDULE_WAIT).contains(&seconds) {
            return Err(format!("a step may wait for 1 to {SCHEDULE_WAIT} seconds"));
        }
        Ok(())
    }
}

fn line_pattern(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("the pattern of a console line is empty".to_owned());
    }
    within("the pattern of a console line", pattern, PATTERN)
}

fn state(status: &Status) -> Result<(), String> {
    match status {
        Status::Other(_) => Err("an unknown state".to_owned()),
        _ => Ok(()),
    }
}

impl Payload for SchedulesSet {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, schedules, players } = self;
        id(server_id)?;
        few("schedules", schedules.len(), SCHEDULES)?;
        if let Some(players) = players {
            players.bound()?;
        }
        schedules.iter().try_for_each(Schedule::check)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for ScheduleRunNow {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, schedule_id, dry: _ } = self;
        within("the id of a schedule", schedule_id, WORD)?;
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl SchedulesReport {
    pub(super) fn bound(&mut self) {
        self.runs.truncate(SCHEDULE_RUNS);
        for run in &mut self.runs {
            let ScheduleRun {
                id,
                schedule_id,
                name,
                cause,
                started_at: _,
                ended_at: _,
                outcome,
                sentence,
                steps,
            } = run;
            for word in [id, schedule_id, cause, outcome] {
                TextRule::WORD.apply(word);
            }
            TextRule::NAME.apply(name);
            TextRule::SENTENCE.apply_some(sentence);
            steps.truncate(SCHEDULE_STEPS);
            for ScheduleStepRun { outcome, output } in steps {
                TextRule::WORD.apply(outcome);
                TextRule::SENTENCE.apply(output);
            }
        }
    }
}
