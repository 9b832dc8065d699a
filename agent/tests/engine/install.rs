//! Images that are there, that are not, and that somebody no longer wants.

use protocol::*;

use crate::harness::*;

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1/nobody/nothing:1";

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_there_is_not_fetched_again() {
    let node = Node::new().await;
    let id = node.create(spec("sleep 1000")).await;
    assert_eq!(node.path(&id), [Status::Installing, Status::Stopped]);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_image_fails_the_install_says_why_and_can_be_tried_again() {
    let node = Node::new().await;
    let id = node.create(ServerCreate { image: NOWHERE.into(), ..spec("sleep 1000") }).await;
    let _container = Container(id.clone());
    let failed = node.is(&id, Status::InstallFailed).await;
    let error = failed.error.unwrap();
    assert!(error.contains(NOWHERE) && error.contains("cannot be reached"), "{error}");
    assert_eq!(node.power(&id, PowerAction::Stop).await, Err(ErrorCode::NotRunning));
    // A start fetches again.
    assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Starting));
    node.is(&id, Status::InstallFailed).await;
    // So does a retry.
    let tries = || node.statuses(&id).iter().filter(|s| s.status == Status::Installing).count();
    let before = tries();
    let retry = ToAgent::ServerReinstall(ServerReinstall { server_id: id.clone().into(), wipe: false });
    node.ask(retry.clone()).await.unwrap();
    eventually("a second try", || (tries() > before).then_some(())).await;
    node.is(&id, Status::InstallFailed).await;
    // With another image it works.
    let update = ServerUpdate {
        server_id: id.clone().into(),
        name: None,
        image: Some(IMAGE.into()),
        startup: None,
        environment: None,
        limits: None,
        ports: None,
        block_lan: None,
        behaviour: None,
        template: None,
    };
    node.ask(ToAgent::ServerUpdate(Box::new(update))).await.unwrap();
    node.start(&id).await;
    assert_eq!(node.ask(retry).await.unwrap_err().code, ErrorCode::AlreadyRunning);
    node.delete(&id).await;
}

/// A registry that takes connections and never answers: the fetch stands still.
async fn silent_registry() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let image = format!("127.0.0.1:{}/nobody/nothing:1", listener.local_addr().unwrap().port());
    (listener, image)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_can_be_cancelled_and_deleted() {
    let node = Node::new().await;
    let (_registry, image) = silent_registry().await;
    let spec = ServerCreate { image, ..spec("sleep 1000") };
    let id = spec.server_id.clone();
    node.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
    node.is(&id, Status::Installing).await;
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::Installing));
    let of = || ServerRef { server_id: id.clone() };
    node.ask(ToAgent::InstallCancel(of())).await.unwrap();
    let failed = node.is(&id, Status::InstallFailed).await;
    assert_eq!(failed.error.as_deref(), Some("The installation was cancelled."));
    assert_eq!(node.ask(ToAgent::InstallCancel(of())).await.unwrap_err().code, ErrorCode::NotInstalling);
    node.ask(ToAgent::ServerReinstall(ServerReinstall { server_id: id.clone(), wipe: false })).await.unwrap();
    node.is(&id, Status::Installing).await;
    node.delete(&id).await;
    node.is(&id, Status::Deleted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fetches_can_be_stopped() {
    let node = Node::new().await;
    let (_registry, image) = silent_registry().await;
    let id = node.create(ServerCreate { image: NOWHERE.into(), ..spec("sleep 1000") }).await;
    let update = serde_json::from_value(serde_json::json!({"serverId": id, "image": image})).unwrap();
    node.ask(ToAgent::ServerUpdate(Box::new(update))).await.unwrap();
    assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Starting));
    node.status(&id, |s| s.status == Status::Starting && s.progress.is_some()).await;
    assert_eq!(node.power(&id, PowerAction::Stop).await, Ok(Status::Stopping));
    node.is(&id, Status::Stopped).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_that_the_agents_end_broke_off_goes_on() {
    let node = Node::new().await;
    let (_registry, image) = silent_registry().await;
    let spec = ServerCreate { image, ..spec("sleep 1000") };
    let id = spec.server_id.clone();
    node.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
    node.is(&id, Status::Installing).await;
    let dir = node.stop().await;
    let node = Node::with(dir, None, quick()).await;
    node.is(&id, Status::Installing).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_by_the_agent_too() {
    let node = Node::new().await;
    let create = |spec: ServerCreate| node.ask(ToAgent::ServerCreate(Box::new(spec)));
    for bad in [
        ServerCreate { server_id: "../x".into(), ..spec("x") },
        ServerCreate { image: "a b".into(), ..spec("x") },
        ServerCreate { limits: Limits { memory: -1, ..Limits::default() }, ..spec("x") },
    ] {
        assert_eq!(create(bad).await.unwrap_err().code, ErrorCode::Invalid);
    }
    let of = ServerRef { server_id: "nobody".into() };
    assert_eq!(node.ask(ToAgent::ServerStart(of)).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    let mount = |args: &[&str]| std::process::Command::new("mount").args(args).status().unwrap().success();
    let path = dir.path().to_str().unwrap().to_owned();
    if !mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs", &path]) {
        eprintln!("left out: may not mount here");
        return;
    }
    struct Unmount(String);
    impl Drop for Unmount {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").args(["-l", &self.0]).status();
        }
    }
    let _unmount = Unmount(path);
    let node = Node::with(std::sync::Arc::new(dir), None, quick()).await;
    let id = node.create(spec("sleep 1000")).await;
    let _container = Container(id.clone());
    let filler = node.dir.path().join("filler");
    // As full as it gets.
    let _ = std::fs::write(&filler, vec![1; 5 << 20]);
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::DiskFull));
    let create = ToAgent::ServerCreate(Box::new(spec("sleep 1000")));
    assert_eq!(node.ask(create).await.unwrap_err().code, ErrorCode::DiskFull);
    let update = serde_json::json!({"serverId": id, "startup": "sleep 1 ".repeat(1_000)});
    let update = ToAgent::ServerUpdate(Box::new(serde_json::from_value(update).unwrap()));
    assert_eq!(node.ask(update.clone()).await.unwrap_err().code, ErrorCode::DiskFull);
    std::fs::remove_file(filler).unwrap();
    node.start(&id).await;
    node.ask(update).await.unwrap();
    node.delete(&id).await;
}
