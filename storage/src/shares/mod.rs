//! Public links of servers: at most one each. They are few, and stand among the settings: by server, and by the hash of
//! their secret, so that finding one compares no secrets.

pub(crate) mod record;

use ids::ServerId;

use crate::error::{Error, Result};
use crate::settings;
use crate::tables;
use crate::tx::{ReadTx, WriteTx};

pub use record::Share;

/// What is stored of a link: the record, and the hash of its secret.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Kept {
    share: Share,
    hash: String,
}

fn by_server(server_id: &str) -> String {
    format!("shares/{server_id}")
}

fn by_hash(hash: &str) -> String {
    format!("shares_by_hash/{hash}")
}

/// The link of a server.
pub fn get(tx: &ReadTx, server_id: &str) -> Result<Option<Share>> {
    Ok(settings::get::<Kept>(tx, &by_server(server_id))?.map(|kept| kept.share))
}

/// The server and the link whose secret has this hash.
pub fn find(tx: &ReadTx, hash: &str) -> Result<Option<(ServerId, Share)>> {
    let Some(server_id) = settings::get::<ServerId>(tx, &by_hash(hash))? else { return Ok(None) };
    Ok(get(tx, server_id.as_str())?.map(|share| (server_id, share)))
}

/// Sets the link of a server; one with another secret is revoked by it. `hash` is that of its secret.
pub fn put(tx: &WriteTx, server_id: &ServerId, share: Share, hash: String) -> Result<()> {
    if !tables::SERVERS.contains(tx, server_id.as_str())? {
        return Err(Error::NotFound { what: "server" });
    }
    delete(tx, server_id.as_str())?;
    settings::put(tx, &by_hash(&hash), server_id)?;
    settings::put(tx, &by_server(server_id.as_str()), &Kept { share, hash })
}

/// Revokes the link of a server; returns whether it had one.
pub fn delete(tx: &WriteTx, server_id: &str) -> Result<bool> {
    let Some(kept) = settings::get::<Kept>(tx, &by_server(server_id))? else { return Ok(false) };
    settings::delete(tx, &by_hash(&kept.hash))?;
    settings::delete(tx, &by_server(server_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, read, server, store, write};
    use crate::{nodes, servers};

    fn share(token: &str) -> Share {
        Share { token: token.into(), wake: true, note: String::new(), created_at: 1 }
    }

    #[test]
    fn a_link_is_found_by_its_hash_until_it_is_revoked() {
        let (_dir, store) = store();
        let gone = store.write_blocking(|tx| put(tx, &"s".into(), share("x"), "hx".into()));
        assert!(matches!(gone, Err(Error::NotFound { .. })));
        write(&store, |tx| {
            nodes::insert(tx, &node("a"))?;
            servers::insert(tx, &server("s", "a", 7))?;
            put(tx, &"s".into(), share("x"), "hx".into())
        });
        assert_eq!(read(&store, |tx| find(tx, "hx")), Some(("s".into(), share("x"))));
        assert_eq!(read(&store, |tx| find(tx, "x")), None, "the secret itself finds nothing");
        write(&store, |tx| put(tx, &"s".into(), share("y"), "hy".into()));
        assert_eq!(read(&store, |tx| find(tx, "hx")), None, "a new secret ends the old one");
        assert!(write(&store, |tx| delete(tx, "s")));
        assert!(!write(&store, |tx| delete(tx, "s")));
        assert_eq!(read(&store, |tx| find(tx, "hy")), None);
    }

    #[test]
    fn a_link_goes_with_its_server() {
        let (_dir, store) = store();
        write(&store, |tx| {
            nodes::insert(tx, &node("a"))?;
            servers::insert(tx, &server("s", "a", 7))?;
            put(tx, &"s".into(), share("x"), "hx".into())
        });
        write(&store, |tx| servers::delete(tx, "s"));
        assert_eq!(read(&store, |tx| find(tx, "hx")), None);
        assert_eq!(read(&store, |tx| get(tx, "s")), None);
    }
}
