use std::collections::BTreeMap;
use std::os::unix::fs::chown;

use tempfile::TempDir;

use super::*;
use crate::testing::{SimDisk, read, store, user, write};
use crate::users::{self, Role};
use crate::{Store, meta, settings};

/// All files of a folder with their bytes, except the lock.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file() && !path.ends_with("panel.lock"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// A folder with a closed database in it.
fn folder() -> TempDir {
    let (dir, store) = store();
    write(&store, |tx| users::insert(tx, &user("a", Role::Admin)));
    store.close();
    dir
}

/// Opens the folder, which must be refused and unchanged. Returns the error.
#[track_caller]
fn refusal(dir: &Path, exit_code: u8) -> OpenError {
    let before = contents(dir);
    let error = Store::open(dir).map(drop).unwrap_err();
    assert!(contents(dir) == before, "refused and changed: {error}");
    assert_eq!(error.exit_code(), exit_code, "{error}");
    let text = error.to_string();
    assert!(text.contains("panel.redb") && !text.contains('\n'), "{text}");
    error
}

/// Replaces the bytes of the database.
fn replace(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = dir.join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_new_folder_is_for_this_user_alone() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("a/b");
    let store = Store::open(&dir).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for (path, _) in contents(&dir) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let marker: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join("instance.json")).unwrap()).unwrap();
    assert_eq!(marker["instanceId"], store.instance().id.as_str());
    let created: Timestamp = marker["createdAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(created.as_millisecond(), store.instance().created_at);
    assert_eq!(contents(&dir).len(), 2);
}

#[test]
fn what_others_may_do_is_taken_away() {
    let dir = folder();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(dir.path().join(FILE), fs::Permissions::from_mode(0o664)).unwrap();
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(dir.path().join(FILE)).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_database_is_found_again() {
    let dir = folder();
    let first = Store::open(dir.path()).unwrap();
    let instance = first.instance().clone();
    drop(first);
    let second = Store::open(dir.path()).unwrap();
    assert_eq!(*second.instance(), instance);
    assert_eq!(read(&second, users::count), 1);
}

#[test]
fn a_database_that_vanished_is_missed() {
    let dir = folder();
    fs::remove_file(dir.path().join(FILE)).unwrap();
    let error = refusal(dir.path(), 65);
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("instance.json"), "{error}");
    assert!(!dir.path().join(FILE).exists());
}

#[test]
fn an_emptied_database_is_refused_with_a_marker_and_without() {
    let dir = folder();
    replace(dir.path(), Vec::clear);
    assert!(matches!(refusal(dir.path(), 65), OpenError::Empty { .. }));
    fs::remove_file(dir.path().join("instance.json")).unwrap();
    assert!(matches!(refusal(dir.path(), 65), OpenError::Empty { .. }));
}

#[test]
fn something_else_is_refused() {
    let dir = folder();
    replace(dir.path(), |bytes| bytes.fill(0));
    assert!(matches!(refusal(dir.path(), 65), OpenError::NotADatabase { .. }));
    replace(dir.path(), |bytes| *bytes = b"not a database\n".to_vec());
    assert!(matches!(refusal(dir.path(), 65), OpenError::NotADatabase { .. }));
    replace(dir.path(), |bytes| *bytes = vec![b'r']);
    assert!(matches!(refusal(dir.path(), 65), OpenError::NotADatabase { .. }));

    fs::remove_file(dir.path().join(FILE)).unwrap();
    fs::create_dir(dir.path().join(FILE)).unwrap();
    assert!(matches!(refusal(dir.path(), 65), OpenError::NotADatabase { .. }));
    fs::remove_dir(dir.path().join(FILE)).unwrap();

    // A database of the same library made by another program.
    let other = redb::Database::create(dir.path().join(FILE)).unwrap();
    let transaction = other.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<u64, u64>::new("numbers")).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(other);
    fs::set_permissions(dir.path().join(FILE), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(refusal(dir.path(), 65), OpenError::NotADatabase { .. }));
}

#[test]
fn a_file_cut_short_is_refused_wherever_it_was_cut() {
    let dir = folder();
    let whole = fs::read(dir.path().join(FILE)).unwrap();
    for len in [9, 10, 100, 319, 320, 4095, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1]
    {
        fs::write(dir.path().join(FILE), &whole[..len]).unwrap();
        let error = refusal(dir.path(), 65);
        let fits = matches!(
            error,
            OpenError::Truncated { .. } | OpenError::Corrupt { .. } | OpenError::NotADatabase { .. }
        );
        assert!(fits, "{len} bytes: {error}");
    }
    fs::write(dir.path().join(FILE), &whole).unwrap();
    drop(Store::open(dir.path()).unwrap());
}

