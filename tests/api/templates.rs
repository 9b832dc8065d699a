//! Templates: the built-in ones, and imported eggs.

use reqwest::Method;
use serde_json::json;

use super::fake_node::{FakeNode, Told};
use crate::harness::{Answer, Client, Panel, seconds, until};

#[tokio::test]
async fn the_first_evening_is_there() {
    let panel = Panel::start().await;
    let list = panel.admin().get("/api/templates").await.expect(200).json;
    let list = list.as_array().unwrap();
    let names: Vec<String> = list.iter().map(|one| one["name"].as_str().unwrap().to_lowercase()).collect();
    for game in [
        "paper",
        "vanilla",
        "bedrock",
        "luanti",
        "terraria",
        "factorio",
        "valheim",
        "teeworlds",
        "openttd",
        "openarena",
        "any image",
    ] {
        assert!(names.iter().any(|name| name.contains(game)), "{game} is not in {names:?}");
    }
    let found = |word: &str| {
        list.iter().position(|one| {
            let tags = one["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap());
            tags.chain(one["name"].as_str()).any(|text| text.to_lowercase().contains(word))
        })
    };
    assert_eq!(found("paper"), Some(0), "the most popular one comes first");
    for word in ["valheim", "steam", "bukkit"] {
        assert!(found(word).is_some(), "{word}");
    }
    for one in list {
        let id = one["id"].as_str().unwrap();
        assert!(!one["architectures"].as_array().unwrap().is_empty() || id.contains("any"), "{one}");
        let whole = panel.admin().get(&format!("/api/templates/{id}")).await.expect(200).json;
        for variable in whole["variables"].as_array().unwrap() {
            assert!(variable["env_variable"].as_str().unwrap().len() > 1, "{variable}");
        }
        assert!(!whole["stop"].is_null(), "{id} has no way to stop");
    }
    panel.admin().get("/api/templates/no-such-thing").await.refused(404, "not_found");
}

#[tokio::test]
async fn minecraft_asks_for_its_eula_first() {
    let panel = Panel::start().await;
    let list = panel.admin().get("/api/templates").await.json;
    let paper =
        list.as_array().unwrap().iter().find(|one| !one["eula"].is_null()).expect("one with an EULA").clone();
    let body = json!({ "name": "Survival", "templateId": paper["id"] });
    let refused = panel.admin().post("/api/servers", body).await.refused(422, "eula_required");
    assert!(!refused.field("acceptEula").is_empty(), "{refused:?}");
    assert_eq!(panel.admin().get("/api/servers").await.json, json!([]));
}

const EGG: &str = r#"{
    "meta": {"version": "PTDL_v2"}, "uuid": "0f4b0c1e-0000-4000-8000-000000000001",
    "name": "A <b>game</b>", "description": "Of our own.", "features": null,
    "docker_images": {"One": "busybox:latest"},
    "startup": "./game --name {{NAME}} --port {{SERVER_PORT}}",
    "config": {
        "files": "{\"game.cfg\": {\"parser\": \"properties\", \"find\": {\"port\": \"{{server.build.default.port}}\"}}}",
        "startup": "{\"done\": \"ready\"}", "logs": "{\"custom\": true}", "stop": "^C"
    },
    "scripts": {"installation": {"script": "true", "container": "busybox", "entrypoint": "ash"}},
    "variables": [
        {"name": "Name", "env_variable": "NAME", "default_value": "x", "user_viewable": true, "user_editable": true, "rules": "required|max:8"},
        {"name": "Slots", "env_variable": "SLOTS", "default_value": 4, "user_viewable": true, "user_editable": false, "rules": ["required", "integer", "between:1,64"]}
    ],
    "of_tomorrow": 1
}"#;

async fn send(client: &Client, kind: &str, body: impl Into<String>) -> Answer {
    let request =
        client.request(Method::POST, "/api/templates").header("content-type", kind).body(body.into());
    client.send(request).await
}

