//! Who may do what with a server.

use std::collections::BTreeSet;

use storage::grants::{self, Grant};
use storage::users;

use super::Servers;
use super::views::ServerUser;
use crate::auth::{Admin, Permission};
use crate::error::ApiError;

impl Servers {
    /// Everybody with a grant.
    pub async fn users(&self, _admin: &Admin, server_id: &str) -> Result<Vec<ServerUser>, ApiError> {
        let server_id = server_id.to_owned();
        let listed = self.store.read(move |tx| {
            let mut found = Vec::new();
            for grant in grants::list_by_server(tx, &server_id)? {
                let Some(user) = users::get(tx, &grant.user_id)? else { continue };
                found.push(ServerUser {
                    user: user.id,
                    username: user.username,
                    permissions: Permission::of_record(&grant.permissions).into_iter().collect(),
                });
            }
            Ok::<_, storage::Error>(found)
        });
        Ok(listed.await?)
    }

    /// Gives exactly these permissions.
    pub async fn grant(
        &self,
        admin: &Admin,
        server_id: &str,
        user_id: &str,
        permissions: BTreeSet<Permission>,
    ) -> Result<(), ApiError> {
        self.acted_on(server_id)?;
        let permissions = permissions.iter().map(|permission| permission.name().to_owned()).collect();
        let grant = Grant { server_id: server_id.to_owned(), user_id: user_id.to_owned(), permissions };
        self.store.write(move |tx| grants::put(tx, &grant)).await?;
        tracing::info!(server = server_id, user = user_id, by = %admin, "permissions given");
        self.auth.changed(user_id);
        Ok(())
    }

    /// Takes all permissions.
    pub async fn revoke(&self, admin: &Admin, server_id: &str, user_id: &str) -> Result<(), ApiError> {
        let (server, user) = (server_id.to_owned(), user_id.to_owned());
        if !self.store.write(move |tx| grants::delete(tx, &server, &user)).await? {
            return Err(ApiError::not_found("grant"));
        }
        tracing::info!(server = server_id, user = user_id, by = %admin, "permissions taken");
        self.auth.changed(user_id);
        Ok(())
    }
}
