//! Whether a schedule may run now.

use std::time::Duration;

use jiff::Timestamp;
use protocol::{PlayersQuery, ScheduleCondition, Status, ToPanel};

use super::handle::Tools;
use crate::server::Handle;

/// How long a game may take to tell who plays.
const PATIENCE: Duration = Duration::from_secs(10);

impl Tools {
    /// `None` if all of them are true; otherwise what is not, as a sentence.
    pub(super) async fn unmet(
        &self,
        handle: &Handle,
        conditions: &[ScheduleCondition],
        players: Option<&PlayersQuery>,
    ) -> Option<String> {
        for condition in conditions {
            let sentence = match condition {
                ScheduleCondition::Status { status } => {
                    let is = handle.status.borrow().status.clone();
                    (is != *status).then(|| format!("The server is {}, not {}.", name(&is), name(status)))
                }
                ScheduleCondition::NobodyOnline {} => match self.online(handle, players).await {
                    Ok(0) => None,
                    Ok(1) => Some("Somebody plays.".to_owned()),
                    Ok(count) => Some(format!("{count} players are online.")),
                    Err(sentence) => Some(sentence),
                },
                ScheduleCondition::SomebodyOnline {} => match self.online(handle, players).await {
                    Ok(0) => Some("Nobody plays.".to_owned()),
                    Ok(_) => None,
                    Err(sentence) => Some(sentence),
                },
                ScheduleCondition::Uptime { minutes } => {
                    let since = handle.status.borrow().started_at;
                    let up = since.map_or(0, |at| Timestamp::now().as_second() - at.as_second());
                    (up < i64::from(*minutes) * 60)
                        .then(|| format!("The game has not been running for {minutes} minutes yet."))
                }
            };
            if sentence.is_some() {
                return sentence;
            }
        }
        None
    }

    /// How many play; nobody does while the server is not running.
    pub(super) async fn online(
        &self,
        handle: &Handle,
        players: Option<&PlayersQuery>,
    ) -> Result<u32, String> {
        if handle.running.borrow().is_none() {
            return Ok(0);
        }
        let Some(query) = players else {
            return Err("This game cannot be asked who plays.".to_owned());
        };
        let (reply, answer) = self.answers.here();
        self.players.query(handle, query.clone(), reply);
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(ToPanel::PlayersReport(report))) => report.online.ok_or_else(|| {
                report.problem.unwrap_or_else(|| "The game did not tell who plays.".to_owned())
            }),
            Ok(Ok(ToPanel::Error(error))) => Err(error.message),
            _ => Err("The game did not tell who plays.".to_owned()),
        }
    }
}

/// The word for a state.
pub(super) fn name(status: &Status) -> String {
    match status {
        Status::InstallFailed => "not installed".to_owned(),
        Status::Unknown => "in an unknown state".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}
