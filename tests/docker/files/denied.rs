//! Files that a template keeps from those who may not configure the server.

use serde_json::json;

use super::super::game::Game;
use super::{friend, put, sent};
use crate::harness::{Panel, docker};

#[tokio::test]
async fn what_a_template_denies_is_for_those_who_may_configure() {
    let panel = Panel::start().await;
    let template = json!({
        "template": 1,
        "about": { "name": "Kept", "description": "For a test", "licence": "MIT" },
        "images": [{ "label": "One", "reference": docker::BUSYBOX }],
        "run": { "startup_by_shell": true, "file_denylist": ["*.key", "config/secret.yml"] },
    });
    let template = panel.admin().post("/api/templates", template).await.expect(201).id();
    let game = Game::with(&panel, "game", json!({ "templateId": template })).await;
    for path in ["/a.key", "/config/secret.yml", "/config/open.yml", "/plain.txt"] {
        game.put(path, "canary of the owner").await.expect(204);
    }
    let (writer, _) = friend(&panel, &game, "writer", "files").await;
    for path in ["/a.key", "/config/secret.yml", "/new.key", "/deep/er/x.key"] {
        writer.get(&game.content(path)).await.refused(403, "forbidden");
        put(&writer, &game.content(path), "mine", &[]).await.refused(403, "forbidden");
        let link = json!({ "paths": [path] });
        writer.post(&game.files("/downloads"), link).await.refused(403, "forbidden");
    }
    writer.get(&game.files("/versions?path=/a.key")).await.refused(403, "forbidden");
    for (op, body) in [
        ("rename", json!({ "path": "/a.key", "to": "/a.txt" })),
        ("rename", json!({ "path": "/config", "to": "/open" })),
        ("rename", json!({ "path": "/plain.txt", "to": "/b.key" })),
        ("copy", json!({ "path": "/config/secret.yml", "to": "/s.txt" })),
        ("copy", json!({ "path": "/config", "to": "/open" })),
        ("chmod", json!({ "path": "/config", "mode": "700", "recursive": true })),
        ("delete", json!({ "paths": ["/plain.txt", "/a.key"] })),
        ("archive", json!({ "paths": ["/config"], "to": "/c.zip" })),
        ("extract", json!({ "path": "/plain.txt", "to": "/" })),
        ("downloads", json!({ "paths": ["/config"], "format": "zip" })),
        ("pull", json!({ "url": "http://127.0.0.1:9/a", "to": "/b.key" })),
    ] {
        writer.post(&game.files(&format!("/{op}")), body).await.refused(403, "forbidden");
    }
    let upload = [("Tus-Resumable", "1.0.0"), ("Upload-Length", "1"), ("Upload-Metadata", "path L2Iua2V5")]; // /b.key
    sent(&writer, reqwest::Method::POST, &game.files("/uploads"), "", &upload)
        .await
        .refused(403, "forbidden");
    let found =
        writer.post(&game.files("/search"), json!({ "path": "/", "content": "canary" })).await.expect(200);
    let paths: Vec<&str> =
        found.json["matches"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths.contains(&"/plain.txt") && paths.contains(&"/config/open.yml"), "{paths:?}");
    // Nor does one go with the folder that holds it, by whatever name that has.
    game.put("/plugins/one/license.key", "canary of the owner").await.expect(204);
    for permanent in [false, true] {
        let body = json!({ "paths": ["/plugins"], "permanent": permanent });
        writer.post(&game.files("/delete"), body).await.refused(403, "forbidden");
    }
    assert_eq!(game.text("/plugins/one/license.key").await, "canary of the owner");
    // What is not denied is free, and nothing was changed.
    writer.get(&game.content("/config/open.yml")).await.expect(200);
    writer.post(&game.files("/rename"), json!({ "path": "/plain.txt", "to": "/p.txt" })).await.expect(204);
    assert_eq!(game.text("/a.key").await, "canary of the owner");
    assert_eq!(game.text("/config/secret.yml").await, "canary of the owner");
    let grant = json!({ "permissions": ["files", "configure"] });
    let id = writer.get("/api/me").await.id();
    panel.admin().put(&game.path(&format!("/users/{id}")), grant).await.expect(204);
    assert_eq!(writer.get(&game.content("/a.key")).await.expect(200).text, "canary of the owner");
}
