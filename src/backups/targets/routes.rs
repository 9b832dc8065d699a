//! `/api/backup-targets`, and the emergency kits.

use super::body::{ChangeTarget, NewTarget, TestTarget};
use super::views::{RepositoryView, TargetView, TestView};
use crate::auth::Admin;
use crate::backups::Backups;
use crate::http::header::{CONTENT_DISPOSITION, HeaderValue};
use crate::http::{DELETE, GET, PATCH, POST, Response, Route, StatusCode, bytes_of, endpoint};

/// All endpoints of targets.
pub(in crate::backups) fn routes(backups: &Backups) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/backup-targets")
            .access::<Admin>()
            .doc("Lists the places where backups are kept beside the nodes' data folders, without their secrets")
            .list::<TargetView>()
            .handle(backups, |backups, _call| async move { backups.targets() }),
        endpoint(POST, "/api/backup-targets")
            .access::<Admin>()
            .doc("Adds a backup target. Its secrets are never given out again, but in its emergency kit")
            .body::<NewTarget>()
            .created::<TargetView>()
            .refusals(&[404, 409, 503, 507])
            .handle(backups, |backups, call| async move { backups.add_target(&call.by, call.body).await }),
        endpoint(POST, "/api/backup-targets/test")
            .access::<Admin>()
            .doc("Has a node try a backup target, new or kept: it writes there, reads that and deletes it. Answers when it is done, after 90 seconds at most")
            .body::<TestTarget>()
            .ok::<TestView>()
            .refusals(&[404, 409, 503])
            .handle(backups, |backups, call| async move { backups.test_target(call.body).await }),
        endpoint(GET, "/api/backup-targets/{id}")
            .access::<Admin>()
            .doc("One backup target")
            .ok::<TargetView>()
            .refusals(&[404])
            .handle(backups, |backups, call| async move { backups.target_view(call.request.id()) }),
        endpoint(PATCH, "/api/backup-targets/{id}")
            .access::<Admin>()
            .doc("Changes a backup target; left-out keys stay")
            .body::<ChangeTarget>()
            .ok::<TargetView>()
            .refusals(&[404, 507])
            .handle(backups, |backups, call| async move {
                backups.change_target(&call.by, call.request.id(), call.body).await
            }),
        endpoint(DELETE, "/api/backup-targets/{id}")
            .access::<Admin>()
            .doc("Forgets a backup target where no backup lies and that no server uses")
            .no_content()
            .refusals(&[404, 409, 507])
            .handle(backups, |backups, call| async move {
                backups.remove_target(&call.by, call.request.id()).await
            }),
        endpoint(POST, "/api/backup-targets/{id}/check")
            .access::<Admin>()
            .doc("Has the repositories at a backup target checked now, each by one node: all its indexes and folders, and the data of a tenth of it, another part each time. After it the space of deleted backups is freed")
            .accepted::<TargetView>()
            .refusals(&[404, 409, 507])
            .handle(backups, |backups, call| async move {
                backups.check_target(&call.by, call.request.id()).await
            }),
        endpoint(GET, "/api/nodes/{id}/backup-repository")
            .access::<Admin>()
            .doc("The repository in a node's own data folder. 404 before the first backup")
            .ok::<RepositoryView>()
            .refusals(&[404])
            .handle(backups, |backups, call| async move {
                backups.node_repository(&call.request.id().into())
            }),
        endpoint(POST, "/api/nodes/{id}/backup-repository/check")
            .access::<Admin>()
            .doc("Has the repository in a node's own data folder checked now")
            .accepted::<RepositoryView>()
            .refusals(&[404, 409, 507])
            .handle(backups, |backups, call| async move {
                backups.check_node(&call.by, &call.request.id().into()).await
            }),
        endpoint(GET, "/api/backup-targets/{id}/kit")
            .access::<Admin>()
            .doc("The emergency kit as a text file: with it, restic reads the backups without the panel. It holds all secrets")
            .secret()
            .response(200)
            .refusals(&[404, 507])
            .handle(backups, |backups, call| async move {
                backups.target_kit(&call.by, call.request.id()).await.map(file)
            }),
        endpoint(GET, "/api/nodes/{id}/backup-kit")
            .access::<Admin>()
            .doc("The emergency kit of the backups in a node's own data folder, as a text file")
            .secret()
            .response(200)
            .refusals(&[404, 507])
            .handle(backups, |backups, call| async move {
                backups.node_kit(&call.by, &call.request.id().into()).await.map(file)
            }),
    ]
}

fn file(text: String) -> Response {
    let mut response = bytes_of(StatusCode::OK, "text/plain; charset=utf-8", text.into_bytes());
    let name = HeaderValue::from_static("attachment; filename=\"emergency-kit.txt\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    response
}
