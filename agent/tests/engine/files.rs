//! Files of a server whose game works against us: it swaps a folder for a link that leads out, as fast as it can, while
//! files are listed, written, copied, moved, deleted and given other bits.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use protocol::*;

use crate::harness::*;

/// Operations while the game swaps.
fn rounds() -> usize {
    if std::env::var_os("LONG").is_some() { 10_000 } else { 1_000 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_swaps_folders_for_links_leads_us_nowhere() {
    let node = Node::new().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("canary"), "canary").unwrap();
    fs::set_permissions(outside.path().join("canary"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(outside.path().join("only-outside"), "canary").unwrap();
    fs::create_dir(outside.path().join("sub")).unwrap();
    let startup = format!(
        "mkdir -p dir; echo mine > dir/canary; ln -s {} link; echo swapping; \
         while :; do mv dir away; mv link dir; mv dir link; mv away dir; done",
        outside.path().display()
    );
    let id = node.run(&startup).await;
    let _container = Container(id.clone());
    node.line(&id, "swapping").await;
    let (mut done, mut refused) = (0, 0);
    for round in 0..rounds() {
        let path = |name: &str| format!("/dir/{name}");
        let op = match round % 9 {
            0 => FileAction::MakeDirectory { path: path(&format!("sub{round}/x")) },
            1 => FileAction::Copy { path: path("canary"), to: path(&format!("copy{round}")) },
            2 => FileAction::Rename { path: path("canary"), to: path("moved"), replace: true },
            3 => FileAction::Chmod { path: path("canary"), mode: 0o600, recursive: false },
            4 => FileAction::Chmod { path: "/dir".into(), mode: 0o750, recursive: true },
            5 => FileAction::Delete { paths: vec![path("sub")], permanent: true },
            6 => FileAction::Delete { paths: vec![path("canary")], permanent: false },
            7 => FileAction::Copy { path: "/dir".into(), to: format!("/copies/{round}") },
            _ => FileAction::Delete { paths: vec!["/copies".into()], permanent: true },
        };
        let asked =
            FileOp { server_id: id.as_str().into(), job_id: format!("job{round}"), op, denied: Vec::new() };
        let write = |name: &str| {
            let (path, content) = (format!("/dir/{name}"), "mine".to_owned());
            ToAgent::FileWrite(FileWrite { server_id: id.as_str().into(), path, content })
        };
        for message in [write("canary"), ToAgent::FileOp(asked)] {
            match node.ask(message).await {
                Ok(_) => done += 1,
                Err(report) => {
                    let expected = [
                        ErrorCode::PathEscape,
                        ErrorCode::NotFound,
                        ErrorCode::Busy,
                        ErrorCode::Exists,
                        ErrorCode::NotRegular,
                        ErrorCode::Invalid,
                    ];
                    assert!(expected.contains(&report.code), "{report:?}");
                    refused += 1;
                }
            }
        }
        let read = FileRead { server_id: id.as_str().into(), path: path("canary") };
        if let Ok(ToPanel::FileContent(file)) = node.ask(ToAgent::FileRead(read)).await {
            assert_ne!(file.content.as_deref(), Some("canary"), "it was read from outside");
        }
        let list = FileList { server_id: id.as_str().into(), path: "/dir".into(), after: None, limit: 2_000 };
        if let Ok(ToPanel::FileEntries(entries)) = node.ask(ToAgent::FileList(list)).await {
            assert!(!entries.entries.iter().any(|entry| entry.name == "only-outside"));
        }
        if round % 100 == 0 {
            let mut names: Vec<_> = fs::read_dir(outside.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort_unstable();
            assert_eq!(names, ["canary", "only-outside", "sub"]);
        }
    }
    println!("{done} were done, {refused} were refused");
    assert!(done > 0 && refused > 0, "no race: {done} were done, {refused} were refused");
    let canary = outside.path().join("canary");
    assert_eq!(fs::read_to_string(&canary).unwrap(), "canary");
    assert_eq!(fs::metadata(&canary).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 3);
    node.delete(&id).await;
    let servers = node.dir.path().join("servers");
    let beside = servers.join(format!(".files-{id}"));
    assert!(!beside.exists() && !servers.join(&id).exists(), "what was kept beside goes with the server");
}
