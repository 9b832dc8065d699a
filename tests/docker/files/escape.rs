//! No path of any field leads out of the server's folder: each path-typed field of the document, with everything that has
//! ever led somebody out.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use super::{sent, world};
use crate::harness::Panel;

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

/// Names of fields and parameters that hold paths of a server's files.
const PATHS: [&str; 3] = ["path", "to", "paths"];
/// Text fields and parameters that are no paths (`after` is a name that others are compared with). A new one fails the test
/// until it is in one of the lists.
const NO_PATHS: [&str; 60] = [
    "accessKey",
    "address",
    "after",
    "arch",
    "backupId",
    "binary",
    "bucket",
    "command",
    "content",
    "current",
    "endpoint",
    "environment.*",
    "expiresAt",
    "format",
    "host",
    "hostKey",
    "id",
    "ids",
    "ignore",
    "image",
    "key",
    "message",
    "mode",
    "name",
    "new",
    "nodeId",
    "nodes",
    "note",
    "password",
    "pattern",
    "player",
    "prefix",
    "privateKey",
    "query",
    "ready",
    "region",
    "repositoryPassword",
    "role",
    "schedule",
    "secret",
    "secretKey",
    "serverId",
    "setupToken",
    "signal",
    "source",
    "startup",
    "tail",
    "target",
    "templateId",
    "text",
    "time",
    "timeZone",
    "totp",
    "unless",
    "url",
    "user",
    "username",
    "version",
    "when",
    "zone",
];
/// Other paths: folders of the machine, named by administrators (`folder()` in `src/backups/targets/body.rs` checks them), and
/// paths within a backup, which `docker::backup_contents` tries.
const ELSEWHERE: [(&str, &str); 4] = [
    ("/api/backup-targets", "path"),
    ("/api/setup/restore", "path"),
    ("/api/servers/{id}/backups/{backup}/", "path"),
    ("/api/servers/{id}/backups/{backup}/", "paths"),
];
/// What stands in an address in place of an id.
const IDS: [&str; 5] = ["..%2f..%2fcanary", "..%5ccanary", "%2fetc%2fpasswd", "....", "a%00b"];

/// The texts that a schema asks for: names of fields, the last part of the way to each.
fn texts(document: &Value, schema: &Value, name: &str, depth: usize, found: &mut Vec<String>) {
    assert!(depth < 16, "a schema within itself: {name}");
    if let Some(reference) = schema["$ref"].as_str() {
        let target = &document["components"]["schemas"][reference.rsplit('/').next().unwrap()];
        return texts(document, target, name, depth + 1, found);
    }
    let all = ["allOf", "anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    all.for_each(|one| texts(document, one, name, depth + 1, found));
    if schema["items"].is_object() {
        texts(document, &schema["items"], name, depth + 1, found);
    }
    if schema["additionalProperties"].is_object() {
        texts(document, &schema["additionalProperties"], &format!("{name}.*"), depth + 1, found);
    }
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        texts(document, value, key, depth + 1, found);
    }
    let kind = &schema["type"];
    let text = kind == "string" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("string")));
    if text && schema["enum"].is_null() && schema["format"] != "binary" {
        found.push(name.to_owned());
    }
}

/// The schema of an operation's JSON body.
fn body_schema(operation: &Value) -> &Value {
    &operation["requestBody"]["content"]["application/json"]["schema"]
}

#[tokio::test]
async fn each_text_of_the_document_is_known_as_a_path_or_as_none() {
    let panel = Panel::start().await;
    let document = panel.anonymous().get("/api/openapi.json").await.expect(200).json;
    let mut unknown = Vec::new();
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut found = Vec::new();
            texts(&document, body_schema(operation), "", 0, &mut found);
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] == "query" {
                    let name = parameter["name"].as_str().unwrap();
                    texts(&document, &parameter["schema"], name, 0, &mut found);
                }
            }
            seen += found.len();
            let files = path.starts_with("/api/servers/{id}/files");
            found.retain(|name| !ELSEWHERE.iter().any(|(at, field)| path.starts_with(at) && name == field));
            // A path elsewhere than here would have no test of its own.
            found.retain(|name| {
                !(NO_PATHS.contains(&name.as_str()) || files && PATHS.contains(&name.as_str()))
            });
            unknown.extend(found.into_iter().map(|name| format!("{method} {path}: {name:?}")));
        }
    }
    assert!(unknown.is_empty(), "say in PATHS or NO_PATHS what these are: {unknown:#?}");
    assert!(seen > 60, "{seen}");
}

#[tokio::test]
async fn no_id_in_an_address_is_a_path() {
    let (panel, game) = world().await;
    let canary = panel.folder().join("servers/canary");
    std::fs::write(&canary, "untouched").unwrap();
    let before = state(&canary);
    let document = panel.anonymous().get("/api/openapi.json").await.expect(200).json;
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let names: Vec<&str> =
            path.split('/').filter(|part| part.starts_with('{') && part.ends_with('}')).collect();
        for hostile in &names {
            for id in IDS {
                // The others are true, as far as there are such.
                let address = names.iter().fold(path.clone(), |address, name| {
                    let value = match *name {
                        name if name == *hostile => id,
                        "{id}" => &game.id,
                        _ => "none",
                    };
                    address.replace(name, value)
                });
                for (method, operation) in methods.as_object().unwrap() {
                    let method: Method = method.to_uppercase().parse().unwrap();
                    let json = body_schema(operation).is_object();
                    let answer = game.admin.call(method.clone(), &address, json.then(|| json!({}))).await;
                    tried += 1;
                    if !(400..500).contains(&answer.status) {
                        wrong.push(format!("{method} {address}: {} {}", answer.status, answer.text));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 400, "{tried}");
    assert_eq!(state(&canary), before);
}

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
            let in_query: Vec<&str> = in_query
                .filter(|one| one["in"] == "query")
                .filter_map(|one| one["name"].as_str())
                .filter(|name| PATHS.contains(name))
                .collect();
            let reference = body_schema(operation)["$ref"].as_str();
            let schema = reference.map(|reference| {
                let name = reference.rsplit('/').next().unwrap();
                document["components"]["schemas"][name].clone()
            });
            for out in OUT {
                for name in &in_query {
                    let query: String =
                        form_urlencoded::Serializer::new(String::new()).append_pair(name, out).finish();
                    let answer =
                        sent(&game.admin, method.clone(), &format!("{address}?{query}"), "x", &[]).await;
                    tried += 1;
                    if answer.code() != "path_escape" && answer.status != 422 {
                        wrong
                            .push(format!("{method} {path}?{name}={out}: {} {}", answer.status, answer.text));
                    }
                }
                let Some(schema) = &schema else { continue };
                let fields = schema["properties"].as_object().into_iter().flatten();
                for (field, kind) in fields.filter(|(field, _)| PATHS.contains(&field.as_str())) {
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
