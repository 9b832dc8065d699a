use std::fs;

use super::*;

/// A fake machine made of files.
pub(super) struct Tree {
    root: tempfile::TempDir,
}

impl Tree {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self { root: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    pub(super) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(super) fn sources(&self) -> Sources {
        Sources::below(self.path())
    }
}

pub(super) fn codes(found: &[Finding]) -> Vec<String> {
    for finding in found {
        assert_eq!(finding.advice.is_some(), finding.level != Level::Ok, "what to do: {finding:?}");
    }
    found.iter().map(|finding| finding.code.clone()).collect()
}

pub(super) fn report(findings: Vec<Finding>, program: &str) -> Report {
    let facts = BTreeMap::from([("program".to_owned(), program.to_owned())]);
    Report { at: "2026-01-01T00:00:00Z".into(), ..super::report(findings, facts) }
}

fn subject(data_dir: &Path) -> Subject {
    Subject {
        docker_host: Some("/nonexistent/engine.sock".into()),
        ..Subject::of(&Config::for_tests(data_dir))
    }
}

#[tokio::test]
async fn a_machine_without_anything_is_looked_at_whole() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("none");
    let report = examine(subject(&nowhere)).await;
    let codes = codes(&report.findings);
    for expected in ["engine_missing", "folder_missing", "database_missing", "ports"] {
        assert!(codes.iter().any(|code| code == expected), "{expected}: {codes:?}");
    }
    assert!(!nowhere.exists(), "looking makes nothing");
    assert!(report.findings.is_sorted_by_key(|finding| finding.level), "worst first");
    assert_eq!(report.summary.problem, report.findings.iter().filter(|f| f.level == Level::Problem).count());
}

#[tokio::test]
async fn the_second_run_knows_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = examine(subject(folder.path())).await;
    assert_eq!(first.since, None);
    let second = examine(subject(folder.path())).await;
    assert_eq!(second.since.as_deref(), Some(first.at.as_str()));
    let missing = second.findings.iter().find(|finding| finding.code == "engine_missing").unwrap();
    assert!(!missing.new);
    fs::write(folder.path().join("panel.redb"), "no database").unwrap();
    let broken =
        Subject { panel: Panel::Stopped(database_of_stopped(folder.path())), ..subject(folder.path()) };
    let third = examine(broken).await;
    let found = third.findings.iter().find(|finding| finding.code == "database_broken").unwrap();
    assert!(found.new, "{found:?}");
    assert_eq!(fs::read(folder.path().join("panel.redb")).unwrap(), b"no database");
    assert!(fs::read_dir(folder.path()).unwrap().flatten().all(|entry| {
        let name = entry.file_name();
        name == "panel.redb" || name == FILE
    }));
}

#[test]
fn a_database_that_vanished_is_not_one_that_was_never_made() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(database_of_stopped(folder.path()), Looked::Missing));
    fs::write(folder.path().join("instance.json"), "{}").unwrap();
    assert!(matches!(database_of_stopped(folder.path()), Looked::Broken(_)));
}
