//! `doctor`: runs the checks from the command line, whether or not the panel is running.

use std::io::{self, IsTerminal, stdout};

use crate::config::Config;
use crate::doctor::{self, Look, Panel, Subject};
use crate::start::control_socket::{self, ControlError};

/// Exit codes: no problems, problems found, the check could not be run.
const FINE: u8 = 0;
const PROBLEMS: u8 = 1;
pub(super) const COULD_NOT_RUN: u8 = 2;

/// Widest output in columns, even on a wide terminal.
const WIDTH: usize = 100;

/// Runs all checks; returns the output and the exit code.
pub async fn doctor(config: &Config, json: bool) -> (String, u8) {
    let folder = config.data_dir.clone();
    let panel = match control_socket::examine(&folder).await {
        Ok(side) => Panel::Runs(Box::new(side)),
        Err(ControlError::NotRunning { source, .. }) if nobody_listens(&source) => {
            let database = tokio::task::spawn_blocking(move || doctor::database_of_stopped(&folder)).await;
            Panel::Stopped(database.unwrap_or_else(|cause| doctor::Looked::Skipped(cause.to_string())))
        }
        // The panel may be running, but this user may not ask it, or it is of another version.
        Err(cause) => match super::health::healthcheck(config).await {
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
