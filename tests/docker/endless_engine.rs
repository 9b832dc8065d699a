//! A container engine with endless responses: the panel does not wait for the end, and does not buffer them.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::beside;
use crate::harness::{Panel, seconds, until};

/// Answers `/version` and image lookups normally, and everything else with `begin` and then `piece` forever.
async fn answer(mut stream: UnixStream, begin: &'static str, piece: Vec<u8>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut some = [0; 1024];
        match stream.read(&mut some).await {
            Ok(0) | Err(_) => return,
            Ok(n) => head.extend_from_slice(&some[..n]),
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    if line.contains("/version") {
        let body = r#"{"ApiVersion":"1.41","Version":"20.10","Components":[]}"#;
        let text =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        let _ = stream.write_all(text.as_bytes()).await;
        return;
    }
    if line.contains("/images/") && line.contains("/json") {
        let body = r#"{"message":"No such image"}"#;
        let text = format!(
            "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(text.as_bytes()).await;
        return;
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    if stream.write_all(format!("{head}{begin}").as_bytes()).await.is_ok() {
        while stream.write_all(&piece).await.is_ok() {}
    }
}

#[tokio::test]
async fn no_answer_takes_more_memory_than_an_answer_may() {
    for (begin, piece) in [
        (r#"{"Id":""#, vec![b'x'; 1 << 16]),
        ("[", br#"{"Labels":{"a":"b"}},"#.repeat(2_000)),
        ("", [vec![b' '; 1 << 16], b"\n".to_vec()].concat()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let engine = beside(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(beside(answer(stream, begin, piece.clone())));
            }
        });
        let panel = Panel::builder().env("DOCKER_HOST", format!("unix://{}", socket.display())).start().await;
        let admin = panel.admin();
        let before = panel.resident();
        for n in 0..4 {
            let body = json!({ "name": format!("World {n}"), "image": "example/none", "startup": "x" });
            admin.post("/api/servers", body).await.expect(201);
        }
        let (began, mut most) = (Instant::now(), 0);
        until("it was watched for a while", seconds(60), async || {
            most = most.max(panel.resident());
            (began.elapsed() > Duration::from_secs(12)).then_some(())
        })
        .await;
        let grown = most.saturating_sub(before) >> 20;
        println!("{begin:?}: {grown} MiB more");
        assert!(grown < 64, "{begin:?}: {grown} MiB more");
        admin.get("/api/servers").await.expect(200);
        engine.abort();
    }
}
