//! What works with the usual clients.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use super::{Person, bytes, run, same, world};
use crate::docker::game::Game;
use crate::harness::{docker, seconds, until};
use serde_json::json;

#[tokio::test]
async fn openssh_does_what_people_do() {
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let large = ann.write("large.bin", bytes(20_000_000));
    let said = ann
        .does(
            "mkdir world\ncd world\nput large.bin\nput -p large.bin second.bin\nls -la\npwd\nget large.bin back.bin\n\
             rename second.bin third.bin\nln -s third.bin link.bin\nget link.bin linked.bin\nchmod 600 third.bin\ndf -h\n\
             cd ..\ncd ../../..\npwd\nls",
        )
        .await;
    assert!(said.contains("Remote working directory: /world"), "{said}");
    assert!(said.contains("Remote working directory: /\n"), "nothing leads above the top: {said}");
    assert!(said.contains("large.bin") && said.contains("20000000"), "{said}");
    same(&large, &ann.path("back.bin"));
    same(&large, &ann.path("linked.bin"));
    let there = game.file(&panel, "world/third.bin");
    same(&large, &there);
    let stat = std::fs::metadata(&there).unwrap();
    assert_eq!(stat.permissions().mode() & 0o7777, 0o600);
    let owner = std::fs::metadata(game.file(&panel, "")).unwrap().uid();
    assert_eq!(stat.uid(), owner, "files are the game's");
    assert_eq!(stat.mtime(), std::fs::metadata(&large).unwrap().mtime(), "put -p keeps the time");
    // A part of it is there, as after a break: it goes on from there.
    std::fs::File::options().write(true).open(&there).unwrap().set_len(7_000_000).unwrap();
    ann.does("reput large.bin world/third.bin").await;
    same(&large, &there);
    std::fs::write(ann.path("part.bin"), &bytes(20_000_000)[..3_000_000]).unwrap();
    ann.does("reget world/large.bin part.bin").await;
    same(&large, &ann.path("part.bin"));
    ann.fails("rmdir world", "Failure").await;
    ann.fails("rename world/large.bin world/third.bin\nrename world/none x", "o such file").await;
    ann.does("rm world/*\nrmdir world").await;
    assert!(!game.file(&panel, "world").exists());
    assert!(game.names("/").await.is_empty());
    let log = panel.log();
    assert!(log.contains("file removed") && log.contains("by=\"admin by SFTP\""), "{log}");
    assert!(log.contains("path=\"/world/large.bin\""));
}

#[tokio::test]
async fn the_plain_account_has_a_folder_for_each_server() {
    let (panel, game) = world().await;
    let other =
        Game::ask(&panel, json!({ "name": "Other/one", "image": docker::BUSYBOX, "startup": "game" })).await;
    other.becomes("stopped", seconds(40)).await;
    // By the password, as the page's.
    let ann = Person::without_key(&panel, "admin").await;
    ann.write("a.txt", "for the first");
    let said = ann
        .does("ls -l\ncd \"A world\"\nput a.txt\nls\ncd ..\ncd Other-one\nput a.txt b.txt\nget \"/A world/a.txt\" back.txt\npwd")
        .await;
    assert!(said.contains("A world") && said.contains("Other-one"), "{said}");
    assert_eq!(game.text("/a.txt").await, "for the first");
    assert_eq!(other.text("/b.txt").await, "for the first");
    ann.fails("put a.txt c.txt", "dest open").await;
    ann.fails("mkdir d", "o such file").await;
    ann.fails("rename \"A world/a.txt\" Other-one/c.txt", "Operation unsupported").await;
    ann.fails("ls nothing", "not found").await;
}

#[tokio::test]
async fn lftp_and_rclone_mirror_a_thousand_files() {
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    for number in 0..1_000 {
        ann.write(&format!("many/{}/{number}.txt", number % 10), format!("{number}\n").repeat(50));
    }
    let connect = format!(
        "set sftp:connect-program \"ssh -a -x {}\"; set net:max-retries 1; open sftp://{}:x@127.0.0.1:{}",
        ann.options().iter().map(|one| format!("-o {one}")).collect::<Vec<_>>().join(" "),
        ann.name,
        ann.port
    );
    let began = Instant::now();
    let mut lftp = ann.command("lftp");
    lftp.args([
        "-c",
        &format!("{connect}; mirror -R many many; mirror many back; put -c many/1/1.txt -o one.txt"),
    ]);
    let (done, said) = run(&mut lftp).await;
    assert!(done, "{said}");
    let took = began.elapsed();
    let diff = run(ann.command("diff").args(["-r", "many", "back"])).await;
    assert!(diff.0, "{}", diff.1);
    assert_eq!(game.names("/many").await.len(), 10);
    println!("lftp: 1,000 files up and down in {took:.1?}");
    let remote = format!(
        ":sftp,host=127.0.0.1,port={},user={},key_file={},shell_type=none,disable_hashcheck:copied",
        ann.port,
        ann.name,
        ann.key().display()
    );
    let mut rclone = ann.command("rclone");
    rclone.args(["--config", "/dev/null", "sync", "many", &remote]);
    let (done, said) = run(&mut rclone).await;
    assert!(done, "{said}");
    let mut rclone = ann.command("rclone");
    rclone.args(["--config", "/dev/null", "check", "--download", "many", &remote]);
    let (done, said) = run(&mut rclone).await;
    assert!(done, "{said}");
}

