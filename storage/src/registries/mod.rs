//! Logins at image registries. They are few and read together, so they are one value among the settings: a program that
//! does not know them leaves it alone.

pub(crate) mod record;

use crate::error::Result;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

pub use record::Registry;

const NAME: &str = "registries";

/// All logins, in the order of their hosts.
pub fn list(tx: &ReadTx) -> Result<Vec<Registry>> {
    Ok(settings::get(tx, NAME)?.unwrap_or_default())
}

/// Writes a login, in place of the one of the same host; that keeps its id. Tells what is there now.
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

/// Deletes a login and tells whether it was there.
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
