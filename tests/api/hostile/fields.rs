//! Fields that no body may contain: options of the container engine, and fields that would grant more rights.

use serde_json::{Value, json};

use super::{server, state};
use crate::harness::{PASSWORD, Panel, docker};

/// Keys of the engine's API, in its spelling and in other ones.
fn engine_words() -> Vec<(&'static str, Value)> {
    vec![
        ("privileged", json!(true)),
        ("Privileged", json!(true)),
        ("cap_add", json!(["SYS_ADMIN"])),
        ("capAdd", json!(["ALL"])),
        ("CapAdd", json!(["ALL"])),
        ("devices", json!(["/dev/sda"])),
        ("Devices", json!([{ "PathOnHost": "/dev/mem" }])),
        ("deviceRequests", json!([])),
        ("binds", json!(["/:/host"])),
        ("Binds", json!(["/:/host"])),
        ("volumes", json!(["/:/host"])),
        ("mounts", json!([{ "type": "bind", "source": "/", "target": "/host" }])),
        (
            "Mounts",
            json!([{ "Type": "volume", "VolumeOptions": { "DriverConfig": { "Name": "local",
                "Options": { "type": "none", "o": "bind", "device": "/" } } } }]),
        ),
        ("pid_mode", json!("host")),
        ("PidMode", json!("host")),
        ("ipcMode", json!("host")),
        ("usernsMode", json!("host")),
        ("network_mode", json!("host")),
        ("networkMode", json!("container:other")),
        ("NetworkMode", json!("host")),
        ("security_opt", json!(["seccomp=unconfined"])),
        ("SecurityOpt", json!(["apparmor=unconfined"])),
        ("sysctls", json!({ "kernel.msgmax": "1" })),
        ("runtime", json!("runc")),
        ("cgroupParent", json!("/")),
        ("user", json!("0:0")),
        ("User", json!("root")),
        ("dataPath", json!("/etc")),
        ("dataDir", json!("/")),
        ("HostConfig", json!({ "Privileged": true })),
        ("config", json!({ "privileged": true })),
        ("__proto__", json!({ "privileged": true })),
    ]
}

#[tokio::test]
async fn nothing_of_the_engines_call_can_be_said() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let id = server(&admin, "World").await;
    let before = state(&admin).await;
    let mut wrong = Vec::new();
    let patch = format!("/api/servers/{id}");
    for (word, value) in engine_words() {
        let made = json!({ "name": "a", "image": docker::BUSYBOX });
        let port = json!({ "internal": 1000, "external": 41000, "protocol": "tcp" });
        for (within, field) in [
            ("", word.to_owned()),
            ("limits", format!("limits.{word}")),
            ("ports", format!("ports.0.{word}")),
        ] {
            let put = |mut body: Value| {
                match within {
                    "" => body[word] = value.clone(),
                    "limits" => body["limits"] = json!({ word: value }),
                    _ => {
                        let mut port = port.clone();
                        port[word] = value.clone();
                        body["ports"] = json!([port]);
                    }
                }
                body
            };
            for (call, answer) in [
                ("create", admin.post("/api/servers", put(made.clone())).await),
                ("preview", admin.post("/api/servers/preview", put(made.clone())).await),
                ("change", admin.patch(&patch, put(json!({}))).await),
            ] {
                let fields = answer.json["error"]["fields"].as_object().cloned().unwrap_or_default();
                let named = fields.keys().any(|key| key.replace('[', ".").replace(']', "") == field);
                if answer.status != 422 || !named {
                    wrong.push(format!("{call} with {field}: {} {}", answer.status, answer.text));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for image in [
        "x --privileged",
        "x -v /:/host",
        "--privileged",
        "-x",
        "x\ny",
        "x\0",
        "../x",
        "/etc/passwd",
        "file:///etc/passwd",
        "http://169.254.169.254/",
        "x@sha256:short",
        "X Y",
        "$(id)",
        "`id`",
        "{{config.token}}",
    ] {
        for answer in [
            admin.post("/api/servers", json!({ "name": "a", "image": image })).await,
            admin.patch(&patch, json!({ "image": image })).await,
        ] {
            let answer = answer.refused(422, "invalid");
            assert!(!answer.field("image").is_empty(), "{image:?} {answer:?}");
        }
    }
    assert_eq!(state(&admin).await, before);
    admin.delete(&patch).await.expect(204);
}

#[tokio::test]
async fn nobody_makes_themselves_more_than_they_are() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let id = server(&admin, "World").await;
    let jo = panel.user("jo").await;
    let me = jo.get("/api/me").await.id();
    let path = format!("/api/servers/{id}");
    let grant = format!("{path}/users/{me}");
    admin
        .put(&grant, json!({ "permissions": ["view", "console", "power", "files", "startup", "configure"] }))
        .await
        .expect(204);
    let before = state(&admin).await;
    let grants = admin.get(&format!("{path}/users")).await.expect(200).json;
    for (field, value) in [
        ("id", json!("other")),
        ("role", json!("admin")),
        ("owner", json!(me)),
        ("ownerId", json!(me)),
        ("owner_id", json!(me)),
        ("user", json!(me)),
        ("nodeId", json!("local")),
        ("node_id", json!("local")),
        ("templateId", json!("any-image")),
        ("permissions", json!(["view", "delete"])),
        ("status", json!("running")),
        ("createdAt", json!("2020-01-01T00:00:00Z")),
    ] {
        let answer = jo.patch(&path, json!({ field: value })).await.refused(422, "invalid");
        assert!(!answer.field(field).is_empty(), "{field} {answer:?}");
    }
    for (field, value) in [("role", json!("admin")), ("userId", json!("x")), ("username", json!("admin"))] {
        let mut body = json!({ "current": PASSWORD, "new": "a whole new one" });
        body[field] = value.clone();
        jo.put("/api/me/password", body).await.refused(422, "invalid");
        let mut body = json!({ "username": "jo", "password": PASSWORD, "role": "admin" });
        body[field] = value;
        panel.anonymous().post("/api/session", body).await.refused(422, "invalid");
    }
    jo.patch(&format!("/api/users/{me}"), json!({ "role": "admin" })).await.refused(403, "forbidden");
    jo.post("/api/users", json!({ "username": "eve", "password": PASSWORD, "role": "admin" }))
        .await
        .refused(403, "forbidden");
    jo.put(&grant, json!({ "permissions": ["view"] })).await.refused(403, "forbidden");
    jo.delete(&grant).await.refused(403, "forbidden");
    assert_eq!(jo.get("/api/me").await.expect(200).json["role"], "user");
    assert_eq!(state(&admin).await, before);
    assert_eq!(admin.get(&format!("{path}/users")).await.json, grants);
    // Not even an administrator can send them: no field moves a server or invents a role.
    admin.patch(&path, json!({ "nodeId": "local" })).await.refused(422, "invalid");
    admin.patch(&format!("/api/users/{me}"), json!({ "role": "root" })).await.refused(422, "invalid");
    admin.put(&grant, json!({ "permissions": ["delete"] })).await.refused(422, "invalid");
    admin.delete(&path).await.expect(204);
}
