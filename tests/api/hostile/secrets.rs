//! Secrets are stored in one file each, as a hash, or not at all, and never leak.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::harness::{Answer, Client, Live, PASSWORD, Panel, binary, docker, raw, seconds, until};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(files(&entry.path()));
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Uses each kind of secret in right and wrong ways, and collects the responses, which must not contain them.
async fn use_all(panel: &Panel, setup: &str, agent: &str) -> (BTreeMap<&'static str, String>, Vec<Answer>) {
    let mut secrets = BTreeMap::new();
    let mut answers = Vec::new();
    let nobody = panel.anonymous();
    for body in [
        json!({ "setupToken": "canary-wrong-setup-token", "username": "admin", "password": PASSWORD }),
        json!({ "setupToken": setup, "username": "admin", "password": ["canary-in-a-list"] }),
        json!({ "setupToken": setup, "username": "a b", "password": "canary-beside-a-bad-name" }),
    ] {
        answers.push(nobody.post("/api/setup", body).await);
    }
    let body = json!({ "setupToken": setup, "username": "admin", "password": "canary-first-password" });
    let made = nobody.post("/api/setup", body).await.expect(201);
    let admin = Client::new(&panel.address, made.json["token"].as_str().map(Into::into));
    secrets.insert("first session", admin.token.clone().unwrap());
    let node = admin.post("/api/nodes", json!({ "id": "attic" })).await.expect(201);
    secrets.insert("node secret", node.json["secret"].as_str().unwrap().to_owned());

    let user = json!({ "username": "jo", "password": "canary-users-password", "role": "user" });
    answers.push(admin.post("/api/users", user.clone()).await.expect(201));
    answers.push(admin.post("/api/users", user).await.expect(409));
    let odd = json!({ "username": "eve", "password": "canary-with-a-bad-role", "role": "owner" });
    answers.push(admin.post("/api/users", odd).await.expect(422));
    for body in [
        json!({ "username": "jo", "password": "canary-wrong-password" }),
        json!({ "username": "canary-password-as-name", "password": "x" }),
        json!({ "username": ["canary-name-in-a-list"], "password": { "canary-key": 1 } }),
    ] {
        let answer = nobody.post("/api/session", body).await;
        if !answer.text.contains("canary-key") {
            answers.push(answer);
        }
    }
    let cut = nobody
        .request(Method::POST, "/api/session")
        .header("content-type", "application/json")
        .body("{\"username\": \"jo\", \"password\": \"canary-cut-off");
    answers.push(nobody.send(cut).await.expect(400));
    let login = json!({ "username": "jo", "password": "canary-users-password" });
    let jo = nobody.post("/api/session", login).await.expect(200);
    let jo = Client::new(&panel.address, jo.json["token"].as_str().map(Into::into));
    secrets.insert("second session", jo.token.clone().unwrap());
    for current in ["canary-not-the-current-one", "canary-users-password"] {
        let body = json!({ "current": current, "new": "canary-changed-password" });
        answers.push(jo.put("/api/me/password", body).await);
    }
    answers.push(jo.get(&format!("/api/me?token={}", admin.token.clone().unwrap())).await);
    answers.push(admin.get("/api/users").await.expect(200));
    answers.push(admin.get("/api/nodes").await.expect(200));
    answers.push(admin.get("/api/me/sessions").await.expect(200));
    answers.push(admin.get("/api/status").await.expect(200));
    let mut live = Live::open(&admin).await;
    live.subscribe(&["nodes", "status", "servers"]).await;
    let mut topics = Vec::new();
    while topics.len() < 3 {
        let seen: Value = live.next(seconds(10)).await.expect("open");
        let topic = seen["topic"].as_str().unwrap().to_owned();
        assert!(!seen.to_string().contains("canary"), "{seen}");
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    for secret in [agent, secrets["node secret"].as_str(), "canary-wrong-agent-secret"] {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {secret}\r\nX-Node-Id: pi\r\n\r\n"
        );
        raw::exchange_head(&panel.agents_address(), request.as_bytes(), seconds(5)).await;
    }
    let mut child = tokio::process::Command::new(binary())
        .args(["user", "password", "jo"])
        .env("DATA_DIR", panel.folder())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"canary-set-on-the-machine\n").await.unwrap();
    assert!(child.wait().await.unwrap().success());
    (secrets, answers)
}

