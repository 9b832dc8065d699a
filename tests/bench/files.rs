//! Files: how fast bytes come and go, beside a plain copy over loopback; what memory that takes; and folders, archives and
//! searches beside the programs that people have for them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::bulk::{Watching, drain, plain_copy, processor, request};
use crate::panel::{IMAGE, Panel, binary};
use crate::report::Report;
use crate::{Result, thorough};

/// Entries of a folder, and how many the page asks for first.
const FOLDER: (usize, usize) = (50_000, 2_000);
/// Files that are searched.
const SEARCHED: usize = 100_000;
/// How long a machine that joins, a job or a transfer may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes that are sent and fetched.
fn large() -> u64 {
    if thorough() { 2 << 30 } else { 256 << 20 }
}

/// Where the bytes of a server lie, and who serves them.
struct Place {
    name: &'static str,
    id: String,
    folder: PathBuf,
    pid: u32,
}

/// Does blocking work beside the runtime.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// Does it, and gives the seconds that it took.
async fn timed<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<(T, f64)> {
    let began = Instant::now();
    let done = aside(work).await?;
    Ok((done, began.elapsed().as_secs_f64()))
}

/// All figures.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    crate::panel::make_image()?;
    let port = free_port()?;
    let panel = Panel::start_with(&[("WEBSOCKET_PORT", port.to_string())]).await?;
    let mut agent = Agent::join(&panel, port, "attic").await?;
    // The terminal echoes what is typed: that is the line which is waited for.
    let startup = "while read word; do :; done";
    let id = panel.server("local", startup).await?;
    let local =
        Place { name: "local", folder: panel.folder().join("servers").join(&id), id, pid: panel.pid() };
    let body = json!({ "name": "afar", "nodeId": "attic", "image": IMAGE, "startup": startup });
    let made = panel.call(Method::POST, "/api/servers", Some(body)).await?;
    let id = made["id"].as_str().ok_or("no id")?.to_owned();
    panel.wait(&id, "stopped").await?;
    let folder = agent.data().join("servers").join(&id);
    let remote = Place { name: "remote", id, folder, pid: agent.pid() };
    for place in [&local, &remote] {
        panel.run(&place.id).await?;
        bytes(&panel, place, report).await?;
        panel
            .call(
                Method::POST,
                &format!("/api/servers/{}/power", place.id),
                Some(json!({ "action": "kill" })),
            )
            .await?;
        panel.wait(&place.id, "stopped").await?;
    }
    transfer(&panel, &local, &[local.pid, remote.pid], report).await?;
    let id = panel.server("folders", startup).await?;
    let folder = panel.folder().join("servers").join(&id);
    listing(&panel, &id, &folder, report).await?;
    archive(&panel, &id, &folder, report).await?;
    search(&panel, &id, &folder, report).await?;
    panel.remove_servers().await?;
    agent.child.kill().await?;
    panel.stop().await
}

/// A port that is free at this moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// An agent of another machine, on this one.
struct Agent {
    child: tokio::process::Child,
    folder: tempfile::TempDir,
}

