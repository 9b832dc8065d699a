//! Games that are blocked from the local network, and the firewall rules for that: with an engine and networks created
//! by the test.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::own_engine::{Echo, HOST, INTERNET, INTERNET_V6, NEIGHBOURS, OwnEngine, PORT, answering};
use crate::harness::{Panel, binary, docker, seconds, until};

/// A panel with that engine.
async fn panel(engine: &OwnEngine, without: &[&str]) -> Panel {
    let words = engine.wrapper(without);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Panel::builder()
        .env("DOCKER_HOST", engine.address())
        .env("BIND", engine.reached_at())
        .under(&words)
        .start()
        .await
}

/// A running game with its port published on this one.
async fn game(panel: &Panel, external: u16, block_lan: bool) -> Game {
    let ports = ["tcp", "udp"]
        .map(|protocol| json!({ "internal": PORT, "external": external, "protocol": protocol }));
    let mut more = json!({ "ports": ports });
    if block_lan {
        more["blockLan"] = true.into();
    }
    let game = Game::with(panel, "game", more).await;
    game.start().await;
    game.says("Ready", seconds(20)).await;
    game
}

fn at(addresses: &[&str], port: u16) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(address.parse::<IpAddr>().unwrap(), port)).collect()
}

/// Labels of these addresses for both protocols.
fn both(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().flat_map(|address| [format!("{address}/tcp"), format!("{address}/udp")]).collect()
}

/// Starts an echo server in the game's network namespace.
async fn served(engine: &OwnEngine, game: &Game) -> Echo {
    Echo::start(&engine.inside(&game.id).await, &["0.0.0.0".parse().unwrap()])
}

struct Places {
    lan: Vec<SocketAddr>,
    host: Vec<SocketAddr>,
    internet: Vec<SocketAddr>,
}

impl Places {
    fn of(engine: &OwnEngine) -> Self {
        let (here, there) = (engine.ends.0.as_str(), engine.ends.1.as_str());
        Self {
            lan: at(&[&NEIGHBOURS[..], &[there]].concat(), PORT),
            host: at(&[&HOST[..], &[here]].concat(), PORT),
            internet: at(&[INTERNET, INTERNET_V6], PORT),
        }
    }

    /// Which of these addresses a game can reach, once it reaches the internet. A bridge that just got its first
    /// container checks its IPv6 address for duplicates, and does not route before that is done: up to two seconds.
    async fn reached(&self, engine: &OwnEngine, game: &Game) -> Vec<String> {
        let all = [&self.lan[..], &self.host, &self.internet].concat();
        let from = engine.inside(&game.id).await;
        until("the game reaches the internet", seconds(20), async || {
            (answering(&from, &self.internet) == both(&self.internet)).then_some(())
        })
        .await;
        answering(&from, &all)
    }
}

/// Checks that the engine's DNS resolver works from within the container.
async fn resolves(engine: &OwnEngine, game: &Game) {
    let name = format!("ctrl-alt-play-{}", game.id);
    let said = engine.docker(&["exec", &name, "nslookup", "-type=a", "world.example"]).await;
    assert!(said.contains(INTERNET), "{said}");
}

/// The panel's rules that are set, by backend.
fn rules(engine: &OwnEngine) -> Vec<&'static str> {
    let mut found = Vec::new();
    if engine.there(&["nft", "list", "table", "inet", "ctrl_alt_play"]).is_some() {
        found.push("nft");
    }
    for (name, words) in [
        ("filter", ["iptables", "-t", "filter", "-S"]),
        ("mangle", ["iptables", "-t", "mangle", "-S"]),
        ("filter6", ["ip6tables", "-t", "filter", "-S"]),
        ("mangle6", ["ip6tables", "-t", "mangle", "-S"]),
    ] {
        if engine.there(&words).is_some_and(|text| text.contains("CTRL-ALT-PLAY")) {
            found.push(name);
        }
    }
    found
}

const OF_IPTABLES: [&str; 4] = ["filter", "mangle", "filter6", "mangle6"];

