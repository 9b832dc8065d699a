//! The stop command of an egg.
//!
//! Without `^`: a line on the console. `^C`, `^SIGINT`, `^SIGTERM` and `^SIGABRT`: that signal. Anything else with `^`:
//! the game is killed (Pelican wings, `server/power.go`).

use crate::model::Stop;

/// Parses a stop command. Also returns the text of a warning if it kills the game.
pub(super) fn read(written: &str) -> (Stop, Option<&'static str>) {
    if written.is_empty() {
        return (Stop::default(), None);
    }
    let Some(signal) = written.strip_prefix('^') else {
        return (Stop::Command(written.to_owned()), None);
    };
    match signal.to_ascii_uppercase().as_str() {
        "C" | "SIGINT" => (Stop::Signal("SIGINT".into()), None),
        "SIGTERM" => (Stop::Signal("SIGTERM".into()), None),
        "SIGABRT" => (Stop::Signal("SIGABRT".into()), None),
        _ => {
            let said = "this kills the game at once, as it does elsewhere: it cannot save. `^C` would ask it to stop";
            (Stop::Signal("SIGKILL".into()), Some(said))
        }
    }
}

/// Writes a stop command in the format of eggs.
pub(super) fn write(stop: &Stop) -> String {
    match stop {
        Stop::Command(line) => line.clone(),
        Stop::Signal(signal) if signal == "SIGINT" => "^C".to_owned(),
        Stop::Signal(signal) => format!("^{signal}"),
    }
}

/// Whether an egg can represent this stop command.
pub(super) fn has_words(stop: &Stop) -> bool {
    match stop {
        Stop::Command(line) => !line.is_empty() && !line.starts_with('^'),
        Stop::Signal(signal) => ["SIGINT", "SIGTERM", "SIGABRT", "SIGKILL"].contains(&signal.as_str()),
    }
}
