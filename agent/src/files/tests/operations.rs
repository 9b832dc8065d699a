//! Listing, and operations on files: what they do, and where they must not lead.

use protocol::file_paths::text_of;
use protocol::{FileAction, FileKind};

use super::panel::{Panel, content, whole};
use super::*;

#[tokio::test]
async fn ids_of_servers_are_looked_at_first() {
    let mut panel = Panel::new();
    for id in ["../../etc", "", ".", "a/b", &"a".repeat(300), "1\0"] {
        let asked = FileRead { server_id: id.into(), path: "x".into() };
        let refused = panel.ask(|files, reply| files.read(asked, reply)).await;
        assert_eq!(refused.unwrap_err(), ErrorCode::Invalid, "{id}");
        let op = FileAction::MakeDirectory { path: "/x".into() };
        let asked = FileOp { server_id: id.into(), job_id: "j".into(), op, denied: Vec::new() };
        let refused = panel.ask(|files, reply| files.op(asked, reply)).await;
        assert_eq!(refused.unwrap_err(), ErrorCode::Invalid, "{id}");
    }
    let asked = FileWrite { server_id: "1".into(), path: "x".into(), content: "y".into() };
    let ToPanel::FileContent(file) = panel.ask(|files, reply| files.write(asked, reply)).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((file.server_id.as_deref(), file.path.as_str(), file.content), (Some("1"), "x", None));
    assert_eq!(fs::read_to_string(panel.place.at("x")).unwrap(), "y");
}

