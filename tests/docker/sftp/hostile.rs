//! Who means harm, and games that do.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sftp::{Attrs, FromClient, FromServer, OpenFlags, Reply, Request, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::Raw;
use super::{Person, world};
use crate::harness::seconds;

fn code(reply: Reply) -> StatusCode {
    match reply {
        Reply::Status(status) => status.code,
        other => panic!("{other:?}"),
    }
}

const WRITE: OpenFlags = OpenFlags::WRITE.and(OpenFlags::CREATE).and(OpenFlags::TRUNCATE);

#[tokio::test]
async fn nothing_leads_out() {
    let (panel, game) = world().await;
    game.put("/a.txt", "mine").await.expect(204);
    let outside = panel.folder().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "canary").unwrap();
    let at = |name: &str| game.file(&panel, name);
    for (target, name) in [
        (outside.to_str().unwrap(), "absolute"),
        ("../../outside", "up"),
        ("../../outside/secret", "file"),
        ("/a.txt", "root"),
        ("../../outside/new", "dangling"),
    ] {
        symlink(target, at(name)).unwrap();
    }
    let fifo = at("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let mut raw = Raw::connect(&ann).await;
    let began = Instant::now();
    for path in [
        "../../../../outside/secret",
        "/../outside/secret",
        "/absolute/secret",
        "/up/secret",
        "/file",
        "/absolute/new",
        "/dangling",
        "/root",
        "/fifo",
        "/socket",
        "/a.txt/x",
        "/nul\0byte",
    ] {
        for flags in
            [OpenFlags::READ, WRITE, OpenFlags::WRITE.and(OpenFlags::READ), WRITE.and(OpenFlags::APPEND)]
        {
            let refused = raw.open(path.as_bytes(), flags).await;
            assert!(refused.is_err(), "{path} {flags:?}");
        }
        let path = Bytes::copy_from_slice(path.as_bytes());
        let attrs = Attrs { permissions: Some(0o777), size: Some(0), ..Attrs::default() };
        let set = raw.answer(Request::SetStat { path: path.clone(), attrs }).await;
        assert_ne!(code(set), StatusCode::Ok);
    }
    for path in ["/absolute/d", "/up/d", "/../../d/../../up/d"] {
        let path = Bytes::copy_from_slice(path.as_bytes());
        let made = raw.answer(Request::MakeDir { path, attrs: Attrs::default() }).await;
        assert_ne!(code(made), StatusCode::Ok);
    }
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    for (from, to) in [("/a.txt", "/up/a.txt"), ("/up/secret", "/stolen"), ("/a.txt", "/absolute")] {
        let renamed = raw.answer(Request::Rename { from: bytes(from), to: bytes(to) }).await;
        assert_ne!(code(renamed), StatusCode::Ok, "{from} {to}");
    }
    // Links that lead out are not made; an absolute one begins at the server's folder.
    for target in ["../outside", "d/../../x", "../../../etc/passwd"] {
        let made = raw.answer(Request::SymLink { target: bytes(target), link: bytes("/made") }).await;
        assert_eq!(code(made), StatusCode::PermissionDenied, "{target}");
    }
    let made = raw.answer(Request::SymLink { target: bytes("/a.txt"), link: bytes("/made") }).await;
    assert_eq!(code(made), StatusCode::Ok);
    assert_eq!(std::fs::read_link(at("made")).unwrap().to_str(), Some("a.txt"));
    assert!(began.elapsed() < Duration::from_secs(10), "nothing waits for the other end of a pipe");
    // A link itself may go.
    assert_eq!(code(raw.answer(Request::Remove { path: bytes("/up") }).await), StatusCode::Ok);
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "canary");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(game.text("/a.txt").await, "mine");
}

