//! `/api/account/ssh-keys`.

use serde::{Deserialize, Serialize};
use storage::ssh_keys::SshKey;
use utoipa::ToSchema;

use super::SshKeys;
use crate::auth::Caller;
use crate::http::{DELETE, GET, POST, Route, endpoint};
use crate::system::clock;

/// All endpoints of this feature.
pub fn routes(keys: &SshKeys) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/account/ssh-keys")
            .access::<Caller>()
            .doc("One's public SSH keys, which open one's servers' files by SFTP")
            .list::<SshKeyView>()
            .handle(keys, |keys, call| async move {
                Ok(keys.list(&call.by)?.into_iter().map(SshKeyView::from).collect())
            }),
        endpoint(POST, "/api/account/ssh-keys")
            .access::<Caller>()
            .doc("Adds a public SSH key: Ed25519 or ECDSA, also of a security key")
            .body::<SshKeyRequest>()
            .created::<SshKeyView>()
            .refusals(&[409])
            .handle(keys, |keys, call| async move {
                let SshKeyRequest { name, key } = call.body;
                keys.add(&call.by, name, &key).await.map(SshKeyView::from)
            }),
        endpoint(DELETE, "/api/account/ssh-keys/{id}")
            .access::<Caller>()
            .doc("Deletes a key and ends its SFTP connections")
            .no_content()
            .refusals(&[404])
            .handle(keys, |keys, call| async move { keys.remove(&call.by, call.request.id()).await }),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SshKeyRequest {
    /// At most 64 characters; the key's comment where absent.
    #[serde(default)]
    name: Option<String>,
    /// The line of the `.pub` file.
    key: String,
}

/// A public SSH key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SshKey)]
struct SshKeyView {
    /// Never changes.
    id: String,
    /// What its owner calls it; may be empty.
    name: String,
    /// `ssh-ed25519` and the like.
    algorithm: String,
    /// `SHA256:…`, as OpenSSH shows it.
    fingerprint: String,
    /// When it was added.
    created_at: String,
    /// Last login with this key, in whole hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
}

impl From<SshKey> for SshKeyView {
    fn from(SshKey { id, name, algorithm, fingerprint, created_at, last_used }: SshKey) -> Self {
        let (created_at, last_used) = (clock::rfc3339(created_at), last_used.map(clock::rfc3339));
        Self { id, name, algorithm, fingerprint, created_at, last_used }
    }
}
