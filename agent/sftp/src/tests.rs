use bytes::{BufMut, Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn whole(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut buffer = BytesMut::new();
    write(&mut buffer);
    buffer
}

fn attrs() -> Attrs {
    Attrs { size: Some(1 << 40), owner: Some((1, 2)), permissions: Some(0o100_644), times: Some((3, 4)) }
}

fn requests() -> Vec<Request> {
    let (path, handle) = (bytes("/a/\u{e4}"), Bytes::from_static(&[0, 255, 7]));
    let other = bytes("b");
    vec![
        Request::Open {
            path: path.clone(),
            flags: OpenFlags::WRITE.and(OpenFlags::CREATE),
            attrs: Attrs::default(),
        },
        Request::Close { handle: handle.clone() },
        Request::Read { handle: handle.clone(), offset: u64::MAX, length: 32768 },
        Request::Write { handle: handle.clone(), offset: 1, data: bytes("data") },
        Request::Lstat { path: path.clone() },
        Request::Fstat { handle: handle.clone() },
        Request::SetStat { path: path.clone(), attrs: attrs() },
        Request::FsetStat { handle: handle.clone(), attrs: attrs() },
        Request::OpenDir { path: path.clone() },
        Request::ReadDir { handle: handle.clone() },
        Request::Remove { path: path.clone() },
        Request::MakeDir { path: path.clone(), attrs: attrs() },
        Request::RemoveDir { path: path.clone() },
        Request::RealPath { path: path.clone() },
        Request::Stat { path: path.clone() },
        Request::Rename { from: path.clone(), to: other.clone() },
        Request::ReadLink { path: path.clone() },
        Request::SymLink { target: path.clone(), link: other.clone() },
        Request::Extended(Extended::PosixRename { from: path.clone(), to: other }),
        Request::Extended(Extended::StatVfs { path: path.clone() }),
        Request::Extended(Extended::FstatVfs { handle: handle.clone() }),
        Request::Extended(Extended::Fsync { handle }),
        Request::Extended(Extended::LsetStat { path, attrs: attrs() }),
        Request::Extended(Extended::Limits),
        Request::Extended(Extended::Other { name: bytes("copy-data") }),
    ]
}

fn replies() -> Vec<Reply> {
    let entry = NameEntry { name: bytes("x"), long: bytes("-rw-r--r-- x"), attrs: attrs() };
    vec![
        Reply::ok(),
        Reply::status(StatusCode::Other(31), bytes("later")),
        Reply::Handle(Bytes::from_static(&[1, 2])),
        Reply::Data(bytes("data")),
        Reply::Names(vec![entry.clone(), NameEntry { attrs: Attrs::default(), ..entry }]),
        Reply::Attrs(attrs()),
        Reply::Extended(StatVfs { block: 4096, files: [1, 2, 3], ..StatVfs::default() }.encode()),
    ]
}

#[test]
fn requests_go_there_and_back() {
    let all = requests().into_iter().zip(7..).map(|(request, id)| FromClient::Request { id, request });
    for packet in all.chain([FromClient::Init { version: 3 }]) {
        let mut buffer = whole(|to| packet.encode(to));
        let body = next_packet(&mut buffer).unwrap().unwrap();
        assert!(buffer.is_empty());
        assert_eq!(FromClient::decode(body).unwrap(), packet);
    }
}

#[test]
fn replies_go_there_and_back() {
    let version = FromServer::Version { version: 3, extensions: vec![(bytes("a@b"), bytes("1"))] };
    let all = replies().into_iter().map(|reply| FromServer::Reply { id: u32::MAX, reply });
    for packet in all.chain([version]) {
        let mut buffer = whole(|to| packet.encode(to));
        let body = next_packet(&mut buffer).unwrap().unwrap();
        assert_eq!(FromServer::decode(body).unwrap(), packet);
    }
}

#[test]
fn data_is_written_where_it_is_read_to() {
    let mut to = BytesMut::new();
    let read = |to: &mut BytesMut| {
        to.put_slice(b"abcdef");
        Ok::<_, ()>(())
    };
    assert_eq!(FromServer::encode_data(5, 4, &mut to, read), Ok(4));
    assert_eq!(FromServer::encode_data(6, 4, &mut to, |_| Err(())), Err(()));
    let body = next_packet(&mut to).unwrap().unwrap();
    let expected = FromServer::Reply { id: 5, reply: Reply::Data(bytes("abcd")) };
    assert_eq!((FromServer::decode(body).unwrap(), to.len()), (expected, 0));
}

/// Taken from a connection of OpenSSH's `sftp` 9.2.
#[test]
fn openssh_is_understood() {
    let open = b"\x03\x00\x00\x00\x05\x00\x00\x00\x06/x.txt\x00\x00\x00\x1a\x00\x00\x00\x04\x00\x00\x01\xa4";
    let request = Request::Open {
        path: bytes("/x.txt"),
        flags: OpenFlags::WRITE.and(OpenFlags::CREATE).and(OpenFlags::TRUNCATE),
        attrs: Attrs { permissions: Some(0o644), ..Attrs::default() },
    };
    let decoded = FromClient::decode(Bytes::from_static(open)).unwrap();
    assert_eq!(decoded, FromClient::Request { id: 5, request });
    assert_eq!(
        FromClient::decode(Bytes::from_static(b"\x01\x00\x00\x00\x03")).unwrap(),
        FromClient::Init { version: 3 }
    );
}

#[test]
fn what_is_too_long_is_refused() {
    let size = |length: u32| next_packet(&mut BytesMut::from(&length.to_be_bytes()[..]));
    assert_eq!(size(0), Err(DecodeError::Size(0)));
    assert_eq!(size(u32::MAX), Err(DecodeError::Size(u32::MAX)));
    assert_eq!(size(262_140), Ok(None));
    assert_eq!(size(262_141), Err(DecodeError::Size(262_141)));
    let stat = |length: usize| {
        let path = Bytes::from(vec![b'a'; length]);
        let packet = FromClient::Request { id: 9, request: Request::Stat { path } };
        FromClient::decode(next_packet(&mut whole(|to| packet.encode(to))).unwrap().unwrap())
    };
    assert!(stat(MAX_PATH).is_ok());
    assert_eq!(stat(MAX_PATH + 1).unwrap_err().id(), Some(9));
    let largest = Request::Write {
        handle: Bytes::from(vec![0; MAX_HANDLE]),
        offset: 0,
        data: Bytes::from(vec![0; MAX_DATA]),
    };
    let mut buffer = whole(|to| FromClient::Request { id: 1, request: largest }.encode(to));
    assert!(next_packet(&mut buffer).unwrap().is_some(), "the largest piece fits into a packet");
}

#[test]
fn a_list_does_not_take_what_it_announces() {
    let body = whole(|to| {
        to.put_u8(104);
        to.put_u32(1);
        to.put_u32(u32::MAX);
    });
    assert_eq!(FromServer::decode(body.freeze()), Err(DecodeError::Short(Some(1))));
}

proptest! {
    #[test]
    fn no_bytes_panic(body in vec(any::<u8>(), 0..600)) {
        let _ = FromClient::decode(Bytes::from(body.clone()));
        let _ = FromServer::decode(Bytes::from(body.clone()));
        let _ = StatVfs::decode(Bytes::from(body.clone()));
        let mut buffer = BytesMut::from(&body[..]);
        while let Ok(Some(_)) = next_packet(&mut buffer) {}
    }

    /// Almost a packet: of a known kind, with lengths that lie.
    #[test]
    fn no_broken_packet_panics(at in 0_usize..25, place in 0_usize..64, value in any::<u8>(), cut in 0_usize..64) {
        let request = requests().swap_remove(at);
        let mut body = whole(|to| FromClient::Request { id: 1, request }.encode(to)).split_off(4);
        let length = body.len();
        body[place % length] = value;
        body.truncate(length - cut % length);
        if let Ok(packet) = FromClient::decode(body.freeze()) {
            let again = next_packet(&mut whole(|to| packet.encode(to))).unwrap().unwrap();
            prop_assert_eq!(FromClient::decode(again).unwrap(), packet);
        }
        let reply = replies().swap_remove(at % 7);
        let mut body = whole(|to| FromServer::Reply { id: 1, reply }.encode(to)).split_off(4);
        let length = body.len();
        body[place % length] = value;
        body.truncate(length - cut % length);
        let _ = FromServer::decode(body.freeze());
    }

    #[test]
    fn packets_are_cut_at_any_place(cut in 0_usize..200) {
        let mut all = BytesMut::new();
        for request in requests() {
            FromClient::Request { id: 1, request }.encode(&mut all);
        }
        let mut rest = all.split_off(cut.min(all.len()));
        let mut count = 0;
        for part in [std::mem::take(&mut all), rest.split()] {
            all.extend_from_slice(&part);
            while let Some(body) = next_packet(&mut all).unwrap() {
                prop_assert!(FromClient::decode(body).is_ok());
                count += 1;
            }
        }
        prop_assert_eq!(count, 25);
    }
}
