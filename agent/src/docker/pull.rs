//! Pulls an image and computes the progress from the engine's messages about layers.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::CreateImageInfo;
use protocol::Progress;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::engine::Link;
use super::transport::Capped;
use super::{errors, hijack};
use crate::runtime::{EngineError, Fault};

/// A pull is considered dead after this much silence; unpacking a large layer is silent.
const SILENCE: Duration = Duration::from_secs(300);
/// Maximum duration of a pull.
const TAKES: Duration = Duration::from_secs(12 * 3600);
/// Maximum bytes of a message.
const LINE: usize = 64 << 10;
/// Maximum bytes of all messages; a large image over a slow connection takes tens of megabytes.
const ALL: u64 = 512 << 20;

/// Minimum time between progress reports.
const PACE: Duration = Duration::from_millis(250);
/// Share of the download in a layer's work; the rest is unpacking.
const DOWNLOAD: f64 = 0.75;
/// Assumed bytes of a layer of unknown size.
const GUESS: f64 = 8_000_000.0;

/// Maximum number of layers tracked; engines accept no image with more.
const LAYERS: usize = 1000;

#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    total: f64,
    loaded: f64,
    unpacked: f64,
    /// The layer is already present.
    present: bool,
}

/// Sums up the progress of all layers.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    layers: HashMap<String, Layer>,
    percent: f64,
    told: Option<Instant>,
}

impl Fetch {
    /// Processes one message; returns the progress if it should be reported now.
    pub(super) fn line(&mut self, line: &CreateImageInfo, now: Instant) -> Option<Progress> {
        let id = line.id.as_deref()?;
        if self.layers.len() >= LAYERS && !self.layers.contains_key(id) {
            return None;
        }
        let status = line.status.as_deref().unwrap_or_default();
        let (current, total) = line
            .progress_detail
            .as_ref()
            .map_or((0, 0), |detail| (detail.current.unwrap_or(0), detail.total.unwrap_or(0)));
        let (current, total) = (current.max(0) as f64, total.max(0) as f64);
        let new = Layer { total: 0.0, ..Layer::default() };
        match status {
            "Pulling fs layer" | "Waiting" => {
                self.layers.entry(id.to_owned()).or_insert(new);
            }
            "Downloading" => {
                let layer = self.layers.entry(id.to_owned()).or_insert(new);
                layer.total = layer.total.max(total).max(current);
                layer.loaded = current;
            }
            "Verifying Checksum" | "Download complete" => {
                let layer = self.layers.entry(id.to_owned()).or_insert(new);
                layer.total = layer.total.max(1.0);
                layer.loaded = layer.total;
            }
            "Extracting" => {
                let layer = self.layers.entry(id.to_owned()).or_insert(new);
                layer.total = layer.total.max(total).max(1.0);
                layer.loaded = layer.total;
                layer.unpacked = current.min(layer.total);
            }
            "Pull complete" => {
                let layer = self.layers.entry(id.to_owned()).or_insert(new);
                layer.total = layer.total.max(1.0);
                layer.loaded = layer.total;
                layer.unpacked = layer.total;
            }
            "Already exists" => {
                self.layers.entry(id.to_owned()).or_insert(new).present = true;
            }
            _ => return None,
        }
        if self.told.is_some_and(|told| now < told + PACE) {
            return None;
        }
        self.told = Some(now);
        Some(self.progress())
    }

    fn progress(&mut self) -> Progress {
        let (mut all, mut done, mut loaded, mut known) = (0.0, 0.0, 0.0, 0.0);
        for layer in self.layers.values().filter(|layer| !layer.present) {
            let total = if layer.total > 0.0 { layer.total } else { GUESS };
            all += total;
            done += layer.loaded * DOWNLOAD + layer.unpacked * (1.0 - DOWNLOAD);
            loaded += layer.loaded;
            known += layer.total;
        }
        let percent = if all > 0.0 { (done / all * 100.0).clamp(0.0, 100.0) } else { 0.0 };
        // New layers enlarge the total, but the percentage must never decrease.
        self.percent = self.percent.max((percent * 10.0).round() / 10.0);
        let mb = |bytes: f64| (bytes / 1e6).ceil();
        let text = if loaded < known || known == 0.0 {
            format!("Fetching the image: {} of {} MB", mb(loaded), mb(known))
        } else {
            "Unpacking the image".into()
        };
        Progress { percent: Some(self.percent), text }
    }
}

