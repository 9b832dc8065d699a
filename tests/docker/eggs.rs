//! A real game from an egg: imported, created, installed with an image like the public ones, configured, played,
//! stopped.

use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::process::Command;

use super::game::Game;
use crate::harness::{Panel, docker, free_port, seconds, until};

/// An image like the public ones: the user `container`, and an entrypoint that lets a shell expand `STARTUP`.
const IMAGE: &str = "cap-test/egg:latest";
/// Debian's OpenArena, from which the install script copies the game.
const INSTALLER: &str = "cap-test/openarena:latest";

const ENTRYPOINT: &str = r#"#!/bin/sh
cd /home/container
MODIFIED_STARTUP=$(echo ${STARTUP} | sed -e 's/{{/${/g' -e 's/}}/}/g')
echo ":/home/container$ ${MODIFIED_STARTUP}"
eval ${MODIFIED_STARTUP}
"#;

const INSTALL: &str = "#!/bin/ash\r\n\
    set -e\r\n\
    cd /mnt/server\r\n\
    echo \"Installing the map ${MAP}\"\r\n\
    [ \"$MAP\" != none ] || { echo 'There is no such map.'; exit 4; }\r\n\
    mkdir -p game lib\r\n\
    cp -r /usr/lib/openarena-server/. game/\r\n\
    cp /usr/lib/ioquake3/ioq3ded ioq3ded\r\n\
    cp -r /lib/. lib/\r\n\
    ln -sf lib/$(basename $(ls lib/ld-linux*)) ld.so\r\n\
    [ -e game/baseoa/server.cfg ] || printf '// ours\\nset sv_hostname \"nobody\"\\nset g_motd \"kept\"\\n' > game/baseoa/server.cfg\r\n";

const STARTUP: &str = "exec ./ld.so --library-path ./lib ./ioq3ded +set com_basegame baseoa +set fs_basepath \
    /home/container/game +set com_homepath .openarena +set com_legacyprotocol 71 +set com_protocol 71 +set sv_master1 \
    \"\" +set sv_pure 0 +set dedicated 1 +set ttycon 0 +set net_port {{SERVER_PORT}} +exec server.cfg +map {{MAP}}";

/// Builds the images if they do not exist.
async fn images() {
    docker::image().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/make");
    let made = Command::new("bash").args([script, "openarena"]).stdout(Stdio::null()).status().await.unwrap();
    assert!(made.success());
    static ONCE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    ONCE.get_or_init(|| async {
        let folder = tempfile::tempdir().unwrap();
        let entrypoint = folder.path().join("entrypoint.sh");
        std::fs::write(&entrypoint, ENTRYPOINT).unwrap();
        let id = docker::docker(&["create", docker::BUSYBOX]).await;
        docker::docker(&["cp", entrypoint.to_str().unwrap(), &format!("{id}:/entrypoint.sh")]).await;
        let changes = [
            "USER container",
            "ENV USER=container HOME=/home/container",
            "CMD [\"/bin/sh\", \"/entrypoint.sh\"]",
        ];
        let mut commit = vec!["commit"];
        commit.extend(changes.iter().flat_map(|change| ["--change", change]));
        commit.extend([id.as_str(), IMAGE]);
        docker::docker(&commit).await;
        docker::docker(&["rm", &id]).await;
    })
    .await;
}

fn egg() -> Value {
    json!({
        "meta": {"version": "PTDL_v2"}, "uuid": "0f4b0c1e-0000-4000-8000-00000000aaaa",
        "name": "OpenArena", "description": "Of Debian.", "features": null,
        "docker_images": {"As public ones": IMAGE},
        "startup": STARTUP,
        "config": {
            "files": json!({"game/baseoa/server.cfg": {"parser": "file", "find": {
                "set sv_hostname": "set sv_hostname \"{{server.build.env.SERVER_NAME}}\"",
            }}}).to_string(),
            "startup": json!({"done": ["never said", "AAS initialized"]}).to_string(),
            "logs": "{}", "stop": "quit",
        },
        "scripts": {"installation": {"script": INSTALL, "container": INSTALLER, "entrypoint": "ash"}},
        "variables": [
            {"name": "Name", "env_variable": "SERVER_NAME", "default_value": "A quiet place", "user_viewable": true, "user_editable": true, "rules": "required|max:40"},
            {"name": "Map", "env_variable": "MAP", "default_value": "oa_dm1", "user_viewable": true, "user_editable": true, "rules": "required|alpha_dash"},
        ],
    })
}

