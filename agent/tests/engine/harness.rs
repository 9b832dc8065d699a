//! A node in a folder of its own, and a panel that remembers all it was told.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use agent::link::{Outbox, PanelSide, local};
use agent::{AgentConfig, RestartPolicy, Tunables};
use protocol::*;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Two megabytes, made here.
pub(crate) const IMAGE: &str = "cap-test/agent-busybox:1";
/// For everything that goes over the engine: generous, the machine may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Runs the `docker` program.
pub(crate) fn docker(args: &[&str]) -> String {
    let out = Command::new("docker").args(args).output().expect("docker runs");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// The image, made once: busybox and links to it, nothing else.
pub(crate) fn image() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        if !docker(&["image", "inspect", "-f", "{{.Id}}", IMAGE]).is_empty() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let script = r#"
            set -e
            mkdir -p bin etc tmp dev proc sys home/container
            chmod 1777 tmp home/container
            cp "$(command -v busybox)" bin/busybox
            for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "bin/$applet"; done
            printf 'root:x:0:0:root:/:/bin/sh\nplayer:x:1234:1235::/home:/bin/sh\n' > etc/passwd
            tar -c . | docker import - "$1" > /dev/null
        "#;
        let made = Command::new("sh").args(["-c", script, "sh", IMAGE]).current_dir(&root).status().unwrap();
        assert!(made.success());
    });
}

/// What a panel knows.
#[derive(Default)]
struct ContainerState {
    answers: HashMap<String, ToPanel>,
    statuses: Vec<ServerStatus>,
    lines: HashMap<String, Vec<ConsoleItem>>,
    resets: HashMap<String, usize>,
    others: Vec<ToPanel>,
}

/// An agent and the panel's end of its link.
pub(crate) struct Node {
    pub(crate) dir: Arc<TempDir>,
    seen: Arc<Mutex<ContainerState>>,
    news: Arc<Notify>,
    to_agent: Outbox<ToAgent>,
    cancel: CancellationToken,
    tasks: TaskTracker,
    number: AtomicU64,
}

pub(crate) fn quick() -> Tunables {
    let ms = Duration::from_millis;
    Tunables {
        patience: RestartPolicy {
            delays: vec![ms(100), ms(200), ms(300)],
            restarts: 3,
            window: Duration::from_secs(600),
            good_run: Duration::from_secs(600),
        },
        grace: Duration::from_secs(1),
        probe_away: ms(200),
        probe_there: Duration::from_secs(1),
        probe_deadline: Duration::from_secs(2),
        stagger: ms(50),
        console_check: ms(500),
        heartbeat: ms(500),
        sample_idle: Duration::from_secs(10),
        install_limit: Duration::from_secs(600),
    }
}

