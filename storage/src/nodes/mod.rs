//! Nodes: machines with an agent.

pub(crate) mod record;

use crate::Millis;
use crate::backups;
use crate::error::{Error, Result};
use crate::servers;
use crate::settings;
use crate::tables::NODES;
use crate::transfers;
use crate::tx::{ReadTx, WriteTx};
use ids::{NodeId, ServerId};

pub use record::{Node, OldSecret};

/// Adds a node. [`Error::Taken`] if its id is in use.
pub fn insert(tx: &WriteTx, node: &Node) -> Result<()> {
    if NODES.contains(tx, node.id.as_str())? {
        return Err(Error::Taken { what: "the node id" });
    }
    NODES.put(tx, node.id.as_str(), node)
}

/// The node with this id.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<Node>> {
    NODES.get(tx, id)
}

/// All nodes, ordered by id.
pub fn list(tx: &ReadTx) -> Result<Vec<Node>> {
    NODES.all(tx)
}

/// Updates a node.
pub fn update(tx: &WriteTx, node: &Node) -> Result<()> {
    if !NODES.contains(tx, node.id.as_str())? {
        return Err(Error::NotFound { what: "node" });
    }
    NODES.put(tx, node.id.as_str(), node)
}

/// Deletes a node. [`Error::NodeInUse`] while servers are placed there or being transferred to it.
pub fn delete(tx: &WriteTx, id: &str) -> Result<()> {
    let coming = transfers::list(tx)?
        .iter()
        .filter(|it| it.to == id && it.step == transfers::Step::InProgress)
        .count();
    let count = servers::count_by_node(tx, id)? + coming;
    if count > 0 {
        return Err(Error::NodeInUse { count });
    }
    settings::delete(tx, &public_address_name(id))?;
    if NODES.remove(tx, id)? { Ok(()) } else { Err(Error::NotFound { what: "node" }) }
}

/// Deletes a node and the records of its servers, at this time; returns their ids.
pub fn delete_with_servers(tx: &WriteTx, id: &str, at: Millis) -> Result<Vec<ServerId>> {
    let mut forgotten = Vec::new();
    for server in servers::list_by_node(tx, id)? {
        servers::delete(tx, &server.id)?;
        backups::deleted::set_time(tx, &server.id, at)?;
        forgotten.push(server.id);
    }
    delete(tx, id)?;
    Ok(forgotten)
}

/// The address by which the internet reaches a node, where somebody has set it.
pub fn public_address(tx: &ReadTx, id: &str) -> Result<Option<String>> {
    settings::get(tx, &public_address_name(id))
}

/// Sets or forgets the address by which the internet reaches a node.
pub fn set_public_address(tx: &WriteTx, id: &str, address: Option<String>) -> Result<()> {
    if !NODES.contains(tx, id)? {
        return Err(Error::NotFound { what: "node" });
    }
    match address {
        Some(address) => settings::put(tx, &public_address_name(id), &address),
        None => settings::delete(tx, &public_address_name(id)).map(drop),
    }
}

fn public_address_name(id: &str) -> String {
    format!("public_address/{id}")
}

/// Records when agents were last connected. Skips ids that no longer exist.
pub fn set_last_seen_many(tx: &WriteTx, seen: &[(NodeId, Millis)]) -> Result<()> {
    for (id, at) in seen {
        if let Some(mut node) = NODES.get(tx, id.as_str())? {
            node.last_seen = Some(*at);
            NODES.put(tx, id.as_str(), &node)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, read, server, store, write};

    #[test]
    fn a_node_comes_back_as_it_went() {
        let (_dir, store) = store();
        write(&store, |tx| insert(tx, &node("local")));
        assert_eq!(read(&store, |tx| get(tx, "local")), Some(node("local")));
        let old_secret = Some(OldSecret { hash: vec![7; 32], until: 9 });
        let without = Node { secret_hash: None, system: None, old_secret, draining: true, ..node("local") };
        let copy = without.clone();
        write(&store, move |tx| update(tx, &copy));
        assert_eq!(read(&store, list), [without]);
        assert!(matches!(store.write_blocking(|tx| insert(tx, &node("local"))), Err(Error::Taken { .. })));
        assert!(matches!(store.write_blocking(|tx| update(tx, &node("b"))), Err(Error::NotFound { .. })));
    }

    #[test]
    fn a_node_in_use_stays() {
        let (_dir, store) = store();
        write(&store, |tx| {
            insert(tx, &node("n"))?;
            servers::insert(tx, &server("s", "n", 1))
        });
        let error = store.write_blocking(|tx| delete(tx, "n")).unwrap_err();
        assert!(matches!(error, Error::NodeInUse { count: 1 }), "{error}");
        write(&store, |tx| servers::delete(tx, "s"));
        write(&store, |tx| delete(tx, "n"));
        assert!(matches!(store.write_blocking(|tx| delete(tx, "n")), Err(Error::NotFound { .. })));
    }

    #[test]
    fn a_dead_node_takes_its_servers_with_it_and_no_others() {
        let (_dir, store) = store();
        write(&store, |tx| {
            insert(tx, &node("n"))?;
            insert(tx, &node("o"))?;
            servers::insert(tx, &server("a", "n", 1))?;
            servers::insert(tx, &server("b", "n", 2))?;
            servers::insert(tx, &server("c", "o", 1))
        });
        assert_eq!(write(&store, |tx| delete_with_servers(tx, "n", 5)), ["a", "b"]);
        assert_eq!(read(&store, servers::list).len(), 1);
        assert_eq!(read(&store, list).len(), 1);
        assert_eq!(read(&store, |tx| servers::port_owner(tx, "n", crate::servers::Protocol::Tcp, 1)), None);
    }

    #[test]
    fn last_seen_is_noted_for_those_that_are_there() {
        let (_dir, store) = store();
        write(&store, |tx| insert(tx, &node("n")));
        write(&store, |tx| set_last_seen_many(tx, &[("n".into(), 9), ("gone".into(), 9)]));
        assert_eq!(read(&store, |tx| get(tx, "n")).unwrap().last_seen, Some(9));
        assert_eq!(read(&store, list).len(), 1);
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", node("n"));
        assert!(!shown.contains("254") && shown.contains("secret_hash: Some(\"…\")"), "{shown}");
    }
}
