//! The report, as it is shown, sent and kept: one shape, so that the next run can be compared with what was seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The shape's number: fields are added under the same one, and never change their meaning.
pub const SHAPE: u32 = 1;

/// How bad it is. The order is from bad to good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DoctorLevel)]
pub enum Level {
    /// Something does not work.
    Problem,
    /// Something will not work, or not well.
    Warning,
    /// Worth knowing.
    Note,
    /// As it should be.
    Ok,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DoctorFinding)]
pub struct Finding {
    /// What part it belongs to: `engine`, `limits`, `machine`, `clock`, `disk`, `folder`, `database`, `ports`, `network`,
    /// `firewall`, `service`, `nodes`.
    pub group: String,
    /// A stable word.
    pub code: String,
    /// Which one, where a word can be said of several: a port, a node, a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How bad it is.
    pub level: Level,
    /// In a few words.
    pub title: String,
    /// In a sentence.
    pub detail: String,
    /// What to do; commands stand between backticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// It was not there, or not as bad, the last time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
}

/// Something of the last report that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DoctorGone)]
pub struct Gone {
    /// Its word.
    pub code: String,
    /// What it was about: a server, a port, an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it was.
    pub title: String,
}

/// A fact that is another one than the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DoctorChange)]
pub struct Change {
    /// The fact's name.
    pub what: String,
    /// Its value at the last check.
    pub before: String,
    /// Its value at this check.
    pub now: String,
}

/// How many findings there are of each level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DoctorSummary)]
pub struct Summary {
    /// Of problems.
    pub problem: usize,
    /// Of warnings.
    pub warning: usize,
    /// Of notes.
    pub note: usize,
    /// Of what is as it should be.
    pub ok: usize,
}

/// What a run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DoctorReport)]
pub struct Report {
    /// The shape's number.
    pub version: u32,
    /// When, RFC 3339.
    pub at: String,
    /// When the run was that this one is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What it was run on: `program`, `system`, `kernel`, `machine`, `engine`, `addresses`.
    pub facts: BTreeMap<String, String>,
    /// How many of each level.
    pub summary: Summary,
    /// Worst first.
    pub findings: Vec<Finding>,
    /// What is over since the last time.
    pub gone: Vec<Gone>,
    /// What is another one than the last time.
    pub changed: Vec<Change>,
}

/// The last report, if there is one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoctorLast)]
pub(super) struct Last {
    /// Absent where nobody has asked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) report: Option<Report>,
}

impl Finding {
    fn new(level: Level, group: &str, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            code: code.into(),
            about: None,
            level,
            title: title.into(),
            detail: detail.into(),
            advice: None,
            new: false,
        }
    }

    /// A finding of level `ok`.
    pub fn ok(group: &str, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(Level::Ok, group, code, title, detail)
    }

    /// A note, with advice.
    pub fn note(group: &str, code: &str, title: &str, detail: impl Into<String>, advice: &str) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(Level::Note, group, code, title, detail) }
    }

    /// A warning, with advice.
    pub fn warning(group: &str, code: &str, title: &str, detail: impl Into<String>, advice: &str) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(Level::Warning, group, code, title, detail) }
    }

    /// A problem, with advice.
    pub fn problem(group: &str, code: &str, title: &str, detail: impl Into<String>, advice: &str) -> Self {
        Self { advice: Some(advice.into()), ..Self::new(Level::Problem, group, code, title, detail) }
    }

    /// The finding about a particular thing, such as a port or a node.
    #[must_use]
    pub fn of(self, about: impl Into<String>) -> Self {
        Self { about: Some(about.into()), ..self }
    }
}

impl Summary {
    /// Counts the findings by level.
    pub fn of(findings: &[Finding]) -> Self {
        let count = |level| findings.iter().filter(|finding| finding.level == level).count();
        Self {
            problem: count(Level::Problem),
            warning: count(Level::Warning),
            note: count(Level::Note),
            ok: count(Level::Ok),
        }
    }
}
