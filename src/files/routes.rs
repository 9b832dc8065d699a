//! `/api/servers/{id}/files`.

use super::body::{
    ArchiveRequest, ChmodRequest, CopyRequest, DeleteRequest, EmptyTrashRequest, ExtractRequest, ListQuery,
    MkdirRequest, PathQuery, PullRequest, RenameRequest, RestoreRequest, SearchRequest, UsageQuery,
};
use super::views::{EntryView, JobView, MatchesView, TrashView, UsageView, VersionView};
use super::{Files, download_routes, upload_routes};
use crate::auth::{Permit, need};
use crate::http::header::{HeaderName, HeaderValue};
use crate::http::{DELETE, GET, POST, Route, endpoint, tagged};

/// How many entries a folder has.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// All endpoints of this feature.
pub fn routes(files: &Files) -> Vec<Route> {
    let mut routes = reading(files);
    routes.extend(changing(files));
    routes.extend(long(files));
    routes.extend(trash(files));
    routes.extend(download_routes::routes(files));
    routes.extend(upload_routes::routes(files));
    routes
}

/// What only looks.
fn reading(files: &Files) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/files")
            .access::<Permit<need::FilesRead>>()
            .doc("A folder's entries by name, in the order of bytes; the header X-Total-Count says how many it has, and ETag changes when some come or go (asked for by `limit`, without `after`). More than 200,000 come only in parts")
            .query::<ListQuery>()
            .list::<EntryView>()
            .with_headers()
            .refusals(&[400, 409, 413, 422, 503])
            .handle(files, |files, call| async move {
                let query = call.query;
                let found = files.list(&call.by, query).await?;
                let mut headers = found.etag.as_deref().map(tagged).unwrap_or_default();
                headers.extend(found.total.map(|total| (TOTAL, HeaderValue::from(total))));
                Ok((found.entries, headers))
            }),
        endpoint(GET, "/api/servers/{id}/files/versions")
            .access::<Permit<need::FilesRead>>()
            .doc("What a file was before it was written here, the newest first")
            .query::<PathQuery>()
            .list::<VersionView>()
            .refusals(&[400, 409, 422, 503])
            .handle(files, |files, call| async move { files.versions(&call.by, &call.query.path).await }),
        endpoint(POST, "/api/servers/{id}/files/search")
            .access::<Permit<need::FilesRead>>()
            .doc("Looks for files by name, by content or by both, for 30 s at most")
            .body::<SearchRequest>()
            .ok::<MatchesView>()
            .refusals(&[409, 503])
            .handle(files, |files, call| async move { files.search(&call.by, call.body).await }),
        endpoint(GET, "/api/servers/{id}/files/usage")
            .access::<Permit<need::FilesRead>>()
            .doc("How much room the files take, and which take most; with `refresh` they are counted again")
            .query::<UsageQuery>()
            .ok::<UsageView>()
            .refusals(&[409, 422, 503])
            .handle(files, |files, call| async move { files.usage(&call.by, call.query.refresh).await }),
        endpoint(GET, "/api/servers/{id}/files/jobs")
            .access::<Permit<need::FilesRead>>()
            .doc("The work on files that goes on, and the last that has ended: 20 in all. Forgotten when the panel stops")
            .list::<JobView>()
            .handle(files, |files, call| async move { Ok(files.jobs(&call.by)) }),
    ]
}

/// What is done at once.
fn changing(files: &Files) -> Vec<Route> {
    vec![
        endpoint(POST, "/api/servers/{id}/files/mkdir")
            .access::<Permit<need::Files>>()
            .doc("Makes a folder, with those above it")
            .body::<MkdirRequest>()
            .no_content()
            .refusals(&[409, 413, 503, 507])
            .handle(files, |files, call| async move { files.mkdir(&call.by, &call.body.path).await }),
        endpoint(POST, "/api/servers/{id}/files/rename")
            .access::<Permit<need::Files>>()
            .doc("Gives a file or folder another name or place")
            .body::<RenameRequest>()
            .no_content()
            .refusals(&[409, 503, 507])
            .handle(files, |files, call| async move {
                files.rename(&call.by, &call.body.path, &call.body.to, call.body.replace).await
            }),
        endpoint(POST, "/api/servers/{id}/files/chmod")
            .access::<Permit<need::Files>>()
            .doc("Changes permission bits; never those that change who a program runs as")
            .body::<ChmodRequest>()
            .no_content()
            .refusals(&[409, 503])
            .handle(files, |files, call| async move {
                files.chmod(&call.by, &call.body.path, &call.body.mode, call.body.recursive).await
            }),
        endpoint(DELETE, "/api/servers/{id}/files/jobs/{job}")
            .access::<Permit<need::Files>>()
            .doc("Calls work on files off")
            .no_content()
            .refusals(&[409])
            .handle(
                files,
                |files, call| async move { files.cancel_job(&call.by, call.request.param("job")) },
            ),
    ]
}

