//! A game that prints without end, and the others beside it.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use super::game::Game;
use super::viewer::Viewer;
use crate::harness::{Live, Panel, long, seconds, until};

const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn costs_a_bounded_amount_of_memory_and_nobody_else_their_console() {
    let panel = Panel::start().await;
    let quiet = Game::running(&panel, "game").await;
    let mut watching = Viewer::open(&quiet.admin, &quiet.id).await;
    // On two cores the game itself, the engine and this test's reader would leave nothing for anybody.
    let loud = Game::with(&panel, "flood", serde_json::json!({ "limits": { "cpu": 50 } })).await;
    let before = panel.resident();
    loud.start().await;
    let mut viewer = Viewer::open(&loud.admin, &loud.id).await;
    let reading = super::beside(async move {
        let (mut lines, began) = (0, Instant::now());
        while began.elapsed() < seconds(10) {
            lines += viewer.batch(seconds(5)).await.expect("open").len();
        }
        (lines, viewer)
    });

    let (mut times, mut most, began) = (Vec::new(), before, Instant::now());
    while began.elapsed() < seconds(10) {
        let asked = Instant::now();
        let said = format!("You said: ping {}", times.len());
        quiet.command(&format!("ping {}", times.len())).await;
        watching.wait("the answer", seconds(5), |text| text == said).await;
        times.push(asked.elapsed());
        most = most.max(panel.resident());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (lines, viewer) = reading.await.unwrap();
    times.sort();
    // Other tests share the machine with this one, unless somebody has the time to run them one by one.
    let nearly_all = times[times.len() * if long() { 99 } else { 90 } / 100];
    println!(
        "{lines} lines seen, {} skipped; {} commands, nearly all within {nearly_all:?}; {} MiB before, at most {} MiB",
        viewer.skipped,
        times.len(),
        before / MIB,
        most / MIB
    );
    assert!(lines > 1_000, "only {lines} lines");
    assert!(viewer.skipped > 0, "no reader keeps up with `yes`: what it misses is counted");
    assert!(most < before + 64 * MIB, "{before} grew to {most} bytes");
    assert!(nearly_all < Duration::from_millis(300), "another console took {nearly_all:?}; {times:?}");
    assert!(times.len() > 30, "only {} commands in 10 s", times.len());
    loud.power("kill").await.expect(202);
    loud.becomes("stopped", seconds(10)).await;
}

/// The kernel's state of the panel's end of our connection; 1 is established.
fn state_at_the_panel(panel_port: u16, our_port: u16) -> Option<u8> {
    let (local, remote) = (format!(":{panel_port:04X}"), format!(":{our_port:04X}"));
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| {
            let mut words = line.split_whitespace().skip(1);
            words.next().is_some_and(|word| word.ends_with(&local))
                && words.next().is_some_and(|word| word.ends_with(&remote))
        })?;
        u8::from_str_radix(line.split_whitespace().nth(3)?, 16).ok()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_stops_reading_is_let_go() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "flood").await;
    game.start().await;
    // It must not take another viewer with it.
    let mut other = Viewer::open(&game.admin, &game.id).await;
    let others = super::beside(async move {
        let began = Instant::now();
        while began.elapsed() < seconds(16) {
            other.batch(seconds(5)).await.expect("open");
        }
    });
    let mut lazy = Live::open(&game.admin).await;
    lazy.subscribe(&[&format!("console:{}", game.id)]).await;
    let our_port = lazy.stream().get_ref().local_addr().unwrap().port();
    let panel_port: u16 = panel.address.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(state_at_the_panel(panel_port, our_port), Some(1));
    let before = panel.resident();
    let mut most = before;
    let began = Instant::now();
    until("the panel closes it", seconds(25), async || {
        most = most.max(panel.resident());
        (state_at_the_panel(panel_port, our_port) != Some(1)).then_some(())
    })
    .await;
    println!("closed after {:?}; {} MiB before, at most {} MiB", began.elapsed(), before / MIB, most / MIB);
    assert!(began.elapsed() > seconds(4), "closed too early: {:?}", began.elapsed());
    assert!(most < before + 32 * MIB, "{before} grew to {most} bytes");
    // What was under way still arrives, then the end; the code fits through where the socket took it.
    let code = lazy.closed(seconds(10)).await;
    assert!(matches!(code, 1013 | 1006), "{code}");
    others.await.unwrap();
}

#[tokio::test]
async fn a_browser_that_floods_us_is_let_go() {
    let panel = Panel::start().await;
    let mut live = Live::open(&panel.admin()).await;
    let _ = live.stream().send(Message::text("x".repeat(17 * 1024))).await;
    assert_eq!(live.closed(seconds(10)).await, 1009);
    let before = panel.resident();
    let mut live = Live::open(&panel.admin()).await;
    for _ in 0..10_000 {
        if live.stream().feed(Message::text("{\"subscribe\":[\"servers\"]}")).await.is_err() {
            break;
        }
    }
    let _ = live.stream().flush().await;
    assert_eq!(panel.anonymous().get("/health").await.expect(200).json["status"], "ok");
    assert!(panel.resident() < before + 40 * MIB, "{before} grew to {} bytes", panel.resident());
}
