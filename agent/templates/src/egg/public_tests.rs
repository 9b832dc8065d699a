//! Tests with real eggs, if there is a folder of them: `EGGS_DIR`, or `../shared/eggs` next to the checkout. They are
//! not part of this project, so these tests are skipped in a fresh clone; `tests.rs` covers the same with its own eggs.
//!
//! The expected results were written by hand from the description of the format, not copied from the code's output.

use std::path::PathBuf;

use super::{Format, Imported, export, import};
use crate::config_files;
use crate::model::{Stop, Template};
use crate::placeholders::{Address, Context, Limits};
use crate::render;

fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/eggs");
    let folder = std::env::var_os("EGGS_DIR").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let there = folder.is_dir();
    if !there {
        println!("no folder of eggs at {}: nothing was tested", folder.display());
    }
    there.then_some(folder)
}

fn all() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = folder() else { return Vec::new() };
    let files =
        std::fs::read_dir(folder).expect("the folder can be listed").flatten().map(|entry| entry.path());
    let eggs = files.filter(|path| path.extension().is_some_and(|end| end == "json" || end == "yaml"));
    eggs.map(|path| {
        (
            path.file_name().expect("a name").to_string_lossy().into_owned(),
            std::fs::read(path).expect("a file"),
        )
    })
    .collect()
}

/// The egg with this name, and the context of a server: its default values, overridden by `set`.
fn egg(name: &str, set: &[(&str, &str)]) -> Option<(Template, Context)> {
    let bytes = std::fs::read(folder()?.join(name)).expect("the egg is there");
    let template = import(&bytes).expect("it is an egg").template;
    let defaults = template.variables.iter().map(|one| (one.name.clone(), one.default.clone()));
    let given = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let context = Context {
        uuid: "0e0f".into(),
        environment: defaults.chain(given).collect(),
        address: Address { ip: "0.0.0.0".into(), port: 25_570, ports: vec![25_570] },
        limits: Limits { memory_mib: 2_048, ..Limits::default() },
        timezone: "UTC".into(),
        ..Context::default()
    };
    Some((template, context))
}

/// Renders a config file of that server.
fn file(of: &(Template, Context), path: &str, present: &str) -> String {
    let file = of.0.config_files.iter().find(|file| file.path == path).expect("the egg sets this file");
    let done = config_files::render(file, Some(present.as_bytes()), &of.1).expect("it is set");
    assert_eq!(
        config_files::render(file, Some(&done), &of.1).as_ref(),
        Ok(&done),
        "a second time changes nothing"
    );
    String::from_utf8(done).expect("text")
}

fn env(of: &(Template, Context), name: &str) -> String {
    let startup = of.0.startup.first().map_or("", |one| one.command.as_str());
    render::environment(&of.0, startup, &of.1).remove(name).unwrap_or_else(|| panic!("{name} is missing"))
}

#[test]
fn every_egg_goes_out_and_comes_back_as_the_same() {
    for (name, bytes) in all() {
        let Imported { template, warnings } =
            import(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name}: {} warnings", warnings.len());
        for format in [Format::PtdlV2, Format::PlcnV3, Format::PlcnV3Json] {
            let text = export(&template, format);
            let back = import(text.as_bytes())
                .unwrap_or_else(|error| panic!("{name} as {format:?}: {error}\n{text}"));
            let same = back.template.same_meaning(&template);
            assert!(same, "{name} as {format:?}:\n{:#?}\n{:#?}", back.template, template);
        }
        let native = crate::model::to_yaml(&template);
        let back = crate::model::read(&native).unwrap_or_else(|error| panic!("{name}: {error}\n{native}"));
        assert_eq!(back, template, "{name}");
    }
}

