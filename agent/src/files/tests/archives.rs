//! Archives, search and the limit of the disk.

use protocol::{ArchiveFormat, FileAction, FileMatches, FileSearch, FileSource, UploadCreate};

use super::panel::{Panel, whole};
use super::*;

fn world(panel: &Panel) {
    fs::create_dir_all(panel.place.at("world/region")).unwrap();
    fs::write(panel.place.at("world/level.dat"), "level").unwrap();
    fs::write(panel.place.at("world/region/r.0.0.mca"), "region ".repeat(100_000)).unwrap();
    fs::write(panel.place.at("server.properties"), "motd=Hello\n").unwrap();
}

fn archive(paths: &[&str], to: &str) -> FileAction {
    FileAction::Archive {
        paths: paths.iter().map(|path| (*path).into()).collect(),
        to: to.into(),
        format: None,
    }
}

fn extract(path: &str, to: &str) -> FileAction {
    FileAction::Extract { path: path.into(), to: to.into() }
}

fn kept(panel: &Panel) -> Vec<String> {
    let parts = panel.place.dir.path().join("servers/.files-1/parts");
    fs::read_dir(parts)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

#[tokio::test]
async fn archives_are_made_and_unpacked() {
    let mut panel = Panel::new();
    world(&panel);
    for ending in ["zip", "tar", "tar.gz", "tgz", "tar.zst"] {
        let name = format!("/backups/world.{ending}");
        let made = panel.op(archive(&["/world", "/server.properties"], &name)).await.unwrap();
        assert_eq!((made.entries, made.bytes, made.skipped_count), (5, 700_016, 0), "{ending}");
        let to = format!("/out/{}", ending.replace('.', "-"));
        let done = panel.op(extract(&name, &to)).await.unwrap();
        assert_eq!((done.entries, done.bytes), (5, 700_016), "{ending}");
        let region = panel.place.at(&format!("{to}/world/region/r.0.0.mca")[1..]);
        assert_eq!(fs::read_to_string(&region).unwrap(), "region ".repeat(100_000), "{ending}");
        let (ours, server) = (fs::metadata(&region).unwrap(), fs::metadata(panel.place.at("")).unwrap());
        assert_eq!((ours.uid(), ours.gid()), (server.uid(), server.gid()));
    }
    // Nothing is written over, and what is not there is no empty archive.
    let again = panel.op(archive(&["/world"], "/backups/world.zip")).await;
    assert_eq!(again.unwrap_err(), ErrorCode::Exists);
    assert_eq!(panel.op(archive(&["/none"], "/a.zip")).await.unwrap_err(), ErrorCode::NotFound);
    assert_eq!(panel.op(archive(&["/world"], "/a.rar")).await.unwrap_err(), ErrorCode::Invalid);
    assert_eq!(panel.op(archive(&["/../x"], "/a.zip")).await.unwrap_err(), ErrorCode::PathEscape);
    for (path, to, code) in [
        ("/none.zip", "/x", ErrorCode::NotFound),
        ("/server.properties", "/x", ErrorCode::BadArchive),
        ("/backups/world.zip", "/../x", ErrorCode::PathEscape),
        ("/backups/world.zip", "/server.properties", ErrorCode::Invalid),
    ] {
        assert_eq!(panel.op(extract(path, to)).await.unwrap_err(), code, "{path} {to}");
    }
    fs::write(panel.place.at("half.zip"), &fs::read(panel.place.at("backups/world.zip")).unwrap()[..500])
        .unwrap();
    assert_eq!(panel.op(extract("/half.zip", "/new")).await.unwrap_err(), ErrorCode::BadArchive);
    assert!(!panel.place.at("new").exists());
    assert!(kept(&panel).is_empty(), "{:?}", kept(&panel));
    panel.place.untouched();
}

#[tokio::test]
async fn unpacking_leads_nowhere_else() {
    let mut panel = Panel::new();
    world(&panel);
    panel.op(archive(&["/world"], "/a.zip")).await.unwrap();
    symlink("../../outside", panel.place.at("out")).unwrap();
    assert_eq!(panel.op(extract("/a.zip", "/out")).await.unwrap_err(), ErrorCode::PathEscape);
    fs::create_dir(panel.place.at("to")).unwrap();
    symlink("../../../outside", panel.place.at("to/world")).unwrap();
    let done = panel.op(extract("/a.zip", "/to")).await.unwrap();
    assert_eq!(done.skipped[0].path, "/world");
    panel.place.untouched();
}

#[tokio::test]
async fn an_archive_is_made_while_it_is_sent() {
    let mut panel = Panel::new();
    world(&panel);
    let source = |paths: &[&str], format| FileSource::Archive {
        paths: paths.iter().map(|path| (*path).into()).collect(),
        format,
    };
    for format in [ArchiveFormat::Zip, ArchiveFormat::TarZst, ArchiveFormat::TarGz] {
        let bytes = panel.get(source(&["/world/region", "/world/level.dat"], format)).await.unwrap();
        let name = format!("got.{}", format.ending());
        fs::write(panel.place.at(&name), bytes).unwrap();
        let done = panel.op(extract(&format!("/{name}"), &format!("/{}", format.ending()))).await.unwrap();
        assert_eq!(done.entries, 3);
        assert!(panel.place.at(&format!("{}/region/r.0.0.mca", format.ending())).is_file());
    }
    let none = panel.get(source(&["/world", "/none"], ArchiveFormat::Zip)).await;
    assert_eq!(none.unwrap_err(), ErrorCode::NotFound);
}

#[tokio::test]
async fn search() {
    let mut panel = Panel::new();
    world(&panel);
    let mut asked = FileSearch {
        server_id: "1".into(),
        job_id: "s1".into(),
        path: "/world".into(),
        name: Some("*.mca".into()),
        content: None,
        case_sensitive: false,
        limit: 10,
    };
    let request = asked.clone();
    let found = panel.ask(|files, reply| files.search(request, reply)).await.unwrap();
    let ToPanel::FileMatches(FileMatches { matches, scanned, truncated }) = found else { panic!() };
    assert_eq!(
        (matches[0].path.as_str(), matches.len(), scanned, truncated),
        ("/world/region/r.0.0.mca", 1, 3, false)
    );
    (asked.path, asked.name, asked.content, asked.job_id) =
        ("/".into(), None, Some("MOTD".into()), "s2".into());
    let request = asked.clone();
    let found = panel.ask(|files, reply| files.search(request, reply)).await.unwrap();
    let ToPanel::FileMatches(FileMatches { matches, .. }) = found else { panic!() };
    assert_eq!((matches[0].line, matches[0].text.as_deref()), (Some(1), Some("motd=Hello")));
    (asked.content, asked.job_id) = (None, "s3".into());
    let request = asked.clone();
    let refused = panel.ask(|files, reply| files.search(request, reply)).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::Conflict);
    (asked.path, asked.name, asked.job_id) = ("/none".into(), Some("x".into()), "s4".into());
    let refused = panel.ask(|files, reply| files.search(asked, reply)).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::NotFound);
}

