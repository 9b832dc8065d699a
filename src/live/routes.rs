//! `/api/live`.

use super::socket::LiveClient;
use super::{Live, socket};
use crate::auth::SocketCaller;
use crate::http::{GET, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(live: &Live) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/live")
            .access::<SocketCaller>()
            .doc(
                "A WebSocket on which servers, nodes, consoles and stats are followed; by cookie its first message has to \
                 have the sessionKey",
            )
            .response(101)
            .extension("x-topics", || {
                live.topics.iter().map(|topic| (topic.name().to_owned(), serde_json::Value::from(topic.access().to_string()))).collect()
            })
            .refusals(&[400, 403, 426, 429])
            .handle(live, |live, call| async move {
                let upgrade = call.request.upgrade()?;
                let client = match call.by {
                    SocketCaller::Known(caller) => {
                        LiveClient::Known(live.slots.take(caller.user_id(), caller.is_admin())?, caller)
                    }
                    SocketCaller::Unproven(cookies) => LiveClient::Unproven(live.pending.enter(), cookies),
                };
                let tasks = live.tasks.clone();
                Ok(upgrade.accept(&tasks, "live", socket::MAX_MESSAGE, None, move |socket| {
                    socket::speak(socket, live, client)
                }))
            }),
    ]
}
