use std::io::{BufRead, BufReader, Read};

use storage::{OpenError, Store};

use crate::common::{another_process, given_dir};

#[test]
#[ignore = "run as another process by the test below"]
fn holds_the_store() {
    let Some(dir) = given_dir() else { return };
    let _store = Store::open(&dir).unwrap();
    println!("\nholding");
    // Until the other side closes its end.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_second_process_is_told_who_has_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let mut holder = another_process("processes::holds_the_store", dir.path()).spawn().unwrap();
    let out = BufReader::new(holder.stdout.take().unwrap());
    assert!(out.lines().any(|line| line.unwrap() == "holding"), "the other process did not open the store");

    let before = std::fs::read(dir.path().join("panel.redb")).unwrap();
    let error = Store::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::AlreadyOpen { pid: Some(pid), .. } if pid == holder.id()), "{error}");
    assert_eq!(error.exit_code(), 75);
    assert!(error.to_string().contains(&holder.id().to_string()));
    assert!(std::fs::read(dir.path().join("panel.redb")).unwrap() == before);

    holder.kill().unwrap();
    holder.wait().unwrap();
    Store::open(dir.path()).unwrap();
}
