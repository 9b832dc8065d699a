//! `/api/doctor`.

use super::Doctor;
use super::views::{Last, Report};
use crate::auth::Admin;
use crate::http::{Access, Doc, Filter, GET, POST, Route, admin, ok, route, with};

/// All endpoints of this feature.
pub fn routes(doctor: &Doctor) -> Vec<Route> {
    vec![last(doctor), run(doctor)]
}

fn last(doctor: &Doctor) -> Route {
    route(
        GET,
        "/api/doctor",
        Access::Admin,
        Doc::new("The last check-up of the panel's machine, if there was one").answer::<Last>(200),
        with(doctor)
            .and(admin())
            .then(|doctor: Doctor, admin: Admin| async move {
                doctor.last(&admin).await.map(|report| Last { report })
            })
            .map(ok),
    )
}

fn run(doctor: &Doctor) -> Route {
    route(
        POST,
        "/api/doctor",
        Access::Admin,
        Doc::new("Looks for what is wrong with the panel and its machine; takes up to 15 s, one at a time")
            .answer::<Report>(200)
            .refusals(&[409, 503]),
        with(doctor)
            .and(admin())
            .then(|doctor: Doctor, admin: Admin| async move { doctor.run(&admin).await })
            .map(ok),
    )
}
