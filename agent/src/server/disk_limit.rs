//! Enforces a server's disk limit, which the game does not know: a warning near the limit, and above it a clean stop or, as
//! its settings say, another warning.

use protocol::PowerAction;

use super::life_cycle::Request;
use super::state::Server;
use crate::stats::size;

/// Percentage of the limit at which the warning is shown …
const NEAR: u64 = 90;
/// … and below which it is cleared.
const FAR: u64 = 85;

impl Server {
    /// Disk limit in bytes; 0 for unlimited.
    pub(super) fn disk_limit(&self) -> u64 {
        u64::try_from(self.record.file.spec.limits.disk).unwrap_or(0)
    }

    /// Takes a new measurement of the server's files: warns or stops the server if needed.
    pub(super) fn disk_used(&mut self, bytes: u64) {
        let limit = self.disk_limit();
        let runs = self.runs.live().is_some() && !self.life_cycle.is_stopping();
        if limit == 0 || !runs {
            return;
        }
        let of_it = format!("{} of the {} that they may take", size(bytes), size(limit));
        let stops =
            self.record.file.spec.behaviour.as_ref().is_none_or(|behaviour| behaviour.stop_at_disk_limit);
        if bytes > limit && stops {
            let why = format!("Its files take {of_it}.");
            let request = Request::Power(PowerAction::Stop);
            let mut life_cycle = self.life_cycle.clone();
            let Ok(act) = life_cycle.ask(&request) else { return };
            self.output.console.system(&format!("{why} The server is stopped."));
            tracing::warn!(server = %self.id, bytes, limit, "stopped for the limit of its disk");
            self.life_cycle = life_cycle;
            self.shown.disk_limit.stopped = Some(format!("It was stopped for the limit of its disk. {why}"));
            self.keep_wish(&request);
            self.act(act);
            self.publish();
            return;
        }
        let part = |of: u64| u128::from(bytes) * 100 >= u128::from(limit) * u128::from(of);
        let warned = self.shown.disk_limit.warned;
        let past = bytes > limit;
        if past && !self.shown.disk_limit.past || part(NEAR) && !warned {
            let then = match (stops, past) {
                (true, _) => "past that the server is stopped",
                (false, false) => "past that nothing can be uploaded",
                (false, true) => "nothing can be uploaded until there is room",
            };
            let why = format!("Its files take {of_it}: {then}.");
            self.output.console.system(&why);
            self.shown.outcome.error = Some(why);
            self.shown.disk_limit.warned = true;
            self.shown.disk_limit.past = past;
            self.publish();
        } else if !part(FAR) && warned {
            self.shown.outcome.error = None;
            self.shown.disk_limit.warned = false;
            self.shown.disk_limit.past = false;
            self.publish();
        }
    }
}
