use super::*;
use crate::Store;
use crate::error::Error;
use crate::grants::{self, Grant};
use crate::nodes;
use crate::testing::{node, read, server, store, user, write};
use crate::users::{self, Role};

fn with_nodes() -> (tempfile::TempDir, Store) {
    let (dir, store) = store();
    write(&store, |tx| {
        nodes::insert(tx, &node("n"))?;
        nodes::insert(tx, &node("n2"))
    });
    (dir, store)
}

fn udp(port: u16) -> Port {
    Port { internal: port, external: port, protocol: Protocol::Udp }
}

#[test]
fn a_server_comes_back_as_it_went() {
    let (_dir, store) = with_nodes();
    let mut full = server("s", "n", 1);
    full.behaviour = Behaviour {
        user: ContainerUser::Fixed("1000:1000".to_owned()),
        data_path: "/data".to_owned(),
        working_dir: Some("/srv".to_owned()),
        read_only_root: false,
        startup_mode: StartupMode::Variable,
        stop: Stop::Command("stop".to_owned()),
        stop_timeout_secs: 60,
        ready: Some("regex:Done .*".to_owned()),
        restart_after_crash: false,
        stop_at_disk_limit: false,
        architectures: vec!["amd64".to_owned()],
    };
    full.limits = Limits { memory: i64::MAX, swap: -1, disk: 0, io: 10, cpu: 250, processes: 16_384 };
    full.environment.insert("EMPTY".to_owned(), String::new());
    full.suspended = true;
    let copy = full.clone();
    write(&store, move |tx| insert(tx, &copy));
    assert_eq!(read(&store, |tx| get(tx, "s")), Some(full));
    assert!(matches!(store.write_blocking(|tx| insert(tx, &server("s", "n", 2))), Err(Error::Taken { .. })));
    let error = store.write_blocking(|tx| insert(tx, &server("t", "nowhere", 2))).unwrap_err();
    assert!(matches!(error, Error::NotFound { what: "node" }), "{error}");
}

#[test]
fn a_port_belongs_to_one_server_of_a_node() {
    let (_dir, store) = with_nodes();
    write(&store, |tx| insert(tx, &server("a", "n", 25_565)));
    let error = store.write_blocking(|tx| insert(tx, &server("b", "n", 25_565))).unwrap_err();
    assert_eq!(error.to_string(), "port 25565/tcp on node n belongs to the server Server a (a)");
    write(&store, |tx| insert(tx, &server("c", "n2", 25_565)));
    let other_protocol = Server { ports: vec![udp(25_565)], ..server("d", "n", 1) };
    write(&store, move |tx| insert(tx, &other_protocol));
    assert_eq!(read(&store, |tx| port_owner(tx, "n", Protocol::Tcp, 25_565)).unwrap(), "a");
    assert_eq!(read(&store, |tx| port_owner(tx, "n", Protocol::Udp, 25_565)).unwrap(), "d");
    assert_eq!(read(&store, |tx| port_owner(tx, "n2", Protocol::Udp, 25_565)), None);
    assert_eq!(read(&store, |tx| ports_by_node(tx, "n", Protocol::Tcp)), ["a"]);

    let twice = Server { ports: vec![udp(7), udp(7)], ..server("e", "n", 1) };
    let error = store.write_blocking(move |tx| insert(tx, &twice)).unwrap_err();
    assert!(matches!(&error, Error::PortTaken { server, .. } if server == "e"), "{error}");
    assert_eq!(read(&store, |tx| port_owner(tx, "n", Protocol::Udp, 7)), None);
    assert_eq!(read(&store, crate::verify), Vec::<String>::new());
}

