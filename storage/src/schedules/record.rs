use serde::{Deserialize, Serialize};

use crate::Millis;

/// The schedules of a server, as its node is to have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerSchedules {
    /// All of them, the oldest first.
    pub schedules: Vec<Schedule>,
    /// How the game is asked who plays, as JSON; none if it cannot be asked.
    pub players: Option<String>,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Never changes.
    pub id: String,
    /// When it runs and what it does, as JSON.
    pub plan: String,
    /// When it was added.
    pub created_at: Millis,
}