#[test]
fn paper() {
    let Some(of) = egg("minecraft-paper.PLCN_v3.yaml", &[("SERVER_MEMORY", "9"), ("STARTUP", "x")]) else {
        return;
    };
    let startup = "java -Xms128M -XX:MaxRAMPercentage=95.0 -Dterminal.jline=false -Dterminal.ansi=true -jar {{SERVER_JARFILE}}";
    assert_eq!(of.0.startup[0].command, startup);
    for (name, value) in [
        ("STARTUP", startup),
        ("SERVER_JARFILE", "server.jar"),
        ("MINECRAFT_VERSION", "latest"),
        ("BUILD_NUMBER", "latest"),
        ("DL_PATH", ""),
        ("SERVER_MEMORY", "2048"),
        ("SERVER_PORT", "25570"),
        ("SERVER_IP", "0.0.0.0"),
        ("P_SERVER_UUID", "0e0f"),
        ("TZ", "UTC"),
    ] {
        assert_eq!(env(&of, name), value, "{name}");
    }
    assert_eq!(file(&of, "server.properties", ""), "server-ip=\nserver-port=25570\nquery.port=25570\n");
    assert_eq!(of.0.run.ready, [")! For help, type "]);
    assert_eq!(of.0.run.stop, Stop::Command("stop".into()));
    assert_eq!(of.0.images[0].label, "Java 21");
    assert_eq!(of.0.images[0].reference, "ghcr.io/pelican-eggs/yolks:java_21");
    assert_eq!(of.0.about.origin.uuid.as_deref(), Some("5da37ef6-58da-4169-90a6-e683e1721247"));
    assert_eq!(of.0.install.as_ref().map(|one| one.entrypoint.as_str()), Some("ash"));
}

#[test]
fn vanilla_keeps_what_is_in_its_properties() {
    let Some(of) = egg("minecraft-vanilla.PLCN_v3.yaml", &[]) else { return };
    let before =
        "#Minecraft server properties\n# mine\nserver-port=25565\nmotd=\\u00A7aHi\nserver-ip=1.2.3.4\n";
    let after = "#Minecraft server properties\n# mine\nserver-port=25570\nmotd=\\u00A7aHi\nserver-ip=\nquery.port=25570\n";
    assert_eq!(file(&of, "server.properties", before), after);
}

#[test]
fn bungeecord_replaces_by_expression() {
    let Some(of) = egg("minecraft-bungeecord.PLCN_v3.yaml", &[]) else { return };
    let before = "# mine\nlisteners:\n- host: 0.0.0.0:25577 # public\n  query_port: 25577\nservers:\n  lobby:\n    address: localhost:25566\n    motd: a\n  far:\n    address: 10.0.0.5:25567\n";
    let after = "# mine\nlisteners:\n- host: 0.0.0.0:25570 # public\n  query_port: 25570\nservers:\n  lobby:\n    address: 172.18.0.1:25566\n    motd: a\n  far:\n    address: 10.0.0.5:25567\n";
    assert_eq!(file(&of, "config.yml", before), after);
}

#[test]
fn waterfall_replaces_where_it_is_exactly_that() {
    let Some(of) = egg("minecraft-waterfall.PTDL_v2.json", &[]) else { return };
    let before = "listeners:\n- host: 0.0.0.0:1\nservers:\n  a:\n    address: localhost\n  b:\n    address: localhost:25566\n";
    let after = "listeners:\n- host: 0.0.0.0:25570\nservers:\n  a:\n    address: \"172.18.0.1\"\n  b:\n    address: localhost:25566\n";
    assert_eq!(file(&of, "config.yml", before), after);
    assert_eq!(
        env(&of, "STARTUP"),
        "java -Xms128M -Xmx{{SERVER_MEMORY}}M -Dterminal.jline=false -Dterminal.ansi=true -jar {{SERVER_JARFILE}}"
    );
}

#[test]
fn cuberite_sets_sections_with_a_colon() {
    let Some(of) = egg("minecraft-cuberite.PTDL_v2.json", &[("ADMIN_PASS", "a;b=c"), ("SERV_DESC", "x\ny")])
    else {
        return;
    };
    assert_eq!(
        file(&of, "settings.ini", "; c\n[Server]\nDescription=Old\nPorts=25565\n"),
        "; c\n[Server]\nDescription=x y\nPorts=25570\n"
    );
    let after = "[User:admin]\nPassword=a;b=c\n\n[WebAdmin]\nPorts=8080\n";
    assert_eq!(file(&of, "webadmin.ini", ""), after);
}

