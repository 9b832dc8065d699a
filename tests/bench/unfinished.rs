//! Sign-ins that never finish, all from one address, and the effect on the owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::Result;
use crate::idle::field;
use crate::panel::{BoxError, Panel};
use crate::report::Report;

const COUNT: usize = 3500;

fn resident(panel: &Panel) -> Result<f64> {
    let map = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", panel.pid()))?;
    Ok(field(&map, "Rss") / 1e3)
}

/// The owner's longest wait until `over`, each time on a new connection.
async fn owner(address: String, token: String, over: Arc<AtomicBool>) -> Result<Duration, BoxError> {
    let mut worst = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = crate::http::get(&address, "/api/servers", Some(&token)).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(format!("the owner got {answer}").into());
        }
        worst = worst.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(worst)
}

/// Memory during and after the attack, and the owner's longest wait meanwhile.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    ctrl_alt_play::raise_file_limit();
    let panel = Panel::start().await?;
    let before = resident(&panel)?;
    let over = Arc::new(AtomicBool::new(false));
    let mut owner_task = tokio::task::JoinSet::new();
    owner_task.spawn(owner(panel.address.clone(), panel.token.clone(), Arc::clone(&over)));
    let head = format!(
        "POST /api/session HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{{\"user",
        panel.address
    );
    let body = vec![b'x'; 3900];
    let mut held = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let mut stream = TcpStream::connect(&panel.address).await?;
        // The panel closes the idlest ones while more are opened.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&body).await;
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let full = resident(&panel)?;
    over.store(true, Ordering::Relaxed);
    let worst = owner_task.join_next().await.ok_or("nobody asked")??;
    let worst = worst.map_err(|error| error.to_string())?;
    drop(held);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = resident(&panel)?;
    let of = format!("{COUNT} unfinished sign-ins");
    report.row(format!("{of}: resident"), "MB", full, 64.0, Some((before, "before")));
    report.row(format!("{of}: resident 5 s after"), "MB", after, 25.0, Some((before, "before")));
    report.row(format!("{of}: the owner's worst answer"), "ms", worst.as_secs_f64() * 1e3, 1000.0, None);
    panel.stop().await
}