async fn a_blocked_game_reaches_the_internet_only(without: &[&str], used: &[&str]) {
    let engine = OwnEngine::start().await;
    let mut panel = panel(&engine, without).await;
    let places = Places::of(&engine);
    let (open, blocked) = (game(&panel, 31_001, false).await, game(&panel, 31_002, true).await);
    assert_eq!(rules(&engine), used);
    let _answers = [served(&engine, &open).await, served(&engine, &blocked).await];

    // Without `blockLan`, a game reaches everything except this machine and the cloud metadata address. So what is
    // unreachable below is blocked by the setting.
    let neighbours: Vec<_> =
        places.lan.iter().filter(|at| !at.to_string().starts_with("169.254.")).copied().collect();
    assert_eq!(neighbours.len() + 1, places.lan.len());
    let expected = [both(&neighbours), both(&places.internet)].concat();
    assert_eq!(places.reached(&engine, &open).await, expected);
    assert_eq!(places.reached(&engine, &blocked).await, both(&places.internet));
    resolves(&engine, &blocked).await;
    // Players in the local network can still connect.
    let published = at(&[&engine.ends.0], 31_002);
    assert_eq!(answering(&engine.lan(), &published), both(&published));
    // Another game could act as a proxy, so a blocked game cannot reach it by any address.
    let through_the_host = [at(&[&engine.ends.0], 31_001), at(&["198.51.100.1"], 31_001)].concat();
    assert_eq!(answering(&engine.inside(&blocked.id).await, &through_the_host), [""; 0]);
    let view = blocked.view().await;
    assert_eq!((&view["blockLan"], &view["blockLanProblem"]), (&json!(true), &Value::Null));

    // Removed rules are restored before the next start of a blocked game, and soon after a start of the panel, without
    // affecting a running game.
    let started = engine.inside(&blocked.id).await;
    for table in
        [["nft", "delete", "table", "inet", "ctrl_alt_play"].as_slice(), &["iptables", "-t", "mangle", "-F"]]
    {
        engine.there(table);
    }
    assert!(places.reached(&engine, &blocked).await.len() > both(&places.internet).len());
    panel.stop().await;
    panel.again().await;
    let (mut open, mut blocked) = (open, blocked);
    open.again(&panel);
    blocked.again(&panel);
    blocked.becomes("running", seconds(20)).await;
    assert_eq!(engine.inside(&blocked.id).await, started);
    until("the local network is closed again", seconds(20), async || {
        (places.reached(&engine, &blocked).await == both(&places.internet)).then_some(())
    })
    .await;

    // The setting takes effect at the next start.
    let change = |on: bool| json!({ "blockLan": on });
    blocked.admin.patch(&blocked.path(""), change(false)).await.expect(200);
    blocked.shows("it has to be restarted", seconds(10), |view| view["needsRestart"] == true).await;
    assert_eq!(places.reached(&engine, &blocked).await, both(&places.internet));
    blocked.power("stop").await.expect(202);
    blocked.becomes("stopped", seconds(20)).await;
    blocked.start().await;
    assert_eq!(places.reached(&engine, &blocked).await, expected);
    blocked.power("stop").await.expect(202);
    blocked.becomes("stopped", seconds(20)).await;
    blocked.admin.patch(&blocked.path(""), change(true)).await.expect(200);
    blocked.start().await;
    assert_eq!(places.reached(&engine, &blocked).await, both(&places.internet));
}

#[tokio::test]
async fn a_blocked_game_reaches_the_internet_only_by_nft() {
    a_blocked_game_reaches_the_internet_only(&[], &["nft"]).await;
}

#[tokio::test]
async fn a_blocked_game_reaches_the_internet_only_by_iptables() {
    a_blocked_game_reaches_the_internet_only(&["nft"], &OF_IPTABLES).await;
}

/// Rules as an earlier version set them, with a port that is no longer published.
const EARLIER: &str = "for i in iptables ip6tables; do $i -N CTRL-ALT-PLAY; $i -A CTRL-ALT-PLAY -p tcp --dport 53 -j RETURN; \
                       $i -A CTRL-ALT-PLAY -p tcp --dport 30999 -j RETURN; $i -A CTRL-ALT-PLAY -j DROP; \
                       $i -I INPUT -i ctrl-alt-play0 -j CTRL-ALT-PLAY; done";

