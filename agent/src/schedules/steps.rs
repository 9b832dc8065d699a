//! The steps of schedules.

use std::time::Duration;

use protocol::{ConsoleItem, PlayersQuery, PowerAction, ScheduleAction, Status, Stream, ToPanel};

use super::conditions::name;
use super::handle::Tools;
use crate::console::Ready;
use crate::server::{Handle, Request};

/// How long a server may take to accept a request.
const ACCEPT: Duration = Duration::from_secs(60);
/// Between two questions who plays.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// Maximum bytes of a console line that is kept in the history.
const OUTPUT: usize = 300;

/// Whether a step changes anything: it is then on the disk before it is done.
pub(super) fn has_effect(action: &ScheduleAction) -> bool {
    matches!(
        action,
        ScheduleAction::Command { .. }
            | ScheduleAction::Power { .. }
            | ScheduleAction::Announce { .. }
            | ScheduleAction::Run { .. }
    )
}

impl Tools {
    /// Takes a step: what came of it, or why it failed, as a sentence. Another schedule is started by the caller.
    pub(super) async fn take(
        &self,
        handle: &Handle,
        action: &ScheduleAction,
        players: Option<&PlayersQuery>,
    ) -> Result<String, String> {
        match action {
            ScheduleAction::Command { command } => self.command(handle, command).await,
            ScheduleAction::Power { power } => self.power(handle, *power).await,
            ScheduleAction::Wait { seconds } => {
                tokio::time::sleep(Duration::from_secs(u64::from(*seconds))).await;
                Ok(String::new())
            }
            ScheduleAction::WaitLine { pattern, seconds } => {
                within(*seconds, wait_line(handle, pattern), "No such line came").await
            }
            ScheduleAction::WaitStatus { status, seconds } => {
                let mut seen = handle.status.clone();
                let wait = async {
                    let found = seen.wait_for(|now| now.status == *status).await;
                    found.map(|_| String::new()).map_err(|_| "The server was deleted.".to_owned())
                };
                within(*seconds, wait, &format!("The server was not {}", name(status))).await
            }
            ScheduleAction::WaitEmpty { seconds } => {
                within(*seconds, self.wait_empty(handle, players), "It was not known that nobody plays").await
            }
            ScheduleAction::Announce { command, before } => self.announce(handle, command, before).await,
            ScheduleAction::Run { .. } => Ok(String::new()),
        }
    }

    async fn ask(&self, handle: &Handle, request: Request) -> Result<String, String> {
        let (reply, answer) = self.answers.here();
        handle.ask(request, reply);
        match tokio::time::timeout(ACCEPT, answer).await {
            Ok(Ok(ToPanel::Error(error))) => Err(error.message),
            Ok(Ok(_)) => Ok(String::new()),
            _ => Err("The server did not answer in time.".to_owned()),
        }
    }

    async fn command(&self, handle: &Handle, command: &str) -> Result<String, String> {
        self.ask(handle, Request::Command(command.to_owned())).await
    }

    /// Where the server is so already, nothing is done.
    async fn power(&self, handle: &Handle, power: PowerAction) -> Result<String, String> {
        let status = handle.status.borrow().status.clone();
        match (power, status) {
            (PowerAction::Start, Status::Running | Status::Starting) => {
                Ok("The server was running already.".to_owned())
            }
            (PowerAction::Stop | PowerAction::Kill, Status::Stopped) => {
                Ok("The server was stopped already.".to_owned())
            }
            _ => self.ask(handle, Request::Power(power)).await,
        }
    }

    async fn announce(&self, handle: &Handle, command: &str, before: &[u32]) -> Result<String, String> {
        for (n, seconds) in before.iter().enumerate() {
            self.command(handle, &command.replace("{left}", &left(*seconds))).await?;
            let next = before.get(n + 1).copied().unwrap_or_default();
            tokio::time::sleep(Duration::from_secs(u64::from(seconds.saturating_sub(next)))).await;
        }
        Ok(String::new())
    }

    async fn wait_empty(&self, handle: &Handle, players: Option<&PlayersQuery>) -> Result<String, String> {
        if players.is_none() {
            return self.online(handle, players).await.map(|_| String::new());
        }
        while self.online(handle, players).await != Ok(0) {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(String::new())
    }
}

async fn within(
    seconds: u32,
    wait: impl Future<Output = Result<String, String>>,
    what: &str,
) -> Result<String, String> {
    let waited = tokio::time::timeout(Duration::from_secs(u64::from(seconds)), wait).await;
    waited.unwrap_or_else(|_| Err(format!("{what} within {seconds} seconds.")))
}

/// Waits for a line that the game writes from now on; gives the line.
async fn wait_line(handle: &Handle, pattern: &str) -> Result<String, String> {
    let ready = Ready::parse(pattern).map_err(|error| format!("{error}."))?;
    let from = handle.console.next_seq();
    let mut console = handle.console.follow(None);
    loop {
        for item in console.next().await.lines {
            if let ConsoleItem::Line(line) = item
                && line.seq >= from
                && line.stream != Stream::System
                && ready.matches(&line.text)
            {
                return Ok(line.text.chars().take(OUTPUT).collect());
            }
        }
    }
}

/// A time in words, for players.
fn left(seconds: u32) -> String {
    let (count, unit) = match seconds {
        s if s % 3600 == 0 => (s / 3600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_reads_well() {
        let all: Vec<String> = [7200, 3600, 300, 60, 90, 1].into_iter().map(left).collect();
        assert_eq!(all, ["2 hours", "1 hour", "5 minutes", "1 minute", "90 seconds", "1 second"]);
    }
}
