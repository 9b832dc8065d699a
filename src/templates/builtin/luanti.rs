//! Luanti, once called Minetest.

use storage::servers::{Behaviour, Stop};

use super::parts::{memory, udp, variable, words};
use crate::templates::template::Template;

/// <https://github.com/luanti-org/luanti>, doc/docker_server.md, Dockerfile and docker_image.yml: `latest` is the newest
/// release, amd64 and arm64, Alpine with curl and BusyBox' unzip, `/var/lib/minetest`; no game inside, a configuration
/// file is needed. Games: <https://content.luanti.org>, `packages/AUTHOR/NAME/download/` answers a ZIP file. It prints
/// `Server for gameid="…" listening on …`, reads no commands without a terminal of its own, and saves on SIGINT.
const IMAGE: &str = "ghcr.io/luanti-org/luanti:latest";

const STARTUP: &str = concat!(
    r#"set -e; export HOME="$PWD"; name="${GAME##*/}"; games=.minetest/games; "#,
    r#"if [ ! -f "$games/$name/game.conf" ]; then echo "Downloading {{GAME}}"; "#,
    r#"rm -rf download "$games/$name"; mkdir -p download "$games"; "#,
    r#"curl -fsSL -o download/game.zip "https://content.luanti.org/packages/{{GAME}}/download/"; "#,
    r#"unzip -q download/game.zip -d download; found=$(find download -maxdepth 2 -name game.conf | head -n 1); "#,
    r#"mv "${found%/*}" "$games/$name"; rm -rf download; fi; "#,
    r#"[ -f minetest.conf ] || printf 'server_name = %s\nname = %s\nmax_users = %s\n' "#,
    r#""{{SERVER_NAME}}" "{{ADMIN}}" "{{MAX_PLAYERS}}" > minetest.conf; mkdir -p worlds; "#,
    r#"exec luantiserver --config "$PWD/minetest.conf" --gameid "$name" --world "$PWD/worlds/$name" --port 30000"#,
);

pub(super) fn template() -> Template {
    Template {
        id: "luanti".into(),
        name: "Luanti".into(),
        description: "The free world of blocks (once Minetest) with any game from its content database.".into(),
        architectures: words(&["amd64", "arm64"]),
        image: IMAGE.into(),
        startup: STARTUP.into(),
        startup_editable: false,
        ports: vec![udp(30000)],
        memory: memory(256, 1024),
        eula: None,
        variables: vec![
            variable(
                "GAME",
                "ryvnf/mineclonia",
                "required|string|max:80|regex:/^[A-Za-z0-9_-]+\\/[A-Za-z0-9_]+$/",
                "Game",
                "AUTHOR/NAME as in its address on content.luanti.org, such as Minetest/minetest_game; each game has its \
                 own world",
            ),
            variable("SERVER_NAME", "Luanti server", "required|string|max:64", "Name", "For the first start"),
            variable("ADMIN", "admin", "required|string|max:20", "Administrator", "A player's name; for the first start"),
            variable("MAX_PLAYERS", "15", "required|integer|between:1,500", "Players", "For the first start"),
        ],
        behaviour: Behaviour {
            data_path: "/var/lib/minetest".into(),
            stop: Stop::Signal("SIGINT".into()),
            stop_timeout_secs: 60,
            ready: Some("Server for gameid=".into()),
            ..Behaviour::default()
        },
        notes: "Fetches its game at the first start. Settings: `minetest.conf`, written once. It takes no console \
                commands: join as the administrator and type them into the chat."
            .into(),
    }
}
