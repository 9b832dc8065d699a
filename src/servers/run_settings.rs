//! How a server is run: merges the requested behaviour into the current one, and converts it to a view.

use serde::Serialize;
use storage::servers::{Behaviour, StartupMode, Stop};
use utoipa::ToSchema;

use super::behaviour;
use super::behaviour_body::{BehaviourRequest, StartupModeBody, StopBody};
use super::validate::ValidationErrors;

/// How a server is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Behaviour)]
pub struct BehaviourView {
    /// How the game is asked to stop.
    pub stop: StopBody,
    /// Seconds that it may take over that.
    pub stop_timeout_secs: u32,
    /// What its console says once players can join; empty where its container's start is all that is waited for.
    pub ready: String,
    /// How the startup command reaches the image.
    pub startup_mode: StartupModeBody,
    /// Whether it is started again after a crash.
    pub restart_after_crash: bool,
    /// Whether the server is stopped when its files exceed the disk limit; otherwise only a warning is shown.
    pub stop_at_disk_limit: bool,
}

/// Applies the requested changes to the current behaviour. Every error is added under `behaviour`.
pub(super) fn merged(
    before: &Behaviour,
    request: Option<&BehaviourRequest>,
    faults: &mut ValidationErrors,
) -> Behaviour {
    let mut after = before.clone();
    let Some(request) = request else { return after };
    let BehaviourRequest {
        stop,
        stop_timeout_secs,
        ready,
        startup_mode,
        restart_after_crash,
        stop_at_disk_limit,
    } = request;
    if let Some(stop) = stop {
        after.stop = match stop {
            StopBody::Command(line) => Stop::Command(line.clone()),
            StopBody::Signal(name) => Stop::Signal(name.clone()),
        };
    }
    if let Some(ready) = ready {
        after.ready = Some(ready.clone()).filter(|ready| !ready.is_empty());
    }
    if let Some(mode) = startup_mode {
        after.startup_mode = match mode {
            StartupModeBody::Shell => StartupMode::Shell,
            StartupModeBody::Variable => StartupMode::Variable,
            StartupModeBody::ImageOwn => StartupMode::ImageOwn,
        };
    }
    after.stop_timeout_secs = stop_timeout_secs.unwrap_or(after.stop_timeout_secs);
    after.restart_after_crash = restart_after_crash.unwrap_or(after.restart_after_crash);
    after.stop_at_disk_limit = stop_at_disk_limit.unwrap_or(after.stop_at_disk_limit);
    let mut found = ValidationErrors::default();
    behaviour::check(&after, &mut found);
    for (key, problem) in found.into_map() {
        // The key of the timeout differs from that of the agent protocol. Errors in values that were not given are not
        // shown, because this caller cannot fix them.
        let (key, given) = match key.as_str() {
            "stop" => ("stop", stop.is_some()),
            "stopTimeout" => ("stopTimeoutSecs", stop_timeout_secs.is_some()),
            "ready" => ("ready", ready.is_some()),
            _ => continue,
        };
        if given {
            faults.add(format!("behaviour.{key}"), problem);
        }
    }
    after
}

impl From<&Behaviour> for BehaviourView {
    fn from(behaviour: &Behaviour) -> Self {
        Self {
            stop: match &behaviour.stop {
                Stop::Command(line) => StopBody::Command(line.clone()),
                Stop::Signal(name) => StopBody::Signal(name.clone()),
            },
            stop_timeout_secs: behaviour.stop_timeout_secs,
            ready: behaviour.ready.clone().unwrap_or_default(),
            startup_mode: match behaviour.startup_mode {
                StartupMode::Shell => StartupModeBody::Shell,
                StartupMode::Variable => StartupModeBody::Variable,
                StartupMode::ImageOwn => StartupModeBody::ImageOwn,
            },
            restart_after_crash: behaviour.restart_after_crash,
            stop_at_disk_limit: behaviour.stop_at_disk_limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> (Behaviour, Vec<String>) {
        let request: BehaviourRequest = serde_json::from_str(json).unwrap();
        let mut faults = ValidationErrors::default();
        let before = Behaviour { ready: Some("Done".into()), ..Behaviour::default() };
        let after = merged(&before, Some(&request), &mut faults);
        (after, faults.into_map().into_keys().collect())
    }

    #[test]
    fn what_is_left_out_stays() {
        let (after, faults) = change(r#"{"stop":{"command":"quit"},"restartAfterCrash":false}"#);
        assert!(faults.is_empty());
        let view = BehaviourView::from(&after);
        assert_eq!(view.stop, StopBody::Command("quit".into()));
        assert_eq!((view.stop_timeout_secs, view.ready.as_str()), (30, "Done"));
        assert!(!view.restart_after_crash && view.stop_at_disk_limit);
        assert!(!change(r#"{"stopAtDiskLimit":false}"#).0.stop_at_disk_limit);
        assert_eq!(change(r#"{"ready":""}"#).0.ready, None);
        assert_eq!(change(r#"{"startupMode":"image_own"}"#).0.startup_mode, StartupMode::ImageOwn);
    }

    #[test]
    fn faults_have_the_names_of_the_request() {
        for (json, key) in [
            (r#"{"stop":{"signal":"9"}}"#, "behaviour.stop"),
            (r#"{"stop":{"command":"a\nb"}}"#, "behaviour.stop"),
            (r#"{"stopTimeoutSecs":0}"#, "behaviour.stopTimeoutSecs"),
            (r#"{"stopTimeoutSecs":3601}"#, "behaviour.stopTimeoutSecs"),
            (r#"{"ready":"regex:("}"#, "behaviour.ready"),
        ] {
            assert_eq!(change(json).1, [key], "{json}");
        }
        for bad in
            [r#"{"user":"0:0"}"#, r#"{"dataPath":"/etc"}"#, r#"{"stop":{"kill":"x"}}"#, r#"{"stop":null}"#]
        {
            assert!(serde_json::from_str::<BehaviourRequest>(bad).is_err(), "{bad}");
        }
    }
}
