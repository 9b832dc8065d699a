//! `/api/servers/{id}/players`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Players;
use super::views::{ActionView, PlayersView};
use crate::auth::{Permit, need};
use crate::http::{GET, POST, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(players: &Players) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/players")
            .access::<Permit<need::View>>()
            .doc("Who plays, as the game itself tells; asked at most every 5 seconds")
            .ok::<PlayersView>()
            .refusals(&[409, 503])
            .handle(players, |players, call| async move { players.list(&call.by).await }),
        endpoint(POST, "/api/servers/{id}/players/actions")
            .access::<Permit<need::Players>>()
            .doc("Types the command of an action on the game's console, as its template has it")
            .body::<PlayerActionRequest>()
            .no_content()
            .refusals(&[409, 422, 503])
            .handle(players, |players, call| async move {
                let PlayerActionRequest { action, player, text } = call.body;
                players.act(&call.by, action.into(), player.as_deref(), text.as_deref()).await
            }),
    ]
}

/// What is done to players.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlayerActionRequest {
    /// What is done.
    action: ActionView,
    /// The name of the player; needed for all but `message`.
    #[serde(default)]
    player: Option<String>,
    /// What is said; for `message`. Semicolons and quotation marks are replaced, since consoles read them as their own.
    #[serde(default)]
    text: Option<String>,
}
