//! The page, its headers, and what is public.

use reqwest::Method;
use serde_json::json;

use crate::harness::Panel;

#[tokio::test]
async fn health_is_open_and_says_the_version() {
    let panel = Panel::start().await;
    let answer = panel.anonymous().get("/health").await.expect(200);
    assert_eq!(answer.json, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
}

#[tokio::test]
async fn every_page_path_gives_the_shell_with_its_guards() {
    let panel = Panel::start().await;
    for path in ["/", "/servers/abc", "/login", "/setup", "/nodes"] {
        let page = panel.anonymous().get(path).await.expect(200);
        assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
        let csp = page.header("content-security-policy").to_owned();
        for part in [
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(csp.contains(part), "{csp}");
        }
        let scripts = csp.split(';').find(|part| part.trim().starts_with("script-src")).unwrap().to_owned();
        assert!(!scripts.contains("unsafe"), "{scripts}");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert!(page.header("server").is_empty());
        assert!(!page.text.contains(env!("CARGO_PKG_VERSION")) || page.text.len() > 100_000);
    }
}

#[tokio::test]
async fn assets_are_compressed_tagged_and_cached() {
    let panel = Panel::start().await;
    let nobody = panel.anonymous();
    let page = nobody.get("/").await.text;
    let at = page.find("/_app/immutable/").expect("a hashed asset in the shell");
    let path: String = page[at..].chars().take_while(|c| !matches!(c, '"' | '\'' | ')' | ' ')).collect();
    let request = nobody.request(Method::GET, &path).header("accept-encoding", "br, gzip");
    let asset = nobody.send(request).await.expect(200);
    assert!(asset.header("cache-control").contains("immutable"), "{:?}", asset.headers);
    assert!(matches!(asset.header("content-encoding"), "br" | "gzip"), "{:?}", asset.headers);
    let tag = asset.header("etag").to_owned();
    assert!(!tag.is_empty());
    let again = nobody
        .request(Method::GET, &path)
        .header("accept-encoding", "br, gzip")
        .header("if-none-match", &tag);
    nobody.send(again).await.expect(304);
    // A client without support for compression gets plain text.
    let plain = nobody
        .send(nobody.request(Method::GET, &path).header("accept-encoding", "identity"))
        .await
        .expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.text.is_ascii() || plain.text.contains("import") || plain.text.contains('{'));
    nobody.get("/_app/immutable/nothing-here.js").await.expect(404);
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let panel = Panel::start().await;
    let jo = panel.user("jo").await;
    drop(jo);
    for path in
        ["/", "/health", "/api/setup", "/api/servers", "/api/users", "/api/nodes", "/api/status", "/api/me"]
    {
        let answer = panel.anonymous().get(path).await;
        assert!(
            !answer.text.contains("admin\"") && !answer.text.contains("\"jo\""),
            "{path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn nothing_but_get_reaches_the_page() {
    let panel = Panel::start().await;
    for path in ["/", "/servers"] {
        let answer = panel.anonymous().post(path, json!({})).await;
        assert!(matches!(answer.status, 404 | 405), "{answer:?}");
    }
}
