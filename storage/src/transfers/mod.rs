//! Transfers of servers to another node: one record per server, kept until its data is complete on one of the two
//! nodes.

pub(crate) mod record;

use crate::Millis;
use crate::error::{Error, Result};
use crate::servers::{self, Protocol, Server};
use crate::tables::{MOVES, NODES, PORTS, SERVERS};
use crate::tx::{ReadTx, WriteTx};

pub use record::{Move, Step};

/// Records a new transfer and reserves the server's ports on the target node. Replaces an earlier transfer that is
/// over. [`Error::PortTaken`] names the server that has one of the ports.
pub fn begin(tx: &WriteTx, new: &Move) -> Result<Server> {
    let server = SERVERS.get(tx, new.server_id.as_str())?.ok_or(Error::NotFound { what: "server" })?;
    if server.deleting.is_some() {
        return Err(Error::NotFound { what: "server" });
    }
    if !NODES.contains(tx, new.to.as_str())? {
        return Err(Error::NotFound { what: "node" });
    }
    let earlier = MOVES.get(tx, new.server_id.as_str())?;
    if earlier.as_ref().is_some_and(|earlier| matches!(earlier.step, Step::InProgress | Step::Switched)) {
        return Err(Error::Taken { what: "the move of the server" });
    }
    servers::take_ports(tx, &Server { node_id: new.to.clone(), ..server.clone() })?;
    MOVES.put(tx, new.server_id.as_str(), new)?;
    Ok(server)
}

/// The transfer of this server.
pub fn get(tx: &ReadTx, server_id: &str) -> Result<Option<Move>> {
    MOVES.get(tx, server_id)
}

/// All transfers, ordered by server id.
pub fn list(tx: &ReadTx) -> Result<Vec<Move>> {
    MOVES.all(tx)
}

/// Updates a transfer in progress. Its step only changes by [`switch`], [`fail`] and [`finish`].
pub fn update(tx: &WriteTx, changed: &Move) -> Result<()> {
    let old = MOVES.get(tx, changed.server_id.as_str())?.ok_or(Error::NotFound { what: "move" })?;
    MOVES.put(tx, changed.server_id.as_str(), &Move { step: old.step, ..changed.clone() })
}

/// Places the server on the target node.
pub fn switch(tx: &WriteTx, server_id: &str, now: Millis) -> Result<Server> {
    let mut this = under(tx, server_id)?;
    let mut server = SERVERS.get(tx, server_id)?.ok_or(Error::NotFound { what: "server" })?;
    give_back(tx, &this, &server)?;
    server.node_id.clone_from(&this.to);
    server.updated_at = now.max(server.updated_at + 1);
    server.handed_over = true;
    servers::update(tx, &server)?;
    this.step = Step::Switched;
    MOVES.put(tx, server_id, &this)?;
    Ok(server)
}

/// Marks the transfer as failed and frees the ports on the target node.
pub fn fail(tx: &WriteTx, failed: &Move) -> Result<()> {
    let this = under(tx, &failed.server_id)?;
    if let Some(server) = SERVERS.get(tx, failed.server_id.as_str())? {
        give_back(tx, &this, &server)?;
    }
    MOVES.put(tx, failed.server_id.as_str(), &Move { step: Step::Failed, ..failed.clone() })
}

/// Marks the transfer as done.
pub fn finish(tx: &WriteTx, server_id: &str) -> Result<()> {
    let this = MOVES.get(tx, server_id)?.ok_or(Error::NotFound { what: "move" })?;
    MOVES.put(tx, server_id, &Move { step: Step::Done, ..this })
}

/// Deletes a transfer that is over; returns whether there was one.
pub fn forget(tx: &WriteTx, server_id: &str) -> Result<bool> {
    match MOVES.get(tx, server_id)? {
        Some(this) if this.step == Step::InProgress => Err(Error::Taken { what: "the move of the server" }),
        Some(_) => MOVES.remove(tx, server_id),
        None => Ok(false),
    }
}

fn under(tx: &WriteTx, server_id: &str) -> Result<Move> {
    let this = MOVES.get(tx, server_id)?.filter(|this| this.step == Step::InProgress);
    this.ok_or(Error::NotFound { what: "move" })
}

fn give_back(tx: &WriteTx, this: &Move, server: &Server) -> Result<()> {
    for port in &server.ports {
        let protocol = u8::from(port.protocol == Protocol::Udp);
        PORTS.remove(tx, (this.to.as_str(), protocol, port.external))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes;
    use crate::testing::{node, read, server, store, write};

    fn moving(to: &str) -> Move {
        Move {
            server_id: "s".into(),
            from: "a".into(),
            to: to.to_owned().into(),
            step: Step::InProgress,
            ran: false,
            error: None,
            started_at: 1,
            leftovers: Vec::new(),
            restart: false,
        }
    }

    fn sound(store: &crate::Store) {
        assert_eq!(read(store, crate::verify), Vec::<String>::new());
    }

    #[test]
    fn its_ports_are_kept_at_the_other_node_and_go_with_it() {
        let (_dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| nodes::insert(tx, &node("b")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        write(&store, |tx| servers::insert(tx, &server("t", "b", 8)));
        write(&store, |tx| begin(tx, &moving("b")));
        sound(&store);
        let taken = store.write_blocking(|tx| servers::insert(tx, &server("u", "b", 7)));
        assert!(matches!(taken, Err(Error::PortTaken { .. })), "{taken:?}");
        let twice = store.write_blocking(|tx| begin(tx, &moving("b")));
        assert!(matches!(twice, Err(Error::Taken { .. })), "{twice:?}");
        assert!(store.write_blocking(|tx| servers::delete(tx, "s")).is_err(), "not while it moves");
        assert!(store.write_blocking(|tx| nodes::delete(tx, "b")).is_err());
        let moved = write(&store, |tx| switch(tx, "s", 5));
        assert_eq!((moved.node_id.as_str(), moved.updated_at), ("b", 5));
        sound(&store);
        assert_eq!(read(&store, |tx| servers::list_by_node(tx, "b")).len(), 2);
        assert!(store.write_blocking(|tx| fail(tx, &moving("b"))).is_err(), "there is no way back from here");
        write(&store, |tx| finish(tx, "s"));
        write(&store, |tx| servers::insert(tx, &server("u", "a", 7)));
        write(&store, |tx| servers::delete(tx, "s"));
        assert_eq!(read(&store, list), []);
        sound(&store);
    }

    #[test]
    fn one_that_failed_leaves_all_as_it_was() {
        let (_dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| nodes::insert(tx, &node("b")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        write(&store, |tx| servers::insert(tx, &server("t", "b", 7)));
        let taken = store.write_blocking(|tx| begin(tx, &moving("b")).map(drop));
        assert!(matches!(taken, Err(Error::PortTaken { .. })), "{taken:?}");
        assert_eq!(read(&store, list), []);
        write(&store, |tx| servers::delete(tx, "t"));
        write(&store, |tx| begin(tx, &moving("b")));
        write(&store, |tx| fail(tx, &Move { error: Some("no".to_owned()), ..moving("b") }));
        sound(&store);
        write(&store, |tx| servers::insert(tx, &server("u", "b", 7)));
        assert_eq!(read(&store, |tx| servers::get(tx, "s")).unwrap().node_id, "a");
        assert!(write(&store, |tx| forget(tx, "s")));
        assert!(!write(&store, |tx| forget(tx, "s")));
    }
}
