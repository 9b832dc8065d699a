//! Uploads, in pieces and cut short.

use protocol::{FileTarget, UploadInfo};

use super::panel::{Answer, Panel};
use super::*;

fn create(id: &str, path: &str, size: u64, replace: bool) -> UploadCreate {
    UploadCreate { server_id: "1".into(), id: id.into(), path: path.into(), size, replace }
}

fn piece(id: &str, offset: u64) -> FileTarget {
    FileTarget::Upload { id: id.into(), offset }
}

impl Panel {
    async fn begin(&mut self, asked: UploadCreate) -> Answer {
        self.ask(|files, reply| files.upload_create(asked, reply)).await
    }

    async fn offset(&mut self, id: &str) -> Result<u64, ErrorCode> {
        let asked = UploadRef { server_id: "1".into(), id: id.into() };
        match self.ask(|files, reply| files.upload_stat(asked, reply)).await? {
            ToPanel::UploadInfo(info) => Ok(info.offset),
            other => panic!("{other:?}"),
        }
    }

    fn parts(&self) -> std::path::PathBuf {
        self.place.dir.path().join("servers/.files-1/parts")
    }
}

#[tokio::test]
async fn an_upload_goes_on_where_it_was_cut() {
    let mut panel = Panel::new();
    let all: Vec<u8> = (0..300_000_u32).map(|n| (n % 253) as u8).collect();
    panel.begin(create("u1", "/mods/big.jar", 300_000, false)).await.unwrap();
    let told = panel.put(piece("u1", 0), &all[..100_000], true).await.unwrap();
    assert_eq!(
        told,
        ToPanel::UploadInfo(UploadInfo { path: "/mods/big.jar".into(), offset: 100_000, size: 300_000 })
    );
    // The connection breaks: what came is kept.
    assert_eq!(
        panel.put(piece("u1", 100_000), &all[100_000..150_000], false).await.unwrap_err(),
        ErrorCode::BrokenOff
    );
    let offset = usize::try_from(panel.offset("u1").await.unwrap()).unwrap();
    assert_eq!(offset, 150_000);
    for wrong in [0, 100_000, 300_000] {
        assert_eq!(
            panel.put(piece("u1", wrong), b"x", true).await.unwrap_err(),
            ErrorCode::Conflict,
            "{wrong}"
        );
    }
    assert!(!panel.place.at("mods/big.jar").exists());
    // The agent is another one now.
    let Panel { place, .. } = panel;
    let mut panel = Panel::at(place);
    let too_much = [&all[offset..], b"more"].concat();
    assert_eq!(panel.put(piece("u1", 150_000), &too_much, true).await.unwrap_err(), ErrorCode::Conflict);
    let offset = usize::try_from(panel.offset("u1").await.unwrap()).unwrap();
    if offset < all.len() {
        panel.put(piece("u1", offset as u64), &all[offset..], true).await.unwrap();
    }
    assert_eq!(fs::read(panel.place.at("mods/big.jar")).unwrap(), all);
    assert_eq!(panel.offset("u1").await.unwrap(), 300_000, "who missed the answer may ask");
    assert_eq!(panel.put(piece("u1", 300_000), b"", true).await.unwrap_err(), ErrorCode::Conflict);
}

