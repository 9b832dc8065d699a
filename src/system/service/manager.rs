//! Service managers and the commands for them.

use std::path::Path;
use std::process::Stdio;

use super::error::ServiceError;
use super::tools::{command, have, printed, run, succeeds};

/// A service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// systemd.
    Systemd,
    /// OpenRC.
    OpenRc,
}

impl Manager {
    /// The one running on this machine; `None` in a container without one, or if it is another kind.
    pub(super) fn of_this_machine() -> Option<Self> {
        if Path::new("/run/systemd/system").is_dir() {
            return Some(Self::Systemd);
        }
        (Path::new("/run/openrc").is_dir() && have("rc-service")).then_some(Self::OpenRc)
    }

    /// Whether a service is running and has reported that it is ready.
    pub(super) fn runs(self, name: &str) -> bool {
        match self {
            Self::Systemd => succeeds("systemctl", &["is-active", "--quiet", name]),
            Self::OpenRc => succeeds("rc-service", &[name, "status"]),
        }
    }

    /// Whether a service is running or starting.
    pub fn active(self, name: &str) -> bool {
        match self {
            Self::Systemd => matches!(self.state(name).as_str(), "active" | "activating" | "reloading"),
            Self::OpenRc => self.runs(name),
        }
    }

    /// Whether a service is starting. Under OpenRC a start is complete when the command returns.
    pub(super) fn starts(self, name: &str) -> bool {
        self == Self::Systemd && self.state(name) == "activating"
    }

    fn state(self, name: &str) -> String {
        printed("systemctl", &["show", "-p", "ActiveState", "--value", name]).unwrap_or_default()
    }

    /// Whether a service starts at boot.
    pub(super) fn enabled(self, name: &str) -> bool {
        match self {
            Self::Systemd => succeeds("systemctl", &["is-enabled", "--quiet", name]),
            Self::OpenRc => printed("rc-update", &["show", "default"]).is_some_and(|shown| {
                shown.lines().any(|line| line.split('|').next().is_some_and(|service| service.trim() == name))
            }),
        }
    }

    /// Makes a service start at boot.
    pub(super) fn enable(self, name: &str) -> Result<(), ServiceError> {
        let doing = format!("enabling the service {name}");
        match self {
            Self::Systemd => run(&doing, "systemctl", &["enable", "--quiet", name]),
            Self::OpenRc => run(&doing, "rc-update", &["add", name, "default"]),
        }
    }

    /// Stops a service and disables its start at boot. Errors are ignored; callers check what is left.
    pub(super) fn stop_and_disable(self, name: &str) {
        match self {
            Self::Systemd => {
                succeeds("systemctl", &["disable", "--now", "--quiet", name]);
            }
            Self::OpenRc => {
                succeeds("rc-service", &[name, "stop"]);
                succeeds("rc-update", &["del", name, "default"]);
            }
        }
    }

    /// Stops a service.
    pub(super) fn stop(self, name: &str) {
        let _ = self.tell(name, "stop");
    }

    /// `start` or `restart`.
    pub(super) fn launch(self, name: &str, verb: &'static str) -> Result<(), ServiceError> {
        let doing = format!("the {verb} of the service {name}");
        match self {
            Self::Systemd => run(&doing, "systemctl", &[verb, name]),
            Self::OpenRc => run(&doing, "rc-service", &[name, verb]),
        }
    }

    /// Restarts a service, with its output on the terminal. A failure is not final: if a new program does not start,
    /// the guard restores the old one.
    pub fn restart(self, name: &str) -> bool {
        self.tell(name, "restart")
    }

    fn tell(self, name: &str, verb: &str) -> bool {
        let mut told = match self {
            Self::Systemd => command("systemctl"),
            Self::OpenRc => command("rc-service"),
        };
        match self {
            Self::Systemd => told.args([verb, name]),
            Self::OpenRc => told.args([name, verb]),
        };
        told.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Reloads the service files.
    pub(super) fn reload(self) -> Result<(), ServiceError> {
        match self {
            Self::Systemd => run("reading the units", "systemctl", &["daemon-reload"]),
            Self::OpenRc => Ok(()),
        }
    }

    /// The command with which a user restarts a service.
    pub fn restart_line(self, name: &str) -> String {
        match self {
            Self::Systemd => format!("systemctl restart {name}"),
            Self::OpenRc => format!("rc-service {name} restart"),
        }
    }

    /// The command with which a user stops a service.
    pub(super) fn stop_line(self, name: &str) -> String {
        match self {
            Self::Systemd => format!("systemctl stop {name}"),
            Self::OpenRc => format!("rc-service {name} stop"),
        }
    }

    /// The command with which a user reads a service's log.
    pub fn log_line(self, name: &str) -> String {
        match self {
            Self::Systemd => format!("journalctl -u {name} -n 50"),
            Self::OpenRc => format!("tail -n 50 /var/log/{name}.log"),
        }
    }

    /// The last lines of a service's log.
    pub(super) fn last_words(self, name: &str) -> String {
        let said = match self {
            Self::Systemd => printed("journalctl", &["-u", name, "-n", "20", "--no-pager"]),
            Self::OpenRc => printed("tail", &["-n", "20", &format!("/var/log/{name}.log")]),
        };
        said.unwrap_or_default()
    }
}
