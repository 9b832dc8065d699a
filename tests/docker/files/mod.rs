//! The files of a server on the real node, by HTTP.

mod archives;
mod basics;
mod content;
mod denied;
mod ends;
mod escape;
mod failures;
mod flat;
mod full;
mod killed;
mod pull;
mod races;
mod remote;
mod uploads;

use reqwest::Method;
use serde_json::{Value, json};

use super::game::Game;
use crate::harness::{Answer, Client, Panel};

/// A panel and a server that has never been started.
pub(super) async fn world() -> (Panel, Game) {
    let panel = Panel::builder().env("FETCH_ALLOW", "127.0.0.1").start().await;
    let game = Game::new(&panel, "game").await;
    (panel, game)
}

impl Game {
    /// The address of its files.
    pub(super) fn files(&self, rest: &str) -> String {
        self.path(&format!("/files{rest}"))
    }

    /// The address of a file's content.
    pub(super) fn content(&self, path: &str) -> String {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("path", path).finish();
        self.files(&format!("/content?{query}"))
    }

    /// What is in a folder.
    pub(super) async fn listed(&self, path: &str) -> Vec<Value> {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("path", path).finish();
        let answer = self.admin.get(&self.files(&format!("?{query}"))).await.expect(200);
        answer.json.as_array().expect("a list").clone()
    }

    /// The names in a folder.
    pub(super) async fn names(&self, path: &str) -> Vec<String> {
        self.listed(path).await.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    }

    /// One of the calls with a JSON body.
    pub(super) async fn act(&self, op: &str, body: Value) -> Answer {
        self.admin.post(&self.files(&format!("/{op}")), body).await
    }

    /// Writes a file.
    pub(super) async fn put(&self, path: &str, bytes: impl Into<reqwest::Body>) -> Answer {
        put(&self.admin, &self.content(path), bytes, &[]).await
    }

    /// Reads a file as text.
    pub(super) async fn text(&self, path: &str) -> String {
        self.admin.get(&self.content(path)).await.expect(200).text
    }
}

/// A `PUT` of bytes with headers.
pub(super) async fn put(
    client: &Client,
    path: &str,
    bytes: impl Into<reqwest::Body>,
    headers: &[(&str, &str)],
) -> Answer {
    sent(client, Method::PUT, path, bytes, headers).await
}

/// Any call with bytes and headers.
pub(super) async fn sent(
    client: &Client,
    method: Method,
    path: &str,
    bytes: impl Into<reqwest::Body>,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = client.request(method, path).body(bytes);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await
}

/// An account that has this permission on the server.
pub(super) async fn friend(panel: &Panel, game: &Game, name: &str, permission: &str) -> (Client, String) {
    let friend = panel.user(name).await;
    let id = friend.get("/api/me").await.id();
    let grant = game.path(&format!("/users/{id}"));
    panel.admin().put(&grant, json!({ "permissions": [permission] })).await.expect(204);
    (friend, grant)
}
