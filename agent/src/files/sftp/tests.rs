use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::ServerId;
use sftp::{
    Attrs, Extended, FromClient, FromServer, OpenFlags, Reply, Request, StatVfs, StatusCode, next_packet,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Session;
use super::handles::MOST;
use crate::files::context::FilesContext;
use crate::link::local;
use crate::stats::Usages;

/// A session of a server's, spoken to by packets.
struct Place {
    dir: tempfile::TempDir,
    context: Arc<FilesContext>,
    session: Session,
}

fn context(folder: &Path) -> FilesContext {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (_link, agent) = local(4);
    FilesContext {
        data_dir: folder.to_owned(),
        usages: Usages::new(folder.join("servers"), tasks.clone(), cancel.clone()),
        tasks,
        cancel,
        out: agent.to_panel,
        opener: None,
    }
}

const ID: &str = "1";
const NEW: OpenFlags = OpenFlags::WRITE.and(OpenFlags::CREATE).and(OpenFlags::TRUNCATE);

impl Place {
    fn new(writable: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("servers/1")).unwrap();
        fs::create_dir_all(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/secret"), "canary").unwrap();
        let context = Arc::new(context(dir.path()));
        let session = Session::open(Arc::clone(&context), ServerId::from(ID), writable).unwrap();
        Self { dir, context, session }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join("servers/1").join(path)
    }

    fn all(&mut self, requests: Vec<Request>) -> Vec<Reply> {
        let mut frame = BytesMut::new();
        for (request, id) in requests.into_iter().zip(0..) {
            FromClient::Request { id, request }.encode(&mut frame);
        }
        let mut out = BytesMut::new();
        self.session
            .serve(frame, &mut |bytes: Bytes| {
                assert!(bytes.len() <= crate::streams::FRAME_BYTES);
                out.extend_from_slice(&bytes);
                Ok(())
            })
            .unwrap();
        let mut replies = Vec::new();
        while let Some(packet) = next_packet(&mut out).unwrap() {
            let FromServer::Reply { id, reply } = FromServer::decode(packet).unwrap() else { panic!() };
            assert_eq!(id as usize, replies.len(), "in the order in which it was asked");
            replies.push(reply);
        }
        replies
    }

    fn one(&mut self, request: Request) -> Reply {
        self.all(vec![request]).remove(0)
    }

    fn code(&mut self, request: Request) -> StatusCode {
        match self.one(request) {
            Reply::Status(status) => status.code,
            other => panic!("{other:?}"),
        }
    }

    fn open(&mut self, path: &str, flags: OpenFlags) -> Result<Bytes, Reply> {
        let path = Bytes::copy_from_slice(path.as_bytes());
        match self.one(Request::Open { path, flags, attrs: Attrs::default() }) {
            Reply::Handle(handle) => Ok(handle),
            other => Err(other),
        }
    }

    fn write(&mut self, handle: &Bytes, offset: u64, data: &'static [u8]) -> StatusCode {
        self.code(Request::Write { handle: handle.clone(), offset, data: Bytes::from_static(data) })
    }
}

fn path(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn pieces_are_written_in_any_order() {
    let mut place = Place::new(true);
    let handle = place.open("/a", NEW).unwrap();
    assert_eq!(place.write(&handle, 4, b"last"), StatusCode::Ok);
    assert_eq!(place.write(&handle, 0, b"1234"), StatusCode::Ok);
    assert_eq!(fs::read(place.at("a")).unwrap(), b"1234last");
    let handle = place.open("/a", OpenFlags::APPEND).unwrap();
    assert_eq!(place.write(&handle, 0, b"!"), StatusCode::Ok);
    assert_eq!(fs::read(place.at("a")).unwrap(), b"1234last!");
    let handle = place.open("/a", OpenFlags::READ).unwrap();
    assert_eq!(place.write(&handle, 0, b"x"), StatusCode::PermissionDenied);
    let read = |offset, length| Request::Read { handle: handle.clone(), offset, length };
    let replies = place.all(vec![read(4, 4), read(8, 400_000), read(9, 1)]);
    assert_eq!(replies[..2], [Reply::Data(path("last")), Reply::Data(path("!"))]);
    assert!(matches!(&replies[2], Reply::Status(status) if status.code == StatusCode::EndOfFile));
    assert!(place.session.is_dirty());
    let exclusive = OpenFlags::WRITE.and(OpenFlags::CREATE).and(OpenFlags::EXCLUSIVE);
    assert!(place.open("/a", exclusive).is_err() && place.open("/b", exclusive).is_ok());
    assert!(place.open("/none", OpenFlags::WRITE).is_err());
}

#[tokio::test]
async fn a_limit_of_the_disk_holds() {
    let mut place = Place::new(true);
    let id = ServerId::from(ID);
    place.context.usages.set_limit(&id, Some(1_000_000));
    let handle = place.open("/a", NEW).unwrap();
    assert_eq!(place.write(&handle, 0, &[7; 200_000]), StatusCode::Ok);
    assert_eq!(place.write(&handle, 0, &[7; 200_000]), StatusCode::Ok, "over what is there");
    assert_eq!(place.write(&handle, 900_000, &[7; 200_000]), StatusCode::Failure);
    let attrs = Attrs { size: Some(2_000_000), ..Attrs::default() };
    assert_eq!(place.code(Request::FsetStat { handle, attrs }), StatusCode::Failure);
    assert_eq!(place.code(Request::SetStat { path: path("/a"), attrs }), StatusCode::Failure);
    let Reply::Extended(room) = place.one(Request::Extended(Extended::StatVfs { path: path("/") })) else {
        panic!()
    };
    let room = StatVfs::decode(room).unwrap();
    assert!((150..=800_000 / 4096).contains(&room.free), "what the limit leaves is what is free: {room:?}");
    place.context.usages.set_limit(&id, Some(0));
    assert!(place.open("/b", NEW).is_err());
    assert_eq!(
        place.code(Request::MakeDir { path: path("/d"), attrs: Attrs::default() }),
        StatusCode::Failure
    );
}

#[test]
fn a_reader_changes_nothing() {
    let mut place = Place::new(false);
    fs::write(place.at("a"), "a").unwrap();
    let attrs = Attrs { permissions: Some(0o777), ..Attrs::default() };
    for request in [
        Request::Open { path: path("/a"), flags: OpenFlags::WRITE, attrs: Attrs::default() },
        Request::Open { path: path("/a"), flags: OpenFlags::APPEND, attrs: Attrs::default() },
        Request::Open { path: path("/b"), flags: NEW, attrs: Attrs::default() },
        Request::Remove { path: path("/a") },
        Request::RemoveDir { path: path("/a") },
        Request::MakeDir { path: path("/d"), attrs },
        Request::SetStat { path: path("/a"), attrs },
        Request::Extended(Extended::LsetStat { path: path("/a"), attrs }),
        Request::Rename { from: path("/a"), to: path("/b") },
        Request::Extended(Extended::PosixRename { from: path("/a"), to: path("/b") }),
        Request::SymLink { target: path("a"), link: path("/l") },
    ] {
        assert_eq!(place.code(request.clone()), StatusCode::PermissionDenied, "{request:?}");
    }
    let handle = place.open("/a", OpenFlags::READ).unwrap();
    assert_eq!(place.code(Request::FsetStat { handle, attrs }), StatusCode::PermissionDenied);
    assert!(!place.session.is_dirty());
    assert_eq!(fs::read_dir(place.at("")).unwrap().count(), 1);
}

#[test]
fn attributes_are_set_of_nothing_outside() {
    let mut place = Place::new(true);
    fs::write(place.at("a"), "aaaa").unwrap();
    let secret = place.dir.path().join("outside/secret");
    symlink(&secret, place.at("out")).unwrap();
    symlink("a", place.at("in")).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let (before, all) =
        (mode(&secret), Attrs { permissions: Some(0o4777), times: Some((5, 6)), ..Attrs::default() });
    assert_ne!(place.code(Request::SetStat { path: path("/out"), attrs: all }), StatusCode::Ok);
    assert_ne!(
        place.code(Request::Extended(Extended::LsetStat { path: path("/out"), attrs: all })),
        StatusCode::Ok
    );
    assert_eq!(mode(&secret), before);
    assert_eq!(place.code(Request::SetStat { path: path("/in"), attrs: all }), StatusCode::Ok);
    assert_eq!(mode(&place.at("a")), 0o777, "neither setuid nor the like");
    assert_ne!(place.code(Request::SetStat { path: path("/"), attrs: all }), StatusCode::Ok);
    let owner = Attrs { owner: Some((0, 12_345)), ..Attrs::default() };
    assert_eq!(place.code(Request::SetStat { path: path("/a"), attrs: owner }), StatusCode::PermissionDenied);
    let size = Attrs { size: Some(2), ..Attrs::default() };
    assert_eq!(place.code(Request::SetStat { path: path("/a"), attrs: size }), StatusCode::Ok);
    assert_eq!(fs::read(place.at("a")).unwrap(), b"aa");
    let folder = Attrs { permissions: Some(0o777), ..Attrs::default() };
    assert_eq!(place.code(Request::MakeDir { path: path("/d"), attrs: folder }), StatusCode::Ok);
    assert_eq!(mode(&place.at("d")), 0o755, "clients ask for all, and mean the usual");
}

#[test]
fn renames_replace_only_where_that_is_asked_for() {
    let mut place = Place::new(true);
    fs::write(place.at("a"), "a").unwrap();
    fs::write(place.at("b"), "b").unwrap();
    assert_eq!(place.code(Request::Rename { from: path("/a"), to: path("/b") }), StatusCode::Failure);
    assert_eq!(fs::read(place.at("b")).unwrap(), b"b");
    let replace = Request::Extended(Extended::PosixRename { from: path("/a"), to: path("/b") });
    assert_eq!(place.code(replace), StatusCode::Ok);
    assert_eq!(fs::read(place.at("b")).unwrap(), b"a");
    assert_eq!(place.code(Request::Rename { from: path("/none"), to: path("/c") }), StatusCode::NoSuchFile);
}

#[test]
fn what_is_open_is_bounded() {
    let mut place = Place::new(true);
    fs::write(place.at("a"), "a").unwrap();
    let held: Vec<_> = (0..MOST).map(|_| place.open("/a", OpenFlags::READ).unwrap()).collect();
    assert!(place.open("/a", OpenFlags::READ).is_err());
    assert_eq!(place.code(Request::OpenDir { path: path("/") }), StatusCode::Failure);
    assert_eq!(place.code(Request::Close { handle: held[0].clone() }), StatusCode::Ok);
    assert_eq!(place.code(Request::Close { handle: held[0].clone() }), StatusCode::Failure, "twice");
    assert!(place.open("/a", OpenFlags::READ).is_ok());
}

#[test]
fn what_is_no_packet_ends_it() {
    for frame in [
        &b"\0\0\0\0"[..],
        b"\xff\xff\xff\xff",
        b"\0\0\0\x05\x07\0\0\0\x01\0",
        b"\0\0\0\x05\x01\0\0\0\x03",
        b"\0\0\0\x01\x07",
    ] {
        let mut place = Place::new(true);
        assert!(place.session.serve(BytesMut::from(frame), &mut |_| Ok(())).is_err(), "{frame:?}");
    }
    let mut place = Place::new(true);
    assert_eq!(place.code(Request::Lstat { path: path("/none") }), StatusCode::NoSuchFile);
}
