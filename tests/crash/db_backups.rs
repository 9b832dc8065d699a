//! Database backups on the command line: made while the panel writes, checked, and restored.

use std::path::Path;
use std::process::Output;

use serde_json::json;
use tokio::process::Command;

use crate::harness::{Panel, binary, seconds};

async fn db(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("db").args(words).env("DATA_DIR", folder).kill_on_drop(true);
    tokio::time::timeout(seconds(20), command.output()).await.expect("it ends by itself").unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_copy_of_a_running_panel_is_put_back() {
    let folder = tempfile::Builder::new().prefix("cap-test-").tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("copy.redb");
    let named = copy.to_str().unwrap();
    let mut panel = Panel::builder().folder(folder.path()).start().await;
    panel.user("kept").await;
    let made = db(folder.path(), &["backup", named]).await;
    assert!(made.status.success(), "{}", said(&made));
    panel.user("forgotten").await;
    for words in [&["check"][..], &["check", named]] {
        let checked = db(folder.path(), words).await;
        assert!(checked.status.success() && said(&checked).contains("is whole"), "{}", said(&checked));
    }
    for left in ["check.redb", "copy-by-hand.redb"] {
        assert!(!folder.path().join(left).exists(), "{left}");
    }
    // Refused while a panel uses the database.
    let refused = db(folder.path(), &["restore", named]).await;
    assert_eq!(refused.status.code(), Some(75), "{}", said(&refused));
    assert!(panel.stop().await.success());
    // A damaged backup is not restored, an intact one is, and the previous database is kept.
    let damaged = elsewhere.path().join("damaged.redb");
    std::fs::write(&damaged, &std::fs::read(&copy).unwrap()[..5_000]).unwrap();
    let refused = db(folder.path(), &["restore", damaged.to_str().unwrap()]).await;
    assert_eq!(refused.status.code(), Some(65), "{}", said(&refused));
    let restored = db(folder.path(), &["restore", named]).await;
    assert!(restored.status.success(), "{}", said(&restored));
    panel.again().await;
    let names = |users: serde_json::Value| {
        let all = users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned());
        all.collect::<Vec<_>>()
    };
    let admin = panel.admin();
    let sign_in = json!({ "username": "admin", "password": crate::harness::PASSWORD });
    let mut anew = panel.anonymous();
    anew.token =
        Some(anew.post("/api/session", sign_in).await.expect(200).json["token"].as_str().unwrap().to_owned());
    drop(admin);
    let users = names(anew.get("/api/users").await.expect(200).json);
    assert!(users.contains(&"kept".to_owned()) && !users.contains(&"forgotten".to_owned()), "{users:?}");
    assert!(panel.stop().await.success());
    let back = folder.path().join("panel.redb.before-restore");
    let restored = db(folder.path(), &["restore", back.to_str().unwrap()]).await;
    assert!(restored.status.success(), "{}", said(&restored));
    // Works without a panel too.
    let made = db(folder.path(), &["backup", named]).await;
    assert!(made.status.success(), "{}", said(&made));
}

#[tokio::test]
async fn a_copy_takes_nobodys_place_in_the_data_folder() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::Builder::new().prefix("cap-test-").tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let mut panel = Panel::builder().folder(folder.path()).start().await;
    panel.user("kept").await;
    let data = folder.path();
    symlink(data, outside.path().join("link")).unwrap();
    symlink(data.join("panel.redb"), outside.path().join("named")).unwrap();
    std::fs::hard_link(data.join("panel.redb"), outside.path().join("second")).unwrap();
    std::fs::create_dir_all(data.join("copies")).unwrap();
    let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(data.join("panel.redb")).unwrap());
    let before = inode();
    for running in [true, false] {
        if !running {
            assert!(panel.stop().await.success());
        }
        for bad in [
            data.join("panel.redb"),
            data.join("other.redb"),
            data.join("copies/../panel.redb"),
            data.join("servers/panel.redb"),
            outside.path().join("link/panel.redb"),
            outside.path().join("named"),
            outside.path().join("second"),
        ] {
            let refused = db(data, &["backup", bad.to_str().unwrap()]).await;
            assert_eq!(refused.status.code(), Some(64), "{}: {}", bad.display(), said(&refused));
            assert!(said(&refused).contains("copies"), "{}", said(&refused));
        }
        for good in [data.join("copies/mine.redb"), outside.path().join("mine.redb")] {
            let made = db(data, &["backup", good.to_str().unwrap()]).await;
            assert!(made.status.success(), "{}: {}", good.display(), said(&made));
        }
    }
    // Also with a relative path from within the folder.
    let mut command = Command::new(binary());
    command.args(["db", "backup", "panel.redb"]).current_dir(data).env("DATA_DIR", data);
    assert_eq!(command.output().await.unwrap().status.code(), Some(64));
    assert_eq!(inode(), before);
    panel.again().await;
    panel.sign_in("kept").await;
}
