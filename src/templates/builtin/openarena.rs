//! OpenArena.

use storage::servers::{Behaviour, ContainerUser, Stop};

use super::parts::{memory, udp, variable, words};
use crate::templates::template::Template;

/// <https://github.com/sago007/docker_openarena>, README, Dockerfile and start script: OpenArena 0.8.8 for amd64, runs as
/// its user `openarena` (1000), data in `/data`, UDP 27960, `OA_STARTMAP` and `OA_PORT`; the game replaces the shell,
/// so its console is the container's. Seen with Debian's OpenArena: `quit` ends it with code 0, SIGTERM with 1; it
/// prints `41 arenas parsed` when the map is up.
pub(super) fn template() -> Template {
    Template {
        id: "openarena".into(),
        name: "OpenArena".into(),
        description: "A fast, free arena shooter in the manner of Quake III.".into(),
        architectures: words(&["amd64"]),
        image: "sago007/openarena:latest".into(),
        startup: String::new(),
        startup_editable: false,
        ports: vec![udp(27960)],
        memory: memory(96, 256),
        eula: None,
        variables: vec![variable(
            "OA_STARTMAP",
            "dm4ish",
            "required|alpha_dash|max:40",
            "First map",
            "The map that it starts with, such as oa_dm1 or dm4ish",
        )],
        behaviour: Behaviour {
            user: ContainerUser::Fixed("1000:1000".into()),
            data_path: "/data".into(),
            working_dir: Some(String::new()),
            read_only_root: false,
            stop: Stop::Command("quit".into()),
            stop_timeout_secs: 15,
            ready: Some("arenas parsed".into()),
            ..Behaviour::default()
        },
        notes: "Settings and lists of maps: `openarena/baseoa`, written at the first start. It tells the public list of \
                servers about itself. On the console: `status`, `map oa_dm1`, `addbot Sarge 1`."
            .into(),
    }
}
