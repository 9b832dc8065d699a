//! The database: whether it is intact, of a known schema, and backed up recently.

use std::path::Path;
use std::time::{Duration, SystemTime};

use agent::host::size;
use serde::{Deserialize, Serialize};
use storage::db_backups::CopyError;

use super::views::Finding;

/// Copies are made daily; an older one is a sign of a problem.
const LATE: Duration = Duration::from_secs(3 * 24 * 3600);

/// Result of checking every byte of the database.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked {
    /// It is intact.
    Whole {
        /// Schema version.
        schema: u32,
        /// Size.
        bytes: u64,
    },
    /// It is damaged or could not be read; with the error.
    Broken(String),
    /// There is no database yet.
    Missing,
    /// No permission to read it.
    Closed,
    /// It was not checked; with the reason.
    Skipped(String),
}

impl Looked {
    /// The result of a failed copy. A copy verifies the database, but may also fail for lack of disk space.
    pub(super) fn of_copying(error: &CopyError) -> Self {
        match error {
            CopyError::Database(
                storage::Error::DiskFull | storage::Error::ReadOnly { .. } | storage::Error::Closed,
            ) => Self::Skipped(format!("It takes no copy now: {error}.")),
            _ => Self::Broken(error.to_string()),
        }
    }
}

pub(super) fn database(looked: &Looked) -> Finding {
    match looked {
        Looked::Whole { schema, bytes } => {
            let detail = format!("Every byte was read: whole, schema {schema}, {}.", amount(*bytes));
            Finding::ok("database", "database", "Database", detail)
        }
        Looked::Broken(cause) => {
            let advice = "Keep it as it is and put the newest good copy in its place: `sudo systemctl stop ctrl-alt-play`, \
                          `ls /var/lib/ctrl-alt-play/copies`, `sudo ctrl-alt-play db restore FILE`, `sudo systemctl start \
                          ctrl-alt-play`.";
            let detail = format!("{}.", cause.trim_end_matches('.'));
            Finding::problem("database", "database_broken", "The database is not sound", detail, advice)
        }
        Looked::Missing => {
            let advice =
                "It is made at the first start. If there was one, look for it before you start the panel.";
            Finding::note(
                "database",
                "database_missing",
                "There is no database",
                "None was made yet.",
                advice,
            )
        }
        Looked::Closed => {
            let advice = "Ask as root: `sudo ctrl-alt-play doctor`.";
            let detail = "Only the panel's user and root may read it.";
            Finding::note("database", "database_unseen", "The database was not looked at", detail, advice)
        }
        Looked::Skipped(cause) => {
            let advice = "Look by hand: `sudo ctrl-alt-play db check`.";
            let title = "The database was not looked at";
            Finding::note("database", "database_unseen", title, cause.clone(), advice)
        }
    }
}

fn amount(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes.div_ceil(1024)) } else { size(bytes) }
}

/// Age of the newest daily copy. `None` if there is nothing to copy.
pub(super) fn copies(data_dir: &Path, now: SystemTime) -> Option<Finding> {
    let written = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let changed = written(&data_dir.join("panel.redb"))?;
    let entries = std::fs::read_dir(data_dir.join("copies")).into_iter().flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "redb"));
    let newest = files.filter_map(|path| written(&path)).max();
    let age = |at: SystemTime| now.duration_since(at).unwrap_or_default();
    let days = |at| age(at).as_secs() / 86_400;
    let advice = "Copies are made by a panel that runs; make one now: `sudo ctrl-alt-play db backup /mnt/backup/panel.redb`.";
    match newest {
        Some(copy) if changed > copy + LATE && age(copy) > LATE => {
            let detail =
                format!("The newest copy is {} days old, and the database has changed since.", days(copy));
            Some(Finding::warning("database", "copies_old", "No fresh copy of the database", detail, advice))
        }
        Some(copy) => {
            let detail = match days(copy) {
                0 => "The newest copy is of the last 24 hours.".to_owned(),
                1 => "The newest copy is a day old.".to_owned(),
                days => format!("The newest copy is {days} days old, and little has changed since."),
            };
            Some(Finding::ok("database", "copies", "Copies of the database", detail))
        }
        None => {
            let made = written(&data_dir.join("instance.json")).unwrap_or(changed);
            (age(made) > LATE).then(|| {
                let detail = "There is none in the folder `copies`, and the panel is older than a few days.";
                Finding::warning("database", "copies_none", "No copy of the database", detail, advice)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::views::Level;
    use super::*;

    #[test]
    fn what_was_found_in_words() {
        let whole = database(&Looked::Whole { schema: 2, bytes: 70_000 });
        assert_eq!(
            (whole.level, whole.detail.as_str()),
            (Level::Ok, "Every byte was read: whole, schema 2, 69 KiB.")
        );
        let broken = database(&Looked::Broken("panel.redb is damaged".into()));
        assert_eq!(broken.level, Level::Problem);
        assert!(broken.advice.unwrap().contains("db restore"));
        assert_eq!(database(&Looked::Closed).code, "database_unseen");
    }

    #[test]
    fn copies_are_fresh_old_or_missing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("copies")).unwrap();
        let now = SystemTime::now();
        let touch = |name: &str, days: u64| {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(now - Duration::from_secs(days * 86_400)).unwrap();
        };
        let code = || copies(folder.path(), now).map(|finding| finding.code);
        assert_eq!(code(), None, "there is no database");
        touch("panel.redb", 0);
        touch("instance.json", 1);
        assert_eq!(code(), None, "it is young");
        touch("instance.json", 9);
        assert_eq!(code().as_deref(), Some("copies_none"));
        touch("copies/panel-2026-01-01.redb", 8);
        assert_eq!(code().as_deref(), Some("copies_old"));
        touch("panel.redb", 8);
        assert_eq!(code().as_deref(), Some("copies"), "nothing has changed since");
        touch("copies/panel-2026-01-08.redb", 1);
        assert_eq!(code().as_deref(), Some("copies"));
    }
}
