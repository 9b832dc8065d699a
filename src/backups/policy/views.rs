//! A server's policy as JSON, in and out.

use serde::{Deserialize, Serialize};
use storage::Millis;
use storage::backups::policies::{Keep, Kept, Policy, Problem, Tests};
use storage::backups::targets::Target;
use utoipa::ToSchema;

use super::due;
use crate::backups::targets::KindView;
use crate::backups::views::NODE;
use crate::error::ApiError;
use crate::system::clock::{self, rfc3339};

/// Lines of an ignore list, and bytes of one.
const LINES: usize = 200;
const LINE: usize = 500;
/// The largest rule.
const MOST: u32 = 1_000;
/// A day and a week, in milliseconds.
const DAY: Millis = 86_400_000;
const WEEK: Millis = 7 * DAY;
/// MiB in a second.
const FASTEST: u32 = 100_000;

/// How a server is backed up.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = BackupPolicyChange)]
pub(in crate::backups) struct PolicyBody {
    /// The backup target's id, or `node` for the node's own data folder. For backups by hand as well, where nobody names another.
    pub(super) target: String,
    /// Whether there is a backup each day.
    enabled: bool,
    /// When, as `04:00`.
    time: String,
    /// The time zone of that, such as `Europe/Berlin`; null for the one of the panel's machine.
    #[serde(default)]
    time_zone: Option<String>,
    /// Which of the scheduled backups are kept. All 0: every one.
    keep: KeepView,
    /// Lines in gitignore's syntax: files that are left out of all backups of this server.
    #[serde(default)]
    ignore: Vec<String>,
    /// MiB in a second at most, 0 for no limit.
    #[serde(default)]
    limit_mib_per_sec: u32,
    /// Whether little memory is to be used, at the price of time.
    #[serde(default)]
    small_memory: bool,
    /// Whether a running server is stopped for it where it can't be told to save.
    #[serde(default)]
    stop_server: bool,
    /// Of the panel's own policy: whether all servers are backed up with it.
    #[serde(default)]
    servers: bool,
    /// Whether a backup is tested each week by starting the game from it, when the node has the memory for it.
    #[serde(default)]
    test_weekly: bool,
}

/// How many backups of each kind are kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(as = BackupKeep)]
pub(super) struct KeepView {
    /// The newest, 0 to 1000.
    last: u32,
    /// The newest of an hour.
    hourly: u32,
    /// The newest of a day.
    daily: u32,
    /// The newest of a week, which begins on Monday.
    weekly: u32,
    /// The newest of a month.
    monthly: u32,
    /// All that are younger, in days.
    within_days: u32,
}

/// Rules that are to be tried.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BackupPolicyPreview)]
pub(super) struct PreviewBody {
    /// The rules.
    pub(super) keep: KeepView,
}

/// How a server is backed up, and how that goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupPolicy)]
pub(in crate::backups) struct PolicyView {
    /// The backup target's id, or `node` for the node's own data folder.
    target: String,
    /// How it is made.
    #[serde(flatten)]
    settings: SettingsView,
    /// Its time, and the next one.
    #[serde(flatten)]
    timing: TimingView,
    /// Which of the scheduled backups are kept.
    keep: KeepView,
    /// What went wrong with the last one that was due; absent where that went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemView>,
    /// How the weekly restore tests go; absent where none are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    tests: Option<TestsView>,
    /// Where backups can be kept beside the node.
    targets: Vec<ChoiceView>,
    /// Which state this is, for `If-Match`.
    pub(super) revision: String,
}

/// How it is made.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupPolicySettings)]
struct SettingsView {
    /// Lines in gitignore's syntax: files that are left out.
    ignore: Vec<String>,
    /// MiB in a second at most, 0 for no limit.
    limit_mib_per_sec: u32,
    /// Whether little memory is to be used.
    small_memory: bool,
    /// Whether a running server is stopped for it where it can't be told to save.
    stop_server: bool,
    /// Of the panel's own policy: whether all servers are backed up with it.
    servers: bool,
    /// Whether a backup is tested each week.
    test_weekly: bool,
}

/// When it is made.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupPolicyTiming)]
struct TimingView {
    /// Whether there is a backup each day.
    enabled: bool,
    /// When, as `04:00`.
    time: String,
    /// The time zone of that; absent for the one of the panel's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// The time zone that counts.
    effective_time_zone: String,
    /// When the next one is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
}

