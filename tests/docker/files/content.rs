//! The bytes of files, there and back.

use reqwest::Method;
use serde_json::json;

use super::{put, sent, world};

#[tokio::test]
async fn bytes_come_whole_and_in_parts() {
    let (_panel, game) = world().await;
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let written = game.put("/deep/down/data.bin", bytes.clone()).await.expect(204);
    let content = game.content("/deep/down/data.bin");
    let get = async |headers: &[(&str, &str)]| {
        let mut request = game.admin.request(Method::GET, &content);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap().to_vec())
    };
    let (status, headers, whole) = get(&[("accept-encoding", "gzip")]).await;
    assert_eq!((status, whole == bytes), (200, true));
    let etag = headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(etag, written.header("etag"));
    assert_eq!(headers["content-length"], "4000000");
    assert_eq!(headers["accept-ranges"], "bytes");
    assert!(headers.get("content-encoding").is_none() && headers["cache-control"] == "no-store");
    assert!(headers["content-disposition"].to_str().unwrap().contains("filename=\"data.bin\""));

    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=999999-1000002", 999_999, 1_000_003),
        ("bytes=3999990-", 3_999_990, 4_000_000),
        ("bytes=-5", 3_999_995, 4_000_000),
        ("bytes=10-99999999", 10, 4_000_000),
    ] {
        let (status, headers, part) = get(&[("range", range)]).await;
        assert_eq!((status, part == bytes[from..to]), (206, true), "{range}");
        let said = format!("bytes {from}-{}/4000000", to - 1);
        assert_eq!(headers["content-range"].to_str().unwrap(), said, "{range}");
    }
    assert_eq!(get(&[("range", "bytes=4000000-")]).await.0, 416);
    let (status, _, whole) = get(&[("range", "bytes=0-1"), ("if-range", "\"00\"")]).await;
    assert_eq!((status, whole.len()), (200, 4_000_000));
    assert_eq!(get(&[("range", "bytes=0-1"), ("if-range", &etag)]).await.2.len(), 2);
    let (status, headers, nothing) = get(&[("if-none-match", &etag)]).await;
    assert_eq!((status, nothing.len(), headers["etag"].to_str().unwrap()), (304, 0, etag.as_str()));
    let head = game.admin.call(Method::HEAD, &content, None).await.expect(200);
    assert_eq!((head.header("content-length"), head.header("etag")), ("4000000", etag.as_str()));

    let empty = game.put("/empty", "").await.expect(204);
    assert!(!empty.header("etag").is_empty());
    assert_eq!(game.text("/empty").await, "");
    game.admin.get(&game.content("/deep")).await.refused(400, "not_regular");
    game.admin.get(&game.content("/none")).await.refused(404, "not_found");
    game.put("/deep", "x").await.refused(400, "not_regular");
}

#[tokio::test]
async fn nobody_overwrites_what_he_has_not_seen() {
    let (_panel, game) = world().await;
    let path = game.content("/server.properties");
    let first = put(&game.admin, &path, "motd=1\n", &[("if-none-match", "*")]).await.expect(204);
    put(&game.admin, &path, "motd=x\n", &[("if-none-match", "*")]).await.refused(412, "precondition_failed");
    let seen = first.header("etag").to_owned();
    let second = put(&game.admin, &path, "motd=22\n", &[("if-match", &seen)]).await.expect(204);
    assert_ne!(second.header("etag"), seen);
    for other in [seen.as_str(), "\"00\"", "\"no hex\"", "\"00\", \"11\""] {
        put(&game.admin, &path, "motd=3\n", &[("if-match", other)]).await.refused(412, "precondition_failed");
    }
    let both = format!("\"00\", {}", second.header("etag"));
    put(&game.admin, &path, "motd=333\n", &[("if-match", &both)]).await.expect(204);
    put(&game.admin, &path, "motd=4444\n", &[("if-match", "*")]).await.expect(204);
    put(&game.admin, &game.content("/new"), "x", &[("if-match", "*")])
        .await
        .refused(412, "precondition_failed");
    assert_eq!(game.text("/server.properties").await, "motd=4444\n");
}

#[tokio::test]
async fn what_a_text_was_can_be_read() {
    let (_panel, game) = world().await;
    for text in ["one", "two!", "three"] {
        game.put("/a.txt", text).await.expect(204);
    }
    let hidden = format!("{}&keepVersion=false", game.content("/a.txt"));
    put(&game.admin, &hidden, "four", &[]).await.expect(204);
    let versions = game.admin.get(&game.files("/versions?path=/a.txt")).await.expect(200).json;
    let versions = versions.as_array().unwrap();
    assert_eq!(versions.iter().map(|version| version["size"].clone()).collect::<Vec<_>>(), [4, 3]);
    let id = versions[1]["id"].as_str().unwrap();
    let old = game.admin.get(&game.files(&format!("/versions/{id}?path=/a.txt"))).await.expect(200);
    assert_eq!(old.text, "one");
    assert!(old.header("content-disposition").contains("a.txt"));
    game.admin.get(&game.files("/versions/nothere?path=/a.txt")).await.refused(404, "not_found");
    assert_eq!(game.names("/").await, ["a.txt"], "versions lie elsewhere");
}

#[tokio::test]
async fn a_link_is_good_once() {
    let (panel, game) = world().await;
    game.put("/a b.txt", "linked").await.expect(204);
    let body = json!({ "paths": ["/a b.txt"] });
    let made = game.act("downloads", body.clone()).await.expect(201).json;
    assert_eq!(made["name"], "a b.txt");
    let url = made["url"].as_str().unwrap();
    assert!(url.starts_with("/api/downloads/") && url.len() >= 52 + 15, "{url}");
    let anybody = panel.anonymous();
    let answer = anybody.get(url).await.expect(200);
    assert_eq!((answer.text.as_str(), answer.header("content-length")), ("linked", "6"));
    assert!(answer.header("content-disposition").contains("a%20b.txt"));
    anybody.get(url).await.refused(401, "unauthenticated");
    anybody.get("/api/downloads/guess").await.refused(401, "unauthenticated");
    let secret = url.rsplit('/').next().unwrap();
    assert!(!panel.log().contains(&format!("ticket={secret}")));

    game.act("downloads", json!({ "paths": ["/none"] })).await.refused(404, "not_found");
    let version = json!({ "paths": ["/a b.txt", "/b"], "version": "x" });
    game.act("downloads", version).await.refused(422, "invalid");
    // What its maker may do when it is used is what counts.
    let (reader, grant) = super::friend(&panel, &game, "reader", "files_read").await;
    let link = async || {
        let made = reader.post(&game.files("/downloads"), body.clone()).await.expect(201).json;
        made["url"].as_str().unwrap().to_owned()
    };
    let (first, second) = (link().await, link().await);
    reader.delete("/api/session").await.expect(204);
    anybody.get(&first).await.refused(401, "unauthenticated");
    panel.admin().delete(&grant).await.expect(204);
    anybody.get(&second).await.refused(401, "unauthenticated");
    let json = [("content-type", "application/json")];
    sent(&game.admin, Method::POST, &game.files("/downloads"), "{", &json).await.refused(400, "bad_json");
}
