use std::sync::mpsc;

use super::*;
use crate::testing::{SimDisk, read, session, store, user, write};
use crate::users::Role;
use crate::{Store, open, schema, sessions, settings, users};

/// Blocks the writer until the returned sender is dropped, so that later writes queue up.
fn hold(store: &Store) -> mpsc::Sender<()> {
    let (started, has_started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let store = store.clone();
    std::thread::spawn(move || {
        store.write_blocking(move |_| -> Result<()> {
            started.send(()).unwrap();
            released.recv().unwrap_err();
            Ok(())
        })
    });
    has_started.recv().unwrap();
    release
}

type Closure<T> = Box<dyn FnOnce(&WriteTx) -> Result<T> + Send>;

/// Queues closures together and returns their answers.
fn together<T: Send + 'static>(store: &Store, closures: Vec<Closure<T>>) -> Vec<Result<T>> {
    let held = hold(store);
    let waiting: Vec<_> = closures.into_iter().map(|closure| store.submit(closure).unwrap()).collect();
    drop(held);
    waiting.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect()
}

#[test]
fn writers_that_wait_share_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().close();
    let disk = SimDisk::new(std::fs::read(dir.path().join("panel.redb")).unwrap());
    let opened = open::open(&disk, &schema::CURRENT).unwrap();
    let store = Store::start(Box::new(disk.clone()), opened, None).unwrap();

    let before = disk.syncs();
    store.write_blocking(|tx| settings::put(tx, "one", &1)).unwrap();
    let one = disk.syncs() - before;
    assert!((1..=2).contains(&one), "{one} syncs for one write");

    let before = disk.syncs();
    let mut closures: Vec<Closure<()>> = Vec::new();
    for i in 0..200 {
        closures.push(Box::new(move |tx| settings::put(tx, &format!("k{i}"), &i)));
    }
    assert!(together(&store, closures).iter().all(Result::is_ok));
    let all = disk.syncs() - before;
    assert!(all <= 2 * one, "{all} syncs for 200 writes that waited together");
}

#[test]
fn a_write_without_changes_costs_no_sync() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path()).unwrap().close();
    let disk = SimDisk::new(std::fs::read(dir.path().join("panel.redb")).unwrap());
    let opened = open::open(&disk, &schema::CURRENT).unwrap();
    let store = Store::start(Box::new(disk.clone()), opened, None).unwrap();
    let before = disk.ops();
    store.write_blocking(|tx| users::count(tx)).unwrap();
    assert_eq!(disk.ops(), before);
}

#[test]
fn a_failure_takes_back_its_own_changes_only() {
    let (_dir, store) = store();
    write(&store, |tx| users::insert(tx, &user("a", Role::Admin)));
    write(&store, |tx| settings::put(tx, "kept", &"old".to_owned()));
    let answers = together(
        &store,
        vec![
            Box::new(|tx| sessions::insert(tx, &session("s1", "a"))),
            Box::new(|tx| {
                settings::put(tx, "kept", &"new".to_owned())?;
                settings::put(tx, "kept", &"newer".to_owned())?;
                settings::put(tx, "made", &1)?;
                settings::delete(tx, "kept")?;
                users::insert(tx, &user("b", Role::Admin))?;
                users::delete(tx, "a")?;
                Err(Error::NotFound { what: "reason to go on" })
            }),
            Box::new(|tx| {
                // The changes of the failed closure before are not visible.
                assert!(users::get(tx, "a")?.is_some());
                assert!(sessions::get(tx, "s1")?.is_some());
                users::insert(tx, &user("b", Role::User))
            }),
            Box::new(|tx| {
                settings::put(tx, "kept", &"panicked".to_owned())?;
                panic!("on purpose");
            }),
            Box::new(|tx| users::insert(tx, &user("c", Role::User))),
        ],
    );
    assert!(answers[0].is_ok() && answers[2].is_ok() && answers[4].is_ok(), "{answers:?}");
    assert!(matches!(answers[1], Err(Error::NotFound { .. })), "{answers:?}");
    assert!(matches!(&answers[3], Err(Error::Panicked(text)) if text == "on purpose"), "{answers:?}");
    assert_eq!(store.read_only_reason(), None);
    assert_eq!(read(&store, |tx| settings::get::<String>(tx, "kept")).as_deref(), Some("old"));
    assert_eq!(read(&store, |tx| settings::get::<i32>(tx, "made")), None);
    assert_eq!(read(&store, users::list).len(), 3);
    assert_eq!(read(&store, |tx| sessions::list_by_user(tx, "a")).len(), 1);
    assert_eq!(read(&store, crate::verify), Vec::<String>::new());
}

#[test]
fn a_caller_has_errors_of_its_own() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Storage,
        Refused,
    }
    impl From<Error> for Mine {
        fn from(_: Error) -> Self {
            Self::Storage
        }
    }
    let (_dir, store) = store();
    let refused: Result<(), Mine> = store.write_blocking(|tx| {
        settings::put(tx, "x", &1)?;
        Err(Mine::Refused)
    });
    assert_eq!(refused, Err(Mine::Refused));
    let storage: Result<(), Mine> = store.write_blocking(|tx| Ok(users::update(tx, &user("a", Role::User))?));
    assert_eq!(storage, Err(Mine::Storage));
    assert_eq!(read(&store, |tx| settings::get::<i32>(tx, "x")), None);
}

#[test]
fn closing_waits_for_what_was_sent_and_refuses_the_rest() {
    let (dir, store) = store();
    let held = hold(&store);
    let sent = store.submit(|tx| settings::put(tx, "sent", &1)).unwrap();
    let closing = store.clone();
    let closer = std::thread::spawn(move || closing.close());
    drop(held);
    closer.join().unwrap();
    sent.blocking_recv().unwrap().unwrap();
    assert!(matches!(store.write_blocking(|tx| settings::put(tx, "late", &1)), Err(Error::Closed)));
    assert!(matches!(store.read_now(users::count), Err(Error::Closed)));
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(read(&again, |tx| settings::get::<i32>(tx, "sent")), Some(1));
}

#[test]
fn the_last_clone_may_go_inside_a_closure() {
    let (dir, store) = store();
    let inside = store.clone();
    let held = hold(&store);
    let (gone, is_gone) = mpsc::channel();
    let answer = store
        .submit(move |_| -> Result<()> {
            is_gone.recv().unwrap();
            drop(inside);
            Ok(())
        })
        .unwrap();
    drop(store);
    drop(held);
    gone.send(()).unwrap();
    drop(answer.blocking_recv());
    drop(dir);
}
