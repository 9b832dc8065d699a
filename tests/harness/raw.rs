//! Raw bytes on a socket, for requests that no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes and reads until the other side closes or the time is over. The second value is when it closed; `None` if
/// it stayed open.
pub(crate) async fn exchange(address: &str, bytes: &[u8], within: Duration) -> (String, Option<Duration>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let began = std::time::Instant::now();
    let _ = stream.write_all(bytes).await;
    let mut got = Vec::new();
    let read = tokio::time::timeout(within, async {
        let mut buffer = [0; 8192];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => got.extend_from_slice(&buffer[..n]),
            }
        }
    })
    .await;
    (String::from_utf8_lossy(&got).into_owned(), read.ok().map(|()| began.elapsed()))
}

/// Sends bytes and reads until a complete response head has arrived, the other side closes or the time is over.
pub(crate) async fn exchange_head(address: &str, bytes: &[u8], within: Duration) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut got = Vec::new();
    let _ = tokio::time::timeout(within, async {
        while !got.windows(4).any(|four| four == b"\r\n\r\n") {
            if stream.read_buf(&mut got).await.unwrap_or(0) == 0 {
                return;
            }
        }
    })
    .await;
    String::from_utf8_lossy(&got).into_owned()
}

/// The status of a raw answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}
