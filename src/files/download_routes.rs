//! The content of files, and links for browsers.

use super::body::{DownloadRequest, PathQuery, WriteQuery};
use super::content::Wish;
use super::views::DownloadView;
use super::{Files, responses};
use crate::auth::{Open, Permit, need};
use crate::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use crate::http::{GET, Incoming, POST, PUT, Route, StatusCode, empty, endpoint, tagged};

pub(super) fn routes(files: &Files) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/files/content")
            .access::<Permit<need::FilesRead>>()
            .doc("The bytes of a file, or a part of them by `Range`")
            .query::<PathQuery>()
            .response(200)
            .refusals(&[400, 409, 416, 422, 429, 503])
            .handle(files, |files, call| async move {
                let wish = wish(&call.request);
                files.content(&call.by, &call.query.path, wish).await.map(responses::file)
            }),
        endpoint(PUT, "/api/servers/{id}/files/content")
            .access::<Permit<need::Files>>()
            .doc("Writes a file, whole or not at all; folders above it are made. What a text was before is kept as a version")
            .query::<WriteQuery>()
            .streamed()
            .conditional()
            .response(204)
            .refusals(&[409, 413, 429, 503, 507])
            .handle(files, |files, mut call| async move {
                let written = async {
                    let (query, expected) = (&call.query, call.request.expected()?);
                    files.write(&call.by, &query.path, query.keep_version, expected, &mut call.body).await
                };
                match written.await {
                    Ok(etag) => {
                        let mut response = empty(StatusCode::NO_CONTENT);
                        response.headers_mut().extend(tagged(&etag));
                        Ok(response)
                    }
                    Err(error) => {
                        call.body.drain(&error).await;
                        Err(error)
                    }
                }
            }),
        endpoint(GET, "/api/servers/{id}/files/versions/{version}")
            .access::<Permit<need::FilesRead>>()
            .doc("The bytes of what a file was before")
            .query::<PathQuery>()
            .response(200)
            .refusals(&[400, 409, 422, 429, 503])
            .handle(files, |files, call| async move {
                let version = call.request.param("version");
                files.version(&call.by, &call.query.path, version).await.map(responses::file)
            }),
        endpoint(POST, "/api/servers/{id}/files/downloads")
            .access::<Permit<need::FilesRead>>()
            .doc("A link to a file, or to an archive of files and folders that is made on the way. It is good once, for a minute")
            .secret()
            .body::<DownloadRequest>()
            .created::<DownloadView>()
            .refusals(&[409, 429, 503])
            .handle(files, |files, call| async move { files.link(&call.by, call.body).await }),
        endpoint(GET, "/api/downloads/{ticket}")
            .access::<Open>()
            .doc("What a download link leads to")
            .response(200)
            .refusals(&[401, 404, 409, 429, 503])
            .handle(files, |files, call| async move {
                files.redeem(call.request.param("ticket")).await.map(responses::file)
            }),
    ]
}

fn wish(request: &Incoming) -> Wish {
    let header = |name| request.header(name).map(str::to_owned);
    Wish {
        range: header(RANGE),
        if_range: header(IF_RANGE),
        if_none_match: header(IF_NONE_MATCH),
        head: request.is_head(),
    }
}
