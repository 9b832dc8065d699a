//! An engine of the test's own, which really stops and starts: what it takes along must run again.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use protocol::*;
use tempfile::TempDir;

use crate::harness::*;

struct Engine {
    dir: TempDir,
    running: Option<Child>,
}

impl Engine {
    /// None where this machine lets nobody start a second one.
    async fn new() -> Option<Self> {
        image();
        let mut engine = Self { dir: tempfile::tempdir().unwrap(), running: None };
        let there = ["/usr/sbin/dockerd", "/usr/bin/unshare"].iter().all(|path| Path::new(path).exists());
        if !there || !engine.start().await {
            return None;
        }
        let load = format!("docker save {IMAGE} | docker -H {} load", engine.host());
        assert!(Command::new("sh").args(["-c", &load]).stdout(Stdio::null()).status().unwrap().success());
        Some(engine)
    }

    fn host(&self) -> String {
        format!("unix://{}/engine.sock", self.dir.path().display())
    }

    async fn start(&mut self) -> bool {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let log = std::fs::File::options().create(true).append(true).open(path("log")).unwrap();
        // In a network of its own: with `--bridge none` it deletes the `docker0` that it sees, which is another engine's.
        let mut child = Command::new("unshare")
            .args(["--net", "--", "/usr/sbin/dockerd"])
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args(["-H", &self.host(), "--bridge", "none", "--iptables=false", "--ip-masq=false"])
            .args(["--storage-driver", "vfs", "--containerd-namespace", "cap-test"])
            .stderr(log)
            .spawn()
            .unwrap();
        for _ in 0..600 {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            let asked = Command::new("docker").args(["-H", &self.host(), "info"]).output().unwrap();
            if asked.status.success() {
                self.running = Some(child);
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        self.running = Some(child);
        self.stop();
        panic!("the test's own engine does not answer");
    }

    /// As a service manager does: SIGTERM, which ends the games as well.
    fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_stops_takes_games_along_and_they_run_again_with_it() {
    let Some(mut engine) = Engine::new().await else {
        eprintln!("left out: no second engine here");
        return;
    };
    let node = Node::with(Arc::new(tempfile::tempdir().unwrap()), Some(engine.host()), quick()).await;
    let saves = "trap 'echo saved >> world; exit 0' TERM; echo up; while :; do sleep 0.1; done";
    let [saving, plain, stopped] = [saves, "sleep 1000", "sleep 1000"];
    let (saving, plain, stopped) = (node.run(saving).await, node.run(plain).await, node.run(stopped).await);
    node.line(&saving, "up").await;
    node.power(&stopped, PowerAction::Stop).await.unwrap();
    node.is(&stopped, Status::Stopped).await;
    for round in 1..=2 {
        engine.stop();
        for id in [&saving, &plain, &stopped] {
            node.is(id, Status::Unknown).await;
        }
        assert_eq!(node.power(&plain, PowerAction::Start).await, Err(ErrorCode::EngineUnavailable));
        let world = std::fs::read_to_string(node.file(&saving, "world")).unwrap();
        assert_eq!(world.lines().count(), round, "the game could not save when the engine stopped");
        assert!(engine.start().await);
        node.is(&saving, Status::Running).await;
        node.is(&plain, Status::Running).await;
        node.is(&stopped, Status::Stopped).await;
        // Up to its trap.
        let ups = || node.texts(&saving).iter().filter(|text| *text == "up").count();
        eventually("the game to be up", || (ups() > round).then_some(())).await;
    }
    for id in [&saving, &plain, &stopped] {
        assert!(!node.path(id).contains(&Status::Crashed), "{:?}", node.path(id));
        node.delete(id).await;
    }
}
