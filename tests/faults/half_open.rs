//! A thousand connections that never authenticate.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::panel;
use crate::harness::node::{Node, online};
use crate::harness::seconds;

/// The documented 10 s for a request's headers, plus some time for a busy machine.
const DEADLINE: Duration = Duration::from_secs(18);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_dropped_and_an_agent_gets_in_meanwhile() {
    let panel = panel().await;
    let before = panel.resident();
    let address = panel.agents_address();
    let hello: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let openings: [&[u8]; 4] =
        [b"", b"GET / HT", hello, b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"];
    let began = Instant::now();
    let mut held: Vec<TcpStream> = futures_util::stream::iter(0..1_000)
        .map(|n: usize| {
            let (address, opening) = (&address, openings[n % openings.len()]);
            async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(opening).await.unwrap();
                stream
            }
        })
        .buffer_unordered(100)
        .collect()
        .await;
    // While all of them are open, an agent with the secret connects at once.
    let node = Node::builder().join(&panel, "attic-pi").await;
    online(&panel, &node.id, true, seconds(8)).await;
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for a thousand half-open connections");
    let mut ended = 0;
    for stream in &mut held {
        let mut rest = Vec::new();
        let left = DEADLINE.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
        if tokio::time::timeout(left, stream.read_to_end(&mut rest)).await.is_ok() {
            ended += 1;
        }
    }
    assert_eq!(ended, held.len(), "dropped after {:?}", began.elapsed());
    online(&panel, &node.id, true, seconds(1)).await;
}
