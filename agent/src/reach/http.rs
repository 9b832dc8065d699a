//! HTTP to the router, and to nobody else: the caller gives the address, and no redirect is followed. Time and bytes are
//! bounded, whatever the router sends.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::error::RouterError;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer, head and body.
const LARGEST: u64 = 128 * 1024;

/// An answer: its status, and its body as text.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Sends a request (`head` without the lines that are the same for all) and reads the answer.
pub(super) async fn exchange(router: SocketAddr, head: &str, body: &str) -> Result<Answer, RouterError> {
    let request =
        format!("{head}Host: {router}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let talk = async {
        let mut stream = TcpStream::connect(router).await.map_err(RouterError::Network)?;
        stream.write_all(request.as_bytes()).await.map_err(RouterError::Network)?;
        let mut answer = Vec::new();
        let mut bounded = stream.take(LARGEST);
        let mut piece = [0; 4096];
        loop {
            let length = bounded.read(&mut piece).await.map_err(RouterError::Network)?;
            answer.extend_from_slice(piece.get(..length).unwrap_or_default());
            if length == 0 || is_whole(&answer) {
                return Ok(answer);
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, talk).await.map_err(|_| RouterError::Silent)??;
    read(&answer).ok_or(RouterError::Nonsense)
}

/// Head and body of an answer; `None` as long as the head is not there.
fn parts(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((std::str::from_utf8(answer.get(..end)?).ok()?, answer.get(end + 4..)?))
}

fn header<'h>(head: &'h str, wanted: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

/// Whether as many bytes are there as the router announced.
fn is_whole(answer: &[u8]) -> bool {
    let Some((head, body)) = parts(answer) else { return false };
    header(head, "content-length")
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}

fn read(answer: &[u8]) -> Option<Answer> {
    let (head, body) = parts(answer)?;
    let mut first = head.lines().next()?.split_whitespace();
    first.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status = first.next()?.parse().ok()?;
    let chunked =
        header(head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let body = if chunked { unchunked(body)? } else { body.to_vec() };
    Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(body.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        let from = end + 2;
        whole.extend_from_slice(body.get(from..from.checked_add(size)?)?);
        body = body.get(from + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_and_without_chunks() {
        let plain = read(b"HTTP/1.1 500 Oh\r\nA: b\r\n\r\n<x/>").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (500, "<x/>"));
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(chunked).unwrap().body, "abcde");
        for bad in [
            &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
            b"SSH-2.0\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"",
        ] {
            assert!(read(bad).is_none(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
