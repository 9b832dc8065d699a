//! OpenTTD.

use storage::servers::{Behaviour, Stop};

use super::parts::{memory, tcp, udp, variable, words};
use crate::templates::template::Template;

/// <https://github.com/ropenttd/docker_openttd>, readme, Dockerfile and entrypoint.sh: amd64 and arm64, `/app/openttd`
/// with OpenGFX, `/config`, 3979 in TCP and UDP. Seen with OpenTTD 13 of Debian: `quit`, SIGINT and SIGTERM end it with
/// code 0 and, with `autosave_on_exit`, leave `save/autosave/exit.sav`; a new map prints `Map generated, starting
/// game`, a loaded one nothing (so the line before it is ours).
const STARTUP: &str = concat!(
    r#"set -e; [ -f openttd.cfg ] || "#,
    r#"printf '[gui]\nautosave_on_exit = true\n[network]\nserver_name = %s\n' "{{SERVER_NAME}}" > openttd.cfg; "#,
    r#"saved="$PWD/save/autosave/exit.sav"; set --; "#,
    r#"if [ -f "$saved" ]; then echo "Loading save/autosave/exit.sav"; set -- -g "$saved"; fi; "#,
    r#"exec /app/openttd -D 0.0.0.0:3979 -c "$PWD/openttd.cfg" "$@""#,
);

pub(super) fn template() -> Template {
    Template {
        id: "openttd".into(),
        name: "OpenTTD".into(),
        description: "Trains, lorries, ships and planes: the free transport tycoon, for a company each.".into(),
        architectures: words(&["amd64", "arm64"]),
        image: "ghcr.io/ropenttd/openttd:stable".into(),
        startup: STARTUP.into(),
        startup_editable: false,
        ports: vec![tcp(3979), udp(3979)],
        memory: memory(128, 512),
        eula: None,
        variables: vec![variable(
            "SERVER_NAME",
            "OpenTTD server",
            "required|string|max:60",
            "Name",
            "For the first start",
        )],
        behaviour: Behaviour {
            data_path: "/config".into(),
            stop: Stop::Command("quit".into()),
            stop_timeout_secs: 30,
            ready: Some("regex:Map generated, starting game|^Loading save/autosave".into()),
            ..Behaviour::default()
        },
        notes: "Goes on with the map that it was stopped with; delete `save/autosave/exit.sav` for a new one. Settings: \
                `openttd.cfg`, while it is stopped."
            .into(),
    }
}
