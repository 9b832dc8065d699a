//! `/api/live`.

use super::socket::LiveClient;
use super::{Live, socket};
use crate::auth::SocketCaller;
use crate::http::{Access, Doc, Filter, GET, Route, Upgrade, raw, route, socket_caller, upgrade, with};

/// All endpoints of this feature.
pub fn routes(live: &Live) -> Vec<Route> {
    vec![open(live)]
}

fn open(live: &Live) -> Route {
    route(
        GET,
        "/api/live",
        Access::Socket,
        Doc::new(
            "A WebSocket on which servers, nodes, consoles and stats are followed; by cookie its first message has to \
             have the sessionKey",
        )
            .plain(101)
            .refusals(&[400, 403, 426, 429]),
        with(live)
            .and(socket_caller())
            .and(upgrade())
            .map(|live: Live, caller: SocketCaller, upgrade: Upgrade| {
                let guest = match caller {
                    SocketCaller::Known(caller) => {
                        LiveClient::Known(live.slots.take(caller.user_id(), caller.is_admin())?, caller)
                    }
                    SocketCaller::Unproven(cookies) => LiveClient::Unproven(live.pending.enter(), cookies),
                };
                let tasks = live.tasks.clone();
                Ok(upgrade.accept(&tasks, "live", socket::MAX_MESSAGE, None, move |socket| {
                    socket::speak(socket, live, guest)
                }))
            })
            .map(raw),
    )
}
