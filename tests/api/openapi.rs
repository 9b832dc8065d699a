//! The OpenAPI document is served as it is checked in, compressed and plain. `src/docs` tests that it matches the
//! handlers.

use reqwest::Method;
use serde_json::Value;

use crate::harness::Panel;

const CHECKED_IN: &str = include_str!("../../web/openapi.json");

#[tokio::test]
async fn the_document_is_open_and_the_checked_in_one() {
    let panel = Panel::start().await;
    let anonymous = panel.anonymous();
    let plain = anonymous.get("/api/openapi.json").await.expect(200);
    assert_eq!(plain.text, CHECKED_IN);
    assert!(plain.json["openapi"].as_str().unwrap().starts_with("3."));
    let asked = anonymous.request(Method::GET, "/api/openapi.json").header("accept-encoding", "br, gzip");
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let packed = answer.bytes().await.unwrap();
    assert!(packed.len() * 5 < CHECKED_IN.len(), "{} bytes", packed.len());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), plain.json);
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
