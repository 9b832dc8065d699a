//! Endpoints `/health` and `/api/status`.

use super::Status;
use super::views::{Health, StatusView, VERSION};
use crate::auth::{Actor, Open};
use crate::http::{GET, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(status: &Status) -> Vec<Route> {
    vec![
        endpoint(GET, "/health")
            .access::<Open>()
            .doc("Whether the panel answers")
            .ok::<Health>()
            .handle(&(), |(), _call| async { Ok(Health { status: "ok", version: VERSION }) }),
        endpoint(GET, "/api/status")
            .access::<Actor>()
            .doc("How the panel is, and for administrators what is wrong")
            .ok::<StatusView>()
            .handle(status, |status, call| async move { Ok(status.view(call.by.is_admin())) }),
    ]
}
