//! Golden transcripts: recorded conversations, line by line, of other implementations of agents and panels. A script
//! plays one side over a real WebSocket, the program the other.
//!
//! A line of `tests/golden/*.jsonl` is one step:
//! - `{"agent": FRAME}`, `{"panel": FRAME}`: a message of that side. Sent if the script plays that side, else expected.
//! - `{"api": "POST /api/…", "body"?, "status", "answer"?}`: a call of the panel's API; runs in parallel to the next
//!   steps, and its answer is checked before the next such step.
//! - `{"shows": "/api/…", "has": …}`: the panel's API soon returns this.
//! - `{"silent": MS}`: no message is sent meanwhile.
//!
//! In expected values, `"<any>"`, `"<time>"`, `"<text>"`, `"<number>"` and `"<integer>"` match such a value,
//! `"<=NAME>"` also stores the text as `$NAME`, `"<has>TEXT"` matches a text that contains it, and `"...": true` in an
//! object allows more keys. Everything else must be equal.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Answer, Client, seconds, until};

/// Which side the script plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Agent,
    Panel,
}

/// A running script.
pub(crate) struct Script {
    pub(crate) socket: WebSocketStream<TcpStream>,
    side: Side,
    /// Whether the other side must send nothing but the expected messages.
    strict: bool,
    client: Option<Client>,
    pub(crate) names: HashMap<String, String>,
    backlog: Vec<Value>,
    asked: Option<(JoinHandle<Answer>, Value)>,
}

/// Time limit for expected messages.
const SOON: Duration = Duration::from_secs(20);

impl Script {
    pub(crate) fn new(socket: WebSocketStream<TcpStream>, side: Side, client: Option<Client>) -> Self {
        let strict = side == Side::Agent;
        Self { socket, side, strict, client, names: HashMap::new(), backlog: Vec::new(), asked: None }
    }

    pub(crate) fn name(mut self, name: &str, value: &str) -> Self {
        self.names.insert(name.into(), value.into());
        self
    }

