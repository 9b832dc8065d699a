//! `/api/servers/{id}/backup-policy`.

use super::views::{PolicyBody, PolicyView, PreviewBody};
use crate::auth::{Permit, need};
use crate::backups::{BackupView, Backups};
use crate::http::header::HeaderMap;
use crate::http::{GET, POST, PUT, Route, endpoint, tagged};

/// All endpoints of policies.
pub(in crate::backups) fn routes(backups: &Backups) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/backup-policy")
            .access::<Permit<need::Backups>>()
            .doc("How a server is backed up by itself, when the next backup is due, and what went wrong with the last one")
            .ok::<PolicyView>()
            .with_headers()
            .handle(backups, |backups, call| async move { backups.policy(&call.by).map(with_tag) }),
        endpoint(PUT, "/api/servers/{id}/backup-policy")
            .access::<Permit<need::Backups>>()
            .doc("Says how a server is backed up by itself")
            .body::<PolicyBody>()
            .conditional()
            .ok::<PolicyView>()
            .with_headers()
            .refusals(&[507])
            .handle(backups, |backups, call| async move {
                let expected = call.request.expected()?;
                backups.set_policy(&call.by, call.body, expected).await.map(with_tag)
            }),
        endpoint(POST, "/api/servers/{id}/backup-policy/preview")
            .access::<Permit<need::Backups>>()
            .doc("Which backups would be deleted after the next scheduled one if these were the rules. Changes nothing")
            .body::<PreviewBody>()
            .list::<BackupView>()
            .handle(backups, |backups, call| async move {
                backups.policy_preview(&call.by, &call.body.keep.checked()?)
            }),
    ]
}

pub(in crate::backups) fn with_tag(view: PolicyView) -> (PolicyView, HeaderMap) {
    let headers = tagged(&view.revision);
    (view, headers)
}
