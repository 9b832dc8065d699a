//! The output of an installation, stored in a file: its beginning and its end, without colours.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use protocol::ServerId;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::console::{Cleaner, plain};

/// Bytes kept of the beginning, and of the end.
const HEAD: usize = 1 << 20;
const TAIL: usize = 2 << 20;
/// Bytes of an engine log line after which it is processed in parts.
const LINE: usize = 64 * 1024;
/// Bytes of the last line quoted in an error.
const SENTENCE: usize = 300;

/// Path of a server's install log.
pub(crate) fn path(data_dir: &Path, server_id: &ServerId) -> PathBuf {
    data_dir.join("agent").join(format!("{server_id}.install.log"))
}

/// Reads the log; `None` if nothing was installed.
pub(crate) fn read(data_dir: &Path, server_id: &ServerId) -> io::Result<Option<String>> {
    if !server_id.is_valid() {
        return Ok(None);
    }
    let file = match fs::File::open(path(data_dir, server_id)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take((HEAD + TAIL + LINE) as u64).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Deletes the log.
pub(crate) fn remove(data_dir: &Path, server_id: &ServerId) {
    // If this fails, the next installation overwrites it.
    let _ = fs::remove_file(path(data_dir, server_id));
}

/// Collects lines and drops the middle if there are too many.
#[derive(Debug, Default)]
pub(super) struct InstallLog {
    head: String,
    tail: VecDeque<String>,
    /// Total bytes in `tail`.
    tailed: usize,
    skipped: u64,
}

impl InstallLog {
    /// Reads the engine's log of a container, where each line starts with its time.
    pub(super) async fn of(mut engine_log: impl AsyncRead + Unpin) -> io::Result<Self> {
        let (mut log, mut rest) = (Self::default(), Vec::new());
        let mut buffer = vec![0; LINE];
        loop {
            let read = engine_log.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            rest.extend_from_slice(&buffer[..read]);
            let mut from = 0;
            while let Some(end) = memchr::memchr(b'\n', &rest[from..]) {
                log.logged(&rest[from..from + end]);
                from += end + 1;
            }
            rest.drain(..from);
            if rest.len() > LINE {
                log.logged(&rest);
                rest.clear();
            }
            tokio::task::yield_now().await;
        }
        if !rest.is_empty() {
            log.logged(&rest);
        }
        Ok(log)
    }

    /// Adds a line of the engine's log.
    fn logged(&mut self, line: &[u8]) {
        let is_time = |byte: &u8| byte.is_ascii_digit() || b"-:.TZ+".contains(byte);
        let text = match memchr::memchr(b' ', &line[..line.len().min(64)]) {
            Some(at) if line[..at].iter().all(is_time) => &line[at + 1..],
            _ => line,
        };
        let mut cleaner = Cleaner::new();
        cleaner.push(text, |text, _| self.push(&plain(text)));
        cleaner.finish(|text, _| self.push(&plain(text)));
    }

    /// Adds a line of text.
    pub(super) fn push(&mut self, line: &str) {
        if self.tail.is_empty() && self.head.len() + line.len() < HEAD {
            self.head.push_str(line);
            self.head.push('\n');
            return;
        }
        self.tailed += line.len() + 1;
        self.tail.push_back(line.to_owned());
        while self.tailed > TAIL {
            let Some(gone) = self.tail.pop_front() else { break };
            self.tailed -= gone.len() + 1;
            self.skipped += 1;
        }
    }

    /// The last non-empty line, shortened for use in a sentence.
    pub(super) fn last_line(&self) -> Option<String> {
        let tail = self.tail.iter().rev().map(String::as_str);
        let line = tail.chain(self.head.lines().rev()).map(str::trim).find(|line| !line.is_empty())?;
        let mut end = line.len().min(SENTENCE);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        Some(line[..end].to_owned())
    }

    /// Writes the log, replacing the previous one.
    pub(super) fn keep(&self, data_dir: &Path, server_id: &ServerId) -> io::Result<()> {
        let path = path(data_dir, server_id);
        let temporary = path.with_extension("log.tmp");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let written = self.write(&mut file).and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(self.head.as_bytes())?;
        if self.skipped > 0 {
            writeln!(to, "[… {} lines are left out here …]", self.skipped)?;
        }
        for line in &self.tail {
            to.write_all(line.as_bytes())?;
            to.write_all(b"\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_without_times_and_colours() {
        let text = "2026-01-02T03:04:05.123456789Z \u{1b}[31mred\u{1b}[0m\r\n2026-01-02T03:04:06Z 10 %\r20 %\r\n\
                    2026-01-02T03:04:06Z\n2026-01-02T03:04:07Z the end";
        let log = InstallLog::of(text.as_bytes()).await.unwrap();
        assert_eq!(log.head.lines().next(), Some("red"), "{:?}", log.head);
        assert!(log.head.contains("20 %"));
        assert_eq!(log.last_line().as_deref(), Some("the end"));
    }

    #[tokio::test]
    async fn of_too_much_the_beginning_and_the_end_stay() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("agent")).unwrap();
        let mut text = String::new();
        for number in 0..200_000 {
            text.push_str(&format!("2026-01-02T03:04:05Z line {number} {}\n", "x".repeat(30)));
        }
        let log = InstallLog::of(text.as_bytes()).await.unwrap();
        log.keep(dir.path(), &"a".into()).unwrap();
        let kept = read(dir.path(), &"a".into()).unwrap().unwrap();
        assert!(kept.len() <= HEAD + TAIL + 200, "{} bytes", kept.len());
        assert!(kept.starts_with("line 0 ") && kept.contains("left out") && kept.contains("line 199999 "));
        assert_eq!(fs::read_dir(dir.path().join("agent")).unwrap().count(), 1);
        assert_eq!(read(dir.path(), &"../a".into()).unwrap(), None);
        remove(dir.path(), &"a".into());
        assert_eq!(read(dir.path(), &"a".into()).unwrap(), None);
    }
}
