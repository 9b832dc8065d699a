//! Killed at a random moment under four writers: what was answered is there.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::RngExt;
use storage::{Store, nodes, servers, users, verify};

use crate::common::{another_process, given_dir, long, node, server, user};

#[test]
#[ignore = "run as another process by the test below, and killed"]
fn writes_until_it_is_killed() {
    let Some(dir) = given_dir() else { return };
    let store = Store::open(&dir).unwrap();
    store
        .write_blocking(|tx| {
            if nodes::get(tx, "local")?.is_none() { nodes::insert(tx, &node("local")) } else { Ok(()) }
        })
        .unwrap();
    let first = store.read_now(users::count).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                for n in (first..).step_by(4) {
                    let number = n + writer;
                    let id = format!("w{number}");
                    let copy = id.clone();
                    let work = move |tx: &storage::WriteTx| {
                        // A gap in the numbers is what the last kill left; it may be filled.
                        if users::get(tx, &copy)?.is_none() {
                            users::insert(tx, &user(&copy))?;
                            servers::insert(tx, &server(&copy, u16::try_from(number + 1).unwrap()))?;
                        }
                        Ok::<_, storage::Error>(())
                    };
                    store.write_blocking(work).unwrap();
                    println!("\nanswered {id}");
                }
            });
        }
    });
}

/// Lets the writers run for `life` and returns what was answered.
fn run_and_kill(dir: &Path, life: Duration) -> Vec<String> {
    let mut child = another_process("killed::writes_until_it_is_killed", dir).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        text
    });
    let begin = Instant::now();
    while begin.elapsed() < life {
        assert!(child.try_wait().unwrap().is_none(), "the writers ended by themselves");
        std::thread::park_timeout(life.saturating_sub(begin.elapsed()));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let text = reader.join().unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(|line| line.strip_prefix("answered ")).map(str::to_owned).collect()
}

#[test]
fn what_was_answered_survives_kill_9() {
    // A new folder now and then, so that looking at everything after each kill stays quick.
    let folders = if long() { 8 } else { 2 };
    let answered: usize = (0..folders).map(|_| kill_25_times()).sum();
    assert!(answered > 100, "{answered} writes were answered in all rounds");
}

/// Returns how many writes were answered.
fn kill_25_times() -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut answered = HashMap::new();
    for round in 0..25 {
        let life = Duration::from_millis(rand::rng().random_range(20..if long() { 500 } else { 150 }));
        answered.extend(run_and_kill(dir.path(), life).into_iter().map(|id| (id, round)));
        let begin = Instant::now();
        let store = Store::open(dir.path()).unwrap_or_else(|e| panic!("round {round}: {e}"));
        assert!(begin.elapsed() < Duration::from_secs(2), "round {round}: opened in {:?}", begin.elapsed());
        store
            .read_now(|tx| -> storage::Result<()> {
                for (id, since) in &answered {
                    assert!(
                        users::get(tx, id)?.is_some(),
                        "round {round}: the user {id} of round {since} is lost"
                    );
                    let server = servers::get(tx, id)?;
                    assert!(server.is_some(), "round {round}: the server {id} of round {since} is lost");
                }
                assert_eq!(verify(tx)?, Vec::<String>::new(), "round {round}");
                Ok(())
            })
            .unwrap();
    }
    answered.len()
}
