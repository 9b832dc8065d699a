//! Teeworlds.

use storage::servers::{Behaviour, Stop};

use super::parts::{DEBIAN, memory, password, udp, variable, words};
use crate::templates::template::Template;

/// <https://github.com/teeworlds/teeworlds/releases>: `teeworlds-VERSION-linux_x86_64.tar.gz` with `teeworlds_srv`, for
/// amd64; each argument is a line of configuration; UDP 8303. Seen with Teeworlds 0.7 of Debian: prints `server name
/// is`, does not read its standard input, has nothing to save.
const STARTUP: &str = concat!(
    r#"set -e; export HOME="$PWD"; folder="teeworlds-{{TEEWORLDS_VERSION}}-linux_x86_64"; "#,
    r#"if [ ! -d "$folder" ]; then echo "Downloading $folder"; rm -rf download; mkdir download; "#,
    r#"curl -fsSL -o download/game.tar.gz "#,
    r#""https://github.com/teeworlds/teeworlds/releases/download/{{TEEWORLDS_VERSION}}/$folder.tar.gz"; "#,
    r#"tar -xzf download/game.tar.gz -C download; mv "download/$folder" "$folder"; rm -rf download; fi; cd "$folder"; "#,
    r#"exec ./teeworlds_srv "sv_port 8303" "sv_name {{SERVER_NAME}}" "sv_map {{MAP}}" "sv_gametype {{GAME_TYPE}}" "#,
    r#""sv_max_clients {{MAX_PLAYERS}}" "sv_register {{PUBLIC}}" ${PASSWORD:+"password $PASSWORD"}"#,
);

pub(super) fn template() -> Template {
    Template {
        id: "teeworlds".into(),
        name: "Teeworlds".into(),
        description: "Small round creatures, large guns: a quick two-dimensional shooter for any machine.".into(),
        architectures: words(&["amd64"]),
        image: DEBIAN.into(),
        startup: STARTUP.into(),
        startup_editable: false,
        ports: vec![udp(8303)],
        memory: memory(32, 128),
        eula: None,
        variables: vec![
            variable(
                "TEEWORLDS_VERSION",
                "0.7.5",
                "required|string|max:20|regex:/^[0-9.]+$/",
                "Version",
                "As its release is called",
            ),
            variable("SERVER_NAME", "Teeworlds server", "required|string|max:60", "Name", "In the list of servers"),
            variable("MAP", "dm1", "required|alpha_dash|max:40", "Map", "dm1, dm2, dm6 to dm9, ctf1 to ctf8, lms1"),
            variable("GAME_TYPE", "dm", "required|in:dm,tdm,ctf,lms,lts", "Game", "dm, tdm, ctf, lms or lts"),
            variable("MAX_PLAYERS", "12", "required|integer|between:1,64", "Players", "How many may play at once"),
            password("PASSWORD", "nullable|string|max:30", "To join; empty for none"),
            variable("PUBLIC", "0", "required|in:0,1", "Listed", "1 shows it in the public list of servers"),
        ],
        behaviour: Behaviour {
            stop: Stop::Signal("SIGINT".into()),
            stop_timeout_secs: 10,
            ready: Some("server name is".into()),
            ..Behaviour::default()
        },
        notes: "Fetches the game (30 MB) at the first start. More settings: `autoexec.cfg` in the game's folder. It takes \
                no console commands; its first lines tell the password for remote ones."
            .into(),
    }
}