#[test]
fn nanolimbo_makes_its_file() {
    let Some(of) = egg("minecraft-nanolimbo.PTDL_v2.json", &[]) else { return };
    assert_eq!(file(&of, "settings.yml", ""), "bind:\n  ip: \"0.0.0.0\"\n  port: 25570\n");
    assert_eq!(of.0.run.stop, Stop::Signal("SIGINT".into()));
}

#[test]
fn factorio_keeps_kinds_and_comments() {
    let set = [("SERVER_NAME", "My \"best\""), ("SERVER_PASSWORD", "1234"), ("SAVE_SLOTS", "7")];
    let Some(of) = egg("factorio.PLCN_v3.yaml", &set) else { return };
    let before = "{\n  \"name\": \"x\",\n  \"_comment\": \"y\",\n  \"max_players\": 0,\n  \"autosave_slots\": 5,\n  \"game_password\": \"\"\n}\n";
    let after = file(&of, "data/server-settings.json", before);
    let read: serde_json::Value = serde_json::from_str(&after).expect("JSON");
    let wanted = serde_json::json!({
        "name": "My \"best\"", "_comment": "y", "max_players": 20, "autosave_slots": 7, "game_password": "1234",
        "description": "Description", "username": "unnamed", "token": "undefined", "autosave_interval": 10,
        "afk_autokick_interval": 0,
    });
    assert_eq!(read, wanted);
    assert!(after.starts_with("{\n  \"name\": \"My \\\"best\\\"\",\n  \"_comment\": \"y\","), "{after}");
    assert_eq!(of.0.run.stop, Stop::Command("/quit".into()));
}

#[test]
fn openttd_writes_a_number_as_it_is() {
    let Some(of) = egg("openttd.PTDL_v2.json", &[("srv_name", "Trains")]) else { return };
    let before = "[misc]\nlanguage = english\n\n[network]\nserver_name = Unnamed\nserver_port = 3979\n\n[newgrf]\nx.grf\n";
    let after = "[misc]\nlanguage = english\n\n[network]\nserver_name = Trains\nserver_port = 25570\nlan_internet = 0\nserver_advertise = true\n\n[newgrf]\nx.grf\n";
    assert_eq!(file(&of, "openttd.cfg", before), after);
    assert_eq!(env(&of, "SRV_NAME"), "Trains");
}

#[test]
fn mumble_has_no_section() {
    let Some(of) = egg("mumble.PLCN_v3.yaml", &[]) else { return };
    let before = "; Murmur\ndatabase=\n;port=1\nport=64738\nusers=100\n[Ice]\nIce.Warn.UnknownProperties=1\n";
    let after = "; Murmur\ndatabase=/home/container/murmur.sqlite\n;port=1\nport=25570\nusers=100\nlogfile=/home/container/murmur.log\nhost=\n[Ice]\nIce.Warn.UnknownProperties=1\n";
    assert_eq!(file(&of, "murmur.ini", before), after);
}

#[test]
fn minetest_replaces_lines() {
    let Some(of) = egg("minetest.PTDL_v2.json", &[("SERVER_MOTD", "Hi\nadmin = me")]) else { return };
    let before = "# server_name = \nserver_name = old\nmotd = old\nother = 1\nname = old";
    let after = "# server_name = \nserver_name = Minetest server\nmotd = Hi admin = me\nother = 1\nname = ";
    assert_eq!(file(&of, ".minetest/minetest.conf", before), after);
    assert_eq!(file(&of, ".minetest/minetest.conf", ""), "");
}

#[test]
fn teeworlds_replaces_lines() {
    let Some(of) = egg("teeworlds.PTDL_v2.json", &[("SERVER_NAME", "Tee")]) else { return };
    let before = "bindaddr 1.1.1.1\r\nsv_port 8303\r\nsv_name x\r\n";
    assert_eq!(file(&of, "autoexec.cfg", before), "bindaddr 0.0.0.0\r\nsv_port 25570\r\nsv_name Tee\r\n");
}

