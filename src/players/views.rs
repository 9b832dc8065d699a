//! JSON of who plays.

use ::templates::model::{PlayerAction, PlayerSupport};
use protocol::{PlayerEntry, PlayersReport};
use serde::{Deserialize, Serialize};
use storage::Millis;
use utoipa::ToSchema;

use crate::system::clock::rfc3339;

/// Who plays on a server.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Players)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlayersView {
    /// Whether the game can be asked at all.
    askable: bool,
    /// How many play; null if the server does not run, or the game did not answer.
    online: Option<u32>,
    /// How many may play at once; null if the game does not tell.
    max: Option<u32>,
    /// Who plays; games often name fewer than play, or none.
    players: Vec<PlayerView>,
    /// The server's name or message of the day, as the game tells it.
    name: String,
    /// The version of the game.
    version: String,
    /// The map that is played.
    map: String,
    /// Why a running game did not answer.
    problem: Option<String>,
    /// When it was asked.
    checked_at: Option<String>,
    /// What can be done to players.
    actions: Vec<ActionView>,
}

/// A player.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Player)]
struct PlayerView {
    /// The name in the game.
    name: String,
    /// For how many seconds the player has been connected; null if the game does not tell.
    seconds: Option<u32>,
}

/// Something that can be done to players.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlayerAction)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionView {
    /// Throws a player out, who may come back.
    Kick,
    /// Throws a player out for good.
    Ban,
    /// Lets a banned player in again.
    Unban,
    /// Makes a player an operator.
    Op,
    /// Makes an operator a player.
    Deop,
    /// Adds a player to the whitelist.
    WhitelistAdd,
    /// Removes a player from the whitelist.
    WhitelistRemove,
    /// Says something to everybody.
    Message,
}

impl PlayersView {
    /// Of a game that cannot be asked.
    pub(super) fn unasked(support: &PlayerSupport) -> Self {
        Self { askable: false, ..Self::asked(support, PlayersReport::default(), 0) }.without_time()
    }

    /// Of a game that was asked at this time.
    pub(super) fn asked(support: &PlayerSupport, report: PlayersReport, now: Millis) -> Self {
        let PlayersReport { online, max, players, name, version, map, problem } = report;
        Self {
            askable: true,
            online,
            max,
            players: players
                .into_iter()
                .map(|PlayerEntry { name, seconds }| PlayerView { name, seconds })
                .collect(),
            name,
            version,
            map,
            problem,
            checked_at: Some(rfc3339(now)),
            actions: support.actions.keys().map(|action| ActionView::from(*action)).collect(),
        }
    }

    /// How many play, if the game told.
    pub(crate) fn online(&self) -> Option<u32> {
        self.online
    }

    /// How many may play at once, if the game told.
    pub(crate) fn max(&self) -> Option<u32> {
        self.max
    }

    fn without_time(mut self) -> Self {
        self.checked_at = None;
        self
    }
}

macro_rules! same {
    ($($name:ident),*) => {
        impl From<PlayerAction> for ActionView {
            fn from(action: PlayerAction) -> Self {
                match action { $(PlayerAction::$name => Self::$name,)* }
            }
        }

        impl From<ActionView> for PlayerAction {
            fn from(action: ActionView) -> Self {
                match action { $(ActionView::$name => Self::$name,)* }
            }
        }
    };
}

same!(Kick, Ban, Unban, Op, Deop, WhitelistAdd, WhitelistRemove, Message);
