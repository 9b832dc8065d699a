//! Pulling an image: progress, failure, cancellation, and retry.

use serde_json::json;

use super::game::{Game, body};
use super::registry::Registry;
use crate::harness::{Panel, docker, seconds, until};

/// Nothing listens on this address, and no earlier run left such an image.
fn absent() -> String {
    format!("127.0.0.1:{}/nosuch/image:{:08x}", crate::harness::free_port(), rand::random::<u32>())
}

/// Another tag of the busybox image, removed when this is dropped.
struct Tag(String);

impl Tag {
    async fn new(name: &str) -> Self {
        docker::docker(&["tag", docker::BUSYBOX, name]).await;
        Self(name.to_owned())
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args(["rmi", "-f", &self.0]).output();
    }
}

#[tokio::test]
async fn an_absent_image_is_a_failed_install_with_its_reason() {
    let panel = Panel::start().await;
    let image = absent();
    let game = Game::ask(&panel, body("game", &json!({ "image": image }))).await;
    let view = game.becomes("install_failed", seconds(30)).await;
    let reason = view["statusReason"].as_str().unwrap_or_default();
    assert!(reason.len() > 10, "a reason for a person: {view}");
    assert!(docker::inspect(&game.id).await.is_none(), "no container is made for it");

    // A start pulls again, and fails again.
    assert_eq!(game.power("start").await.expect(202).json["status"], "starting");
    game.shows("it failed again", seconds(30), |view| view["status"] == "install_failed").await;
    game.power("stop").await.refused(409, "not_running");

    // The image appears, so the next attempt succeeds.
    let _tag = Tag::new(&image).await;
    let retried = game.admin.post(&game.path("/install"), json!({})).await;
    let stopped = async || (game.status().await == "stopped").then_some(());
    until("installed", seconds(20), stopped).await;
    assert_eq!(retried.expect(202).json["status"], "installing");
    assert!(
        game.view().await.get("statusReason").is_none_or(serde_json::Value::is_null),
        "the old reason is gone"
    );
}

#[tokio::test]
async fn a_start_after_a_failed_install_fetches_and_runs() {
    let panel = Panel::start().await;
    let image = absent();
    let game = Game::ask(&panel, body("game", &json!({ "image": image }))).await;
    game.becomes("install_failed", seconds(30)).await;
    let _tag = Tag::new(&image).await;
    game.power("start").await.expect(202);
    game.shows("it runs", seconds(20), |view| view["status"] == "running").await;
}

#[tokio::test]
async fn another_image_is_fetched_at_the_next_start() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    game.admin.patch(&game.path(""), json!({ "image": absent() })).await.expect(200);
    game.power("start").await.expect(202);
    let view = game
        .shows("the start failed", seconds(30), |view| {
            matches!(view["status"].as_str(), Some("install_failed" | "crashed" | "stopped"))
                && view["statusReason"].as_str().is_some_and(|reason| reason.len() > 10)
        })
        .await;
    assert_eq!(view["status"], "install_failed", "{view}");
    game.admin.patch(&game.path(""), json!({ "image": docker::BUSYBOX })).await.expect(200);
    game.start().await;
}

/// Every file below a folder that contains this text.
fn holding(folder: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let output = std::process::Command::new("grep").args(["-rlaF", text]).arg(folder).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(Into::into).collect()
}

#[tokio::test]
async fn a_private_image_takes_the_login_that_is_kept() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let registry = Registry::giving(1, seconds(0)).await;
    registry.ask_for(Some(("me", "t0p+s3cret/?")));
    let image = registry.image("game");
    let settings = json!({ "image": image, "name": "private" });
    let preview = async || {
        let preview = admin.post("/api/servers/preview", settings.clone()).await.expect(200).json;
        let codes: Vec<_> =
            preview["warnings"].as_array().unwrap().iter().map(|one| one["code"].clone()).collect();
        (preview["imageArchitectures"].clone(), codes)
    };
    let (none, codes) = preview().await;
    assert!(none == json!([]) && codes.contains(&json!("image_unavailable")), "{codes:?}");
    let game = Game::ask(&panel, body("game", &json!({ "image": image }))).await;
    let view = game.becomes("install_failed", seconds(30)).await;
    let reason = view["statusReason"].as_str().unwrap_or_default();
    assert!(reason.contains("login") || reason.contains("not public"), "{reason}");

    let login = |secret: &str| json!({ "host": registry.host(), "username": "me", "secret": secret });
    admin.post("/api/registries", login("t0p+s3cret/?")).await.expect(201);
    game.admin.post(&game.path("/install"), json!({})).await.expect(202);
    let stopped = async || (game.status().await == "stopped").then_some(());
    until("installed with the login", seconds(20), stopped).await;

    // Present and unchanged: nothing newer. Then the registry gets another image.
    let told = admin.get(&game.path("/image")).await.expect(200).json;
    assert_eq!(
        (&told["present"], &told["newer"], &told["problem"]),
        (&json!(true), &json!(false), &json!(null))
    );
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    assert_eq!(told["architectures"], json!([arch]));

    let kept = holding(panel.folder(), "t0p+s3cret/?");
    assert!(kept.iter().all(|file| file.to_string_lossy().contains("panel.redb")), "{kept:?}");
    assert!(!kept.is_empty(), "the search finds nothing at all");
    assert!(!panel.log().contains("s3cret"), "the log tells it");
}

