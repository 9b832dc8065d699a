//! Grants: who may do what with which server.

pub(crate) mod record;

use crate::error::{Error, Result};
use crate::tables::{GRANTS, GRANTS_BY_USER, SERVERS, USERS};
use crate::tx::{ReadTx, WriteTx};

pub use record::Grant;

/// Inserts or replaces a grant. [`Error::NotFound`] if the server or user does not exist.
pub fn put(tx: &WriteTx, grant: &Grant) -> Result<()> {
    if !SERVERS.contains(tx, grant.server_id.as_str())? {
        return Err(Error::NotFound { what: "server" });
    }
    if !USERS.contains(tx, grant.user_id.as_str())? {
        return Err(Error::NotFound { what: "user" });
    }
    let (server, user) = (grant.server_id.as_str(), grant.user_id.as_str());
    GRANTS_BY_USER.put(tx, (user, server), &grant.server_id)?;
    GRANTS.put(tx, (server, user), grant)
}

/// Deletes a grant; returns whether it existed.
pub fn delete(tx: &WriteTx, server_id: &str, user_id: &str) -> Result<bool> {
    GRANTS_BY_USER.remove(tx, (user_id, server_id))?;
    GRANTS.remove(tx, (server_id, user_id))
}

/// The grant of this user on this server.
pub fn get(tx: &ReadTx, server_id: &str, user_id: &str) -> Result<Option<Grant>> {
    GRANTS.get(tx, (server_id, user_id))
}

/// All grants on a server.
pub fn list_by_server(tx: &ReadTx, server_id: &str) -> Result<Vec<Grant>> {
    GRANTS.scan(tx, (server_id, ""), |key| key.0 == server_id)
}

/// All grants of a user.
pub fn list_by_user(tx: &ReadTx, user_id: &str) -> Result<Vec<Grant>> {
    let mut grants = Vec::new();
    for server in GRANTS_BY_USER.scan(tx, (user_id, ""), |key| key.0 == user_id)? {
        grants.extend(GRANTS.get(tx, (server.as_str(), user_id))?);
    }
    Ok(grants)
}

pub(crate) fn delete_by_server(tx: &WriteTx, server_id: &str) -> Result<()> {
    for grant in list_by_server(tx, server_id)? {
        delete(tx, server_id, &grant.user_id)?;
    }
    Ok(())
}

pub(crate) fn delete_by_user(tx: &WriteTx, user_id: &str) -> Result<()> {
    for grant in list_by_user(tx, user_id)? {
        delete(tx, &grant.server_id, user_id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::testing::{node, read, server, store, user, write};
    use crate::users::{self, Role};
    use crate::{nodes, servers};

    fn grant(permissions: &[&str]) -> Grant {
        let permissions = permissions.iter().map(ToString::to_string).collect();
        Grant { server_id: "s".into(), user_id: "u".to_owned(), permissions }
    }

    #[test]
    fn a_grant_needs_both_sides_and_goes_with_either() {
        let (_dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("n")));
        let put_it = |tx: &WriteTx| put(tx, &grant(&["view"]));
        assert!(matches!(store.write_blocking(put_it), Err(Error::NotFound { what: "server" })));
        write(&store, |tx| servers::insert(tx, &server("s", "n", 1)));
        assert!(matches!(store.write_blocking(put_it), Err(Error::NotFound { what: "user" })));
        write(&store, |tx| users::insert(tx, &user("u", Role::User)));
        write(&store, put_it);
        write(&store, |tx| put(tx, &grant(&["power", "startup"])));
        let found = read(&store, |tx| get(tx, "s", "u")).unwrap();
        assert_eq!(found, grant(&["power", "startup"]));
        assert_eq!(read(&store, |tx| list_by_server(tx, "s")), std::slice::from_ref(&found));
        assert_eq!(read(&store, |tx| list_by_user(tx, "u")), [found]);
        write(&store, |tx| users::delete(tx, "u"));
        assert_eq!(read(&store, |tx| list_by_server(tx, "s")), []);
        assert!(!write(&store, |tx| delete(tx, "s", "u")));
        assert_eq!(read(&store, crate::verify), Vec::<String>::new());
    }
}
