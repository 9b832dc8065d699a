//! What is deleted, and comes back.

use protocol::{FileAction, Trashed};

use super::panel::Panel;
use super::*;

#[tokio::test]
async fn what_is_deleted_comes_back() {
    let mut panel = Panel::new();
    fs::create_dir_all(panel.place.at("world/region")).unwrap();
    fs::write(panel.place.at("world/region/r"), vec![1; 50_000]).unwrap();
    fs::write(panel.place.at("a.txt"), "first").unwrap();
    let paths = ["/world", "/a.txt", "/none"].map(str::to_owned).to_vec();
    let done = panel.op(FileAction::Delete { paths, permanent: false }).await.unwrap();
    assert_eq!((done.entries, done.skipped_count, done.trashed.len()), (2, 1, 2));
    assert_eq!(fs::read_dir(panel.place.at("")).unwrap().count(), 0);
    let ids = |all: &[Trashed]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    let listed = panel.trash().await.entries;
    assert_eq!(listed.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), ids(&done.trashed));
    // Counting goes on behind the answer.
    let counted = async {
        while !panel.trash().await.entries.iter().all(|one| one.size.is_some_and(|size| size > 0)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), counted).await.unwrap();
    fs::write(panel.place.at("a.txt"), "second").unwrap();
    let restored = panel.op(FileAction::Restore { ids: ids(&done.trashed) }).await.unwrap();
    assert_eq!((restored.entries, restored.skipped_count), (1, 1), "nothing is replaced");
    assert_eq!(fs::read(panel.place.at("world/region/r")).unwrap().len(), 50_000);
    assert_eq!(fs::read_to_string(panel.place.at("a.txt")).unwrap(), "second");
    let again = FileAction::Restore { ids: vec![done.trashed[1].id.clone()] };
    assert_eq!(panel.op(again.clone()).await.unwrap_err(), ErrorCode::Exists);
    fs::remove_file(panel.place.at("a.txt")).unwrap();
    panel.op(again.clone()).await.unwrap();
    assert_eq!(fs::read_to_string(panel.place.at("a.txt")).unwrap(), "first");
    assert_eq!(panel.op(again).await.unwrap_err(), ErrorCode::NotFound);
    assert!(panel.trash().await.entries.is_empty());
    for bad in ["x", "..-0", "/etc-0", "abc-99"] {
        let restore = FileAction::Restore { ids: vec![bad.into()] };
        assert_eq!(panel.op(restore).await.unwrap_err(), ErrorCode::NotFound, "{bad}");
    }
    let delete = |path: &str| FileAction::Delete { paths: vec![path.to_owned()], permanent: false };
    let gone = panel.op(delete("/a.txt")).await.unwrap().trashed;
    panel.op(delete("/world")).await.unwrap();
    panel.op(FileAction::EmptyTrash { ids: Some(ids(&gone)) }).await.unwrap();
    assert_eq!(panel.trash().await.entries.len(), 1);
    panel.op(FileAction::EmptyTrash { ids: None }).await.unwrap();
    assert!(panel.trash().await.entries.is_empty());
    // A count that was under way removes its record.
    let trash = panel.place.dir.path().join("servers/.files-1/trash");
    let empty = async {
        while fs::read_dir(&trash).unwrap().count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), empty).await.unwrap();
}

#[tokio::test]
async fn the_trash_empties_by_age() {
    let mut panel = Panel::new();
    fs::write(panel.place.at("old"), "x").unwrap();
    panel.op(FileAction::Delete { paths: vec!["/old".into()], permanent: false }).await.unwrap();
    let now = jiff::Timestamp::now();
    sweep::sweep(panel.context(), now + jiff::SignedDuration::from_hours(29 * 24));
    assert_eq!(panel.trash().await.entries.len(), 1);
    sweep::sweep(panel.context(), now + jiff::SignedDuration::from_hours(31 * 24));
    assert!(panel.trash().await.entries.is_empty());
    assert_eq!(fs::read_dir(panel.place.dir.path().join("servers/.files-1/trash")).unwrap().count(), 0);
}
