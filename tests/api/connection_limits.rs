//! Many unfinished connections: complete requests are still answered, and memory stays small.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Live, PASSWORD, Panel, free_port, long, raw, seconds, until};

/// Opens a connection from a local address.
async fn dial(from: &str, to: &str) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse().unwrap())?;
    socket.connect(to.parse().unwrap()).await
}

/// Opens `count` connections and sends the same bytes on each.
async fn crowd(from: &str, to: &str, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let Ok(mut stream) = dial(from, to).await else { continue };
        // The panel closes the first ones while the last ones are opened.
        let _ = stream.write_all(bytes).await;
        held.push(stream);
    }
    held
}

/// Number of connections that the panel has not closed.
fn open(held: &[TcpStream]) -> usize {
    let gone = |stream: &&TcpStream| loop {
        match stream.try_read(&mut [0; 4096]) {
            Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => return false,
            Ok(0) | Err(_) => return true,
            // A response from before.
            Ok(_) => {}
        }
    };
    held.iter().filter(|stream| !gone(stream)).count()
}

fn unfinished(address: &str) -> Vec<u8> {
    format!(
        "POST /api/session HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"user"
    )
    .into_bytes()
}

/// Number of connections: enough to exceed the limits; with `--long`, as many as in a real attack.
fn many() -> usize {
    if long() { 4300 } else { 1500 }
}

