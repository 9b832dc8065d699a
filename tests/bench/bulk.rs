//! Bulk bytes by plain sockets and blocking threads, so that the client is not what is measured; what they are compared with, and the
//! memory of processes meanwhile.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::idle::field;

/// Bytes of a read or a write.
const CHUNK: usize = 256 << 10;

/// A request to the panel by hand; gives the connection, with the answer's head read.
pub(crate) fn request(address: &str, head: &str, body: u64) -> std::io::Result<(TcpStream, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(head.as_bytes())?;
    let piece = vec![7; CHUNK];
    let mut left = body;
    while left > 0 {
        let n = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        stream.write_all(&piece[..n])?;
        left -= n as u64;
    }
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if !answer.starts_with("HTTP/1.1 20") {
        return Err(std::io::Error::other(answer));
    }
    Ok((stream, answer))
}

/// Reads so many bytes and drops them.
pub(crate) fn drain(mut stream: impl Read, bytes: u64) -> std::io::Result<()> {
    let mut piece = vec![0; CHUNK];
    let mut left = bytes;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        match stream.read(&mut piece[..most])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => left -= n as u64,
        }
    }
    Ok(())
}

/// The plain copy: from a file, or from memory, over loopback to a file that is brought to the disk, or to nowhere.
pub(crate) fn plain_copy(from: Option<&Path>, to: Option<&Path>, bytes: u64) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let from = from.map(Path::to_owned);
    let sending = std::thread::spawn(move || -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        let mut file = from.map(File::open).transpose()?;
        let mut piece = vec![7; CHUNK];
        let mut left = bytes;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let n = match &mut file {
                Some(file) => file.read(&mut piece[..most])?,
                None => most,
            };
            stream.write_all(&piece[..n])?;
            left -= n as u64;
        }
        Ok(())
    });
    let (mut stream, _) = listener.accept()?;
    match to {
        None => drain(&mut stream, bytes)?,
        Some(to) => {
            let mut file = File::create(to)?;
            let mut piece = vec![0; CHUNK];
            loop {
                match stream.read(&mut piece)? {
                    0 => break,
                    n => file.write_all(&piece[..n])?,
                }
            }
            file.sync_all()?;
        }
    }
    sending.join().map_err(|_| std::io::Error::other("the sender panicked"))?
}

/// What a process has in memory, in MB.
fn resident(pid: u32) -> f64 {
    std::fs::read_to_string(format!("/proc/{pid}/status")).map_or(0.0, |text| field(&text, "VmRSS") / 1e3)
}

/// The most that some processes have together while something goes on.
pub(crate) struct Watching {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    before: f64,
}

impl Watching {
    pub(crate) fn begin(pids: Vec<u32>) -> Self {
        let all = move || pids.iter().map(|pid| resident(*pid)).sum::<f64>();
        let before = all();
        let (stop, most) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (ends, seen) = (Arc::clone(&stop), Arc::clone(&most));
        std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                seen.fetch_max((all() * 1e3) as u64, Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(20));
            }
        });
        Self { stop, most, before }
    }

    /// MB more than before.
    pub(crate) fn end(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        self.most.load(Ordering::Relaxed) as f64 / 1e3 - self.before
    }
}

/// Seconds of processor time that some processes have used.
pub(crate) fn processor(pids: &[u32]) -> f64 {
    let used = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name, which may hold anything: user and system time in hundredths of a second.
        let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
    };
    pids.iter().map(used).sum::<f64>() / 100.0
}
