//! `/api/doctor`.

use super::Doctor;
use super::views::{Last, Report};
use crate::auth::Admin;
use crate::http::{GET, POST, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(doctor: &Doctor) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/doctor")
            .access::<Admin>()
            .doc("The last check-up of the panel's machine, if there was one")
            .ok::<Last>()
            .handle(doctor, |doctor, call| async move {
                doctor.last(&call.by).await.map(|report| Last { report })
            }),
        endpoint(POST, "/api/doctor")
            .access::<Admin>()
            .doc("Looks for what is wrong with the panel and its machine; takes up to 15 s, one at a time")
            .ok::<Report>()
            .refusals(&[409, 503])
            .handle(doctor, |doctor, call| async move { doctor.run(&call.by).await }),
    ]
}
