//! Permissions of users on servers.

use std::collections::BTreeSet;

use protocol::ServerId;
use storage::grants::{self, Grant};
use storage::users;

use super::Servers;
use super::views::ServerUser;
use crate::auth::{Admin, Permission};
use crate::error::ApiError;
use crate::revision::{self, Expected};

impl Servers {
    /// All users with permissions on a server.
    pub async fn users(&self, _admin: &Admin, server_id: &ServerId) -> Result<Vec<ServerUser>, ApiError> {
        let server_id = server_id.to_owned();
        let listed = self.store.read(move |tx| {
            let mut found = Vec::new();
            for grant in grants::list_by_server(tx, &server_id)? {
                let Some(user) = users::get(tx, &grant.user_id)? else { continue };
                found.push(ServerUser {
                    user: user.id,
                    username: user.username,
                    revision: revision(&grant),
                    permissions: Permission::of_record(&grant.permissions).into_iter().collect(),
                });
            }
            Ok::<_, storage::Error>(found)
        });
        Ok(listed.await?)
    }

    /// Sets a user's permissions if the current ones are as expected. Returns the revision of the new ones.
    pub async fn grant(
        &self,
        admin: &Admin,
        server_id: &ServerId,
        user_id: &str,
        permissions: BTreeSet<Permission>,
        expected: Expected,
    ) -> Result<String, ApiError> {
        self.acted_on(server_id)?;
        let permissions = permissions.iter().map(|permission| permission.name().to_owned()).collect();
        let grant = Grant { server_id: server_id.to_owned(), user_id: user_id.to_owned(), permissions };
        let given = revision(&grant);
        let write = self.store.write(move |tx| {
            let before = grants::get(tx, &grant.server_id, &grant.user_id)?;
            expected.check(before.as_ref().map(revision).as_deref())?;
            grants::put(tx, &grant)?;
            Ok::<(), ApiError>(())
        });
        write.await?;
        tracing::info!(server = %server_id, user = user_id, by = %admin, "permissions given");
        self.auth.changed(user_id);
        Ok(given)
    }

    /// Removes all permissions of a user if they are as expected.
    pub async fn revoke(
        &self,
        admin: &Admin,
        server_id: &ServerId,
        user_id: &str,
        expected: Expected,
    ) -> Result<(), ApiError> {
        let (server, user) = (server_id.to_owned(), user_id.to_owned());
        let write = self.store.write(move |tx| {
            let before = grants::get(tx, &server, &user)?.ok_or_else(|| ApiError::not_found("grant"))?;
            expected.check(Some(&revision(&before)))?;
            grants::delete(tx, &server, &user)?;
            Ok::<(), ApiError>(())
        });
        write.await?;
        tracing::info!(server = %server_id, user = user_id, by = %admin, "permissions taken");
        self.auth.changed(user_id);
        Ok(())
    }
}

/// Revision of a user's permissions.
fn revision(grant: &Grant) -> String {
    revision::of(&grant.permissions.iter().map(String::as_str).collect::<Vec<_>>())
}
