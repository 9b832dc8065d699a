//! Servers made from templates of other panels: installed, configured, run and stopped as there, in images that do what the
//! public ones do.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use protocol::*;
use serde_json::json;

use crate::harness::*;

/// As public ones: the user `container`, and an entrypoint that has a shell expand `STARTUP`.
const EGG_IMAGE: &str = "cap-test/agent-egg:1";

fn egg_image() {
    static MADE: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    MADE.get_or_init(|| {
        image();
        if !docker(&["image", "inspect", "-f", "{{.Id}}", EGG_IMAGE]).is_empty() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let script = r#"
            set -e
            mkdir -p bin etc tmp dev proc sys home/container
            chmod 1777 tmp
            cp "$(command -v busybox)" bin/busybox
            for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "bin/$applet"; done
            printf 'root:x:0:0:root:/:/bin/sh\ncontainer:x:1000:1000::/home/container:/bin/sh\n' > etc/passwd
            cat > entrypoint.sh <<'SH'
#!/bin/sh
cd /home/container
MODIFIED_STARTUP=$(echo ${STARTUP} | sed -e 's/{{/${/g' -e 's/}}/}/g')
echo ":/home/container$ ${MODIFIED_STARTUP}"
eval ${MODIFIED_STARTUP}
SH
            tar -c . | docker import --change 'USER container' --change 'ENV USER=container HOME=/home/container' \
                --change 'WORKDIR /home/container' --change 'CMD ["/bin/sh", "/entrypoint.sh"]' - "$1" > /dev/null
        "#;
        let made =
            std::process::Command::new("sh").args(["-c", script, "sh", EGG_IMAGE]).current_dir(&root).status();
        assert!(made.unwrap().success());
    });
}

/// Removes what an install container leaves, also when a test fails.
struct Installer(String);

impl Drop for Installer {
    fn drop(&mut self) {
        docker(&["rm", "-f", "-v", &format!("ctrl-alt-play-{}.install", self.0)]);
    }
}

/// A server of an egg with this install script.
fn egg(script: &str, startup: &str) -> ServerCreate {
    egg_image();
    let mut spec = spec(startup);
    spec.image = EGG_IMAGE.into();
    spec.behaviour = Some(Behaviour {
        startup_mode: StartupMode::Variable,
        stop: Stop::Signal("SIGINT".into()),
        stop_timeout: 5,
        ..Behaviour::default()
    });
    let template = json!({"install": {"image": IMAGE, "entrypoint": "ash", "script": script}});
    spec.template = Some(Box::new(serde_json::from_value(template).unwrap()));
    spec
}

async fn begin(node: &Node, spec: ServerCreate) -> (String, Container, Installer) {
    let id = spec.server_id.clone();
    node.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
    node.subscribe(&id).await;
    (id.to_string(), Container(id.to_string()), Installer(id.into_string()))
}

async fn log(node: &Node, id: &str) -> Result<String, ErrorCode> {
    match node.ask(ToAgent::InstallLog(ServerRef { server_id: id.into() })).await {
        Ok(ToPanel::FileContent(file)) => Ok(file.content.unwrap()),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.code),
    }
}

fn reinstall(id: &str, wipe: bool) -> ToAgent {
    ToAgent::ServerReinstall(ServerReinstall { server_id: id.into(), wipe })
}

fn installer_is_there(id: &str) -> bool {
    !docker(&["ps", "-a", "-q", "--filter", &format!("name=ctrl-alt-play-{id}.install")]).is_empty()
}