#[test]
fn changed_ports_are_given_back_and_taken() {
    let (_dir, store) = with_nodes();
    write(&store, |tx| insert(tx, &server("a", "n", 1)));
    write(&store, |tx| insert(tx, &server("b", "n", 3)));
    let keeps_one = Server { ports: vec![udp(9), server("a", "n", 1).ports[0]], ..server("a", "n", 1) };
    write(&store, move |tx| update(tx, &keeps_one));
    assert!(matches!(
        store.write_blocking(|tx| update(tx, &server("a", "n", 3))),
        Err(Error::PortTaken { .. })
    ));
    assert_eq!(read(&store, |tx| get(tx, "a")).unwrap().ports.len(), 2);
    write(&store, |tx| update(tx, &server("a", "n", 2)));
    write(&store, |tx| update(tx, &server("b", "n", 1)));
    assert!(matches!(
        store.write_blocking(|tx| update(tx, &server("x", "n", 2))),
        Err(Error::NotFound { .. })
    ));
    write(&store, |tx| update(tx, &server("b", "n2", 1)));
    assert_eq!(read(&store, |tx| count_by_node(tx, "n")), 1);
    assert_eq!(read(&store, |tx| list_by_node(tx, "n2")), [server("b", "n2", 1)]);
    assert_eq!(read(&store, |tx| port_owner(tx, "n", Protocol::Tcp, 1)), None);
    assert_eq!(read(&store, crate::verify), Vec::<String>::new());
}

#[test]
fn the_next_free_port_is_found() {
    let (_dir, store) = with_nodes();
    for port in [100, 101, 103, 65_534, 65_535] {
        write(&store, move |tx| insert(tx, &server(&format!("s{port}"), "n", port)));
    }
    let next =
        |node: &'static str, from, protocol| read(&store, move |tx| next_free_port(tx, node, from, protocol));
    assert_eq!(next("n", 100, Protocol::Tcp), Some(102));
    assert_eq!(next("n", 103, Protocol::Tcp), Some(104));
    assert_eq!(next("n", 100, Protocol::Udp), Some(100));
    assert_eq!(next("n2", 100, Protocol::Tcp), Some(100));
    assert_eq!(next("n", 0, Protocol::Tcp), Some(1));
    assert_eq!(next("n", 65_534, Protocol::Tcp), None);
}

#[test]
fn a_deleted_server_leaves_nothing() {
    let (_dir, store) = with_nodes();
    write(&store, |tx| {
        users::insert(tx, &user("u", Role::User))?;
        for id in ["a", "ab"] {
            insert(tx, &server(id, "n", 10 + id.len() as u16))?;
            let permissions = ["view", "files"].map(str::to_owned).into();
            grants::put(
                tx,
                &Grant { server_id: id.to_owned().into(), user_id: "u".to_owned(), permissions },
            )?;
        }
        Ok(())
    });
    write(&store, |tx| delete(tx, "a"));
    assert_eq!(read(&store, |tx| grants::list_by_server(tx, "a")), []);
    let left = read(&store, |tx| grants::list_by_user(tx, "u"));
    assert_eq!(left.iter().map(|grant| grant.server_id.as_str()).collect::<Vec<_>>(), ["ab"]);
    assert_eq!(left[0].permissions.len(), 2);
    write(&store, |tx| insert(tx, &server("c", "n", 11)));
    assert!(matches!(store.write_blocking(|tx| delete(tx, "a")), Err(Error::NotFound { what: "server" })));
    assert_eq!(read(&store, crate::verify), Vec::<String>::new());
}

#[test]
fn a_deletion_is_noted_before_it_is_done() {
    let (_dir, store) = with_nodes();
    write(&store, |tx| insert(tx, &server("s", "n", 1)));
    let asked = |force| Deletion { since: 5, by: "admin".to_owned(), force, keep_backups: false };
    let begun = write(&store, move |tx| begin_deletion(tx, "s", asked(false)));
    assert_eq!(begun.deleting, Some(asked(false)));
    assert_eq!(read(&store, |tx| get(tx, "s")).unwrap().deleting, Some(asked(false)));
    let later = Deletion { since: 9, by: "other".to_owned(), force: true, keep_backups: false };
    let begun = write(&store, move |tx| begin_deletion(tx, "s", later));
    assert_eq!(begun.deleting, Some(asked(true)), "it is still the first one");
    write(&store, |tx| undo_deletion(tx, "s"));
    assert_eq!(read(&store, |tx| get(tx, "s")).unwrap().deleting, None);
    let gone = store.write_blocking(|tx| {
        begin_deletion(
            tx,
            "nobody",
            Deletion { since: 1, by: String::new(), force: false, keep_backups: false },
        )
    });
    assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
}
