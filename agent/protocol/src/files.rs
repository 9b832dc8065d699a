//! The two file messages of part 1.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::payload::{PATH, Payload, id, within};

/// `file_read`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRead {
    /// The server's id.
    pub server_id: ServerId,
    /// Below the server's folder.
    pub path: String,
}

/// `file_write`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileWrite {
    /// The server's id.
    pub server_id: ServerId,
    /// Below the server's folder.
    pub path: String,
    /// UTF-8 text, at most 4 MiB.
    pub content: String,
}

/// `file_content`: the answer to both; without `content` after a write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileContent {
    /// Whose; an older test agent leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<ServerId>,
    /// The path that was asked for.
    #[serde(default)]
    pub path: String,
    /// The file's text; absent where it was written, or not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// How an older test agent says whether a write went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Why it was not done; absent where it was.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::text_or_nothing")]
    pub message: Option<String>,
}

impl Payload for FileRead {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, path } = self;
        id(server_id)?;
        within("path", path, PATH)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for FileWrite {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, path, content: _ } = self;
        // How long a file may be is checked where it is written.
        id(server_id)?;
        within("path", path, PATH)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}
