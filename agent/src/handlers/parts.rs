//! The parts of the agent that handlers call.

use std::sync::Arc;

use super::host_checks::HostChecks;
use crate::backups::Backups;
use crate::files::Files;
use crate::panel::reply_cache::Reply;
use crate::panel::reporter::Reporter;
use crate::panel::subscriptions::{Consoles, Sampler, Wanted};
use crate::players::Players;
use crate::reach::Reach;
use crate::schedules::Schedules;
use crate::server::Handle;
use crate::stats::Usages;
use crate::supervisor::{Supervisor, not_found};
use crate::transfers::Transfers;
use crate::upgrades::Upgrades;

/// The parts of the agent that handlers call.
pub(crate) struct Parts {
    pub(crate) reporter: Reporter,
    pub(crate) servers: Supervisor,
    pub(crate) consoles: Consoles,
    pub(crate) wanted: Arc<Wanted>,
    pub(crate) sampler: Sampler,
    pub(crate) usages: Usages,
    pub(crate) checks: HostChecks,
    pub(crate) files: Files,
    pub(crate) players: Players,
    pub(crate) reach: Reach,
    pub(crate) schedules: Schedules,
    pub(crate) transfers: Transfers,
    pub(crate) backups: Backups,
    pub(crate) upgrades: Upgrades,
}

impl Parts {
    /// The server with this id; answers the request if there is none.
    pub(super) fn server(&self, id: &str, reply: Reply) -> Option<(Handle, Reply)> {
        match self.servers.get(id) {
            Some(handle) => Some((handle, reply)),
            None => {
                not_found(reply);
                None
            }
        }
    }
}
