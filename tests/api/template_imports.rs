//! Templates by link and archive, changes by a newer file, copies and edits.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::download_host::{Downloads, Fault};
use crate::harness::zip::zip;
use crate::harness::{Answer, Client, Panel};

const EGG: &str = r#"{
    "meta": {"version": "PTDL_v2"}, "uuid": "0f4b0c1e-0000-4000-8000-000000000001",
    "name": "A game", "description": "Of our own.",
    "docker_images": {"One": "busybox:latest"},
    "startup": "./game --name {{NAME}}",
    "config": {"files": "{}", "startup": "{\"done\": \"ready\"}", "stop": "^C"},
    "variables": [
        {"name": "Name", "env_variable": "NAME", "default_value": "x", "user_viewable": true, "user_editable": true, "rules": "required|max:8"}
    ]
}"#;

async fn send(client: &Client, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    client.send(client.request(Method::POST, path).header("content-type", kind).body(body)).await
}

fn host() -> Downloads {
    let host = Downloads::start();
    host.put("egg.json", EGG.as_bytes().to_vec());
    host
}

#[tokio::test]
async fn a_link_adds_a_template_where_its_host_is_allowed() {
    let host = host();
    let link = json!({ "url": format!("{}/egg.json", host.base) });
    let closed = Panel::start().await;
    let refused = closed.admin().post("/api/templates/import", link.clone()).await.refused(422, "invalid");
    assert!(refused.field("url").contains("FETCH_ALLOW"), "{refused:?}");
    assert!(host.asked().is_empty(), "{:?}", host.asked());

    let panel = Panel::builder().env("FETCH_ALLOW", "127.0.0.1").start().await;
    let admin = panel.admin();
    let added = admin.post("/api/templates/import", link.clone()).await.expect(201).json;
    assert_eq!((added["id"].as_str(), added["name"].as_str()), (Some("a-game"), Some("A game")));
    assert_eq!(admin.get("/api/templates/a-game").await.expect(200).json["description"], "Of our own.");

    host.put("egg.json", EGG.replace("Of our own.", "Newer.").into_bytes());
    let preview = admin.post("/api/templates/import/preview", link.clone()).await.expect(200).json;
    let change = json!([{ "key": "about.description", "before": "Of our own.", "after": "Newer." }]);
    assert_eq!((&preview["existing"], &preview["changes"]), (&json!("a-game"), &change));
    assert_eq!(admin.get("/api/templates/a-game").await.json["description"], "Of our own.");
    assert_eq!(admin.post("/api/templates/import", link).await.expect(201).id(), "a-game");
    assert_eq!(admin.get("/api/templates/a-game").await.json["description"], "Newer.");
}

#[tokio::test]
async fn a_bad_link_is_told_and_nothing_of_its_answer() {
    let host = host();
    let panel = Panel::builder().env("FETCH_ALLOW", "127.0.0.1").start().await;
    let admin = panel.admin();
    let told = async |url: String| {
        let refused =
            admin.post("/api/templates/import", json!({ "url": url })).await.refused(422, "invalid");
        refused.field("url").to_owned()
    };
    let before = admin.get("/api/templates").await.json;
    host.fault("elsewhere.json", Fault::Moved("http://127.0.0.2:9".into()));
    host.fault("endless.json", Fault::Endless);
    host.put("endless.json", vec![b' '; 100]);
    host.put("large.json", vec![b' '; (1 << 20) + 1]);
    assert!(told(format!("{}/elsewhere.json", host.base)).await.contains("127.0.0.2"));
    assert!(told(format!("{}/none.json", host.base)).await.contains("404"));
    assert!(told(format!("{}/endless.json", host.base)).await.contains("larger"));
    assert!(told(format!("{}/large.json", host.base)).await.contains("larger"));
    for bad in ["file:///etc/passwd", "egg.json", "http://u:p@127.0.0.1/", "gopher://127.0.0.1/"] {
        assert!(told(bad.into()).await.contains("whole address"), "{bad}");
    }
    host.put("page.json", b"<html>secret</html>".to_vec());
    let link = json!({ "url": format!("{}/page.json", host.base) });
    let refused = admin.post("/api/templates/import", link).await;
    assert!(matches!(refused.status, 400 | 422) && !refused.text.contains("secret"), "{refused:?}");
    assert_eq!(admin.get("/api/templates").await.json, before);
}

