//! The panel's address and this node's identity there.

use std::path::PathBuf;

use crate::config::link_times::LinkTimes;
use protocol::NodeId;

/// The panel's address and this node's identity there.
#[derive(Clone, Default)]
pub struct Remote {
    /// `ws://HOST:PORT` or `wss://HOST:PORT`, optionally with a path.
    pub panel_url: String,
    /// The id of this node.
    pub node_id: NodeId,
    /// The node's own secret, or the one shared by all agents.
    pub secret: String,
    /// Pins of the panel's key, see [`KeyPin::parse_list`](super::KeyPin::parse_list); `None` to trust certificate
    /// authorities.
    pub pin: Option<String>,
    /// A file with additional certificate authorities, used instead of the machine's own store.
    pub authorities: Option<PathBuf>,
    /// Timeouts of the link.
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

/// Invalid settings for the panel.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {value:?}: {problem}")]
pub struct BadPanelUrl {
    /// The setting's name.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// What is wrong.
    pub problem: String,
}