impl Node {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(tempfile::tempdir().unwrap()), None, quick()).await
    }

    pub(crate) async fn with(dir: Arc<TempDir>, docker_host: Option<String>, tunables: Tunables) -> Self {
        image();
        let (panel, agent) = local(64);
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let config = AgentConfig {
            node_id: "test".into(),
            data_dir: dir.path().to_owned(),
            docker_host,
            version: "0.0.0".into(),
            timezone: Some("UTC".into()),
            tunables,
            no_firewall: true,
            ..AgentConfig::default()
        };
        drop(agent::start(config, agent, &tasks, cancel.clone()).unwrap());
        let PanelSide { to_agent, mut from_agent } = panel;
        let (seen, news) = (Arc::<Mutex<ContainerState>>::default(), Arc::new(Notify::new()));
        let (to, wake) = (Arc::clone(&seen), Arc::clone(&news));
        drop(tasks.spawn(async move {
            while let Some(envelope) = from_agent.recv().await {
                to.lock().unwrap().take(envelope);
                wake.notify_waiters();
            }
        }));
        let node = Self { dir, seen, news, to_agent, cancel, tasks, number: AtomicU64::new(0) };
        node.until("the first sync", |seen| {
            seen.others.iter().any(|m| matches!(m, ToPanel::Sync(_))).then_some(())
        })
        .await;
        node
    }

    /// Ends the agent and waits for its tasks; games run on, and so does the folder.
    pub(crate) async fn stop(self) -> Arc<TempDir> {
        self.cancel.cancel();
        self.tasks.close();
        let dir = Arc::clone(&self.dir);
        let tasks = self.tasks.clone();
        drop(self);
        tokio::time::timeout(SOON, tasks.wait()).await.expect("all tasks end");
        dir
    }

    async fn until<T>(&self, what: &str, look: impl Fn(&ContainerState) -> Option<T>) -> T {
        self.until_within(what, SOON, look).await
    }

    async fn until_within<T>(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn(&ContainerState) -> Option<T>,
    ) -> T {
        let end = Instant::now() + patience;
        loop {
            let news = self.news.notified();
            if let Some(found) = look(&self.seen.lock().unwrap()) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || tokio::time::timeout(left, news).await.is_err() {
                let seen = self.seen.lock().unwrap();
                let last: Vec<_> = seen.statuses.iter().rev().take(8).collect();
                panic!(
                    "waited {patience:?} for {what}; the last statuses were {last:#?}, lines {:#?}",
                    seen.lines
                );
            }
        }
    }

    pub(crate) fn send(&self, message: ToAgent, id: &str) {
        self.to_agent.try_send(Envelope::with_id(message, id)).unwrap();
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask(&self, message: ToAgent) -> Result<ToPanel, ErrorReport> {
        let id = self.number.fetch_add(1, Ordering::Relaxed).to_string();
        self.send(message, &id);
        self.answer(&id).await
    }

    pub(crate) async fn answer(&self, id: &str) -> Result<ToPanel, ErrorReport> {
        match self.until("an answer", |seen| seen.answers.get(id).cloned()).await {
            ToPanel::Error(error) => Err(error),
            answer => Ok(answer),
        }
    }

    pub(crate) async fn power(&self, id: &str, action: PowerAction) -> Result<Status, ErrorCode> {
        let power = ServerPower { server_id: id.into(), action };
        let before = self.statuses(id).len();
        match self.ask(ToAgent::ServerPower(power)).await {
            Ok(ToPanel::Ack(ack)) => {
                let status = ack.status.expect("an ack of a power action has a status");
                // From here on the last status is one from after the click.
                self.until("the status that was answered", |seen| {
                    seen.statuses
                        .iter()
                        .filter(|s| s.server_id == id)
                        .skip(before)
                        .find(|s| s.status == status)
                        .map(drop)
                })
                .await;
                Ok(status)
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.code),
        }
    }

    pub(crate) async fn command(&self, id: &str, command: &str) -> Result<(), ErrorCode> {
        let command = ServerCommand { server_id: id.into(), command: command.into() };
        self.ask(ToAgent::ServerCommand(command)).await.map(drop).map_err(|error| error.code)
    }

    pub(crate) async fn delete(&self, id: &str) {
        self.ask(ToAgent::ServerDelete(ServerRef { server_id: id.into() })).await.unwrap();
    }

    /// Creates a server and waits for its installation's end.
    pub(crate) async fn create(&self, spec: ServerCreate) -> String {
        let id = spec.server_id.clone();
        self.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
        self.status(&id, |s| matches!(s.status, Status::Stopped | Status::InstallFailed)).await;
        self.subscribe(&id).await;
        id.into_string()
    }

    pub(crate) async fn subscribe(&self, id: &str) {
        let subscribe =
            ConsoleSubscribe { server_id: id.into(), after: None, last: Vec::new(), partial: true };
        self.ask(ToAgent::ConsoleSubscribe(subscribe)).await.unwrap();
    }

    /// Creates one that runs this line, starts it and waits until it runs.
    pub(crate) async fn run(&self, startup: &str) -> String {
        let id = self.create(spec(startup)).await;
        self.start(&id).await;
        id
    }

    pub(crate) async fn start(&self, id: &str) {
        assert_eq!(self.power(id, PowerAction::Start).await, Ok(Status::Starting));
        self.is(id, Status::Running).await;
    }

    /// Waits until the last word about a server is such.
    pub(crate) async fn status(&self, id: &str, such: impl Fn(&ServerStatus) -> bool) -> ServerStatus {
        self.until(&format!("a status of {id}"), |seen| {
            seen.statuses.iter().rev().find(|s| s.server_id == id).filter(|s| such(s)).cloned()
        })
        .await
    }

    pub(crate) async fn is(&self, id: &str, status: Status) -> ServerStatus {
        self.status(id, |s| s.status == status).await
    }

    /// Everything that a server was, in order, without repetitions.
    pub(crate) fn path(&self, id: &str) -> Vec<Status> {
        let seen = self.seen.lock().unwrap();
        let mut path: Vec<Status> =
            seen.statuses.iter().filter(|s| s.server_id == id).map(|s| s.status.clone()).collect();
        path.dedup();
        path
    }

    pub(crate) fn statuses(&self, id: &str) -> Vec<ServerStatus> {
        self.seen.lock().unwrap().statuses.iter().filter(|s| s.server_id == id).cloned().collect()
    }

    /// Waits for a line of this text (after that many such ones).
    pub(crate) async fn line(&self, id: &str, text: &str) -> ConsoleLine {
        self.line_within(id, text, SOON).await
    }

    pub(crate) async fn line_within(&self, id: &str, text: &str, patience: Duration) -> ConsoleLine {
        self.until_within(&format!("a line {text:?}"), patience, |seen| {
            seen.lines.get(id)?.iter().find_map(|item| match item {
                ConsoleItem::Line(line) if line.text.contains(text) => Some(line.clone()),
                _ => None,
            })
        })
        .await
    }

    pub(crate) fn items(&self, id: &str) -> Vec<ConsoleItem> {
        self.seen.lock().unwrap().lines.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn texts(&self, id: &str) -> Vec<String> {
        let text = |item| match item {
            ConsoleItem::Line(line) => Some(line.text),
            ConsoleItem::Skipped { .. } => None,
        };
        self.items(id).into_iter().filter_map(text).collect()
    }

    /// Waits for a message that is neither answer, status nor line.
    pub(crate) async fn message<T>(&self, what: &str, look: impl Fn(&ToPanel) -> Option<T>) -> T {
        self.until(what, |seen| seen.others.iter().rev().find_map(&look)).await
    }

    pub(crate) fn forget_messages(&self) {
        self.seen.lock().unwrap().others.clear();
    }

    /// A file in the server's folder.
    pub(crate) fn file(&self, id: &str, name: &str) -> PathBuf {
        self.dir.path().join("servers").join(id).join(name)
    }

    pub(crate) async fn written(&self, id: &str, name: &str) -> String {
        let path = self.file(id, name);
        eventually(&format!("{}", path.display()), || {
            std::fs::read_to_string(&path).ok().filter(|t| !t.is_empty())
        })
        .await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl ContainerState {
    fn take(&mut self, envelope: Envelope<ToPanel>) {
        if let Some(id) = envelope.message_id {
            self.answers.insert(id, envelope.message);
            return;
        }
        match envelope.message {
            ToPanel::ServerStatus(status) => self.statuses.push(*status),
            ToPanel::ConsoleLines(lines) => {
                if lines.reset {
                    *self.resets.entry(lines.server_id.to_string()).or_default() += 1;
                }
                let kept = self.lines.entry(lines.server_id.into_string()).or_default();
                kept.extend(lines.lines);
                // A flood is not to be kept.
                if kept.len() > 200_000 {
                    kept.drain(..100_000);
                }
            }
            other => self.others.push(other),
        }
    }
}

/// Waits for something that no message tells of.
pub(crate) async fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {SOON:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Removes what a test leaves at the engine, also when it fails.
pub(crate) struct Container(pub String);

impl Drop for Container {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.0);
        let quiet = Stdio::null;
        let _ =
            Command::new("docker").args(["rm", "-f", "-v", &name]).stdout(quiet()).stderr(quiet()).status();
    }
}

/// An id that nobody else has.
pub(crate) fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    format!("t{}-{}-{nanos}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A server that runs this line in the image of the tests, and stops within three seconds.
pub(crate) fn spec(startup: &str) -> ServerCreate {
    ServerCreate {
        server_id: new_id().into(),
        name: Some("test".into()),
        image: IMAGE.into(),
        startup: startup.into(),
        environment: Default::default(),
        limits: Limits { memory: 64 << 20, ..Limits::default() },
        ports: Vec::new(),
        block_lan: false,
        behaviour: Some(Behaviour { stop_timeout: 3, ..Behaviour::default() }),
        template: None,
    }
}
