//! Factorio.

use storage::servers::{Behaviour, ContainerUser, Stop};

use super::parts::{memory, password, udp, variable, words};
use crate::templates::template::Template;

/// <https://github.com/factoriotools/factorio-docker>, README, Dockerfile and docker-entrypoint.sh: user 845:845, to whom
/// `/opt/factorio` belongs; all data in `/factorio`; UDP 34197; a save is made at the first start and the newest one
/// loaded; `docker stop` (SIGTERM) saves and ends, the console takes commands; "Support for ARM is experimental". The
/// example settings ask to be listed publicly, which needs an account: the first start writes settings that don't.
/// It prints `Hosting game at IP ADDR:(…)`.
const STARTUP: &str = concat!(
    r#"set -e; mkdir -p config; if [ ! -f config/server-settings.json ]; then "#,
    r#"jq --arg name "{{SERVER_NAME}}" --arg password "{{PASSWORD}}" --argjson players {{MAX_PLAYERS}} "#,
    r#"'.name = $name | .game_password = $password | .max_players = $players | .visibility.public = false' "#,
    r#"/opt/factorio/data/server-settings.example.json > config/settings.new; "#,
    r#"mv config/settings.new config/server-settings.json; fi; exec /docker-entrypoint.sh"#,
);

pub(super) fn template() -> Template {
    Template {
        id: "factorio".into(),
        name: "Factorio".into(),
        description: "Build and keep a factory running together, on the maker's headless server.".into(),
        architectures: words(&["amd64", "arm64"]),
        image: "factoriotools/factorio:stable".into(),
        startup: STARTUP.into(),
        startup_editable: false,
        ports: vec![udp(34197)],
        memory: memory(512, 2048),
        eula: None,
        variables: vec![
            variable("SERVER_NAME", "Factorio server", "required|string|max:60", "Name", "For the first start"),
            variable("MAX_PLAYERS", "0", "required|integer|between:0,500", "Players", "0 for any number; for the first start"),
            password("PASSWORD", "nullable|string|max:60", "To join; empty for none; for the first start"),
        ],
        behaviour: Behaviour {
            user: ContainerUser::Fixed("845:845".into()),
            data_path: "/factorio".into(),
            read_only_root: false,
            stop: Stop::Signal("SIGTERM".into()),
            stop_timeout_secs: 60,
            ready: Some("Hosting game at".into()),
            ..Behaviour::default()
        },
        notes: "Settings: `config/server-settings.json`, written at the first start; saves: `saves`, the newest is \
                loaded. On ARM it runs through an emulator, slowly, and may crash. Not shown in the public list, which \
                would need an account in the settings."
            .into(),
    }
}
