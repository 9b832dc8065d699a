//! Jumps of the system clock.

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::{Panel, seconds, until};

/// Path of Debian's `libfaketime` on this architecture.
pub(crate) fn library() -> String {
    let found = std::fs::read_dir("/usr/lib").unwrap().flatten().find_map(|entry| {
        let path = entry.path().join("faketime/libfaketime.so.1");
        path.exists().then_some(path)
    });
    found.expect("Debian's package faketime is installed").to_str().unwrap().to_owned()
}

/// A clock that the test can change while the panel runs.
pub(crate) struct Clock {
    file: tempfile::NamedTempFile,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let this = Self { file: tempfile::NamedTempFile::new().unwrap() };
        this.set("+0");
        this
    }

    pub(crate) fn set(&self, offset: &str) {
        std::fs::write(self.file.path(), format!("{offset}\n")).unwrap();
    }

    /// Changes the wall clock only: a real jump does not affect the monotonic clock either.
    pub(crate) async fn panel(&self) -> Panel {
        Panel::builder()
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", self.file.path().to_str().unwrap())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .start()
            .await
    }
}

fn fine(panel: &Panel) {
    assert!(!panel.log().contains("panicked"), "{}", panel.log());
}

fn day(view: &Value, key: &str) -> i64 {
    view[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second() / 86_400
}

#[tokio::test]
async fn a_jump_of_a_day_ends_nobody_s_session_and_nothing_else() {
    let clock = Clock::new();
    let panel = clock.panel().await;
    let game = Game::running(&panel, "game").await;
    let today = jiff::Timestamp::now().as_second() / 86_400;
    assert_eq!(day(&game.view().await, "createdAt"), today);
    for offset in ["+1d", "-1d", "+0"] {
        clock.set(offset);
        panel.admin().get("/api/me").await.expect(200);
        let second = panel.sign_in("admin").await;
        second.get("/api/servers").await.expect(200);
        second.delete("/api/session").await.expect(204);
        let view = game.becomes("running", seconds(5)).await;
        assert_eq!(view["status"], "running");
        game.command(&format!("clock {offset}")).await;
        game.says(&format!("You said: clock {offset}"), seconds(5)).await;
        panel.anonymous().get("/health").await.expect(200);
        fine(&panel);
    }
    clock.set("+1d");
    game.power("restart").await.expect(202);
    game.becomes("stopping", seconds(5)).await;
    game.becomes("running", seconds(30)).await;
    clock.set("-1d");
    game.power("stop").await.expect(202);
    let view = game.becomes("stopped", seconds(20)).await;
    assert_eq!(view["exitCode"], 0, "{view}");
    fine(&panel);
}

#[tokio::test]
async fn a_session_ends_after_a_week_unused_and_comes_back_by_no_jump() {
    let clock = Clock::new();
    let panel = clock.panel().await;
    clock.set("+6d");
    panel.admin().get("/api/me").await.expect(200);
    clock.set("+14d");
    panel.admin().get("/api/me").await.refused(401, "unauthenticated");
    clock.set("+0");
    let back = panel.admin().get("/api/me").await;
    assert!(matches!(back.status, 200 | 401), "{back:?}");
    let fresh = panel.sign_in("admin").await;
    clock.set("+31d");
    fresh.get("/api/me").await.refused(401, "unauthenticated");
    panel.sign_in("admin").await;
    fine(&panel);
}

#[tokio::test]
async fn a_token_from_the_future_gets_nobody_further_than_a_sign_in() {
    let clock = Clock::new();
    clock.set("+1d");
    let mut panel = clock.panel().await;
    panel.admin().get("/api/me").await.expect(200);
    clock.set("-1d");
    panel.kill().await;
    panel.again().await;
    let answer = panel.admin().get("/api/me").await;
    assert!(matches!(answer.status, 200 | 401), "{answer:?}");
    let admin = panel.sign_in("admin").await;
    admin.get("/api/me").await.expect(200);
    let sessions = admin.get("/api/me/sessions").await.expect(200).json;
    assert!(!sessions.as_array().unwrap().is_empty());
    fine(&panel);
}

#[tokio::test]
async fn throttling_and_uptime_count_real_seconds() {
    let clock = Clock::new();
    let panel = clock.panel().await;
    clock.set("-1d");
    let status = panel.admin().get("/api/status").await.expect(200).json;
    assert!(status["startedAt"].is_string(), "{status}");
    let wrong = json!({ "username": "admin", "password": "not the password" });
    until("sign-in is throttled", seconds(30), async || {
        let answer = panel.anonymous().post("/api/session", wrong.clone()).await;
        (answer.status == 429).then(|| {
            let wait: u64 = answer.header("retry-after").parse().expect("seconds");
            assert!((1..=3_600).contains(&wait), "wait {wait} s");
        })
    })
    .await;
    fine(&panel);
}
