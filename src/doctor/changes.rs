//! Stores the last report and compares a new one with it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::views::{Change, Finding, Gone, Level, Report, SHAPE};

/// File of the last report in the data folder.
pub const FILE: &str = "doctor.json";
/// Largest report that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// The last report; `None` if there is none or its format is unknown.
pub(super) fn last(data_dir: &Path) -> Option<Report> {
    let path = data_dir.join(FILE);
    if std::fs::metadata(&path).ok()?.len() > LONGEST {
        return None;
    }
    let report: Report = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
    (report.version == SHAPE).then_some(report)
}

/// Stores a report with the data folder's owner, whichever user is running this.
pub(super) fn keep(data_dir: &Path, report: &Report) -> io::Result<()> {
    let (path, fresh) = (data_dir.join(FILE), data_dir.join(".doctor.json.new"));
    let owner = std::fs::metadata(data_dir)?;
    let text = serde_json::to_vec_pretty(report).map_err(io::Error::other)?;
    // Created anew without following links: root may be writing into another user's folder.
    match std::fs::remove_file(&fresh) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    if rustix::process::geteuid().is_root() {
        let (user, group) = (rustix::fs::Uid::from_raw(owner.uid()), rustix::fs::Gid::from_raw(owner.gid()));
        rustix::fs::fchown(&file, Some(user), Some(group))?;
    }
    let kept = file.write_all(&text).and_then(|()| std::fs::rename(&fresh, &path));
    kept.inspect_err(|_| drop(std::fs::remove_file(&fresh)))
}

/// Marks new findings, and adds those that are gone and facts that have changed.
pub(super) fn compare(report: &mut Report, last: &Report) {
    let key = |finding: &Finding| (finding.code.clone(), finding.about.clone());
    let was = |finding: &Finding| last.findings.iter().find(|before| key(before) == key(finding));
    for finding in &mut report.findings {
        let known = was(finding).is_some_and(|before| before.level <= finding.level);
        finding.new = finding.level != Level::Ok && !known;
    }
    let over = |before: &&Finding| {
        let same = report.findings.iter().find(|finding| key(finding) == key(before));
        before.level != Level::Ok && same.is_none_or(|now| now.level == Level::Ok)
    };
    let gone = last.findings.iter().filter(over);
    report.gone = gone
        .map(|finding| Gone {
            code: finding.code.clone(),
            about: finding.about.clone(),
            title: finding.title.clone(),
        })
        .collect();
    let names: std::collections::BTreeSet<&String> = last.facts.keys().chain(report.facts.keys()).collect();
    let value = |facts: &std::collections::BTreeMap<String, String>, name: &str| {
        facts.get(name).cloned().unwrap_or_default()
    };
    report.changed = names
        .into_iter()
        .filter(|name| last.facts.get(*name) != report.facts.get(*name))
        .map(|name| Change {
            what: name.clone(),
            before: value(&last.facts, name),
            now: value(&report.facts, name),
        })
        .collect();
    report.since = Some(last.at.clone());
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tests::report;
    use super::*;

    #[test]
    fn new_gone_and_changed() {
        let bad = |code: &str, about: &str| Finding::warning("ports", code, "Taken", "x", "y").of(about);
        let before = report(
            vec![bad("port", "1"), bad("port", "2"), Finding::ok("disk", "disk", "Disk", "x")],
            "6.1.20",
        );
        let mut now = report(
            vec![bad("port", "2"), bad("port", "3"), Finding::problem("disk", "disk", "Disk", "x", "y")],
            "6.1.21",
        );
        compare(&mut now, &before);
        let new: Vec<bool> = now.findings.iter().map(|finding| finding.new).collect();
        assert_eq!(new, [true, false, true], "worse is new too");
        assert_eq!(now.gone.len(), 1);
        assert_eq!(now.gone[0].about.as_deref(), Some("1"));
        assert_eq!((now.changed[0].before.as_str(), now.changed[0].now.as_str()), ("6.1.20", "6.1.21"));
        assert_eq!(now.changed.len(), 1);
        assert_eq!(now.since.as_deref(), Some("2026-01-01T00:00:00Z"));
        let mut same = now.clone();
        compare(&mut same, &now);
        assert!(
            same.findings.iter().all(|finding| !finding.new)
                && same.gone.is_empty()
                && same.changed.is_empty()
        );
    }

    #[test]
    fn a_report_is_kept_for_its_owner_alone_and_through_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(".doctor.json.new")).unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("doctor.json")).unwrap();
        let kept = report(Vec::new(), "6.1");
        keep(folder.path(), &kept).unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(last(folder.path()), Some(kept.clone()));
        let mode = std::fs::metadata(folder.path().join("doctor.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(folder.path().join("doctor.json"), "{").unwrap();
        assert_eq!(last(folder.path()), None);
        keep(folder.path(), &Report { version: SHAPE + 1, ..kept }).unwrap();
        assert_eq!(last(folder.path()), None, "a shape that we do not know");
        assert!(keep(&folder.path().join("none"), &report(Vec::new(), "6")).is_err());
    }
}
