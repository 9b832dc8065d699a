//! A fake engine that has one container and refuses to remove it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

/// Answers as long as the test runs.
pub(super) struct Refusing {
    folder: tempfile::TempDir,
}

impl Refusing {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = BufReader::new(stream);
                let mut first = String::new();
                let _ = stream.read_line(&mut first);
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                    line.clear();
                }
                let (status, body) = answer(&first);
                let _ = write!(
                    stream.get_mut(),
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { folder }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }
}

fn answer(request: &str) -> (&'static str, &'static str) {
    match request {
        _ if request.starts_with("DELETE ") => ("500 Oh no", r#"{"message":"the disk is tired"}"#),
        _ if request.contains("/version") => ("200 OK", r#"{"Version":"20.10.0","ApiVersion":"1.41"}"#),
        _ if request.contains("/containers/json") => ("200 OK", r#"[{"Id":"abc"}]"#),
        _ => ("404 Not Found", r#"{"message":"nothing"}"#),
    }
}
