//! The same on a node elsewhere.

use std::os::unix::ffi::OsStrExt;

use reqwest::Method;
use serde_json::json;

use super::super::game::Game;
use super::sent;
use crate::harness::node::{self, Node};
use crate::harness::{Panel, docker, free_port, seconds, until};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

#[tokio::test]
async fn bytes_go_there_and_back_and_uploads_outlive_the_agent() {
    let panel = Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).start().await;
    let mut agent = Node::builder().join(&panel, "attic").await;
    node::online(&panel, "attic", true, seconds(40)).await;
    let body = json!({ "name": "Afar", "nodeId": "attic", "image": docker::BUSYBOX, "startup": "game" });
    let game = Game::ask(&panel, body).await;
    game.becomes("stopped", seconds(40)).await;

    let all: Vec<u8> = (0..2_500_000_u32).flat_map(u32::to_le_bytes).collect();
    game.put("/world/data.bin", all.clone()).await.expect(204);
    let request = game.admin.request(Method::GET, &game.content("/world/data.bin"));
    let whole = request.send().await.unwrap().bytes().await.unwrap();
    assert!(whole == all);
    let request = game.admin.request(Method::GET, &game.content("/world/data.bin"));
    let part = request.header("range", "bytes=1000000-1999999").send().await.unwrap();
    assert_eq!(part.status().as_u16(), 206);
    assert!(part.bytes().await.unwrap() == all[1_000_000..2_000_000]);
    assert_eq!(game.names("/world").await, ["data.bin"]);

    let odd = agent.data().join("servers").join(&game.id).join("odd");
    std::fs::create_dir(&odd).unwrap();
    for number in 0..3_000 {
        let name = [format!("{number:05}").as_bytes(), &[0xff; 240][..]].concat();
        std::fs::write(odd.join(std::ffi::OsStr::from_bytes(&name)), "").unwrap();
    }
    let began = std::time::Instant::now();
    assert_eq!(game.listed("/odd").await.len(), 3_000, "lists are larger than other answers");
    assert!(began.elapsed() < seconds(10), "{:?}", began.elapsed());

    let (size, metadata) = (all.len().to_string(), "path L2JpZy5iaW4=");
    let headers = [TUS, ("upload-length", size.as_str()), ("upload-metadata", metadata)];
    let made = sent(&game.admin, Method::POST, &game.files("/uploads"), "", &headers).await.expect(201);
    let upload = made.header("location").to_owned();
    let patch = |from: usize| {
        game.admin
            .request(Method::PATCH, &upload)
            .header(TUS.0, TUS.1)
            .header("content-type", "application/offset+octet-stream")
            .header("upload-offset", from)
    };
    let pieces = {
        let all = all.clone();
        futures_util::stream::unfold(0, move |at| {
            let piece = all[at..(at + 100_000).min(all.len())].to_vec();
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                (!piece.is_empty()).then(|| (Ok::<_, std::io::Error>(piece), at + 100_000))
            }
        })
    };
    let sending = super::super::beside(patch(0).body(reqwest::Body::wrap_stream(pieces)).send());
    tokio::time::sleep(seconds(1)).await;
    agent.kill().await;
    // It is told, or finds its connection closed.
    let cut = tokio::time::timeout(seconds(30), sending).await.expect("it ends").unwrap();
    assert!(cut.is_err() || cut.is_ok_and(|answer| answer.status().as_u16() >= 500));
    let away = sent(&game.admin, Method::HEAD, &upload, "", &[TUS]).await;
    assert_eq!((away.status, away.header("tus-resumable")), (503, "1.0.0"));
    agent.again();
    node::online(&panel, "attic", true, seconds(40)).await;
    let offset = until("the upload is known", seconds(20), async || {
        let answer = sent(&game.admin, Method::HEAD, &upload, "", &[TUS]).await;
        answer.header("upload-offset").parse::<usize>().ok()
    })
    .await;
    assert!(offset > 0 && offset < all.len(), "{offset}");
    let done = patch(offset).body(all[offset..].to_vec()).send().await.unwrap();
    assert_eq!(done.status().as_u16(), 204);
    let request = game.admin.request(Method::GET, &game.content("/big.bin"));
    assert!(request.send().await.unwrap().bytes().await.unwrap() == all);

    let copy = json!({ "path": "/world", "to": "/copy" });
    let job = game.act("copy", copy).await.expect(200).json;
    assert_eq!(job["bytes"], 10_000_000, "{job}");
    game.admin.delete(&game.path("")).await.expect(204);
}