impl Agent {
    async fn join(panel: &Panel, port: u16, id: &str) -> Result<Self> {
        let made = panel.call(Method::POST, "/api/nodes", Some(json!({ "id": id }))).await?;
        let folder = tempfile::Builder::new().prefix("cap-bench-agent-").tempdir()?;
        let child = tokio::process::Command::new(binary())
            .arg("agent")
            .env("DATA_DIR", folder.path())
            .env("PANEL_URL", format!("ws://127.0.0.1:{port}"))
            .env("NODE_ID", id)
            .env("AGENT_SECRET", made["secret"].as_str().ok_or("no secret")?)
            .env("BIND", "127.0.0.1")
            .env("HEALTH_PORT", "off")
            .env("LOG_LEVEL", "warn")
            .env("MALLOC_ARENA_MAX", "1")
            .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let until = Instant::now() + PATIENCE;
        while panel.call(Method::GET, &format!("/api/nodes/{id}"), None).await?["online"] != true {
            if Instant::now() > until {
                return Err("the agent did not join".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self { child, folder })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }
}

/// Milliseconds that a typed line takes to come back, again and again until it is dropped.
async fn echoes(panel: &Panel, id: &str, stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut request = format!("ws://{}/api/live", panel.address).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", panel.token).parse()?);
    let stream = tokio::net::TcpStream::connect(&panel.address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    socket.send(Message::text(json!({ "subscribe": [format!("console:{id}")] }).to_string())).await?;
    socket.next().await.ok_or("closed")??;
    let mut times = Vec::new();
    let command = format!("/api/servers/{id}/command");
    while !stop.load(Ordering::Relaxed) || times.is_empty() {
        let word = format!("echo-{}-{:?}", times.len(), Instant::now().elapsed());
        let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        let began = Instant::now();
        let typing = panel.call(Method::POST, &command, Some(json!({ "command": word })));
        let coming = async {
            loop {
                let message = socket.next().await.ok_or("closed")??;
                if message.to_text().is_ok_and(|text| text.contains(&word)) {
                    return Ok::<_, crate::Error>(began.elapsed());
                }
            }
        };
        let (_, took) =
            tokio::time::timeout(Duration::from_secs(20), async { tokio::try_join!(typing, coming) })
                .await??;
        times.push(took.as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// Upload and download, and what goes on beside them.
async fn bytes(panel: &Panel, place: &Place, report: &mut Report) -> Result<()> {
    let (size, name) = (large(), place.name);
    let mb = size as f64 / 1e6;
    let path = format!("/api/servers/{}/files/content?path=/large.bin", place.id);
    let head = |method: &str, length: u64| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {length}\r\n\r\n",
            panel.address, panel.token
        )
    };
    let beside_file = place.folder.join("plain.bin");
    // Whatever is made once is made before.
    let (address, warm) = (panel.address.clone(), head("PUT", 8 << 20));
    aside(move || request(&address, &warm, 8 << 20).map(drop)).await?;

    let plain = beside_file.clone();
    let own = [std::process::id()];
    let used = processor(&own);
    let ((), plain_up) = timed(move || plain_copy(None, Some(&plain), size)).await?;
    let (used, plain_cpu_up) = (processor(&own), processor(&own) - used);
    let file = beside_file.clone();
    let ((), plain_down) = timed(move || plain_copy(Some(&file), None, size)).await?;
    let plain_cpu_down = processor(&own) - used;
    std::fs::remove_file(&beside_file)?;

    let pids = if place.pid == panel.pid() { vec![place.pid] } else { vec![panel.pid(), place.pid] };
    let watching = Watching::begin(pids.clone());
    let used = processor(&pids);
    let (address, put) = (panel.address.clone(), head("PUT", size));
    let (_, up) = timed(move || request(&address, &put, size).map(drop)).await?;
    let (more_up, cpu_up) = (watching.end(), processor(&pids) - used);
    if std::fs::metadata(place.folder.join("large.bin"))?.len() != size {
        return Err("the upload is not whole".into());
    }
    let watching = Watching::begin(pids.clone());
    let used = processor(&pids);
    let (address, get) = (panel.address.clone(), head("GET", 0));
    let ((), down) = timed(move || drain(request(&address, &get, 0)?.0, size)).await?;
    let (more_down, cpu_down) = (watching.end(), processor(&pids) - used);
    // Holds on a machine that others use as well, and where both ends share its processors.
    for (what, ours, plain) in [("upload", cpu_up, plain_cpu_up), ("download", cpu_down, plain_cpu_down)] {
        let beside = Some((plain * 1e3 / mb * 1e3, "ms both ends of the plain copy"));
        report.plain(
            format!("processor time per GB, {what}, {name} node"),
            "ms",
            ours * 1e3 / mb * 1e3,
            beside,
        );
    }
    for (what, took, plain) in [("upload", up, plain_up), ("download", down, plain_down)] {
        let (ours, theirs) = (mb / took, mb / plain);
        report.plain(
            format!("{what}, {name} node"),
            "MB/s",
            ours,
            Some((theirs, "MB/s plain copy over loopback")),
        );
        report.at_least(format!("… part of the plain copy ({what}, {name})"), "", ours / theirs, 0.8, None);
    }
    report.row(format!("memory more in an upload, {name} node"), "MB", more_up, 30.0, None);
    report.row(format!("memory more in a download, {name} node"), "MB", more_down, 30.0, None);

    // A console line while both go on, beside one while nothing does.
    let stop = AtomicBool::new(true);
    let mut quiet = Vec::new();
    for _ in 0..20 {
        quiet.extend(echoes(panel, &place.id, &stop).await?);
    }
    quiet.sort_by(f64::total_cmp);
    let stop = AtomicBool::new(false);
    let work = async {
        let (address, get) = (panel.address.clone(), head("GET", 0));
        aside(move || drain(request(&address, &get, 0)?.0, size)).await?;
        let (address, put) = (panel.address.clone(), head("PUT", size));
        let done = aside(move || request(&address, &put, size).map(drop)).await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (busy, ()) = tokio::try_join!(echoes(panel, &place.id, &stop), work)?;
    let median = quiet[quiet.len() / 2];
    let slow = busy[busy.len() * 95 / 100];
    report.row(
        format!("a console line during bulk, 95 of 100, later ({name})"),
        "ms",
        (slow - median).max(0.0),
        50.0,
        Some((median, "ms in quiet")),
    );
    std::fs::remove_file(place.folder.join("large.bin"))?;
    Ok(())
}

/// A server on its way to another node.
async fn transfer(panel: &Panel, place: &Place, pids: &[u32], report: &mut Report) -> Result<()> {
    let size = large();
    let (world, plain) = (place.folder.join("world.bin"), panel.folder().join("plain.bin"));
    let file = world.clone();
    aside(move || plain_copy(None, Some(&file), size)).await?;
    let ((), plain_took) = timed(move || plain_copy(Some(&world), Some(&plain), size)).await?;
    std::fs::remove_file(panel.folder().join("plain.bin"))?;
    let path = format!("/api/servers/{}/move", place.id);
    let used = processor(pids);
    let began = Instant::now();
    panel.call(Method::POST, &path, Some(json!({ "nodeId": "attic" }))).await?;
    loop {
        let seen = panel.call(Method::GET, &path, None).await?;
        match seen["step"].as_str().or(seen["state"].as_str()) {
            Some("done") => break,
            Some("failed" | "cancelled") => return Err(format!("the transfer failed: {seen}").into()),
            _ if began.elapsed() > PATIENCE => {
                return Err(format!("the transfer takes too long: {seen}").into());
            }
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    let took = began.elapsed().as_secs_f64();
    let mb = size as f64 / 1e6;
    let used = (processor(pids) - used) * 1e3 / mb * 1e3;
    report.plain("processor time per GB, transfer", "ms", used, None);
    let beside = Some((mb / plain_took, "MB/s plain copy over loopback"));
    report.plain("transfer to another node", "MB/s", mb / took, beside);
    report.at_least("… part of the plain copy (transfer)", "", plain_took / took, 0.6, None);
    Ok(())
}

/// The first rows of a large folder.
async fn listing(panel: &Panel, id: &str, folder: &Path, report: &mut Report) -> Result<()> {
    let many = folder.join("many");
    let made = many.clone();
    aside(move || {
        std::fs::create_dir(&made)?;
        (0..FOLDER.0).try_for_each(|n| std::fs::write(made.join(format!("entry-{n:06}.dat")), ""))
    })
    .await?;
    let ask = format!("/api/servers/{id}/files?path=/many&limit={}", FOLDER.1);
    let mut took = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let rows = panel.call(Method::GET, &ask, None).await?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        if rows.as_array().map(Vec::len) != Some(FOLDER.1) {
            return Err(format!("not the first rows: {rows}").into());
        }
    }
    took.sort_by(f64::total_cmp);
    let looked = many.clone();
    let ((), plain) = timed(move || {
        std::fs::read_dir(looked)?.take(FOLDER.0).try_for_each(|entry| entry?.metadata().map(drop))
    })
    .await?;
    let beside = Some((plain * 1e3, "ms reading and looking at all"));
    report.row("first rows of 50,000 entries", "ms", took[2], 150.0, beside);
    aside(move || std::fs::remove_dir_all(many)).await
}

/// Unpacking, beside `unzip`.
async fn archive(panel: &Panel, id: &str, folder: &Path, report: &mut Report) -> Result<()> {
    let size = if thorough() { 1 << 30 } else { 128 << 20 };
    let tree = folder.join("tree");
    let made = tree.clone();
    aside(move || {
        std::fs::create_dir(&made)?;
        // Half of it can be packed.
        let mut state = 1_u32;
        let mut piece = vec![0; 1 << 20];
        for n in 0..size >> 20 {
            for byte in &mut piece[..512 << 10] {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (state >> 24) as u8;
            }
            std::fs::write(made.join(format!("region-{n}.mca")), &piece)?;
        }
        Ok(())
    })
    .await?;
    job(panel, id, "archive", json!({ "paths": ["/tree"], "to": "/tree.zip" })).await?;
    let began = Instant::now();
    job(panel, id, "extract", json!({ "path": "/tree.zip", "to": "/out" })).await?;
    let ours = began.elapsed().as_secs_f64();
    let (zip, to) = (folder.join("tree.zip"), folder.join("unzip"));
    let (status, theirs) =
        timed(move || std::process::Command::new("unzip").arg("-q").arg(zip).arg("-d").arg(to).status())
            .await?;
    if !status.success() {
        return Err("unzip failed".into());
    }
    report.row("unpacking a ZIP", "s", ours, theirs, Some((theirs, "s unzip")));
    for name in ["out", "unzip", "tree"] {
        let gone = folder.join(name);
        aside(move || std::fs::remove_dir_all(gone)).await?;
    }
    Ok(())
}

/// A job, to its end.
async fn job(panel: &Panel, id: &str, what: &str, mut body: Value) -> Result<()> {
    body["background"] = json!(true);
    let begun = panel.call(Method::POST, &format!("/api/servers/{id}/files/{what}"), Some(body)).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let jobs = panel.call(Method::GET, &format!("/api/servers/{id}/files/jobs"), None).await?;
        let job = jobs.as_array().into_iter().flatten().find(|job| job["id"] == begun["id"]);
        match job.and_then(|job| job["state"].as_str()) {
            Some("running") if Instant::now() < until => tokio::time::sleep(Duration::from_millis(10)).await,
            Some("done") => return Ok(()),
            _ => return Err(format!("{what}: {jobs}").into()),
        }
    }
}

/// Searching, beside `grep`.
async fn search(panel: &Panel, id: &str, folder: &Path, report: &mut Report) -> Result<()> {
    let tree = folder.join("texts");
    let made = tree.clone();
    aside(move || {
        for n in 0..SEARCHED {
            if n % 500 == 0 {
                std::fs::create_dir_all(made.join(format!("{}", n / 500)))?;
            }
            let needle = if n % 10_000 == 9_999 { "a needle" } else { "hay" };
            let text = format!("motd=A server\nlevel-name=world-{n}\nmax-players=20\nnote={needle}\n");
            std::fs::write(made.join(format!("{}/{n}.properties", n / 500)), text)?;
        }
        Ok(())
    })
    .await?;
    let body = json!({ "path": "/texts", "content": "a needle", "caseSensitive": true });
    let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let began = Instant::now();
        let found =
            panel.call(Method::POST, &format!("/api/servers/{id}/files/search"), Some(body.clone())).await?;
        ours = ours.min(began.elapsed().as_secs_f64());
        let matches = found["matches"].as_array().map(Vec::len);
        if matches != Some(SEARCHED / 10_000) {
            return Err(format!("{matches:?} matches").into());
        }
        let top = tree.clone();
        let (output, took) =
            timed(move || std::process::Command::new("grep").args(["-rlF", "a needle"]).arg(top).output())
                .await?;
        if output.stdout.iter().filter(|byte| **byte == b'\n').count() != SEARCHED / 10_000 {
            return Err("grep found something else".into());
        }
        theirs = theirs.min(took);
    }
    let rate = |took: f64| SEARCHED as f64 / took;
    report.plain("search in 100,000 files", "files/s", rate(ours), Some((rate(theirs), "files/s grep -r")));
    report.at_least("… part of grep's pace", "", theirs / ours, 0.7, None);
    Ok(())
}
