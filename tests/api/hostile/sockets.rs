//! WebSocket clients that send too much.

use std::time::Instant;

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::harness::{Live, Panel, seconds};

/// The header of a client's frame, masked with zeros.
fn head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

#[tokio::test]
async fn a_frame_of_a_hundred_megabytes_is_refused_at_its_head() {
    let panel = Panel::start().await;
    let mut live = Live::open(&panel.admin()).await;
    let before = panel.resident();
    let began = Instant::now();
    live.stream().get_mut().write_all(&head(0x81, 100 << 20)).await.unwrap();
    assert_eq!(live.closed(seconds(5)).await, 1009);
    assert!(began.elapsed() < seconds(5));
    for length in [16 * 1024 + 1, u64::MAX >> 1] {
        let mut live = Live::open(&panel.admin()).await;
        live.stream().get_mut().write_all(&head(0x81, length)).await.unwrap();
        assert_eq!(live.closed(seconds(5)).await, 1009, "{length}");
    }
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "grew by {} KiB", grown >> 10);
}

#[tokio::test]
async fn a_message_in_pieces_counts_as_one() {
    let panel = Panel::start().await;
    let mut live = Live::open(&panel.admin()).await;
    let piece = [b'x'; 1024];
    for number in 0..64 {
        let frame = [head(u8::from(number == 0), 1024), piece.to_vec()].concat();
        if live.stream().get_mut().write_all(&frame).await.is_err() {
            break;
        }
    }
    assert_eq!(live.closed(seconds(5)).await, 1009);
}

#[tokio::test]
async fn what_is_no_frame_ends_the_socket_and_no_other() {
    let panel = Panel::start().await;
    let mut good = Live::open(&panel.admin()).await;
    let unmasked = [0x81, 2, b'h', b'i'].to_vec();
    let reserved = [head(0xf1, 2), b"hi".to_vec()].concat();
    let unknown = [head(0x83, 2), b"hi".to_vec()].concat();
    let long_ping = [head(0x89, 126), vec![0; 126]].concat();
    let bad_text = [head(0x81, 2), vec![0xff, 0xfe]].concat();
    let lonely_rest = [head(0x80, 2), b"hi".to_vec()].concat();
    for bytes in [unmasked, reserved, unknown, long_ping, bad_text, lonely_rest] {
        let mut live = Live::open(&panel.admin()).await;
        live.stream().get_mut().write_all(&bytes).await.unwrap();
        let code = live.closed(seconds(5)).await;
        assert!(matches!(code, 1002 | 1006 | 1007), "{bytes:?}: {code}");
    }
    good.subscribe(&["servers"]).await;
    good.wait(seconds(5), |message: &Value| (message["topic"] == "servers").then_some(())).await;
}

#[tokio::test]
async fn four_hundred_sockets_are_bounded_by_account_and_given_back() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let jo = panel.user("jo").await;
    let before = panel.resident();
    let mut open = Vec::new();
    for client in [&admin, &jo] {
        let bearer = format!("Bearer {}", client.token.clone().unwrap());
        let all = futures_util::future::join_all((0..300).map(|_| {
            let (address, bearer) = (client.address.clone(), bearer.clone());
            async move { Live::with(&address, &[("authorization", &bearer)]).await }
        }))
        .await;
        let refused: Vec<u16> = all.iter().filter_map(|one| one.as_ref().err().copied()).collect();
        assert_eq!(refused, vec![429; 44], "300 at once, 256 places");
        open.extend(all.into_iter().flatten());
    }
    assert_eq!(open.len(), 512);
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 40 << 20, "grew by {} MiB", grown >> 20);
    drop(open);
    // Closed sockets free their slots.
    crate::harness::until("there is room again", seconds(10), async || {
        let bearer = format!("Bearer {}", admin.token.clone().unwrap());
        Live::with(&admin.address, &[("authorization", &bearer)]).await.ok()
    })
    .await;
}