#[tokio::test]
async fn a_folder_comes_in_pages_with_all_kinds_of_names() {
    let mut panel = Panel::new();
    let odd: &[&[u8]] = &[b"caf\xe9", b"new\nline", b"-rf", b"<img src=x>", "\u{202e}gpj".as_bytes(), b" "];
    for name in odd {
        use std::os::unix::ffi::OsStrExt;
        fs::write(panel.place.at("").join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    fs::create_dir(panel.place.at("world")).unwrap();
    symlink("world", panel.place.at("zlink")).unwrap();
    mknodat(CWD, panel.place.at("zpipe"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    fs::write(panel.place.at(".writing-0123456789abcdef"), "x").unwrap();
    fs::write(panel.place.at(".writing-mine"), "x").unwrap();
    let all = panel.list("/", None, 100).await.unwrap();
    assert_eq!((all.total, all.entries.len(), all.more), (10, 10, false));
    let kinds: Vec<_> = all.entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    assert!(kinds.contains(&("zpipe", protocol::FileKind::Other)));
    assert!(kinds.contains(&("world", protocol::FileKind::Directory)));
    let link = all.entries.iter().find(|entry| entry.name == "zlink").unwrap();
    assert_eq!((link.kind, link.target.as_deref()), (protocol::FileKind::Symlink, Some("world")));
    let mut paged = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = panel.list("", after.as_deref(), 3).await;
        assert_eq!(page.unwrap_err(), ErrorCode::Invalid);
        let page = panel.list("/", after.as_deref(), 3).await.unwrap();
        after = page.entries.last().map(|entry| entry.name.clone());
        paged.extend(page.entries);
        if !page.more {
            break;
        }
    }
    assert_eq!(paged, all.entries);
    // Each of them can be named by its text.
    for name in odd {
        let path = format!("/{}", text_of(name));
        assert_eq!(panel.get(content(&path)).await.unwrap(), b"x", "{name:?}");
        let to = format!("{path} moved");
        panel.op(FileAction::Rename { path, to: to.clone(), replace: false }).await.unwrap();
        let done = panel.op(FileAction::Delete { paths: vec![to], permanent: true }).await.unwrap();
        assert_eq!((done.entries, done.skipped_count), (1, 0));
    }
    assert_eq!(panel.list("/", None, 100).await.unwrap().total, 4);
    assert_eq!(panel.list("/.writing-mine", None, 9).await.unwrap_err(), ErrorCode::Invalid);
}

#[tokio::test]
async fn the_first_page_of_fifty_thousand_comes_at_once() {
    let mut panel = Panel::new();
    fs::create_dir(panel.place.at("many")).unwrap();
    for n in 0..50_000 {
        fs::File::create(panel.place.at(&format!("many/region.{n}.mca"))).unwrap();
    }
    panel.list("/many", None, 200).await.unwrap();
    let began = Instant::now();
    let page = panel.list("/many", None, 200).await.unwrap();
    let took = began.elapsed();
    println!("first 200 of 50,000: {took:?}");
    assert_eq!((page.entries.len(), page.total, page.more), (200, 50_000, true));
    // Ten times what it takes without optimization on a machine that does nothing else.
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Every operation with every path that leads out, or tries to.
#[tokio::test]
async fn no_operation_leads_out() {
    let mut panel = Panel::new();
    let place = &panel.place;
    symlink(place.dir.path().join("outside"), place.at("ext")).unwrap();
    symlink("../../outside", place.at("rel")).unwrap();
    symlink("../../nope", place.at("dang")).unwrap();
    symlink("dang", place.at("chain")).unwrap();
    symlink(place.dir.path().join("secret"), place.at("s")).unwrap();
    fs::write(place.at("f"), "mine").unwrap();
    fs::create_dir(place.at("d")).unwrap();
    symlink(place.dir.path().join("outside"), place.at("d/ext")).unwrap();
    let texts = |path: &str, to: &str| (path.to_owned(), to.to_owned());
    let bad = ["../secret", "/a/../../secret", "ext/x", "rel/x", "ext/new", "dang/x", "chain/x", ".."];
    for bad in bad {
        let mut ops = vec![
            FileAction::MakeDirectory { path: bad.into() },
            FileAction::Delete { paths: vec![bad.into()], permanent: true },
            FileAction::Delete { paths: vec![bad.into()], permanent: false },
            FileAction::Chmod { path: bad.into(), mode: 0o777, recursive: false },
            FileAction::Chmod { path: bad.into(), mode: 0o777, recursive: true },
        ];
        for (path, to) in [texts(bad, "/new"), texts("/f", bad), texts("/d", bad)] {
            ops.push(FileAction::Copy { path: path.clone(), to: to.clone() });
            ops.push(FileAction::Rename { path, to, replace: true });
        }
        for op in ops {
            let said = format!("{op:?}");
            assert_eq!(panel.op(op).await.unwrap_err(), ErrorCode::PathEscape, "{said}");
        }
        assert_eq!(
            panel.put(whole(bad, None), b"x", true).await.unwrap_err(),
            ErrorCode::PathEscape,
            "{bad}"
        );
        assert_eq!(panel.get(content(bad)).await.unwrap_err(), ErrorCode::PathEscape, "{bad}");
        assert_eq!(panel.stat(bad).await.unwrap_err(), ErrorCode::PathEscape, "{bad}");
        assert_eq!(panel.list(bad, None, 9).await.unwrap_err(), ErrorCode::PathEscape, "{bad}");
    }
    for link in ["s", "ext", "dang"] {
        let chmod = FileAction::Chmod { path: link.into(), mode: 0o777, recursive: true };
        assert_eq!(panel.op(chmod).await.unwrap_err(), ErrorCode::NotRegular, "{link}");
        let refused = panel.put(whole(link, None), b"x", true).await.unwrap_err();
        assert_eq!(refused, ErrorCode::NotRegular, "{link}");
    }
    for op in [
        FileAction::Delete { paths: vec!["/".into()], permanent: true },
        FileAction::Delete { paths: vec!["/f".into(), ".".into()], permanent: false },
    ] {
        assert_eq!(panel.op(op).await.unwrap_err(), ErrorCode::Invalid);
    }
    // A copy of a link is a link; links themselves may go, and nothing behind them does.
    panel.op(FileAction::Copy { path: "/d".into(), to: "/d2".into() }).await.unwrap();
    assert!(fs::symlink_metadata(panel.place.at("d2/ext")).unwrap().is_symlink());
    panel.op(FileAction::Chmod { path: "/d".into(), mode: 0o700, recursive: true }).await.unwrap();
    let paths = ["d", "d2", "ext", "s", "chain"].map(str::to_owned).to_vec();
    panel.op(FileAction::Delete { paths, permanent: true }).await.unwrap();
    assert_eq!(fs::read_to_string(panel.place.at("f")).unwrap(), "mine");
    assert_eq!(panel.list("/", None, 99).await.unwrap().total, 3);
    panel.place.untouched();
}

#[tokio::test]
async fn what_is_no_plain_file_is_neither_read_nor_waited_for() {
    let mut panel = Panel::new();
    mknodat(CWD, panel.place.at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let _socket = UnixListener::bind(panel.place.at("socket")).unwrap();
    fs::create_dir(panel.place.at("all")).unwrap();
    mknodat(CWD, panel.place.at("all/pipe"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    fs::write(panel.place.at("all/a"), "x").unwrap();
    for name in ["/pipe", "/socket"] {
        let began = Instant::now();
        assert_eq!(panel.get(content(name)).await.unwrap_err(), ErrorCode::NotRegular);
        assert_eq!(panel.put(whole(name, None), b"x", true).await.unwrap_err(), ErrorCode::NotRegular);
        let copy = FileAction::Copy { path: name.into(), to: "/copy".into() };
        assert_eq!(panel.op(copy).await.unwrap_err(), ErrorCode::NotRegular);
        assert_eq!(panel.stat(name).await.unwrap().entry.kind, protocol::FileKind::Other);
        assert!(began.elapsed() < Duration::from_secs(1), "{name} held us up");
    }
    let done = panel.op(FileAction::Copy { path: "/all".into(), to: "/all2".into() }).await.unwrap();
    assert_eq!((done.skipped_count, done.skipped[0].path.as_str()), (1, "/all/pipe"));
    assert_eq!(fs::read_dir(panel.place.at("all2")).unwrap().count(), 1);
}

#[tokio::test]
async fn files_move_and_are_copied_and_replace_nothing() {
    let mut panel = Panel::new();
    fs::create_dir_all(panel.place.at("world/region")).unwrap();
    fs::write(panel.place.at("world/level.dat"), "level").unwrap();
    fs::write(panel.place.at("world/region/r.0.0.mca"), vec![7; 100_000]).unwrap();
    fs::set_permissions(panel.place.at("world/level.dat"), fs::Permissions::from_mode(0o4750)).unwrap();
    let sparse = fs::File::create(panel.place.at("world/sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"here", 1 << 30).unwrap();
    let copy = |path: &str, to: &str| FileAction::Copy { path: path.into(), to: to.into() };
    let rename =
        |path: &str, to: &str| FileAction::Rename { path: path.into(), to: to.into(), replace: false };
    let done = panel.op(copy("/world", "/backups/one")).await.unwrap();
    assert_eq!((done.entries, done.skipped_count), (5, 0));
    assert_eq!(fs::read(panel.place.at("backups/one/region/r.0.0.mca")).unwrap(), vec![7; 100_000]);
    let meta = fs::metadata(panel.place.at("backups/one/level.dat")).unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o750, "never setuid");
    let copied = fs::File::open(panel.place.at("backups/one/sparse")).unwrap();
    let meta = copied.metadata().unwrap();
    assert!(meta.len() == 1 << 40 && meta.blocks() < 10_000, "holes stay holes");
    let mut here = [0; 4];
    std::os::unix::fs::FileExt::read_exact_at(&copied, &mut here, 1 << 30).unwrap();
    assert_eq!(&here, b"here");
    for op in [
        copy("/world", "/backups"),
        copy("/world/level.dat", "/backups/one/level.dat"),
        rename("/world", "/backups"),
        rename("/world/level.dat", "/backups/one/level.dat"),
        FileAction::MakeDirectory { path: "/world".into() },
        FileAction::Rename { path: "/world/level.dat".into(), to: "/backups".into(), replace: true },
    ] {
        let said = format!("{op:?}");
        assert_eq!(panel.op(op).await.unwrap_err(), ErrorCode::Exists, "{said}");
    }
    for op in [copy("/world", "/world/a"), rename("/world", "/world/a"), copy("/world", "/world")] {
        assert_eq!(panel.op(op).await.unwrap_err(), ErrorCode::Invalid);
    }
    assert_eq!(panel.op(copy("/none", "/x")).await.unwrap_err(), ErrorCode::NotFound);
    fs::write(panel.place.at("new"), "new").unwrap();
    let replace = FileAction::Rename { path: "/new".into(), to: "/world/level.dat".into(), replace: true };
    panel.op(replace).await.unwrap();
    assert_eq!(fs::read_to_string(panel.place.at("world/level.dat")).unwrap(), "new");
    panel.op(rename("/world", "/a/b/c")).await.unwrap();
    // Upper and lower case are different names.
    panel.op(rename("/a", "/A")).await.unwrap();
    assert!(panel.place.at("A/b/c/region").exists() && !panel.place.at("a").exists());
    if folder::may_give() {
        std::os::unix::fs::chown(panel.place.at(""), Some(988), Some(987)).unwrap();
        panel.op(copy("/A/b", "/given")).await.unwrap();
        for name in ["given", "given/c", "given/c/level.dat"] {
            assert_eq!(fs::metadata(panel.place.at(name)).unwrap().uid(), 988, "{name}");
        }
    }
    // Nothing is left beside.
    assert_eq!(fs::read_dir(panel.place.dir.path().join("servers/.files-1/parts")).unwrap().count(), 0);
}

#[tokio::test]
async fn permission_bits_are_set_and_never_setuid() {
    let mut panel = Panel::new();
    fs::create_dir_all(panel.place.at("d/e")).unwrap();
    fs::write(panel.place.at("d/e/f"), "x").unwrap();
    let chmod = |path: &str, mode, recursive| FileAction::Chmod { path: path.into(), mode, recursive };
    let mode =
        |panel: &Panel, name: &str| fs::metadata(panel.place.at(name)).unwrap().permissions().mode() & 0o7777;
    panel.op(chmod("/d/e/f", 0o6755, false)).await.unwrap();
    assert_eq!(mode(&panel, "d/e/f"), 0o755);
    panel.op(chmod("/d", 0o640, true)).await.unwrap();
    assert_eq!((mode(&panel, "d"), mode(&panel, "d/e"), mode(&panel, "d/e/f")), (0o750, 0o750, 0o640));
    assert_eq!(panel.op(chmod("/d", 0o17777, true)).await.unwrap_err(), ErrorCode::Conflict);
    assert_eq!(panel.op(chmod("/", 0o000, false)).await.unwrap_err(), ErrorCode::Forbidden);
}

#[tokio::test]
async fn a_job_is_done_once_told_of_and_called_off() {
    let mut panel = Panel::new();
    fs::create_dir(panel.place.at("many")).unwrap();
    for n in 0..3_000 {
        fs::write(panel.place.at(&format!("many/{n}")), "x").unwrap();
    }
    let op = || FileOp {
        server_id: "1".into(),
        job_id: "same".into(),
        op: FileAction::Copy { path: "/many".into(), to: "/copy".into() },
        denied: Vec::new(),
    };
    let first = panel.send(|files, reply| files.op(op(), reply));
    let again = panel.send(|files, reply| files.op(op(), reply));
    let one = panel.answer(&first).await.unwrap();
    assert_eq!(panel.answer(&again).await.unwrap(), one, "it was not done a second time");
    assert_eq!(panel.ask(|files, reply| files.op(op(), reply)).await.unwrap(), one, "it is still known");
    let mut other = op();
    other.job_id = "off".into();
    other.op = FileAction::Copy { path: "/many".into(), to: "/off".into() };
    let running = panel.send(|files, reply| files.op(other, reply));
    let cancel = FileCancel { server_id: "1".into(), job_id: "off".into() };
    panel.ask(|files, reply| files.cancel(cancel, reply)).await.unwrap();
    assert_eq!(panel.answer(&running).await.unwrap_err(), ErrorCode::Conflict);
    assert!(!panel.place.at("off").exists());
    assert_eq!(fs::read_dir(panel.place.dir.path().join("servers/.files-1/parts")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_link_is_told_with_what_is_there() {
    let mut panel = Panel::new();
    fs::create_dir(panel.place.at("world")).unwrap();
    fs::write(panel.place.at("world/f"), "x").unwrap();
    for (name, target) in [
        ("current", "world"),
        ("log", "world/f"),
        ("none", "nowhere"),
        ("out", "../../outside"),
        ("loop", "loop"),
    ] {
        symlink(target, panel.place.at(name)).unwrap();
    }
    let entries = panel.list("/", None, 100).await.unwrap().entries;
    let there: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.target_kind)).collect();
    let expected = [
        ("current", Some(FileKind::Directory)),
        ("log", Some(FileKind::File)),
        ("loop", None),
        ("none", None),
        ("out", None),
        ("world", None),
    ];
    assert_eq!(there, expected);
}

#[tokio::test]
async fn a_folder_with_what_is_denied_stays() {
    let mut panel = Panel::new();
    fs::create_dir_all(panel.place.at("plugins/deep/er")).unwrap();
    fs::write(panel.place.at("plugins/deep/er/license.key"), "x").unwrap();
    fs::create_dir_all(panel.place.at("logs")).unwrap();
    for permanent in [false, true] {
        let paths = ["/plugins", "/logs"].map(str::to_owned).to_vec();
        let op = FileOp {
            server_id: "1".into(),
            job_id: format!("denied{permanent}"),
            op: FileAction::Delete { paths, permanent },
            denied: vec!["*.key".into()],
        };
        let done = panel.ask(|files, reply| files.op(op, reply)).await.unwrap();
        let ToPanel::FileDone(done) = done else { panic!("{done:?}") };
        assert_eq!((done.entries, done.skipped_count), (1, 1), "{done:?}");
        assert!(done.skipped[0].reason.contains("may configure"), "{done:?}");
        assert!(panel.place.at("plugins/deep/er/license.key").exists() && !panel.place.at("logs").exists());
        fs::create_dir_all(panel.place.at("logs")).unwrap();
    }
    // Without a list nothing is denied.
    let paths = vec!["/plugins".into()];
    panel.op(FileAction::Delete { paths, permanent: true }).await.unwrap();
    assert!(!panel.place.at("plugins").exists());
}

#[tokio::test]
async fn what_a_crash_left_of_a_text_can_be_seen_after_a_day() {
    let mut panel = Panel::new();
    let left = panel.place.at(".writing-0123456789abcdef");
    fs::write(&left, "half").unwrap();
    assert!(panel.list("/", None, 10).await.unwrap().entries.is_empty(), "somebody may be writing it");
    let folder = panel.place.root().folder(&RelPath::parse("/").unwrap()).unwrap();
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(25);
    let seen = list::names_at(&folder, tomorrow).unwrap();
    assert_eq!(seen, [b".writing-0123456789abcdef"]);
    // Texts are written in the folder that the sweeper cleans.
    let asked = FileWrite { server_id: "1".into(), path: "/a.txt".into(), content: "whole".into() };
    panel.ask(|files, reply| files.write(asked, reply)).await.unwrap();
    assert_eq!(fs::read_to_string(panel.place.at("a.txt")).unwrap(), "whole");
    assert!(panel.place.dir.path().join("servers/.files-1/parts").is_dir());
}
