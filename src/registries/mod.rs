//! Logins for image registries. Stored by the panel, and only sent to a node before a message that makes it pull from
//! that registry (`src/agents/registry_logins.rs`).

mod routes;

use protocol::registry_host;
use storage::Store;
use storage::registries::Registry;

pub use routes::routes;

use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::{clock, ids};

/// Most logins.
const MOST: usize = 50;

/// All operations on logins. Cheap to clone.
#[derive(Clone)]
pub struct Registries {
    store: Store,
}

/// A login to be stored.
pub(super) struct NewLogin {
    pub(super) host: String,
    pub(super) username: String,
    pub(super) secret: String,
}

impl Registries {
    /// Creates the handle.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// All logins, ordered by host.
    pub(super) fn list(&self) -> Result<Vec<Registry>, ApiError> {
        Ok(self.store.read_now(storage::registries::list)?)
    }

    /// Stores a login, replacing the one for the same registry.
    pub(super) async fn put(&self, admin: &Admin, new: NewLogin) -> Result<Registry, ApiError> {
        let login = Registry {
            id: ids::short(),
            host: checked_host(&new.host).ok_or_else(|| {
                ApiError::field("host", "has to be a registry's host, such as ghcr.io or nas:5000")
            })?,
            username: new.username.trim().to_owned(),
            secret: new.secret,
            created_at: clock::now(),
        };
        for (field, text, most) in [("username", &login.username, 255), ("secret", &login.secret, 16_384)] {
            if text.is_empty() || text.len() > most || text.contains(char::is_control) {
                return Err(ApiError::field(
                    field,
                    format!("has to have 1 to {most} characters, none of them control characters"),
                ));
            }
        }
        let kept = self.store.write(move |tx| {
            let known = storage::registries::list(tx)?;
            if known.len() >= MOST && !known.iter().any(|known| known.host == login.host) {
                return Err(ApiError::new(
                    Code::Conflict,
                    format!("There are {MOST} logins, which is the most."),
                ));
            }
            storage::registries::put(tx, login).map_err(ApiError::from)
        });
        let kept = kept.await?;
        tracing::info!(registry = kept.host, by = %admin, "registry login kept");
        Ok(kept)
    }

    /// Removes a login. Nodes that were sent it drop it within an hour.
    pub(super) async fn remove(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        let key = id.to_owned();
        let removed =
            self.store.write(move |tx| storage::registries::delete(tx, &key).map_err(ApiError::from));
        if !removed.await? {
            return Err(ApiError::not_found("registry login"));
        }
        tracing::info!(id, by = %admin, "registry login removed");
        Ok(())
    }
}

/// The host as in image names: without scheme and path, and a single name for a registry that has several. `None` if
/// invalid.
fn checked_host(text: &str) -> Option<String> {
    let text = text.trim();
    let host = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    let fine = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    let named = host.contains(['.', ':']) || host == "localhost";
    (fine && named && host.len() <= 255).then(|| registry_host(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_as_images_name_them() {
        for (text, host) in [
            ("ghcr.io", "ghcr.io"),
            (" https://GHCR.io/v2/ ", "ghcr.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("nas:5000", "nas:5000"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(checked_host(text).as_deref(), Some(host), "{text}");
        }
        for bad in ["", "nas", "a b.c", "a@b.c", "x.y\r\n"] {
            assert!(checked_host(bad).is_none_or(|host| host == "x.y"), "{bad}");
        }
    }
}
