//! Uploads by tus 1.0: answers carry its version, also where they are errors.

use super::{Files, uploads};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use crate::http::{
    DELETE, HEAD, Incoming, OPTIONS, PATCH, POST, Response, Route, StatusCode, empty, endpoint, error,
};

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
/// The type of a piece.
const PATCH_TYPE: &str = "application/offset+octet-stream";

pub(super) fn routes(files: &Files) -> Vec<Route> {
    vec![
        endpoint(OPTIONS, "/api/servers/{id}/files/uploads")
            .access::<Permit<need::Files>>()
            .doc("What of tus is understood")
            .response(204)
            .handle(files, |_, _| async move { Ok(tus(Ok(abilities()))) }),
        endpoint(POST, "/api/servers/{id}/files/uploads")
            .access::<Permit<need::Files>>()
            .doc("Begins an upload by tus: `Upload-Length` is its size, `Upload-Metadata` has `path`, and `replace` where a file may be replaced, both in Base64. What is not finished goes after a day")
            .response(201)
            .refusals(&[400, 409, 412, 413, 422, 503, 507])
            .handle(files, |files, call| async move {
                let begun = async {
                    speaks(&call.request)?;
                    let (length, metadata) = (call.request.header(LENGTH), call.request.header(METADATA));
                    let upload = files.create_upload(&call.by, length, metadata).await?;
                    let place = format!("/api/servers/{}/files/uploads/{upload}", call.by.server_id());
                    let mut response = empty(StatusCode::CREATED);
                    let place = HeaderValue::from_str(&place);
                    response.headers_mut().extend(place.ok().map(|place| (LOCATION, place)));
                    Ok(response)
                };
                Ok(tus(begun.await))
            }),
        endpoint(HEAD, "/api/servers/{id}/files/uploads/{upload}")
            .access::<Permit<need::Files>>()
            .doc("How much of an upload is there: `Upload-Offset`")
            .response(200)
            .refusals(&[412, 503])
            .handle(files, |files, call| async move {
                let found = async {
                    speaks(&call.request)?;
                    let info = files.upload(&call.by, call.request.param("upload")).await?;
                    let mut response = empty(StatusCode::OK);
                    response.headers_mut().insert(OFFSET, HeaderValue::from(info.offset));
                    response.headers_mut().insert(LENGTH, HeaderValue::from(info.size));
                    Ok(response)
                };
                Ok(tus(found.await))
            }),
        endpoint(PATCH, "/api/servers/{id}/files/uploads/{upload}")
            .access::<Permit<need::Files>>()
            .doc("The next piece of an upload, from `Upload-Offset` on. With the last one the file gets its place")
            .streamed()
            .response(204)
            .refusals(&[409, 412, 415, 429, 503, 507])
            .handle(files, |files, mut call| async move {
                let taken = async {
                    speaks(&call.request)?;
                    if call.request.header(CONTENT_TYPE) != Some(PATCH_TYPE) {
                        let sentence = format!("A piece has the type {PATCH_TYPE}.");
                        return Err(ApiError::new(Code::UnsupportedMediaType, sentence));
                    }
                    let (id, offset) = (call.request.param("upload"), call.request.header(OFFSET));
                    let offset = files.resume_upload(&call.by, id, offset, &mut call.body).await?;
                    let mut response = empty(StatusCode::NO_CONTENT);
                    response.headers_mut().insert(OFFSET, HeaderValue::from(offset));
                    Ok(response)
                };
                let taken = taken.await;
                if let Err(error) = &taken {
                    call.body.drain(error).await;
                }
                Ok(tus(taken))
            }),
        endpoint(DELETE, "/api/servers/{id}/files/uploads/{upload}")
            .access::<Permit<need::Files>>()
            .doc("Gives an upload up")
            .response(204)
            .refusals(&[412, 503])
            .handle(files, |files, call| async move {
                let removed = async {
                    speaks(&call.request)?;
                    files.remove_upload(&call.by, call.request.param("upload")).await?;
                    Ok(empty(StatusCode::NO_CONTENT))
                };
                Ok(tus(removed.await))
            }),
    ]
}

/// The client has to speak our version: 412.
fn speaks(request: &Incoming) -> Result<(), ApiError> {
    if request.header(RESUMABLE) == Some(uploads::VERSION) {
        return Ok(());
    }
    let sentence = format!("Uploads speak tus {}: the header Tus-Resumable has to say so.", uploads::VERSION);
    Err(ApiError::new(Code::PreconditionFailed, sentence))
}

fn tus(result: Result<Response, ApiError>) -> Response {
    let mut response = result.unwrap_or_else(|problem| error(&problem));
    response.headers_mut().insert(RESUMABLE, HeaderValue::from_static(uploads::VERSION));
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert(TUS_VERSION, HeaderValue::from_static(uploads::VERSION));
    }
    response
}

fn abilities() -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().extend(HeaderMap::from_iter([
        (TUS_VERSION, HeaderValue::from_static(uploads::VERSION)),
        (EXTENSION, HeaderValue::from_static("creation,termination")),
        (MAX_SIZE, HeaderValue::from(uploads::MOST)),
    ]));
    response
}
