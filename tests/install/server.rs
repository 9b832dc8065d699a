//! A download host of our own, on the loopback, which can be as bad as one likes.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What it does to programs, and once to the list of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Half of it, as if that were all.
    Half,
    /// Cuts every connection after that many bytes; another one goes on from there.
    Cut(usize),
    /// Says what is to come, sends some and then nothing.
    Stalled,
    /// A list that never ends.
    Endless,
    /// Has it not.
    Gone,
}

struct Shared {
    root: PathBuf,
    fault: Mutex<Fault>,
    asked: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// Ends with the test.
pub(super) struct Server {
    shared: Arc<Shared>,
    /// `http://127.0.0.1:PORT`.
    pub(super) url: String,
}

impl Server {
    /// Serves this folder.
    pub(super) fn of(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            fault: Mutex::new(Fault::None),
            asked: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let served = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if served.over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = served.clone();
                // A client that went away is no failure of ours.
                std::thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        Self { shared, url }
    }

    /// From now on.
    pub(super) fn fault(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
        self.shared.asked.lock().unwrap().clear();
    }

    /// The paths that were asked for since.
    pub(super) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut from = 0;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
    shared.asked.lock().unwrap().push(path.clone());
    let fault = *shared.fault.lock().unwrap();
    let meant = if fault == Fault::Endless { path.ends_with("SUMS") } else { path.contains("-linux-") };
    let fault = if meant { fault } else { Fault::None };
    let found =
        (!path.contains("..") && fault != Fault::Gone).then(|| std::fs::read(shared.root.join(&path)));
    let mut out = stream;
    let Some(Ok(mut bytes)) = found else {
        return out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    if fault == Fault::Half {
        bytes.truncate(bytes.len() / 2);
    }
    if fault == Fault::Endless {
        out.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
        loop {
            out.write_all(&bytes)?;
        }
    }
    let (whole, rest) = (bytes.len(), &bytes[from.min(bytes.len())..]);
    let head = if from > 0 {
        format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{whole}", whole - 1)
    } else {
        "200 OK".to_owned()
    };
    write!(out, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len())?;
    match fault {
        Fault::Cut(after) => out.write_all(&rest[..after.min(rest.len())]),
        Fault::Stalled => {
            out.write_all(&rest[..1000])?;
            // Until the client has had enough, or the test is over.
            let mut waiting = [0];
            stream.set_read_timeout(Some(Duration::from_secs(120)))?;
            std::io::Read::read(&mut &*stream, &mut waiting).map(drop)
        }
        _ => out.write_all(rest),
    }
}
