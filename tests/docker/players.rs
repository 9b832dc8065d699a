//! Who plays: a real OpenArena, and stand-ins of games that answer as their protocols say, or as they should not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::own_engine::within;
use crate::harness::{Panel, docker, seconds, until};

async fn players(game: &Game) -> Value {
    game.admin.get(&game.path("/players")).await.expect(200).json
}

fn names(view: &Value) -> Vec<&str> {
    view["players"].as_array().unwrap().iter().map(|player| player["name"].as_str().unwrap()).collect()
}

/// A server whose template has these players.
async fn game(panel: &Panel, image: &str, startup: &str, port: u16, players: Value) -> Game {
    let template = json!({
        "template": 1,
        "about": { "name": "A game", "description": "For a test", "licence": "MIT" },
        "images": [{ "label": "One", "reference": image }],
        "ports": [{ "purpose": "game", "protocols": ["udp"], "number": port }],
        "run": { "startup_by_shell": true },
        "players": players,
    });
    let template = panel.admin().post("/api/templates", template).await.expect(201).id();
    Game::with(panel, startup, json!({ "templateId": template, "image": image })).await
}

#[tokio::test]
async fn openarena_tells_who_plays_and_they_can_be_kicked() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/make");
    let made = tokio::process::Command::new("bash").args([script, "openarena"]).status().await.unwrap();
    assert!(made.success());
    let panel = Panel::start().await;
    let actions = json!({ "kick": "kick \"{player}\"", "message": "say {text}" });
    let startup = "HOME=/home/container openarena-server +set net_port 27960 +map oa_dm1";
    let support = json!({ "query": "quake3", "actions": actions });
    let game = game(&panel, "cap-test/openarena", startup, 27_960, support).await;
    let view = players(&game).await;
    assert_eq!(
        (&view["askable"], &view["online"], &view["problem"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    assert_eq!(view["actions"], json!(["kick", "message"]));

    game.start().await;
    game.says("AAS initialized", seconds(30)).await;
    let empty = until("the game answers", seconds(30), async || {
        let view = players(&game).await;
        (view["online"] == 0).then_some(view)
    })
    .await;
    assert_eq!((&empty["map"], &empty["players"]), (&json!("oa_dm1"), &json!([])));
    game.admin.post(&game.path("/command"), json!({ "command": "addbot Sarge 1" })).await.expect(204);
    until("Sarge plays", seconds(30), async || {
        let view = players(&game).await;
        (view["online"] == 1 && names(&view) == ["Sarge"]).then_some(())
    })
    .await;

    // Whoever may only see it sees who plays; the permission to manage players is none for the console.
    let friend = panel.user("friend").await;
    let grant = game.path(&format!("/users/{}", friend.get("/api/me").await.id()));
    panel.admin().put(&grant, json!({ "permissions": ["view"] })).await.expect(204);
    assert_eq!(names(&friend.get(&game.path("/players")).await.expect(200).json), ["Sarge"]);
    let act = game.path("/players/actions");
    let kick = json!({ "action": "kick", "player": "Sarge" });
    friend.post(&act, kick.clone()).await.refused(403, "forbidden");
    panel.admin().put(&grant, json!({ "permissions": ["players"] })).await.expect(204);
    friend.post(&game.path("/command"), json!({ "command": "status" })).await.refused(403, "forbidden");
    for player in ["Sarge\"; quit; \"", "Sarge;quit", "a\nquit", "", "@a"] {
        let body = json!({ "action": "kick", "player": player });
        friend.post(&act, body).await.refused(422, "invalid");
    }
    friend.post(&act, json!({ "action": "message", "text": "hi\nquit" })).await.refused(422, "invalid");
    friend.post(&act, json!({ "action": "ban", "player": "Sarge" })).await.refused(409, "conflict");
    friend.post(&act, json!({ "action": "message", "text": "hello; quit" })).await.expect(204);
    game.says("hello, quit", seconds(10)).await;
    friend.post(&act, kick).await.expect(204);
    until("Sarge is gone", seconds(30), async || (players(&game).await["online"] == 0).then_some(())).await;
    assert_eq!(game.status().await, "running");
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(30)).await;
    friend.post(&act, json!({ "action": "kick", "player": "Sarge" })).await.refused(409, "not_running");
}

/// The network namespace of a running game.
async fn inside(game: &Game) -> PathBuf {
    let name = format!("ctrl-alt-play-{}", game.id);
    let pid = docker::docker(&["inspect", "-f", "{{.State.Pid}}", &name]).await;
    format!("/proc/{pid}/ns/net").into()
}

/// Waits for a view that is not the one of a question before.
async fn asked_again(game: &Game, before: &Value) -> Value {
    until("the game is asked again", seconds(30), async || {
        let view = players(game).await;
        (view["checkedAt"] != before["checkedAt"]).then_some(view)
    })
    .await
}

/// What a stand-in does with a connection.
type Serve = fn(TcpStream);

#[allow(clippy::disallowed_methods, reason = "the stand-ins have threads of their own")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn frame(packet: &[u8]) -> Vec<u8> {
    let var = |mut rest: usize| {
        let mut bytes = Vec::new();
        while rest > 0x7F {
            bytes.push(u8::try_from(rest & 0x7F).unwrap() | 0x80);
            rest >>= 7;
        }
        bytes.push(u8::try_from(rest).unwrap());
        bytes
    };
    let packet = [vec![0], var(packet.len()), packet.to_vec()].concat();
    [var(packet.len()), packet].concat()
}