/// A game swaps a folder for a link that leads out, all the time.
#[tokio::test]
async fn a_folder_that_is_swapped_for_a_link_leads_nowhere() {
    let (panel, game) = world().await;
    let outside = panel.folder().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::create_dir(game.file(&panel, "d")).unwrap();
    symlink(&outside, game.file(&panel, "l")).unwrap();
    let (one, other) = (game.file(&panel, "d"), game.file(&panel, "l"));
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let swapping = tokio::task::spawn_blocking(move || {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = rustix::fs::renameat_with(CWD, &one, CWD, &other, rustix::fs::RenameFlags::EXCHANGE);
        }
    });
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let mut raw = Raw::connect(&ann).await;
    let mut made = 0;
    for number in 0..1_500 {
        if let Ok(handle) = raw.open(format!("/d/{number}").as_bytes(), WRITE).await {
            made += 1;
            raw.answer(Request::Close { handle }).await;
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapping.await.unwrap();
    assert!(made > 0 && made < 1_500, "{made}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn names_are_bytes_and_handles_are_bounded() {
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let mut raw = Raw::connect(&ann).await;
    let name = b"/caf\xe9 \xff\n.txt";
    let handle = raw.open(name, WRITE).await.unwrap();
    raw.answer(Request::Close { handle }).await;
    let there = game.file(&panel, "").join(std::ffi::OsStr::from_bytes(&name[1..]));
    assert!(there.exists());
    let folder = match raw.answer(Request::OpenDir { path: Bytes::from_static(b"/") }).await {
        Reply::Handle(handle) => handle,
        other => panic!("{other:?}"),
    };
    let Reply::Names(names) = raw.answer(Request::ReadDir { handle: folder }).await else { panic!() };
    assert!(names.iter().any(|entry| entry.name == name[1..]), "{names:?}");
    let mut handles = Vec::new();
    let refused = loop {
        match raw.open(name, OpenFlags::READ).await {
            Ok(handle) => handles.push(handle),
            Err(reply) => break reply,
        }
        assert!(handles.len() < 1_000);
    };
    assert!(handles.len() <= 256 && code(refused) == StatusCode::Failure);
    for wrong in [&b""[..], b"\0", b"\0\xff\xff\xff\xff", b"\x07abcd", b"\xff\0\0\0\0", &[0; 256]] {
        let handle = Bytes::copy_from_slice(wrong);
        let read = raw.answer(Request::Read { handle: handle.clone(), offset: 0, length: 10 }).await;
        assert_ne!(code(read), StatusCode::Ok);
        assert_ne!(code(raw.answer(Request::Close { handle }).await), StatusCode::Ok);
    }
    raw.answer(Request::Close { handle: handles.pop().unwrap() }).await;
    assert!(raw.open(name, OpenFlags::READ).await.is_ok(), "a place that was given back");
}

#[tokio::test]
async fn broken_packets_end_a_connection_and_nothing_else() {
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let mut witness = Raw::connect(&ann).await;
    for packet in [
        &b"\xff\xff\xff\xff"[..],
        b"\0\0\0\0",
        b"\0\x04\0\0\x03",
        b"\0\0\0\x05\x01\0\0\0\x03",
        b"\0\0\0\x01\x03",
    ] {
        let mut raw = Raw::connect(&ann).await;
        raw.write(packet).await;
        raw.ended(Duration::from_secs(5)).await;
    }
    // One that can be answered is.
    let mut raw = Raw::connect(&ann).await;
    for (kind, expected) in [(77, StatusCode::Unsupported), (3, StatusCode::BadMessage)] {
        let mut packet = BytesMut::new();
        packet.put_slice(&[0, 0, 0, 7, kind, 0, 0, 0, 9, 1, 2]);
        raw.write(&packet).await;
        let Some(FromServer::Reply { id: 9, reply }) = raw.receive().await else { panic!() };
        assert_eq!(code(reply), expected);
    }
    // Without the first packet there is nothing.
    let mut silent = Raw::silent(&ann);
    silent
        .send(&FromClient::Request { id: 1, request: Request::Stat { path: Bytes::from_static(b"/") } })
        .await;
    silent.ended(Duration::from_secs(5)).await;
    assert!(witness.stat("/").await);
}

#[tokio::test]
async fn many_connections_and_unfinished_ones_leave_room_for_others() {
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    ann.does("ls").await;
    let before = panel.resident();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(Raw::connect(&ann).await);
    }
    assert!(idle[99].stat("/").await && idle[0].stat("/").await);
    let each = panel.resident().saturating_sub(before) / 100;
    println!("100 idle connections: {} kB each", each >> 10);
    assert!(each < 400 << 10, "{each} bytes each");
    for one in idle {
        one.kill().await;
    }
    // Half handshakes: more than may be.
    let mut half = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(("127.0.0.1", ann.port)).await.unwrap();
        let _ = stream.write_all(b"SSH-2.0-x\r\n\0\0\x7f\xff").await;
        half.push(stream);
    }
    // The oldest give way, and whoever comes gets in.
    ann.does("ls").await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(seconds(5), half[0].read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the first one was closed");
}

/// A client that writes and reads at once, and takes nothing meanwhile.
#[tokio::test]
async fn whoever_asks_for_much_and_takes_little_is_waited_for() {
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    game.put("/a.bin", super::bytes(4_000_000)).await.expect(204);
    let before = panel.resident();
    let mut raw = Raw::connect(&ann).await;
    let read = raw.open(b"/a.bin", OpenFlags::READ).await.unwrap();
    let write = raw.open(b"/b.bin", WRITE).await.unwrap();
    let data = Bytes::from(super::bytes(32_768));
    let mut asked = 0;
    for number in 0..400_u64 {
        let request = Request::Read { handle: read.clone(), offset: number % 100 * 32_768, length: 32_768 };
        raw.ask(request).await;
        raw.ask(Request::Write { handle: write.clone(), offset: number * 32_768, data: data.clone() }).await;
        asked += 2;
    }
    let mut ok = 0;
    for _ in 0..asked {
        match raw.receive().await {
            Some(FromServer::Reply { reply: Reply::Data(_), .. }) => ok += 1,
            Some(FromServer::Reply { reply, .. }) if code(reply.clone()) == StatusCode::Ok => ok += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ok, asked);
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 60 << 20, "{grown}");
    assert_eq!(std::fs::metadata(game.file(&panel, "b.bin")).unwrap().len(), 400 * 32_768);
}
