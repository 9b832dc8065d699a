//! Games that run while the agent does not.

use protocol::*;

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
            ToPanel::Sync(sync) => sync.servers.iter().find(|s| s.server_id == id.as_str()).cloned(),
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

/// As the Go agent makes one: no mount, started again by the engine, its files inside.
fn made_by_the_go_agent(id: &str, dir: &str, line: &str) -> String {
    image();
    let (name, label) = (format!("ctrl-alt-play-{id}"), format!("ctrl-alt-play.server-id={id}"));
    let managed = "ctrl-alt-play.managed=true";
    let run = ["run", "-d", "--name", &name, "--label", managed, "--label", &label];
    let how = ["--restart", "unless-stopped", "-w", dir, "-e", "OLD=yes", IMAGE, "/bin/sh", "-c", line];
    let made = docker(&[&run[..], &how[..]].concat());
    assert_eq!(made.len(), 64, "{made}");
    made
}

const WORLD: &str = "mkdir -p world; echo the old world > world/level; ln -sf level world/current; chmod 640 world/level; \
                     mkfifo pipe; echo saved; trap 'exit 0' TERM; while :; do sleep 0.1; done";

fn inspect(id: &str, format: &str) -> String {
    docker(&["inspect", "-f", format, &format!("ctrl-alt-play-{id}")])
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_made_anew_its_world_is_brought_home() {
    let id = new_id();
    let _container = Container(id.clone());
    let old = made_by_the_go_agent(&id, "/srv/game", WORLD);
    let node = Node::new().await;
    let found = node.is(&id, Status::Running).await;
    assert!(!found.needs_restart, "{found:?}");
    node.subscribe(&id).await;
    node.line(&id, "saved").await;

    // A panel says what it should be: that is for the next start.
    let mut spec = spec("cat world/current; echo OLD=$OLD NEW=$NEW; sleep 1000");
    spec.server_id.clone_from(&id.as_str().into());
    spec.environment.insert("NEW".into(), "yes".into());
    spec.behaviour = None;
    node.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
    node.status(&id, |status| status.needs_restart).await;
    assert_eq!(inspect(&id, "{{.Id}}"), old);

    node.power(&id, PowerAction::Restart).await.unwrap();
    node.line(&id, "the old world").await;
    node.line(&id, "OLD= NEW=yes").await;
    let status = node.status(&id, |status| status.status == Status::Running && !status.needs_restart).await;
    assert_ne!(status.container_id, Some(old));
    assert_eq!(inspect(&id, "{{.HostConfig.RestartPolicy.Name}}"), "no");
    assert_eq!(inspect(&id, "{{(index .Mounts 0).Destination}}"), "/srv/game");
    let home = node.file(&id, "");
    assert_eq!(std::fs::read_to_string(home.join("world/current")).unwrap(), "the old world\n");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(home.join("world/level")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert!(!home.join("pipe").exists());
    let beside: Vec<_> = std::fs::read_dir(home.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_brought_home_belongs_to_the_game() {
    let id = new_id();
    let _container = Container(id.clone());
    made_by_the_go_agent(&id, "/srv/game", WORLD);
    let node = Node::new().await;
    node.is(&id, Status::Running).await;
    node.power(&id, PowerAction::Stop).await.unwrap();
    node.is(&id, Status::Stopped).await;
    let mut spec = spec("id -u; cat world/level && echo more >> world/level; sleep 1000");
    spec.server_id.clone_from(&id.as_str().into());
    node.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
    node.subscribe(&id).await;
    node.start(&id).await;
    node.line(&id, "the old world").await;
    let text = node.written(&id, "world/level").await;
    assert!(text.starts_with("the old world"), "{text}");
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(node.file(&id, "world/level")).unwrap();
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    assert!(!root || (owner.uid(), owner.gid()) == (988, 988), "{}:{}", owner.uid(), owner.gid());
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_brought_home_runs_as_it_is() {
    let id = new_id();
    let _container = Container(id.clone());
    let old = made_by_the_go_agent(&id, "/", "trap 'exit 0' TERM; while :; do sleep 0.1; done");
    let node = Node::new().await;
    node.is(&id, Status::Running).await;
    let mut spec = spec("sleep 1000");
    spec.server_id.clone_from(&id.as_str().into());
    node.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
    node.subscribe(&id).await;
    node.power(&id, PowerAction::Restart).await.unwrap();
    let why = "settings do not apply to it: its working directory is the whole of its file system.";
    eventually("the reason", || node.texts(&id).iter().any(|line| line.contains(why)).then_some(())).await;
    node.is(&id, Status::Running).await;
    assert_eq!(inspect(&id, "{{.Id}}"), old);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_somebody_else_is_left_alone() {
    image();
    let node = Node::new().await;
    let spec = spec("sleep 1000");
    let name = format!("ctrl-alt-play-{}", spec.server_id);
    let _container = Container(spec.server_id.to_string());
    docker(&["run", "-d", "--name", &name, IMAGE, "/bin/sleep", "1000"]);
    let id = node.create(spec).await;
    node.power(&id, PowerAction::Start).await.unwrap();
    let crashed = node.is(&id, Status::Crashed).await;
    assert!(crashed.error.unwrap().contains("not ours"));
    node.delete(&id).await;
    assert_eq!(docker(&["inspect", "-f", "{{.State.Running}}", &name]), "true");
}
