//! All tables, with their keys and values.
//!
//! A new table or a changed record is a new schema: add a migration (see [`crate::migrations`]).

use ids::ServerId;

use crate::error::Result;
use crate::grants::record::Grant;
use crate::nodes::record::Node;
use crate::servers::record::Server;
use crate::sessions::record::Session;
use crate::table::Table;
use crate::templates::record::Template;
use crate::transfers::record::Move;
use crate::tx::WriteTx;
use crate::users::record::User;

type Id = &'static str;

/// `schema`, `app_version`, `instance`: about the database itself. The type belongs to the key, see `meta.rs`.
pub(crate) const fn meta<V: 'static>() -> Table<&'static str, V> {
    Table::new("meta")
}

/// Settings by name. The type belongs to the name.
pub(crate) const fn settings<V: 'static>() -> Table<&'static str, V> {
    Table::new("settings")
}

/// User id → account.
pub(crate) const USERS: Table<Id, User> = Table::new("users");
/// User name in ASCII lower case → user id.
pub(crate) const USERS_BY_NAME: Table<&'static str, String> = Table::new("users_by_name");
/// Session id → session.
pub(crate) const SESSIONS: Table<Id, Session> = Table::new("sessions");
/// (User id, session id) → session id.
pub(crate) const SESSIONS_BY_USER: Table<(Id, Id), String> = Table::new("sessions_by_user");
/// Node id → node.
pub(crate) const NODES: Table<Id, Node> = Table::new("nodes");
/// Server id → game server.
pub(crate) const SERVERS: Table<Id, Server> = Table::new("servers");
/// (Node id, server id) → server id.
pub(crate) const SERVERS_BY_NODE: Table<(Id, Id), ServerId> = Table::new("servers_by_node");
/// (Node id, 0 for TCP or 1 for UDP, external port) → server id.
pub(crate) const PORTS: Table<(Id, u8, u16), ServerId> = Table::new("ports");
/// (Server id, user id) → grant.
pub(crate) const GRANTS: Table<(Id, Id), Grant> = Table::new("grants");
/// (User id, server id) → server id.
pub(crate) const GRANTS_BY_USER: Table<(Id, Id), ServerId> = Table::new("grants_by_user");
/// Server id → its transfer to another node.
pub(crate) const MOVES: Table<Id, Move> = Table::new("moves");
/// Template id → template added by a user.
pub(crate) const TEMPLATES: Table<Id, Template> = Table::new("templates");

/// Creates all tables.
pub(crate) fn create_all(tx: &WriteTx) -> Result<()> {
    meta::<()>().create(tx)?;
    settings::<()>().create(tx)?;
    USERS.create(tx)?;
    USERS_BY_NAME.create(tx)?;
    SESSIONS.create(tx)?;
    SESSIONS_BY_USER.create(tx)?;
    NODES.create(tx)?;
    SERVERS.create(tx)?;
    SERVERS_BY_NODE.create(tx)?;
    PORTS.create(tx)?;
    GRANTS.create(tx)?;
    GRANTS_BY_USER.create(tx)?;
    TEMPLATES.create(tx)?;
    MOVES.create(tx)
}
