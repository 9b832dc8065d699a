//! What a game's container looks like from inside and outside.

use std::os::unix::fs::MetadataExt;

use protocol::*;

use crate::harness::*;

fn inspect(id: &str) -> serde_json::Value {
    let all: serde_json::Value =
        serde_json::from_str(&docker(&["inspect", &format!("ctrl-alt-play-{id}")])).unwrap();
    all[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_do_what_it_must_and_no_more() {
    let node = Node::new().await;
    let mut spec = spec("sleep 1000");
    spec.limits = Limits { memory: 100 << 20, swap: 0, disk: 0, io: 500, cpu: 150, processes: 600 };
    let port = free_port();
    spec.ports = vec![
        Port { internal: 7777, external: port, protocol: Protocol::Tcp },
        Port { internal: 7777, external: port, protocol: Protocol::Udp },
    ];
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    let found = inspect(&id);
    let host = &found["HostConfig"];
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
    assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
    assert_eq!(host["CapAdd"], serde_json::Value::Null);
    assert_eq!((&host["PidsLimit"], &host["CpuQuota"]), (&600.into(), &150_000.into()));
    assert_eq!(host["Memory"], (100_i64 << 20) * 115 / 100);
    assert_eq!(host["RestartPolicy"]["Name"], "no");
    assert_eq!(host["LogConfig"]["Type"], "local");
    assert_eq!(host["Binds"], serde_json::Value::Null);
    assert_eq!(host["NetworkMode"], "ctrl-alt-play");
    assert_eq!(host["PidMode"], "");
    assert!(host["Devices"].as_array().is_none_or(Vec::is_empty));
    assert_eq!(found["Mounts"].as_array().unwrap().len(), 1);
    let data = node.dir.path().canonicalize().unwrap().join("servers").join(&id);
    assert_eq!(found["Mounts"][0]["Source"], data.to_str().unwrap());
    assert_eq!(found["Config"]["User"], "988:988");
    let meta = std::fs::metadata(&data).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (988, 988));
    for protocol in ["tcp", "udp"] {
        assert_eq!(host["PortBindings"][format!("7777/{protocol}")][0]["HostPort"], port.to_string());
    }
    // And it does write where it must.
    let name = format!("ctrl-alt-play-{id}");
    docker(&[
        "exec",
        &name,
        "sh",
        "-c",
        "echo x > /home/container/file; echo x > /tmp/file; echo x > /etc/file",
    ]);
    assert!(data.join("file").exists());
    assert_eq!(docker(&["exec", &name, "ls", "/tmp"]), "file");
    assert_eq!(docker(&["exec", &name, "cat", "/etc/file"]), "");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_never_shell_and_the_environment_is_its_own() {
    let node = Node::new().await;
    let mut spec = spec("printf '<%s>' \"{{EVIL}}\" {{config.token}} > out; env > env; sleep 1000");
    spec.environment = [("EVIL", "$(id) `id` ${SECRET} \"; touch /tmp/x\nline"), ("SERVER_IP", "6.6.6.6")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    spec.ports = vec![Port { internal: 4444, external: free_port(), protocol: Protocol::Udp }];
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    let env = node.written(&id, "env").await;
    assert_eq!(
        std::fs::read_to_string(node.file(&id, "out")).unwrap(),
        "<$(id) `id` ${SECRET} \"; touch /tmp/x\nline><{{config.token}}>"
    );
    for line in
        ["SERVER_IP=6.6.6.6", "SERVER_PORT=4444", "SERVER_MEMORY=64", "TZ=UTC", "HOME=/home/container"]
    {
        assert!(env.lines().any(|found| found == line), "{line} in {env}");
    }
    assert!(!env.contains("CARGO") && !env.to_lowercase().contains("token="), "{env}");
    node.delete(&id).await;
}

/// An image that sets by itself what we would set.
fn image_with_variables() -> String {
    image();
    let image = format!("{IMAGE}-variables");
    if docker(&["image", "inspect", "-f", "{{.Id}}", &image]).is_empty() {
        let build = "FROM cap-test/agent-busybox:1\nENV SERVER_PORT=7777 SERVER_MEMORY=123 TZ=Etc/GMT-9 HOME=/srv/game\n";
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Dockerfile"), build).unwrap();
        docker(&["build", "-q", "-t", &image, dir.path().to_str().unwrap()]);
    }
    image
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_and_an_image_set_goes_before_ours_and_nothing_is_set_empty() {
    let node = Node::new().await;
    let line = "env > env; sleep 1000";
    for (image, set, wanted, absent) in [
        (IMAGE.to_owned(), &[][..], &["SERVER_IP=0.0.0.0", "SERVER_MEMORY=64"][..], &["SERVER_PORT="][..]),
        (IMAGE.to_owned(), &[("SERVER_PORT", "25565")], &["SERVER_PORT=25565"], &[]),
        (
            image_with_variables(),
            &[("SERVER_MEMORY", "9")],
            &["SERVER_PORT=7777", "SERVER_MEMORY=9", "TZ=Etc/GMT-9", "HOME=/srv/game", "SERVER_IP=0.0.0.0"],
            &[],
        ),
    ] {
        let mut spec = ServerCreate { image, ..spec(line) };
        spec.environment = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        spec.ports.clear();
        let id = node.create(spec).await;
        let _container = Container(id.clone());
        node.start(&id).await;
        let env = node.written(&id, "env").await;
        for line in wanted {
            assert!(env.lines().any(|found| found == *line), "{line} in {env}");
        }
        for name in absent {
            assert!(!env.lines().any(|found| found.starts_with(name)), "{name} in {env}");
        }
        assert!(!env.lines().any(|found| found.ends_with('=')), "nothing is empty: {env}");
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_stays_inside() {
    let node = Node::new().await;
    let id = node.run("i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; echo $i").await;
    let _container = Container(id.clone());
    let other = node.run("while read l; do echo \"echo $l\"; done").await;
    let _other = Container(other.clone());
    node.line(&id, "fork").await;
    node.command(&other, "hello").await.unwrap();
    node.line(&other, "echo hello").await;
    node.delete(&id).await;
    node.delete(&other).await;
}

/// The image as it is for its own named user, and its own command.
fn own_image() -> String {
    image();
    let image = format!("{IMAGE}-player");
    if docker(&["image", "inspect", "-f", "{{.Id}}", &image]).is_empty() {
        let build = "FROM cap-test/agent-busybox:1\nUSER player\nWORKDIR /srv\nENTRYPOINT [\"/bin/sh\", \"-c\"]\n\
                     CMD [\"id > /data/id; pwd > /data/pwd; echo x > /bin/x; ls /bin/x > /data/root; env > /data/env; sleep 1000\"]\n";
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Dockerfile"), build).unwrap();
        docker(&["build", "-q", "-t", &image, dir.path().to_str().unwrap()]);
    }
    image
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_may_bring_its_user_its_folder_and_its_command() {
    let node = Node::new().await;
    let mut spec = ServerCreate { image: own_image(), ..spec("") };
    spec.behaviour = Some(Behaviour {
        user: ContainerUser::Image,
        data_path: "/data".into(),
        working_dir: Some(String::new()),
        read_only_root: false,
        ..Behaviour::default()
    });
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    assert!(node.written(&id, "id").await.starts_with("uid=1234(player) gid=1235"));
    assert_eq!(node.written(&id, "pwd").await, "/srv\n");
    assert!(node.written(&id, "env").await.contains("HOME=/home\n"));
    let meta = std::fs::metadata(node.file(&id, "")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (1234, 1235));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_are_in_force_at_the_next_start() {
    let node = Node::new().await;
    let id = node.run("echo $A > out; sleep 1000").await;
    let _container = Container(id.clone());
    let update =
        serde_json::json!({"serverId": id, "environment": {"A": "new"}, "limits": {"memory": 32 << 20}});
    let update = ToAgent::ServerUpdate(Box::new(serde_json::from_value(update).unwrap()));
    node.ask(update.clone()).await.unwrap();
    node.status(&id, |s| s.needs_restart).await;
    node.power(&id, PowerAction::Restart).await.unwrap();
    node.status(&id, |s| s.status == Status::Running && !s.needs_restart).await;
    assert_eq!(inspect(&id)["HostConfig"]["MemoryReservation"], 32 << 20);
    node.ask(update).await.unwrap();
    assert!(!node.is(&id, Status::Running).await.needs_restart);
    // An agent that comes later knows as much.
    let dir = node.stop().await;
    let node = Node::with(dir, None, quick()).await;
    assert!(!node.is(&id, Status::Running).await.needs_restart);
    let update = serde_json::json!({"serverId": id, "environment": {"A": "newer"}});
    node.ask(ToAgent::ServerUpdate(Box::new(serde_json::from_value(update).unwrap()))).await.unwrap();
    let dir = node.stop().await;
    let node = Node::with(dir, None, quick()).await;
    assert!(node.is(&id, Status::Running).await.needs_restart);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_program_holds_is_refused_at_the_click() {
    let node = Node::new().await;
    let holder = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let mut spec = spec("sleep 1000");
    spec.ports = vec![Port { internal: 1, external: port, protocol: Protocol::Udp }];
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    let start = ToAgent::ServerStart(ServerRef { server_id: id.clone().into() });
    let error = node.ask(start).await.unwrap_err();
    assert_eq!((error.code, error.server_id.as_deref()), (ErrorCode::PortInUse, Some(id.as_str())));
    assert!(error.message.contains(&format!("{port}/udp")));
    assert_eq!(node.is(&id, Status::Stopped).await.error, None);
    let check = HostCheck {
        registry: false,
        image: Some(IMAGE.into()),
        ports: vec![Port { internal: 1, external: port, protocol: Protocol::Udp }],
    };
    let ToPanel::HostReport(report) = node.ask(ToAgent::HostCheck(check)).await.unwrap() else {
        panic!("no report")
    };
    assert!(report.image_present && report.ports_taken.len() == 1);
    drop(holder);
    node.start(&id).await;
    // Its own port does not stand in its way.
    node.power(&id, PowerAction::Restart).await.unwrap();
    node.is(&id, Status::Running).await;
    node.delete(&id).await;
}

fn free_port() -> u16 {
    std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}