    /// Plays a transcript to its end.
    pub(crate) async fn play(&mut self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let step: Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{file}:{}: {e}", number + 1));
            let at = format!("{file}:{}", number + 1);
            self.step(&step, &at).await;
        }
        self.answered(file).await;
    }

    async fn step(&mut self, step: &Value, at: &str) {
        let own = if self.side == Side::Agent { "agent" } else { "panel" };
        let other = if self.side == Side::Agent { "panel" } else { "agent" };
        if let Some(frame) = step.get(own) {
            let text = match self.filled(frame) {
                Value::String(raw) => raw,
                frame => frame.to_string(),
            };
            self.socket.send(Message::text(text)).await.unwrap_or_else(|e| panic!("{at}: {e}"));
        } else if let Some(frame) = step.get(other) {
            self.wait(frame, at).await;
        } else if let Some(call) = step.get("api").and_then(Value::as_str) {
            self.answered(at).await;
            self.ask(call, step);
        } else if let Some(path) = step.get("shows").and_then(Value::as_str) {
            self.shows(path, &step["has"], at).await;
        } else if let Some(ms) = step.get("silent").and_then(Value::as_u64) {
            if let Ok(said) = tokio::time::timeout(Duration::from_millis(ms), self.next()).await {
                panic!("{at}: the other side says {said:?}");
            }
        } else {
            assert!(step.get("about").is_some(), "{at}: no step");
        }
    }

    #[allow(clippy::disallowed_methods, reason = "a test's own, ends with the test")]
    fn ask(&mut self, call: &str, step: &Value) {
        let (method, path) = call.split_once(' ').unwrap();
        let path = self.text(path);
        let body = self.filled(&step["body"]);
        let client = self.client.clone().expect("somebody who asks");
        let method = method.to_owned();
        let asked = tokio::spawn(async move {
            match method.as_str() {
                "GET" => client.get(&path).await,
                "POST" => client.post(&path, body).await,
                "DELETE" => client.delete(&path).await,
                "PATCH" => client.patch(&path, body).await,
                other => panic!("{other}"),
            }
        });
        self.asked = Some((asked, step.clone()));
    }

    async fn answered(&mut self, at: &str) {
        let Some((asked, step)) = self.asked.take() else { return };
        let answer = tokio::time::timeout(seconds(60), asked).await.unwrap().unwrap();
        assert_eq!(json_status(&step), answer.status, "{at}: before it, {}: {answer:?}", step["api"]);
        if let Some(expected) = step.get("answer") {
            let mut names = self.names.clone();
            let fits = fits(&self.filled(expected), &answer.json, &mut names);
            assert!(fits, "{at}: before it, {} was answered {}", step["api"], answer.json);
            self.names = names;
        }
    }

    async fn shows(&mut self, path: &str, has: &Value, at: &str) {
        let (path, has) = (self.text(path), self.filled(has));
        let client = self.client.clone().expect("somebody who asks");
        let what = format!("{at}: {path} shows {has}");
        let mut last = Value::Null;
        let shown = tokio::time::timeout(
            SOON,
            until(&what, seconds(600), async || {
                last = client.get(&path).await.json;
                fits(&has, &last, &mut HashMap::new()).then_some(())
            }),
        );
        if shown.await.is_err() {
            panic!("not shown: {what}; it is {last}");
        }
    }

    /// The next frame, as JSON.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Waits for a matching frame.
    pub(crate) async fn wait(&mut self, frame: &Value, at: &str) -> Value {
        let expected = self.filled(frame);
        let mut names = self.names.clone();
        if let Some(found) = self.backlog.iter().position(|said| fits(&expected, said, &mut names)) {
            self.names = names;
            return self.backlog.remove(found);
        }
        let end = tokio::time::Instant::now() + SOON;
        loop {
            let Ok(said) = tokio::time::timeout_at(end, self.next()).await else {
                panic!("{at}: waited for {expected}, heard {:#?}", self.backlog);
            };
            let said = said.unwrap_or_else(|| panic!("{at}: closed; waited for {expected}"));
            let mut names = self.names.clone();
            if fits(&expected, &said, &mut names) {
                self.names = names;
                return said;
            }
            assert!(!self.strict, "{at}: expected {expected}\nheard    {said}");
            self.backlog.push(said);
        }
    }

    /// All received messages that were not expected yet.
    pub(crate) fn backlog(&mut self) -> &mut Vec<Value> {
        &mut self.backlog
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(all) => all.iter().map(|value| self.filled(value)).collect(),
            Value::Object(all) => {
                Value::Object(all.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect())
            }
            other => other.clone(),
        }
    }
}

fn json_status(step: &Value) -> u16 {
    step["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status")
}

/// Whether a value matches; stores named values.
pub(crate) fn fits(expected: &Value, value: &Value, names: &mut HashMap<String, String>) -> bool {
    match (expected, value) {
        (Value::String(pattern), value) => word_fits(pattern, value, names),
        (Value::Object(expected), Value::Object(value)) => object_fits(expected, value, names),
        (Value::Array(expected), Value::Array(value)) => {
            expected.len() == value.len() && expected.iter().zip(value).all(|(e, v)| fits(e, v, names))
        }
        (expected, value) => expected == value,
    }
}

fn object_fits(
    expected: &Map<String, Value>,
    value: &Map<String, Value>,
    names: &mut HashMap<String, String>,
) -> bool {
    let more = expected.contains_key("...");
    expected.iter().filter(|(key, _)| *key != "...").all(|(key, pattern)| match value.get(key) {
        Some(value) => fits(pattern, value, names),
        None => pattern == "<missing>",
    }) && (more || value.keys().all(|key| expected.contains_key(key)))
}

fn word_fits(pattern: &str, value: &Value, names: &mut HashMap<String, String>) -> bool {
    match pattern {
        "<any>" => true,
        "<time>" => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        "<text>" => value.as_str().is_some_and(|text| !text.is_empty()),
        "<number>" => value.is_number(),
        "<integer>" => value.is_i64() || value.is_u64(),
        "<missing>" => false,
        _ => {
            let Some(text) = value.as_str() else { return false };
            if let Some(part) = pattern.strip_prefix("<has>") {
                return text.contains(part);
            }
            if let Some(name) = pattern.strip_prefix("<=").and_then(|rest| rest.strip_suffix('>')) {
                names.insert(name.to_owned(), text.to_owned());
                return !text.is_empty();
            }
            pattern == text
        }
    }
}
