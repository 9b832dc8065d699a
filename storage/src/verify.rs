//! Checks records and indexes for contradictions. Neither a crash nor a full disk can cause any, so each one found is a
//! bug in this crate.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::servers::{Protocol, Server};
use crate::tables::{
    GRANTS, GRANTS_BY_USER, MOVES, NODES, PORTS, SERVERS, SERVERS_BY_NODE, SESSIONS, SESSIONS_BY_USER,
    TEMPLATES, USERS, USERS_BY_NAME,
};
use crate::transfers::Step;
use crate::tx::ReadTx;
use ids::NodeId;

/// Reads every record and returns a message for each contradiction.
pub fn verify(tx: &ReadTx) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    TEMPLATES.all(tx)?;
    users(tx, &mut wrong)?;
    servers(tx, &mut wrong)?;
    grants(tx, &mut wrong)?;
    Ok(wrong)
}

fn users(tx: &ReadTx, wrong: &mut Vec<String>) -> Result<()> {
    let users = USERS.all(tx)?;
    for user in &users {
        if USERS_BY_NAME.get(tx, user.username.to_ascii_lowercase().as_str())?.as_ref() != Some(&user.id) {
            wrong.push(format!("the user {} is not found by name", user.id));
        }
    }
    let sessions = SESSIONS.all(tx)?;
    for session in &sessions {
        let key = (session.user_id.as_str(), session.id.as_str());
        if SESSIONS_BY_USER.get(tx, key)?.as_ref() != Some(&session.id) {
            wrong.push(format!("the session {} is not found by its user", session.id));
        }
        if !USERS.contains(tx, session.user_id.as_str())? {
            wrong.push(format!("the session {} has no user", session.id));
        }
    }
    same(wrong, "users by name", users.len(), USERS_BY_NAME.len(tx)?);
    same(wrong, "sessions by user", sessions.len(), SESSIONS_BY_USER.len(tx)?);
    Ok(())
}

fn servers(tx: &ReadTx, wrong: &mut Vec<String>) -> Result<()> {
    let nodes: BTreeSet<NodeId> = NODES.all(tx)?.into_iter().map(|node| node.id).collect();
    let servers = SERVERS.all(tx)?;
    for server in &servers {
        if !nodes.contains(&server.node_id) {
            wrong.push(format!("the server {} has no node", server.id));
        }
        let key = (server.node_id.as_str(), server.id.as_str());
        if SERVERS_BY_NODE.get(tx, key)?.as_ref() != Some(&server.id) {
            wrong.push(format!("the server {} is not found by its node", server.id));
        }
        ports(tx, server, wrong)?;
    }
    same(wrong, "servers by node", servers.len(), SERVERS_BY_NODE.len(tx)?);
    let mut ports: usize = servers.iter().map(|server| server.ports.len()).sum();
    for this in MOVES.all(tx)? {
        let Some(server) = servers.iter().find(|server| server.id == this.server_id) else {
            wrong.push(format!("the move of {} has no server", this.server_id));
            continue;
        };
        if this.step == Step::InProgress {
            let there = Server { node_id: this.to, ..server.clone() };
            self::ports(tx, &there, wrong)?;
            ports += there.ports.len();
        }
    }
    same(wrong, "ports", ports, PORTS.len(tx)?);
    Ok(())
}

fn ports(tx: &ReadTx, server: &Server, wrong: &mut Vec<String>) -> Result<()> {
    for port in &server.ports {
        let number = u8::from(port.protocol == Protocol::Udp);
        if PORTS.get(tx, (server.node_id.as_str(), number, port.external))?.as_ref() != Some(&server.id) {
            wrong.push(format!("the port {}/{} is not that of {}", port.external, port.protocol, server.id));
        }
    }
    Ok(())
}

fn grants(tx: &ReadTx, wrong: &mut Vec<String>) -> Result<()> {
    let grants = GRANTS.all(tx)?;
    for grant in &grants {
        let (server, user) = (grant.server_id.as_str(), grant.user_id.as_str());
        if GRANTS_BY_USER.get(tx, (user, server))?.as_deref() != Some(server) {
            wrong.push(format!("the grant of {user} on {server} is not found by its user"));
        }
        if !USERS.contains(tx, user)? || !SERVERS.contains(tx, server)? {
            wrong.push(format!("the grant of {user} on {server} has lost one of the two"));
        }
    }
    same(wrong, "grants by user", grants.len(), GRANTS_BY_USER.len(tx)?);
    Ok(())
}

fn same(wrong: &mut Vec<String>, what: &str, records: usize, entries: u64) {
    if records as u64 != entries {
        wrong.push(format!("{what}: {entries} entries for {records} records"));
    }
}
