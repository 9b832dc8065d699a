//! Tries a backup target: a node writes there, reads it again and deletes it.

use std::time::Duration;

use protocol::{BackupAction, BackupLimits, BackupReport, BackupRepository, NodeId};
use storage::backups::Repository;
use storage::backups::repositories::{self, Place};
use storage::backups::targets::{self, Location};
use tokio_util::sync::CancellationToken;

use super::body::TestTarget;
use super::no_target;
use super::views::TestView;
use crate::backups::Backups;
use crate::backups::job::{Ended, Job};
use crate::backups::repositories::{new_repository, wire};
use crate::error::{ApiError, Code};
use crate::system::ids;

/// How long a node may take.
const WITHIN: Duration = Duration::from_secs(90);

impl Backups {
    pub(super) async fn test_target(&self, body: TestTarget) -> Result<TestView, ApiError> {
        let before = match &body.id {
            Some(id) => Some(self.store.read_now(|tx| targets::get(tx, id))?.ok_or_else(no_target)?),
            None => None,
        };
        let location = match (body.location, &before) {
            (Some(new), before) => new.checked(before.as_ref().map(|before| &before.location))?,
            (None, Some(before)) => before.location.clone(),
            (None, None) => return Err(ApiError::field("location", "is missing")),
        };
        let node_id = self.node_to_try(body.node_id)?;
        self.can_keep(&node_id, Some("target"))?;
        if body.id.is_none() && location.host_is_known() {
            let password = body.repository_password;
            if let Some(found) = self.look_for_repository(&node_id, &location, password).await? {
                return self.found_view(&node_id, &found);
            }
        }
        let repository = self.repository_to_try(&node_id, body.id.as_deref(), location)?;
        let job = Job {
            server_id: None,
            job_id: ids::long(),
            repository,
            action: BackupAction::Test {},
            limits: BackupLimits::default(),
            tracked: None,
            node_id,
        };
        let ended = self.ask_soon(&job).await;
        Ok(outcome(ended, &job))
    }

    /// Has a node do what somebody waits for.
    pub(super) async fn ask_soon(&self, job: &Job) -> Ended {
        let cancel = CancellationToken::new();
        tokio::select! {
            ended = self.ask(job, &cancel) => ended,
            () = tokio::time::sleep(WITHIN) => {
                cancel.cancel();
                drop(tokio::time::timeout(Duration::from_secs(5), self.ask(job, &cancel)).await);
                Ended::Failed("There was no answer within 90 seconds.".to_owned())
            }
        }
    }

    /// The node that was named, or the first one that is online.
    pub(super) fn node_to_try(&self, named: Option<String>) -> Result<NodeId, ApiError> {
        if let Some(named) = named {
            let named = NodeId::from(named);
            return self.known_node(&named).map(|()| named);
        }
        let nodes = self.store.read_now(storage::nodes::list)?;
        let online = nodes.into_iter().map(|node| node.id).find(|id| self.agents.node(id).online);
        online.ok_or_else(|| ApiError::new(Code::NodeOffline, "No node is online that could try it."))
    }

    fn repository_to_try(
        &self,
        node_id: &NodeId,
        target_id: Option<&str>,
        location: Location,
    ) -> Result<BackupRepository, ApiError> {
        let place = Place {
            target_id: target_id.map(ToOwned::to_owned),
            node_id: (!location.is_shared()).then(|| node_id.clone()),
        };
        let known = match target_id {
            Some(_) => self.store.read_now(|tx| repositories::get(tx, &place))?,
            None => None,
        };
        let Repository { id, key, password, .. } = known.unwrap_or_else(new_repository);
        Ok(BackupRepository { id, key, password, location: wire(location) })
    }
}

fn outcome(ended: Ended, job: &Job) -> TestView {
    let node_id = job.node_id.to_string();
    match ended {
        Ended::Done(report) => {
            let BackupReport { warning, host_key, space, .. } = *report;
            let mut sentence = "It works: something was written there, read and deleted again.".to_owned();
            if let Some(warning) = warning {
                sentence = format!("{sentence} {warning}");
            }
            TestView { ok: true, sentence, host_key, space: space.map(Into::into), ..TestView::new(node_id) }
        }
        Ended::Failed(sentence) => TestView { sentence, ..TestView::new(node_id) },
        Ended::Cancelled => {
            let sentence = "The node went away while it tried.".to_owned();
            TestView { sentence, ..TestView::new(node_id) }
        }
    }
}

impl TestView {
    /// Of a try that did not go well.
    pub(super) fn new(node_id: String) -> Self {
        Self {
            ok: false,
            sentence: String::new(),
            node_id,
            host_key: None,
            space: None,
            foreign: false,
            found: Vec::new(),
        }
    }
}
