//! Where the panel is, and who this node is there.

use std::path::PathBuf;

use crate::config::link_times::LinkTimes;
use protocol::NodeId;

/// Where the panel is, and who this node is there.
#[derive(Clone, Default)]
pub struct Remote {
    /// `ws://HOST:PORT` or `wss://HOST:PORT`, where a path may follow.
    pub panel_url: String,
    /// Our node's id.
    pub node_id: NodeId,
    /// The node's own secret, or the one that all agents share.
    pub secret: String,
    /// The panel's key, see [`KeyPin::parse_list`](super::KeyPin::parse_list); none for whom the public roots vouch for.
    pub pin: Option<String>,
    /// A file of more authorities, in place of the machine's own, that say who the panel is.
    pub authorities: Option<PathBuf>,
    /// How long it waits for what.
    pub times: LinkTimes,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("panel_url", &self.panel_url)
            .field("node_id", &self.node_id)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

/// The panel cannot be dialled with these settings.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {value:?}: {problem}")]
pub struct BadPanelUrl {
    /// The setting's name.
    pub setting: &'static str,
    /// As it was given.
    pub value: String,
    /// What is wrong.
    pub problem: String,
}