#[tokio::test]
async fn what_is_there_is_replaced_only_where_that_was_said() {
    let mut panel = Panel::new();
    fs::write(panel.place.at("a"), "old").unwrap();
    fs::create_dir(panel.place.at("d")).unwrap();
    assert_eq!(panel.begin(create("u1", "/a", 3, false)).await.unwrap_err(), ErrorCode::Exists);
    assert_eq!(panel.begin(create("u1", "/d", 3, true)).await.unwrap_err(), ErrorCode::NotRegular);
    assert_eq!(panel.begin(create("u1", "/../x", 3, true)).await.unwrap_err(), ErrorCode::PathEscape);
    assert_eq!(panel.begin(create("u1", "/x", 1 << 60, true)).await.unwrap_err(), ErrorCode::DiskFull);
    panel.begin(create("u1", "/a", 3, true)).await.unwrap();
    assert_eq!(panel.begin(create("u1", "/b", 3, true)).await.unwrap_err(), ErrorCode::Conflict);
    panel.put(piece("u1", 0), b"new", true).await.unwrap();
    assert_eq!(fs::read_to_string(panel.place.at("a")).unwrap(), "new");
    // It came meanwhile: the part stays for the one who asks again.
    panel.begin(create("u2", "/b", 3, false)).await.unwrap();
    fs::write(panel.place.at("b"), "game").unwrap();
    assert_eq!(panel.put(piece("u2", 0), b"new", true).await.unwrap_err(), ErrorCode::Exists);
    assert_eq!(fs::read_to_string(panel.place.at("b")).unwrap(), "game");
    fs::remove_file(panel.place.at("b")).unwrap();
    assert_eq!(panel.offset("u2").await.unwrap(), 3);
    assert_eq!(fs::read_to_string(panel.place.at("b")).unwrap(), "new");
    // Of no bytes.
    panel.begin(create("u3", "/empty/file", 0, false)).await.unwrap();
    assert_eq!(fs::read(panel.place.at("empty/file")).unwrap(), b"");
    assert_eq!(panel.offset("u3").await.unwrap(), 0);
}

#[tokio::test]
async fn given_up_or_forgotten_nothing_is_left() {
    let mut panel = Panel::new();
    panel.begin(create("u1", "/a", 10, false)).await.unwrap();
    panel.put(piece("u1", 0), b"12345", true).await.unwrap();
    let asked = UploadRef { server_id: "1".into(), id: "u1".into() };
    panel.ask(|files, reply| files.upload_remove(asked, reply)).await.unwrap();
    assert_eq!(panel.offset("u1").await.unwrap_err(), ErrorCode::NotFound);
    assert_eq!(fs::read_dir(panel.parts()).unwrap().count(), 0);
    panel.begin(create("u2", "/a", 10, false)).await.unwrap();
    let now = jiff::Timestamp::now();
    sweep::sweep(panel.context(), now + jiff::SignedDuration::from_hours(23));
    assert_eq!(panel.offset("u2").await.unwrap(), 0);
    sweep::sweep(panel.context(), now + jiff::SignedDuration::from_hours(25));
    assert_eq!(panel.offset("u2").await.unwrap_err(), ErrorCode::NotFound);
    assert_eq!(fs::read_dir(panel.parts()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_of_what_was_written() {
    // Only root may make one; elsewhere the rest of the tests has to do.
    let Some(disk) = SmallDisk::new() else { return };
    for name in ["servers/1", "servers/10", "outside"] {
        fs::create_dir_all(disk.0.path().join(name)).unwrap();
    }
    let mut panel = Panel::new();
    let (place, small) = (panel.place.dir.path().to_owned(), disk.0.path().to_owned());
    let mounted = std::process::Command::new("mount")
        .arg("--bind")
        .arg(small.join("servers"))
        .arg(place.join("servers"))
        .status();
    assert!(mounted.unwrap().success());
    let unmount = || std::process::Command::new("umount").arg("-l").arg(place.join("servers")).status();
    fs::write(panel.place.at("a"), "old").unwrap();
    let whole = FileTarget::Content { path: "/a".into(), size: None, if_match: None, keep_version: true };
    let full = panel.put(whole, &vec![1; 200_000], true).await.unwrap_err();
    let created = panel.begin(create("u1", "/b", 200_000, false)).await.unwrap_err();
    fs::write(panel.place.at("half"), vec![1; 30_000]).unwrap();
    let copy = |to: &str| protocol::FileAction::Copy { path: "/half".into(), to: to.into() };
    let copied = [panel.op(copy("/c")).await.err(), panel.op(copy("/d")).await.err()];
    let left: Vec<_> = fs::read_dir(panel.parts()).unwrap().collect();
    let old = fs::read_to_string(panel.place.at("a"));
    unmount().unwrap();
    assert_eq!((full, created), (ErrorCode::DiskFull, ErrorCode::DiskFull));
    assert!(copied.contains(&Some(ErrorCode::DiskFull)), "{copied:?}");
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(old.unwrap(), "old");
}
