//! What a schedule is in the API. On the wire to an agent it has the same form, so one is read as the other.

use protocol::{OnFailure, Schedule, ScheduleAction, ScheduleTrigger};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::{Permission, Permissions};
use crate::error::{ApiError, Code};

/// A schedule: when it runs, and what it does then.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SchedulePlan {
    /// Its name, at most 64 characters.
    pub(super) name: String,
    /// Whether it runs by itself.
    pub(super) enabled: bool,
    /// When it runs.
    pub(super) trigger: ScheduleTriggerView,
    /// What must be true for it to run; at most 20.
    #[serde(default)]
    pub(super) conditions: Vec<ScheduleConditionView>,
    /// What it does, in order; 1 to 20.
    pub(super) steps: Vec<ScheduleStepView>,
    /// Whether a run that was missed while the machine was off is made up for, once.
    #[serde(default)]
    pub(super) catch_up: bool,
}

/// A state that a schedule waits for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ScheduleStatus)]
#[serde(rename_all = "snake_case")]
pub(super) enum StatusView {
    /// Running and, if the template has a ready line, ready.
    Running,
    /// Not running.
    Stopped,
    /// Ended by itself with an error.
    Crashed,
    /// Started, but not ready yet.
    Starting,
    /// Being stopped.
    Stopping,
}

/// When a schedule runs.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ScheduleTrigger)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ScheduleTriggerView {
    /// At times.
    Cron {
        /// A cron pattern of five fields: minute, hour, day, month, weekday.
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
        status: StatusView,
    },
    /// When the game writes such a line.
    Line {
        /// A text, or a regular expression after `regex:`; at most 512 bytes.
        pattern: String,
    },
    /// When the node's agent starts.
    NodeStarted {},
}

/// What must be true for a schedule to run.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ScheduleCondition)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ScheduleConditionView {
    /// The server is in this state.
    Status {
        /// The state.
        status: StatusView,
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
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ScheduleStep)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ScheduleStepView {
    /// What is done.
    action: ScheduleActionView,
    /// What happens if it fails; `stop` where absent.
    #[serde(default)]
    on_failure: OnFailureView,
}

/// What happens if a step fails.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = ScheduleOnFailure)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum OnFailureView {
    /// The run ends.
    #[default]
    Stop,
    /// The next step is taken.
    GoOn,
    /// The run ends, and another schedule runs.
    Run {
        /// The id of that schedule.
        schedule: String,
    },
}

/// A power action of a step.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SchedulePower)]
#[serde(rename_all = "snake_case")]
pub(super) enum PowerView {
    /// Start it.
    Start,
    /// Stop it cleanly.
    Stop,
    /// Stop, then start.
    Restart,
    /// End it at once.
    Kill,
}

/// What a step does.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ScheduleAction)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ScheduleActionView {
    /// Types a line on the game's console.
    Command {
        /// The line.
        command: String,
    },
    /// Starts, stops or restarts the server.
    Power {
        /// What is done.
        power: PowerView,
    },
    /// Waits.
    Wait {
        /// 1 to 21600 seconds.
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
        status: StatusView,
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
        /// The line, such as `say Restart in {left}`.
        command: String,
        /// Seconds before the end at which it is typed, falling.
        before: Vec<u32>,
    },
    /// Runs another schedule.
    Run {
        /// The id of that schedule.
        schedule: String,
    },
}

impl SchedulePlan {
    /// The plan of a schedule that was written.
    pub(super) fn of(schedule: Schedule) -> Option<Self> {
        let mut value = serde_json::to_value(schedule).ok()?;
        value.as_object_mut()?.remove("id");
        serde_json::from_value(value).ok()
    }

    /// As it goes to the agent.
    ///
    /// # Errors
    /// What is wrong with it, or what somebody with these permissions may not do.
    pub(super) fn checked(mut self, id: &str, permissions: &Permissions) -> Result<Schedule, ApiError> {
        let invalid = |sentence: String| ApiError::new(Code::Invalid, sentence);
        self.name = self.name.trim().to_owned();
        if self.name.is_empty() || self.name.chars().count() > 64 || self.name.chars().any(char::is_control) {
            return Err(invalid("A schedule needs a name of 1 to 64 characters.".to_owned()));
        }
        if self.steps.is_empty() {
            return Err(invalid("A schedule needs at least one step.".to_owned()));
        }
        let mut value =
            serde_json::to_value(&self).map_err(|error| ApiError::internal("writing a schedule", &error))?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("id".to_owned(), id.into());
        }
        let schedule: Schedule = serde_json::from_value(value)
            .map_err(|error| ApiError::internal("reading a schedule", &error))?;
        schedule.check().map_err(|sentence| invalid(capital(&sentence)))?;
        check_trigger(&schedule.trigger)?;
        for step in &schedule.steps {
            check_action(&step.action)?;
        }
        may_do(&schedule, permissions)?;
        Ok(schedule)
    }
}

