//! `console:{server}`: a server's console, starting with the recent lines.

use super::super::Servers;
use crate::agents::{ConsoleWatch, Lines, Next};
use crate::auth::{Access, Permission};
use crate::error::ApiError;
use crate::live::{Feed, Follower, Frame, News, Topic};
use protocol::ServerId;

pub(super) struct Console(pub(super) Servers);

impl Topic for Console {
    fn name(&self) -> &'static str {
        "console:{server}"
    }

    fn access(&self) -> Access {
        Access::Server(Permission::Console)
    }

    fn wakes(&self) -> bool {
        true
    }

    fn follow(&self, follower: &Follower, id: &str) -> Result<Box<dyn Feed>, ApiError> {
        let (agents, id) = (&self.0.agents, &ServerId::from(id));
        let node = agents.node_of(id).ok_or_else(|| ApiError::not_found("server"))?;
        let watch = agents.watch_console(id, &node, follower.wake.clone());
        Ok(Box::new(ConsoleFeed { server_id: id.clone(), watch }))
    }
}

struct ConsoleFeed {
    server_id: ServerId,
    watch: ConsoleWatch,
}

impl Feed for ConsoleFeed {
    fn next(&mut self) -> News<'_> {
        match self.watch.next() {
            Next::Nothing => News::Nothing,
            Next::Lines(lines) => News::Frame(frame(&self.server_id, &lines)),
            Next::Gone => News::Gone(ApiError::not_found("server")),
        }
    }
}

/// A frame with console lines, which are JSON already: `{"lines", "reset"?, "partial"?}`.
fn frame(server_id: &ServerId, lines: &Lines) -> Frame {
    let partial = lines.partial.as_deref().unwrap_or_default();
    let mut text = String::with_capacity(lines.items.len() + partial.len() + server_id.len() + 96);
    // A server id has no characters that JSON would escape.
    for part in ["{\"topic\":\"console:", server_id, "\",\"data\":{\"lines\":[", &lines.items, "]"] {
        text.push_str(part);
    }
    if lines.reset {
        text.push_str(",\"reset\":true");
    }
    if !partial.is_empty() {
        text.push_str(",\"partial\":");
        text.push_str(partial);
    }
    text.push_str("}}");
    Frame::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shape_that_scripts_read() {
        let items = r#"{"skipped":3},{"seq":7,"text":"<b>\u001b[31m"}"#;
        let mut all = Lines { items: items.into(), reset: true, partial: None };
        assert_eq!(
            frame(&"a".into(), &all).as_str(),
            format!(r#"{{"topic":"console:a","data":{{"lines":[{items}],"reset":true}}}}"#)
        );
        all = Lines { partial: Some(r#"{"text":"> "}"#.into()), ..Lines::default() };
        assert_eq!(
            frame(&"a".into(), &all).as_str(),
            r#"{"topic":"console:a","data":{"lines":[],"partial":{"text":"> "}}}"#
        );
    }
}
