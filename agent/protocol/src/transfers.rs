//! Messages about a server's data on its way to another node. The data itself never rides on this connection: each
//! end dials one of its own for it, where these requests tell the number and the word that opens it.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::payload::{IMAGE, Payload, WORD, id, some, within};
use super::{ContainerUser, ErrorReport};

/// `transfer_prepare`: fetches the image of a server that is to come, so that its move has nothing to wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferPrepare {
    /// The server's id.
    pub server_id: ServerId,
    /// The server's image reference.
    pub image: String,
}

/// `transfer_send`: sends the folder of a server that does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferSend {
    /// Id of the server whose folder it is.
    pub server_id: ServerId,
    /// The end of the address to dial: `/transfer/ID`.
    pub transfer_id: String,
    /// Secret that opens the connection, once.
    pub token: String,
}

/// `transfer_receive`: takes the folder of a server that this node does not have yet. It is kept aside until
/// `server_create` of the same id comes, or `transfer_discard`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferReceive {
    /// Id of the server whose folder it is.
    pub server_id: ServerId,
    /// The end of the address to dial: `/transfer/ID`.
    pub transfer_id: String,
    /// Secret that opens the connection, once.
    pub token: String,
    /// What the other end said that it has, see [`TransferSize`]: more is not taken.
    pub bytes: u64,
    /// The same of entries.
    pub entries: u64,
    /// Whose the folder is at the other end, `uid:gid`: what is his becomes its user's here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// As whom the game will run here.
    #[serde(default)]
    pub user: ContainerUser,
}

/// `transfer_size`: the answer to `transfer_measure`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferSize {
    /// Bytes of all files. Holes count: they are sent as zeros.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
    /// Whose the folder is, `uid:gid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What went over a transfer's connection, as one end counted it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
    /// SHA-256 of all that was sent, names and owners and times as well; in hex digits.
    pub sha256: String,
}

/// The text frames of a transfer's connection; binary ones are the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Control {
    /// From who sends: that was all. From who receives: it is on the disk.
    Done(Summary),
    /// It failed here.
    Failed(ErrorReport),
}

impl Payload for TransferPrepare {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, image } = self;
        id(server_id)?;
        within("image", image, IMAGE)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for TransferSend {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, transfer_id, token } = self;
        id(server_id)?;
        within("transferId", transfer_id, WORD)?;
        within("token", token, WORD)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for TransferReceive {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, transfer_id, token, bytes: _, entries: _, owner, user } = self;
        id(server_id)?;
        within("transferId", transfer_id, WORD)?;
        within("token", token, WORD)?;
        some("owner", owner.as_deref(), WORD)?;
        user.bounded()
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}
