//! A server that is made as another one is, of files that are there already.

use ::templates::model::Template as Native;
use storage::ReadTx;
use storage::servers::{Port, Server};

use super::ports::{Excluded, next_free};
use super::{OwnPorts, Servers};
use crate::backups::Also;
use crate::error::ApiError;

impl Servers {
    /// Makes the record, with the next free ports, and has the node make the server. `also` is written with it.
    pub(super) async fn make_copy(&self, server: Server, also: Also) -> Result<(), ApiError> {
        self.check_takes_servers(&server.node_id)?;
        let excluded = self.held_by_others(&server.node_id, &server.ports).await?;
        let own = self.own_ports.clone();
        let written = self.store.write(move |tx| {
            let server = with_ports(tx, server, &own, &excluded)?;
            storage::servers::insert(tx, &server)?;
            also(tx)?;
            Ok::<Server, ApiError>(server)
        });
        let server = written.await?;
        self.agents.place(&server.id, &server.node_id);
        self.agents.create(server);
        Ok(())
    }
}

/// The server with ports of its own. A game that is told where it listens is told again; another listens inside where it did.
fn with_ports(
    tx: &ReadTx,
    mut server: Server,
    own: &OwnPorts,
    excluded: &Excluded,
) -> Result<Server, ApiError> {
    let free = next_free(tx, &server.node_id, &server.ports, own, excluded)?;
    let native = server.template.as_deref().and_then(|text| serde_json::from_str::<Native>(text).ok());
    let told = native.map(|native| native.ports).unwrap_or_default();
    // Of a template whose first port may be any, the game is told that by `SERVER_PORT`.
    let any = told.iter().any(|port| port.number.is_none() && port.variable.is_none());
    let variables: Vec<_> = told.iter().filter_map(|port| port.variable.as_deref()).collect();
    for (at, (port, now)) in server.ports.iter_mut().zip(free).enumerate() {
        if port.internal != port.external {
            *port = now;
            continue;
        }
        let (before, after) = (port.internal.to_string(), now.external.to_string());
        let mut moves = any && at == 0;
        for variable in &variables {
            if let Some(value) = server.environment.get_mut(*variable).filter(|value| **value == before) {
                value.clone_from(&after);
                moves = true;
            }
        }
        *port = if moves { Port { internal: now.external, ..now } } else { now };
    }
    Ok(server)
}
