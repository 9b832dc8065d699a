//! Half requests, half TLS hellos, silence and too many connections: every port closes them and keeps working.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Panel, free_port, raw, seconds};

/// The documented timeouts are 10 s; anything longer is a leak.
const PATIENCE: Duration = Duration::from_secs(16);

#[tokio::test]
async fn half_requests_end_on_every_port() {
    let health = free_port();
    let panel = Panel::builder().env("HEALTH_PORT", health.to_string()).start().await;
    let ports = [panel.address.clone(), panel.agents_address(), format!("127.0.0.1:{health}")];
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let half: &[&[u8]] =
        &[b"", b"G", b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", hello, b"\0\0\0\0", b"POST / HTTP/1.1\r\n"];
    let mut all = Vec::new();
    for address in &ports {
        for bytes in half {
            all.push(async move {
                let (answer, closed) = raw::exchange(address, bytes, PATIENCE).await;
                assert!(closed.is_some(), "{address} kept {bytes:?} open; it said {answer:?}");
            });
        }
    }
    futures_util::future::join_all(all).await;
    for address in &ports {
        let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let (answer, _) = raw::exchange(address, request.as_bytes(), seconds(5)).await;
        // The agents' port has no such endpoint.
        assert!(matches!(raw::status(&answer), 200 | 404 | 503), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let panel = Panel::start().await;
    let head = format!(
        "POST /api/session HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"user",
        panel.address
    );
    let (_, closed) = raw::exchange(&panel.address, head.as_bytes(), seconds(40)).await;
    assert!(closed.is_some_and(|after| after < seconds(38)), "{closed:?}");
}

#[tokio::test]
async fn three_hundred_idle_sockets_cost_little_and_hinder_nobody() {
    let health = free_port();
    let panel = Panel::builder().env("HEALTH_PORT", health.to_string()).start().await;
    let ports = [panel.address.clone(), panel.agents_address(), format!("127.0.0.1:{health}")];
    let before = panel.resident();
    let mut held = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(&ports[n % ports.len()]).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-").await.unwrap();
        held.push(stream);
    }
    let began = std::time::Instant::now();
    for address in &ports {
        let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let (answer, _) = raw::exchange(address, request.as_bytes(), seconds(5)).await;
        // The agents' port has no such endpoint.
        assert!(matches!(raw::status(&answer), 200 | 404 | 503), "{answer}");
    }
    assert!(began.elapsed() < seconds(1));
    let each = panel.resident().saturating_sub(before) / 300;
    assert!(each < 48 << 10, "{each} bytes for a half request");
}

/// One byte per second keeps no connection open, on any port.
#[tokio::test]
async fn a_slow_loris_is_dropped_on_every_port() {
    let health = free_port();
    let panel = Panel::builder().env("HEALTH_PORT", health.to_string()).start().await;
    let mut all = Vec::new();
    for address in [panel.address.clone(), panel.agents_address(), format!("127.0.0.1:{health}")] {
        all.push(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
            let began = std::time::Instant::now();
            // Complete header lines, one after another, but never the last.
            while stream.write_all(b"X-A: b\r\n").await.is_ok() {
                assert!(began.elapsed() < PATIENCE, "{address} listens for ever");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn garbage_and_two_lengths_are_refused() {
    let panel = Panel::start().await;
    let a = &panel.address;
    for request in [
        format!("GET / HTTP/9.9\r\nHost: {a}\r\n\r\n"),
        format!(
            "POST /api/session HTTP/1.1\r\nHost: {a}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
        ),
        format!(
            "POST /api/session HTTP/1.1\r\nHost: {a}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        "\u{1}\u{2}\u{3}\r\n\r\n".to_owned(),
    ] {
        let (answer, _) = raw::exchange(a, request.as_bytes(), seconds(12)).await;
        assert!(!matches!(raw::status(&answer), 200 | 201), "{request:?} → {answer}");
    }
    panel.anonymous().get("/health").await.expect(200);
}

/// The panel ends idle connections. A client whose thread was busy meanwhile has not seen that, and asks on a new one.
#[tokio::test]
#[allow(
    clippy::disallowed_methods,
    reason = "the whole thread is busy, as that of a test that writes large files"
)]
async fn a_client_that_was_busy_gets_its_answer() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    admin.get("/api/servers").await.expect(200);
    std::thread::sleep(Duration::from_secs(12));
    admin.get("/api/servers").await.expect(200);
}
