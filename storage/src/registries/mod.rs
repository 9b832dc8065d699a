//! Logins at image registries. They are few and read together, so they are stored as one setting, which programs that
//! do not know it leave alone.

pub(crate) mod record;

use crate::error::Result;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

pub use record::Registry;

const NAME: &str = "registries";

/// All logins, ordered by host.
pub fn list(tx: &ReadTx) -> Result<Vec<Registry>> {
    Ok(settings::get(tx, NAME)?.unwrap_or_default())
}

/// Inserts a login or replaces the one of the same host, which keeps its id. Returns the stored login.
pub fn put(tx: &WriteTx, login: Registry) -> Result<Registry> {
    let mut all = list(tx)?;
    let login = match all.iter().position(|known| known.host == login.host) {
        Some(at) => Registry { id: all.remove(at).id, ..login },
        None => login,
    };
    all.push(login.clone());
    all.sort_by(|a, b| a.host.cmp(&b.host));
    settings::put(tx, NAME, &all)?;
    Ok(login)
}

/// Deletes a login; returns whether it existed.
pub fn delete(tx: &WriteTx, id: &str) -> Result<bool> {
    let mut all = list(tx)?;
    let before = all.len();
    all.retain(|known| known.id != id);
    settings::put(tx, NAME, &all)?;
    Ok(all.len() < before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, store, write};

    fn login(id: &str, host: &str, secret: &str) -> Registry {
        Registry {
            id: id.into(),
            host: host.into(),
            username: "me".into(),
            secret: secret.into(),
            created_at: 1,
        }
    }

    #[test]
    fn there_is_one_login_for_a_host() {
        let (_dir, store) = store();
        assert_eq!(read(&store, list), []);
        write(&store, |tx| put(tx, login("a", "ghcr.io", "old")));
        write(&store, |tx| put(tx, login("b", "docker.io", "x")));
        let replaced = write(&store, |tx| put(tx, login("c", "ghcr.io", "new")));
        assert_eq!(replaced, login("a", "ghcr.io", "new"));
        assert_eq!(read(&store, list), [login("b", "docker.io", "x"), login("a", "ghcr.io", "new")]);
        assert!(write(&store, |tx| delete(tx, "a")));
        assert!(!write(&store, |tx| delete(tx, "a")));
        assert_eq!(read(&store, list).len(), 1);
        assert!(!format!("{:?}", login("a", "h", "s3cret")).contains("s3cret"));
    }
}
