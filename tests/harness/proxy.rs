//! A TCP proxy that simulates a bad network: it delays, throttles, cuts and resets connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// The faults of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Delay per direction.
    pub(crate) delay: Duration,
    /// After this many bytes (both directions together) …
    pub(crate) after: Option<u64>,
    /// … this happens.
    pub(crate) then: Fate,
}

/// How a connection is disrupted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Both ends are closed.
    #[default]
    Cut,
    /// Both ends get a reset.
    Reset,
    /// The client's direction ends; the other one continues.
    HalfClose,
    /// One byte a second in both directions.
    Dribble,
    /// Nothing passes any more, and neither end is told.
    Hole,
}

/// Forwards connections to one address. Stops with its runtime, or when dropped.
pub(crate) struct Proxy {
    /// The address to connect to.
    pub(crate) address: String,
    shared: Arc<Shared>,
}

type Forecast = dyn FnMut(u64) -> Weather + Send;

struct Shared {
    target: Mutex<String>,
    forecast: Mutex<Box<Forecast>>,
    connections: AtomicU64,
    running: Mutex<Vec<tokio::task::AbortHandle>>,
}

impl Proxy {
    /// Starts a proxy; `forecast` returns the faults of each connection, counted from 0.
    pub(crate) async fn new(
        target: impl Into<String>,
        forecast: impl FnMut(u64) -> Weather + Send + 'static,
    ) -> Self {
        Self::on("127.0.0.1", target, forecast).await
    }

    /// Like [`Proxy::new`], listening on another of our addresses.
    pub(crate) async fn on(
        bind: &str,
        target: impl Into<String>,
        forecast: impl FnMut(u64) -> Weather + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((bind, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            target: Mutex::new(target.into()),
            forecast: Mutex::new(Box::new(forecast)),
            connections: AtomicU64::new(0),
            running: Mutex::default(),
        });
        let all = Arc::clone(&shared);
        let task = spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = all.connections.fetch_add(1, Ordering::Relaxed);
                let weather = (all.forecast.lock().unwrap())(number);
                let target = all.target.lock().unwrap().clone();
                let task = spawn(async move {
                    // If the target is away, the client's connection ends.
                    if let Ok(server) = TcpStream::connect(target).await {
                        pass(client, server, weather).await;
                    }
                });
                let mut running = all.running.lock().unwrap();
                running.retain(|task| !task.is_finished());
                running.push(task);
            }
        });
        shared.running.lock().unwrap().push(task);
        Self { address, shared }
    }

    /// Number of connections so far.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for task in self.shared.running.lock().unwrap().drain(..) {
            task.abort();
        }
    }
}

/// State shared by both directions of a connection.
struct Way {
    weather: Weather,
    passed: AtomicU64,
}

/// How one direction ended.
enum Ended {
    /// The sender closed it.
    Eof,
    /// The configured fault occurred.
    Spoilt,
    /// The receiver is gone.
    Broken,
}

async fn pass(client: TcpStream, server: TcpStream, weather: Weather) {
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    if weather.after.is_some() && weather.then == Fate::Reset {
        // Makes closing it send a reset.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
    let way = Arc::new(Way { weather, passed: AtomicU64::new(0) });
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut up = Box::pin(carry(from_client, to_server, Arc::clone(&way), true));
    let mut down = Box::pin(carry(from_server, to_client, way, false));
    let first = tokio::select! {
        (ended, halves) = &mut up => (ended, halves, true),
        (ended, halves) = &mut down => (ended, halves, false),
    };
    match first {
        (Ended::Eof, _halves, true) => drop(down.await),
        (Ended::Eof, _halves, false) => drop(up.await),
        (Ended::Spoilt, halves, true) if weather.then == Fate::HalfClose => {
            // The server sees the end; its own data still passes.
            let (from_client, mut to_server) = halves;
            let _ = to_server.shutdown().await;
            let _still_open = (from_client, to_server);
            drop(down.await);
        }
        (Ended::Spoilt | Ended::Broken, ..) => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Arc<Way>,
    upwards: bool,
) -> (Ended, (OwnedReadHalf, OwnedWriteHalf)) {
    let Weather { delay, after, then } = way.weather;
    let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    let ended = {
        let (reader, writer) = (&mut from, &mut to);
        let mut read = Box::pin(async move {
            let mut buffer = vec![0; 16 << 10];
            loop {
                let n = match reader.read(&mut buffer).await {
                    Ok(0) | Err(_) => return Ended::Eof,
                    Ok(n) => n,
                };
                let before = way.passed.fetch_add(n as u64, Ordering::Relaxed);
                let mut passes = n;
                if after.is_some_and(|limit| before + n as u64 > limit) {
                    let left = after.unwrap_or_default().saturating_sub(before) as usize;
                    match then {
                        Fate::Dribble => {
                            for byte in &buffer[..n] {
                                if send.send((Instant::now(), vec![*byte])).await.is_err() {
                                    return Ended::Eof;
                                }
                                sleep(Duration::from_secs(1)).await;
                            }
                            continue;
                        }
                        Fate::Hole => continue,
                        Fate::HalfClose if !upwards => {}
                        Fate::Cut | Fate::Reset | Fate::HalfClose => passes = left.min(n),
                    }
                }
                let part = buffer[..passes].to_vec();
                if !part.is_empty() && send.send((Instant::now() + delay, part)).await.is_err() {
                    return Ended::Broken;
                }
                if passes < n {
                    return Ended::Spoilt;
                }
            }
        });
        let mut write = Box::pin(async move {
            while let Some((due, bytes)) = receive.recv().await {
                sleep_until(due).await;
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
        tokio::select! {
            ended = &mut read => {
                // Data in transit still arrives.
                drop(read);
                write.await;
                ended
            }
            () = &mut write => Ended::Broken,
        }
    };
    if matches!(ended, Ended::Eof) {
        let _ = to.shutdown().await;
    }
    (ended, (from, to))
}

#[allow(clippy::disallowed_methods, reason = "a test's own, aborted with the proxy")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> tokio::task::AbortHandle {
    tokio::spawn(work).abort_handle()
}
