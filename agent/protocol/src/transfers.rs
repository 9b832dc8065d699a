//! Messages about transferring a server's data to another node. The data itself is not sent over the link: each end
//! opens a separate connection, identified by the id and token in these requests.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::payload::{IMAGE, Payload, WORD, id, some, within};
use super::{ContainerUser, ErrorReport};

/// `transfer_prepare`: pulls the image of an incoming server, so that the transfer does not wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferPrepare {
    /// The server's id.
    pub server_id: ServerId,
    /// The server's image reference.
    pub image: String,
}

/// `transfer_send`: sends the folder of a stopped server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferSend {
    /// Id of the server whose folder it is.
    pub server_id: ServerId,
    /// Last part of the stream's path, `/transfer/ID`.
    pub transfer_id: String,
    /// Single-use secret token for the stream.
    pub token: String,
}

/// `transfer_receive`: receives the folder of a server that this node does not have yet. It is kept aside until
/// `server_create` with the same id, or `transfer_discard`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferReceive {
    /// Id of the server whose folder it is.
    pub server_id: ServerId,
    /// Last part of the stream's path, `/transfer/ID`.
    pub transfer_id: String,
    /// Single-use secret token for the stream.
    pub token: String,
    /// Number of bytes announced by the other end, see [`TransferSize`]; more are refused.
    pub bytes: u64,
    /// Number of entries announced by the other end; more are refused.
    pub entries: u64,
    /// Owner of the folder at the other end, as `uid:gid`: files with this owner get the new owner here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The user that the game will run as here.
    #[serde(default)]
    pub user: ContainerUser,
}

/// `transfer_size`: the answer to `transfer_measure`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferSize {
    /// Bytes of all files. Holes count, since they are sent as zeros.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
    /// Owner of the folder as `uid:gid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What was sent over a transfer's connection, as counted by one end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
    /// SHA-256 of everything sent, including names, owners and times, in hex digits.
    pub sha256: String,
}

/// The text frames of a transfer's connection; binary ones are the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Control {
    /// From the sender: everything was sent. From the receiver: it is on the disk.
    Done(Summary),
    /// It failed at this end.
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
