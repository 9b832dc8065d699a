//! Schedules of servers. Those of one server are few and sent together, so they are one value among the settings: a
//! program that does not know them leaves it alone.

pub(crate) mod record;

use crate::error::{Error, Result};
use crate::servers;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

pub use record::{Schedule, ServerSchedules};

fn name(server_id: &str) -> String {
    format!("schedules/{server_id}")
}

/// The schedules of a server; none if it never had any.
pub fn get(tx: &ReadTx, server_id: &str) -> Result<Option<ServerSchedules>> {
    settings::get(tx, &name(server_id))
}

/// Writes the schedules of a server, which must be there.
pub fn put(tx: &WriteTx, server_id: &str, schedules: &ServerSchedules) -> Result<()> {
    if servers::get(tx, server_id)?.is_none() {
        return Err(Error::NotFound { what: "server" });
    }
    settings::put(tx, &name(server_id), schedules)
}

pub(crate) fn forget_server(tx: &WriteTx, server_id: &str) -> Result<()> {
    settings::delete(tx, &name(server_id)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, read, server, store, write};
    use crate::{nodes, servers};

    #[test]
    fn schedules_go_with_their_server() {
        let (_dir, store) = store();
        let schedule = Schedule { id: "a".into(), plan: "{}".into(), created_at: 1 };
        let all = ServerSchedules { schedules: vec![schedule], players: None };
        let copy = all.clone();
        assert!(store.write_blocking(move |tx| put(tx, "s", &copy)).is_err(), "there is no such server");
        write(&store, |tx| nodes::insert(tx, &node("n")));
        write(&store, |tx| servers::insert(tx, &server("s", "n", 7)));
        let copy = all.clone();
        write(&store, move |tx| put(tx, "s", &copy));
        assert_eq!(read(&store, |tx| get(tx, "s")), Some(all));
        write(&store, |tx| servers::delete(tx, "s"));
        assert_eq!(read(&store, |tx| get(tx, "s")), None);
    }
}
