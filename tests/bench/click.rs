//! A click on "start": from the request to the first call to the engine.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::Result;
use crate::panel::Panel;
use crate::report::Report;

pub(crate) const CLICKS: usize = 20;

/// For each word, when the engine first received a request with it.
type Received = Arc<Mutex<Vec<(String, Option<Instant>)>>>;

/// A proxy in front of the engine that records requests.
async fn listen(listener: UnixListener, heard: Received) {
    while let Ok((near, _)) = listener.accept().await {
        let heard = heard.clone();
        crate::spawn(async move {
            let Ok(far) = UnixStream::connect("/var/run/docker.sock").await else { return };
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            let there = carry(near_read, far_write, Some(&heard));
            let back = carry(far_read, near_write, None);
            tokio::join!(there, back);
        });
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, heard: Option<&Received>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if let Some(heard) = heard {
            note(heard, &buffer[..n]);
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

fn note(heard: &Received, bytes: &[u8]) {
    let mut heard = heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (word, at) in heard.iter_mut().filter(|(_, at)| at.is_none()) {
        if String::from_utf8_lossy(bytes).contains(word.as_str()) {
            *at = Some(Instant::now());
        }
    }
}

/// Id of the last run's container. A start first removes it.
async fn container(server: &str) -> Result<String> {
    let name = format!("ctrl-alt-play-{server}");
    let mut inspect = tokio::process::Command::new("docker");
    let output = inspect.args(["inspect", "-f", "{{.Id}}", &name]).output().await?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Median and maximum of twenty starts of a server that has run before, until the first call and until its new
/// container is created.
pub(crate) async fn to_engine(report: &mut Report) -> Result<()> {
    let engine = Engine::listen()?;
    let panel = engine.panel().await?;
    let id = panel.server("clicked", "while read word; do :; done").await?;
    let (first, made) = engine.starts(&panel, &id).await?;
    let beside = Some((made[CLICKS / 2], "ms to the new container: the last one goes first"));
    report.row("click on start to the engine, median", "ms", first[CLICKS / 2], 10.0, beside);
    report.row("click on start to the engine, worst of 20", "ms", first[CLICKS - 1], 10.0, None);
    panel.remove_servers().await?;
    panel.stop().await
}

/// The engine behind a proxy that notes when it is asked.
pub(crate) struct Engine {
    folder: tempfile::TempDir,
    heard: Received,
}

impl Engine {
    pub(crate) fn listen() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let heard = Received::default();
        crate::spawn(listen(UnixListener::bind(folder.path().join("engine.sock"))?, heard.clone()));
        Ok(Self { folder, heard })
    }

    /// A panel that uses it.
    pub(crate) async fn panel(&self) -> Result<Panel> {
        let socket = self.folder.path().join("engine.sock");
        Panel::start_with(&[("DOCKER_HOST", socket.display().to_string())]).await
    }

    /// Milliseconds of twenty starts, in order of size: to the first call, and to the new container.
    pub(crate) async fn starts(&self, panel: &Panel, id: &str) -> Result<(Vec<f64>, Vec<f64>)> {
        starts(panel, id, &self.heard).await
    }
}

async fn starts(panel: &Panel, id: &str, heard: &Received) -> Result<(Vec<f64>, Vec<f64>)> {
    let set = |value| *heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = value;
    let (mut first, mut made) = (Vec::new(), Vec::new());
    for click in 0..=CLICKS {
        let last = if click == 0 { id.to_owned() } else { container(id).await? };
        set(vec![(last, None), (id.to_owned(), None)]);
        let clicked = Instant::now();
        panel.power(id, "start").await?;
        panel.wait(id, "running").await?;
        let told = std::mem::take(&mut *heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if click > 0 {
            let after = |told: &(String, Option<Instant>)| {
                let at = told.1.ok_or("the engine was told nothing of it")?;
                Ok::<_, crate::Error>((at - clicked).as_secs_f64() * 1e3)
            };
            first.push(after(&told[0])?);
            made.push(after(&told[1])?);
        }
        panel.power(id, "kill").await?;
        panel.wait(id, "stopped").await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    first.sort_by(f64::total_cmp);
    made.sort_by(f64::total_cmp);
    Ok((first, made))
}

impl Panel {
    async fn power(&self, id: &str, action: &str) -> Result<()> {
        let body = json!({ "action": action });
        self.call(reqwest::Method::POST, &format!("/api/servers/{id}/power"), Some(body)).await?;
        Ok(())
    }
}
