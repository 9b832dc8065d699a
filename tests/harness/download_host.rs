//! A download host on this machine, plain or with TLS, with configurable faults. It serves a folder, or files added
//! with [`Downloads::put`], on its own threads, so it also works for tests without a runtime.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How a download fails.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Each response is cut off after this many bytes; a further one continues from there.
    CutAfter(usize),
    /// Nothing is sent after this many bytes.
    StallAfter(usize),
    /// Half of the file, as if it were complete.
    Half,
    /// The response never ends.
    Endless,
    /// 404.
    Gone,
    /// A redirect below this address.
    Moved(String),
}

/// A download host. Stops with its last handle.
#[derive(Clone)]
pub(crate) struct Downloads {
    /// `http://ADDRESS:PORT/releases`.
    pub(crate) base: String,
    host: Arc<Host>,
}

/// Its thread only uses [`Shared`], and ends when this is dropped.
struct Host {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    folder: Option<PathBuf>,
    tls: Option<Arc<ServerConfig>>,
    state: Mutex<State>,
    over: AtomicBool,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Arc<Vec<u8>>>,
    faults: Vec<(String, Fault)>,
    asked: Vec<String>,
}

impl Downloads {
    /// Starts a host without files.
    pub(crate) fn start() -> Self {
        Self::with("127.0.0.1:0", None, None)
    }

    /// Like [`Downloads::start`], also reachable from containers.
    pub(crate) fn start_for_containers() -> Self {
        Self::for_containers(None, None)
    }

    /// Starts a host of a folder, reachable from containers.
    pub(crate) fn of(folder: &Path) -> Self {
        Self::for_containers(Some(folder), None)
    }

    /// Starts a host reachable from containers, optionally of a folder and with TLS.
    pub(crate) fn for_containers(folder: Option<&Path>, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::with(&format!("{}:0", super::docker::gateway()), folder, tls)
    }

    /// Starts a host at this address, optionally of a folder and with TLS.
    pub(crate) fn with(address: &str, folder: Option<&Path>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().unwrap().to_string();
        let base = format!("http{}://{address}/releases", if tls.is_some() { "s" } else { "" });
        let shared = Arc::new(Shared {
            folder: folder.map(Path::to_owned),
            tls,
            state: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if served.over.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&served);
                // Ignore clients that disconnect.
                std::thread::spawn(move || drop(shared.met(stream)));
            }
        });
        Self { base, host: Arc::new(Host { address, shared }) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.host.shared.state.lock().unwrap()
    }

    /// Adds or replaces a file.
    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.state().files.insert(path.to_owned(), Arc::new(bytes));
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state().files.remove(path);
    }

    /// Injects a fault for all files whose paths end like this. Clears the list of requests.
    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        let mut state = self.state();
        state.faults.push((path.to_owned(), fault));
        state.asked.clear();
    }

    /// Removes all faults and clears the list of requests.
    pub(crate) fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.asked.clear();
    }

    /// The requests in order: path, and the range if there was one.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

impl Shared {
    fn met(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        match &self.tls {
            None => self.serve(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
                let mut stream = StreamOwned::new(connection, stream);
                self.serve(&mut stream)?;
                stream.conn.send_close_notify();
                stream.flush()
            }
        }
    }

    fn serve(&self, stream: impl Read + Write) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut first, mut from) = (String::new(), None);
        stream.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(range) = line.trim_end().to_ascii_lowercase().strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse::<usize>().ok();
            }
            if line.trim_end().is_empty() {
                break;
            }
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (file, fault) = self.asked(&path, from);
        let out = stream.get_mut();
        if let Some(Fault::Moved(to)) = fault {
            let end = "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return write!(out, "HTTP/1.1 302 Found\r\nLocation: {to}{}{end}", below(&path));
        }
        let nothing = "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let Some(file) = file.filter(|_| !matches!(fault, Some(Fault::Gone))) else {
            return write!(out, "HTTP/1.1 404 Not Found{nothing}");
        };
        if matches!(fault, Some(Fault::Endless)) {
            out.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                out.write_all(&file)?;
            }
        }
        let whole = if matches!(fault, Some(Fault::Half)) { file.len() / 2 } else { file.len() };
        let head = match from {
            Some(from) if from >= whole => return write!(out, "HTTP/1.1 416 Range{nothing}"),
            Some(from) => {
                format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{whole}", whole - 1)
            }
            None => "200 OK".to_owned(),
        };
        let body = &file[from.unwrap_or(0)..whole];
        write!(out, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
        match fault {
            Some(Fault::CutAfter(bytes)) => out.write_all(&body[..bytes.min(body.len())])?,
            Some(Fault::StallAfter(bytes)) => {
                out.write_all(&body[..bytes.min(body.len())])?;
                out.flush()?;
                // Until the client or the test gives up.
                for _ in 0..12 {
                    match out.read(&mut [0]) {
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        _ => break,
                    }
                }
            }
            _ => out.write_all(body)?,
        }
        out.flush()
    }

    /// Records a request and looks up its file.
    fn asked(&self, path: &str, from: Option<usize>) -> (Option<Arc<Vec<u8>>>, Option<Fault>) {
        let mut state = self.state.lock().unwrap();
        state.asked.push(from.map_or_else(|| path.to_owned(), |from| format!("{path} bytes={from}-")));
        let fault = state.faults.iter().find(|(end, _)| path.ends_with(end.as_str()));
        let (fault, name) = (fault.map(|(_, fault)| fault.clone()), below(path).trim_start_matches('/'));
        let file = state.files.get(name).cloned().or_else(|| {
            let folder = self.folder.as_ref().filter(|_| !name.contains(".."))?;
            std::fs::read(folder.join(name)).ok().map(Arc::new)
        });
        (file, fault)
    }
}

fn below(path: &str) -> &str {
    path.strip_prefix("/releases").unwrap_or(path)
}
