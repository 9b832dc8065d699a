//! The log: one event, one line, whatever strangers put into it.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::ConfigError;

/// What is too talkative at the level that is asked of us.
const QUIET: &str =
    "hyper=info,hyper_util=info,bollard=info,tungstenite=info,tokio_tungstenite=info,warp=info,mio=info";

/// Starts the log on stderr. `level` is a word (`info`) or a filter (`warn,ctrl_alt_play=debug`).
pub fn start(level: &str) -> Result<(), ConfigError> {
    let filter =
        EnvFilter::builder().parse(directives(level)?).map_err(|problem| bad(&problem.to_string()))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(OneLine);
    // In tests several panels share one process and one log.
    let _ = subscriber.try_init();
    Ok(())
}

fn directives(level: &str) -> Result<String, ConfigError> {
    if level.contains(['=', ',']) {
        return Ok(level.to_owned());
    }
    // The filter would take any other word as the name of a module, and be silent.
    match level.trim().to_ascii_lowercase().as_str() {
        "warning" => Ok(format!("warn,{QUIET}")),
        word @ ("off" | "error" | "warn" | "info" | "debug" | "trace") => Ok(format!("{word},{QUIET}")),
        _ => Err(bad(&format!("\"{level}\" is no level"))),
    }
}

fn bad(problem: &str) -> ConfigError {
    let problem = format!("{problem}; it has to be error, warn, info, debug, trace or a filter");
    ConfigError::Bad { from: "LOG_LEVEL".to_owned(), problem }
}

/// Writes each event as one line: control characters are spelled out, so that nothing in a name or an answer can forge a
/// line or speak to the terminal.
struct OneLine;

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for OneLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(escaped(bytes).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn escaped(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let (line, end) = match text.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (text.as_ref(), ""),
    };
    let mut safe = String::with_capacity(text.len());
    for c in line.chars() {
        // The bidirectional controls reorder what a reader sees.
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe + end
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_that_are_no_level_are_refused() {
        assert!(super::directives("INFO").unwrap().starts_with("info,"));
        assert_eq!(super::directives("warn,ctrl_alt_play=debug").unwrap(), "warn,ctrl_alt_play=debug");
        assert!(super::directives("loud").is_err());
    }

    #[test]
    fn one_event_is_one_harmless_line() {
        let event = "INFO login name=a\n2026 INFO ok\u{1b}[2J\u{9b}31m\u{202e}\r\n";
        let line = super::escaped(event.as_bytes());
        assert_eq!(line, "INFO login name=a\\n2026 INFO ok\\u{1b}[2J\\u{9b}31m\\u{202e}\\r\n");
    }
}