fn honest(mut stream: TcpStream) {
    let mut asked = [0; 256];
    let count = stream.read(&mut asked).unwrap_or(0);
    if count > 5 {
        let text = json!({
            "version": { "name": "1.21.4" },
            "players": { "max": 20, "online": 2, "sample": [
                { "name": "<img src=x onerror=alert(1)>", "id": "1" }, { "name": "Bob\u{202E}\u{7}", "id": "2" },
            ] },
            "description": { "text": "§4Our world" },
        });
        let bytes = frame(text.to_string().as_bytes());
        // In two pieces, as networks deliver it.
        let _ = stream.write_all(&bytes[..10]);
        pause(Duration::from_millis(50));
        let _ = stream.write_all(&bytes[10..]);
    }
}

fn endless(mut stream: TcpStream) {
    let junk = [frame(b"{")[..1].to_vec(), vec![0; 64 * 1024]].concat();
    while stream.write_all(&junk).is_ok() {}
}

/// A frame of the greatest length, sent slowly and without end.
fn trickle(mut stream: TcpStream) {
    let _ = stream.write_all(&[0x80, 0x80, 0x0F]);
    while stream.write_all(b"x").is_ok() {
        pause(Duration::from_millis(20));
    }
}

fn silent(stream: TcpStream) {
    pause(Duration::from_secs(6));
    drop(stream);
}

#[tokio::test]
async fn games_that_lie_or_are_silent_cost_nothing_but_their_answer() {
    let panel = Panel::start().await;
    let startup = "echo 'Done (1.0s)!'; while read line; do [ \"$line\" = stop ] && exit 0; done";
    let template = json!({ "templateId": "minecraft-vanilla", "acceptEula": true });
    let game = Game::with(&panel, startup, template).await;
    game.start().await;
    let nothing = until("it is asked", seconds(20), async || {
        let view = players(&game).await;
        view["problem"].is_string().then_some(view)
    })
    .await;
    assert!(nothing["problem"].as_str().unwrap().contains("Nothing answers on port 25565"), "{nothing}");
    assert!(nothing["online"].is_null());

    let (switch, serves) = mpsc::channel::<Serve>();
    within(&inside(&game).await, move || {
        let listener = TcpListener::bind("0.0.0.0:25565").unwrap();
        let mut serve: Serve = honest;
        while let Ok((stream, _)) = listener.accept() {
            serve = serves.try_iter().last().unwrap_or(serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    let mut view = until("it answers", seconds(30), async || {
        let view = players(&game).await;
        (view["online"] == 2).then_some(view)
    })
    .await;
    assert_eq!(
        (&view["name"], &view["max"], &view["version"]),
        (&json!("Our world"), &json!(20), &json!("1.21.4"))
    );
    assert_eq!(names(&view), ["<img src=x onerror=alert(1)>", "Bob"]);
    // Many who look are one question.
    let all = futures_util::future::join_all((0..20).map(|_| players(&game))).await;
    let times: std::collections::BTreeSet<_> = all.iter().map(|view| view["checkedAt"].to_string()).collect();
    assert!(times.len() <= 2, "{times:?}");

    for (serve, expected) in [
        (endless as Serve, "could not be asked"),
        (trickle, "did not answer on port 25565 within 3 seconds"),
        (silent, "did not answer on port 25565 within 3 seconds"),
    ] {
        switch.send(serve).unwrap();
        view = asked_again(&game, &view).await;
        assert!(view["problem"].as_str().unwrap_or_default().contains(expected), "{expected}: {view}");
        assert_eq!(view["online"], Value::Null);
    }
    switch.send(honest).unwrap();
    assert_eq!(asked_again(&game, &view).await["online"], 2);
    assert_eq!(game.status().await, "running");
}

#[tokio::test]
async fn a_steam_game_is_asked_with_the_challenge_that_it_wants() {
    let panel = Panel::start().await;
    docker::image().await;
    let game = game(&panel, docker::BUSYBOX, "game", 2457, json!({ "query": "a2s" })).await;
    game.start().await;
    game.says("Ready", seconds(20)).await;
    within(&inside(&game).await, || {
        let socket = UdpSocket::bind("0.0.0.0:2457").unwrap();
        let mut packet = [0; 2_000];
        while let Ok((count, from)) = socket.recv_from(&mut packet) {
            let asked = &packet[..count];
            let challenged = asked.ends_with(b"abcd");
            let answer: Vec<u8> = match asked.get(4) {
                Some(b'T' | b'U') if !challenged => b"\xFF\xFF\xFF\xFFAabcd".to_vec(),
                Some(b'T') => {
                    let head = b"\xFF\xFF\xFF\xFFI\x11Vikings\0Dedicated\0valheim\0Valheim\0";
                    [&head[..], &[0, 0, 2, 10, 1, b'd', b'l', 1, 0], b"0.220.5\0"].concat()
                }
                Some(b'U') => {
                    let ann = [&b"\0Ann\0\0\0\0\0"[..], &61.5_f32.to_le_bytes()].concat();
                    [b"\xFF\xFF\xFF\xFFD\x01", &ann[..]].concat()
                }
                _ => continue,
            };
            let _ = socket.send_to(&answer, from);
        }
    });
    let view = until("it answers", seconds(30), async || {
        let view = players(&game).await;
        (view["online"] == 1).then_some(view)
    })
    .await;
    assert_eq!(view["players"], json!([{ "name": "Ann", "seconds": 61 }]), "a bot is no player");
    assert_eq!(
        (&view["name"], &view["map"], &view["max"]),
        (&json!("Vikings"), &json!("Dedicated"), &json!(10))
    );
    assert_eq!(view["actions"], json!([]));
}
