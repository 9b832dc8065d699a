use std::sync::{Arc, Barrier};

use storage::{Error, OpenError, Store, nodes, servers, settings, users, verify};

use crate::common::{node, server, user};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_50_servers_with_one_port_one_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.write(|tx| nodes::insert(tx, &node("local"))).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..50 {
        let store = store.clone();
        tasks.spawn(async move {
            store.write(move |tx| servers::insert(tx, &server(&format!("s{i}"), 27_015))).await
        });
    }
    let (made, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 49));
    let list = store.read(servers::list).await.unwrap();
    assert_eq!(list.len(), 1);
    for error in refused {
        let error = error.unwrap_err();
        assert!(matches!(&error, Error::PortTaken { server, .. } if *server == list[0].id), "{error}");
    }
    assert_eq!(store.read(verify).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_50_first_accounts_one_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..50 {
        let store = store.clone();
        tasks.spawn(async move {
            let first = move |tx: &storage::WriteTx| {
                storage::meta::claim(tx, i)?;
                users::insert(tx, &user(&format!("u{i}")))
            };
            store.write(first).await.is_ok()
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(store.read(users::count).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_whole_writes_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let both = |tx: &storage::ReadTx| -> storage::Result<(Option<u32>, Option<u32>)> {
        Ok((settings::get(tx, "a")?, settings::get(tx, "b")?))
    };
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..200u32 {
        let store = store.clone();
        tasks.spawn(async move {
            let write = move |tx: &storage::WriteTx| {
                settings::put(tx, "a", &i)?;
                settings::put(tx, "b", &i)
            };
            store.write(write).await.unwrap();
            let (a, b) = store.read(both).await.unwrap();
            assert!(a == b && a.is_some());
            let (a, b) = store.read_now(both).unwrap();
            assert!(a == b && a.is_some());
        });
    }
    tasks.join_all().await;
}

#[test]
fn of_8_starts_in_an_empty_folder_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let barrier = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (dir, barrier) = (dir.path().to_owned(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                let opened = Store::open(&dir);
                barrier.wait();
                match opened {
                    Ok(_) => true,
                    Err(OpenError::AlreadyOpen { .. }) => false,
                    Err(other) => panic!("{other}"),
                }
            })
        })
        .collect();
    let opened = threads.into_iter().filter_map(|thread| thread.join().unwrap().then_some(())).count();
    assert_eq!(opened, 1);
    Store::open(dir.path()).unwrap();
}
