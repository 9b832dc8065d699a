//! A panel from its backup: everything is fetched and checked beside the data folder's content, and put in its place at the
//! end, in steps that go on after a kill.

mod error;
mod fetch;
mod folder;
mod owner;
mod place;
mod source;
mod wanted;

use std::path::Path;

use agent::backups::PANEL;
use agent::backups::worker::Found;
use storage::db_backups;
use tokio_util::sync::CancellationToken;

pub use self::error::RestoreError;
pub use self::fetch::Opened;
pub use self::place::settle;
pub use self::source::{Access, Source};
pub use self::wanted::{Progress, Restored, Servers, Wanted};

use self::fetch::Step;
use self::place::Places;
use self::wanted::blocking;
use crate::system::clock;

/// The panel backups in a repository, newest first.
pub fn panel_backups(opened: &Opened) -> Vec<&Found> {
    opened.found.iter().rev().filter(|one| one.server_id == PANEL).collect()
}

/// Restores a panel onto a data folder that no panel is using. `told` hears how far it is.
///
/// # Errors
/// [`RestoreError`]; the data folder is as it was.
pub async fn restore(
    data_dir: &Path,
    opened: &Opened,
    wanted: &Wanted,
    replace: bool,
    told: impl Fn(Progress),
) -> Result<Restored, RestoreError> {
    let _held = db_backups::hold(data_dir)?;
    may_begin(data_dir, replace)?;
    let cancel = CancellationToken::new();
    let mut restored = lay_aside(data_dir, opened, wanted, &cancel, told).await?;
    let folder = data_dir.to_owned();
    restored.kept = blocking(move || Places::new(&folder).put()).await?;
    Ok(restored)
}

/// Whether a panel may be restored onto the folder.
///
/// # Errors
/// There is one, and it is not to be replaced.
pub fn may_begin(data_dir: &Path, replace: bool) -> Result<(), RestoreError> {
    let database = data_dir.join("panel.redb");
    if !replace && database.exists() {
        return Err(RestoreError::Occupied { database });
    }
    Ok(())
}

/// Fetches and checks everything, and marks it as ready: the next [`settle`] puts it in its place.
///
/// # Errors
/// [`RestoreError`]; what was laid aside is thrown away.
pub async fn lay_aside(
    data_dir: &Path,
    opened: &Opened,
    wanted: &Wanted,
    cancel: &CancellationToken,
    told: impl Fn(Progress),
) -> Result<Restored, RestoreError> {
    let all = panel_backups(opened);
    let found = match &wanted.backup_id {
        Some(id) => all.iter().find(|one| one.backup_id == *id),
        None => all.first(),
    };
    let Some(found) = found else {
        let sentence = match &wanted.backup_id {
            Some(id) => format!("there is no panel backup {id} at this place; --list shows which there are"),
            None => "there is no panel backup at this place, only backups of servers or none".to_owned(),
        };
        return Err(RestoreError::NotFound(sentence));
    };
    let places = Places::new(data_dir);
    let step = Step { opened, places: &places, data_dir, cancel };
    let done = step.everything(found, wanted, &told).await;
    let folder = data_dir.to_owned();
    if done.is_err() {
        if let Err(error) = blocking(move || Places::new(&folder).clear()).await {
            tracing::warn!(%error, "what a restore has left could not be removed");
        }
        return done;
    }
    let now: String =
        clock::rfc3339(clock::now()).chars().take(19).map(|c| if c == ':' { '-' } else { c }).collect();
    blocking(move || Places::new(&folder).set_ready(&now)).await?;
    done
}
