//! Engine events: what anyone did to containers.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{StreamExt, pin_mut};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::deadline::{LOOK, late, within};
use super::{create, errors};
use crate::runtime::{EngineError, Told};

/// The engine reports a stop shortly after the container ended.
const AFTERWARDS: SignedDuration = SignedDuration::from_millis(300);
/// Seconds; a signal sent longer before the end did not cause it.
const LATELY: i64 = 120;
/// Maximum number of events read for one container; engines keep the last 256 in total.
const MOST: usize = 1_000;
/// Past events have all arrived after this much silence.
const PAST: Duration = Duration::from_millis(500);
/// A silent stream is reopened after this time: its connection may be dead.
const RENEW: Duration = Duration::from_secs(300);

fn filters(pairs: &[(&str, &[&str])]) -> HashMap<String, Vec<String>> {
    let texts = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
    pairs.iter().map(|(name, values)| ((*name).to_owned(), texts(values))).collect()
}

/// A timestamp in the engine's format.
fn stamp(at: Timestamp) -> String {
    let at = at.max(Timestamp::UNIX_EPOCH);
    format!("{}.{:09}", at.as_second(), at.subsec_nanosecond())
}

/// Whether the engine was told to stop or kill the last run of a container.
pub(super) async fn told(client: &Docker, action: &str, id: &str) -> Result<Told, EngineError> {
    let found = within(action, LOOK, client.inspect_container(id, None)).await?;
    let state = found.state.unwrap_or_default();
    let time = |text: Option<String>| text.and_then(|text| text.parse::<Timestamp>().ok());
    let (Some(began), Some(ended)) = (time(state.started_at), time(state.finished_at)) else {
        return Ok(Told::default());
    };
    if ended < began {
        return Ok(Told::default());
    }
    let stop_signal = found.config.and_then(|config| config.stop_signal).unwrap_or_default();
    let until = ended.checked_add(AFTERWARDS).unwrap_or(ended);
    let which = filters(&[("type", &["container"]), ("container", &[id]), ("event", &["kill", "stop"])]);
    let options =
        EventsOptionsBuilder::new().since(&stamp(began)).until(&stamp(until)).filters(&which).build();
    let read = async {
        let events = client.events(Some(options)).take(MOST);
        pin_mut!(events);
        let mut told = Told::default();
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| errors::failed(action, &error))?;
            note(&mut told, &event, &stop_signal, ended);
        }
        Ok(told)
    };
    tokio::time::timeout(LOOK, read).await.map_err(|_| late(action, LOOK))?
}

fn note(told: &mut Told, event: &EventMessage, stop_signal: &str, ended: Timestamp) {
    match event.action.as_deref() {
        Some("stop") => told.stopped = true,
        Some("kill") if event.time.unwrap_or_default() + LATELY >= ended.as_second() => {
            let attributes = event.actor.as_ref().and_then(|actor| actor.attributes.as_ref());
            match attributes.and_then(|attributes| attributes.get("signal")).map(|signal| by_name(signal)) {
                Some(signal) if signal == "SIGKILL" => told.killed = true,
                Some(signal) if ends(&signal, stop_signal) => told.stopped = true,
                _ => {}
            }
        }
        _ => {}
    }
}

/// Whether a signal requests an end.
fn ends(signal: &str, stop_signal: &str) -> bool {
    matches!(signal, "SIGINT" | "SIGQUIT" | "SIGTERM")
        || (!stop_signal.is_empty() && signal == by_name(stop_signal))
}

/// Names of the signals sent to a container through the engine since its start.
pub(super) async fn signals(client: &Docker, action: &str, id: &str) -> Result<Vec<String>, EngineError> {
    let found = within(action, LOOK, client.inspect_container(id, None)).await?;
    let began = found.state.and_then(|state| state.started_at?.parse::<Timestamp>().ok());
    let Some(began) = began else { return Ok(Vec::new()) };
    let which = filters(&[("type", &["container"]), ("container", &[id]), ("event", &["kill"])]);
    let options = EventsOptionsBuilder::new().since(&stamp(began)).filters(&which).build();
    let events = client.events(Some(options)).take(MOST);
    pin_mut!(events);
    let mut sent = Vec::new();
    // Past events arrive at once. No `until` is set, because it would be compared with the engine's clock, not ours.
    while let Ok(Some(event)) = tokio::time::timeout(PAST, events.next()).await {
        let event = event.map_err(|error| errors::failed(action, &error))?;
        let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
        sent.extend(attributes.get("signal").map(|signal| by_name(signal)));
    }
    Ok(sent)
}

/// The name of a signal; engines report numbers or names.
fn by_name(signal: &str) -> String {
    let name = match signal {
        "1" => "HUP",
        "2" => "INT",
        "3" => "QUIT",
        "9" => "KILL",
        "10" => "USR1",
        "12" => "USR2",
        "15" => "TERM",
        other => other.trim_start_matches("SIG"),
    };
    format!("SIG{}", name.to_ascii_uppercase())
}

/// Sends the id of each server whose container is paused or resumed, until the stream ends.
pub(super) async fn paused_or_not(
    client: &Docker,
    action: &str,
    to: &mpsc::Sender<String>,
) -> Result<(), EngineError> {
    let managed = format!("{}=true", create::MANAGED);
    let which =
        filters(&[("type", &["container"]), ("label", &[&managed]), ("event", &["pause", "unpause"])]);
    let events = client.events(Some(EventsOptionsBuilder::new().filters(&which).build()));
    pin_mut!(events);
    loop {
        let event = match tokio::time::timeout(RENEW, events.next()).await {
            Err(_) | Ok(None) => return Ok(()),
            Ok(Some(event)) => event.map_err(|error| errors::failed(action, &error))?,
        };
        let attributes = event.actor.and_then(|actor| actor.attributes).unwrap_or_default();
        if let Some(server) = attributes.get(create::SERVER_ID)
            && to.send(server.clone()).await.is_err()
        {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;

    use super::*;

    fn told(action: &str, signal: &str, before: i64) -> (bool, bool) {
        let attributes = HashMap::from([("signal".to_owned(), signal.to_owned())]);
        let event = EventMessage {
            action: Some(action.into()),
            actor: Some(EventActor { id: None, attributes: Some(attributes) }),
            time: Some(1_000 - before),
            ..EventMessage::default()
        };
        let mut told = Told::default();
        note(&mut told, &event, "SIGUSR1", Timestamp::from_second(1_000).unwrap());
        (told.stopped, told.killed)
    }

    #[test]
    fn a_stop_a_kill_and_what_is_neither() {
        assert_eq!(told("stop", "", 0), (true, false));
        for signal in ["15", "SIGTERM", "2", "INT", "10", "SIGUSR1"] {
            assert_eq!(told("kill", signal, 3), (true, false), "{signal}");
        }
        assert_eq!(told("kill", "9", 0), (false, true));
        // A signal to reload the settings, and one from long ago.
        assert_eq!(told("kill", "1", 0), (false, false));
        assert_eq!(told("kill", "15", 600), (false, false));
    }
}