#[tokio::test]
async fn an_egg_becomes_a_template_and_a_server() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let added = send(&admin, "application/json", EGG).await.expect(201).json;
    assert_eq!((added["id"].as_str(), added["name"].as_str()), (Some("a-b-game-b"), Some("A <b>game</b>")));
    let keys: Vec<_> =
        added["warnings"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["config.logs", "of_tomorrow"]);
    let whole = admin.get("/api/templates/a-b-game-b").await.expect(200).json;
    assert_eq!(whole["builtin"], false);
    assert_eq!(whole["stop"]["signal"], "SIGINT");
    assert_eq!(whole["variables"][1]["env_variable"], "SLOTS");
    let body = json!({ "name": "Mine", "templateId": "a-b-game-b", "environment": { "SLOTS": "65" } });
    let refused = admin.post("/api/servers", body).await.refused(422, "invalid");
    assert!(refused.field("environment.SLOTS").contains("between 1 and 64"), "{refused:?}");
    let body = json!({ "name": "Mine", "templateId": "a-b-game-b" });
    let server = admin.post("/api/servers", body).await.expect(201).json;
    assert_eq!(server["image"], "busybox:latest");
    assert_eq!(server["startup"], "./game --name {{NAME}} --port {{SERVER_PORT}}");
    assert_eq!(server["environment"], json!({ "NAME": "x", "SLOTS": "4" }));
}

/// A template may say how many processes and threads its servers need; whoever makes one may say otherwise.
#[tokio::test]
async fn a_template_sets_the_limit_of_processes() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let file = |processes: u32| {
        format!(
            "template: 1\nabout:\n  name: Threads\nimages:\n- label: One\n  reference: busybox:latest\nneeds:\n  processes: {processes}\n"
        )
    };
    let refused = send(&admin, "application/yaml", &file(15)).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let template = send(&admin, "application/yaml", &file(4096)).await.expect(201).id();
    let view = admin.get(&format!("/api/templates/{template}")).await.expect(200).json;
    assert_eq!(view["processes"], 4096, "{view}");
    let body = json!({ "name": "Mine", "templateId": template });
    let server = admin.post("/api/servers", body).await.expect(201).json;
    assert_eq!(server["limits"]["processes"], 4096);
    let body = json!({ "name": "Few", "templateId": template, "limits": { "processes": 64 } });
    assert_eq!(admin.post("/api/servers", body).await.expect(201).json["limits"]["processes"], 64);
}

