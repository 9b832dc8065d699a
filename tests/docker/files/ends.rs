//! Whoever may no longer do something does not go on doing it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Method;

use super::{friend, world};
use crate::harness::seconds;

/// Larger than what stands in buffers.
const LARGE: usize = 64 << 20;
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_download_ends_with_the_right_and_with_the_session() {
    let (panel, game) = world().await;
    std::fs::write(game.file(&panel, "large"), vec![7; LARGE]).unwrap();
    for end in ["right", "session", "account"] {
        let (reader, grant) = friend(&panel, &game, &format!("reader-{end}"), "files_read").await;
        let answer = reader.request(Method::GET, &game.content("/large")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let mut body = answer.bytes_stream();
        assert!(body.next().await.unwrap().is_ok());
        match end {
            "right" => drop(panel.admin().delete(&grant).await.expect(204)),
            "session" => drop(reader.delete("/api/session").await.expect(204)),
            _ => {
                let id = grant.rsplit('/').next().unwrap();
                drop(panel.admin().delete(&format!("/api/users/{id}")).await.expect(204));
            }
        }
        // Nothing is read for a moment: what comes afterwards are full buffers, and then the end.
        tokio::time::sleep(SOON).await;
        let mut came = 0;
        let broken = loop {
            match body.next().await {
                Some(Ok(piece)) => came += piece.len(),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken && came < LARGE / 2, "{end}: {came} bytes came, broken off: {broken}");
    }
}

#[tokio::test]
async fn an_upload_ends_with_the_right() {
    let (panel, game) = world().await;
    game.put("/a.bin", "old").await.expect(204);
    let (writer, grant) = friend(&panel, &game, "writer", "files").await;
    let pieces = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Ok::<_, std::io::Error>(vec![1_u8; 10_000]), ()))
    });
    let request =
        writer.request(Method::PUT, &game.content("/a.bin")).body(reqwest::Body::wrap_stream(pieces));
    let sending = super::super::beside(request.send());
    tokio::time::sleep(seconds(1)).await;
    let began = Instant::now();
    panel.admin().delete(&grant).await.expect(204);
    let answer = tokio::time::timeout(seconds(10), sending).await.expect("it ends").unwrap();
    let took = began.elapsed();
    if let Ok(answer) = answer {
        assert_eq!(answer.status().as_u16(), 404, "he may not even see it any more");
    }
    assert!(took < SOON, "{took:?}");
    assert_eq!(game.text("/a.bin").await, "old");
    assert_eq!(game.names("/").await, ["a.bin"], "no part is left");
}

#[tokio::test]
async fn a_download_ends_with_the_server() {
    let (panel, game) = world().await;
    std::fs::write(game.file(&panel, "large"), vec![7; LARGE]).unwrap();
    let answer = game.admin.request(Method::GET, &game.content("/large")).send().await.unwrap();
    let mut body = answer.bytes_stream();
    assert!(body.next().await.unwrap().is_ok());
    game.admin.delete(&game.path("")).await.expect(204);
    tokio::time::sleep(SOON).await;
    let mut came = 0;
    while let Some(Ok(piece)) = body.next().await {
        came += piece.len();
    }
    assert!(came < LARGE / 2, "{came}");
}
