use std::collections::BTreeSet;

use ::templates::egg::{self, Format};
use ::templates::model;
use ::templates::rules::{self, Rules};
use agent::console::Ready;
use storage::servers::{ContainerUser, Protocol, StartupMode, Stop};

use super::*;

const MIB: i64 = 1 << 20;

/// Variables that the agent always sets.
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
fn the_most_popular_come_first_and_any_image_last() {
    let all = all();
    let ids: Vec<&str> = all.iter().map(|template| template.id.as_str()).collect();
    assert!(ids.len() > 30, "{ids:?}");
    assert_eq!(ids[..3], ["minecraft-paper", "minecraft-bedrock", "valheim"]);
    assert_eq!(ids.last(), Some(&"any-image"));
    // These ids are in the records of existing servers.
    for id in [
        "minecraft-vanilla",
        "luanti",
        "terraria",
        "factorio",
        "openttd",
        "openarena",
        "teeworlds",
        "palworld",
        "rust",
    ] {
        assert!(ids.contains(&id), "{id}");
    }
}

#[test]
fn every_file_of_the_folder_is_listed_and_says_what_a_template_needs() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/templates/builtin")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> =
        names.filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned)).collect();
    assert_eq!(files, FILES.iter().map(|(id, _)| (*id).to_owned()).collect());
    for (id, file) in FILES {
        let native = model::read(file).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(model::check(&native), [], "{id}");
        let about = &native.about;
        assert!(!about.tags.is_empty() && about.licence == "MIT" && about.author.is_empty(), "{id}");
        let sources = about.references.iter().filter(|address| address.starts_with("https://")).count();
        assert!(sources == about.references.len() && (sources > 0 || *id == "any-image"), "{id}");
        assert!(file.starts_with("# "), "{id}: what its facts are");
        for variable in &native.variables {
            let place = format!("{id}: {}", variable.name);
            assert!(!variable.label.is_empty(), "{place}");
            assert!(!variable.description.is_empty() || !variable.viewable, "{place}");
            let rules = Rules::parse(&variable.rules);
            assert_eq!(rules.unknown(), [""; 0], "{place}");
            assert!(!rules.list().is_empty(), "{place}");
            let given = rules.check(&variable.default);
            // Some games require a password or token to be chosen before they start.
            assert!(
                given.is_ok() || (variable.default.is_empty() && variable.editable),
                "{place}: {given:?}"
            );
            if rules::looks_secret(&variable.name) {
                assert_eq!(variable.secret, Some(true), "{place}");
            }
        }
        if let Some(install) = &native.install {
            assert!(install.script.starts_with("#!") && !install.script.contains('\r'), "{id}");
            assert!(install.image.contains('/') && !install.entrypoint.is_empty(), "{id}");
        }
    }
}

#[test]
fn each_goes_out_as_an_egg_and_comes_back_the_same() {
    for (id, file) in FILES {
        let native = model::read(file).unwrap();
        let again = model::read(&model::to_yaml(&native)).unwrap();
        assert_eq!(again, native, "{id}");
        for format in [Format::PtdlV2, Format::PlcnV3, Format::PlcnV3Json] {
            let exported = egg::export(&native, format);
            let back = egg::import(exported.as_bytes()).unwrap().template;
            assert!(back.same_meaning(&native), "{id} {format:?}: {}", model::to_yaml(&back));
        }
    }
}

#[test]
fn install_scripts_are_ones_that_the_shell_understands() {
    for (id, file) in FILES {
        let Some(install) = model::read(file).unwrap().install else { continue };
        let output = std::process::Command::new("bash").args(["-n", "-c", &install.script]).output().unwrap();
        assert!(output.status.success(), "{id}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn readme_names_each_with_its_image_and_cpus() {
    let readme = include_str!("../../../README.md");
    for template in all().iter().filter(|template| template.id != "any-image") {
        let row = format!(
            "| {} | `{}` | {} |",
            template.name,
            template.image.trim_end_matches(":latest"),
            template.architectures.join(", ")
        );
        assert!(readme.contains(&row), "README.md lacks: {row}");
    }
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
        // The game must replace the shell, or the shell must forward signals.
        let by_shell = template.behaviour.startup_mode == StartupMode::Shell;
        let reached = ["exec ", "trap "].iter().any(|word| template.startup.contains(word));
        assert!(template.startup.is_empty() || !by_shell || reached, "{}", template.id);
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
        ("minecraft-fabric", "[12:00:00] [Server thread/INFO]: Done (12.345s)! For help, type \"help\""),
        ("minecraft-forge", "[12:00:00] [Server thread/INFO]: Done (42.01s)! For help, type \"help\""),
        ("minecraft-neoforge", "[12:00:00] [Server thread/INFO]: Done (42.01s)! For help, type \"help\""),
        ("minecraft-velocity", "[12:00:00 INFO]: Done (2.31s)!"),
        ("palworld", "Setting breakpad minidump AppID = 2394010"),
        ("rust", "Server startup complete"),
        ("satisfactory", "LogInit: Display: Engine Initialization. Total time: 20.1 seconds"),
        ("project-zomboid", "LOG  : Network     , 1700000000000> *** SERVER STARTED ****"),
        ("enshrouded", "[Session] 'HostOnline' (up)!"),
        ("v-rising", "[Server] Startup Completed - Disabling Scene Loading Systems"),
        ("counter-strike-2", "Connection to Steam servers successful."),
        ("garrys-mod", "Assigned anonymous gameserver Steam ID [A-1:1234567890(12345)]."),
        ("team-fortress-2", "Assigned anonymous gameserver Steam ID [A-1:1234567890(12345)]."),
        ("left-4-dead-2", "Connection to Steam servers successful."),
        ("sons-of-the-forest", "#DSL Dedicated server loaded."),
        (
            "vintage-story",
            "28.1.2024 15:43:12 [Server Event] Dedicated Server now running on Port 42420 and all ips!",
        ),
        ("dont-starve-together", "Setting breakpad minidump AppID = 322330"),
        ("core-keeper", "Started session with info: 12345"),
        ("abiotic-factor", "LogInit: Display: Engine is initialized. Leaving FEngineLoop::Init()"),
        ("unturned", "Loading level: 100%"),
        ("barotrauma", "Server started"),
        ("terraria-tshock", "Type 'help' for a list of commands."),
        ("mumble", "<W>2026-11-30 12:00:00.000 1 => Server listening on [::]:64738"),
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
    // No source documents a ready line for these.
    let without = ["any-image", "ark-survival-ascended", "seven-days-to-die"];
    for template in all.iter().filter(|template| !without.contains(&template.id.as_str())) {
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
        let asks = template.id.starts_with("minecraft") && template.id != "minecraft-velocity";
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