#[tokio::test]
async fn an_archive_adds_several_at_once() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let second = EGG.replace("000000000001", "000000000002").replace("A game", "B game");
    let archive = zip(&[
        ("repository/games/egg-a.json", EGG),
        ("repository/games/egg-b.json", &second),
        ("repository/package.json", "{\"name\": \"x\"}"),
        ("repository/../../evil.yaml", "a: ["),
        ("repository/README.md", "# Eggs"),
    ]);
    let told =
        send(&admin, "/api/templates/archive", "application/zip", archive.clone()).await.expect(200).json;
    let files: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["file"].as_str().unwrap(), file["id"].as_str(), file["error"].is_string()))
        .collect();
    let expected = [
        ("repository/../../evil.yaml", None, true),
        ("repository/games/egg-a.json", Some("a-game"), false),
        ("repository/games/egg-b.json", Some("b-game"), false),
        ("repository/package.json", None, true),
    ];
    assert_eq!(files, expected);
    let before = admin.get("/api/templates").await.json.as_array().unwrap().len();
    send(&admin, "/api/templates/archive", "application/zip", archive).await.expect(200);
    assert_eq!(admin.get("/api/templates").await.json.as_array().unwrap().len(), before);
    send(&admin, "/api/templates/archive", "application/zip", "PK").await.refused(400, "bad_request");
    send(&admin, "/api/templates/archive", "application/json", "{}")
        .await
        .refused(415, "unsupported_media_type");
}

async fn put(client: &Client, path: &str, revision: Option<&str>, body: String) -> Answer {
    let mut request = client.request(Method::PUT, path).header("content-type", "application/yaml").body(body);
    if let Some(revision) = revision {
        request = request.header("if-match", format!("\"{revision}\""));
    }
    client.send(request).await
}

#[tokio::test]
async fn a_template_is_copied_and_edited() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    send(&admin, "/api/templates", "application/json", EGG).await.expect(201);
    let copy = admin.post("/api/templates/a-game/duplicate", Value::Null).await.expect(201).json;
    assert_eq!((copy["id"].as_str(), copy["name"].as_str()), (Some("a-game-copy"), Some("A game (copy)")));

    let path = "/api/templates/a-game-copy";
    let seen = admin.get(path).await.expect(200).json["revision"].as_str().unwrap().to_owned();
    let file = admin.get(&format!("{path}/export")).await.expect(200).text;
    let edited = file.replace("Of our own.", "Edited.");
    assert_ne!(edited, file);
    put(&admin, path, Some("1"), edited.clone()).await.refused(412, "precondition_failed");
    put(&admin, path, Some(&seen), edited.clone()).await.expect(200);
    put(&admin, path, Some(&seen), edited.clone()).await.refused(412, "precondition_failed");
    assert_eq!(admin.get(path).await.json["description"], "Edited.");
    assert_eq!(admin.get("/api/templates/a-game").await.json["description"], "Of our own.");

    // The uuid of another template is refused.
    let other = admin.get("/api/templates/a-game/export").await.expect(200).text;
    let refused = put(&admin, path, None, other).await.refused(422, "invalid");
    assert!(!refused.field("about.origin.uuid").is_empty(), "{refused:?}");
    put(&admin, path, None, "template: 1\nabout: {}\n".into()).await.refused(422, "invalid");
    put(&admin, "/api/templates/any-image", None, edited.clone()).await.refused(409, "conflict");
    put(&admin, "/api/templates/none", None, edited).await.refused(404, "not_found");
    // A built-in template can be copied, and the copy edited.
    let copy = admin.post("/api/templates/minecraft-paper/duplicate", Value::Null).await.expect(201).json;
    let path = format!("/api/templates/{}", copy["id"].as_str().unwrap());
    let (of_copy, of_own) =
        (admin.get(&path).await.json, admin.get("/api/templates/minecraft-paper").await.json);
    for key in ["image", "ports", "memory", "variables", "stop", "ready", "user", "dataPath", "eula"] {
        assert_eq!(of_copy[key], of_own[key], "{key}");
    }
    let file = admin.get(&format!("{path}/export")).await.expect(200).text;
    put(&admin, &path, None, file.replace("Paper", "Purple")).await.expect(200);
    admin.post("/api/templates/none/duplicate", Value::Null).await.refused(404, "not_found");
}

#[tokio::test]
async fn ids_do_not_stand_in_the_way_of_addresses() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    for name in ["Import", "Preview", "Sources", "Archive"] {
        let egg =
            EGG.replace("A game", name).replace("\"uuid\": \"0f4b0c1e-0000-4000-8000-000000000001\",", "");
        let id = send(&admin, "/api/templates", "application/json", egg).await.expect(201).id();
        assert_ne!(id, name.to_lowercase());
        assert_eq!(admin.get(&format!("/api/templates/{id}")).await.expect(200).json["name"], name);
    }
}
