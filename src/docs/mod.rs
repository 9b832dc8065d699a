//! The API's own description: the OpenAPI document, and a page that reads it.

mod routes;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

pub use routes::routes;

use crate::http::{Route, document};

/// The document, once all routes are known. Cheap to clone.
#[derive(Clone, Default)]
pub struct Docs(Arc<OnceLock<Bytes>>);

impl Docs {
    /// Writes the document from the whole list.
    pub fn describe(&self, routes: &[Route]) {
        let text = serde_json::to_vec_pretty(&document(routes)).unwrap_or_default();
        // The list is put together once.
        let _ = self.0.set(text.into());
    }

    fn text(&self) -> Bytes {
        self.0.get().cloned().unwrap_or_default()
    }
}
