//! Formats a report for a terminal.

use std::fmt::Write;

use super::views::{Finding, Level, Report};

/// Format of the output.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether to use colours.
    pub colours: bool,
    /// Width in columns.
    pub width: usize,
}

/// Indentation of text below the level, in columns.
const INDENT: usize = 10;

/// The whole report.
pub fn text(report: &Report, look: Look) -> String {
    let mut out = String::new();
    let fact = |name: &str| report.facts.get(name).map_or("", String::as_str);
    let head = ["program", "system", "kernel", "machine"].map(fact);
    let head: Vec<&str> = head.into_iter().filter(|text| !text.is_empty()).collect();
    let _ = writeln!(out, "Ctrl-Alt-Play {}\n", head.join(", "));
    for finding in report.findings.iter().filter(|finding| finding.level != Level::Ok) {
        loud(&mut out, finding, look);
    }
    for finding in report.findings.iter().filter(|finding| finding.level == Level::Ok) {
        let text = format!("{}: {}", finding.title, finding.detail);
        labelled(&mut out, &painted("ok", Level::Ok, look), 2, &text, look);
    }
    changes(&mut out, report, look);
    let summary = report.summary;
    let _ = writeln!(
        out,
        "\n{}, {}, {}, {} ok",
        count(summary.problem, "problem"),
        count(summary.warning, "warning"),
        count(summary.note, "note"),
        summary.ok
    );
    out
}

fn loud(out: &mut String, finding: &Finding, look: Look) {
    let word = match finding.level {
        Level::Problem => "PROBLEM",
        Level::Warning => "WARNING",
        Level::Note | Level::Ok => "note",
    };
    let new = if finding.new { " (new)" } else { "" };
    let title = format!("{}{new}", finding.title);
    labelled(out, &painted(word, finding.level, look), word.len(), &title, look);
    labelled(out, "", 0, &finding.detail, look);
    if let Some(advice) = &finding.advice {
        labelled(out, "       →", 8, advice, look);
    }
    out.push('\n');
}

fn changes(out: &mut String, report: &Report, look: Look) {
    let Some(since) = &report.since else { return };
    if report.gone.is_empty() && report.changed.is_empty() {
        return;
    }
    let day: String = since.chars().take(16).collect();
    let _ = writeln!(out, "\nSince {}:", day.replace('T', " "));
    for gone in &report.gone {
        let about = gone.about.as_ref().map_or(String::new(), |about| format!(" ({about})"));
        labelled(out, "gone", 4, &format!("{}{about}", gone.title), look);
    }
    for change in &report.changed {
        let shown = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
        let text = format!("{}: {} → {}", change.what, shown(&change.before), shown(&change.now));
        labelled(out, "changed", 7, &text, look);
    }
}

fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

fn painted(word: &str, level: Level, look: Look) -> String {
    let colour = match level {
        Level::Problem => "1;31",
        Level::Warning => "1;33",
        Level::Note => "36",
        Level::Ok => "32",
    };
    if look.colours { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

/// A label in the margin (`seen` columns wide) with text beside it, wrapped at spaces.
fn labelled(out: &mut String, label: &str, seen: usize, text: &str, look: Look) {
    let width = look.width.saturating_sub(INDENT).max(30);
    let mut lines: Vec<String> = vec![String::new()];
    for word in printable(text).split(' ').filter(|word| !word.is_empty()) {
        let at = lines.len() - 1;
        let length = lines[at].chars().count();
        if length > 0 && length + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if length > 0 {
                lines[at].push(' ');
            }
            lines[at].push_str(word);
        }
    }
    for (number, line) in lines.iter().enumerate() {
        let margin = if number == 0 { INDENT.saturating_sub(seen) } else { INDENT };
        let label = if number == 0 { label } else { "" };
        let _ = writeln!(out, "{label}{}{line}", " ".repeat(margin));
    }
}

/// Removes control characters: names of nodes and files are not under our control.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::super::views::Gone;
    use super::*;

    const PLAIN: Look = Look { colours: false, width: 60 };

    #[test]
    fn a_report_reads_well() {
        let long = "Port 3000 is held by nginx, which is another program of this machine altogether.";
        let mut report = report(
            vec![
                Finding {
                    new: true,
                    ..Finding::problem("ports", "taken", "A port is taken", long, "Stop it.")
                },
                Finding::ok("disk", "disk", "Disk", "20 GiB are free."),
            ],
            "6.1",
        );
        report.since = Some("2026-01-01T08:00:00Z".into());
        report.gone =
            vec![Gone { code: "x".into(), about: Some("shed".into()), title: "A node is offline".into() }];
        assert_eq!(
            text(&report, PLAIN),
            "Ctrl-Alt-Play 6.1\n\n\
             PROBLEM   A port is taken (new)\n          \
                       Port 3000 is held by nginx, which is another\n          \
                       program of this machine altogether.\n       \
                    →  Stop it.\n\n\
             ok        Disk: 20 GiB are free.\n\n\
             Since 2026-01-01 08:00:\n\
             gone      A node is offline (shed)\n\n\
             1 problem, 0 warnings, 0 notes, 1 ok\n"
        );
    }

    #[test]
    fn colours_only_where_wanted_and_none_from_outside() {
        let report = report(vec![Finding::warning("nodes", "x", "Odd", "node \x1b[2J", "y")], "6.1");
        assert!(!text(&report, PLAIN).contains('\x1b'));
        let coloured = text(&report, Look { colours: true, ..PLAIN });
        assert_eq!(coloured.matches('\x1b').count(), 2, "{coloured:?}");
    }
}
