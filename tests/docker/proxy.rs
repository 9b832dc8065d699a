//! A proxy between the panel and the real engine, which a test can close or block. The engine itself is not affected.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// State of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyState {
    /// Everything passes.
    Open,
    /// Connections are accepted, but no data passes, on old or new ones.
    Hung,
    /// The socket does not exist, and old connections are closed.
    Closed,
}

/// A socket that forwards to the engine.
pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    door: watch::Sender<ProxyState>,
    streams: Streams,
}

/// Connections by their first request, with the token that closes them.
type Streams = Arc<Mutex<Vec<(String, CancellationToken)>>>;

impl Proxy {
    /// A new proxy, initially open or closed.
    pub(crate) async fn new(door: ProxyState) -> Self {
        let folder = tempfile::Builder::new().prefix("cap-engine-").tempdir().unwrap();
        let this = Self { folder, door: watch::Sender::new(door), streams: Streams::default() };
        let (path, watching) = (this.path(), this.door.subscribe());
        super::beside(keep(path, watching, Arc::clone(&this.streams)));
        this.set(door).await;
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// Value for `DOCKER_HOST`.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.path().display())
    }

    /// Closes the connections with this request, as a proxy does with idle ones.
    pub(crate) async fn cut(&self, request: &str) {
        let cut = async || {
            let mut streams = self.streams.lock().unwrap();
            let mut found = false;
            streams.retain(|(asked, end)| {
                let met = asked.contains(request);
                let open = !end.is_cancelled();
                found |= met && open;
                if met {
                    end.cancel();
                }
                open && !met
            });
            found.then_some(())
        };
        crate::harness::until(
            &format!("there is a connection for {request}"),
            crate::harness::seconds(10),
            cut,
        )
        .await;
    }

    /// Changes the state, and returns once it is in effect.
    pub(crate) async fn set(&self, door: ProxyState) {
        self.door.send_replace(door);
        let path = self.path();
        let stands = async || (path.exists() == (door != ProxyState::Closed)).then_some(());
        crate::harness::until("the door moves", crate::harness::seconds(5), stands).await;
    }
}

fn engine() -> String {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock").to_owned()
}

/// Serves the socket while the proxy is not closed. Ends with the proxy.
async fn keep(path: PathBuf, mut door: watch::Receiver<ProxyState>, streams: Streams) {
    loop {
        if *door.borrow_and_update() == ProxyState::Closed {
            let _ = std::fs::remove_file(&path);
            if door.changed().await.is_err() {
                return;
            }
            continue;
        }
        let _ = std::fs::remove_file(&path);
        let Ok(listener) = UnixListener::bind(&path) else { return };
        loop {
            tokio::select! {
                changed = door.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if *door.borrow_and_update() == ProxyState::Closed {
                        break;
                    }
                }
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        super::beside(relay(stream, door.clone(), Arc::clone(&streams)));
                    }
                }
            }
        }
    }
}

async fn relay(ours: UnixStream, door: watch::Receiver<ProxyState>, streams: Streams) {
    let Ok(theirs) = UnixStream::connect(engine()).await else { return };
    let ((our_read, our_write), (their_read, their_write)) = (ours.into_split(), theirs.into_split());
    let end = CancellationToken::new();
    let (mut first, ended) = (Some(end.clone()), end.clone());
    let note = move |bytes: &[u8]| {
        if let Some(end) = first.take() {
            streams.lock().unwrap().push((String::from_utf8_lossy(bytes).into_owned(), end));
        }
    };
    let both = async {
        tokio::join!(
            pass(our_read, their_write, door.clone(), note),
            pass(their_read, our_write, door, |_| {})
        )
    };
    tokio::select! {
        _ = both => ended.cancel(),
        () = end.cancelled() => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut door: watch::Receiver<ProxyState>,
    mut note: impl FnMut(&[u8]),
) {
    let mut cut = door.clone();
    let cut = async move { drop(cut.wait_for(|door| *door == ProxyState::Closed).await) };
    let work = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            note(&buffer[..n]);
            if door.wait_for(|door| *door == ProxyState::Open).await.is_err()
                || to.write_all(&buffer[..n]).await.is_err()
            {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::select! {
        () = cut => {}
        () = work => {}
    }
}
