//! The newcomer's path: create, start, watch, type, stop, restart, kill, delete.

use protocol::*;

use crate::harness::*;

const GAME: &str = "while read line; do case $line in quit) exit 0;; *) echo \"got $line\";; esac; done";

#[tokio::test(flavor = "multi_thread")]
async fn create_start_command_stop_restart_kill_delete() {
    let node = Node::new().await;
    let id = node.create(spec(GAME)).await;
    let _container = Container(id.clone());
    assert_eq!(node.power(&id, PowerAction::Stop).await, Err(ErrorCode::NotRunning));
    assert_eq!(node.command(&id, "hello").await, Err(ErrorCode::NotRunning));
    node.start(&id).await;
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::AlreadyRunning));
    assert_eq!(node.command(&id, "hello").await, Ok(()));
    node.line(&id, "got hello").await;

    assert_eq!(node.power(&id, PowerAction::Stop).await, Ok(Status::Stopping));
    let stopped = node.is(&id, Status::Stopped).await;
    assert_eq!((stopped.exit_code, stopped.error), (Some(143), None));

    assert_eq!(node.power(&id, PowerAction::Restart).await, Ok(Status::Starting));
    node.is(&id, Status::Running).await;
    assert_eq!(node.power(&id, PowerAction::Restart).await, Ok(Status::Stopping));
    node.is(&id, Status::Running).await;
    assert_eq!(node.power(&id, PowerAction::Kill).await, Ok(Status::Stopping));
    let killed = node.is(&id, Status::Stopped).await;
    assert_eq!((killed.exit_code, killed.error.as_deref()), (Some(137), Some("It was killed.")));

    node.start(&id).await;
    assert_eq!(node.command(&id, "quit").await, Ok(()));
    let quit = node.is(&id, Status::Stopped).await;
    assert_eq!((quit.exit_code, quit.error), (Some(0), None));

    std::os::unix::fs::symlink("/etc", node.file(&id, "etc")).unwrap();
    node.delete(&id).await;
    node.is(&id, Status::Deleted).await;
    assert!(!node.file(&id, "").exists());
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name=ctrl-alt-play-{id}")]), "");
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::NotFound));
    node.stop().await;
}
