//! Each repository is checked once a week: the nodes' own, and those at targets. After it the space of deleted backups is freed.
//! When one is due stands in the database, also where somebody asks for it now. Those of one target are checked one after
//! another, by one node at a time; a target or a node that is away is tried again.

use std::time::Duration;

use protocol::NodeId;
use storage::backups::repositories::{self, Place};
use storage::backups::{self, Backup, Repository, Stage, policies, targets};
use storage::{Millis, ReadTx};

use super::Backups;
use super::check::{DAY, WEEK, check_key};
use crate::error::ApiError;
use crate::system::clock;

/// After the start, until the first look: nodes connect meanwhile.
const FIRST: Duration = Duration::from_secs(20);
/// Between two looks whether one is due.
const EVERY: Duration = Duration::from_secs(300);

/// What is known of a repository that may be due.
struct Found {
    due: Option<Millis>,
    /// The nodes that may do it, the most suitable first.
    nodes: Vec<NodeId>,
}

impl Backups {
    /// Checks them for as long as the panel runs.
    pub(super) fn check_weekly(&self) {
        let (all, end) = (self.clone(), self.tasks.token());
        drop(self.tasks.spawn("backup-checks", async move {
            let work = async {
                tokio::select! {
                    () = tokio::time::sleep(FIRST) => {}
                    () = all.check_asked.notified() => {}
                }
                loop {
                    if let Err(error) = all.begin_checks().await {
                        tracing::warn!(%error, "the backup repositories could not be checked; that is tried again");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(EVERY) => {}
                        () = all.check_asked.notified() => {}
                    }
                }
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = work => {}
            }
        }));
    }

    /// Begins those that are due and not under way.
    async fn begin_checks(&self) -> Result<(), ApiError> {
        for place in self.store.read_now(targets::all_places)? {
            if self.tracker.is_known(&check_key(&place)) {
                continue;
            }
            let at = place.clone();
            let Some(Found { due, nodes }) = self.store.read_now(|tx| look(tx, &at))? else { continue };
            let now = clock::now();
            match due {
                Some(due) if due <= now => {}
                // The clock was not turned back since.
                Some(due) if due <= now + WEEK + DAY => continue,
                _ => {
                    // The first one comes on some day of the next week: they do not all begin at once.
                    let due = now + Millis::from(rand::random::<u8>()) * WEEK / 256;
                    self.plan_check(&place, None, due, None).await?;
                    continue;
                }
            }
            let able = nodes.iter().find(|node| self.can_keep(node, Some("target")).is_ok());
            match able {
                Some(node_id) => self.begin_check(place, node_id.clone(), due),
                None => {
                    let sentence = match nodes.as_slice() {
                        [only] => format!(
                            "The node {only} is offline, or its agent is older than this panel. It is checked when that node is back."
                        ),
                        _ => "No node that uses it is online. It is checked when one is back.".to_owned(),
                    };
                    self.plan_check(&place, due, due.unwrap_or(now), Some(sentence)).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes when it is checked next, and why it was not now. Where it is due at another time than `before`, somebody has
    /// asked for one meanwhile, and that stays.
    pub(super) async fn plan_check(
        &self,
        place: &Place,
        before: Option<Millis>,
        due: Millis,
        problem: Option<String>,
    ) -> Result<(), ApiError> {
        let there = self.store.read_now(|tx| repositories::get(tx, place))?;
        let same = |there: &Repository| there.check.due == Some(due) && there.check.problem == problem;
        if there.is_none_or(|there| same(&there)) {
            return Ok(());
        }
        let place = place.clone();
        let written = self.store.write(move |tx| {
            repositories::update(tx, &place, |there| {
                if there.check.due == before {
                    there.check.due = Some(due);
                    there.check.problem = problem;
                }
            })
        });
        Ok(written.await?)
    }
}

/// What is known of a repository; none where there is nothing to check.
fn look(tx: &ReadTx, place: &Place) -> storage::Result<Option<Found>> {
    let Some(there) = repositories::get(tx, place)? else { return Ok(None) };
    let lie = backups::list_at(tx, place)?;
    let mut whole = lie.iter().filter(|backup| backup.stage == Stage::Ready).peekable();
    if whole.peek().is_none() {
        return Ok(None);
    }
    let nodes = match &place.node_id {
        Some(node_id) => vec![node_id.clone()],
        None => {
            // One that did it before goes on where it was.
            let mut nodes: Vec<_> = there.check.last.into_iter().map(|last| last.node_id).collect();
            nodes.extend(users(tx, place, whole)?);
            let mut known = Vec::new();
            for node in nodes {
                if !known.contains(&node) && storage::nodes::get(tx, &node)?.is_some() {
                    known.push(node);
                }
            }
            known
        }
    };
    Ok(Some(Found { due: there.check.due, nodes }))
}

/// The nodes of the servers that are backed up there; all of them where those servers are no more.
fn users<'b>(
    tx: &ReadTx,
    place: &Place,
    whole: impl Iterator<Item = &'b Backup>,
) -> storage::Result<Vec<NodeId>> {
    let mut nodes = Vec::new();
    for backup in whole {
        nodes.extend(storage::servers::get(tx, &backup.server_id)?.map(|server| server.node_id));
    }
    for (server_id, kept) in policies::list(tx)? {
        if kept.policy.target_id == place.target_id {
            nodes.extend(storage::servers::get(tx, &server_id)?.map(|server| server.node_id));
        }
    }
    if nodes.is_empty() {
        nodes.extend(storage::nodes::list(tx)?.into_iter().map(|node| node.id));
    }
    Ok(nodes)
}
