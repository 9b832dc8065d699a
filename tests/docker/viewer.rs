//! Follows a console like a browser: every line number once and in order, or counted as skipped.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::harness::{Client, Live};

/// A viewer of one console.
pub(crate) struct Viewer {
    live: Live,
    topic: String,
    next: Option<u64>,
    /// Lines that came in the same message after an awaited one.
    later: Vec<Value>,
    /// The unfinished last line.
    pub(crate) partial: Option<String>,
    /// Number of skipped lines.
    pub(crate) skipped: u64,
    /// How often the numbering started over.
    pub(crate) resets: usize,
}

impl Viewer {
    /// Opens a socket and subscribes to the console of a server.
    pub(crate) async fn open(client: &Client, server: &str) -> Self {
        let mut live = Live::open(client).await;
        let topic = format!("console:{server}");
        live.subscribe(&[&topic]).await;
        Self { live, topic, next: None, later: Vec::new(), partial: None, skipped: 0, resets: 0 }
    }

    /// The lines of the next message. Checks that no number is missing or repeated.
    pub(crate) async fn batch(&mut self, within: Duration) -> Result<Vec<Value>, u16> {
        let until = Instant::now() + within;
        loop {
            let message = self.live.next(until.saturating_duration_since(Instant::now())).await?;
            if message["topic"] != self.topic.as_str() {
                continue;
            }
            assert!(message["error"].is_null(), "{message}");
            let data = &message["data"];
            if data["reset"] == true {
                self.next = None;
                self.resets += 1;
            }
            let mut lines = Vec::new();
            for element in data["lines"].as_array().unwrap_or_else(|| panic!("no lines: {message}")) {
                if let Some(skipped) = element["skipped"].as_u64() {
                    assert!(skipped > 0, "{element}");
                    self.skipped += skipped;
                    self.next = self.next.map(|next| next + skipped);
                    continue;
                }
                let seq = element["seq"].as_u64().unwrap_or_else(|| panic!("no number: {element}"));
                let expected = self.next.unwrap_or(seq);
                assert_eq!(seq, expected, "a gap, or a line twice: {element}");
                self.next = Some(seq + 1);
                lines.push(element.clone());
            }
            self.partial = data["partial"]["text"].as_str().map(str::to_owned);
            assert_eq!(self.partial.is_some(), data["partial"]["time"].is_string(), "{message}");
            return Ok(lines);
        }
    }

    /// Reads until a line meets the condition. Returns all lines up to it.
    pub(crate) async fn wait(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<Value> {
        let until = Instant::now() + within;
        let mut all = Vec::new();
        loop {
            let mut lines = std::mem::take(&mut self.later).into_iter();
            while let Some(line) = lines.next() {
                let found = wanted(line["text"].as_str().unwrap_or_default());
                all.push(line);
                if found {
                    self.later = lines.collect();
                    return all;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "not within {within:?}: {what}; the last of {} lines: {:?}",
                all.len(),
                all.last()
            );
            match tokio::time::timeout(left, self.batch(left + Duration::from_secs(1))).await {
                Ok(Ok(lines)) => self.later = lines,
                Ok(Err(code)) => panic!("closed with {code} before {what}"),
                Err(_) => {}
            }
        }
    }

    /// Reads until the unfinished line meets the condition. Returns all lines up to it.
    pub(crate) async fn until_partial(
        &mut self,
        within: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<Value> {
        let until = Instant::now() + within;
        let mut all = std::mem::take(&mut self.later);
        while !self.partial.as_deref().is_some_and(&wanted) {
            all.extend(self.batch(until.saturating_duration_since(Instant::now())).await.expect("open"));
        }
        all
    }

    /// The underlying socket.
    pub(crate) fn live(&mut self) -> &mut Live {
        &mut self.live
    }
}

/// The texts of lines.
pub(crate) fn texts(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["text"].as_str().unwrap_or_default()).collect()
}