/// A schedule does nothing that its author may not do. What another schedule does may change later, so running one takes
/// the right to all that schedules can do.
pub(super) fn may_do(schedule: &Schedule, permissions: &Permissions) -> Result<(), ApiError> {
    const CONSOLE: (Permission, &str) = (Permission::Console, "use this server's console");
    const POWER: (Permission, &str) = (Permission::Power, "start and stop this server");
    for step in &schedule.steps {
        let runs_another = matches!(step.on_failure, OnFailure::Run { .. });
        let needed: &[_] = match step.action {
            _ if runs_another => &[CONSOLE, POWER],
            ScheduleAction::Run { .. } => &[CONSOLE, POWER],
            ScheduleAction::Command { .. } | ScheduleAction::Announce { .. } => &[CONSOLE],
            ScheduleAction::Power { .. } => &[POWER],
            _ => &[],
        };
        if let Some((_, what)) = needed.iter().find(|(need, _)| !permissions.allow(*need)) {
            let sentence = format!("You may not {what}, and so no schedule may do it for you.");
            return Err(ApiError::new(Code::Forbidden, sentence));
        }
    }
    Ok(())
}

pub(super) fn check_trigger(trigger: &ScheduleTrigger) -> Result<(), ApiError> {
    let invalid = |sentence: String| ApiError::new(Code::Invalid, sentence);
    agent::schedules::next_times(trigger, crate::system::clock::now(), 1)
        .map_err(|error| invalid(error.to_string()))?;
    match trigger {
        ScheduleTrigger::Line { pattern } => check_pattern(pattern),
        _ => Ok(()),
    }
}

fn check_action(action: &ScheduleAction) -> Result<(), ApiError> {
    match action {
        ScheduleAction::WaitLine { pattern, .. } => check_pattern(pattern),
        ScheduleAction::Command { command } | ScheduleAction::Announce { command, .. } => {
            if command.trim().is_empty() || command.chars().any(char::is_control) {
                let sentence = "A command is one line without control characters.";
                return Err(ApiError::new(Code::Invalid, sentence));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_pattern(pattern: &str) -> Result<(), ApiError> {
    agent::console::Ready::parse(pattern)
        .map(drop)
        .map_err(|_| ApiError::new(Code::Invalid, "This is not a regular expression, or it is too large."))
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(step: &serde_json::Value) -> SchedulePlan {
        let plan = json!({
            "name": "Night", "enabled": true, "trigger": {"kind": "cron", "pattern": "0 5 * * *", "zone": "UTC"},
            "conditions": [{"kind": "nobody_online"}, {"kind": "status", "status": "running"}],
            "steps": [step], "catchUp": true
        });
        serde_json::from_value(plan).unwrap()
    }

    /// Both forms are one: whatever is accepted here is read by agents, and back.
    #[test]
    fn a_plan_is_read_by_agents_and_back() {
        let permissions =
            Permissions::granted([Permission::Schedules, Permission::Console, Permission::Power]);
        for action in [
            json!({"kind": "command", "command": "save-all"}),
            json!({"kind": "power", "power": "restart"}),
            json!({"kind": "wait", "seconds": 5}),
            json!({"kind": "wait_line", "pattern": "regex:^Done", "seconds": 5}),
            json!({"kind": "wait_status", "status": "stopped", "seconds": 5}),
            json!({"kind": "wait_empty", "seconds": 5}),
            json!({"kind": "announce", "command": "say {left}", "before": [60, 10]}),
            json!({"kind": "run", "schedule": "b"}),
        ] {
            for failure in
                [json!({"kind": "stop"}), json!({"kind": "go_on"}), json!({"kind": "run", "schedule": "b"})]
            {
                let plan = plan(&json!({"action": action, "onFailure": failure}));
                let written = serde_json::to_value(&plan).unwrap();
                let schedule = plan.checked("a", &permissions).unwrap();
                assert_eq!(serde_json::to_value(SchedulePlan::of(schedule).unwrap()).unwrap(), written);
            }
        }
    }

    #[test]
    fn a_schedule_does_nothing_that_its_author_may_not_do() {
        let permissions = Permissions::granted([Permission::Schedules]);
        for action in [
            json!({"kind": "command", "command": "op me"}),
            json!({"kind": "announce", "command": "op me", "before": [1]}),
            json!({"kind": "power", "power": "kill"}),
            json!({"kind": "run", "schedule": "b"}),
        ] {
            let error = plan(&json!({"action": action})).checked("a", &permissions).unwrap_err();
            assert_eq!(error.code(), Code::Forbidden);
        }
        let wait = json!({"kind": "wait", "seconds": 1});
        let fallback = json!({"action": wait, "onFailure": {"kind": "run", "schedule": "b"}});
        assert_eq!(plan(&fallback).checked("a", &permissions).unwrap_err().code(), Code::Forbidden);
        assert!(plan(&json!({"action": {"kind": "wait", "seconds": 1}})).checked("a", &permissions).is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let permissions = Permissions::granted([Permission::Console]);
        for action in [
            json!({"kind": "command", "command": "a\nop me"}),
            json!({"kind": "command", "command": " "}),
            json!({"kind": "wait", "seconds": 0}),
            json!({"kind": "wait", "seconds": 9_999_999}),
            json!({"kind": "announce", "command": "say", "before": []}),
            json!({"kind": "announce", "command": "say", "before": [10, 60]}),
            json!({"kind": "wait_line", "pattern": "regex:(", "seconds": 5}),
            json!({"kind": "wait_line", "pattern": "", "seconds": 5}),
        ] {
            let error = plan(&json!({"action": action})).checked("a", &permissions).unwrap_err();
            assert_eq!(error.code(), Code::Invalid, "{action}");
        }
    }
}
