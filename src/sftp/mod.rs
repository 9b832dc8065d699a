//! SFTP access to servers' files on all nodes. The panel is the SSH server: it authenticates users and checks permissions. The
//! file operations are done by the node's agent over a stream connection (`agent/src/files/sftp/`).
//!
//! From the bottom: `path` resolves clients' paths, `flow` carries a channel's data in both directions, `links` are the
//! connections to nodes, `session` and `requests` handle one client's requests; `handler` is the SSH side, `connection` the life of one
//! connection, `places` the connection limits, `listener` the accept loop; `host_key` the SSH host key.

mod change_log;
mod connection;
mod flow;
mod handler;
mod host_key;
mod io;
mod links;
mod listener;
mod path;
mod places;
mod requests;
mod routes;
mod session;
mod top;

use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::server::Config;
use russh::{MethodKind, MethodSet, SshId};

pub use host_key::HostKeyError;
pub use routes::routes;

use crate::auth::Auth;
use crate::files::Files;
use crate::ssh_keys::{self, SshKeys};
use crate::system::shutdown::Tasks;

/// Failed authentication attempts per connection.
const ATTEMPTS: usize = 6;
/// Interval of keepalives, and how many may go unanswered.
const KEEPALIVE: Duration = Duration::from_secs(60);
const UNANSWERED: usize = 3;
/// A connection without any traffic is closed after this time.
const SILENT: Duration = Duration::from_secs(600);

/// The SFTP server. Cheap to clone.
#[derive(Clone)]
pub struct Sftp(Arc<Inner>);

/// What it needs.
pub struct Parts {
    /// Who may do what.
    pub auth: Auth,
    /// Servers' files.
    pub files: Files,
    /// Keys of accounts.
    pub keys: SshKeys,
    /// What runs.
    pub tasks: Tasks,
    /// The port; `None` if SFTP is off.
    pub port: Option<u16>,
    /// The SSH host key.
    pub host_key: HostKey,
}

/// The SSH host key.
pub struct HostKey(PrivateKey);

struct Inner {
    auth: Auth,
    files: Files,
    keys: SshKeys,
    tasks: Tasks,
    port: Option<u16>,
    fingerprint: String,
    config: Arc<Config>,
    places: places::Places,
}

impl Sftp {
    /// Creates the server.
    pub fn new(parts: Parts) -> Self {
        let Parts { auth, files, keys, tasks, port, host_key: HostKey(key) } = parts;
        let fingerprint = ssh_keys::fingerprint(key.public_key());
        let config = Arc::new(Config {
            server_id: SshId::Standard("SSH-2.0-ctrl-alt-play".into()),
            methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..]),
            auth_rejection_time: Duration::from_millis(500),
            // Clients probe for the available methods.
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![key],
            max_auth_attempts: ATTEMPTS,
            inactivity_timeout: Some(SILENT),
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: UNANSWERED,
            nodelay: true,
            // Each is a quarter of a megabyte.
            event_buffer_size: 2,
            ..Config::default()
        });
        let places = places::Places::default();
        Self(Arc::new(Inner { auth, files, keys, tasks, port, fingerprint, config, places }))
    }

    /// The keys of accounts.
    pub fn keys(&self) -> &SshKeys {
        &self.0.keys
    }
}