#[tokio::test]
async fn what_is_past_the_servers_limit_is_refused() {
    let mut panel = Panel::new();
    world(&panel);
    panel.op(archive(&["/world"], "/a.tar")).await.unwrap();
    let (id, usages) = ("1".into(), panel.context().usages.clone());
    let (told, heard) = tokio::sync::oneshot::channel();
    usages.measure(&id, Duration::ZERO, move |bytes| told.send(bytes).unwrap());
    usages.set_limit(&id, Some(heard.await.unwrap() + 500_000));
    assert_eq!(panel.op(archive(&["/world"], "/b.tar")).await.unwrap_err(), ErrorCode::OverQuota);
    assert!(!panel.place.at("b.tar").exists());
    assert_eq!(panel.op(extract("/a.tar", "/out")).await.unwrap_err(), ErrorCode::ArchiveTooLarge);
    let copy = FileAction::Copy { path: "/world".into(), to: "/copy".into() };
    assert_eq!(panel.op(copy).await.unwrap_err(), ErrorCode::OverQuota);
    let upload = |id: &str, size| UploadCreate {
        server_id: "1".into(),
        id: id.into(),
        path: "/up".into(),
        size,
        replace: false,
    };
    let refused = panel.ask(|files, reply| files.upload_create(upload("u1", 600_000), reply)).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::OverQuota);
    panel.ask(|files, reply| files.upload_create(upload("u2", 400_000), reply)).await.unwrap();
    // What was promised counts.
    let refused = panel.ask(|files, reply| files.upload_create(upload("u3", 400_000), reply)).await;
    assert_eq!(refused.unwrap_err(), ErrorCode::OverQuota);
    panel.put(whole("/small", None), b"x", true).await.unwrap();
    assert!(kept(&panel).iter().all(|name| name.starts_with("u2")), "{:?}", kept(&panel));
}
