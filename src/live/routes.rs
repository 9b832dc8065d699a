//! `/api/live`.

use super::{Live, socket};
use crate::auth::Caller;
use crate::http::{Access, Doc, Filter, GET, Route, Upgrade, caller, raw, route, upgrade, with};

/// All endpoints of this feature.
pub fn routes(live: &Live) -> Vec<Route> {
    vec![open(live)]
}

fn open(live: &Live) -> Route {
    route(
        GET,
        "/api/live",
        Access::Socket,
        Doc::new("A WebSocket on which servers, nodes, consoles and stats are followed")
            .plain(101)
            .refusals(&[400, 403, 426, 429]),
        with(live)
            .and(caller())
            .and(upgrade())
            .map(|live: Live, caller: Caller, upgrade: Upgrade| {
                let slot = live.slots.take(caller.user_id(), caller.is_admin())?;
                let tasks = live.tasks.clone();
                Ok(upgrade.accept(&tasks, "live", socket::MAX_MESSAGE, None, move |socket| {
                    socket::speak(socket, live, caller, slot)
                }))
            })
            .map(raw),
    )
}
