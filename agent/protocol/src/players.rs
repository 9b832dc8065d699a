//! Who plays on a server, as the game itself tells.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::payload::{Payload, id};
use super::text::TextRule;

/// Maximum number of players in one report.
const PLAYERS: usize = 500;

/// How a game is asked who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueryProtocol {
    /// The server list ping of Minecraft Java Edition, over TCP.
    Minecraft,
    /// The ping of Minecraft Bedrock Edition, over UDP.
    Bedrock,
    /// Valve's server queries, over UDP.
    A2s,
    /// `getstatus` of games on id Tech 3, over UDP.
    Quake3,
}

/// `players_query`: asks a running game who plays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayersQuery {
    /// The server's id.
    pub server_id: ServerId,
    /// How it is asked.
    pub protocol: QueryProtocol,
    /// The port that is asked, as it is in the container.
    pub port: u16,
}

/// `players_report`: the answer to `players_query`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayersReport {
    /// How many play; absent if the game did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<u32>,
    /// How many may play at once; absent if the game does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Who plays; games often name fewer than play, or none.
    #[serde(default)]
    pub players: Vec<PlayerEntry>,
    /// The server's name or message of the day.
    #[serde(default)]
    pub name: String,
    /// The version of the game.
    #[serde(default)]
    pub version: String,
    /// The map that is played.
    #[serde(default)]
    pub map: String,
    /// Why there is no answer, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A player of a [`PlayersReport`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerEntry {
    /// The name in the game.
    pub name: String,
    /// For how many seconds the player has been connected; absent if the game does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
}

impl Payload for PlayersQuery {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, protocol: _, port } = self;
        if *port == 0 {
            return Err("port is 0".to_owned());
        }
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl PlayersReport {
    pub(super) fn bound(&mut self) {
        let Self { online: _, max: _, players, name, version, map, problem } = self;
        players.truncate(PLAYERS);
        for PlayerEntry { name, seconds: _ } in players {
            TextRule::NAME.apply(name);
        }
        for text in [name, version, map] {
            TextRule::line(256).apply(text);
        }
        TextRule::SENTENCE.apply_some(problem);
    }
}