/// Pulls an image, with the header of a login or an empty string. Uses our own HTTP client, since the library buffers a
/// line until it ends.
pub(super) async fn pull(
    link: &Link,
    action: &str,
    image: &str,
    login: &str,
    progress: &watch::Sender<Option<Progress>>,
) -> Result<(), EngineError> {
    let plain = |error: EngineError| match error.fault {
        Fault::Away => error,
        _ => EngineError { message: errors::pull_failed(image, &error.message), ..error },
    };
    let refused = |message: String| EngineError::new(Fault::Refused, action, message);
    let stood_still =
        |_| refused(format!("The fetch of {image} stood still for {} minutes.", SILENCE.as_secs() / 60));
    let path = format!("{}/images/create?fromImage={}", link.prefix, hijack::encoded(&with_tag(image)));
    let opened = timeout(SILENCE, hijack::open_as(&link.endpoint, "POST", &path, login, action));
    let opened = opened.await.map_err(stood_still)?.map_err(plain)?;
    let all = Capped { read: hijack::Kept::new(opened), left: ALL };
    let mut lines = hijack::Lines::new(all, LINE);
    let mut fetch = Fetch::default();
    let end = Instant::now() + TAKES;
    while Instant::now() < end {
        let line = match timeout(SILENCE, lines.next()).await.map_err(stood_still)? {
            Ok(None) => return Ok(()),
            Ok(Some(line)) => line,
            Err(error) => return Err(EngineError::new(Fault::Away, action, error.to_string())),
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line: CreateImageInfo =
            serde_json::from_slice(&line).map_err(|error| refused(error.to_string()))?;
        if let Some(message) = line.error_detail.as_ref().and_then(|detail| detail.message.as_deref()) {
            return Err(plain(errors::answered(action, 500, message)));
        }
        if let Some(now) = fetch.line(&line, Instant::now()) {
            progress.send_replace(Some(now));
        }
    }
    Err(refused(format!("The fetch of {image} does not come to an end.")))
}

/// Adds `:latest` if there is neither tag nor digest; otherwise the engine would pull all tags.
pub(super) fn with_tag(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains(':') || name.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn line(id: &str, status: &str, current: i64, total: i64) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.into()),
            status: Some(status.into()),
            progress_detail: Some(ProgressDetail { current: Some(current), total: Some(total) }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn percent_rises_and_is_told_four_times_a_second() {
        let mut fetch = Fetch::default();
        let mut now = Instant::now();
        let mut last = 0.0;
        let mut told = 0;
        let lines = [
            line("a", "Pulling fs layer", 0, 0),
            line("b", "Already exists", 0, 0),
            line("a", "Downloading", 10, 100),
            line("c", "Pulling fs layer", 0, 0),
            line("a", "Downloading", 100, 100),
            line("c", "Downloading", 50, 100),
            line("a", "Extracting", 50, 100),
            line("a", "Pull complete", 0, 0),
            line("c", "Download complete", 0, 0),
            line("c", "Pull complete", 0, 0),
        ];
        for line in &lines {
            now += Duration::from_millis(125);
            if let Some(progress) = fetch.line(line, now) {
                told += 1;
                assert!(progress.percent.unwrap() >= last, "{progress:?}");
                last = progress.percent.unwrap();
            }
        }
        assert_eq!(told, 5);
        assert_eq!(fetch.progress().percent, Some(100.0));
    }

    #[test]
    fn a_reference_gets_a_tag_only_where_it_has_none() {
        assert_eq!(with_tag("busybox"), "busybox:latest");
        assert_eq!(with_tag("host:5000/a/b"), "host:5000/a/b:latest");
        assert_eq!(with_tag("host:5000/a/b:1"), "host:5000/a/b:1");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
    }
}
