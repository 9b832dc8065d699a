//! Shared by tests: a store in a temporary folder, sample records, failing disks.

mod sim;

use std::collections::{BTreeMap, BTreeSet};

use tempfile::TempDir;

pub(crate) use sim::{Fault, SimDisk};

use crate::error::Result;
use crate::grants::Grant;
use crate::nodes::Node;
use crate::servers::{Behaviour, Limits, Port, Protocol, Server};
use crate::sessions::Session;
use crate::tables;
use crate::templates::Template;
use crate::users::{Role, User};
use crate::{ReadTx, Store, WriteTx, grants, nodes, servers, sessions, settings, templates, users};

/// A new, empty store. The folder is deleted when the first half of the pair is dropped.
pub(crate) fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// Writes in its own transaction; panics on failure.
pub(crate) fn write<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&WriteTx) -> Result<T> + Send + 'static,
) -> T {
    store.write_blocking(work).unwrap()
}

/// Reads; panics on failure.
pub(crate) fn read<T>(store: &Store, work: impl FnOnce(&ReadTx) -> Result<T>) -> T {
    store.read_now(work).unwrap()
}

pub(crate) fn user(id: &str, role: Role) -> User {
    User {
        id: id.to_owned(),
        username: format!("Name-{id}"),
        password_hash: "$argon2id$secret".to_owned(),
        role,
        created_at: 1,
        last_seen: None,
    }
}

pub(crate) fn session(id: &str, user: &str) -> Session {
    Session {
        id: id.to_owned(),
        user_id: user.to_owned(),
        created_at: 1,
        last_used: 1,
        expires_at: 1_000,
        address: "192.0.2.1".to_owned(),
        user_agent: "test".to_owned(),
        cookie_hash: Some(vec![1; 32]),
        key_hash: None,
    }
}

pub(crate) fn node(id: &str) -> Node {
    Node {
        id: id.to_owned().into(),
        name: format!("Node {id}"),
        secret_hash: Some(vec![0, 1, 0xfe, 0xff]),
        joined_by_shared_secret: false,
        created_at: 1,
        last_seen: None,
        system: Some("{}".to_owned()),
        old_secret: None,
        secret_used_at: None,
        revoked: false,
        draining: false,
    }
}

pub(crate) fn server(id: &str, node: &str, port: u16) -> Server {
    Server {
        id: id.to_owned().into(),
        name: format!("Server {id}"),
        node_id: node.to_owned().into(),
        template_id: Some("paper".to_owned()),
        image: "example/game:1".to_owned(),
        startup: "./game --port {{SERVER_PORT}}".to_owned(),
        environment: BTreeMap::from([("MODE".to_owned(), "hard".to_owned())]),
        limits: Limits::default(),
        ports: vec![Port { internal: port, external: port, protocol: Protocol::Tcp }],
        suspended: false,
        created_at: 1,
        updated_at: 1,
        block_lan: false,
        handed_over: false,
        deleting: None,
        template: None,
        start_when_installed: false,
        behaviour: Behaviour::default(),
    }
}

/// One write.
pub(crate) type Step = Box<dyn FnOnce(&WriteTx) -> Result<()> + Send>;

/// Writes that touch every table, each run in its own transaction, one after the other.
pub(crate) fn workload(steps: u16) -> Vec<Step> {
    let mut work: Vec<Step> = vec![Box::new(|tx| {
        nodes::insert(tx, &node("local"))?;
        templates::insert(
            tx,
            &Template {
                id: "t".to_owned(),
                name: "T".to_owned(),
                body: "{}".to_owned(),
                created_at: 1,
                updated_at: None,
            },
        )?;
        settings::put(tx, "greeting", &"hello".to_owned())?;
        users::insert(tx, &user("admin", Role::Admin))
    })];
    for i in 0..steps {
        work.push(Box::new(move |tx| {
            let id = format!("n{i}");
            users::insert(tx, &user(&id, Role::User))?;
            sessions::insert(tx, &session(&id, &id))?;
            servers::insert(tx, &server(&id, "local", 25_000 + i))?;
            let permissions = BTreeSet::from(["view".to_owned()]);
            grants::put(tx, &Grant { server_id: id.clone().into(), user_id: id, permissions })
        }));
        if i % 3 == 2 {
            work.push(Box::new(move |tx| {
                users::delete(tx, &format!("n{}", i - 1))?;
                servers::delete(tx, &format!("n{}", i - 1))
            }));
        }
    }
    work
}

/// The whole database as text.
pub(crate) fn dump(tx: &ReadTx) -> Result<Vec<String>> {
    let mut all = vec![format!("{:?} {:?}", crate::meta::schema(tx)?, crate::meta::instance(tx)?)];
    let mut add = |table: &str, records: &dyn std::fmt::Debug| all.push(format!("{table}: {records:?}"));
    add("settings", &tables::settings::<String>().all(tx)?);
    add("users", &tables::USERS.all(tx)?);
    add("users_by_name", &tables::USERS_BY_NAME.all(tx)?);
    add("sessions", &tables::SESSIONS.all(tx)?);
    add("sessions_by_user", &tables::SESSIONS_BY_USER.all(tx)?);
    add("nodes", &tables::NODES.all(tx)?);
    add("servers", &tables::SERVERS.all(tx)?);
    add("servers_by_node", &tables::SERVERS_BY_NODE.all(tx)?);
    add("ports", &tables::PORTS.all(tx)?);
    add("grants", &tables::GRANTS.all(tx)?);
    add("grants_by_user", &tables::GRANTS_BY_USER.all(tx)?);
    add("templates", &tables::TEMPLATES.all(tx)?);
    add("moves", &tables::MOVES.all(tx)?);
    Ok(all)
}

/// Whether to do the long runs: `LONG=1`.
pub(crate) fn long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| !value.is_empty() && value != "0")
}