#[tokio::test]
async fn no_secret_is_in_the_log_an_answer_or_another_file() {
    let (jwt, agent) = ("canary-jwt-secret-0123456789abcdef", "canary-agent-secret-0123456789");
    let mut panel = Panel::builder()
        .env("JWT_SECRET", jwt)
        .env("AGENT_SECRET", agent)
        .env("LOG_LEVEL", "trace")
        .fresh()
        .await;
    let setup = panel.setup_token();
    let (mut secrets, answers) = use_all(&panel, &setup, agent).await;
    // Only the signature makes a token secret. The rest is not, and the id in it is stored.
    for token in ["first session", "second session"] {
        let signature = secrets[token].rsplit('.').next().unwrap().to_owned();
        secrets.insert(token, signature);
    }
    for answer in &answers {
        let shown = format!("{:?} {}", answer.headers, answer.text);
        assert!(!shown.contains("canary-"), "{answer:#?}");
        assert!(!shown.contains("argon2") && !shown.contains(&secrets["node secret"]), "{answer:#?}");
    }
    assert!(panel.stop().await.success());
    // The setup link is printed for the user who starts the panel. Nothing else may contain the token.
    let log: String =
        panel.log().lines().filter(|line| !line.contains("/setup#token=")).collect::<Vec<_>>().join("\n");
    // The log must not contain the username of a failed sign-in either: it may be a password in the wrong field.
    let canaries: Vec<_> = log.lines().filter(|line| line.contains("canary-")).collect();
    assert!(canaries.is_empty(), "{canaries:#?}");
    for (what, secret) in &secrets {
        assert!(!log.contains(secret), "{what} in the log");
    }
    assert!(!log.contains(&setup), "the setup token in the log");
    secrets.insert("setup token", setup);
    for file in files(panel.folder()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!holds(&bytes, "canary-"), "a secret in {}", file.display());
        for (what, secret) in &secrets {
            assert!(!holds(&bytes, secret), "{what} in {}", file.display());
        }
    }
}

#[tokio::test]
async fn what_is_kept_is_for_the_owner_alone() {
    let panel = Panel::start().await;
    super::server(&panel.admin(), "World").await;
    let mut wrong = Vec::new();
    let mut seen = 0;
    let mut folders = vec![panel.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        let mode = folder.metadata().unwrap().permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            wrong.push(format!("{} is {mode:04o}", folder.display()));
        }
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let data = std::fs::symlink_metadata(entry.path()).unwrap();
            seen += 1;
            if data.is_dir() {
                // Files in a server's own folder belong to the game.
                if folder.file_name().is_none_or(|name| name != "servers") {
                    folders.push(entry.path());
                }
            } else if data.permissions().mode() & 0o177 != 0 {
                wrong.push(format!(
                    "{} is {:04o}",
                    entry.path().display(),
                    data.permissions().mode() & 0o7777
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 4, "files were seen");
    // The key that signs sessions is in its own file, and nowhere else.
    let kept = files(&panel.folder().join("secrets"));
    assert!(!kept.is_empty());
    for file in kept {
        let secret = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        let others: Vec<_> = files(panel.folder())
            .into_iter()
            .filter(|other| *other != file && holds(&std::fs::read(other).unwrap_or_default(), &secret))
            .collect();
        assert!(others.is_empty(), "{} is also in {others:?}", file.display());
        assert!(!panel.log().contains(&secret), "{} is in the log", file.display());
    }
}

#[tokio::test]
async fn a_container_knows_no_secret_of_ours() {
    let panel = Panel::builder().env("AGENT_SECRET", "canary-agent-secret-0123456789").fresh().await;
    let setup = panel.setup_token();
    let body = json!({ "setupToken": setup, "username": "admin", "password": PASSWORD });
    let made = panel.anonymous().post("/api/setup", body).await.expect(201);
    let admin = Client::new(&panel.address, made.json["token"].as_str().map(Into::into));
    let node = admin.post("/api/nodes", json!({ "id": "attic" })).await.expect(201);
    let id = super::server(&admin, "World").await;
    let path = format!("/api/servers/{id}");
    until("it is installed", seconds(20), async || {
        (admin.get(&path).await.expect(200).json["status"] == "stopped").then_some(())
    })
    .await;
    admin.post(&format!("{path}/power"), json!({ "action": "start" })).await.expect(202);
    let container = until("its container runs", seconds(20), async || {
        docker::inspect(&id).await.filter(|container| container["State"]["Running"] == true)
    })
    .await
    .to_string();
    let mut secrets = vec![
        setup,
        admin.token.clone().unwrap(),
        node.json["secret"].as_str().unwrap().to_owned(),
        "canary-agent-secret".to_owned(),
        PASSWORD.to_owned(),
        "docker.sock".to_owned(),
        panel.folder().join("secrets").display().to_string(),
    ];
    let kept = files(&panel.folder().join("secrets"));
    assert!(!kept.is_empty());
    secrets.extend(kept.iter().map(|file| std::fs::read_to_string(file).unwrap().trim().to_owned()));
    for secret in &secrets {
        assert!(!container.contains(secret.as_str()), "{secret} in {container}");
    }
    admin.delete(&path).await.expect(204);
    assert!(docker::inspect(&id).await.is_none());
}
