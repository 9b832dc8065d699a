//! API documentation: the OpenAPI document, and a page that displays it.
//!
//! The document is `web/openapi.json`. The test below generates it from the routes and fails if it is out of date.

mod routes;

pub use routes::routes;

/// The OpenAPI document, compressed by `build.rs`.
static DOCUMENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::config::Config;
    use crate::http::{clashes, document};

    const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/openapi.json");

    #[tokio::test(flavor = "multi_thread")]
    async fn openapi_is_what_the_handlers_say() {
        let folder = tempfile::tempdir().unwrap();
        let running = crate::run(Config::for_tests(folder.path())).await.unwrap();
        let clashes = clashes(&running.routes());
        assert!(clashes.is_empty(), "two types of one name, see `#[schema(as = …)]`: {clashes:?}");
        // Through a `Value`, which sorts its keys.
        let document = serde_json::to_value(document(&running.routes())).unwrap();
        running.stop(Duration::from_secs(10)).await;
        let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(CHECKED_IN, text).unwrap();
            return;
        }
        let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
        assert!(
            text == checked_in,
            "web/openapi.json differs from the handlers: UPDATE=1 cargo test --workspace --lib openapi rewrites it"
        );
    }
}
