//! Answered writes per second, compared to plain fsyncs on the same disk.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use crate::panel::{BoxError, Panel};
use crate::report::Report;

const TIME: Duration = Duration::from_secs(3);

fn fsyncs_per_second(panel: &Panel) -> Result<f64> {
    let path = panel.folder().join("fsync-baseline");
    let mut file = std::fs::File::create(&path)?;
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed() < TIME {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    std::fs::remove_file(&path)?;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

async fn renames_per_second(panel: &Panel, id: &str, writers: usize) -> Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let (done, token) = (done.clone(), panel.token.clone());
        let url = format!("http://{}/api/servers/{id}", panel.address);
        clients.spawn(async move {
            let client = reqwest::Client::new();
            let mut n = 0;
            while began.elapsed() < TIME {
                let body = json!({ "name": format!("writer {writer} turn {n}") });
                client.patch(&url).bearer_auth(&token).json(&body).send().await?.error_for_status()?;
                n += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), BoxError>(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// Renames a server repeatedly: each answer means that the change is on disk.
pub(crate) async fn per_second(panel: &Panel, report: &mut Report) -> Result<()> {
    let id = panel.server("written", "sleep 1").await?;
    for writers in [1, 32] {
        let fsyncs = fsyncs_per_second(panel)?;
        let writes = renames_per_second(panel, &id, writers).await?;
        report.plain(
            format!("answered writes, {writers} clients"),
            "1/s",
            writes,
            Some((fsyncs, "1/s plain fsync")),
        );
    }
    Ok(())
}