#[tokio::test]
async fn unfinished_sign_ins_of_one_address_keep_nobody_out() {
    let panel = Panel::start().await;
    let before = panel.resident();
    let admin = panel.admin();
    let mut worst = Duration::ZERO;
    let over = std::cell::Cell::new(false);
    // The owner opens new connections of his own during the attack.
    let owner = async {
        let mut worst = Duration::ZERO;
        while !over.get() {
            let began = Instant::now();
            let client = panel.admin();
            client.get("/api/me").await.expect(200);
            worst = worst.max(began.elapsed());
        }
        worst
    };
    let begin = unfinished(&panel.address);
    let flood = async {
        let held = crowd("127.0.0.1", &panel.address, many(), &begin).await;
        over.set(true);
        held
    };
    let (held, meanwhile) = tokio::join!(flood, owner);
    assert!(meanwhile < seconds(2), "the owner waited {meanwhile:?}");
    for _ in 0..20 {
        let began = Instant::now();
        admin.get("/api/me").await.expect(200);
        let body = json!({ "username": "admin", "password": PASSWORD });
        panel.anonymous().post("/api/session", body).await.expect(200);
        worst = worst.max(began.elapsed());
    }
    assert!(worst < seconds(2), "the owner waited {worst:?}");
    until("the idlest are closed", seconds(5), async || (open(&held) <= 1024).then_some(())).await;
    let grown = panel.resident().saturating_sub(before);
    // The memory of two password hashes is included.
    assert!(grown < 128 << 20, "grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn every_kind_of_unfinished_connection_gives_way_on_every_port() {
    let health = free_port();
    let panel = Panel::builder().env("BIND", "0.0.0.0").env("HEALTH_PORT", health.to_string()).start().await;
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    let half: [Vec<u8>; 5] = [
        Vec::new(),
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ".to_vec(),
        hello,
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        [b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ".as_slice(), &[b'a'; 12_000]].concat(),
    ];
    for address in [panel.address.clone(), panel.agents_address(), format!("127.0.0.1:{health}")] {
        let before = panel.resident();
        let mut held = Vec::new();
        for bytes in &half {
            held.extend(crowd("127.0.0.1", &address, 500, bytes).await);
        }
        let began = Instant::now();
        let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let (answer, _) = raw::exchange(&address, request.as_bytes(), seconds(5)).await;
        assert!(matches!(raw::status(&answer), 200 | 404 | 503), "{address}: {answer}");
        assert!(began.elapsed() < seconds(2), "{address} answered after {:?}", began.elapsed());
        let what = format!("the idlest on {address} are closed");
        let left = until(&what, seconds(5), async || Some(open(&held)).filter(|left| *left <= 1024)).await;
        assert!(left > 0, "{address} keeps the newest");
        let grown = panel.resident().saturating_sub(before);
        assert!(grown < 64 << 20, "{address} grew by {} MiB", grown >> 20);
    }
}

#[tokio::test]
async fn a_network_has_a_share_and_its_idlest_connection_goes_first() {
    let network = crate::harness::netns::Network::new();
    let panel = Panel::builder().under(&network.wrapper()).env("BIND", network.there.as_str()).start().await;
    let held = crowd(&network.here, &panel.address, 400, b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ").await;
    until("the share is kept", seconds(10), async || (open(&held) <= 256).then_some(())).await;
    assert_eq!((open(&held[..144]), open(&held[144..])), (0, 256), "256 stay, and they are the newest");
}

#[tokio::test]
async fn a_body_has_to_come_whole_and_small_where_everybody_may_send_one() {
    let panel = Panel::start().await;
    let a = &panel.address;
    for path in ["/api/session", "/api/setup"] {
        let body = format!("{{\"username\":\"{}\"}}", "x".repeat(4100));
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {a}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let (answer, _) = raw::exchange(a, request.as_bytes(), seconds(5)).await;
        assert_eq!(raw::status(&answer), 413, "{path}: {answer}");
    }
    // Sending a byte now and then does not keep the connection open.
    let mut stream = TcpStream::connect(a).await.unwrap();
    stream.write_all(&unfinished(a)).await.unwrap();
    let began = Instant::now();
    let (mut read, mut write) = stream.split();
    let dribble = async {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let over = tokio::time::timeout(seconds(16), async {
        tokio::select! {
            _ = read.read_to_end(&mut answer) => {}
            () = dribble => {}
        }
    });
    over.await.expect("the whole body has a deadline");
    assert!(began.elapsed() > seconds(5), "{:?}", began.elapsed());
    assert_eq!(raw::status(&String::from_utf8_lossy(&answer)), 400);
}

#[tokio::test]
async fn plain_accounts_leave_sockets_to_administrators_and_to_each_other() {
    let panel = Panel::start().await;
    let mut held = Vec::new();
    let mut said = BTreeMap::<String, usize>::new();
    for name in ["ann", "bob", "cyd", "dan"] {
        let bearer = format!("Bearer {}", panel.user(name).await.token.unwrap());
        let all = join_all((0..256).map(|_| {
            let (address, bearer) = (panel.address.clone(), bearer.clone());
            async move { Live::with(&address, &[("authorization", &bearer)]).await }
        }));
        for one in all.await {
            match one {
                Ok(live) => held.push(live),
                Err(status) => *said.entry(format!("{name} {status}")).or_default() += 1,
            }
        }
    }
    assert!(said.keys().all(|key| key.ends_with(" 429")), "{said:?}");
    let mut owner = Live::open(&panel.admin()).await;
    owner.subscribe(&["servers"]).await;
    owner.wait(seconds(5), |message| (message["topic"] == "servers").then_some(())).await;
    let eve = panel.user("eve").await;
    let mut eve = Live::open(&eve).await;
    eve.subscribe(&["servers"]).await;
    eve.wait(seconds(5), |message| (message["topic"] == "servers").then_some(())).await;
}

#[tokio::test]
async fn a_sign_in_without_memory_is_answered_and_ends_nothing() {
    // As in the service. With more arenas, one of them could still have room.
    let panel = Panel::builder().env("MALLOC_ARENA_MAX", "1").start().await;
    let pid = panel.pid().to_string();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let limit = |bytes: String| {
        let done = std::process::Command::new("prlimit").args(["--pid", &pid, &bytes]).status().unwrap();
        assert!(done.success(), "prlimit {bytes}");
    };
    limit(format!("--as={}:unlimited", kilobytes * 1024 + (12 << 20)));
    let body = json!({ "username": "admin", "password": PASSWORD });
    let answer = panel.anonymous().post("/api/session", body.clone()).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    limit("--as=unlimited:unlimited".to_owned());
    panel.admin().get("/api/me").await.expect(200);
    until("signing in works again", seconds(10), async || {
        (panel.anonymous().post("/api/session", body.clone()).await.status == 200).then_some(())
    })
    .await;
}