#[tokio::test]
async fn rules_of_another_backend_shut_no_newer_port() {
    let engine = OwnEngine::start().await;
    assert!(engine.there(&["sh", "-c", EARLIER]).is_some());
    let mut panel = panel(&engine, &[]).await;
    let (mut first, mut second) = (game(&panel, 31_011, false).await, game(&panel, 31_012, false).await);
    let _answers = [served(&engine, &first).await, served(&engine, &second).await];
    let published = at(&[&engine.ends.0], 31_012);
    let open = async |from: &Game| {
        let from = engine.inside(&from.id).await;
        until("the newer game's port is open", seconds(20), async || {
            // With UDP, the engine's proxy may answer from another address of the machine.
            answering(&from, &published).contains(&format!("{}/tcp", published[0])).then_some(())
        })
        .await;
    };
    open(&first).await;
    assert_eq!(rules(&engine), ["nft"]);

    // Rules of the other backend: `nft` was installed later.
    engine.there(&["nft", "delete", "table", "inet", "ctrl_alt_play"]);
    panel.stop().await;
    let mut older = self::panel(&engine, &["nft"]).await;
    until("iptables has the rules", seconds(20), async || (rules(&engine) == OF_IPTABLES).then_some(()))
        .await;
    older.stop().await;
    panel.again().await;
    first.again(&panel);
    second.again(&panel);
    let third = game(&panel, 31_013, false).await;
    let _answer = served(&engine, &third).await;
    assert_eq!(rules(&engine), ["nft"]);
    open(&third).await;
    open(&first).await;
}

#[tokio::test]
async fn nothing_is_left_where_no_rules_are_wanted() {
    for without in [&[][..], &["nft"]] {
        let engine = OwnEngine::start().await;
        assert!(engine.there(&["sh", "-c", EARLIER]).is_some());
        let mut panel = panel(&engine, without).await;
        drop(game(&panel, 31_021, true).await);
        assert!(!rules(&engine).is_empty());
        panel.stop().await;
        // As the uninstaller does; an `nft` that cannot be executed there would be an error.
        let words =
            [engine.wrapper(&[]), vec![binary().to_owned(), "remove-firewall-rules".to_owned()]].concat();
        let done = std::process::Command::new(&words[0]).args(&words[1..]).status().unwrap();
        assert!(done.success());
        assert_eq!(rules(&engine), [""; 0]);
        let again = std::process::Command::new(&words[0]).args(&words[1..]).status().unwrap();
        assert!(again.success(), "nothing to remove is no failure");
    }
    let engine = OwnEngine::start().await;
    let mut panel = panel(&engine, &[]).await;
    drop(game(&panel, 31_022, false).await);
    assert_eq!(rules(&engine), ["nft"]);
    panel.stop().await;
    assert!(engine.there(&["sh", "-c", EARLIER]).is_some());
    let off = off(&engine).await;
    until("all rules are gone", seconds(20), async || rules(&engine).is_empty().then_some(())).await;
    let view = Game::with(&off, "game", json!({ "blockLan": true })).await.view().await;
    assert!(view["blockLanProblem"].as_str().unwrap().contains("GAMES_FIREWALL is off"), "{view:#}");
}

async fn off(engine: &OwnEngine) -> Panel {
    let words = engine.wrapper(&[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Panel::builder()
        .env("DOCKER_HOST", engine.address())
        .env("BIND", engine.reached_at())
        .env("GAMES_FIREWALL", "off")
        .under(&words)
        .start()
        .await
}

/// Root without the capability to set rules, as in a container.
#[tokio::test]
async fn where_no_rule_can_be_set_that_is_said() {
    docker::image().await;
    let panel = Panel::builder()
        .under(&["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])
        .start()
        .await;
    let body = json!({ "name": "A world", "image": docker::BUSYBOX, "startup": "game", "blockLan": true });
    let warned = async |body: Value| {
        let preview = panel.admin().post("/api/servers/preview", body).await.expect(200).json;
        let warnings = preview["warnings"].as_array().unwrap().clone();
        warnings.into_iter().find(|warning| warning["code"] == "lan_not_blocked")
    };
    let warning = until("the preview warns", seconds(20), async || warned(body.clone()).await).await;
    assert!(warning["message"].as_str().unwrap().contains("No firewall rule could be set"), "{warning}");
    assert_eq!(warned(json!({ "image": docker::BUSYBOX, "blockLan": false })).await, None);
    let game = Game::with(&panel, "game", json!({ "blockLan": true })).await;
    game.start().await;
    game.says("This game can reach the local network, although that is blocked", seconds(20)).await;
    let view = game.view().await;
    assert!(view["blockLanProblem"].as_str().unwrap().contains("No firewall rule"), "{view:#}");
    // A user without rights to the machine sees the setting, but not the problem.
    let friend = panel.user("friend").await;
    let path = game.path(&format!("/users/{}", friend.get("/api/me").await.id()));
    panel.admin().put(&path, json!({ "permissions": ["startup"] })).await.expect(204);
    let view = friend.get(&game.path("")).await.expect(200).json;
    assert_eq!((&view["blockLan"], &view["blockLanProblem"]), (&json!(true), &Value::Null));
    friend.patch(&game.path(""), json!({ "blockLan": false })).await.expect(403);
}
