//! Minecraft: Java Edition (Paper and vanilla) and Bedrock Edition.

use storage::servers::{Behaviour, Stop};

use super::parts::{fixed, memory, tcp, udp, variable, words};
use crate::templates::template::{Eula, Template, Variable};

/// <https://docker-minecraft-server.readthedocs.io>: `TYPE`, `VERSION`, `EULA` and the server properties as variables;
/// "User switching is skipped if the --user argument is passed"; an empty `MEMORY` with `MaxRAMPercentage` follows the
/// container's limit (configuration/jvm-options); amd64 and arm64 (versions/java); data in `/data`. Its server runner
/// passes standard input on, so `stop` reaches the game.
const JAVA_IMAGE: &str = "itzg/minecraft-server:latest";

/// <https://github.com/itzg/docker-minecraft-bedrock-server>: the demoting entrypoint does nothing where it is not root;
/// built for amd64 and arm64 (there through box64); data in `/data`, `HOME` is set to it.
const BEDROCK_IMAGE: &str = "itzg/minecraft-bedrock-server:latest";

pub(super) fn paper() -> Template {
    java(
        "minecraft-paper",
        "Minecraft Java (Paper)",
        "The server most people run for Java Edition: fast, and it takes Bukkit, Spigot and Paper plugins.",
        "PAPER",
        "Plugins go into the folder `plugins`.",
    )
}

pub(super) fn vanilla() -> Template {
    java(
        "minecraft-vanilla",
        "Minecraft Java (vanilla)",
        "Mojang's own server for Java Edition, exactly as they ship it.",
        "VANILLA",
        "",
    )
}

fn eula() -> Option<Eula> {
    Some(Eula {
        name: "Minecraft End User Licence Agreement".into(),
        url: "https://www.minecraft.net/eula".into(),
        variable: "EULA".into(),
        value: "TRUE".into(),
    })
}

fn java(id: &str, name: &str, description: &str, kind: &str, more: &str) -> Template {
    Template {
        id: id.into(),
        name: name.into(),
        description: description.into(),
        architectures: words(&["amd64", "arm64"]),
        image: JAVA_IMAGE.into(),
        startup: String::new(),
        startup_editable: false,
        ports: vec![tcp(25565)],
        memory: memory(1024, 2048),
        eula: eula(),
        variables: [vec![fixed("TYPE", kind, "Kind of server")], java_variables()].concat(),
        behaviour: Behaviour {
            data_path: "/data".into(),
            read_only_root: false,
            stop: Stop::Command("stop".into()),
            stop_timeout_secs: 60,
            ready: Some(r"regex:Done \([0-9.,]+ ?m?s\)!".into()),
            ..Behaviour::default()
        },
        notes: format!(
            "Fetches the game at the first start and after a change of version, which takes a minute or two. Java's \
             heap gets three quarters of the memory limit. {more}"
        )
        .trim()
        .into(),
    }
}

fn java_variables() -> Vec<Variable> {
    vec![
        variable(
            "VERSION",
            "LATEST",
            "required|string|max:40",
            "Version",
            "LATEST, SNAPSHOT or a number such as 1.21.4",
        ),
        variable(
            "MOTD",
            "",
            "nullable|string|max:150",
            "Message",
            "Shown below the name in the list of servers",
        ),
        variable(
            "MAX_PLAYERS",
            "20",
            "required|integer|between:1,500",
            "Players",
            "How many may play at once",
        ),
        variable(
            "DIFFICULTY",
            "easy",
            "required|in:peaceful,easy,normal,hard",
            "Difficulty",
            "peaceful, easy, normal or hard",
        ),
        variable(
            "MODE",
            "survival",
            "required|in:survival,creative,adventure,spectator",
            "Game mode",
            "For those who join for the first time",
        ),
        variable("SEED", "", "nullable|string|max:100", "Seed", "Of a new world; empty for chance"),
        variable(
            "OPS",
            "",
            "nullable|string|max:500",
            "Operators",
            "Names of players, with commas between them",
        ),
        variable(
            "VIEW_DISTANCE",
            "10",
            "required|integer|between:3,32",
            "View distance",
            "In chunks; less is kinder to a small machine",
        ),
        fixed("MEMORY", "", "Heap size, left to the next one"),
        fixed("JVM_XX_OPTS", "-XX:MaxRAMPercentage=75", "Heap as a share of the memory limit"),
    ]
}

pub(super) fn bedrock() -> Template {
    Template {
        id: "minecraft-bedrock".into(),
        name: "Minecraft Bedrock".into(),
        description: "Mojang's server for Bedrock Edition: consoles, phones, and Windows from the store.".into(),
        architectures: words(&["amd64", "arm64"]),
        image: BEDROCK_IMAGE.into(),
        startup: String::new(),
        startup_editable: false,
        ports: vec![udp(19132)],
        memory: memory(512, 1024),
        eula: eula(),
        variables: vec![
            variable("VERSION", "LATEST", "required|string|max:40", "Version", "LATEST, PREVIEW or a full number"),
            variable("SERVER_NAME", "Bedrock server", "required|string|max:60", "Name", "In the list of servers"),
            variable("MAX_PLAYERS", "10", "required|integer|between:1,100", "Players", "How many may play at once"),
            variable(
                "GAMEMODE",
                "survival",
                "required|in:survival,creative,adventure",
                "Game mode",
                "For those who join for the first time",
            ),
            variable(
                "DIFFICULTY",
                "easy",
                "required|in:peaceful,easy,normal,hard",
                "Difficulty",
                "peaceful, easy, normal or hard",
            ),
            variable("LEVEL_NAME", "Bedrock level", "required|string|max:60", "World", "Its folder below `worlds`"),
            variable("LEVEL_SEED", "", "nullable|string|max:100", "Seed", "Of a new world; empty for chance"),
            variable("ALLOW_CHEATS", "false", "required|in:true,false", "Cheats", "Commands for players"),
        ],
        behaviour: Behaviour {
            data_path: "/data".into(),
            read_only_root: false,
            stop: Stop::Command("stop".into()),
            stop_timeout_secs: 60,
            ready: Some("Server started.".into()),
            ..Behaviour::default()
        },
        notes: "Fetches the game at the first start and when there is a newer version. On ARM it runs through an \
                emulator and is slower."
            .into(),
    }
}
