//! A game server, with helpers for tests.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Panel, docker, seconds, until};

/// A server of a panel. Its container is removed when this is dropped.
pub(crate) struct Game {
    pub(crate) admin: Client,
    pub(crate) id: String,
}

impl Drop for Game {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.id);
        let _ = std::process::Command::new("docker").args(["rm", "-f", "-v", &name]).output();
    }
}

/// Body of the request to create a server: the busybox image, this startup line, and more fields.
pub(crate) fn body(startup: &str, more: &Value) -> Value {
    let mut body = json!({ "name": "A world", "image": docker::BUSYBOX, "startup": startup });
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

impl Game {
    /// Creates a server without waiting for it.
    pub(crate) async fn ask(panel: &Panel, body: Value) -> Self {
        Self::ask_as(panel.admin(), body).await
    }

    /// The same with a given client, for a panel that runs elsewhere.
    pub(crate) async fn ask_as(admin: Client, body: Value) -> Self {
        docker::image().await;
        let id = admin.post("/api/servers", body).await.expect(201).id();
        Self { admin, id }
    }

    /// Creates a server and waits until it is installed and stopped.
    pub(crate) async fn with(panel: &Panel, startup: &str, more: Value) -> Self {
        let game = Self::ask(panel, body(startup, &more)).await;
        game.becomes("stopped", seconds(30)).await;
        game
    }

    /// The same without more fields.
    pub(crate) async fn new(panel: &Panel, startup: &str) -> Self {
        Self::with(panel, startup, json!({})).await
    }

    /// Creates and starts a server, and waits until it is ready.
    pub(crate) async fn running(panel: &Panel, startup: &str) -> Self {
        let game = Self::new(panel, startup).await;
        game.start().await;
        game.says("Ready", seconds(20)).await;
        game
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/servers/{}{rest}", self.id)
    }

    /// Path of a file of the game on the host.
    pub(crate) fn file(&self, panel: &Panel, name: &str) -> std::path::PathBuf {
        panel.folder().join("servers").join(&self.id).join(name)
    }

    /// The server's view.
    pub(crate) async fn view(&self) -> Value {
        self.admin.get(&self.path("")).await.expect(200).json
    }

    pub(crate) async fn status(&self) -> String {
        self.view().await["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The last console lines, for error messages.
    async fn lately(&self) -> Vec<String> {
        let lines = self.console(30).await;
        lines
            .iter()
            .map(|line| line["text"].as_str().unwrap_or_default().chars().take(200).collect())
            .collect()
    }

    /// Waits until it has this status.
    pub(crate) async fn becomes(&self, status: &str, within: Duration) -> Value {
        self.shows(&format!("{} is {status}", self.id), within, |view| view["status"] == status).await
    }

    /// Waits until its view meets the condition. Prints the last view on failure.
    pub(crate) async fn shows(&self, what: &str, within: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = std::time::Instant::now() + within;
        loop {
            let view = self.view().await;
            if wanted(&view) {
                return view;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "not within {within:?}: {what}\n{view:#}\n{:#?}",
                self.lately().await
            );
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    pub(crate) async fn power(&self, action: &str) -> Answer {
        self.admin.post(&self.path("/power"), json!({ "action": action })).await
    }

    /// Starts it and waits until it runs.
    pub(crate) async fn start(&self) -> Value {
        let answer = self.power("start").await.expect(202);
        assert_eq!(answer.json["status"], "starting");
        self.becomes("running", seconds(30)).await
    }

    /// Sends a console command.
    pub(crate) async fn command(&self, line: &str) {
        self.admin.post(&self.path("/command"), json!({ "command": line })).await.expect(204);
    }

    /// The last console lines, as JSON.
    pub(crate) async fn console(&self, tail: usize) -> Vec<Value> {
        let answer = self.admin.get(&self.path(&format!("/console?tail={tail}"))).await.expect(200);
        answer.json["lines"].as_array().expect("lines").clone()
    }

    /// The texts of the console lines.
    pub(crate) async fn lines(&self) -> Vec<String> {
        let lines = self.console(1_000).await;
        lines.iter().map(|line| line["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for a line that contains this text.
    pub(crate) async fn says(&self, text: &str, within: Duration) -> Value {
        let what = format!("{} says {text:?}", self.id);
        let deadline = std::time::Instant::now() + within;
        loop {
            let lines = self.console(1_000).await;
            let holds = |line: &&Value| line["text"].as_str().is_some_and(|line| line.contains(text));
            if let Some(found) = lines.iter().rev().find(holds) {
                return found.clone();
            }
            assert!(
                std::time::Instant::now() < deadline,
                "not within {within:?}: {what}\n{:#?}",
                self.lately().await
            );
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// How often the console has exactly this line.
    pub(crate) async fn said(&self, text: &str) -> usize {
        self.lines().await.iter().filter(|line| *line == text).count()
    }

    /// Its container, as the engine describes it.
    pub(crate) async fn container(&self) -> Value {
        docker::inspect(&self.id).await.unwrap_or_else(|| panic!("no container of {}", self.id))
    }

    /// Time at which the engine started its container.
    pub(crate) async fn started_at(&self) -> String {
        let container = self.container().await;
        assert_eq!(container["State"]["Running"], true, "{}", container["State"]);
        container["State"]["StartedAt"].as_str().expect("a time").to_owned()
    }

    /// Waits until it has no container.
    pub(crate) async fn gone(&self, within: Duration) {
        let gone = async || docker::inspect(&self.id).await.is_none().then_some(());
        until("the container is removed", within, gone).await;
    }

    /// Uses the new address of a restarted panel.
    pub(crate) fn again(&mut self, panel: &Panel) {
        self.admin = panel.admin();
    }
}
