//! A game server as its owner has it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Panel, docker, seconds, until};

/// One server of a panel. Its container is removed when this is dropped.
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

/// What to ask for: the busybox image, this startup line, and whatever else is given.
pub(crate) fn body(startup: &str, more: &Value) -> Value {
    let mut body = json!({ "name": "A world", "image": docker::BUSYBOX, "startup": startup });
    for (key, value) in more.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

impl Game {
    /// Asks for one, without waiting.
    pub(crate) async fn ask(panel: &Panel, body: Value) -> Self {
        Self::ask_as(panel.admin(), body).await
    }

    /// The same of a panel that is no process of ours.
    pub(crate) async fn ask_as(admin: Client, body: Value) -> Self {
        docker::image().await;
        let id = admin.post("/api/servers", body).await.expect(201).id();
        Self { admin, id }
    }

    /// One that is installed and stopped.
    pub(crate) async fn with(panel: &Panel, startup: &str, more: Value) -> Self {
        let game = Self::ask(panel, body(startup, &more)).await;
        game.becomes("stopped", seconds(30)).await;
        game
    }

    /// One that is installed and stopped.
    pub(crate) async fn new(panel: &Panel, startup: &str) -> Self {
        Self::with(panel, startup, json!({})).await
    }

    /// One that runs and has said that it is ready.
    pub(crate) async fn running(panel: &Panel, startup: &str) -> Self {
        let game = Self::new(panel, startup).await;
        game.start().await;
        game.says("Ready", seconds(20)).await;
        game
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/servers/{}{rest}", self.id)
    }

    /// A file of the game, seen from the host.
    pub(crate) fn file(&self, panel: &Panel, name: &str) -> std::path::PathBuf {
        panel.folder().join("servers").join(&self.id).join(name)
    }

    /// How the panel shows it.
    pub(crate) async fn view(&self) -> Value {
        self.admin.get(&self.path("")).await.expect(200).json
    }

    pub(crate) async fn status(&self) -> String {
        self.view().await["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The last few texts, for whoever reads of a failure.
    async fn lately(&self) -> Vec<String> {
        let lines = self.console(30).await;
        lines
            .iter()
            .map(|line| line["text"].as_str().unwrap_or_default().chars().take(200).collect())
            .collect()
    }

    /// Waits until it is shown so.
    pub(crate) async fn becomes(&self, status: &str, within: Duration) -> Value {
        self.shows(&format!("{} is {status}", self.id), within, |view| view["status"] == status).await
    }

    /// Waits until its view is as wanted, and prints the last one where it never is.
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

    /// Types a line into its console.
    pub(crate) async fn command(&self, line: &str) {
        self.admin.post(&self.path("/command"), json!({ "command": line })).await.expect(204);
    }

    /// The last lines of its console, whole.
    pub(crate) async fn console(&self, tail: usize) -> Vec<Value> {
        let answer = self.admin.get(&self.path(&format!("/console?tail={tail}"))).await.expect(200);
        answer.json["lines"].as_array().expect("lines").clone()
    }

    /// The texts of its console.
    pub(crate) async fn lines(&self) -> Vec<String> {
        let lines = self.console(1_000).await;
        lines.iter().map(|line| line["text"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for a line that holds this text.
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

    /// How often the whole line was said.
    pub(crate) async fn said(&self, text: &str) -> usize {
        self.lines().await.iter().filter(|line| *line == text).count()
    }

    /// Its container as the engine has it.
    pub(crate) async fn container(&self) -> Value {
        docker::inspect(&self.id).await.unwrap_or_else(|| panic!("no container of {}", self.id))
    }

    /// When the engine started its container.
    pub(crate) async fn started_at(&self) -> String {
        let container = self.container().await;
        assert_eq!(container["State"]["Running"], true, "{}", container["State"]);
        container["State"]["StartedAt"].as_str().expect("a time").to_owned()
    }

    /// Waits until there is no container.
    pub(crate) async fn gone(&self, within: Duration) {
        let gone = async || docker::inspect(&self.id).await.is_none().then_some(());
        until("the container is removed", within, gone).await;
    }

    /// Goes on after the panel was started again, at another address.
    pub(crate) fn again(&mut self, panel: &Panel) {
        self.admin = panel.admin();
    }
}
