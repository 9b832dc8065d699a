//! tus by hand, as any client speaks it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;

use super::super::game::Game;
use super::{sent, world};
use crate::harness::{Answer, seconds, until};

const TUS: (&str, &str) = ("tus-resumable", "1.0.0");
const PATCH_TYPE: (&str, &str) = ("content-type", "application/offset+octet-stream");

fn metadata(path: &str, replace: bool) -> String {
    let encode = |text: &str| BASE64_STANDARD.encode(text);
    format!("path {},replace {}", encode(path), encode(if replace { "true" } else { "false" }))
}

impl Game {
    async fn begin(&self, path: &str, size: usize, replace: bool) -> Answer {
        let (metadata, size) = (metadata(path, replace), size.to_string());
        let headers = [TUS, ("upload-length", size.as_str()), ("upload-metadata", metadata.as_str())];
        sent(&self.admin, Method::POST, &self.files("/uploads"), "", &headers).await
    }

    async fn begun(&self, path: &str, size: usize) -> String {
        let answer = self.begin(path, size, false).await.expect(201);
        assert_eq!(answer.header("tus-resumable"), "1.0.0");
        answer.header("location").to_owned()
    }

    async fn piece(&self, upload: &str, offset: usize, bytes: Vec<u8>) -> Answer {
        let offset = offset.to_string();
        let headers = [TUS, PATCH_TYPE, ("upload-offset", offset.as_str())];
        sent(&self.admin, Method::PATCH, upload, bytes, &headers).await
    }

    async fn offset(&self, upload: &str) -> usize {
        let answer = sent(&self.admin, Method::HEAD, upload, "", &[TUS]).await.expect(200);
        answer.header("upload-offset").parse().unwrap()
    }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at * 31 % 251) as u8).collect()
}

#[tokio::test]
async fn a_file_comes_in_pieces() {
    let (panel, game) = world().await;
    let all = bytes(3_000_000);
    let upload = game.begun("/world/level.dat", all.len()).await;
    assert!(upload.starts_with(&game.files("/uploads/")), "{upload}");
    assert_eq!(game.offset(&upload).await, 0);
    let first = game.piece(&upload, 0, all[..1_000_000].to_vec()).await.expect(204);
    assert_eq!((first.header("upload-offset"), first.header("tus-resumable")), ("1000000", "1.0.0"));
    assert!(!game.file(&panel, "world/level.dat").exists(), "half of it is no file");
    assert_eq!(game.offset(&upload).await, 1_000_000);
    game.piece(&upload, 0, all[..10].to_vec()).await.refused(409, "conflict");
    game.piece(&upload, 2_000_000, all[..10].to_vec()).await.refused(409, "conflict");
    let last = game.piece(&upload, 1_000_000, all[1_000_000..].to_vec()).await.expect(204);
    assert_eq!(last.header("upload-offset"), "3000000");
    assert_eq!(std::fs::read(game.file(&panel, "world/level.dat")).unwrap(), all);
    assert_eq!(game.names("/").await, ["world"], "parts lie elsewhere");

    game.begun("/empty", 0).await;
    assert_eq!(game.text("/empty").await, "");
    game.begin("/empty", 5, false).await.refused(409, "exists");
    let over = game.begin("/empty", 5, true).await.expect(201).header("location").to_owned();
    assert_eq!(game.text("/empty").await, "", "the old file until the new one is whole");
    game.piece(&over, 0, b"12345".to_vec()).await.expect(204);
    assert_eq!(game.text("/empty").await, "12345");
}

