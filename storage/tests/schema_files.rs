//! A file of every released schema opens, with all that is in it.
//!
//! `cargo test -p ctrl-alt-play-storage --test storage -- --ignored makes_the_file` writes the file of the present
//! schema. Once that schema is released, its file is never written again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use storage::grants::{self, Grant};
use storage::nodes::{self, Node};
use storage::servers::{self, Behaviour, ContainerUser, Limits, Port, Protocol, Server, StartupMode, Stop};
use storage::sessions::{self, Session};
use storage::templates::{self, Template};
use storage::transfers::{self, Move, Step};
use storage::users::{self, Role, User};
use storage::{ReadTx, Result, Store, WriteTx, meta, settings, verify};

use crate::common::{node, server, user};

/// The schema that the last migration leads to.
const PRESENT: u32 = 2;

fn file(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/schema-{schema}.redb"))
}

fn plain_user() -> User {
    User {
        id: "u2".to_owned(),
        username: "Grüße".to_owned(),
        password_hash: "$argon2id$v=19$two".to_owned(),
        role: Role::User,
        created_at: 1_790_000_000_000,
        last_seen: Some(1_790_000_000_001),
    }
}

fn remote_node() -> Node {
    Node {
        secret_hash: Some((0..32).collect()),
        joined_by_shared_secret: true,
        last_seen: Some(5),
        system: Some("{\"cpus\":4}".to_owned()),
        ..node("remote.example")
    }
}

fn full_server() -> Server {
    Server {
        node_id: "remote.example".into(),
        template_id: Some("minecraft-paper".to_owned()),
        startup: "java -jar {{JAR}}".to_owned(),
        limits: Limits { memory: 1 << 31, swap: -1, disk: 1 << 35, io: 10, cpu: 150, processes: 512 },
        ports: vec![
            Port { internal: 25_565, external: 25_566, protocol: Protocol::Tcp },
            Port { internal: 25_565, external: 25_566, protocol: Protocol::Udp },
        ],
        suspended: true,
        behaviour: Behaviour {
            user: ContainerUser::Fixed("1000:1000".to_owned()),
            data_path: "/data".to_owned(),
            working_dir: Some("/data/game".to_owned()),
            read_only_root: false,
            startup_mode: StartupMode::Variable,
            stop: Stop::Command("stop".to_owned()),
            stop_timeout_secs: 90,
            ready: Some("Done (".to_owned()),
            restart_after_crash: true,
            stop_at_disk_limit: true,
            architectures: vec!["amd64".to_owned(), "arm64".to_owned()],
        },
        ..server("full", 1)
    }
}

fn session() -> Session {
    Session {
        id: "session1".to_owned(),
        user_id: "u2".to_owned(),
        created_at: 1,
        last_used: 2,
        expires_at: 3,
        address: "2001:db8::1".to_owned(),
        user_agent: "Firefox".to_owned(),
        cookie_hash: None,
        key_hash: None,
    }
}

fn template() -> Template {
    Template {
        id: "own".to_owned(),
        name: "Own".to_owned(),
        body: "{\"x\":1}".to_owned(),
        created_at: 4,
        // The files were written when there was no such key.
        updated_at: None,
    }
}

fn grant() -> Grant {
    // The files were written when `startup` was called `edit`; the panel knows both names.
    let permissions = BTreeSet::from(["view", "console", "power", "files", "edit"].map(str::to_owned));
    Grant { server_id: "full".into(), user_id: "u2".to_owned(), permissions }
}

fn under_way() -> Move {
    Move {
        server_id: "full".into(),
        from: "remote.example".into(),
        to: "local".into(),
        step: Step::InProgress,
        ran: true,
        error: Some("none yet".to_owned()),
        started_at: 6,
        leftovers: vec!["attic".into()],
        restart: true,
    }
}

fn fill(tx: &WriteTx) -> Result<()> {
    meta::claim(tx, 9)?;
    users::insert(tx, &user("u1"))?;
    users::insert(tx, &plain_user())?;
    sessions::insert(tx, &session())?;
    nodes::insert(tx, &node("local"))?;
    nodes::insert(tx, &remote_node())?;
    servers::insert(tx, &server("plain", 7777))?;
    servers::insert(tx, &full_server())?;
    grants::put(tx, &grant())?;
    templates::insert(tx, &template())?;
    transfers::begin(tx, &under_way())?;
    settings::put(tx, "text", &"value".to_owned())
}

fn look(tx: &ReadTx) -> Result<()> {
    assert_eq!(meta::schema(tx)?, PRESENT);
    assert_eq!(meta::claimed_at(tx)?, Some(9));
    assert_eq!(meta::instance(tx)?.id.len(), 20);
    assert_eq!(users::by_name(tx, "U1")?, Some(user("u1")));
    assert_eq!(users::get(tx, "u2")?, Some(plain_user()));
    assert_eq!(sessions::list_by_user(tx, "u2")?, [session()]);
    assert_eq!(nodes::list(tx)?, [node("local"), remote_node()]);
    assert_eq!(servers::list(tx)?, [full_server(), server("plain", 7777)]);
    assert_eq!(grants::list_by_user(tx, "u2")?, [grant()]);
    assert_eq!(templates::list(tx)?, [template()]);
    assert_eq!(settings::get::<String>(tx, "text")?.as_deref(), Some("value"));
    assert_eq!(verify(tx)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_file_of_every_schema_opens_with_all_that_is_in_it() {
    for schema in 1..=PRESENT {
        let dir = tempfile::tempdir().unwrap();
        fs::copy(file(schema), dir.path().join("panel.redb")).unwrap();
        let store = Store::open(dir.path()).unwrap_or_else(|e| panic!("schema {schema}: {e}"));
        store.read_now(look).unwrap_or_else(|e| panic!("schema {schema}: {e}"));
        let moved = store.read_now(|tx| transfers::get(tx, "full")).unwrap();
        assert_eq!(moved, (schema >= 2).then(under_way), "schema {schema}");
        if moved.is_some() {
            store.write_blocking(|tx| transfers::fail(tx, &under_way())).unwrap();
        }
        store.write_blocking(|tx| servers::delete(tx, "full")).unwrap();
    }
    assert!(!file(PRESENT + 1).exists(), "a newer schema's file is not tested: raise PRESENT");
}

#[test]
#[ignore = "writes the file of the present schema"]
fn makes_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.write_blocking(fill).unwrap();
    store.close();
    fs::copy(dir.path().join("panel.redb"), file(PRESENT)).unwrap();
}
