//! A client by hand: OpenSSH's `ssh` carries the packets, the test says what is in them.

use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sftp::{FromClient, FromServer, OpenFlags, Reply, Request, next_packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::Person;

pub(super) struct Raw {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    received: BytesMut,
    next: u32,
}

impl Raw {
    /// Connects, and has agreed on the version.
    pub(super) async fn connect(person: &Person) -> Self {
        let mut raw = Self::silent(person);
        raw.send(&FromClient::Init { version: 3 }).await;
        let answer = raw.receive().await;
        assert!(matches!(answer, Some(FromServer::Version { version: 3, .. })), "{answer:?}");
        raw
    }

    /// Connects, and says nothing.
    pub(super) fn silent(person: &Person) -> Self {
        let mut ssh = person.ssh_like("ssh", "-p");
        ssh.arg("-s").arg(person.at()).arg("sftp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = ssh.stderr(Stdio::null()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, to, from, received: BytesMut::new(), next: 1 }
    }

    pub(super) async fn send(&mut self, packet: &FromClient) {
        let mut bytes = BytesMut::new();
        packet.encode(&mut bytes);
        self.write(&bytes).await;
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        // Whoever was disconnected writes in vain.
        let _ = self.to.write_all(bytes).await;
        let _ = self.to.flush().await;
    }

    /// The next packet; `None` where the connection is over.
    pub(super) async fn receive(&mut self) -> Option<FromServer> {
        loop {
            if let Some(packet) = next_packet(&mut self.received).unwrap() {
                return Some(FromServer::decode(packet).unwrap());
            }
            let read = timeout(Duration::from_secs(30), self.from.read_buf(&mut self.received));
            if read.await.expect("an answer in time").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Asks without waiting.
    pub(super) async fn ask(&mut self, request: Request) -> u32 {
        let id = self.next;
        self.next += 1;
        self.send(&FromClient::Request { id, request }).await;
        id
    }

    pub(super) async fn answer(&mut self, request: Request) -> Reply {
        let asked = self.ask(request).await;
        match self.receive().await {
            Some(FromServer::Reply { id, reply }) if id == asked => reply,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn stat(&mut self, path: &str) -> bool {
        let path = Bytes::copy_from_slice(path.as_bytes());
        matches!(self.answer(Request::Stat { path }).await, Reply::Attrs(_))
    }

    pub(super) async fn open(&mut self, path: &[u8], flags: OpenFlags) -> Result<Bytes, Reply> {
        let (path, attrs) = (Bytes::copy_from_slice(path), sftp::Attrs::default());
        match self.answer(Request::Open { path, flags, attrs }).await {
            Reply::Handle(handle) => Ok(handle),
            other => Err(other),
        }
    }

    /// Waits until it is over.
    pub(super) async fn ended(mut self, within: Duration) {
        timeout(within, self.child.wait()).await.expect("it ends in time").unwrap();
    }

    pub(super) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
