//! `kill -9` at random moments while clients write: everything that was answered survives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Client, Live, PASSWORD, Panel, docker, long, seconds};

/// Everything that was answered with a 2xx.
#[derive(Clone, Default)]
struct Promised {
    users: BTreeSet<String>,
    /// Name by id.
    servers: BTreeMap<String, String>,
    removed: BTreeSet<String>,
    /// Of the server that is changed all the time: the last change that was answered, and the last one requested.
    changed: u64,
    asked: u64,
    answers: u64,
}

type Shared = Arc<Mutex<Promised>>;

#[allow(clippy::disallowed_methods, reason = "a test's own, ends with the test")]
fn beside(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

/// One call; `None` if the panel died during it.
async fn call(client: &Client, method: Method, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
    let mut request = client.request(method, path);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await.ok()?;
    Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

fn expected(status: u16, wanted: u16, what: &str, body: &Value) -> bool {
    assert!(status == wanted || status == 503 || status == 429, "{what}: {status} {body}");
    status == wanted
}

async fn users(client: Client, promised: Shared, round: usize) {
    for n in 0.. {
        let name = format!("user{round}x{n}");
        let body = json!({ "username": name, "password": PASSWORD, "role": "user" });
        let Some((status, body)) = call(&client, Method::POST, "/api/users", Some(body)).await else {
            return;
        };
        if expected(status, 201, "a user", &body) {
            let mut promised = promised.lock().unwrap();
            promised.users.insert(name);
            promised.answers += 1;
        }
    }
}

/// A port that no server of this test has used, below the range of ephemeral ports (which the panel itself uses).
fn next_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(1_100);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(port < 32_768, "more servers than ports");
    port
}

/// Creates servers, and deletes every other one again.
async fn servers(client: Client, promised: Shared, round: usize) {
    for n in 0.. {
        let name = format!("World {round}.{n}");
        let port = json!({ "internal": 7777, "external": next_port(), "protocol": "udp" });
        let body = json!({ "name": name, "image": docker::BUSYBOX, "startup": "game", "ports": [port] });
        let Some((status, body)) = call(&client, Method::POST, "/api/servers", Some(body)).await else {
            return;
        };
        if !expected(status, 201, "a server", &body) {
            continue;
        }
        let id = body["id"].as_str().unwrap().to_owned();
        {
            let mut promised = promised.lock().unwrap();
            promised.servers.insert(id.clone(), name);
            promised.answers += 1;
        }
        if n % 2 == 0 {
            continue;
        }
        // From here until the answer, the server may exist or not.
        promised.lock().unwrap().servers.remove(&id);
        let answer = call(&client, Method::DELETE, &format!("/api/servers/{id}"), None).await;
        let Some((status, body)) = answer else { return };
        if expected(status, 204, "a removal", &body) {
            let mut promised = promised.lock().unwrap();
            promised.removed.insert(id);
            promised.answers += 1;
        }
    }
}

async fn changes(client: Client, promised: Shared, server: String) {
    loop {
        let number = {
            let mut promised = promised.lock().unwrap();
            promised.asked += 1;
            promised.asked
        };
        let body =
            json!({ "name": format!("Change {number}"), "environment": { "CHANGE": number.to_string() } });
        let answer = call(&client, Method::PATCH, &format!("/api/servers/{server}"), Some(body)).await;
        let Some((status, body)) = answer else { return };
        if expected(status, 200, "a change", &body) {
            let mut promised = promised.lock().unwrap();
            promised.changed = number;
            promised.answers += 1;
        }
    }
}

/// Signs in repeatedly, and follows the list meanwhile.
async fn sessions(client: Client, promised: Shared) {
    let body = json!({ "username": "admin", "password": PASSWORD });
    let anonymous = Client::new(&client.address, None);
    loop {
        let Some((status, answer)) = call(&anonymous, Method::POST, "/api/session", Some(body.clone())).await
        else {
            return;
        };
        if expected(status, 200, "a sign-in", &answer) {
            promised.lock().unwrap().answers += 1;
        }
        let mine = Client::new(&client.address, answer["token"].as_str().map(str::to_owned));
        if call(&mine, Method::DELETE, "/api/session", None).await.is_none() {
            return;
        }
    }
}

/// Compares what exists with what was answered.
async fn compare(panel: &Panel, promised: &Promised, server: &str, round: usize) {
    let admin = panel.admin();
    let list = admin.get("/api/users").await.expect(200).json;
    let names: BTreeSet<&str> =
        list.as_array().unwrap().iter().filter_map(|user| user["username"].as_str()).collect();
    let lost: Vec<_> = promised.users.iter().filter(|name| !names.contains(name.as_str())).collect();
    assert!(lost.is_empty(), "round {round}: users were promised and are gone: {lost:?}");
    assert_eq!(names.len(), list.as_array().unwrap().len(), "round {round}: a name came twice");

    let list = admin.get("/api/servers").await.expect(200).json;
    let there: BTreeMap<&str, &Value> =
        list.as_array().unwrap().iter().filter_map(|view| Some((view["id"].as_str()?, view))).collect();
    for (id, name) in &promised.servers {
        let view = there.get(id.as_str()).unwrap_or_else(|| panic!("round {round}: server {id} is gone"));
        assert_eq!(view["name"], name.as_str(), "round {round}");
    }
    for id in &promised.removed {
        assert!(!there.contains_key(id.as_str()), "round {round}: server {id} is back");
    }
    let changed = there[server];
    let number: u64 = changed["environment"]["CHANGE"].as_str().unwrap().parse().unwrap();
    let range = promised.changed..=promised.asked;
    assert!(range.contains(&number), "round {round}: {number} is not one of {range:?}");
    assert_eq!(changed["name"], format!("Change {number}"), "round {round}: half a change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_every_kill() {
    docker::image().await;
    let mut panel = Panel::start().await;
    let body = json!({ "name": "Change 0", "image": docker::BUSYBOX, "startup": "game", "environment": { "CHANGE": "0" } });
    let server = panel.admin().post("/api/servers", body).await.expect(201).id();
    let promised = Shared::default();
    let (mut starts, began) = (Vec::new(), Instant::now());
    for round in 0..if long() { 200 } else { 50 } {
        let life = Duration::from_millis(rand::random_range(20..=500));
        let client = panel.admin();
        let writers = [
            beside(users(client.clone(), promised.clone(), round)),
            beside(servers(client.clone(), promised.clone(), round)),
            beside(changes(client.clone(), promised.clone(), server.clone())),
            beside(sessions(client, promised.clone())),
        ];
        tokio::time::sleep(life).await;
        panel.kill().await;
        for writer in writers {
            tokio::time::timeout(seconds(10), writer).await.expect("the writer ends").unwrap();
        }
        let start = Instant::now();
        panel.again().await;
        starts.push(start.elapsed());
        let promised = promised.lock().unwrap().clone();
        compare(&panel, &promised, &server, round).await;
    }
    starts.sort();
    let answers = promised.lock().unwrap().answers;
    println!(
        "{answers} answered writes over {} kills in {:?}; started again in {:?}, at most {:?}",
        starts.len(),
        began.elapsed(),
        starts[starts.len() / 2],
        starts[starts.len() - 1]
    );
    assert!(answers > 200, "only {answers} writes were answered: that proves little");
    assert!(starts[starts.len() * 9 / 10] < seconds(2), "it starts again within 2 s: {starts:?}");

    // After all that nothing is stuck, and the agent's own files are intact.
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&["servers"]).await;
    live.wait(seconds(5), |message| message["data"]["all"].is_array().then_some(())).await;
    let bad: Vec<_> = std::fs::read_dir(panel.folder().join("agent"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(".bad"))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(panel.stop().await.success());
}

#[tokio::test]
async fn a_kill_over_the_first_account_heals() {
    for round in 0..if long() { 40 } else { 10 } {
        let mut panel = Panel::builder().fresh().await;
        let token = panel.setup_token();
        let body = json!({ "setupToken": token, "username": "admin", "password": PASSWORD });
        let client = panel.anonymous();
        let asking = {
            let (client, body) = (client.clone(), body.clone());
            beside(async move {
                let _ = call(&client, Method::POST, "/api/setup", Some(body)).await;
            })
        };
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..300))).await;
        panel.kill().await;
        let _ = asking.await;
        panel.again().await;
        let needed = panel.anonymous().get("/api/setup").await.expect(200).json["needed"] == true;
        let file = panel.folder().join("setup-token");
        assert_eq!(
            file.exists(),
            needed,
            "round {round}: the token is there as long as it is good for something"
        );
        if needed {
            assert_eq!(panel.setup_token(), token, "round {round}: the printed link stays good");
            panel.anonymous().post("/api/setup", body).await.expect(201);
        } else {
            panel.anonymous().post("/api/setup", body).await.refused(409, "already_set_up");
        }
        panel.sign_in("admin").await;
    }
}