/// The game that the script installs: says who it is and what it got, then waits for its end.
const INSTALL: &str = "#!/bin/ash\r\n\
    set -e\r\n\
    [ -f /mnt/install/install.sh ] && [ \"$(id -u)\" = 0 ]\r\n\
    cd /mnt/server\r\n\
    echo \"Installing version ${GAME_VERSION}\"\r\n\
    printf 'old=1\\nport=0\\n' > game.properties\r\n\
    cat > game.sh <<'SH'\r\n\
trap 'echo saving; echo saved > world.txt; exit 0' INT\r\n\
echo \"name=[$1]\"\r\n\
echo \"who=$(id -u):$(id -g) $(whoami) home=$HOME machine=$(wc -c < /etc/machine-id)\"\r\n\
printf '#!/bin/sh\\necho tmp runs\\n' > /tmp/x; chmod 755 /tmp/x; /tmp/x\r\n\
grep port= game.properties\r\n\
printf '\\033[32mServer is \\033[0mup\\n'\r\n\
while :; do sleep 0.1; done\r\n\
SH\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_egg_is_installed_configured_run_and_stopped() {
    let node = Node::new().await;
    let mut spec = egg(INSTALL, "exec ash game.sh \"{{SERVER_NAME}}\"");
    let name = "it's \"so\" $(touch pwned1) `touch pwned2`\n; touch pwned3 #\\";
    spec.environment =
        [("SERVER_NAME", name), ("GAME_VERSION", "1.2")].map(|(k, v)| (k.into(), v.into())).into();
    spec.ports = vec![Port { internal: 7777, external: 47_777, protocol: Protocol::Udp }];
    let template = spec.template.as_mut().unwrap();
    template.ready = vec!["never said".into(), "Server is up".into()];
    template.variables = vec![TemplateVariable {
        name: "SERVER_NAME".into(),
        label: "Name".into(),
        rules: vec!["required".into()],
        ..TemplateVariable::default()
    }];
    template.config_files = serde_json::from_value(json!([
        {"path": "game.properties", "parser": "properties",
         "set": [{"key": "port", "value": "{{server.build.default.port}}"}, {"key": "new", "value": "{{env.GAME_VERSION}}"}, {"key": "host", "value": "{{config.docker.interface}}"}]},
        {"path": "deep/er/settings.json", "parser": "json", "set": [{"key": "net.port", "value": "{{server.allocations.default.port}}"}]},
        {"path": "broken.json", "parser": "json", "set": [{"key": "a", "value": "1"}]},
    ]))
    .unwrap();
    let (id, _container, _installer) = begin(&node, spec).await;
    node.line(&id, "Installing version 1.2").await;
    node.is(&id, Status::Stopped).await;
    assert!(!installer_is_there(&id), "its container goes when it is over");
    let log = log(&node, &id).await.unwrap();
    assert!(log.contains("Installing version 1.2\n") && log.contains("code 0"), "{log}");
    let owner = std::fs::metadata(node.file(&id, "game.sh")).unwrap();
    assert_eq!((owner.uid(), owner.gid()), (988, 988));
    std::fs::write(node.file(&id, "broken.json"), "{\n\n oh no").unwrap();

    node.start(&id).await;
    node.line(&id, "Config files: set game.properties, deep/er/settings.json.").await;
    node.line(&id, "broken.json, line 3 was not set").await;
    assert_eq!(std::fs::read_to_string(node.file(&id, "broken.json")).unwrap(), "{\n\n oh no");
    node.line(&id, "who=988:988 container home=/home/container machine=33").await;
    node.line(&id, "tmp runs").await;
    node.line(&id, "port=7777").await;
    assert!(
        node.texts(&id).iter().any(|line| line.starts_with("name=[it's \"so\" $(touch pwned1)")),
        "{:#?}",
        node.texts(&id)
    );
    for pwned in ["pwned1", "pwned2", "pwned3"] {
        assert!(!node.file(&id, pwned).exists(), "a value became shell: {pwned}");
    }
    let properties = std::fs::read_to_string(node.file(&id, "game.properties")).unwrap();
    assert!(properties.contains("old=1") && properties.contains("new=1.2"), "{properties}");
    let gateway =
        docker(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "ctrl-alt-play"]);
    assert!(properties.contains(&format!("host={gateway}")), "{gateway}: {properties}");
    let json = std::fs::metadata(node.file(&id, "deep/er/settings.json")).unwrap();
    assert_eq!((json.uid(), json.mode() & 0o777), (988, 0o644));

    assert_eq!(node.power(&id, PowerAction::Stop).await, Ok(Status::Stopping));
    let stopped = node.is(&id, Status::Stopped).await;
    assert_eq!(stopped.exit_code, Some(0), "{stopped:?}");
    assert_eq!(node.written(&id, "world.txt").await, "saved\n");
    node.start(&id).await;
    node.line(&id, "Config files: unchanged game.properties, deep/er/settings.json.").await;
    node.delete(&id).await;
    assert!(!node.dir.path().join("agent").join(format!("{id}.install.log")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_is_believed_and_a_start_tries_again() {
    let node = Node::new().await;
    let script =
        "echo trying $GOOD; [ \"$GOOD\" = yes ] || { echo there is no such version; exit 3; }; echo fine";
    let mut spec = egg(script, "echo up; sleep 1000");
    spec.environment = [("GOOD".to_owned(), "no".to_owned())].into();
    let (id, _container, _installer) = begin(&node, spec).await;
    let failed = node.is(&id, Status::InstallFailed).await;
    let error = failed.error.unwrap();
    assert_eq!(error, "The install script ended with code 3: there is no such version");
    assert_eq!(failed.exit_code, Some(3));
    assert!(log(&node, &id).await.unwrap().contains("trying no\nthere is no such version\n"));
    assert_eq!(node.power(&id, PowerAction::Restart).await, Err(ErrorCode::NotRunning));
    let update = json!({"serverId": id, "environment": {"GOOD": "yes"}});
    node.ask(ToAgent::ServerUpdate(Box::new(serde_json::from_value(update).unwrap()))).await.unwrap();
    assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Installing));
    node.is(&id, Status::Running).await;
    node.line(&id, "trying yes").await;
    // The next start does not install.
    node.power(&id, PowerAction::Kill).await.unwrap();
    node.is(&id, Status::Stopped).await;
    let tries = |node: &Node| node.texts(&id).iter().filter(|line| line.starts_with("trying")).count();
    let before = tries(&node);
    node.start(&id).await;
    assert_eq!(tries(&node), before);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ignores_sigterm_can_be_cancelled_and_deleted() {
    let node = Node::new().await;
    let script = "trap '' TERM INT HUP; echo deaf; while :; do sleep 0.1; done";
    let (id, _container, _installer) = begin(&node, egg(script, "sleep 1000")).await;
    node.line(&id, "deaf").await;
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::Installing));
    node.ask(ToAgent::InstallCancel(ServerRef { server_id: id.clone().into() })).await.unwrap();
    let failed = node.is(&id, Status::InstallFailed).await;
    assert_eq!(failed.error.as_deref(), Some("The installation was cancelled."));
    assert!(!installer_is_there(&id));
    assert!(log(&node, &id).await.unwrap().contains("deaf\n"));
    node.ask(reinstall(&id, false)).await.unwrap();
    node.is(&id, Status::Installing).await;
    eventually("the container runs", || installer_is_there(&id).then_some(())).await;
    node.delete(&id).await;
    assert!(!installer_is_there(&id));
    assert!(!node.file(&id, "").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_bounded() {
    let node = Node::new().await;
    let script = "echo first; yes 0123456789012345678901234567890123456789 | head -c 100000000; echo; echo last; exit 5";
    let (id, _container, _installer) = begin(&node, egg(script, "sleep 1000")).await;
    let patience = Duration::from_secs(240);
    node.line_within(&id, "ended with code 5: last", patience).await;
    node.is(&id, Status::InstallFailed).await;
    let kept = log(&node, &id).await.unwrap();
    assert!(kept.len() < 4 << 20 && kept.contains("last\n"), "{} bytes", kept.len());
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_without_end_are_ended_with_the_script() {
    let node = Node::new().await;
    let script = "echo begun; bomb() { bomb & bomb & wait; }; bomb";
    let (id, _container, _installer) = begin(&node, egg(script, "sleep 1000")).await;
    node.line(&id, "begun").await;
    node.ask(ToAgent::InstallCancel(ServerRef { server_id: id.clone().into() })).await.unwrap();
    node.is(&id, Status::InstallFailed).await;
    assert!(!installer_is_there(&id));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_fills_the_disk_fails_and_a_wiped_reinstall_heals() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs", &path]).status();
    if !mounted.is_ok_and(|status| status.success()) {
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
    let script = "set -e; dd if=/dev/zero of=/mnt/server/big bs=1M count=$MEGABYTES; echo small enough";
    let mut spec = egg(script, "sleep 1000");
    spec.environment = [("MEGABYTES".to_owned(), "100".to_owned())].into();
    let (id, _container, _installer) = begin(&node, spec).await;
    let failed = node.is(&id, Status::InstallFailed).await;
    assert_eq!(failed.exit_code, Some(1), "{failed:?}");
    assert!(!installer_is_there(&id));
    std::fs::remove_file(node.file(&id, "big")).unwrap();
    let update = json!({"serverId": id, "environment": {"MEGABYTES": "1"}});
    node.ask(ToAgent::ServerUpdate(Box::new(serde_json::from_value(update).unwrap()))).await.unwrap();
    node.ask(reinstall(&id, true)).await.unwrap();
    node.line(&id, "small enough").await;
    node.is(&id, Status::Stopped).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_holds() {
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let tunables = agent::Tunables { install_limit: Duration::from_secs(2), ..quick() };
    let node = Node::with(dir, None, tunables).await;
    let (id, _container, _installer) = begin(&node, egg("echo begun; sleep 1000", "sleep 1000")).await;
    let failed = node.is(&id, Status::InstallFailed).await;
    let error = failed.error.unwrap();
    assert!(error.contains("took more than 1 minutes: begun"), "{error}");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_outlives_the_agent_or_is_said_to_be_cut_off() {
    let node = Node::new().await;
    let script = "echo once >> runs.txt; echo begun; while [ ! -e go ]; do sleep 0.1; done; echo gone on; exit $(cat go)";
    let (id, _container, _installer) = begin(&node, egg(script, "sleep 1000")).await;
    node.line(&id, "begun").await;
    let dir = node.stop().await;
    let node = Node::with(dir, None, quick()).await;
    node.subscribe(&id).await;
    node.is(&id, Status::Installing).await;
    node.line(&id, "begun").await;
    std::fs::write(node.file(&id, "go"), "0").unwrap();
    node.line(&id, "gone on").await;
    node.is(&id, Status::Stopped).await;
    assert_eq!(std::fs::read_to_string(node.file(&id, "runs.txt")).unwrap(), "once\n");
    // It ends while no agent is there.
    std::fs::remove_file(node.file(&id, "go")).unwrap();
    node.ask(reinstall(&id, false)).await.unwrap();
    node.is(&id, Status::Installing).await;
    let runs = node.file(&id, "runs.txt");
    eventually("it runs", || (std::fs::read_to_string(&runs).unwrap() == "once\nonce\n").then_some(())).await;
    let go = node.file(&id, "go");
    let dir = node.stop().await;
    std::fs::write(go, "4").unwrap();
    let name = format!("ctrl-alt-play-{id}.install");
    eventually("it ends", || {
        (docker(&["inspect", "-f", "{{.State.Running}}", &name]) == "false").then_some(())
    })
    .await;
    let node = Node::with(dir, None, quick()).await;
    let failed = node.is(&id, Status::InstallFailed).await;
    assert_eq!(failed.error.as_deref(), Some("The install script ended with code 4: gone on"));
    // Its container goes while no agent is there.
    std::fs::remove_file(node.file(&id, "go")).unwrap();
    node.ask(reinstall(&id, false)).await.unwrap();
    eventually("it runs", || (std::fs::read_to_string(&runs).unwrap().lines().count() == 3).then_some(()))
        .await;
    let dir = node.stop().await;
    docker(&["rm", "-f", &name]);
    let node = Node::with(dir, None, quick()).await;
    let failed = node.is(&id, Status::InstallFailed).await;
    assert!(failed.error.unwrap().contains("cut off"));
    assert_eq!(std::fs::read_to_string(&runs).unwrap().lines().count(), 3, "it is not run once more");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reinstall_keeps_the_data_or_wipes_it() {
    let node = Node::new().await;
    let (id, _container, _installer) = begin(&node, egg("echo run >> runs.txt", "sleep 1000")).await;
    node.is(&id, Status::Stopped).await;
    std::fs::write(node.file(&id, "world"), "x").unwrap();
    let done = |count: usize| {
        let path = node.file(&id, "runs.txt");
        move || {
            let runs = std::fs::read_to_string(&path).unwrap_or_default();
            (runs.lines().count() == count).then_some(())
        }
    };
    node.ask(reinstall(&id, false)).await.unwrap();
    eventually("the second run", done(2)).await;
    node.is(&id, Status::Stopped).await;
    assert!(node.file(&id, "world").exists());
    node.ask(reinstall(&id, true)).await.unwrap();
    eventually("a run in an empty folder", done(1)).await;
    node.is(&id, Status::Stopped).await;
    assert!(!node.file(&id, "world").exists());
    assert_eq!(std::fs::metadata(node.file(&id, "")).unwrap().uid(), 988);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_there_already_is_not_installed_over() {
    let node = Node::new().await;
    let spec = egg("echo run >> runs.txt", "sleep 1000");
    // As after a transfer, or where the node lost its own files.
    let folder = node.file(&spec.server_id, "");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("world"), "x").unwrap();
    let (id, _container, _installer) = begin(&node, spec).await;
    node.is(&id, Status::Stopped).await;
    node.line(&id, "holds data already").await;
    assert!(node.file(&id, "world").exists() && !node.file(&id, "runs.txt").exists());
    node.ask(reinstall(&id, false)).await.unwrap();
    let runs = node.file(&id, "runs.txt");
    eventually("the run that was asked for", || runs.exists().then_some(())).await;
    node.is(&id, Status::Stopped).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_breaks_its_rule_keeps_it_from_starting() {
    let node = Node::new().await;
    let mut spec = egg("true", "sleep 1000");
    let template = spec.template.as_mut().unwrap();
    template.install = None;
    template.variables = vec![TemplateVariable {
        name: "SLOTS".into(),
        default: "many".into(),
        rules: vec!["integer".into(), "between:1,64".into()],
        ..TemplateVariable::default()
    }];
    let (id, _container, _installer) = begin(&node, spec).await;
    node.is(&id, Status::Stopped).await;
    let start = ToAgent::ServerStart(ServerRef { server_id: id.clone().into() });
    let refused = node.ask(start).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invalid);
    assert_eq!(refused.message, "The variable SLOTS must be a whole number.");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_leads_out_is_said_and_nothing_outside_changes() {
    let node = Node::new().await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("victim"), "port=1\n").unwrap();
    let mut spec = egg("true", "echo up; sleep 1000");
    let template = spec.template.as_mut().unwrap();
    template.install = None;
    let setting = json!([{"key": "port", "value": "2"}]);
    template.config_files = serde_json::from_value(json!([
        {"path": "link/victim", "parser": "properties", "set": setting},
        {"path": "../../victim", "parser": "properties", "set": setting},
        {"path": "new.properties", "parser": "properties", "set": setting},
        {"path": "a.conf", "parser": "of tomorrow", "set": setting},
    ]))
    .unwrap();
    let (id, _container, _installer) = begin(&node, spec).await;
    node.is(&id, Status::Stopped).await;
    std::os::unix::fs::symlink(outside.path(), node.file(&id, "link")).unwrap();
    node.start(&id).await;
    node.line(&id, "link/victim was not set, and is left as it is: the path leads out").await;
    node.line(&id, "../../victim was not set, and is left as it is: the path leads out").await;
    node.line(&id, "a.conf was not set: this agent does not know the form \"of tomorrow\".").await;
    node.line(&id, "Config files: set new.properties.").await;
    assert_eq!(std::fs::read_to_string(outside.path().join("victim")).unwrap(), "port=1\n");
    node.delete(&id).await;
}