#[tokio::test]
async fn a_server_keeps_its_version_until_somebody_takes_the_newer_one() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let template = send(&admin, "application/json", EGG).await.expect(201).id();
    let view = admin.get(&format!("/api/templates/{template}")).await.expect(200).json;
    assert_eq!(view["images"], json!([{ "label": "One", "reference": "busybox:latest" }]));
    assert_eq!(view["startups"][0]["command"], "./game --name {{NAME}} --port {{SERVER_PORT}}");
    assert_eq!(view["installs"], true);
    let body = json!({ "name": "Mine", "templateId": template, "environment": { "NAME": "mine" } });
    let id = admin.post("/api/servers", body).await.expect(201).id();
    let path = format!("/api/servers/{id}/template");
    assert_eq!(admin.get(&path).await.expect(200).json, json!({ "upToDate": true, "changes": [] }));
    let newer = EGG
        .replace("./game --name", "./game2 --name")
        .replace("busybox:latest", "busybox:1.37")
        .replace(r#"\"port\""#, r#"\"server-port\""#)
        .replace("\"SLOTS\"", "\"PLACES\"");
    send(&admin, "application/json", newer).await.expect(201);
    let server = admin.get(&format!("/api/servers/{id}")).await.json;
    assert_eq!(server["image"], "busybox:latest");
    let told = admin.get(&path).await.expect(200).json;
    assert_eq!(told["upToDate"], false);
    let keys: Vec<_> =
        told["changes"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    for part in ["images", "startup", "config_files", "variables.PLACES"] {
        assert!(keys.iter().any(|key| key.starts_with(part)), "{part}: {keys:?}");
    }
    let server = admin.post(&path, json!({})).await.expect(200).json;
    assert_eq!(server["image"], "busybox:1.37");
    assert!(server["startup"].as_str().unwrap().starts_with("./game2"));
    assert_eq!(server["environment"], json!({ "NAME": "mine", "SLOTS": "4", "PLACES": "4" }));
    assert_eq!(admin.get(&path).await.json["upToDate"], true);
    let own = json!({ "name": "Own", "image": "busybox", "startup": "x" });
    let own = admin.post("/api/servers", own).await.expect(201).id();
    admin.get(&format!("/api/servers/{own}/template")).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_preview_says_what_the_template_does_and_where_a_node_is_too_old_for_it() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let template = send(&admin, "application/json", EGG).await.expect(201).id();
    let node = "old";
    let made = admin.post("/api/nodes", json!({ "id": node })).await.expect(201).json;
    let secret = made["secret"].as_str().unwrap();
    let _node = FakeNode::connect(&panel, node, secret, Told::default()).await.unwrap();
    let preview = async |node: &str| {
        let body = json!({ "name": "Mine", "templateId": template, "nodeId": node });
        admin.post("/api/servers/preview", body).await.expect(200).json
    };
    let here = preview("local").await;
    let port = here["ports"][0]["internal"].as_u64().unwrap();
    assert_eq!(here["template"]["command"], format!("./game --name x --port {port}"));
    assert_eq!(here["template"]["installImage"], "busybox");
    let file = &here["template"]["configFiles"][0];
    assert_eq!(
        (file["path"].as_str(), file["set"][0]["value"].clone()),
        (Some("game.cfg"), json!(port.to_string()))
    );
    assert_eq!(here["template"]["environment"]["SERVER_MEMORY"], "2048");
    let warned = |preview: &serde_json::Value| preview["warnings"].to_string().contains("template_not_run");
    assert!(!warned(&here), "{here:#}");
    let there =
        until("the node is there", seconds(10), async || Some(preview(node).await).filter(warned)).await;
    assert_eq!(there["nodeId"], node);
}

/// A game with configurable ports uses the same numbers inside the container as outside, so that it announces the right
/// ones.
#[tokio::test]
async fn a_game_that_is_told_its_ports_has_the_same_inside_and_outside() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let variable = |name: &str, default: &str| {
        json!({ "name": name, "env_variable": name, "default_value": default, "user_viewable": true,
                "user_editable": true, "rules": "required|integer|between:1,65535" })
    };
    let egg = json!({
        "meta": { "version": "PTDL_v2" }, "name": "Told", "docker_images": { "One": "busybox" },
        "startup": "./game -p {{SERVER_PORT}} -q {{QUERY_PORT}}",
        "config": { "files": "{}", "startup": "{\"done\": \"ready\"}", "logs": "{}", "stop": "^C" },
        "variables": [variable("QUERY_PORT", "27016"), variable("SLOTS", "8")],
    });
    let template = send(&admin, "application/json", &egg.to_string()).await.expect(201).id();
    let make = async |more: serde_json::Value| {
        let mut body = json!({ "name": "Told", "templateId": template });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let preview = admin.post("/api/servers/preview", body.clone()).await.expect(200).json;
        let made = admin.post("/api/servers", body).await.expect(201).json;
        assert_eq!((&preview["ports"], &preview["environment"]), (&made["ports"], &made["environment"]));
        made
    };
    let first = make(json!({})).await;
    let (game, query) =
        (first["ports"][0]["external"].as_u64().unwrap(), &first["environment"]["QUERY_PORT"]);
    assert_eq!(query, "27016");
    let second = make(json!({})).await;
    let ports = second["ports"].as_array().unwrap();
    assert!(ports[0]["external"].as_u64().unwrap() > game, "{second}");
    assert!(ports.iter().all(|port| port["internal"] == port["external"]), "{second}");
    assert_eq!(second["environment"]["QUERY_PORT"], ports[2]["external"].to_string());
    // As the page sends the values proposed by the preview; values that the user chose are kept.
    let given = json!([{ "internal": 28000, "external": 28000, "protocol": "tcp" }, { "internal": 28000, "external": 28000, "protocol": "udp" },
        { "internal": 28001, "external": 28001, "protocol": "tcp" }, { "internal": 28001, "external": 28001, "protocol": "udp" }]);
    let third = make(json!({ "ports": given, "environment": { "QUERY_PORT": "27016" } })).await;
    assert_eq!(third["environment"]["QUERY_PORT"], "28001");
    let fourth = make(json!({ "environment": { "QUERY_PORT": "4000" } })).await;
    assert_eq!(fourth["environment"]["QUERY_PORT"], "4000");
}

