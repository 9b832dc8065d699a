//! Requests per second, with a minimal client that is not the bottleneck.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::panel::Panel;
use crate::report::Report;
use crate::{Result, panel};

const CONNECTIONS: usize = 8;
const TIME: Duration = Duration::from_secs(3);

fn request(address: &str, path: &str, token: Option<&str>) -> Vec<u8> {
    let auth = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{auth}\r\n").into_bytes()
}

/// Reads a response with a `content-length`. Returns its head.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<String> {
    buffer.clear();
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse::<usize>().ok())
                .ok_or_else(|| format!("no content-length: {head}"))?;
            while buffer.len() < end + 4 + length {
                if stream.read_buf(buffer).await? == 0 {
                    return Err("closed in a body".into());
                }
            }
            return Ok(head);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err("closed in a head".into());
        }
    }
}

/// Sends a request on a new connection.
pub(crate) async fn get(address: &str, path: &str, token: Option<&str>) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request(address, path, token)).await?;
    answer(&mut stream, &mut Vec::new()).await
}

async fn per_second(panel: &Panel, path: &str, token: Option<&str>) -> Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (done, address) = (done.clone(), panel.address.clone());
        let request = request(&address, path, token);
        clients.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = Vec::with_capacity(64 * 1024);
            while began.elapsed() < TIME {
                stream.write_all(&request).await?;
                let head = answer(&mut stream, &mut buffer).await?;
                if !head.starts_with("HTTP/1.1 200") {
                    return Err::<(), panel::BoxError>(head.into());
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64())
}

/// `GET /api/servers`, signed in, with this many stopped servers. The target is `at_least` times the rate of `/health`
/// over the same connections.
pub(crate) async fn list(panel: &Panel, servers: usize, at_least: f64, report: &mut Report) -> Result<()> {
    let have = panel.call(reqwest::Method::GET, "/api/servers", None).await?.as_array().map_or(0, Vec::len);
    for n in have..servers {
        panel.server(&format!("listed {n}"), "sleep 1").await?;
    }
    let health = per_second(panel, "/health", None).await?;
    let list = per_second(panel, "/api/servers", Some(&panel.token)).await?;
    let of = format!("GET /api/servers with {servers} servers");
    report.plain(of.clone(), "1/s", list, Some((health, "1/s GET /health")));
    report.at_least(format!("{of}: beside /health"), "ratio", list / health, at_least, None);
    Ok(())
}
