//! The log: one line per event, whatever input it contains.

use std::io::{self, Write};
use std::os::fd::AsFd;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::ConfigError;

/// Filter for libraries that log too much at the configured level.
const QUIET: &str =
    "hyper=info,hyper_util=info,bollard=info,tungstenite=info,tokio_tungstenite=info,warp=info,mio=info";

/// Starts logging to stderr. `level` is a word (`info`) or a filter (`warn,ctrl_alt_play=debug`). The journal adds the
/// time itself, and takes the priority from the start of the line.
pub fn start(level: &str) -> Result<(), ConfigError> {
    let filter =
        EnvFilter::builder().parse(directives(level)?).map_err(|problem| bad(&problem.to_string()))?;
    let journal = is_journal(&io::stderr(), std::env::var("JOURNAL_STREAM").ok().as_deref());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(OneLine { journal, level: None });
    // Fails in tests, where several panels share one process and one log.
    let _ = if journal { subscriber.without_time().try_init() } else { subscriber.try_init() };
    Ok(())
}

/// Whether a stream is the one that systemd connected to its journal: `JOURNAL_STREAM` has its device and inode.
fn is_journal(stream: &impl AsFd, named: Option<&str>) -> bool {
    let Some((device, inode)) = named.and_then(|named| named.split_once(':')) else { return false };
    rustix::fs::fstat(stream)
        .is_ok_and(|found| device == found.st_dev.to_string() && inode == found.st_ino.to_string())
}

fn directives(level: &str) -> Result<String, ConfigError> {
    if level.contains(['=', ',']) {
        return Ok(level.to_owned());
    }
    // The filter would silently take any other word as the name of a module.
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

/// Writes each event as one line. Control characters are escaped, so that input cannot forge a line or send escape
/// sequences to a terminal.
struct OneLine {
    journal: bool,
    level: Option<Level>,
}

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self { journal: self.journal, level: None }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self {
        Self { journal: self.journal, level: Some(*meta.level()) }
    }
}

impl Write for OneLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut line = escaped(bytes);
        if let Some(level) = self.level.filter(|_| self.journal) {
            line = priority(level).to_owned() + line.trim_start();
        }
        io::stderr().lock().write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The syslog priority of a level.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
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
        // Bidirectional controls change the order in which text is shown.
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
    fn the_journal_is_known_by_its_stream() {
        use std::os::unix::fs::MetadataExt;
        let file = tempfile::tempfile().unwrap();
        let meta = file.metadata().unwrap();
        let named = format!("{}:{}", meta.dev(), meta.ino());
        assert!(super::is_journal(&file, Some(&named)));
        // Inherited by a process whose output goes elsewhere.
        assert!(!super::is_journal(&file, Some("8:1")));
        assert!(!super::is_journal(&file, Some("nonsense")) && !super::is_journal(&file, None));
    }

    #[test]
    fn one_event_is_one_harmless_line() {
        let event = "INFO login name=a\n2026 INFO ok\u{1b}[2J\u{9b}31m\u{202e}\r\n";
        let line = super::escaped(event.as_bytes());
        assert_eq!(line, "INFO login name=a\\n2026 INFO ok\\u{1b}[2J\\u{9b}31m\\u{202e}\\r\n");
    }
}