/// How the weekly restore tests go.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupPolicyTests)]
struct TestsView {
    /// When the game came up last from a backup; absent where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    proved_at: Option<String>,
    /// Whether that was not within a week.
    overdue: bool,
    /// Why not, or what the last one found; absent where that went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemView>,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BackupPolicyProblem)]
struct ProblemView {
    /// Since when.
    since: String,
    /// One sentence.
    sentence: String,
}

/// A target that can be chosen.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = BackupTargetChoice)]
struct ChoiceView {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// How it is reached.
    kind: KindView,
}

impl PolicyView {
    pub(super) fn new(kept: Kept, targets: &[Target], proved: Option<Millis>) -> Self {
        let revision = revision(&kept.policy);
        let zone = due::zone_of(&kept.policy);
        let Kept { policy, due, problem, tests } = kept;
        let overdue = is_overdue(&tests, proved, clock::now());
        Self {
            target: policy.target_id.unwrap_or_else(|| NODE.to_owned()),
            settings: SettingsView {
                ignore: policy.ignore,
                limit_mib_per_sec: policy.mib_per_sec,
                small_memory: policy.small_memory,
                stop_server: policy.stop_server,
                servers: policy.servers,
                test_weekly: policy.test_weekly,
            },
            timing: TimingView {
                enabled: policy.enabled,
                time: format!("{:02}:{:02}", policy.minute / 60, policy.minute % 60),
                time_zone: policy.time_zone,
                effective_time_zone: due::zone_name(&zone),
                next_at: due.map(rfc3339),
            },
            keep: KeepView::from(policy.keep),
            problem: problem.map(ProblemView::from),
            tests: policy.test_weekly.then(|| TestsView {
                proved_at: proved.map(rfc3339),
                overdue,
                problem: tests.problem.map(ProblemView::from),
            }),
            targets: targets
                .iter()
                .map(|target| ChoiceView {
                    id: target.id.clone(),
                    name: target.name.clone(),
                    kind: KindView::of(&target.location),
                })
                .collect(),
            revision,
        }
    }
}

/// Whether no backup was proved for a week, although they are to be.
pub(in crate::backups) fn is_overdue(tests: &Tests, proved: Option<Millis>, now: Millis) -> bool {
    tests.since.is_some_and(|since| now - proved.map_or(since, |proved| proved.max(since)) > WEEK + DAY)
}

impl From<Problem> for ProblemView {
    fn from(problem: Problem) -> Self {
        Self { since: rfc3339(problem.since), sentence: problem.sentence }
    }
}

/// Which state of a policy this is.
pub(super) fn revision(policy: &Policy) -> String {
    crate::revision::of(&[&format!("{policy:?}")])
}

impl From<Keep> for KeepView {
    fn from(Keep { last, hourly, daily, weekly, monthly, within_days }: Keep) -> Self {
        Self { last, hourly, daily, weekly, monthly, within_days }
    }
}

impl KeepView {
    pub(super) fn checked(self) -> Result<Keep, ApiError> {
        let Self { last, hourly, daily, weekly, monthly, within_days } = self;
        for (name, value) in [
            ("last", last),
            ("hourly", hourly),
            ("daily", daily),
            ("weekly", weekly),
            ("monthly", monthly),
            ("withinDays", within_days),
        ] {
            if value > MOST {
                return Err(ApiError::field(format!("keep.{name}"), format!("must be from 0 to {MOST}")));
            }
        }
        Ok(Keep { last, hourly, daily, weekly, monthly, within_days })
    }
}

impl PolicyBody {
    pub(super) fn checked(self, target_id: Option<String>) -> Result<Policy, ApiError> {
        let time_zone = self.time_zone.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        if due::zone(time_zone.as_deref()).is_err() {
            return Err(ApiError::field(
                "timeZone",
                "is no time zone that the panel's machine knows, such as Europe/Berlin",
            ));
        }
        let minute = minute_of(&self.time)
            .ok_or_else(|| ApiError::field("time", "has to be a time of the day, such as 04:00"))?;
        if self.ignore.len() > LINES {
            return Err(ApiError::field("ignore", format!("has more than {LINES} lines")));
        }
        for line in &self.ignore {
            if line.len() > LINE || line.contains(char::is_control) {
                return Err(ApiError::field(
                    "ignore",
                    format!("has a line of more than {LINE} bytes, or with control characters"),
                ));
            }
        }
        if self.limit_mib_per_sec > FASTEST {
            return Err(ApiError::field("limitMibPerSec", format!("must be from 0 to {FASTEST}")));
        }
        Ok(Policy {
            target_id,
            enabled: self.enabled,
            minute,
            time_zone,
            keep: self.keep.checked()?,
            ignore: self.ignore,
            mib_per_sec: self.limit_mib_per_sec,
            small_memory: self.small_memory,
            stop_server: self.stop_server,
            servers: self.servers,
            test_weekly: self.test_weekly,
        })
    }
}

/// Of `04:00`.
fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str, below: u16| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| plain && *number < below)
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

#[cfg(test)]
mod tests {
    use super::minute_of;

    #[test]
    fn times_of_the_day() {
        for (text, minute) in [("00:00", 0), ("04:00", 240), ("4:05", 245), (" 23:59 ", 1439)] {
            assert_eq!(minute_of(text), Some(minute), "{text}");
        }
        for bad in ["", "4", "24:00", "04:60", "-1:00", "+4:00", "04:00:00", "004:00", "a:b"] {
            assert_eq!(minute_of(bad), None, "{bad}");
        }
    }
}
