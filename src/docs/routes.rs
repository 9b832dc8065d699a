//! `/api/openapi.json` and `/api/docs`.

use super::Docs;
use crate::http::{Access, Doc, Filter, GET, Route, StatusCode, any, bytes_of, page, route, with};

const PAGE: &str = include_str!("page.html");

/// All endpoints of this feature.
pub fn routes(docs: &Docs) -> Vec<Route> {
    vec![
        route(
            GET,
            "/api/openapi.json",
            Access::Open,
            Doc::new("This document").plain(200),
            with(docs).map(|docs: Docs| bytes_of(StatusCode::OK, "application/json", docs.text())),
        ),
        route(
            GET,
            "/api/docs",
            Access::Open,
            Doc::new("A page that reads this document").plain(200),
            any().map(|| page(PAGE)),
        ),
    ]
}
