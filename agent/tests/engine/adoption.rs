//! Games that run while the agent does not.

use agent::protocol::*;

use crate::harness::*;

/// Numbers from one on, ten a second.
const COUNTER: &str = "n=0; while :; do n=$((n+1)); echo \"number $n\"; sleep 0.1; done";

fn started_at(id: &str) -> String {
    docker(&["inspect", "-f", "{{.State.StartedAt}}", &format!("ctrl-alt-play-{id}")])
}

fn numbers(node: &Node, id: &str) -> Vec<u64> {
    node.texts(id).iter().filter_map(|text| text.strip_prefix("number ")?.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_game_is_taken_over_and_no_line_is_lost_or_doubled() {
    let node = Node::new().await;
    let id = node.run(COUNTER).await;
    let _container = Container(id.clone());
    node.line(&id, "number 5").await;
    let before = started_at(&id);
    let dir = node.stop().await;

    let node = Node::with(dir, None, quick()).await;
    // The first sync knows it already.
    let status = node
        .message("the first sync", |message| match message {
            ToPanel::Sync(sync) => sync.servers.iter().find(|s| s.server_id == id).cloned(),
            _ => None,
        })
        .await;
    assert_eq!(status.status, Status::Running, "{status:?}");
    assert_eq!(status.started_at.unwrap().to_string()[..19], before[..19]);
    node.subscribe(&id).await;
    let last = numbers(&node, &id).last().copied().unwrap_or(0);
    node.line(&id, &format!("number {}", last + 20)).await;
    let all = numbers(&node, &id);
    assert_eq!(all.first(), Some(&1));
    assert!(all.windows(2).all(|pair| pair[1] == pair[0] + 1), "{all:?}");
    assert_eq!(started_at(&id), before, "it was started anew");
    assert_eq!(
        node.path(&id).into_iter().filter(|s| *s != Status::Unknown).collect::<Vec<_>>(),
        [Status::Running]
    );
    // It is ours in every way.
    node.power(&id, PowerAction::Stop).await.unwrap();
    node.is(&id, Status::Stopped).await;
    node.start(&id).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_game_reads_its_input() {
    let node = Node::new().await;
    let id = node.run("while read l; do echo \"echo $l\"; done").await;
    let _container = Container(id.clone());
    let dir = node.stop().await;
    let node = Node::with(dir, None, quick()).await;
    node.is(&id, Status::Running).await;
    node.subscribe(&id).await;
    node.command(&id, "hello").await.unwrap();
    node.line(&id, "echo hello").await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reboot_what_was_asked_to_run_runs() {
    let node = Node::new().await;
    let wanted = node.run("sleep 1000").await;
    let stopped = node.run("sleep 1000").await;
    let given_up = node.create(spec("exit 1")).await;
    let _containers = [&wanted, &stopped, &given_up].map(|id| Container(id.clone()));
    node.power(&stopped, PowerAction::Stop).await.unwrap();
    node.is(&stopped, Status::Stopped).await;
    node.power(&given_up, PowerAction::Start).await.unwrap();
    node.status(&given_up, |s| s.error.as_deref().is_some_and(|e| e.contains("Given up"))).await;
    let dir = node.stop().await;
    // A reboot kills them all; one is even gone.
    docker(&["rm", "-f", &format!("ctrl-alt-play-{wanted}")]);

    let node = Node::with(dir, None, quick()).await;
    node.is(&wanted, Status::Running).await;
    let still = node.is(&stopped, Status::Stopped).await;
    assert_eq!(still.exit_code, Some(143));
    let crashed = node.is(&given_up, Status::Crashed).await;
    assert!(crashed.error.unwrap().contains("Given up"));
    for id in [wanted, stopped, given_up] {
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_ends_in_the_middle_leaves_nothing_stuck_or_doubled() {
    let mut dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let node = Node::with(dir, None, quick()).await;
    let id = node.create(spec("trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.1; done")).await;
    let _container = Container(id.clone());
    dir = node.stop().await;
    for n in 0..6_u64 {
        let node = Node::with(dir, None, quick()).await;
        let status = node.status(&id, |s| matches!(s.status, Status::Running | Status::Stopped)).await.status;
        let action = if status == Status::Running { PowerAction::Restart } else { PowerAction::Start };
        node.power(&id, action).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(n * 130)).await;
        dir = node.stop().await;
    }
    let node = Node::with(dir, None, quick()).await;
    node.is(&id, Status::Running).await;
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name=ctrl-alt-play-{id}")]).lines().count(), 1);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_another_agent_is_taken_over_as_it_is() {
    image();
    let id = new_id();
    let _container = Container(id.clone());
    let (name, label) = (format!("ctrl-alt-play-{id}"), format!("ctrl-alt-play.server-id={id}"));
    docker(&[
        "run",
        "-d",
        "--name",
        &name,
        "--label",
        "ctrl-alt-play.managed=true",
        "--label",
        &label,
        IMAGE,
        "/bin/sh",
        "-c",
        "echo from before > /tmp/kept; echo plain output; trap 'exit 0' TERM; while :; do sleep 0.1; done",
    ]);
    let node = Node::new().await;
    node.is(&id, Status::Running).await;
    node.subscribe(&id).await;
    node.line(&id, "plain output").await;
    node.power(&id, PowerAction::Stop).await.unwrap();
    node.is(&id, Status::Stopped).await;
    node.start(&id).await;
    // Not made anew: what was written inside is still there.
    assert_eq!(docker(&["exec", &name, "cat", "/tmp/kept"]), "from before");
    node.delete(&id).await;
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={name}")]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_somebody_else_is_left_alone() {
    image();
    let node = Node::new().await;
    let spec = spec("sleep 1000");
    let name = format!("ctrl-alt-play-{}", spec.server_id);
    let _container = Container(spec.server_id.clone());
    docker(&["run", "-d", "--name", &name, IMAGE, "/bin/sleep", "1000"]);
    let id = node.create(spec).await;
    node.power(&id, PowerAction::Start).await.unwrap();
    let crashed = node.is(&id, Status::Crashed).await;
    assert!(crashed.error.unwrap().contains("not ours"));
    node.delete(&id).await;
    assert_eq!(docker(&["inspect", "-f", "{{.State.Running}}", &name]), "true");
}
