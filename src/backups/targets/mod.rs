//! Backup targets: where backups are kept beside the nodes' data folders.

mod adopt;
mod body;
mod kit;
mod routes;
mod trial;
mod views;

use protocol::NodeId;
use storage::backups::repositories::{self, Place};
use storage::backups::targets::{self, Target};
use storage::backups::{Repository, Stage};
use storage::{ReadTx, backups};

pub(crate) use body::LocationBody;
pub(super) use routes::routes;
pub(super) use views::KindView;

use self::body::{ChangeTarget, NewTarget};
use self::views::{RepositoryView, TargetView};
use super::Backups;
use super::check::repository_key;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::{clock, ids};

impl Backups {
    /// All targets, in the order in which they were added.
    fn targets(&self) -> Result<Vec<TargetView>, ApiError> {
        let read = |tx: &ReadTx| {
            targets::list(tx)?
                .into_iter()
                .map(|target| self.view_of(tx, target))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(self.store.read_now(read)?)
    }

    /// One target.
    fn target_view(&self, id: &str) -> Result<TargetView, ApiError> {
        let read = |tx: &ReadTx| targets::get(tx, id)?.map(|target| self.view_of(tx, target)).transpose();
        self.store.read_now(read)?.ok_or_else(no_target)
    }

    async fn add_target(&self, admin: &Admin, body: NewTarget) -> Result<TargetView, ApiError> {
        let target = Target {
            id: ids::short(),
            name: body::checked_name(&body.name)?,
            location: body.location.checked(None)?,
            created_at: clock::now(),
            kit_saved: false,
        };
        if let Some(password) = body.repository_password {
            let id = self.adopt_target(admin, target, body.node_id, password).await?;
            return self.target_view(&id);
        }
        let id = target.id.clone();
        tracing::info!(target = id, kind = ?target.location, by = %admin, "a backup target is added");
        self.store.write(move |tx| targets::insert(tx, target)).await.map_err(full)?;
        self.target_view(&id)
    }

    async fn change_target(
        &self,
        admin: &Admin,
        id: &str,
        change: ChangeTarget,
    ) -> Result<TargetView, ApiError> {
        let name = change.name.as_deref().map(body::checked_name).transpose()?;
        let key = id.to_owned();
        let changed = self.store.write(move |tx| {
            let before = targets::get(tx, &key)?.ok_or_else(no_target)?;
            let location = change.location.map(|new| new.checked(Some(&before.location))).transpose()?;
            let written = targets::update(tx, &key, |one| {
                one.name = name.unwrap_or_else(|| std::mem::take(&mut one.name));
                one.location = location.unwrap_or_else(|| one.location.clone());
                one.kit_saved = change.kit_saved.unwrap_or(one.kit_saved);
            });
            Ok::<_, ApiError>(written?)
        });
        changed.await?;
        tracing::info!(target = id, by = %admin, "a backup target is changed");
        self.target_view(id)
    }

    /// Forgets a target where no backup lies and that no server uses.
    async fn remove_target(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        let key = id.to_owned();
        let removed = self.store.write(move |tx| {
            targets::get(tx, &key)?.ok_or_else(no_target)?;
            let (kept, used) = (backups::count_at(tx, &key)?, targets::users(tx, &key)?);
            if kept > 0 {
                let sentence = format!(
                    "Backups lie there ({kept}). Delete them first: with the target, the key that opens them is forgotten."
                );
                return Err(ApiError::new(Code::Conflict, sentence));
            }
            if used > 0 {
                let sentence =
                    format!("Servers are backed up there ({used}). Choose another target for them first.");
                return Err(ApiError::new(Code::Conflict, sentence));
            }
            Ok(targets::delete(tx, &key)?)
        });
        removed.await?;
        tracing::info!(target = id, by = %admin, "a backup target is removed");
        Ok(())
    }

    fn view_of(&self, tx: &ReadTx, target: Target) -> storage::Result<TargetView> {
        let mut known = Vec::new();
        for place in targets::places(tx, &target.id)? {
            if let Some(repository) = repositories::get(tx, &place)? {
                known.push(self.repository_view(&place, repository));
            }
        }
        let (kept, used) = (backups::count_at(tx, &target.id)?, targets::users(tx, &target.id)?);
        Ok(TargetView::new(target, known, kept, used))
    }

    fn repository_view(&self, place: &Place, repository: Repository) -> RepositoryView {
        let key = repository_key(place);
        let asked = repository.check.due.is_some_and(|due| due <= clock::now());
        // One that is asked for and could not begin says why.
        let waits = asked && repository.check.problem.is_none();
        let under_way = waits || self.tracker.is_known(&key);
        let progress = if under_way { self.tracker.progress(&key) } else { None };
        RepositoryView::new(place.node_id.clone(), repository, under_way, progress)
    }

    /// The repository in a node's own data folder.
    fn node_repository(&self, node_id: &NodeId) -> Result<RepositoryView, ApiError> {
        self.known_node(node_id)?;
        let place = own_place(node_id);
        let there = self.store.read_now(|tx| repositories::get(tx, &place))?;
        let none = || ApiError::not_found("backup repository");
        Ok(self.repository_view(&place, there.ok_or_else(none)?))
    }

    /// Has a node's own repository checked.
    async fn check_node(&self, admin: &Admin, node_id: &NodeId) -> Result<RepositoryView, ApiError> {
        self.known_node(node_id)?;
        self.ask_checks(vec![own_place(node_id)]).await?;
        tracing::info!(node = %node_id, by = %admin, "a check of a node's backups was asked for");
        self.node_repository(node_id)
    }

    /// Has all repositories at a target checked.
    async fn check_target(&self, admin: &Admin, id: &str) -> Result<TargetView, ApiError> {
        let read = |tx: &ReadTx| Ok::<_, storage::Error>((targets::get(tx, id)?, targets::places(tx, id)?));
        let (target, places) = self.store.read_now(read)?;
        target.ok_or_else(no_target)?;
        self.ask_checks(places).await?;
        tracing::info!(target = id, by = %admin, "a check of a backup target was asked for");
        self.target_view(id)
    }

    /// Writes that these are due now, those of them where something lies.
    async fn ask_checks(&self, places: Vec<Place>) -> Result<(), ApiError> {
        let now = clock::now();
        let written = self.store.write(move |tx| {
            let mut some = false;
            for place in places {
                if backups::list_at(tx, &place)?.iter().any(|backup| backup.stage == Stage::Ready) {
                    some = true;
                    repositories::update(tx, &place, |there| {
                        there.check.due = Some(there.check.due.map_or(now, |due| due.min(now)));
                        there.check.problem = None;
                    })?;
                }
            }
            Ok::<_, storage::Error>(some)
        });
        if !written.await? {
            return Err(ApiError::new(
                Code::Conflict,
                "No backup lies there yet: there is nothing to check.",
            ));
        }
        self.check_asked.notify_one();
        Ok(())
    }

    /// A node that is there.
    fn known_node(&self, node_id: &NodeId) -> Result<(), ApiError> {
        let there = self.store.read_now(|tx| storage::nodes::get(tx, node_id))?;
        there.map(drop).ok_or_else(|| ApiError::not_found("node"))
    }
}

fn own_place(node_id: &NodeId) -> Place {
    Place { target_id: None, node_id: Some(node_id.clone()) }
}

fn no_target() -> ApiError {
    ApiError::not_found("backup target")
}

fn full(error: storage::Error) -> ApiError {
    match error {
        storage::Error::Taken { .. } => ApiError::new(
            Code::Conflict,
            format!("There are {} backup targets, which is the most.", targets::MOST),
        ),
        other => other.into(),
    }
}
