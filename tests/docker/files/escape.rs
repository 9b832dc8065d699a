//! No path of any field leads out of the server's folder: each path-typed field of the document, with everything that has
//! ever led somebody out.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use super::{sent, world};

/// Texts that lead out, or that some program would read so.
const OUT: [&str; 12] = [
    "../canary",
    "/../canary",
    "a/../../canary",
    "..",
    "/..",
    "./../canary",
    "....//canary",
    "..\\..\\canary",
    "..%2f..%2fcanary",
    "%2e%2e/canary",
    "a/%2e%2e%5c..",
    "/a/..\\..",
];

/// Names of fields that hold paths.
const PATHS: [&str; 5] = ["path", "to", "paths", "after", "name"];

fn state(path: &Path) -> (u32, i64, i64, Vec<u8>) {
    let found = std::fs::symlink_metadata(path).unwrap();
    (found.mode(), found.mtime(), found.mtime_nsec(), std::fs::read(path).unwrap())
}

/// A body of this schema, with this value in this field.
fn body(schema: &Value, field: &str, value: &Value) -> Value {
    let mut body = serde_json::Map::new();
    for required in schema["required"].as_array().into_iter().flatten() {
        let key = required.as_str().unwrap();
        let filler = match key {
            "paths" | "ids" => json!(["a.txt"]),
            "mode" => json!("644"),
            "url" => json!("http://127.0.0.1:1/x"),
            _ => json!("a.txt"),
        };
        body.insert(key.to_owned(), filler);
    }
    body.insert(field.to_owned(), value.clone());
    body.into()
}

#[tokio::test]
async fn each_field_with_each_way_out() {
    let (panel, game) = world().await;
    game.put("/a.txt", "mine").await.expect(204);
    let canary = panel.folder().join("servers/canary");
    std::fs::write(&canary, "untouched").unwrap();
    let before = state(&canary);
    let document = panel.anonymous().get("/api/openapi.json").await.expect(200).json;
    let mut tried = 0;
    let mut wrong = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/servers/{id}/files") {
            continue;
        }
        for (method, operation) in methods.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let address = ["{upload}", "{version}", "{job}"]
                .iter()
                .fold(path.replace("{id}", &game.id), |path, name| path.replace(name, "none"));
            let in_query = operation["parameters"].as_array().into_iter().flatten();
            let in_query = in_query.filter(|one| one["in"] == "query" && one["name"] == "path").count() > 0;
            let reference =
                operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
            let schema = reference.map(|reference| {
                let name = reference.rsplit('/').next().unwrap();
                document["components"]["schemas"][name].clone()
            });
            for out in OUT {
                if in_query {
                    let query: String =
                        form_urlencoded::Serializer::new(String::new()).append_pair("path", out).finish();
                    let answer =
                        sent(&game.admin, method.clone(), &format!("{address}?{query}"), "x", &[]).await;
                    tried += 1;
                    if answer.code() != "path_escape" && answer.status != 422 {
                        wrong.push(format!("{method} {path}?path={out}: {} {}", answer.status, answer.text));
                    }
                }
                let Some(schema) = &schema else { continue };
                let fields = schema["properties"].as_object().into_iter().flatten();
                for (field, kind) in fields.filter(|(field, _)| PATHS.contains(&field.as_str())) {
                    // What is looked for is no path.
                    if path.ends_with("/search") && field == "name" {
                        continue;
                    }
                    let value = if kind["type"] == "array" { json!(["a.txt", out]) } else { json!(out) };
                    let answer =
                        game.admin.call(method.clone(), &address, Some(body(schema, field, &value))).await;
                    tried += 1;
                    if answer.code() != "path_escape" && answer.status != 422 {
                        wrong.push(format!(
                            "{method} {path} {field}={out}: {} {}",
                            answer.status, answer.text
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 12 * 18, "the document has path-typed fields: {tried}");
    assert_eq!(state(&canary), before);
    assert_eq!(game.text("/a.txt").await, "mine");
}

#[tokio::test]
async fn links_lead_nowhere_outside() {
    let (panel, game) = world().await;
    let root = game.file(&panel, "");
    let outside = tempfile::tempdir().unwrap();
    let canary = outside.path().join("canary");
    std::fs::write(&canary, "untouched").unwrap();
    let before = state(&canary);
    symlink(outside.path(), root.join("ext")).unwrap();
    symlink("../../nope", root.join("dang")).unwrap();
    symlink("dang", root.join("chain")).unwrap();
    symlink(&canary, root.join("direct")).unwrap();
    game.put("/f", "f").await.expect(204);
    let refused = |answer: crate::harness::Answer, what: &str| {
        assert!(matches!(answer.status, 400 | 404 | 409), "{what}: {answer:?}");
    };
    refused(game.put("/ext/x", "x").await, "writing behind a link");
    refused(game.put("/ext/canary", "x").await, "overwriting behind a link");
    refused(game.admin.get(&game.content("/ext/canary")).await, "reading behind a link");
    refused(game.admin.get(&game.content("/direct")).await, "reading a link that leads out");
    refused(game.admin.get(&game.files("?path=/ext")).await, "listing behind a link");
    refused(game.act("mkdir", json!({ "path": "/ext/d" })).await, "a folder behind a link");
    refused(game.act("rename", json!({ "path": "/f", "to": "/ext/f" })).await, "moving out");
    refused(game.act("copy", json!({ "path": "/ext/canary", "to": "/c" })).await, "copying in");
    refused(game.act("chmod", json!({ "path": "/direct", "mode": "777" })).await, "modes behind a link");
    refused(game.act("delete", json!({ "paths": ["/ext/canary"] })).await, "deleting behind a link");
    let dangling = [game.put("/dang", "x").await, game.put("/chain", "x").await];
    for answer in dangling {
        assert!(matches!(answer.status, 204 | 400 | 404 | 409), "{answer:?}");
    }
    assert!(!panel.folder().join("servers/nope").exists() && !panel.folder().join("nope").exists());
    // The link itself may go.
    game.act("delete", json!({ "paths": ["/ext", "/direct"], "permanent": true })).await.expect(200);
    assert_eq!(state(&canary), before);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}
