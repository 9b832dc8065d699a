//! Endpoints `/api/openapi.json` and `/api/docs`.

use super::DOCUMENT;
use crate::auth::Open;
use crate::http::header::ACCEPT_ENCODING;
use crate::http::{GET, Route, endpoint, packed, page};

const PAGE: &str = include_str!("page.html");

/// All endpoints of this feature.
pub fn routes() -> Vec<Route> {
    vec![
        endpoint(GET, "/api/openapi.json").access::<Open>().doc("This document").response(200).handle(
            &(),
            |(), call| async move {
                Ok(packed("application/json", DOCUMENT, call.request.header(ACCEPT_ENCODING)))
            },
        ),
        endpoint(GET, "/api/docs")
            .access::<Open>()
            .doc("A page that reads this document")
            .response(200)
            .handle(&(), |(), _call| async { Ok(page(PAGE)) }),
    ]
}
