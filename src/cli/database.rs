//! `db backup`, `db restore`, `db check`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use storage::OpenError;
use storage::db_backups::{self, Copied, CopyError};

use crate::config::Config;
use crate::start::control_socket::{self, ControlError, ControlRequest};

/// How long to wait for a panel that is starting or stopping: it has locked its folder but answers no requests.
const COMES_OR_GOES: Duration = Duration::from_secs(10);
/// Exit code if another process uses the folder.
const IN_USE: u8 = 75;

/// A command for the database.
pub enum DatabaseWork {
    /// Write a copy to this file.
    Backup(PathBuf),
    /// Replace the database by this file.
    Restore(PathBuf),
    /// Check this file, or the database itself.
    Check(Option<PathBuf>),
}

/// `db backup`, `db restore`, `db check`: returns a message for the user, or exit code and reason.
pub async fn database(config: &Config, work: DatabaseWork) -> Result<String, (u8, String)> {
    let folder = config.data_dir.clone();
    let absolute = |file: PathBuf| std::path::absolute(file).map_err(|cause| (74, cause.to_string()));
    match work {
        DatabaseWork::Backup(file) => {
            let to = absolute(file)?;
            let (data_dir, target) = (folder.clone(), to.clone());
            tokio::task::spawn_blocking(move || db_backups::check_target(&data_dir, &target))
                .await
                .map_err(|cause| (70, cause.to_string()))?
                .map_err(|error| not_copied(&error))?;
            let copied = backup(&folder, &to).await?;
            Ok(format!("Copied to {} ({} bytes, checked).", to.display(), copied.bytes))
        }
        DatabaseWork::Restore(file) => {
            let from = absolute(file)?;
            let named = from.display().to_string();
            let kept = blocking(move || db_backups::restore(&folder, &from)).await?;
            let kept = kept.map(|path| format!(" What was there is kept as {}.", path.display()));
            Ok(format!("{named} is the database now; start the panel.{}", kept.unwrap_or_default()))
        }
        DatabaseWork::Check(Some(file)) => {
            let file = absolute(file)?;
            let named = file.display().to_string();
            let found = blocking(move || db_backups::check_file(&file)).await?;
            Ok(format!("{named} is whole: schema {}, {} bytes.", found.schema, found.bytes))
        }
        // The file may be in use, so a copy is made, which verifies it on the way.
        DatabaseWork::Check(None) => {
            let to = folder.join("check.redb");
            let found = backup(&folder, &to).await?;
            std::fs::remove_file(&to).map_err(|cause| (74, cause.to_string()))?;
            Ok(format!("The database is whole: schema {}, {} bytes.", found.schema, found.bytes))
        }
    }
}

/// Makes a copy, through the panel if it is running.
pub(super) async fn backup(folder: &Path, to: &Path) -> Result<Copied, (u8, String)> {
    let deadline = Instant::now() + COMES_OR_GOES;
    loop {
        match backup_now(folder, to).await {
            // The panel is starting or stopping.
            Err((IN_USE, _)) if Instant::now() < deadline => tokio::time::sleep(COMES_OR_GOES / 50).await,
            other => return other,
        }
    }
}

async fn backup_now(folder: &Path, to: &Path) -> Result<Copied, (u8, String)> {
    // The panel writes into its own folder: as a service it may have its own /tmp and no access to home folders.
    let aside = folder.join("copy-by-hand.redb");
    let (folder, to) = (folder.to_owned(), to.to_owned());
    let copied = match control_socket::ask(&folder, &ControlRequest::CopyDatabase { to: aside.clone() }).await
    {
        Ok(()) => tokio::task::spawn_blocking(move || db_backups::bring(&aside, &to)).await,
        Err(ControlError::NotRunning { .. }) => {
            tokio::task::spawn_blocking(move || db_backups::copy_of_closed(&folder, &to)).await
        }
        Err(error) => return Err((74, error.to_string())),
    };
    copied.map_err(|cause| (70, cause.to_string()))?.map_err(|error| not_copied(&error))
}

fn not_copied(error: &CopyError) -> (u8, String) {
    match error {
        CopyError::Open(cause) => (cause.exit_code(), cause.to_string()),
        CopyError::Inside { .. } => (64, error.to_string()),
        CopyError::Database(cause) => (74, cause.to_string()),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, (u8, String)> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| (70, cause.to_string()))?
        .map_err(|error| (error.exit_code(), error.to_string()))
}
