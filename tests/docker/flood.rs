//! A game that prints without end, and the other games beside it.

use std::fmt::{Display, Formatter};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;

use super::game::Game;
use super::viewer::Viewer;
use crate::harness::{Live, Panel, docker, long, seconds, until};

const MIB: u64 = 1 << 20;

/// Only one flood at a time: the game, the engine and a reader already need three cores.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A game that floods the console as soon as it runs.
pub(crate) async fn flood(panel: &Panel) -> Game {
    Game::with(panel, "flood", json!({ "limits": { "cpu": 50 } })).await
}

/// Distribution of durations.
struct Spread {
    count: usize,
    half: Duration,
    /// 95th percentile.
    nearly_all: Duration,
    most: Duration,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |percent| times[(times.len() - 1) * percent / 100];
        Self { count: times.len(), half: at(50), nearly_all: at(95), most: at(100) }
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { count, half, nearly_all, most } = self;
        write!(f, "half of {count} within {half:.1?}, 95 % within {nearly_all:.1?}, all within {most:.1?}")
    }
}

/// Baseline: the same game on the same engine, without the panel.
struct Plain {
    name: String,
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    pings: usize,
}

impl Plain {
    async fn start() -> Self {
        let name = format!("cap-test-plain-{}", std::process::id());
        let mut child = Command::new("docker")
            .args(["run", "-i", "--rm", "--name", &name, docker::BUSYBOX, "game"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut this = Self { name, _child: child, input, output: BufReader::new(output).lines(), pings: 0 };
        this.line("Ready").await;
        this
    }

    async fn line(&mut self, text: &str) {
        let came = async { while self.output.next_line().await.unwrap().expect("a line") != text {} };
        tokio::time::timeout(seconds(20), came).await.unwrap_or_else(|_| panic!("no {text:?}"));
    }

    async fn ping(&mut self) -> Duration {
        let asked = Instant::now();
        self.pings += 1;
        self.input.write_all(format!("ping {}\n", self.pings).as_bytes()).await.unwrap();
        self.line(&format!("You said: ping {}", self.pings)).await;
        asked.elapsed()
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args(["rm", "-f", &self.name]).output();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn costs_a_bounded_amount_of_memory_and_nobody_else_their_console() {
    let _alone = ALONE.lock().await;
    let panel = Panel::start().await;
    let quiet = Game::running(&panel, "game").await;
    let mut watching = Viewer::open(&quiet.admin, &quiet.id).await;
    let loud = flood(&panel).await;
    let mut beside = Plain::start().await;
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

    let (mut times, mut plain, mut most, began) = (Vec::new(), Vec::new(), before, Instant::now());
    while began.elapsed() < seconds(10) {
        let asked = Instant::now();
        let said = format!("You said: ping {}", times.len());
        quiet.command(&format!("ping {}", times.len())).await;
        watching.wait("the answer", seconds(5), |text| text == said).await;
        times.push(asked.elapsed());
        plain.push(beside.ping().await);
        most = most.max(panel.resident());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (lines, viewer) = reading.await.unwrap();
    let (times, plain) = (Spread::of(times), Spread::of(plain));
    println!(
        "{lines} lines seen, {} skipped; {} MiB before, at most {} MiB",
        viewer.skipped,
        before / MIB,
        most / MIB
    );
    println!("commands by the panel: {times}; by the engine alone: {plain}");
    assert!(lines > 1_000, "only {lines} lines");
    assert!(viewer.skipped > 0, "no reader keeps up with `yes`: what it misses is counted");
    assert!(most < before + 64 * MIB, "{before} grew to {most} bytes");
    // A console stuck behind the flood would always be slow. Single slow answers are due to other tests on this
    // machine, so only a long run checks them.
    let target = Duration::from_millis(300);
    assert!(times.half < target, "another console took {times}, the engine alone {plain}");
    assert!(!long() || times.nearly_all < target, "another console took {times}, the engine alone {plain}");
    assert!(times.count > 20, "only {} commands in 10 s", times.count);
    // On the connection that was in use all the time: the other one may just be closed for being idle.
    quiet.admin.post(&loud.path("/power"), json!({ "action": "kill" })).await.expect(202);
    loud.becomes("stopped", seconds(10)).await;
}

/// TCP state of the panel's end of our connection, from the kernel; 1 is established.
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
    let _alone = ALONE.lock().await;
    let panel = Panel::start().await;
    let game = flood(&panel).await;
    game.start().await;
    // Must not be affected.
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
    // Data in flight still arrives, and then the close. The code only arrives if there was room in the socket.
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
