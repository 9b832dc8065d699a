//! A socket between the agent and the engine that the test can close, open and freeze.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::harness::SOON;

const ENGINE: &str = "/var/run/docker.sock";

pub(crate) struct Proxy {
    dir: TempDir,
    open: Option<CancellationToken>,
    frozen: Arc<watch::Sender<bool>>,
    looked_for: Arc<Mutex<LookedFor>>,
    fates: Arc<Fates>,
}

/// What becomes of single connections, told apart by what is asked over them first.
#[derive(Default)]
struct Fates {
    connections: Mutex<Vec<(String, watch::Sender<Fate>)>>,
    /// New ones of these are closed at once.
    refused: Mutex<Option<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Silent,
    Cut,
}

/// A request of interest, and when it was first seen.
#[derive(Default)]
struct LookedFor {
    text: String,
    at: Option<Instant>,
}

impl Proxy {
    pub(crate) fn closed() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            open: None,
            frozen: Arc::new(watch::Sender::new(false)),
            looked_for: Arc::default(),
            fates: Arc::default(),
        }
    }

    pub(crate) fn opened() -> Self {
        let mut proxy = Self::closed();
        proxy.open();
        proxy
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("engine.sock")
    }

    /// Notes when a request with this in it comes by.
    pub(crate) fn watch_for(&self, text: &str) {
        *self.looked_for.lock().unwrap() = LookedFor { text: text.to_owned(), at: None };
    }

    pub(crate) fn seen_at(&self) -> Option<Instant> {
        self.looked_for.lock().unwrap().at
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path().display())
    }

    pub(crate) fn open(&mut self) {
        let listener = UnixListener::bind(self.path()).unwrap();
        let cancel = CancellationToken::new();
        self.open = Some(cancel.clone());
        let (frozen, looked_for) = (Arc::clone(&self.frozen), Arc::clone(&self.looked_for));
        let fates = Arc::clone(&self.fates);
        // The test's own task; it ends with `close`.
        #[allow(clippy::disallowed_methods)]
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = cancel.cancelled() => return,
                };
                let Ok((client, _)) = accepted else { return };
                let (cancel, frozen, looked_for) =
                    (cancel.clone(), frozen.subscribe(), Arc::clone(&looked_for));
                let fates = Arc::clone(&fates);
                #[allow(clippy::disallowed_methods)]
                tokio::spawn(async move {
                    tokio::select! {
                        () = forward(client, frozen, looked_for, fates) => {}
                        () = cancel.cancelled() => {}
                    }
                });
            }
        });
    }

    /// All connections break, and no new one is taken: as when the engine is stopped.
    pub(crate) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.cancel();
        }
        let _ = std::fs::remove_file(self.path());
    }

    /// Ends the connections over which this was asked, and no others.
    pub(crate) async fn cut(&self, request: &str) {
        self.meets(request, Fate::Cut).await;
    }

    /// Over these nothing comes any more, and nobody is told: as when a router has forgotten them.
    pub(crate) async fn silence(&self, request: &str) {
        self.meets(request, Fate::Silent).await;
    }

    /// Requests of this kind are hung up on from now on; none for no kind.
    pub(crate) fn refuse(&self, request: Option<&str>) {
        *self.fates.refused.lock().unwrap() = request.map(str::to_owned);
    }

    async fn meets(&self, request: &str, fate: Fate) {
        let ends = Instant::now() + SOON;
        loop {
            let met = {
                let connections = self.fates.connections.lock().unwrap();
                let of = connections.iter().filter(|(asked, of)| asked.contains(request) && !of.is_closed());
                of.fold(false, |_, (_, of)| {
                    of.send_replace(fate);
                    true
                })
            };
            if met {
                return;
            }
            assert!(Instant::now() < ends, "no connection for {request}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Connections are taken and nothing is answered: as when the engine hangs.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

async fn forward(
    client: UnixStream,
    frozen: watch::Receiver<bool>,
    looked_for: Arc<Mutex<LookedFor>>,
    fates: Arc<Fates>,
) {
    let Ok(engine) = UnixStream::connect(ENGINE).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_engine, to_engine) = engine.into_split();
    let (fate, mut cut) = watch::channel(Fate::Passes);
    let (silent, first) = (cut.clone(), Mutex::new(Some(fate)));
    let note = move |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let mut looked_for = looked_for.lock().unwrap();
        if looked_for.at.is_none() && text.contains(&looked_for.text) {
            looked_for.at = Some(Instant::now());
        }
        if let Some(fate) = first.lock().unwrap().take() {
            if fates.refused.lock().unwrap().as_ref().is_some_and(|refused| text.contains(refused)) {
                fate.send_replace(Fate::Cut);
            }
            fates.connections.lock().unwrap().push((text.into_owned(), fate));
        }
    };
    let both = async {
        tokio::join!(
            copy(from_client, to_engine, frozen.clone(), silent.clone(), note),
            copy(from_engine, to_client, frozen, silent, |_| {})
        )
    };
    tokio::select! {
        _ = both => {}
        _ = cut.wait_for(|fate| *fate == Fate::Cut) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
    mut silent: watch::Receiver<Fate>,
    note: impl Fn(&[u8]),
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        note(&buffer[..n]);
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            return;
        }
        let fate = *silent.borrow_and_update();
        match fate {
            Fate::Passes if to.write_all(&buffer[..n]).await.is_ok() => {}
            Fate::Silent => {}
            _ => return,
        }
    }
}
