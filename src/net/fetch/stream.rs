//! Fetches bodies that are too large for memory as a stream.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use ureq::Agent;

use super::{FetchError, SafeFetcher, checked, failed};

/// Time limit for the headers.
const HEADERS: Duration = Duration::from_secs(20);
/// Longest pause within the body.
const STALLED: Duration = Duration::from_secs(60);
/// Size of a chunk in bytes, and how many chunks are buffered.
const CHUNK: usize = 256 * 1024;
const WAITING: usize = 2;

/// A running fetch; ends when dropped.
#[derive(Debug)]
pub struct FetchStream {
    length: Option<u64>,
    pieces: mpsc::Receiver<Result<Bytes, FetchError>>,
}

impl SafeFetcher {
    /// Starts to fetch the body at this URL, at most `most` bytes. The server has 20 s for its headers and may pause
    /// for up to 60 s. Redirects are handled as by [`Self::get`].
    /// for up to 60 s; redirects are followed as by [`Self::get`].
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn stream(&self, url: &str, most: u64) -> Result<FetchStream, FetchError> {
        let url = checked(url)?;
        let turn = Arc::clone(&self.streams).acquire_owned().await.map_err(|_closed| FetchError::Ending)?;
        let this = self.clone();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (put, pieces) = mpsc::channel(WAITING);
        // It ends by itself, at the latest when its next chunk is due.
        drop(tokio::task::spawn_blocking(move || {
            match this.begin(&url, most) {
                Ok((length, body)) => {
                    if begun.send(Ok(length)).is_ok() {
                        read(body, most, &put);
                    }
                }
                // Fails if the caller has given up.
                Err(error) => drop(begun.send(Err(error))),
            }
            drop(turn);
        }));
        let length = begins.await.map_err(|_ended| FetchError::Ending)??;
        Ok(FetchStream { length, pieces })
    }

    fn begin(&self, url: &str, most: u64) -> Result<(Option<u64>, impl Read + use<>), FetchError> {
        let config = self
            .config(url)?
            .timeout_resolve(Some(HEADERS / 2))
            .timeout_connect(Some(HEADERS / 2))
            .timeout_recv_response(Some(HEADERS))
            .timeout_per_read(Some(STALLED))
            .build();
        let agent = Agent::with_parts(config, super::DefaultConnector::default(), self.names());
        let answer = agent.get(url).call().map_err(|error| failed(&error))?;
        let length = answer.body().content_length();
        if length.is_some_and(|length| length > most) {
            return Err(FetchError::TooLarge(most));
        }
        Ok((length, answer.into_body().into_reader()))
    }
}

/// Reads until the end, an error, or until the receiver is dropped.
fn read(mut body: impl Read, most: u64, put: &mpsc::Sender<Result<Bytes, FetchError>>) {
    let mut left = most;
    loop {
        let mut piece = vec![0; CHUNK];
        let read = match body.read(&mut piece) {
            Ok(0) => return,
            Ok(read) if read as u64 > left => Err(FetchError::TooLarge(most)),
            Ok(read) => {
                left -= read as u64;
                piece.truncate(read);
                Ok(Bytes::from(piece))
            }
            Err(error) => Err(failed(&error.into())),
        };
        let last = read.is_err();
        if put.blocking_send(read).is_err() || last {
            return;
        }
    }
}

impl FetchStream {
    /// The size in bytes as declared by the server.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next chunk; `None` at the end. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Bytes, FetchError>> {
        self.pieces.recv().await
    }
}
