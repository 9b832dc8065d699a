//! Requested actions that are not finished, so that they continue after a crash of the agent.

use std::time::Duration;

use jiff::Timestamp;
use protocol::Millis;
use serde::{Deserialize, Deserializer, Serialize};

/// A requested action that is not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pending {
    /// A stop, a restart or a kill.
    Stop(PendingStop),
    /// An installation: pulling the image and running the install script.
    Install,
    /// An installation after deleting its files.
    Wipe,
}

/// Treats an action that only a newer agent knows as none.
pub(super) fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pending>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(from)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

/// A stop, a restart or a kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingStop {
    /// When it was requested.
    pub asked: Moment,
    /// Milliseconds until SIGTERM (or until SIGKILL, if the stop is SIGTERM).
    pub timeout: u64,
    /// Whether to send SIGKILL at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kill: bool,
    /// Whether to start it again afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Number of steps taken, of: the command or signal, SIGTERM, SIGKILL.
    #[serde(default)]
    pub taken: u32,
    /// The engine's id of the container to stop; `None` if it was only being launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
}

/// A point in time by two clocks: the wall clock, which may be changed, and the machine's uptime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    wall: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    /// Milliseconds since boot.
    #[serde(default)]
    uptime: u64,
}

impl Moment {
    /// The current time.
    #[must_use]
    pub fn now() -> Self {
        let machine = machine();
        Self {
            wall: Timestamp::now().as_millisecond(),
            uptime: machine.as_ref().map_or(0, |(_, uptime)| *uptime),
            boot: machine.map(|(boot, _)| boot),
        }
    }

    /// Time since then. After a reboot only the wall clock is available.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let millis = match (&self.boot, machine()) {
            (Some(boot), Some((now, uptime))) if *boot == now => uptime.saturating_sub(self.uptime),
            _ => u64::try_from(Timestamp::now().as_millisecond().saturating_sub(self.wall)).unwrap_or(0),
        };
        Duration::from_millis(millis)
    }
}

/// The boot's id and the milliseconds since boot.
fn machine() -> Option<(String, u64)> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, rest) = uptime.split_ascii_whitespace().next()?.split_once('.')?;
    let hundredths: u64 = rest.get(..2)?.parse().ok()?;
    Some((boot.trim().to_owned(), seconds.parse::<u64>().ok()?.checked_mul(1_000)? + hundredths * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_clock_changes_no_span() {
        let now = Moment::now();
        assert!(now.boot.is_some(), "this machine says which boot it is");
        let day = 86_400_000;
        for wall in [now.wall - day, now.wall + day] {
            assert!(Moment { wall, ..now.clone() }.elapsed() < Duration::from_secs(60));
        }
    }

    #[test]
    fn after_a_reboot_the_wall_counts_and_never_backwards() {
        let now = Moment::now();
        let before = |wall| Moment { wall, boot: Some("another".into()), uptime: 1 << 40 };
        let ago = before(now.wall - 90_000).elapsed().as_secs();
        assert!((90..150).contains(&ago), "{ago}");
        assert_eq!(before(now.wall + 90_000).elapsed(), Duration::ZERO);
    }
}
