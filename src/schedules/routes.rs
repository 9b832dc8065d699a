//! `/api/servers/{id}/schedules`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{SchedulePlan, ScheduleTriggerView};
use super::views::{ScheduleRunView, ScheduleView, SchedulesView};
use super::{Schedules, preview};
use crate::auth::{Permit, need};
use crate::http::{DELETE, GET, POST, PUT, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(schedules: &Schedules) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/schedules")
            .access::<Permit<need::Schedules>>()
            .doc("A server's schedules, which its node runs also while the panel is away")
            .ok::<SchedulesView>()
            .handle(schedules, |schedules, call| async move { schedules.list(&call.by) }),
        endpoint(POST, "/api/servers/{id}/schedules")
            .access::<Permit<need::Schedules>>()
            .doc("Adds a schedule. It may do nothing that the caller may not do")
            .body::<SchedulePlan>()
            .created::<ScheduleView>()
            .refusals(&[409, 422, 503, 507])
            .handle(schedules, |schedules, call| async move { schedules.add(&call.by, call.body).await }),
        endpoint(PUT, "/api/servers/{id}/schedules/{schedule}")
            .access::<Permit<need::Schedules>>()
            .doc("Replaces a schedule; a run that is going on is finished as it was")
            .body::<SchedulePlan>()
            .ok::<ScheduleView>()
            .refusals(&[404, 409, 422, 503, 507])
            .handle(schedules, |schedules, call| async move {
                schedules.replace(&call.by, call.request.param("schedule"), call.body).await
            }),
        endpoint(DELETE, "/api/servers/{id}/schedules/{schedule}")
            .access::<Permit<need::Schedules>>()
            .doc("Deletes a schedule; a run that is going on is finished")
            .no_content()
            .refusals(&[404, 409, 503])
            .handle(schedules, |schedules, call| async move {
                schedules.remove(&call.by, call.request.param("schedule")).await
            }),
        endpoint(POST, "/api/servers/{id}/schedules/{schedule}/run")
            .access::<Permit<need::Schedules>>()
            .doc("Runs a schedule now, or only tells whether it would run; what came of it is in its history")
            .body::<ScheduleRunRequest>()
            .no_content()
            .refusals(&[404, 409, 503])
            .handle(schedules, |schedules, call| async move {
                schedules.run(&call.by, call.request.param("schedule"), call.body.dry).await
            }),
        endpoint(GET, "/api/servers/{id}/schedule-runs")
            .access::<Permit<need::Schedules>>()
            .doc("The last runs of a server's schedules, the newest first; at most 50")
            .list::<ScheduleRunView>()
            .refusals(&[503])
            .handle(schedules, |schedules, call| async move { schedules.runs(&call.by).await }),
        endpoint(POST, "/api/servers/{id}/schedule-preview")
            .access::<Permit<need::Schedules>>()
            .doc("When a schedule with this trigger would run next; changes nothing")
            .body::<SchedulePreviewRequest>()
            .ok::<SchedulePreview>()
            .refusals(&[422])
            .handle(schedules, |_, call| async move {
                Ok(SchedulePreview { next_runs: preview(call.body.trigger)? })
            }),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleRunRequest {
    /// Whether only its conditions are checked, and nothing is done.
    #[serde(default)]
    dry: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SchedulePreviewRequest {
    /// When it would run.
    trigger: ScheduleTriggerView,
}

/// When a schedule would run next.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SchedulePreview {
    /// At most five times; none if it does not depend on the time.
    next_runs: Vec<String>,
}
