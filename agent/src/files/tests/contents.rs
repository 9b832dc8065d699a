//! Contents of files, sent and received.

use protocol::{FileSource, FileTarget};

use super::panel::{Panel, content, whole};
use super::*;
use crate::streams::FRAME_BYTES;

#[tokio::test]
async fn contents_are_sent_in_part_and_only_where_they_are_what_was_seen() {
    let mut panel = Panel::new();
    let all: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(panel.place.at("a"), &all).unwrap();
    symlink("a", panel.place.at("link")).unwrap();
    let info = panel.stat("/link").await.unwrap();
    assert_eq!((info.entry.size, info.entry.kind), (1_000_000, protocol::FileKind::File));
    assert_eq!(panel.get(content("/link")).await.unwrap(), all);
    let part = |offset, length, etag: &str| FileSource::Content {
        path: "/a".into(),
        offset,
        length,
        etag: Some(etag.into()),
    };
    assert_eq!(panel.get(part(10, Some(5), &info.etag)).await.unwrap(), &all[10..15]);
    assert_eq!(panel.get(part(999_990, Some(50), &info.etag)).await.unwrap(), &all[999_990..]);
    assert!(panel.get(part(2_000_000, None, &info.etag)).await.unwrap().is_empty());
    fs::write(panel.place.at("a"), "other").unwrap();
    assert_eq!(panel.get(part(0, None, &info.etag)).await.unwrap_err(), ErrorCode::Changed);
    assert_eq!(panel.get(content("/none")).await.unwrap_err(), ErrorCode::NotFound);
}

#[tokio::test]
async fn contents_are_received_whole_or_not_at_all_and_versions_are_kept() {
    let mut panel = Panel::new();
    let answer = panel.put(whole("/conf/a.yml", Some("none")), b"one", true).await.unwrap();
    let ToPanel::FileInfo(first) = answer else { panic!() };
    assert_eq!(*first, panel.stat("/conf/a.yml").await.unwrap());
    assert_eq!(
        panel.put(whole("/conf/a.yml", Some("none")), b"x", true).await.unwrap_err(),
        ErrorCode::Changed
    );
    assert_eq!(
        panel.put(whole("/conf/a.yml", Some("00")), b"x", true).await.unwrap_err(),
        ErrorCode::Changed
    );
    assert_eq!(
        panel.put(whole("/conf/b.yml", Some("00")), b"x", true).await.unwrap_err(),
        ErrorCode::Changed
    );
    // The connection breaks.
    assert_eq!(
        panel.put(whole("/conf/a.yml", None), b"half", false).await.unwrap_err(),
        ErrorCode::BrokenOff
    );
    let sized = |size| FileTarget::Content {
        path: "/conf/a.yml".into(),
        size: Some(size),
        if_match: None,
        keep_version: false,
    };
    for size in [3, 5] {
        assert_eq!(panel.put(sized(size), b"four", true).await.unwrap_err(), ErrorCode::Conflict);
    }
    assert_eq!(fs::read_to_string(panel.place.at("conf/a.yml")).unwrap(), "one");
    assert_eq!(fs::read_dir(panel.place.at("conf")).unwrap().count(), 1);
    panel.put(whole("/conf/a.yml", Some(&first.etag)), b"two", true).await.unwrap();
    for n in 0..25 {
        panel.put(whole("/conf/a.yml", None), format!("text {n}").as_bytes(), true).await.unwrap();
    }
    let asked = FileRef { server_id: "1".into(), path: "/conf/a.yml".into() };
    let ToPanel::FileVersionList(list) =
        panel.ask(|files, reply| files.versions(asked, reply)).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(list.versions.len(), 20);
    assert!((jiff::Timestamp::now() - list.versions[0].saved_at).as_secs() < 60);
    let version = |id: &str| FileSource::Version { path: "/conf/a.yml".into(), id: id.into() };
    assert_eq!(panel.get(version(&list.versions[0].id)).await.unwrap(), b"text 23");
    assert_eq!(panel.get(version(&list.versions[19].id)).await.unwrap(), b"text 4");
    assert_eq!(panel.get(version("00ff")).await.unwrap_err(), ErrorCode::NotFound);
    // What is too large is not kept.
    fs::write(panel.place.at("big"), vec![0; (4 << 20) + 1]).unwrap();
    panel.put(whole("/big", None), b"x", true).await.unwrap();
    let asked = FileRef { server_id: "1".into(), path: "/big".into() };
    let none = panel.ask(|files, reply| files.versions(asked, reply)).await.unwrap();
    assert_eq!(none, ToPanel::FileVersionList(protocol::FileVersionList::default()));
    assert_eq!(fs::read_dir(panel.place.dir.path().join("servers/.files-1/parts")).unwrap().count(), 0);
}

/// A figure beside a plain copy: `cargo test … figures -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a figure, not a test"]
async fn figures_of_a_gibibyte() {
    const SIZE: u64 = 1 << 30;
    let mut panel = Panel::new();
    let block: Vec<u8> = (0..1_u32 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    let mut file = fs::File::create(panel.place.at("a")).unwrap();
    for _ in 0..SIZE >> 20 {
        std::io::Write::write_all(&mut file, &block).unwrap();
    }
    file.sync_all().unwrap();
    let (a, b) = (panel.place.at("a"), panel.place.at("b"));
    // In GiB a second.
    let rate = |began: Instant| 1.0 / began.elapsed().as_secs_f64();
    for _ in 0..3 {
        let began = Instant::now();
        assert!(
            std::process::Command::new("cp")
                .args(["--reflink=never"])
                .args([&a, &b])
                .status()
                .unwrap()
                .success()
        );
        fs::File::open(&b).unwrap().sync_all().unwrap();
        let copied = rate(began);
        fs::remove_file(&b).unwrap();
        let began = Instant::now();
        assert!(
            std::process::Command::new("cat")
                .arg(&a)
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        let read = rate(began);
        let began = Instant::now();
        assert_eq!(panel.each(content("/a"), |_| {}).await, Ok(SIZE));
        let sent = rate(began);
        let frames = usize::try_from(SIZE).unwrap() / FRAME_BYTES;
        let frame = bytes::Bytes::from(block[..FRAME_BYTES].to_vec());
        let began = Instant::now();
        panel.fill(whole("/b", None), &frame, frames).await.unwrap();
        let received = rate(began);
        fs::remove_file(&b).unwrap();
        println!("GiB/s: cat {read:.2}, sent {sent:.2}; cp and sync {copied:.2}, received {received:.2}");
    }
}
