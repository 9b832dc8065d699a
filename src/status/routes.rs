//! `/health` and `/api/status`.

use super::Status;
use super::views::{Health, StatusView, VERSION};
use crate::auth::Caller;
use crate::http::{Access, Doc, Filter, GET, Route, any, caller, ok, route, with};

/// All endpoints of this feature.
pub fn routes(status: &Status) -> Vec<Route> {
    vec![health(), banner(status)]
}

fn health() -> Route {
    route(
        GET,
        "/health",
        Access::Open,
        Doc::new("Whether the panel answers").answer::<Health>(200),
        any().map(|| ok(Ok(Health { status: "ok", version: VERSION }))),
    )
}

fn banner(status: &Status) -> Route {
    route(
        GET,
        "/api/status",
        Access::SignedIn,
        Doc::new("How the panel does, and for administrators what is wrong").answer::<StatusView>(200),
        with(status)
            .and(caller())
            .map(|status: Status, caller: Caller| ok(Ok(status.view(caller.is_admin())))),
    )
}
