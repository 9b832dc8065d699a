//! Each disk operation fails in turn, once or for lack of space. The store reports it, keeps answering readers, and
//! accepts writes again without a restart.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::{empty, expected, start};
use crate::testing::{Fault, SimDisk, dump, long, read, workload};
use crate::verify::verify;
use crate::{Error, Health, OpenError, Store};

/// Runs the workload; when a step fails, checks the answer, repairs the disk and retries.
fn run(disk: &SimDisk, store: &Store, steps: u16, expected: &[Vec<String>]) {
    let mut done = 0;
    let mut was_full = false;
    let deadline = Instant::now() + Duration::from_secs(30);
    while done < workload(steps).len() {
        let Err(error) = store.write_blocking(workload(steps).swap_remove(done)) else {
            done += 1;
            continue;
        };
        // The write may have been kept although an error was returned.
        match &error {
            Error::DiskFull => {
                was_full |= disk.is_full();
                assert!(was_full, "a full disk that never was");
            }
            Error::Failed { .. } | Error::ReadOnly { .. } | Error::Panicked(_) => {}
            Error::Taken { .. } | Error::NotFound { .. } => {
                done += 1;
                continue;
            }
            other => panic!("{other}"),
        }
        assert_ne!(*store.health().borrow(), Health::Ok, "after {error}");
        assert!(store.read_only_reason().is_some());
        let found = read(store, dump);
        assert!(expected[done..].iter().take(2).any(|state| *state == found), "readers see {found:?}");
        disk.free();
        assert!(Instant::now() < deadline, "does not heal: {error}");
    }
    assert_eq!(read(store, dump), *expected.last().unwrap());
    assert_eq!(read(store, verify), Vec::<String>::new());
    assert_eq!(*store.health().borrow(), Health::Ok);
}

fn fail_everywhere(fault: Fault) {
    let steps = if long() { 12 } else { 3 };
    let empty = empty();
    let expected = expected(&empty, steps);
    let mut op = 1;
    let mut refused = 0;
    loop {
        let disk = SimDisk::new(empty.clone());
        disk.fail_at(op, fault);
        let store = match start(&disk) {
            Ok(store) => store,
            Err(OpenError::Io { .. } | OpenError::DiskFull { .. }) => {
                refused += 1;
                disk.free();
                start(&disk).unwrap()
            }
            Err(other) => panic!("{other}"),
        };
        run(&disk, &store, steps, &expected);
        store.close();
        if disk.ops() < op {
            break;
        }
        op += 1;
    }
    assert!(op > 30, "{op} operations only");
    assert!(refused < 10, "{refused} starts refused");
}

#[test]
fn an_error_at_any_operation_is_an_answer_and_heals() {
    fail_everywhere(Fault::Error(ErrorKind::Other));
}

#[test]
fn no_space_at_any_operation_is_an_answer_and_heals() {
    fail_everywhere(Fault::Full);
}

#[test]
fn a_full_disk_heals_with_nobody_writing() {
    let disk = SimDisk::new(empty());
    let store = start(&disk).unwrap();
    let mut steps = workload(1).into_iter();
    disk.fail_at(1, Fault::Full);
    let error = store.write_blocking(steps.next().unwrap()).unwrap_err();
    assert!(matches!(error, Error::DiskFull), "{error}");
    let mut health = store.health();
    assert!(matches!(&*health.borrow_and_update(), Health::ReadOnly { disk_full: true, .. }));
    disk.free();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let healed = health.wait_for(|health| *health == Health::Ok);
        tokio::time::timeout(Duration::from_secs(10), healed).await.unwrap().unwrap();
    });
}
