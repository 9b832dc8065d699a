use std::collections::BTreeSet;

use agent::console::Ready;
use storage::servers::{ContainerUser, Protocol, Stop};

use super::parts::MIB;
use super::*;

/// What the agent always sets.
const GIVEN: [&str; 5] = ["SERVER_MEMORY", "SERVER_IP", "SERVER_PORT", "TZ", "HOME"];

/// Names in `{{NAME}}` and `${NAME…}`.
fn names_in(line: &str) -> BTreeSet<&str> {
    ["{{", "${"]
        .iter()
        .flat_map(|open| line.split(open).skip(1))
        .map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn the_games_of_a_first_evening() {
    let all = all();
    let ids: Vec<&str> = all.iter().map(|template| template.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "minecraft-paper",
            "minecraft-vanilla",
            "minecraft-bedrock",
            "luanti",
            "valheim",
            "terraria",
            "factorio",
            "openttd",
            "openarena",
            "teeworlds",
            "any-image"
        ]
    );
}

#[test]
fn each_says_all_that_a_person_and_an_engine_need() {
    for template in all() {
        let Template { id, behaviour, .. } = &template;
        assert!(
            !template.name.is_empty() && !template.description.is_empty() && !template.notes.is_empty(),
            "{id}"
        );
        assert!(
            template.memory.minimum >= 16 * MIB && template.memory.minimum <= template.memory.recommended,
            "{id}"
        );
        assert!(behaviour.data_path.starts_with('/') && behaviour.data_path.len() > 1, "{id}");
        assert!((5..=120).contains(&behaviour.stop_timeout_secs), "{id}");
        assert_eq!(behaviour.architectures, template.architectures, "{id}");
        match &behaviour.stop {
            Stop::Command(line) => assert!(!line.is_empty() && !line.contains(char::is_control), "{id}"),
            Stop::Signal(signal) => {
                assert!(["SIGTERM", "SIGINT", "SIGQUIT"].contains(&signal.as_str()), "{id}");
            }
        }
        if let ContainerUser::Fixed(user) = &behaviour.user {
            let (uid, gid) = user.split_once(':').unwrap();
            assert!(uid.parse::<u32>().unwrap() > 0 && gid.parse::<u32>().unwrap() > 0, "{id}");
        }
        for architecture in &template.architectures {
            assert!(["amd64", "arm64", "arm", "386", "riscv64"].contains(&architecture.as_str()), "{id}");
        }
        if id == "any-image" {
            continue;
        }
        assert!(!template.architectures.is_empty(), "{id}");
        assert!(template.image.contains('/') && template.image.contains(':'), "{id}: {}", template.image);
        assert!(
            template
                .image
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"/:.-_".contains(&b)),
            "{id}"
        );
    }
}

#[test]
fn ports_are_those_of_the_game_and_differ() {
    for template in all() {
        let numbers: BTreeSet<_> =
            template.ports.iter().map(|port| (port.external, port.protocol == Protocol::Udp)).collect();
        assert_eq!(numbers.len(), template.ports.len(), "{}", template.id);
        assert_eq!(template.ports.is_empty(), template.id == "any-image", "{}", template.id);
        for port in &template.ports {
            assert!(port.internal >= 1024 && port.internal == port.external, "{}", template.id);
        }
    }
}

#[test]
fn what_a_startup_line_names_is_there() {
    for template in all() {
        let known: BTreeSet<&str> =
            template.variables.iter().map(|v| v.env_variable.as_str()).chain(GIVEN).collect();
        for name in names_in(&template.startup) {
            assert!(known.contains(name), "{}: {name}", template.id);
        }
        let names: BTreeSet<&str> = template.variables.iter().map(|v| v.env_variable.as_str()).collect();
        assert_eq!(names.len(), template.variables.len(), "{}: a variable twice", template.id);
        // The game has to take the place of the shell, or no signal reaches it.
        assert!(template.startup.is_empty() || template.startup.contains("exec "), "{}", template.id);
        assert!(
            template.startup.len() < 4096 && !template.startup.contains(char::is_control),
            "{}",
            template.id
        );
    }
}

#[test]
fn the_shell_understands_each_startup_line() {
    for template in all() {
        let line = template.startup.replace("{{", "${").replace("}}", "}");
        let output = std::process::Command::new("/bin/sh").args(["-n", "-c", &line]).output().unwrap();
        assert!(output.status.success(), "{}: {}", template.id, String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn ready_lines_match_what_the_games_print() {
    let seen = [
        ("minecraft-paper", "[12:00:00 INFO]: Done (27.418s)! For help, type \"help\""),
        ("minecraft-vanilla", "[12:00:00] [Server thread/INFO]: Done (9.1s)! For help, type \"help\""),
        ("minecraft-bedrock", "[2026-11-23 12:00:00:123 INFO] Server started."),
        (
            "luanti",
            "2026-11-23 12:00:00: ACTION[Main]: Server for gameid=\"mineclonia\" listening on [::]:30000.",
        ),
        ("valheim", "11/23/2026 12:00:00: Game server connected"),
        ("terraria", "Server started"),
        ("factorio", "   2.153 Info UDPSocket.cpp:42: Hosting game at IP ADDR:({0.0.0.0:34197})"),
        ("openttd", "dbg: [net] Map generated, starting game"),
        ("openttd", "Loading save/autosave/exit.sav"),
        ("openarena", "] 41 arenas parsed"),
        ("teeworlds", "[2026-11-23 20:13:10][server]: server name is 'unnamed server'"),
    ];
    let all = all();
    for template in all.iter().filter(|template| template.id != "any-image") {
        let ready = Ready::parse(template.behaviour.ready.as_deref().unwrap()).unwrap();
        let mut lines = seen.iter().filter(|(id, _)| *id == template.id).peekable();
        assert!(lines.peek().is_some(), "{}", template.id);
        for (id, line) in lines {
            assert!(ready.matches(line), "{id}: {line}");
        }
        assert!(!ready.matches("Downloading the game"), "{}", template.id);
    }
}

#[test]
fn minecraft_asks_for_its_eula_and_nothing_else_does() {
    for template in all() {
        let asks = template.id.starts_with("minecraft");
        assert_eq!(template.eula.is_some(), asks, "{}", template.id);
        if let Some(eula) = template.eula {
            assert_eq!((eula.variable.as_str(), eula.value.as_str()), ("EULA", "TRUE"));
            assert_eq!(eula.url, "https://www.minecraft.net/eula");
            assert!(
                template.variables.iter().all(|variable| variable.env_variable != "EULA"),
                "it is not set by itself"
            );
        }
    }
}