async fn made(panel: &Panel, port: u16, map: &str) -> Game {
    images().await;
    let admin = panel.admin();
    let request = admin.request(Method::POST, "/api/templates").header("content-type", "application/json");
    let template = admin.send(request.body(egg().to_string())).await.expect(201).id();
    let body = json!({
        "name": "Arena", "templateId": template, "environment": {"MAP": map},
        "ports": [{"internal": port, "external": port, "protocol": "udp"}],
    });
    let preview = admin.post("/api/servers/preview", body.clone()).await.expect(200).json;
    let told = &preview["template"];
    assert_eq!(told["installImage"], INSTALLER, "{preview:#}");
    assert!(
        told["command"]
            .as_str()
            .unwrap()
            .ends_with(&format!("+set net_port {port} +exec server.cfg +map {map}"))
    );
    assert_eq!(told["environment"]["STARTUP"], STARTUP);
    assert_eq!(told["configFiles"][0]["set"][0]["value"], "set sv_hostname \"A quiet place\"");
    Game::ask(panel, body).await
}

/// Sends a status query as a game client. Returns the response.
async fn info(port: u16) -> Option<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(b"\xff\xff\xff\xffgetinfo xxx", ("127.0.0.1", port)).await.unwrap();
    let mut answer = [0; 2048];
    let read = tokio::time::timeout(seconds(1), socket.recv(&mut answer)).await.ok()?.ok()?;
    Some(String::from_utf8_lossy(&answer[..read]).into_owned())
}

#[tokio::test]
async fn an_egg_becomes_a_game_that_is_played() {
    let panel = Panel::start().await;
    let port = free_port();
    let game = made(&panel, port, "oa_dm1").await;
    game.becomes("stopped", seconds(60)).await;
    game.says("Installing the map oa_dm1", seconds(5)).await;
    let log = game.admin.get(&game.path("/install-log")).await.expect(200);
    assert!(log.text.contains("Installing the map oa_dm1"), "{}", log.text);
    assert_eq!(log.header("content-disposition"), "attachment; filename=\"install.log\"");
    assert_eq!(log.header("x-content-type-options"), "nosniff");
    game.start().await;
    game.says("Config files: set game/baseoa/server.cfg.", seconds(5)).await;
    game.says("AAS initialized", seconds(5)).await;
    let told = until("the game answers", seconds(20), || async { info(port).await }).await;
    assert!(told.contains("A quiet place"), "the name of its config file: {told}");
    let cfg = std::fs::read_to_string(game.file(&panel, "game/baseoa/server.cfg")).unwrap();
    assert!(cfg.starts_with("// ours\nset sv_hostname \"A quiet place\"\nset g_motd \"kept\"\n"), "{cfg}");
    game.power("stop").await.expect(202);
    let view = game.becomes("stopped", seconds(20)).await;
    assert_eq!(view["exitCode"], 0, "{view}");
}

#[tokio::test]
async fn what_failed_to_install_says_why_and_is_tried_again() {
    let panel = Panel::start().await;
    let game = made(&panel, free_port(), "none").await;
    let view = game.becomes("install_failed", seconds(60)).await;
    assert_eq!(view["statusReason"], "The install script ended with code 4: There is no such map.");
    assert_eq!(view["exitCode"], 4);
    let change = json!({ "environment": { "MAP": "oa dm1", "SERVER_NAME": "x" } });
    let refused = game.admin.patch(&game.path(""), change).await.refused(422, "invalid");
    assert!(!refused.field("environment.MAP").is_empty());
    let change = json!({ "environment": { "MAP": "oa_dm2", "SERVER_NAME": "Second" } });
    game.admin.patch(&game.path(""), change).await.expect(200);
    let answer = game.power("start").await.expect(202);
    assert_eq!(answer.json["status"], "installing");
    game.becomes("running", seconds(60)).await;
    game.admin.post(&game.path("/reinstall"), json!({ "wipe": true })).await.refused(409, "already_running");
    game.power("kill").await.expect(202);
    game.becomes("stopped", seconds(20)).await;
    std::fs::write(game.file(&panel, "mine.txt"), "x").unwrap();
    game.admin.post(&game.path("/reinstall"), json!({})).await.expect(202);
    game.becomes("stopped", seconds(60)).await;
    assert!(game.file(&panel, "mine.txt").exists());
    game.admin.post(&game.path("/reinstall"), json!({ "wipe": true })).await.expect(202);
    game.becomes("stopped", seconds(60)).await;
    assert!(!game.file(&panel, "mine.txt").exists() && game.file(&panel, "ioq3ded").exists());
}
