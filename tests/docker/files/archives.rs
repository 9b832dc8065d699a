//! Archives that were made to do harm, through the whole program: what is refused changes nothing, what is unsafe in others is
//! left out and named, and nobody else notices.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::game::Game;
use super::world;
use crate::harness::{Panel, seconds, until};

/// Python makes it: a script, with the archive's path as its argument.
fn make(path: &Path, script: &str) {
    let made = Command::new("python3").args(["-c", script]).arg(path).output().expect("python3");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // It is the game's, as if it had come by an upload.
    let owner = std::fs::metadata(path.parent().unwrap()).unwrap();
    use std::os::unix::fs::MetadataExt;
    std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

/// Unpacks, and says how long the slowest call of somebody else took meanwhile, and how much more memory there was.
async fn extracted(panel: &Panel, game: &Game, path: &str) -> (crate::harness::Answer, Duration, u64) {
    let before = panel.resident();
    let (mut slowest, mut most) = (Duration::ZERO, before);
    let mut work = std::pin::pin!(game.act("extract", json!({ "path": path, "to": "/out" })));
    let anonymous = panel.anonymous();
    loop {
        let began = Instant::now();
        let other = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let began = Instant::now();
            anonymous.get("/health").await.expect(200);
            began.elapsed()
        };
        tokio::select! {
            answer = &mut work => return (answer, slowest, most - before),
            took = other => slowest = slowest.max(took),
        }
        most = most.max(panel.resident());
        assert!(began.elapsed() < seconds(30));
    }
}

#[tokio::test]
async fn what_is_refused_changes_nothing_and_nobody_waits() {
    let (panel, game) = world().await;
    game.put("/out/mine.txt", "mine").await.expect(204);
    let root = game.file(&panel, "");
    let scripts = [
        (
            "many.zip",
            "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\nfor n in range(300000): z.writestr('f%d' % n, b'')\nz.close()",
            "archive_too_large",
        ),
        (
            "lies.zip",
            "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\nz.writestr('a', b'0' * 50000000)\nz.close()\n\
             b = bytearray(open(sys.argv[1], 'rb').read())\nfor mark, at in ((b'PK\\x01\\x02', 24), (b'PK\\x03\\x04', 22)):\n i = b.index(mark)\n b[i + at:i + at + 4] = (1).to_bytes(4, 'little')\n\
             open(sys.argv[1], 'wb').write(b)",
            "bad_archive",
        ),
        (
            "cut.tar.gz",
            "import sys, tarfile, io, os\nt = tarfile.open(sys.argv[1], 'w:gz')\ni = tarfile.TarInfo('large'); i.size = 4000000\nt.addfile(i, io.BytesIO(os.urandom(4000000)))\nt.close()\n\
             os.truncate(sys.argv[1], 2000000)",
            "bad_archive",
        ),
        ("none.7z", "import sys, os\nopen(sys.argv[1], 'wb').write(os.urandom(100000))", "bad_archive"),
    ];
    for (name, script, code) in scripts {
        let path = root.join(name);
        tokio::task::spawn_blocking(move || make(&path, script)).await.unwrap();
        let (answer, slowest, more) = extracted(&panel, &game, &format!("/{name}")).await;
        assert_eq!(answer.code(), code, "{name}: {answer:?}");
        assert!(slowest < Duration::from_millis(500), "{name}: {slowest:?}");
        assert!(more < 64 << 20, "{name}: {} MiB more", more >> 20);
        assert_eq!(game.names("/out").await, ["mine.txt"], "{name}");
    }
    let parts = panel.folder().join("servers").join(format!(".files-{}", game.id)).join("parts");
    let empty = async || (std::fs::read_dir(&parts).unwrap().count() == 0).then_some(());
    until("nothing is left over", seconds(10), empty).await;
}

#[tokio::test]
async fn a_bomb_ends_at_the_servers_limit() {
    let panel = Panel::start().await;
    let game = Game::with(&panel, "game", json!({ "limits": { "disk": 64 << 20 } })).await;
    game.put("/out/mine.txt", "mine").await.expect(204);
    let path = game.file(&panel, "bomb.zip");
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\nf = z.open('zeros', 'w', force_zip64=True)\n\
                  for _ in range(1024): f.write(bytes(1 << 20))\nf.close()\nz.close()";
    tokio::task::spawn_blocking(move || make(&path, script)).await.unwrap();
    let (answer, slowest, more) = extracted(&panel, &game, "/bomb.zip").await;
    assert!(matches!(answer.code(), "archive_too_large" | "over_quota"), "{answer:?}");
    assert!(slowest < Duration::from_millis(500) && more < 64 << 20, "{slowest:?}, {} MiB", more >> 20);
    assert_eq!(game.names("/out").await, ["mine.txt"]);
}

#[tokio::test]
async fn links_devices_and_names_that_lead_out_are_left_out_and_named() {
    let (panel, game) = world().await;
    let canary = panel.folder().join("servers/canary");
    std::fs::write(&canary, "untouched").unwrap();
    let script = "import sys, tarfile, io\nt = tarfile.open(sys.argv[1], 'w')\n\
        def add(name, kind=tarfile.REGTYPE, link='', mode=0o644, data=b'bad'):\n i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.mode = mode\n \
        i.size = len(data) if kind == tarfile.REGTYPE else 0\n i.devmajor = i.devminor = 1\n t.addfile(i, io.BytesIO(data) if i.size else None)\n\
        add('link', tarfile.SYMTYPE, '../../canary')\nadd('up', tarfile.SYMTYPE, '../..')\nadd('up/canary')\nadd('hard', tarfile.LNKTYPE, '/etc/shadow')\n\
        add('device', tarfile.CHRTYPE)\nadd('pipe', tarfile.FIFOTYPE)\nadd('../canary')\nadd('/etc/evil')\nadd('a/../../canary')\nadd('setuid', mode=0o4777)\n\
        add('fine.txt', data=b'fine')\nt.close()";
    let path = game.file(&panel, "evil.tar");
    tokio::task::spawn_blocking(move || make(&path, script)).await.unwrap();
    let (answer, ..) = extracted(&panel, &game, "/evil.tar").await;
    let job = answer.expect(200).json;
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "untouched");
    assert_eq!(game.text("/out/fine.txt").await, "fine");
    let listed = game.listed("/out").await;
    for entry in &listed {
        let (name, kind) = (entry["name"].as_str().unwrap(), entry["kind"].as_str().unwrap());
        assert!(!matches!(name, "hard" | "device" | "pipe"), "{listed:?}");
        assert!(kind != "other" && entry["targetKind"].is_null(), "{listed:?}");
        assert!(entry["mode"].as_str().unwrap().len() == 3, "no setuid: {entry}");
    }
    let skipped = job["skipped"].as_array().unwrap();
    assert!(skipped.len() >= 6, "{job}");
    for name in ["hard", "device", "pipe", "canary"] {
        assert!(
            skipped.iter().any(|one| one["path"].as_str().is_some_and(|path| path.contains(name))),
            "{name}: {job}"
        );
    }
}
