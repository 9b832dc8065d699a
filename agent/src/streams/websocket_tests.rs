//! Our frames against tungstenite's, and against an other end that does not keep to the rules.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Theirs;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::pipe::FRAME_BYTES;
use super::websocket::{Message, Reader, Writer};

/// Lengths at which the head changes, the buffer, and the pieces that are masked.
const LENGTHS: [usize; 14] = [
    0,
    1,
    7,
    125,
    126,
    65_535,
    65_536,
    65_537,
    65_539,
    70_001,
    131_072,
    FRAME_BYTES - 1,
    FRAME_BYTES,
    FRAME_BYTES - 64 * 1024,
];

fn pattern(length: usize) -> Bytes {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect::<Vec<_>>().into()
}

fn other(role: Role) -> Role {
    if role == Role::Client { Role::Server } else { Role::Client }
}

/// Both ends; what goes between comes in pieces of at most `piece` bytes.
async fn ends(ours: Role, piece: usize) -> (DuplexStream, WebSocketStream<DuplexStream>) {
    let (near, far) = duplex(piece);
    (near, WebSocketStream::from_raw_socket(far, other(ours), None).await)
}

#[tokio::test]
async fn what_we_write_is_what_tungstenite_reads_and_the_other_way_round() {
    for ours in [Role::Client, Role::Server] {
        for piece in [13, 4096, 1 << 20] {
            let (near, mut far) = ends(ours, piece).await;
            let (from, to) = tokio::io::split(near);
            let (mut reader, mut writer) = (Reader::new(from, ours), Writer::new(to, ours));
            for length in LENGTHS {
                let bytes = pattern(length);
                let (sent, got) = tokio::join!(writer.send(Message::Binary(bytes.clone())), far.next());
                sent.unwrap();
                assert!(got.unwrap().unwrap() == Theirs::Binary(bytes.clone()), "{length} bytes");
                let (sent, got) = tokio::join!(far.send(Theirs::Binary(bytes.clone())), reader.next());
                sent.unwrap();
                assert!(got.unwrap() == Message::Binary(bytes), "{length} bytes");
            }
            let word = Bytes::from_static(br#"{"done":1}"#);
            let (sent, got) = tokio::join!(writer.send(Message::Text(word.clone())), far.next());
            sent.unwrap();
            assert_eq!(got.unwrap().unwrap().into_text().unwrap().as_bytes(), &word[..]);
            let ping = Bytes::from_static(b"there?");
            let (sent, got) = tokio::join!(far.send(Theirs::Ping(ping.clone())), reader.next());
            sent.unwrap();
            assert_eq!(got.unwrap(), Message::Ping(ping.clone()));
            let (sent, got) = tokio::join!(writer.send(Message::Pong(ping.clone())), far.next());
            sent.unwrap();
            assert_eq!(got.unwrap().unwrap(), Theirs::Pong(ping));
            let (sent, got) = tokio::join!(far.close(None), reader.next());
            sent.unwrap();
            assert_eq!(got.unwrap(), Message::Close);
        }
    }
}

/// What a reader makes of some bytes.
async fn read(role: Role, bytes: &[u8]) -> Result<Message, std::io::ErrorKind> {
    let (mut near, far) = duplex(1 << 20);
    near.write_all(bytes).await.unwrap();
    drop(near);
    Reader::new(far, role).next().await.map_err(|error| error.kind())
}

#[tokio::test]
async fn a_message_may_come_in_several_frames() {
    let mut bytes = vec![0x02, 2, b'a', b'b', 0x89, 1, b'p', 0x00, 0, 0x80, 1, b'c'];
    let (mut near, far) = duplex(1 << 20);
    near.write_all(&bytes).await.unwrap();
    let mut reader = Reader::new(far, Role::Client);
    assert_eq!(reader.next().await.unwrap(), Message::Ping(Bytes::from_static(b"p")), "between two frames");
    assert_eq!(reader.next().await.unwrap(), Message::Binary(Bytes::from_static(b"abc")));
    // Masked, each with a mask of its own.
    bytes = vec![0x01, 0x81, 1, 2, 3, 4, b'x' ^ 1, 0x80, 0x81, 9, 9, 9, 9, b'y' ^ 9];
    assert_eq!(read(Role::Server, &bytes).await, Ok(Message::Text(Bytes::from_static(b"xy"))));
}

#[tokio::test]
async fn whoever_keeps_to_no_rules_is_not_read() {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let too_long = (FRAME_BYTES as u64 + 1).to_be_bytes();
    let long = |first: u8, length: [u8; 8]| [&[first, 127], &length[..]].concat();
    let begun = [&long(0x02, (FRAME_BYTES as u64).to_be_bytes())[..], &vec![0; FRAME_BYTES]].concat();
    let client: Vec<(&str, Vec<u8>)> = vec![
        ("masked by a server", vec![0x82, 0x81, 1, 2, 3, 4, 5]),
        ("an extension", vec![0xc2, 0]),
        ("an unknown code", vec![0x83, 0]),
        ("an unknown control", vec![0x8b, 0]),
        ("too long", long(0x82, too_long)),
        ("as long as can be", long(0x82, [0xff; 8])),
        ("a long text", vec![0x81, 126, 0x40, 1]),
        ("a long ping", vec![0x89, 126, 0, 126]),
        ("a ping in parts", vec![0x09, 0]),
        ("the rest of nothing", vec![0x80, 1, 0]),
        ("a message within another", vec![0x02, 1, 0, 0x82, 1, 0]),
        ("a text within another", vec![0x02, 1, 0, 0x81, 1, 0]),
        ("too long by its parts", [&begun[..], &[0x80, 1, 0]].concat()),
    ];
    for (what, bytes) in client {
        assert_eq!(read(Role::Client, &bytes).await, Err(InvalidData), "{what}");
    }
    assert_eq!(read(Role::Server, &[0x82, 1, 5]).await, Err(InvalidData), "a client without a mask");
    for cut in [&[][..], &[0x82], &[0x82, 126, 1], &[0x82, 2, 1]] {
        assert_eq!(read(Role::Client, cut).await, Err(UnexpectedEof), "{cut:?}");
    }
}

#[tokio::test]
async fn a_client_uses_another_mask_each_time() {
    let (near, mut far) = duplex(1 << 20);
    let mut writer = Writer::new(near, Role::Client);
    let mut masks = std::collections::HashSet::new();
    for _ in 0..8 {
        writer.send(Message::Binary(Bytes::from_static(b"abcd"))).await.unwrap();
        let mut frame = [0; 10];
        far.read_exact(&mut frame).await.unwrap();
        assert_eq!(&frame[..2], [0x82, 0x84]);
        assert!(frame[6..].iter().zip(&frame[2..6]).map(|(byte, mask)| byte ^ mask).eq(*b"abcd"));
        masks.insert(frame[2..6].to_vec());
    }
    assert!(masks.len() > 6, "{masks:?}");
}

#[tokio::test]
async fn a_quiet_stream_holds_no_buffers() {
    let (near, far) = duplex(1 << 20);
    let (mut writer, mut reader) = (Writer::new(near, Role::Server), Reader::new(far, Role::Client));
    for _ in 0..3 {
        let (sent, got) = tokio::join!(writer.send(Message::Binary(pattern(FRAME_BYTES))), reader.next());
        sent.unwrap();
        drop(got.unwrap());
    }
    assert_eq!(reader.buffers().waiting(), 1, "one is used again and again");
    let (sent, got) = tokio::join!(writer.send(Message::Ping(Bytes::new())), reader.next());
    sent.unwrap();
    assert_eq!(got.unwrap(), Message::Ping(Bytes::new()));
    assert_eq!(reader.buffers().waiting(), 0);
}
