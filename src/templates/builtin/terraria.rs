//! Terraria.

use storage::servers::{Behaviour, Stop};

use super::parts::{DEBIAN, memory, password, tcp, variable, words};
use crate::templates::template::Template;

/// <https://terraria.wiki.gg/wiki/Server>: the maker's ZIP file with `VERSION/Linux/TerrariaServer.bin.x86_64`, its
/// arguments (with `-world` and `-autocreate` it asks nothing), TCP 7777, `exit` saves and ends, `Server started` once
/// it listens. The program is for amd64 only.
const STARTUP: &str = concat!(
    r#"set -e; export HOME="$PWD"; v={{TERRARIA_VERSION}}; "#,
    r#"if [ ! -d "server-$v" ]; then echo "Downloading Terraria $v"; rm -rf download; mkdir download; "#,
    r#"curl -fsSL -o download/game.zip "https://terraria.org/api/download/pc-dedicated-server/terraria-server-$v.zip"; "#,
    r#"unzip -q download/game.zip -d download; chmod +x "download/$v/Linux/TerrariaServer.bin.x86_64"; "#,
    r#"mv "download/$v/Linux" "server-$v"; rm -rf download; fi; "#,
    r#"mkdir -p worlds; world="$PWD/worlds/{{WORLD_NAME}}.wld"; cd "server-$v"; "#,
    r#"exec ./TerrariaServer.bin.x86_64 -world "$world" -autocreate {{WORLD_SIZE}} -worldname "{{WORLD_NAME}}" "#,
    r#"-difficulty {{DIFFICULTY}} -maxplayers {{MAX_PLAYERS}} -port 7777 -noupnp ${PASSWORD:+-password "$PASSWORD"}"#,
);

pub(super) fn template() -> Template {
    Template {
        id: "terraria".into(),
        name: "Terraria".into(),
        description: "The maker's own Terraria server: dig, build and fight together.".into(),
        architectures: words(&["amd64"]),
        image: DEBIAN.into(),
        startup: STARTUP.into(),
        startup_editable: false,
        ports: vec![tcp(7777)],
        memory: memory(512, 1536),
        eula: None,
        variables: vec![
            variable(
                "TERRARIA_VERSION",
                "1449",
                "required|integer|between:1000,9999",
                "Version",
                "Without its dots, as in the address of the download: 1449 is 1.4.4.9. Players need the same",
            ),
            variable("WORLD_NAME", "World", "required|alpha_dash|max:27", "World", "Its file below `worlds`"),
            variable("WORLD_SIZE", "2", "required|in:1,2,3", "Size", "Of a new world: 1 small, 2 medium, 3 large"),
            variable(
                "DIFFICULTY",
                "0",
                "required|in:0,1,2,3",
                "Difficulty",
                "Of a new world: 0 classic, 1 expert, 2 master, 3 journey",
            ),
            variable("MAX_PLAYERS", "8", "required|integer|between:1,255", "Players", "How many may play at once"),
            password("PASSWORD", "nullable|string|max:40", "To join; empty for none"),
        ],
        behaviour: Behaviour {
            stop: Stop::Command("exit".into()),
            stop_timeout_secs: 60,
            ready: Some("Server started".into()),
            ..Behaviour::default()
        },
        notes: "Fetches the game at the first start and after a change of version. Making a large world takes some \
                minutes."
            .into(),
    }
}
