//! `ctrl-alt-play upgrade` without a service.

use std::path::Path;
use std::process::{Command, Output};

use super::NEXT;
use crate::harness::binary;
use crate::harness::download::{Downloads, Fault, Signer, VERSION, as_version, install, script};

fn run(program: &Path, data: &Path, known: Option<(&Downloads, &Signer)>, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.arg("upgrade").args(args).env("DATA_DIR", data).env("UPGRADE_TIMES", "stall=700");
    if let Some((downloads, signer)) = known {
        command.env("CTRL_ALT_PLAY_DOWNLOAD", &downloads.base).env("CTRL_ALT_PLAY_KEY", signer.key());
    }
    command.output().unwrap()
}

/// Runs outside the test's own thread, on which the download host answers.
async fn said(
    program: &Path,
    data: &Path,
    known: Option<(&Downloads, &Signer)>,
    args: &[&str],
) -> (Option<i32>, String) {
    let output = tokio::task::block_in_place(|| run(program, data, known, args));
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_what_there_is_and_swaps_by_itself_where_nobody_watches() {
    let (downloads, signer) = (Downloads::start(), Signer::new());
    let folder = tempfile::tempdir().unwrap();
    let (program, data) = (folder.path().join("bin/ctrl-alt-play"), folder.path().join("data"));
    install(&program, &std::fs::read(binary()).unwrap());
    std::fs::create_dir(&data).unwrap();
    let known = Some((&downloads, &signer));

    let (code, text) = said(&program, &data, None, &["--check"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("built from a checkout: git pull && ./install.sh"), "{text}");
    let (code, text) = said(&program, &data, known, &["--check"]).await;
    assert!(code == Some(69) && text.contains("404"), "{code:?} {text}");
    downloads.publish(&signer, VERSION, &script(VERSION));
    let (code, text) = said(&program, &data, known, &["--check"]).await;
    assert!(code == Some(0) && text.contains("is the newest version"), "{code:?} {text}");
    downloads.publish(&signer, "0.0.9", &script("0.0.9"));
    let (code, text) = said(&program, &data, known, &["--yes"]).await;
    assert!(code == Some(1) && text.contains("going back is not offered"), "{code:?} {text}");
    downloads.publish(&signer, NEXT, &as_version(NEXT));
    let (code, text) = said(&program, &data, known, &["--check"]).await;
    assert!(code == Some(10) && text.contains(&format!("{NEXT} is published")), "{code:?} {text}");
    let (code, text) = said(&program, &data, known, &[]).await;
    assert!(code == Some(64) && text.contains("--yes"), "{code:?} {text}");

    // The download is corrupted: nothing has changed.
    let name = format!("ctrl-alt-play-{NEXT}-linux-{}", std::env::consts::ARCH);
    downloads.fault(&name, Fault::StallAfter(1000));
    let (code, text) = said(&program, &data, known, &["--yes"]).await;
    assert!(code == Some(74) && text.contains("stopped coming"), "{code:?} {text}");
    downloads.heal();
    let forged = Signer::new();
    let (code, text) = said(&program, &data, Some((&downloads, &forged)), &["--yes"]).await;
    assert!(code == Some(69) && text.contains("not signed"), "{code:?} {text}");
    let version = |program: &Path| {
        let said = Command::new(program).arg("--version").output().unwrap();
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    assert_eq!(version(&program), format!("ctrl-alt-play {VERSION}"));

    let (code, text) = said(&program, &data, known, &["--yes"]).await;
    assert!(code == Some(0) && text.contains("Restart what runs it"), "{code:?} {text}");
    assert_eq!(version(&program), format!("ctrl-alt-play {NEXT}"));
    assert_eq!(version(&program.with_file_name("ctrl-alt-play.old")), format!("ctrl-alt-play {VERSION}"));
    assert_eq!(std::fs::read_dir(program.parent().unwrap()).unwrap().count(), 2);
    assert!(!data.join("upgrade/program.part").exists());
    // It is now the newest version, by its own version number.
    let (code, text) = said(&program, &data, known, &["--yes"]).await;
    assert!(code == Some(0) && text.contains("is the newest"), "{code:?} {text}");
}
