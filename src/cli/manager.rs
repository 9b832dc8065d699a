//! What a service manager is asked, and told, of a service of ours.

use std::process::{Command, Stdio};

use super::service::{Manager, Service};

/// The service that is meant: the agent's where that is asked for or the only one.
pub(super) fn find(agent: bool) -> (bool, Option<Service>) {
    let there = |found: Option<Service>| found.filter(|found| found.manager.is_some());
    if !agent && let Some(panel) = there(Service::of_panel()) {
        return (false, Some(panel));
    }
    match there(Service::of_agent()) {
        Some(found) => (true, Some(found)),
        None => (agent, None),
    }
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
    /// Whether it runs, or is about to.
    pub(super) fn active(&self) -> bool {
        match self.manager {
            Some(Manager::Systemd) => {
                let said = said_by("systemctl", &["show", "-p", "ActiveState", "--value", self.name]);
                said.is_some_and(|said| matches!(said.trim(), "active" | "activating" | "reloading"))
            }
            Some(Manager::OpenRc) => ran("rc-service", &[self.name, "status"]),
            None => false,
        }
    }

    /// How a person restarts it.
    pub(super) fn restart_line(&self) -> String {
        match self.manager {
            Some(Manager::OpenRc) => format!("rc-service {} restart", self.name),
            _ => format!("systemctl restart {}", self.name),
        }
    }

    /// Where a person reads what it says.
    pub(super) fn log_line(&self) -> String {
        match self.manager {
            Some(Manager::OpenRc) => format!("tail -n 50 /var/log/{}.log", self.name),
            _ => format!("journalctl -u {} -n 50", self.name),
        }
    }

    /// Restarts it. Where the new program does not come up, that is no answer yet: the guard goes back.
    pub(super) fn restart(&self) -> bool {
        match self.manager {
            Some(Manager::Systemd) => ran("systemctl", &["restart", self.name]),
            Some(Manager::OpenRc) => ran("rc-service", &[self.name, "restart"]),
            None => false,
        }
    }
}
