//! A port belongs to one server.

use serde_json::{Value, json};

use crate::harness::{Panel, docker};

fn body(name: &str, external: u16, protocol: &str) -> Value {
    let port = json!({ "internal": 7777, "external": external, "protocol": protocol });
    json!({ "name": name, "image": docker::BUSYBOX, "startup": "game", "ports": [port] })
}

#[tokio::test]
async fn the_second_one_is_told_who_has_it() {
    docker::image().await;
    let panel = Panel::start().await;
    let admin = panel.admin();
    let first = admin.post("/api/servers", body("First world", 28_101, "tcp")).await.expect(201).id();
    let second = admin.post("/api/servers", body("Second", 28_101, "tcp")).await.refused(409, "port_in_use");
    assert!(second.text.contains("First world"), "{}", second.text);
    // The other protocol is another port.
    let udp = admin.post("/api/servers", body("Datagrams", 28_101, "udp")).await.expect(201).id();
    let change = json!({ "ports": [{ "internal": 1, "external": 28_101, "protocol": "udp" }] });
    admin.patch(&format!("/api/servers/{first}"), change).await.refused(409, "port_in_use");
    admin.delete(&format!("/api/servers/{first}")).await.expect(204);
    let third = admin.post("/api/servers", body("Third", 28_101, "tcp")).await.expect(201).id();
    for id in [udp, third] {
        admin.delete(&format!("/api/servers/{id}")).await.expect(204);
    }
}

#[tokio::test]
async fn twice_in_one_list_is_refused() {
    let panel = Panel::start().await;
    let port = json!({ "internal": 1, "external": 28_111, "protocol": "tcp" });
    let body = json!({ "name": "a", "image": docker::BUSYBOX, "ports": [port, port] });
    let answer = panel.admin().post("/api/servers", body).await;
    assert!(matches!(answer.status, 409 | 422), "{answer:?}");
}

#[tokio::test]
async fn the_panels_own_ports_are_not_for_servers() {
    docker::image().await;
    let panel = Panel::start().await;
    let port: u16 = panel.address.rsplit(':').next().unwrap().parse().unwrap();
    panel.admin().post("/api/servers", body("Greedy", port, "tcp")).await.refused(409, "port_in_use");
}

#[tokio::test]
async fn of_fifty_at_once_one_gets_it() {
    docker::image().await;
    let panel = Panel::start().await;
    let answers = futures_util::future::join_all((0..50).map(|n| {
        let admin = panel.admin();
        async move { admin.post("/api/servers", body(&format!("Number {n}"), 28_121, "udp")).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.code() == "port_in_use").count(), 49);
    for server in panel.admin().get("/api/servers").await.json.as_array().unwrap() {
        panel.admin().delete(&format!("/api/servers/{}", server["id"].as_str().unwrap())).await.expect(204);
    }
}
