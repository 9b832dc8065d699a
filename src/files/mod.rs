//! Files of game servers: the rules. What is done with them is done by the node's agent; their bytes pass through here, a
//! few pieces at a time, and nothing of them is kept.
//!
//! - `path` what a path in a request may be. `place` the server whose files are meant, and whether its node can do it.
//! - `browse` what is there; `change` what changes at once, `jobs` what takes longer, `pull` what comes from elsewhere.
//! - `send` and `receive` are the two directions of bytes, `content` and `uploads` (tus) what uses them; `downloads` are
//!   links for browsers.
//! - `denied` keeps some files from those who may not configure the server.
//! - `legacy` is for nodes whose agent knows only small text files.

mod body;
mod browse;
mod change;
mod content;
mod denied;
mod download_routes;
mod downloads;
mod job_table;
mod jobs;
mod legacy;
pub(crate) mod path;
mod place;
mod pull;
mod range;
mod receive;
mod responses;
mod revoked;
mod routes;
mod send;
mod sftp;
mod streams_open;
mod tickets;
mod topic;
mod turns;
mod upload_routes;
mod uploads;
mod views;

use std::sync::Arc;
use std::time::Duration;

use storage::Store;
use tokio::sync::Semaphore;

pub(crate) use body::Format;
pub(crate) use denied::Denied;
pub use routes::routes;
pub use sftp::{SftpPlace, SftpRights};
pub use topic::topics;
pub(crate) use views::{DownloadView, EntryView};

use crate::agents::Agents;
use crate::auth::Auth;
use crate::net::fetch::SafeFetcher;
use crate::streams::Streams;
use crate::system::shutdown::Tasks;
use crate::transfers::Transfers;
use job_table::JobTable;
use streams_open::OpenStreams;
use tickets::Tickets;
use turns::Turns;

/// How long an agent may take for what takes no time.
const ANSWER: Duration = Duration::from_secs(30);
/// How long one may be silent about a job.
const JOB_SILENT: Duration = Duration::from_secs(120);
/// Folders that are listed whole at a time: each may be some megabytes.
const WHOLE_LISTS: usize = 2;
/// Characters of the number of a job or an upload.
const NUMBER: usize = 20;

/// What the files of servers are reached by. Cheap to clone.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

/// What they need.
pub struct Parts {
    /// The servers' records.
    pub store: Store,
    /// Who may do what, also while bytes flow.
    pub auth: Auth,
    /// Who has the files.
    pub agents: Agents,
    /// Which servers are on their way to another node.
    pub transfers: Transfers,
    /// Connections for bytes.
    pub streams: Streams,
    /// Fetches what a link names.
    pub fetcher: SafeFetcher,
    /// What runs.
    pub tasks: Tasks,
}

struct Inner {
    parts: Parts,
    jobs: JobTable,
    tickets: Tickets,
    open: OpenStreams,
    turns: Turns,
    whole_lists: Semaphore,
}

impl Files {
    /// Over these.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            jobs: JobTable::default(),
            tickets: Tickets::default(),
            open: OpenStreams::default(),
            turns: Turns::default(),
            whole_lists: Semaphore::new(WHOLE_LISTS),
        }))
    }

    fn agents(&self) -> &Agents {
        &self.0.parts.agents
    }
}