#[tokio::test]
async fn the_same_uuid_takes_its_place_and_goes_out_again() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let first = send(&admin, "application/json", EGG).await.expect(201).id();
    let newer = EGG.replace("Of our own.", "Newer.");
    assert_eq!(send(&admin, "application/json", newer).await.expect(201).id(), first);
    let other = EGG.replace("000000000001", "000000000002");
    assert_ne!(send(&admin, "application/json", other).await.expect(201).id(), first);
    let description = admin.get(&format!("/api/templates/{first}")).await.json["description"].clone();
    assert_eq!(description, "Newer.");
    for (format, kind) in [
        ("ptdl_v2", "application/json"),
        ("plcn_v3", "application/yaml"),
        ("plcn_v3_json", "application/json"),
        ("native", "application/yaml"),
    ] {
        let path = format!("/api/templates/{first}/export?format={format}");
        let file = admin.get(&path).await.expect(200).text;
        assert!(file.contains("Newer.") && file.contains("of_tomorrow"), "{format}: {file}");
        assert_eq!(send(&admin, kind, file).await.expect(201).id(), first, "{format}");
    }
    admin.get(&format!("/api/templates/{first}/export?format=zip")).await.refused(422, "invalid");
    let own = admin.get("/api/templates/minecraft-paper/export").await.expect(200).text;
    assert!(own.contains("template: 1") && own.contains("itzg/minecraft-server"), "{own}");
    admin.delete(&format!("/api/templates/{first}")).await.expect(204);
    admin.get(&format!("/api/templates/{first}")).await.refused(404, "not_found");
    admin.delete(&format!("/api/templates/{first}")).await.refused(404, "not_found");
    admin.delete("/api/templates/any-image").await.refused(409, "conflict");
}

#[tokio::test]
async fn added_templates_outlive_a_restart() {
    let mut panel = Panel::start().await;
    let id = send(&panel.admin(), "application/json", EGG).await.expect(201).id();
    panel.kill().await;
    panel.again().await;
    assert_eq!(panel.admin().get(&format!("/api/templates/{id}")).await.expect(200).json["builtin"], false);
}

#[tokio::test]
async fn what_is_no_template_is_refused() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    send(&admin, "text/html", EGG).await.refused(415, "unsupported_media_type");
    send(&admin, "application/json", "x".repeat((1 << 20) + 1)).await.refused(413, "too_large");
    send(&admin, "application/json", "{\n\"a\": [").await.refused(400, "bad_request");
    send(&admin, "application/yaml", "a: &a [*a, *a]\nb: [".repeat(3)).await.refused(400, "bad_request");
    send(&admin, "application/yaml", "name: x\n").await.refused(422, "invalid");
    let many = (0..10_000).map(|n| format!("{{\"env_variable\": \"V{n}\"}}")).collect::<Vec<_>>().join(",");
    let many =
        format!("{{\"meta\": {{\"version\": \"PTDL_v2\"}}, \"name\": \"x\", \"variables\": [{many}]}}");
    let refused = send(&admin, "application/json", many).await.refused(422, "invalid");
    assert!(refused.field("variables").contains("200"), "{refused:?}");
    let native = "template: 1\nabout:\n  name: A\nimages: []\n";
    let refused = send(&admin, "application/yaml", native).await.refused(422, "invalid");
    assert!(!refused.field("images").is_empty(), "{refused:?}");
}
