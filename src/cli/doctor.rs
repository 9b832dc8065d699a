//! `doctor`: the check-up from the command line, of a panel that runs or does not.

use std::io::{self, IsTerminal, stdout};
use std::path::Path;

use crate::admin::{self, AskError};
use crate::config::Config;
use crate::doctor::{self, Look, Panel, Subject};

/// Exit codes: nothing is broken, something is, there was no check-up.
const FINE: u8 = 0;
const PROBLEMS: u8 = 1;
pub(super) const COULD_NOT_RUN: u8 = 2;

/// Widest text, also on a wide terminal.
const WIDTH: usize = 100;

/// The settings of the service on this machine, as far as we may read them.
#[derive(Default)]
pub(super) struct Service(Vec<(String, String)>);

impl Service {
    /// Those of `/etc/default/ctrl-alt-play`; whoever is not root and has no panel of his own means the service's folder.
    pub(super) fn found() -> Self {
        let mut found =
            Self::parse(&std::fs::read_to_string("/etc/default/ctrl-alt-play").unwrap_or_default());
        let folder = Path::new("/var/lib/ctrl-alt-play");
        let own = std::env::var("XDG_DATA_HOME")
            .or_else(|_| std::env::var("HOME").map(|home| home + "/.local/share"))
            .is_ok_and(|data| Path::new(&data).join("ctrl-alt-play").exists());
        if !rustix::process::geteuid().is_root() && !own && folder.exists() {
            found.0.push(("DATA_DIR".to_owned(), folder.display().to_string()));
        }
        found
    }

    /// `NAME=value` lines, as systemd and shells read them.
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let line = line.trim();
            let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
            let value = value.trim();
            let quoted = ['"', '\''].iter().find_map(|mark| value.strip_prefix(*mark)?.strip_suffix(*mark));
            (!name.starts_with('#')).then(|| (name.trim().to_owned(), quoted.unwrap_or(value).to_owned()))
        };
        Self(text.lines().filter_map(line).collect())
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Looks at everything: what to print, and the exit code.
pub async fn doctor(config: &Config, json: bool) -> (String, u8) {
    let folder = config.data_dir.clone();
    let panel = match admin::examine(&folder).await {
        Ok(side) => Panel::Runs(Box::new(side)),
        Err(AskError::NotRunning { source, .. }) if nobody_listens(&source) => {
            let database = tokio::task::spawn_blocking(move || doctor::database_of_stopped(&folder)).await;
            Panel::Stopped(database.unwrap_or_else(|cause| doctor::Looked::Skipped(cause.to_string())))
        }
        // It may run: we may not ask, or it is of another version.
        Err(cause) => match super::healthcheck(config).await {
            Ok(()) => Panel::Closed(cause.to_string()),
            Err(_) => Panel::Stopped(doctor::Looked::Closed),
        },
    };
    let report = doctor::examine(Subject { panel, ..Subject::of(config) }).await;
    let code = if report.summary.problem > 0 { PROBLEMS } else { FINE };
    if json {
        return match serde_json::to_string_pretty(&report) {
            Ok(text) => (text + "\n", code),
            Err(cause) => (format!("{cause}\n"), COULD_NOT_RUN),
        };
    }
    (doctor::text(&report, look()), code)
}

fn nobody_listens(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn look() -> Look {
    let terminal = stdout().is_terminal();
    let columns = rustix::termios::tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
    let quiet = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    Look {
        colours: terminal && !quiet && !dumb,
        width: if columns == 0 { WIDTH } else { columns.min(WIDTH) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_settings_are_read_as_systemd_reads_them() {
        let service = Service::parse(
            "# PORT=1\n\nPORT=3001\nexport BIND = '127.0.0.1'\nDATA_DIR=\"/srv/my games\"\nPORT=3002\n",
        );
        let value = |name| service.variable(name);
        assert_eq!(value("PORT").as_deref(), Some("3002"), "the last one counts");
        assert_eq!(value("BIND").as_deref(), Some("127.0.0.1"));
        assert_eq!(value("DATA_DIR").as_deref(), Some("/srv/my games"));
        assert_eq!(value("# PORT"), None);
    }
}
