//! The document is whole, and the page's types come from it.

use crate::harness::Panel;

const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/openapi.json");

#[tokio::test]
async fn the_document_is_open_and_equals_the_checked_in_one() {
    let panel = Panel::start().await;
    let document = panel.anonymous().get("/api/openapi.json").await.expect(200).json;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(CHECKED_IN, text).unwrap();
        return;
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(
        text == checked_in,
        "web/openapi.json differs from the handlers: UPDATE=1 tests/run api rewrites it"
    );
}

#[tokio::test]
async fn a_page_reads_it() {
    let panel = Panel::start().await;
    let page = panel.anonymous().get("/api/docs").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        !page.text.contains("http://") && !page.text.contains("https://cdn"),
        "something from another host"
    );
}