#[test]
fn trackmania_sets_elements() {
    let set = [("SERVER_NAME", "A & B"), ("XMLRPC_PORT", "5001")];
    let Some(of) = egg("trackmania2020.PLCN_v2.json", &set) else { return };
    let before = "<?xml version=\"1.0\"?>\n<dedicated>\n  <!-- mine -->\n  <server_options>\n    <name>old</name>\n    <max_players>1</max_players>\n  </server_options>\n</dedicated>\n";
    let after = "<?xml version=\"1.0\"?>\n<dedicated>\n  <!-- mine -->\n  <server_options>\n    <name>A &amp; B</name>\n    <max_players>32</max_players>\n    <password/>\n    <password_spectator/>\n    <max_spectators>32</max_spectators>\n  </server_options>\n  <system_config>\n    <server_port>25570</server_port>\n    <xmlrpc_port>5001</xmlrpc_port>\n  </system_config>\n  <masterserver_account>\n    <login/>\n    <password/>\n  </masterserver_account>\n</dedicated>\n";
    assert_eq!(file(&of, "UserData/Config/dedicated_cfg.xml", before), after);
}

#[test]
fn space_engineers_sets_paths_of_windows() {
    let Some(of) = egg("space-engineers.PTDL_v2.json", &[]) else { return };
    let before = "<?xml version=\"1.0\"?>\r\n<MyConfigDedicated xmlns:xsi=\"x\">\r\n  <SessionSettings>\r\n    <GameMode>Creative</GameMode>\r\n  </SessionSettings>\r\n  <LoadWorld />\r\n</MyConfigDedicated>";
    let after = file(&of, "config/SpaceEngineers-Dedicated.cfg", before);
    for line in [
        "    <GameMode>Survival</GameMode>\r\n",
        "    <MaxPlayers>4</MaxPlayers>\r\n",
        "  <LoadWorld>Z:\\home\\container\\config\\Saves\\World\\Sandbox.sbc</LoadWorld>\r\n",
        "  <ServerPort>25570</ServerPort>\r\n",
        "  <RemoteApiPort>8081</RemoteApiPort>\r\n",
    ] {
        assert!(after.contains(line), "{line}\n{after}");
    }
    assert_eq!(of.0.run.stop, Stop::Signal("SIGKILL".into()));
}

#[test]
fn dragonwilds_has_a_dot_in_its_section() {
    let Some(of) = egg("runescape-dragonwilds.PLCN_v3.yaml", &[("OWNER_ID", "x")]) else { return };
    let path = "RSDragonwilds/Saved/Config/LinuxServer/DedicatedServer.ini";
    let before =
        "[/Script/Dominion.DedicatedServerSettings]\nOwnerId=\nServerName=a\n\n[Other]\nServerName=b\n";
    let after = "[/Script/Dominion.DedicatedServerSettings]\nOwnerId=x\nServerName=Dragonwilds\nDefaultWorldName=Default World\nAdminPassword=CHANGE ME TO A SECURE PASSWORD!\nWorldPassword=\n\n[Other]\nServerName=b\n";
    assert_eq!(file(&of, path, before), after);
}

#[test]
fn ways_to_stop_and_numbers_in_yaml() {
    for (name, stop) in [
        ("counter-strike-2.PLCN_v3.yaml", Stop::Command("quit".into())),
        ("valheim.PTDL_v2.json", Stop::Signal("SIGINT".into())),
        ("palworld.PLCN_v3.yaml", Stop::Command("shutdown 15".into())),
        ("tshock.PLCN_v2.json", Stop::Command("exit".into())),
    ] {
        let Some(of) = egg(name, &[]) else { return };
        assert_eq!(of.0.run.stop, stop, "{name}");
    }
    let Some(of) = egg("palworld.PLCN_v3.yaml", &[]) else { return };
    assert_eq!((env(&of, "SRCDS_APPID").as_str(), env(&of, "RCON_ENABLE").as_str()), ("2394010", "True"));
    assert_eq!(of.0.run.file_denylist, ["PalServer.sh"]);
}

/// Less than 2 s for 600 eggs on a small machine. Only in a release build, since others are slow.
#[test]
fn six_hundred_are_read_in_time() {
    let eggs = all();
    if eggs.is_empty() || cfg!(debug_assertions) {
        println!("measured in a build for release only");
        return;
    }
    let begin = std::time::Instant::now();
    let read = eggs.iter().cycle().take(600).filter(|(_, bytes)| import(bytes).is_ok()).count();
    println!("{read} eggs in {:?}", begin.elapsed());
    assert!(begin.elapsed() < std::time::Duration::from_secs(2));
}
