//! However large a file is, the panel's memory is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Method;

use super::world;
use crate::harness::{Panel, long};

/// More than this is not flat.
const MORE: u64 = 30 << 20;

/// The most that a panel has in memory while `work` goes on, beyond what it had before.
async fn grows(panel: &Panel, work: impl Future<Output = ()>) -> u64 {
    let before = panel.resident();
    let (over, most) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(before));
    let looking = async {
        while !over.load(Ordering::Relaxed) {
            most.fetch_max(panel.resident(), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let working = async {
        work.await;
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(looking, working);
    most.into_inner() - before
}

#[tokio::test]
async fn large_files_leave_the_memory_as_it_is() {
    let (panel, game) = world().await;
    let size: usize = if long() { 2 << 30 } else { 512 << 20 };
    game.put("/warm.bin", vec![1; 8 << 20]).await.expect(204);
    game.text("/warm.bin").await;
    let began = Instant::now();
    let up = grows(&panel, async {
        let pieces = futures_util::stream::iter(0..size >> 20)
            .map(|_| Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[7; 1 << 20])));
        game.put("/large.bin", reqwest::Body::wrap_stream(pieces)).await.expect(204);
    })
    .await;
    let up_took = began.elapsed();
    let began = Instant::now();
    let down = grows(&panel, async {
        let answer = game.admin.request(Method::GET, &game.content("/large.bin")).send().await.unwrap();
        let mut body = answer.bytes_stream();
        let mut came = 0;
        while let Some(piece) = body.next().await {
            came += piece.unwrap().len();
        }
        assert_eq!(came, size);
    })
    .await;
    let rate = |took: Duration| (size >> 20) as f64 / took.as_secs_f64();
    let figures = format!(
        "upload {:.0} MiB/s, {} KiB more; download {:.0} MiB/s, {} KiB more",
        rate(up_took),
        up >> 10,
        rate(began.elapsed()),
        down >> 10
    );
    println!("{figures}");
    assert!(up < MORE && down < MORE, "{figures}");
}
