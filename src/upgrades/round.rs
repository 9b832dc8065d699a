//! State of the current or last rollout to nodes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::NodeId;
use tokio_util::sync::CancellationToken;

use super::views::NodeUpgradeStep;

/// Progress of the nodes' upgrades.
#[derive(Default)]
pub(super) struct Round {
    pub(super) steps: BTreeMap<NodeId, Step>,
    pub(super) running: bool,
    pub(super) failure: Option<String>,
    pub(super) stop: CancellationToken,
}

#[derive(Clone)]
pub(super) struct Step {
    pub(super) word: NodeUpgradeStep,
    pub(super) percent: Option<u8>,
    pub(super) detail: Option<String>,
}

impl Step {
    pub(super) fn new(word: NodeUpgradeStep) -> Self {
        Self { word, percent: None, detail: None }
    }
}

/// Marker file that exists during a round. If it exists at startup, a round was interrupted.
pub(super) fn mark(data_dir: &Path) -> PathBuf {
    data_dir.join("upgrade").join("nodes")
}

impl Round {
    pub(super) fn runs(&self) -> bool {
        self.running
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.clone()
    }

    /// Reports a round that an earlier run of the panel did not finish.
    pub(super) fn left_behind(&mut self, data_dir: &Path) {
        if std::fs::remove_file(mark(data_dir)).is_ok() {
            let why =
                "The panel was stopped while it upgraded other machines: look at the list, and begin again.";
            self.failure = Some(why.to_owned());
        }
    }
}
