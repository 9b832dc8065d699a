//! The image: it contains only the program, and the engine's socket is mounted.

use serde_json::json;

use super::{Gone, image, name, packaging, printed, program};
use crate::harness::{Client, PASSWORD, docker, free_port, seconds, until};

#[tokio::test]
async fn a_panel_in_its_image_runs_games_beside_itself() {
    docker::image().await;
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path()).await;
    let _image = Gone("image", image.clone());
    let volume = Gone("volume", name("data"));
    let panel = Gone("container", name("panel-image"));
    let (port, agents) = (free_port(), free_port());
    let settings = [format!("PORT={port}"), format!("WEBSOCKET_PORT={agents}"), "HEALTH_PORT=off".to_owned()];
    let mount = format!("{}:/data", volume.1);
    let mut args = vec!["run", "-d", "--name", &panel.1, "--network", "host", "-v", &mount];
    args.extend(["-v", "/var/run/docker.sock:/var/run/docker.sock", "--health-interval", "1s"]);
    settings.iter().for_each(|setting| args.extend(["-e", setting]));
    args.push(&image);
    docker::docker(&args).await;
    let ready = async || {
        let (log, runs) = printed(&panel.1).await;
        assert!(runs, "{log}");
        log.contains("Listening on http://").then_some(())
    };
    until("the panel listens", seconds(20), ready).await;
    let at = docker::docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume.1]).await;
    let token = std::fs::read_to_string(format!("{at}/setup-token")).unwrap();
    let address = format!("127.0.0.1:{port}");
    let body = json!({ "setupToken": token.trim(), "username": "admin", "password": PASSWORD });
    let made = Client::new(&address, None).post("/api/setup", body).await.expect(201);
    let admin = Client::new(&address, Some(made.json["token"].as_str().unwrap().to_owned()));
    until("the engine is seen", seconds(20), async || {
        let node = admin.get("/api/nodes/local").await.expect(200).json;
        (node["engine"]["available"] == true).then_some(())
    })
    .await;

    let body = json!({ "name": "A world", "image": docker::BUSYBOX, "startup": "game" });
    let id = admin.post("/api/servers", body).await.expect(201).id();
    let _game = Gone("container", format!("ctrl-alt-play-{id}"));
    let path = format!("/api/servers/{id}");
    let becomes = async |status: &str| {
        until(&format!("it is {status}"), seconds(30), async || {
            (admin.get(&path).await.expect(200).json["status"] == status).then_some(())
        })
        .await;
    };
    becomes("stopped").await;
    admin.post(&format!("{path}/power"), json!({ "action": "start" })).await.expect(202);
    becomes("running").await;
    until("it says that it is ready", seconds(20), async || {
        let console = admin.get(&format!("{path}/console?tail=50")).await.expect(200).json;
        console["lines"].as_array()?.iter().any(|line| line["text"] == "Ready").then_some(())
    })
    .await;
    admin.post(&format!("{path}/power"), json!({ "action": "stop" })).await.expect(202);
    becomes("stopped").await;
    let folder = format!("{at}/servers/{id}");
    assert!(std::fs::read_to_string(format!("{folder}/world.txt")).unwrap().starts_with("saved"));
    assert_eq!(admin.get(&path).await.expect(200).json["dataDir"], folder.as_str());
    until("the engine finds the panel healthy", seconds(20), async || {
        let health = docker::docker(&["inspect", "-f", "{{.State.Health.Status}}", &panel.1]).await;
        (health == "healthy").then_some(())
    })
    .await;
    // SIGTERM as process 1.
    docker::docker(&["stop", "-t", "20", &panel.1]).await;
    let (log, _) = printed(&panel.1).await;
    assert!(log.ends_with("false 0"), "{log}");
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let file = folder.path().join(name);
        packaging(
            "image/make",
            &["1.2.3", "amd64", program().to_str().unwrap(), "1700000000", file.to_str().unwrap()],
        );
        std::fs::read(file).unwrap()
    };
    assert!(make("a") == make("b"), "two images differ");
}
