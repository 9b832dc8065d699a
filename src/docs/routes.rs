//! `/api/openapi.json` and `/api/docs`.

use super::DOCUMENT;
use crate::http::{Access, Doc, Filter, GET, Route, any, header, packed, page, route};

const PAGE: &str = include_str!("page.html");

/// All endpoints of this feature.
pub fn routes() -> Vec<Route> {
    vec![
        route(
            GET,
            "/api/openapi.json",
            Access::Open,
            Doc::new("This document").plain(200),
            header("accept-encoding")
                .map(|takes: Option<String>| packed("application/json", DOCUMENT, takes.as_deref())),
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
