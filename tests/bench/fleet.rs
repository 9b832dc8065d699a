//! A fleet: a hundred, three hundred, a thousand agents with ten servers each, over real sockets. Their link is the
//! real one; instead of an engine there is a simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agent::link::{self, Outbox};
use agent::remote::{Dialer, LinkState, Remote};
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use protocol::{
    Ack, Envelope, Heartbeat, Network, NodeId, ServerId, ServerStats, ServerStatus, Stats, Status, Sync,
    SystemInfo, ToAgent, ToPanel,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::CancellationToken;

use crate::idle::{cpu_seconds, field};
use crate::panel::{BoxError, Panel};
use crate::report::Report;
use crate::{Result, spawn};

const SERVERS_EACH: usize = 10;
const SAMPLES: usize = 300;

/// A simulated agent: its servers, and which of them are watched.
struct Machine {
    node_id: NodeId,
    servers: Mutex<BTreeMap<ServerId, Status>>,
    watched: Mutex<Vec<ServerId>>,
    out: Outbox<ToPanel>,
}

struct Fleet {
    machines: Vec<Arc<Machine>>,
    panel_url: String,
    stop: CancellationToken,
}

impl Fleet {
    /// Adds machines until there are `count`.
    async fn grow(&mut self, count: usize, panel: &Panel) -> Result<()> {
        let before = self.machines.len();
        for number in before..count {
            let node_id = format!("node-{number:04}");
            // Nodes that join by the shared secret are limited to a few hundred.
            let made =
                panel.call(reqwest::Method::POST, "/api/nodes", Some(json!({ "id": node_id }))).await?;
            let remote = Remote {
                panel_url: self.panel_url.clone(),
                node_id: node_id.into(),
                secret: made["secret"].as_str().ok_or("no secret")?.to_owned(),
                ..Remote::default()
            };
            let (panel_side, agent_side) = link::local(64);
            let (connected, _) = watch::channel(LinkState::Away);
            spawn(Dialer::new(remote.clone())?.run(panel_side, connected, self.stop.clone()));
            let machine = Arc::new(Machine {
                node_id: remote.node_id,
                servers: Mutex::default(),
                watched: Mutex::default(),
                out: agent_side.to_panel.clone(),
            });
            spawn(Arc::clone(&machine).hear(agent_side, self.stop.clone()));
            spawn(Arc::clone(&machine).speak(self.stop.clone()));
            self.machines.push(machine);
        }
        self.all_online(panel, Duration::from_secs(60)).await?;
        self.populate(before, panel).await
    }

    async fn all_online(&self, panel: &Panel, patience: Duration) -> Result<Duration> {
        let began = Instant::now();
        loop {
            let nodes = panel.call(reqwest::Method::GET, "/api/nodes", None).await?;
            let online = nodes.as_array().into_iter().flatten().filter(|node| node["online"] == true).count();
            // The local node is in the list as well.
            if online > self.machines.len() {
                return Ok(began.elapsed());
            }
            if began.elapsed() > patience {
                return Err(format!("{online} of {} agents are online", self.machines.len()).into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Creates ten servers for each machine from `first` on.
    async fn populate(&self, first: usize, panel: &Panel) -> Result<()> {
        let mut makers = tokio::task::JoinSet::new();
        for part in 0..16 {
            let nodes: Vec<String> = self.machines[first..]
                .iter()
                .skip(part)
                .step_by(16)
                .map(|machine| machine.node_id.to_string())
                .collect();
            let panel = panel.caller();
            makers.spawn(async move {
                for node in nodes {
                    for number in 0..SERVERS_EACH {
                        let body = json!({
                            "name": format!("{node} {number}"), "nodeId": node, "image": "fleet/game", "startup": "game",
                        });
                        panel.call(reqwest::Method::POST, "/api/servers", Some(body)).await?;
                    }
                }
                Ok::<(), BoxError>(())
            });
        }
        while let Some(made) = makers.join_next().await {
            made??;
        }
        let began = Instant::now();
        while self.machines.iter().any(|machine| lock(&machine.servers).len() < SERVERS_EACH) {
            if began.elapsed() > Duration::from_secs(30) {
                return Err("not every server reached its agent".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Machine {
    fn say(&self, message: ToPanel) {
        // Messages are lost while the panel is away, as with a real agent.
        let _ = self.out.try_send(Envelope::new(message));
    }

    async fn hear(self: Arc<Self>, mut side: link::AgentSide, stop: CancellationToken) {
        loop {
            let envelope = tokio::select! {
                () = stop.cancelled() => return,
                envelope = side.from_panel.recv() => envelope,
            };
            let Some(Envelope { message, message_id, .. }) = envelope else { return };
            match message {
                ToAgent::SystemInfoRequest => {
                    let words = ["docker", "monitoring", "ack", "sync", "console", "stats", "install"];
                    self.say(ToPanel::SystemInfo(Box::new(SystemInfo {
                        node_id: self.node_id.clone(),
                        os: "linux".into(),
                        arch: "arm64".into(),
                        memory: 8 << 30,
                        cpu: "4 cores, Cortex-A72".into(),
                        docker_version: Some("20.10.24".into()),
                        capabilities: words.map(Into::into).to_vec(),
                        ..SystemInfo::default()
                    })));
                    let servers = lock(&self.servers);
                    let servers = servers.iter().map(|(id, status)| ServerStatus::new(id, status.clone()));
                    self.say(ToPanel::Sync(Sync { servers: servers.collect() }));
                }
                ToAgent::ServerCreate(spec) => {
                    lock(&self.servers).insert(spec.server_id.clone(), Status::Running);
                    self.answer(message_id);
                    self.status(&spec.server_id, Status::Running);
                }
                ToAgent::StatsSubscribe(wanted) => {
                    *lock(&self.watched) = wanted.server_ids;
                    self.answer(message_id);
                }
                _ => self.answer(message_id),
            }
        }
    }

    fn answer(&self, id: Option<String>) {
        if let Some(id) = id {
            let _ = self.out.try_send(Envelope::with_id(ToPanel::Ack(Ack::default()), id));
        }
    }

    fn status(&self, id: &str, status: Status) {
        self.say(ToPanel::ServerStatus(Box::new(ServerStatus::new(id, status))));
    }

    /// Sends a heartbeat every 30 s, and every second a stats sample of each watched server.
    async fn speak(self: Arc<Self>, stop: CancellationToken) {
        let start = tokio::time::Instant::now() + Duration::from_millis(rand::random_range(0..1000));
        let mut tick = tokio::time::interval_at(start, Duration::from_secs(1));
        for second in 0_u64.. {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            if second % 30 == 0 {
                self.say(ToPanel::Heartbeat(Heartbeat {
                    node_id: self.node_id.clone(),
                    timestamp: Timestamp::now(),
                    status: "online".into(),
                }));
            }
            let watched = lock(&self.watched).clone();
            for server_id in watched {
                self.say(ToPanel::ServerStats(ServerStats {
                    server_id,
                    stats: Stats {
                        cpu: 12.5,
                        memory: 512 << 20,
                        disk: 1 << 30,
                        network: Network { received: second * 1000, sent: second * 2000 },
                        players: None,
                        timestamp: Timestamp::now(),
                    },
                }));
            }
        }
    }
}

type Browser = WebSocketStream<TcpStream>;

/// A browser that is subscribed to the list of servers, and has received all of it.
async fn look(panel: &Panel) -> Result<Browser> {
    let mut request = format!("ws://{}/api/live", panel.address).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", panel.token).parse()?);
    let stream = TcpStream::connect(&panel.address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    socket.send(Message::text(json!({ "subscribe": ["servers"] }).to_string())).await?;
    loop {
        let text = socket.next().await.ok_or("closed")??;
        if text.to_text().is_ok_and(|text| text.contains("\"all\"")) {
            return Ok(socket);
        }
    }
}

/// Time from a status at an agent to a subscribed browser, in milliseconds, sorted.
async fn status_latency(fleet: &Fleet, browser: &mut Browser) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let machine = &fleet.machines[rand::random_range(0..fleet.machines.len())];
        // Always a changed status, since an unchanged one is not sent.
        let (id, status, word) = {
            let mut servers = lock(&machine.servers);
            let which = rand::random_range(0..servers.len());
            let (id, status) = servers.iter_mut().nth(which).ok_or("no server")?;
            let up = *status != Status::Running;
            *status = if up { Status::Running } else { Status::Stopped };
            (id.clone(), status.clone(), if up { "running" } else { "stopped" })
        };
        let began = Instant::now();
        machine.status(&id, status);
        let seen = async {
            loop {
                let message = browser.next().await.ok_or("closed")??;
                let Message::Text(text) = message else { continue };
                if !text.contains(id.as_str()) {
                    continue;
                }
                let data: Value = serde_json::from_str(&text)?;
                let changed = &data["data"]["changed"];
                if changed["id"] == id.as_str() && changed["status"] == word {
                    return Ok::<(), BoxError>(());
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await??;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        // Reads other messages meanwhile, like a browser.
        let pause = tokio::time::sleep(Duration::from_millis(10));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                message = browser.next() => drop(message.ok_or("closed")??),
            }
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// CPU usage of the panel in percent of a core. Reads from `browser` meanwhile.
async fn cpu(panel: &Panel, window: Duration, browser: Option<&mut Browser>) -> Result<f64> {
    let before = cpu_seconds(panel.pid())?;
    let began = Instant::now();
    match browser {
        None => tokio::time::sleep(window).await,
        Some(browser) => {
            let read = async { while let Some(Ok(_)) = browser.next().await {} };
            // If the connection ends, the next step fails.
            let _ = tokio::time::timeout(window, read).await;
        }
    }
    Ok((cpu_seconds(panel.pid())? - before) / began.elapsed().as_secs_f64() * 100.0)
}

/// All measurements of the fleet.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let env = [("WEBSOCKET_PORT", port.to_string())];
    let mut panel = Panel::start_with(&env).await?;
    let mut fleet = Fleet {
        machines: Vec::new(),
        panel_url: format!("ws://127.0.0.1:{port}"),
        stop: CancellationToken::new(),
    };
    let _end = fleet.stop.clone().drop_guard();
    let counts: &[usize] = if crate::thorough() { &[100, 300, 1000] } else { &[1000] };
    for &count in counts {
        fleet.grow(count, &panel).await?;
        let servers = count * SERVERS_EACH;
        let most = count == 1000;
        // Waits until the work caused by creating servers and listing nodes is done. The smaller fleets show how the
        // usage grows.
        let (rest, window) = if most { (16, 10) } else { (4, 4) };
        let window = Duration::from_secs(window);
        tokio::time::sleep(Duration::from_secs(rest)).await;
        let idle = cpu(&panel, window, None).await?;
        let map = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", panel.pid()))?;
        let resident = field(&map, "Rss") / 1e3;
        let mut browser = look(&panel).await?;
        let watched = cpu(&panel, window, Some(&mut browser)).await?;
        let times = status_latency(&fleet, &mut browser).await?;
        let of = format!("{count} agents, {servers} servers");
        let rows = [
            (format!("{of}: resident"), "MB", resident, 150.0),
            (format!("{of}: processor, nobody looks"), "% core", idle, 5.0),
            (format!("{of}: status to browser, median"), "ms", times[SAMPLES / 2], 100.0),
            (format!("{of}: status to browser, 99 of 100"), "ms", times[SAMPLES * 99 / 100], 100.0),
        ];
        for (name, unit, value, target) in rows {
            if most {
                report.row(name, unit, value, target, None);
            } else {
                report.plain(name, unit, value, None);
            }
        }
        report.plain(format!("{of}: processor, one looks at all"), "% core", watched, None);
    }
    panel.kill().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    panel.again().await?;
    fleet.all_online(&panel, Duration::from_secs(60)).await?;
    let back = began.elapsed().as_secs_f64();
    report.row("1000 agents back after 3 s without a panel", "s", back, 10.0, None);
    fleet.stop.cancel();
    panel.stop().await
}
