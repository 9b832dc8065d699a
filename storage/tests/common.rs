//! Records to write, and this test program run once more as another process.

use std::process::{Command, Stdio};

use storage::nodes::Node;
use storage::servers::{Behaviour, Limits, Port, Protocol, Server};
use storage::users::{Role, User};

pub(crate) fn user(id: &str) -> User {
    User {
        id: id.to_owned(),
        username: id.to_owned(),
        password_hash: "$argon2id$".to_owned(),
        role: Role::Admin,
        created_at: 1,
        last_seen: None,
    }
}

pub(crate) fn node(id: &str) -> Node {
    Node {
        id: id.to_owned().into(),
        name: id.to_owned(),
        secret_hash: None,
        joined_by_shared_secret: false,
        created_at: 1,
        last_seen: None,
        system: None,
        old_secret: None,
        secret_used_at: None,
        revoked: false,
        draining: false,
    }
}

pub(crate) fn server(id: &str, port: u16) -> Server {
    Server {
        id: id.to_owned().into(),
        name: id.to_owned(),
        node_id: "local".into(),
        template_id: None,
        image: "example/game".to_owned(),
        startup: String::new(),
        environment: [("A".to_owned(), "x".repeat(200))].into(),
        limits: Limits::default(),
        ports: vec![Port { internal: port, external: port, protocol: Protocol::Udp }],
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

/// This program again, to run one ignored test in the folder `dir`.
pub(crate) fn another_process(test: &str, dir: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("STORAGE_TEST_DIR", dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// The folder that [`another_process`] was given. None when somebody runs the ignored tests by hand.
pub(crate) fn given_dir() -> Option<std::path::PathBuf> {
    std::env::var_os("STORAGE_TEST_DIR").map(Into::into)
}

/// The long runs are for the night: `LONG=1`.
pub(crate) fn long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| !value.is_empty() && value != "0")
}