#[tokio::test]
async fn the_rules_of_tus_are_kept() {
    let (_panel, game) = world().await;
    let uploads = game.files("/uploads");
    let options = sent(&game.admin, Method::OPTIONS, &uploads, "", &[]).await.expect(204);
    assert_eq!(options.header("tus-version"), "1.0.0");
    assert_eq!(options.header("tus-extension"), "creation,termination");
    assert!(options.header("tus-max-size").parse::<u64>().is_ok());
    let text = metadata("/a", false);
    let other = [("tus-resumable", "0.2.0"), ("upload-length", "5"), ("upload-metadata", &text)];
    let refused = sent(&game.admin, Method::POST, &uploads, "", &other).await;
    assert_eq!(refused.refused(412, "precondition_failed").header("tus-version"), "1.0.0");
    for headers in [
        vec![TUS, ("upload-metadata", &text)],
        vec![TUS, ("upload-length", "-1"), ("upload-metadata", &text)],
    ] {
        sent(&game.admin, Method::POST, &uploads, "", &headers).await.refused(400, "bad_request");
    }
    let large = [TUS, ("upload-length", "99999999999999999"), ("upload-metadata", &text)];
    sent(&game.admin, Method::POST, &uploads, "", &large).await.refused(413, "too_large");
    sent(&game.admin, Method::POST, &uploads, "", &[TUS, ("upload-length", "5")])
        .await
        .refused(422, "invalid");
    game.begin("/../x", 5, false).await.refused(400, "path_escape");

    let upload = game.begun("/a", 5).await;
    let plain = [TUS, ("upload-offset", "0")];
    sent(&game.admin, Method::PATCH, &upload, "12345", &plain).await.refused(415, "unsupported_media_type");
    let more = game.piece(&upload, 0, b"1234567890".to_vec()).await;
    assert!(matches!(more.status, 409 | 413), "{more:?}");
    sent(&game.admin, Method::DELETE, &upload, "", &[TUS]).await.expect(204);
    let gone = sent(&game.admin, Method::HEAD, &upload, "", &[TUS]).await;
    assert_eq!((gone.status, gone.header("tus-resumable")), (404, "1.0.0"));
    assert_eq!(game.names("/").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_goes_on_after_a_broken_connection_and_a_kill() {
    let (mut panel, mut game) = world().await;
    let all = bytes(20_000_000);
    let upload = game.begun("/big.bin", all.len()).await;
    // The client goes away in the middle of a piece.
    let cut = all[..5_000_000].to_vec();
    let pieces = futures_util::stream::iter([
        Ok::<_, std::io::Error>(cut),
        Err(std::io::Error::other("the cable was pulled")),
    ]);
    let request = game
        .admin
        .request(Method::PATCH, &upload)
        .header(TUS.0, TUS.1)
        .header(PATCH_TYPE.0, PATCH_TYPE.1)
        .header("upload-offset", "0")
        .header("content-length", all.len())
        .body(reqwest::Body::wrap_stream(pieces));
    assert!(request.send().await.is_err());
    let offset = until("what came is kept", seconds(10), async || {
        let offset = game.offset(&upload).await;
        (offset > 0).then_some(offset)
    })
    .await;
    assert!(offset <= 5_000_000, "{offset}");

    // The panel dies, and the node with it, while a piece comes.
    let slow = {
        let all = all.clone();
        let pieces = futures_util::stream::unfold(offset, move |at| {
            let piece = all[at..(at + 100_000).min(all.len())].to_vec();
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                (!piece.is_empty()).then(|| (Ok::<_, std::io::Error>(piece), at + 100_000))
            }
        });
        game.admin
            .request(Method::PATCH, &upload)
            .header(TUS.0, TUS.1)
            .header(PATCH_TYPE.0, PATCH_TYPE.1)
            .header("upload-offset", offset)
            .body(reqwest::Body::wrap_stream(pieces))
    };
    let sending = super::super::beside(slow.send());
    tokio::time::sleep(seconds(1)).await;
    panel.kill().await;
    assert!(sending.await.unwrap().is_err());
    panel.again().await;
    game.admin = panel.admin();
    let after = until("the upload is known", seconds(20), async || {
        let answer = sent(&game.admin, Method::HEAD, &upload, "", &[TUS]).await;
        answer.header("upload-offset").parse::<usize>().ok()
    })
    .await;
    assert!(after >= offset && after < all.len(), "{offset} {after}");
    assert!(!game.file(&panel, "big.bin").exists());
    game.piece(&upload, after, all[after..].to_vec()).await.expect(204);
    assert!(std::fs::read(game.file(&panel, "big.bin")).unwrap() == all);
}

#[tokio::test]
async fn twenty_files_come_at_once() {
    let (panel, game) = world().await;
    let each = async |number: usize| {
        let all = bytes(1_000_000 + number);
        let path = format!("/many/{number}");
        let upload = game.begun(&path, all.len()).await;
        game.piece(&upload, 0, all.clone()).await.expect(204);
        assert!(std::fs::read(game.file(&panel, &path[1..])).unwrap() == all, "{number}");
    };
    futures_util::future::join_all((0..20).map(each)).await;
    assert_eq!(game.listed("/many").await.len(), 20);
}
