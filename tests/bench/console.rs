//! Console throughput and latency through agent, panel and WebSocket, compared to a plain attach to the same container.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::Result;
use crate::panel::Panel;
use crate::report::Report;

const LINES: u64 = 300_000;
/// Number of lines for the latency.
const ECHOES: usize = 1_000;

/// Attaches with the engine's own API, as the baseline.
async fn attach(id: &str) -> Result<UnixStream> {
    let mut stream = UnixStream::connect("/var/run/docker.sock").await?;
    let request = format!(
        "POST /containers/ctrl-alt-play-{id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n\
         Upgrade: tcp\r\nConnection: Upgrade\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(String::from_utf8_lossy(&head).into_owned().into());
    }
    Ok(stream)
}

async fn watch(panel: &Panel, id: &str) -> Result<WebSocketStream<TcpStream>> {
    let mut request = format!("ws://{}/api/live", panel.address).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", panel.token).parse()?);
    let stream = TcpStream::connect(&panel.address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    let topic = format!("console:{id}");
    socket.send(Message::text(json!({ "subscribe": [topic] }).to_string())).await?;
    // The first message has the earlier lines.
    socket.next().await.ok_or("closed")??;
    Ok(socket)
}

/// Counts game lines and skipped ones until the line `end`. Also returns the time of the last line before it.
async fn count(socket: &mut WebSocketStream<TcpStream>) -> Result<(u64, u64, Instant)> {
    let (mut lines, mut skipped, mut last) = (0, 0, Instant::now());
    loop {
        let message = socket.next().await.ok_or("closed")??;
        let Message::Text(text) = message else { continue };
        let data: Value = serde_json::from_str(&text)?;
        for line in data["data"]["lines"].as_array().into_iter().flatten() {
            match line["text"].as_str() {
                Some("end") => return Ok((lines, skipped, last)),
                Some(_) if line["stream"] == "stdout" => {
                    lines += 1;
                    last = Instant::now();
                }
                Some(_) => {}
                None => skipped += line["skipped"].as_u64().unwrap_or(0),
            }
        }
    }
}

/// All console measurements.
pub(crate) async fn measure(panel: &Panel, report: &mut Report) -> Result<()> {
    lines(panel, report).await?;
    memory(panel, report).await
}

async fn lines(panel: &Panel, report: &mut Report) -> Result<()> {
    // Waits for input, so that both readers are connected before the first line.
    let startup = format!("read word; seq 1 {LINES}; echo end; while read word; do :; done");
    let id = panel.server("lines", &startup).await?;
    panel.run(&id).await?;
    let mut plain = attach(&id).await?;
    let mut socket = watch(panel, &id).await?;
    plain.write_all(b"go\n").await?;
    let began = Instant::now();
    let direct = async {
        let mut buffer = vec![0; 256 * 1024];
        let mut tail = Vec::new();
        let last = format!("\n{LINES}\r").into_bytes();
        loop {
            let n = plain.read(&mut buffer).await?;
            if n == 0 {
                return Err::<(UnixStream, Instant), crate::panel::BoxError>("attach closed".into());
            }
            tail.extend_from_slice(&buffer[..n]);
            if tail.windows(last.len()).any(|bytes| bytes == last) {
                return Ok((plain, Instant::now()));
            }
            let keep = tail.len().saturating_sub(last.len());
            tail.drain(..keep);
        }
    };
    let both = async { tokio::try_join!(direct, count(&mut socket)) };
    let ((mut plain, direct_end), (got, skipped, end)) =
        tokio::time::timeout(Duration::from_secs(60), both).await??;
    let rate = got as f64 / (end - began).as_secs_f64();
    let direct_rate = LINES as f64 / (direct_end - began).as_secs_f64();
    report.at_least(
        "console lines to a WebSocket reader",
        "1/s",
        rate,
        50_000.0,
        Some((direct_rate, "1/s plain attach")),
    );
    report.plain("lines counted instead of shown, of 300,000", "lines", skipped as f64, None);

    // A line every 5 ms, echoed by the terminal to both readers.
    let (mut ours, mut theirs, mut later) = (Vec::new(), Vec::new(), Vec::new());
    let mut every = tokio::time::interval(Duration::from_millis(5));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for n in 0..ECHOES {
        every.tick().await;
        let word = format!("echo-{n}-");
        let began = Instant::now();
        plain.write_all(format!("{word}\n").as_bytes()).await?;
        let direct = async {
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&seen).contains(&word) {
                let n = plain.read(&mut buffer).await?;
                seen.extend_from_slice(&buffer[..n]);
            }
            Ok::<_, crate::panel::BoxError>(began.elapsed())
        };
        let through = async {
            loop {
                let message = socket.next().await.ok_or("closed")??;
                if message.to_text().is_ok_and(|text| text.contains(&word)) {
                    return Ok::<_, crate::panel::BoxError>(began.elapsed());
                }
            }
        };
        let (direct, through) =
            tokio::time::timeout(Duration::from_secs(10), async { tokio::try_join!(direct, through) })
                .await??;
        theirs.push(direct.as_secs_f64() * 1e3);
        ours.push(through.as_secs_f64() * 1e3);
        later.push((through.as_secs_f64() - direct.as_secs_f64()).max(0.0) * 1e3);
    }
    for times in [&mut ours, &mut theirs, &mut later] {
        times.sort_by(f64::total_cmp);
    }
    for (name, at, most) in [("median", ECHOES / 2, 0.5), ("99 of 100", ECHOES * 99 / 100, 3.0)] {
        let beside = Some((theirs[at], "ms plain attach"));
        report.plain(format!("a console line every 5 ms, {name}"), "ms", ours[at], beside);
        // On a busy machine, the plain attach is slow too.
        let most = f64::max(most, if at > ECHOES / 2 { theirs[at] } else { 0.0 });
        report.row(format!("… later than the plain attach, {name}"), "ms", later[at], most, None);
    }
    Ok(())
}

/// Resident memory after a flood, with its viewer still connected, and some time later.
async fn memory(panel: &Panel, report: &mut Report) -> Result<()> {
    let id = panel.server("flood", "read word; seq 1 200000; echo end; while read word; do :; done").await?;
    panel.run(&id).await?;
    let mut plain = attach(&id).await?;
    let mut socket = watch(panel, &id).await?;
    let before = resident(panel)?;
    plain.write_all(b"go\n").await?;
    drop(plain);
    let mut most = before;
    let sampling = async {
        loop {
            most = most.max(resident(panel).unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let counted = async { tokio::time::timeout(Duration::from_secs(60), count(&mut socket)).await? };
    let (_, skipped, _) = tokio::select! {
        counted = counted => counted?,
        () = sampling => return Err("sampled for ever".into()),
    };
    // Buffers for slow viewers are freed after two seconds.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let beside = Some((before, "MB before"));
    report.plain("resident while 200,000 lines come, at most", "MB", most, beside);
    report.row("resident after 200,000 lines", "MB", resident(panel)?, 20.0, beside);
    report.plain("lines counted instead of shown, of 200,000", "lines", skipped as f64, None);
    Ok(())
}

fn resident(panel: &Panel) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", panel.pid()))?;
    Ok(crate::idle::field(&status, "VmRSS") / 1e3)
}