#[test]
fn garbage_inside_is_refused() {
    let dir = folder();
    replace(dir.path(), |bytes| {
        let len = bytes.len();
        bytes[4096..len].iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 31 % 251) as u8);
    });
    assert!(matches!(refusal(dir.path(), 65), OpenError::Corrupt { .. }));
}

#[test]
fn a_file_that_is_not_to_be_written_is_refused() {
    let dir = folder();
    let path = dir.path().join(FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(matches!(refusal(dir.path(), 77), OpenError::ReadOnlyFile { .. }));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // Only root can give files away.
    if chown(&path, Some(1234), None).is_ok() {
        let error = refusal(dir.path(), 77);
        assert!(matches!(error, OpenError::WrongOwner { owner: 1234, .. }), "{error}");
    }
}

#[test]
fn a_newer_schema_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    Store::open_at(dir.path(), &Schema { number: 7, migrations: &[] }).unwrap().close();
    let error = refusal(dir.path(), 78);
    let known = schema::CURRENT.number;
    assert!(matches!(error, OpenError::NewerSchema { file: 7, known: ours, .. } if ours == known), "{error}");
    let text = error.to_string();
    assert!(text.contains("schema 7") && text.contains(&format!("knows schemas up to {known}")), "{text}");
}

#[test]
fn an_older_schema_is_copied_aside_first() {
    let dir = folder();
    let before = fs::read(dir.path().join(FILE)).unwrap();
    const PRESENT: u32 = schema::CURRENT.number;
    let next = Schema {
        number: PRESENT + 1,
        migrations: &[crate::migrations::Migration {
            to: PRESENT + 1,
            what: "a mark",
            run: |tx| settings::put(tx, "mark", &true),
        }],
    };
    let store = Store::open_at(dir.path(), &next).unwrap();
    assert_eq!(read(&store, meta::schema), PRESENT + 1);
    assert_eq!(read(&store, |tx| settings::get(tx, "mark")), Some(true));
    drop(store);
    let copy = dir.path().join(format!("panel.redb.v{PRESENT}.bak"));
    assert!(fs::read(&copy).unwrap() == before);
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
    assert_eq!(refusal(dir.path(), 78).exit_code(), 78);

    // As the error message says, the restored copy opens with the older program.
    fs::rename(copy, dir.path().join(FILE)).unwrap();
    assert_eq!(read(&Store::open(dir.path()).unwrap(), users::count), 1);
}

#[test]
fn a_start_that_was_cut_off_is_finished_by_the_next() {
    let dir = folder();
    let instance = fs::read(dir.path().join("instance.json")).unwrap();
    // Interrupted between creating the database and its marker.
    fs::remove_file(dir.path().join("instance.json")).unwrap();
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(fs::read(dir.path().join("instance.json")).unwrap(), instance);

    // Interrupted while the database was being created.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("panel.redb.new"), [1; 5000]).unwrap();
    drop(Store::open(dir.path()).unwrap());
    assert!(!dir.path().join("panel.redb.new").exists());
}

#[test]
fn one_folder_is_for_one_store() {
    let (dir, store) = store();
    let error = Store::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::AlreadyOpen { pid: Some(pid), .. } if pid == std::process::id()));
    assert_eq!(error.exit_code(), 75);
    write(&store, |tx| settings::put(tx, "still", &1));
    store.close();
    drop(Store::open(dir.path()).unwrap());
}

#[test]
fn another_program_on_the_file_is_noticed() {
    let dir = folder();
    let other = redb::Database::open(dir.path().join(FILE)).unwrap();
    let error = Store::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::AlreadyOpen { pid: None, .. }), "{error}");
    drop(other);
    drop(Store::open(dir.path()).unwrap());
}

#[test]
fn large_files_are_checked_after_an_unclean_stop() {
    let dir = folder();
    let clean = fs::read(dir.path().join(FILE)).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let unclean = fs::read(dir.path().join(FILE)).unwrap();
    drop(store);
    let passes = |bytes: &[u8], limit| {
        let disk = SimDisk::new(bytes.to_vec());
        let passes = check::check_up_to(&disk, limit).is_ok();
        assert!(disk.bytes() == bytes);
        passes
    };
    assert!(passes(&clean, 0) && passes(&clean, u64::MAX) && passes(&unclean, 0));
    let at = |bytes: &[u8]| bytes.windows(8).position(|window| window == b"argon2id").unwrap();
    let (mut bad_clean, mut bad_unclean) = (clean.clone(), unclean.clone());
    bad_clean[at(&clean)] ^= 1;
    bad_unclean[at(&unclean)] ^= 1;
    assert!(!passes(&bad_clean, u64::MAX) && !passes(&bad_unclean, 0));
    assert!(passes(&bad_clean, 0), "read whole although it is large and was closed cleanly");
}
