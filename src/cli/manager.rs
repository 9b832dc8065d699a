//! The service of this machine that runs a program of ours, as its manager knows it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a unit says where a guard watches over the program.
const GUARDED: &str = "CTRL_ALT_PLAY_GUARDED";

/// Who starts services here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    Systemd,
    OpenRc,
}

/// A service that is there.
#[derive(Clone, Debug)]
pub struct Service {
    manager: Manager,
    pub(super) name: &'static str,
    pub(super) guarded: bool,
    pub(super) active: bool,
    /// What its process has in its environment.
    variables: BTreeMap<String, String>,
}

const PANEL: &str = "ctrl-alt-play";
const AGENT: &str = "ctrl-alt-play-agent";

/// The service that is meant: the agent's where that is asked for or the only one.
pub(super) fn find(agent: bool) -> (bool, Option<Service>) {
    if !agent && let Some(panel) = look(PANEL) {
        return (false, Some(panel));
    }
    match look(AGENT) {
        Some(found) => (true, Some(found)),
        None => (agent, None),
    }
}

fn look(name: &'static str) -> Option<Service> {
    let settings = std::fs::read_to_string(format!("/etc/default/{name}")).unwrap_or_default();
    if Path::new("/run/systemd/system").exists() {
        let unit = format!("{name}.service");
        let said = said_by("systemctl", &["show", &unit, "-p", "LoadState,ActiveState,Environment"])?;
        let value = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        if value("LoadState") != Some("loaded") {
            return None;
        }
        let mut variables = pairs(value("Environment").unwrap_or_default().split_ascii_whitespace());
        variables.extend(pairs(settings.lines()));
        let active = matches!(value("ActiveState"), Some("active" | "activating" | "reloading"));
        let guarded = variables.get(GUARDED).is_some_and(|value| value == "1");
        return Some(Service { manager: Manager::Systemd, name, guarded, active, variables });
    }
    let script = std::fs::read_to_string(format!("/etc/init.d/{name}")).ok()?;
    if !Path::new("/run/openrc").exists() {
        return None;
    }
    let exported = script.lines().map(|line| line.trim().trim_start_matches("export "));
    let mut variables = pairs(exported);
    variables.extend(pairs(settings.lines()));
    let active = ran("rc-service", &[name, "status"]);
    Some(Service { manager: Manager::OpenRc, name, guarded: script.contains(GUARDED), active, variables })
}

/// `NAME=VALUE`, with quotes or without.
fn pairs<'t>(lines: impl Iterator<Item = &'t str>) -> BTreeMap<String, String> {
    let pair = |line: &'t str| {
        let (name, value) = line.trim().split_once('=')?;
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let value = value.trim();
        let bare = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
        plain.then(|| (name.to_owned(), bare.to_owned()))
    };
    lines.filter_map(pair).collect()
}

fn said_by(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ran(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

impl Service {
    /// What its process has under this name.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// How a person restarts it.
    pub(super) fn restart_line(&self) -> String {
        match self.manager {
            Manager::Systemd => format!("systemctl restart {}", self.name),
            Manager::OpenRc => format!("rc-service {} restart", self.name),
        }
    }

    /// Where a person reads what it says.
    pub(super) fn log_line(&self) -> String {
        match self.manager {
            Manager::Systemd => format!("journalctl -u {} -n 50", self.name),
            Manager::OpenRc => format!("tail -n 50 /var/log/{}.log", self.name),
        }
    }

    /// Restarts it. Where the new program does not come up, that is no answer yet: the guard goes back.
    pub(super) fn restart(&self) -> bool {
        match self.manager {
            Manager::Systemd => ran("systemctl", &["restart", self.name]),
            Manager::OpenRc => ran("rc-service", &[self.name, "restart"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_services_read_them() {
        let text = "# PORT=1\nPORT=3001\nDATA_DIR=\"/srv/games\"\nNODE_ID='attic'\n\nnonsense\n=x\nA B=c\n";
        let found = pairs(text.lines());
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("DATA_DIR", "/srv/games"), ("NODE_ID", "attic"), ("PORT", "3001")]);
    }
}