#[tokio::test]
async fn sshfs_is_a_folder() {
    if !crate::harness::as_root("test", &["-c", "/dev/fuse"]) {
        eprintln!("skipped: there is no /dev/fuse, so nothing can be mounted");
        return;
    }
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    let mount = ann.path("mount");
    std::fs::create_dir(&mount).unwrap();
    let mut sshfs = ann.ssh_like("sshfs", "-p");
    sshfs.arg(format!("{}:/", ann.at())).arg(&mount);
    let (done, said) = run(&mut sshfs).await;
    assert!(done, "{said}");
    let within = mount.clone();
    let work = tokio::task::spawn_blocking(move || {
        let at = |name: &str| within.join(name);
        std::fs::create_dir(at("d")).unwrap();
        std::fs::write(at("d/a.txt"), "first").unwrap();
        // As editors save: a new file over the old one.
        std::fs::write(at("d/a.txt.tmp"), "second").unwrap();
        std::fs::rename(at("d/a.txt.tmp"), at("d/a.txt")).unwrap();
        assert_eq!(std::fs::read_to_string(at("d/a.txt")).unwrap(), "second");
        use std::io::{Seek, SeekFrom, Write};
        let mut file = std::fs::File::options().write(true).open(at("d/a.txt")).unwrap();
        file.seek(SeekFrom::Start(10)).unwrap();
        file.write_all(b"tail").unwrap();
        drop(file);
        assert_eq!(std::fs::read(at("d/a.txt")).unwrap(), b"second\0\0\0\0tail");
        let mut file = std::fs::File::options().append(true).open(at("d/a.txt")).unwrap();
        file.write_all(b"!").unwrap();
        drop(file);
        std::fs::File::options().write(true).open(at("d/a.txt")).unwrap().set_len(6).unwrap();
        assert_eq!(std::fs::read(at("d/a.txt")).unwrap(), b"second");
        let large = super::bytes(9_000_000);
        std::fs::write(at("large"), &large).unwrap();
        assert!(std::fs::read(at("large")).unwrap() == large);
        std::os::unix::fs::symlink("d/a.txt", at("link")).unwrap();
        assert_eq!(std::fs::read(at("link")).unwrap(), b"second");
        std::fs::remove_file(at("large")).unwrap();
        assert_eq!(std::fs::read_dir(&within).unwrap().count(), 2);
    });
    let worked = tokio::time::timeout(Duration::from_secs(60), work).await;
    let _ = run(ann.command("fusermount3").arg("-uz").arg(&mount)).await;
    let _ = run(ann.command("fusermount").arg("-uz").arg(&mount)).await;
    worked.expect("in time").unwrap();
    assert_eq!(game.text("/d/a.txt").await, "second");
    until("the connection is over", seconds(10), async || panel.log().contains("connected").then_some(()))
        .await;
}

#[tokio::test]
async fn there_is_no_shell() {
    let (panel, game) = world().await;
    let ann = Person::new(&panel, &panel.admin(), &format!("admin.{}", game.id)).await;
    for arguments in [&["id"][..], &[], &["rsync", "--server", "."]] {
        let mut ssh = ann.ssh_like("ssh", "-p");
        ssh.arg("-T").arg(ann.at()).args(arguments);
        let (done, said) = run(&mut ssh).await;
        assert!(!done && said.contains("Files only, by SFTP"), "{arguments:?}: {said}");
    }
    let mut forward = ann.ssh_like("ssh", "-p");
    forward.args(["-W", "127.0.0.1:22"]).arg(ann.at());
    let (done, said) = run(&mut forward).await;
    assert!(!done, "{said}");
    // New scp speaks SFTP.
    ann.write("by-scp.txt", "scp");
    let mut scp = ann.ssh_like("scp", "-P");
    scp.arg("by-scp.txt").arg(format!("{}:/by-scp.txt", ann.at()));
    let (done, said) = run(&mut scp).await;
    assert!(done, "{said}");
    assert_eq!(game.text("/by-scp.txt").await, "scp");
}
