//! A real, small file system that is full, or must not be written.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use storage::{Error, Health, Store, settings};

/// A tmpfs of 4 MiB, unmounted at the end.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs"])
            .arg(folder.path())
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { folder }),
            Ok(output) => skip(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => skip(&error.to_string()),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Fills the disk to the last byte, and returns what to delete to free it.
    fn fill(&self) -> PathBuf {
        let path = self.folder.path().join("filler");
        let mut file = File::create(&path).unwrap();
        for piece in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.folder.path()).output());
    }
}

fn skip(why: &str) -> Option<Small> {
    // Past the test harness, which shows only what failing tests say.
    let text = format!("SKIPPED: no full disk was tested, because no tmpfs can be mounted here: {why}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    None
}

/// Writes until one is refused, and returns why and how many were answered.
fn write_until_refused(store: &Store) -> (Error, u32) {
    for i in 0..10_000u32 {
        let text = "x".repeat(2_000);
        if let Err(error) = store.write_blocking(move |tx| settings::put(tx, &format!("k{i}"), &text)) {
            return (error, i);
        }
    }
    panic!("a full disk took 20 MB");
}

fn all_there(store: &Store, count: u32) {
    let missing = |tx: &storage::ReadTx| -> storage::Result<Vec<u32>> {
        let mut missing = Vec::new();
        for i in 0..count {
            if settings::get::<String>(tx, &format!("k{i}"))?.is_none_or(|text| text.len() != 2_000) {
                missing.push(i);
            }
        }
        Ok(missing)
    };
    assert_eq!(store.read_now(missing).unwrap(), Vec::<u32>::new(), "of {count}");
}

fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_is_said_and_heals_without_a_restart() {
    let Some(disk) = Small::mount() else { return };
    let store = Store::open(&disk.data()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for _ in 0..3 {
        let filler = disk.fill();
        let (error, answered) = write_until_refused(&store);
        assert!(matches!(error, Error::DiskFull), "{error}");
        assert!(matches!(*store.health().borrow(), Health::ReadOnly { disk_full: true, .. }));
        all_there(&store, answered);
        // Still full: still refused, and still readable after several attempts to heal.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(1) {
            let again = store.write_blocking(|tx| settings::put(tx, "again", &1));
            assert!(matches!(again, Err(Error::DiskFull)), "{again:?}");
            all_there(&store, answered);
        }

        fs::remove_file(filler).unwrap();
        let mut health = store.health();
        let healed = async {
            tokio::time::timeout(Duration::from_secs(10), health.wait_for(|health| *health == Health::Ok))
                .await
                .map(|outcome| outcome.map(|_| ()))
        };
        runtime.block_on(healed).unwrap().unwrap();
        store.write_blocking(|tx| settings::put(tx, "healed", &1)).unwrap();
        all_there(&store, answered);
    }
    store.close();
    assert_eq!(leftovers(&disk.data()), ["instance.json", "panel.lock", "panel.redb"]);
}

#[test]
fn a_write_after_space_was_freed_heals_at_once() {
    let Some(disk) = Small::mount() else { return };
    let store = Store::open(&disk.data()).unwrap();
    let filler = disk.fill();
    let (_, answered) = write_until_refused(&store);
    fs::remove_file(filler).unwrap();
    let begin = Instant::now();
    while let Err(error) = store.write_blocking(|tx| settings::put(tx, "healed", &1)) {
        assert!(matches!(error, Error::DiskFull), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(1), "writes do not heal it");
    }
    all_there(&store, answered);
}

#[test]
fn a_start_on_a_full_disk_can_read() {
    let Some(disk) = Small::mount() else { return };
    let store = Store::open(&disk.data()).unwrap();
    let filler = disk.fill();
    let (_, answered) = write_until_refused(&store);
    drop(store);
    let store = Store::open(&disk.data()).unwrap();
    all_there(&store, answered);
    fs::remove_file(filler).unwrap();
    let begin = Instant::now();
    while store.write_blocking(|tx| settings::put(tx, "healed", &1)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10), "writes do not work again");
    }
    all_there(&store, answered);
}

#[test]
fn a_new_folder_on_a_full_disk_is_refused_and_works_later() {
    let Some(disk) = Small::mount() else { return };
    let filler = disk.fill();
    let error = Store::open(&disk.data()).map(drop).unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(error.exit_code(), 74);
    fs::remove_file(filler).unwrap();
    let store = Store::open(&disk.data()).unwrap();
    store.write_blocking(|tx| settings::put(tx, "works", &1)).unwrap();
}

#[test]
fn a_disk_that_must_not_be_written_is_refused() {
    let Some(disk) = Small::mount() else { return };
    drop(Store::open(&disk.data()).unwrap());
    let before = fs::read(disk.data().join("panel.redb")).unwrap();
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.folder.path()).status().unwrap();
    assert!(remount.success());
    let error = Store::open(&disk.data()).map(drop).unwrap_err();
    assert_eq!(error.exit_code(), 77, "{error}");
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    assert!(fs::read(disk.data().join("panel.redb")).unwrap() == before);
}
