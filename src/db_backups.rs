//! Database backups: one a day and on request, in the folder `copies` of the data folder. The last seven are kept.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use storage::Store;
use storage::db_backups::{Copied, CopyError};

use crate::error::Chain;
use crate::system::shutdown::Tasks;

/// Interval of database backups.
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// Interval of checks whether a backup is due. The first check is earlier, but after the panel's start.
const LOOK: Duration = Duration::from_secs(3600);
const FIRST_LOOK: Duration = Duration::from_secs(300);
/// How many backups are kept.
const KEPT: usize = 7;
const NAME: (&str, &str) = ("panel-", ".redb");

/// The folder of the database backups.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("copies")
}

/// Starts the task that makes a backup every day, until the tasks are cancelled.
pub fn start(store: &Store, data_dir: &Path, tasks: &Tasks) {
    let (store, data_dir, token) = (store.clone(), data_dir.to_owned(), tasks.token());
    drop(tasks.spawn("daily copy", async move {
        let mut wait = FIRST_LOOK;
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = LOOK;
            let folder = folder(&data_dir);
            if !due(&folder, &data_dir.join("panel.redb"), SystemTime::now()) {
                continue;
            }
            match daily(&store, &folder, &today_word()).await {
                Ok(copied) => tracing::info!(bytes = copied.bytes, "the database was copied"),
                Err(error) => tracing::warn!(error = %Chain(&error), "the database could not be copied; the next try is in an hour"),
            }
        }
    }));
}

/// File name of today's backup.
pub fn name_of_today() -> String {
    format!("{}{}{}", NAME.0, today_word(), NAME.1)
}

/// Today's date (UTC) as `2026-01-31`.
fn today_word() -> String {
    Timestamp::now().to_string().chars().take(10).collect()
}

/// Makes today's backup now, and replaces one that exists.
///
/// # Errors
/// [`CopyError`].
pub async fn today(store: &Store, data_dir: &Path) -> Result<Copied, CopyError> {
    daily(store, &folder(data_dir), &today_word()).await
}

/// Whether the newest backup is a day old, and the database has changed since.
fn due(folder: &Path, database: &Path, now: SystemTime) -> bool {
    let made = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let Some(newest) = copies(folder).iter().filter_map(|path| made(path)).max() else { return true };
    // A backup with a time in the future (the clock was set back) counts as old, or the next one could be years away.
    let old = now.duration_since(newest).map_or(true, |age| age >= EVERY);
    old && made(database).is_none_or(|written| written > newest)
}

async fn daily(store: &Store, folder: &Path, day: &str) -> Result<Copied, CopyError> {
    let made = crate::system::private_files::folder(folder);
    if let Err(error) = made {
        tracing::warn!(%error, "the folder for copies");
    }
    let to = folder.join(format!("{}{}{}", NAME.0, day, NAME.1));
    let copied = store.copy_to(to).await?;
    let mut all = copies(folder);
    all.sort();
    for old in all.iter().rev().skip(KEPT) {
        if let Err(error) = std::fs::remove_file(old) {
            tracing::warn!(%error, path = %old.display(), "an old copy could not be removed");
        }
    }
    Ok(copied)
}

/// All backups in the folder.
fn copies(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(NAME.0) && name.ends_with(NAME.1)
    };
    listed.map(|entry| entry.path()).filter(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::tests::World;

    #[tokio::test]
    async fn seven_days_are_kept_and_the_oldest_go() {
        let world = World::new().await;
        let folder = tempfile::tempdir().unwrap();
        let days = ["02-25", "02-26", "02-27", "02-28", "03-01", "03-02", "03-03", "03-04", "03-05"];
        std::fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
        for day in days.map(|day| format!("2026-{day}")) {
            daily(&world.store, folder.path(), &day).await.unwrap();
            daily(&world.store, folder.path(), &day).await.unwrap();
        }
        let mut names: Vec<_> =
            copies(folder.path()).into_iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names.len(), KEPT);
        assert_eq!(
            (names[0].to_str(), names[6].to_str()),
            (Some("panel-2026-02-27.redb"), Some("panel-2026-03-05.redb"))
        );
        assert!(folder.path().join("notes.txt").exists());
        storage::db_backups::check_file(&folder.path().join("panel-2026-03-05.redb")).unwrap();
    }

    #[test]
    fn one_is_due_when_a_day_has_passed_and_something_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("panel.redb");
        let touch = |path: &Path, at: SystemTime| {
            std::fs::File::create(path).unwrap().set_modified(at).unwrap();
        };
        let now = SystemTime::now();
        let ago = |hours: u64| now - Duration::from_secs(hours * 3600);
        touch(&database, ago(1));
        assert!(due(folder.path(), &database, now), "there is none yet");
        let copy = folder.path().join("panel-2026-01-01.redb");
        touch(&copy, ago(23));
        assert!(!due(folder.path(), &database, now), "not yet");
        touch(&copy, ago(25));
        assert!(due(folder.path(), &database, now));
        touch(&database, ago(26));
        assert!(!due(folder.path(), &database, now), "nothing new");
        touch(&database, ago(1));
        touch(&copy, now + Duration::from_secs(7200));
        assert!(!due(folder.path(), &database, now), "written before the copy, as far as one can see");
    }
}