/// What may take longer: 200 where it ended within 25 s, else 202 while it goes on.
fn long(files: &Files) -> Vec<Route> {
    vec![
        endpoint(POST, "/api/servers/{id}/files/copy")
            .access::<Permit<need::Files>>()
            .doc("Copies a file or folder; 202 where it goes on after 25 s")
            .body::<CopyRequest>()
            .ok_or_accepted::<JobView>()
            .refusals(&[409, 413, 503, 507])
            .handle(files, |files, call| async move {
                files.copy(&call.by, &call.body.path, &call.body.to, call.body.background).await
            }),
        endpoint(POST, "/api/servers/{id}/files/delete")
            .access::<Permit<need::Files>>()
            .doc("Moves files and folders to the trash, or deletes them for good; 202 where it goes on after 25 s")
            .body::<DeleteRequest>()
            .ok_or_accepted::<JobView>()
            .refusals(&[409, 503, 507])
            .handle(files, |files, call| async move {
                files.delete(&call.by, &call.body.paths, call.body.permanent, call.body.background).await
            }),
        endpoint(POST, "/api/servers/{id}/files/archive")
            .access::<Permit<need::Files>>()
            .doc("Packs files and folders; 202 where it goes on after 25 s")
            .body::<ArchiveRequest>()
            .ok_or_accepted::<JobView>()
            .refusals(&[409, 413, 503, 507])
            .handle(files, |files, call| async move {
                files.archive(&call.by, &call.body.paths, &call.body.to, call.body.background).await
            }),
        endpoint(POST, "/api/servers/{id}/files/extract")
            .access::<Permit<need::Files>>()
            .doc("Unpacks an archive; 202 where it goes on after 25 s")
            .body::<ExtractRequest>()
            .ok_or_accepted::<JobView>()
            .refusals(&[409, 413, 503, 507])
            .handle(files, |files, call| async move {
                files.extract(&call.by, &call.body.path, &call.body.to, call.body.background).await
            }),
        endpoint(POST, "/api/servers/{id}/files/pull")
            .access::<Permit<need::Files>>()
            .doc("Fetches what a link names, from public addresses only; 202 where it goes on after 25 s")
            .body::<PullRequest>()
            .ok_or_accepted::<JobView>()
            .refusals(&[409, 413, 503, 507])
            .handle(files, |files, call| async move {
                files.pull(&call.by, call.body.url, &call.body.to, call.body.background).await
            }),
    ]
}

/// What was deleted.
fn trash(files: &Files) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/files/trash")
            .access::<Permit<need::FilesRead>>()
            .doc("What was deleted and can be put back, the newest first")
            .list::<TrashView>()
            .refusals(&[409, 503])
            .handle(files, |files, call| async move { files.trash(&call.by).await }),
        endpoint(POST, "/api/servers/{id}/files/trash/restore")
            .access::<Permit<need::Files>>()
            .doc("Puts what was deleted back where it was")
            .body::<RestoreRequest>()
            .ok_or_accepted::<JobView>()
            .refusals(&[409, 503, 507])
            .handle(files, |files, call| async move { files.restore(&call.by, call.body.ids).await }),
        endpoint(POST, "/api/servers/{id}/files/trash/empty")
            .access::<Permit<need::Files>>()
            .doc("Removes what was deleted for good, all of it or some")
            .body::<EmptyTrashRequest>()
            .ok_or_accepted::<JobView>()
            .refusals(&[409, 503])
            .handle(files, |files, call| async move { files.empty_trash(&call.by, call.body.ids).await }),
    ]
}