#[tokio::test]
async fn an_image_for_another_cpu_is_told_before_it_is_fetched() {
    let panel = Panel::start().await;
    let foreign = if cfg!(target_arch = "aarch64") { "amd64" } else { "arm64" };
    let registry = Registry::giving_for(foreign, 1, seconds(0)).await;
    let settings = json!({ "image": registry.image("game"), "name": "foreign" });
    let preview = panel.admin().post("/api/servers/preview", settings).await.expect(200).json;
    assert_eq!(preview["imageArchitectures"], json!([foreign]));
    let warned =
        preview["warnings"].as_array().unwrap().iter().find(|one| one["code"] == "image_architecture");
    assert!(warned.unwrap()["message"].as_str().unwrap().contains(foreign), "{preview}");
}

#[tokio::test]
async fn a_fetch_can_be_cancelled() {
    let panel = Panel::start().await;
    let registry = Registry::stalling().await;
    let game = Game::ask(&panel, body("game", &json!({ "image": registry.image("slow") }))).await;
    registry.is_asked().await;
    game.becomes("installing", seconds(10)).await;
    game.admin.delete(&game.path("/install")).await.expect(204);
    let view = game.becomes("install_failed", seconds(5)).await;
    let reason = view["statusReason"].as_str().unwrap_or_default().to_lowercase();
    assert!(reason.contains("cancel"), "{view}");
    // The canceled pull leaves nothing behind: the next one starts from the beginning.
    game.admin.post(&game.path("/install"), json!({})).await.expect(202);
    game.becomes("installing", seconds(5)).await;
    game.admin.delete(&game.path("/install")).await.expect(204);
    game.becomes("install_failed", seconds(5)).await;
    // No installation is running.
    let nothing = game.admin.delete(&game.path("/install")).await;
    assert!(matches!(nothing.status, 204 | 409), "{nothing:?}");
}

#[tokio::test]
async fn a_fetch_shows_how_far_it_is() {
    let panel = Panel::start().await;
    let registry = Registry::giving(8, seconds(4)).await;
    let game = Game::ask(&panel, body("game", &json!({ "image": registry.image("game") }))).await;
    let mut seen = Vec::new();
    until("it is fetched", seconds(40), async || {
        let view = game.view().await;
        if let Some(percent) = view["progress"]["percent"].as_f64() {
            assert!((0.0..=100.0).contains(&percent), "{view}");
            assert!(view["progress"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{view}");
            if seen.last() != Some(&percent) {
                seen.push(percent);
            }
        }
        assert_ne!(view["status"], "install_failed", "{view}");
        (view["status"] == "stopped").then_some(())
    })
    .await;
    let between = seen.iter().filter(|percent| (1.0..100.0).contains(*percent)).count();
    assert!(between >= 3, "steps between nothing and all: {seen:?}");
    assert!(seen.is_sorted(), "it never goes back: {seen:?}");
    let view = game.view().await;
    assert!(view.get("progress").is_none_or(serde_json::Value::is_null), "{view}");
}

#[tokio::test]
async fn one_that_is_being_fetched_can_be_removed() {
    let panel = Panel::start().await;
    let registry = Registry::stalling().await;
    let game = Game::ask(&panel, body("game", &json!({ "image": registry.image("slow") }))).await;
    registry.is_asked().await;
    game.becomes("installing", seconds(10)).await;
    game.admin.delete(&game.path("")).await.expect(204);
    game.admin.get(&game.path("")).await.refused(404, "not_found");
}
