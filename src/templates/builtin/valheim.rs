//! Valheim.

use storage::servers::{Behaviour, Stop};

use super::parts::{memory, password, udp, variable, words};
use crate::templates::template::Template;

/// <https://github.com/pelican-eggs/yolks> (games/valheim): the libraries that SteamCMD and the game need, any user,
/// `/home/container`; amd64, as the game. App 896660, anonymous; the game's guide
/// (<https://valheim.com/support/a-guide-to-dedicated-servers/>): ports 2456 and 2457, a password of at least 5
/// characters, Ctrl-C (SIGINT) saves and ends. It prints `Game server connected` once Steam knows it.
const IMAGE: &str = "ghcr.io/parkervcp/games:valheim";

const STARTUP: &str = concat!(
    r#"set -e; export HOME="$PWD"; mkdir -p steamcmd steamapps saves; "#,
    r#"[ -f steamcmd/steamcmd.sh ] || { echo "Downloading SteamCMD"; "#,
    r#"curl -fsSL -o steamcmd.tar.gz https://steamcdn-a.akamaihd.net/client/installer/steamcmd_linux.tar.gz; "#,
    r#"tar -xzf steamcmd.tar.gz -C steamcmd; rm steamcmd.tar.gz; }; "#,
    r#"./steamcmd/steamcmd.sh +force_install_dir "$PWD" +login anonymous +app_update 896660 +quit || "#,
    r#"[ -x valheim_server.x86_64 ]; "#,
    r#"mkdir -p .steam/sdk64; cp steamcmd/linux64/steamclient.so .steam/sdk64/; "#,
    r#"export SteamAppId=892970 LD_LIBRARY_PATH=./linux64; "#,
    r#"exec ./valheim_server.x86_64 -nographics -batchmode -name "{{SERVER_NAME}}" -port 2456 "#,
    r#"-world "{{WORLD_NAME}}" -password "{{PASSWORD}}" -public {{PUBLIC}} -savedir "$PWD/saves""#,
);

pub(super) fn template() -> Template {
    Template {
        id: "valheim".into(),
        name: "Valheim".into(),
        description: "A world of Vikings for you and your friends, saved on your own machine.".into(),
        architectures: words(&["amd64"]),
        image: IMAGE.into(),
        startup: STARTUP.into(),
        startup_editable: false,
        ports: vec![udp(2456), udp(2457)],
        memory: memory(2048, 4096),
        eula: None,
        variables: vec![
            variable("SERVER_NAME", "Valheim server", "required|string|max:60", "Name", "In the list of servers"),
            variable("WORLD_NAME", "Dedicated", "required|alpha_dash|max:20", "World", "Its file below `saves`"),
            password(
                "PASSWORD",
                "required|string|min:5|max:40",
                "At least 5 characters, and no part of the name: the game insists",
            ),
            variable("PUBLIC", "0", "required|in:0,1", "Listed", "1 shows it in the public list of servers"),
        ],
        behaviour: Behaviour {
            stop: Stop::Signal("SIGINT".into()),
            stop_timeout_secs: 90,
            ready: Some("Game server connected".into()),
            ..Behaviour::default()
        },
        notes: "Fetches the game (2 GB) from Steam at the first start and looks for a newer one at each. Both ports have \
                to follow each other. It takes no console commands."
            .into(),
    }
}
