//! Who plays on a server, and what is done to players.
//!
//! How a game is asked, and what is typed on its console, stands in its template. A game is asked only when somebody wants
//! to know, and what it told is good for some seconds, however many look.

mod console_line;
mod routes;
mod views;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::templates::model::{self, PlayerAction, PlayerQuery, PlayerSupport};
use protocol::{
    PlayersQuery, PlayersReport, QueryProtocol, ServerCommand, ServerId, ToAgent, ToPanel, capability,
};
use storage::Store;
use storage::servers::Server;

pub use routes::routes;

pub(crate) use self::views::PlayersView;
use crate::agents::{Agents, RequestError};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::system::clock;
use crate::templates::Templates;

/// How long what a game told is good.
const FRESH: Duration = Duration::from_secs(5);
/// How long a node may take to ask a game.
const ANSWER: Duration = Duration::from_secs(10);
/// From this number of remembered answers on, those that nobody looks at are dropped.
const REMEMBERED: usize = 200;

/// An answer of a game, and when it came.
type Known = Arc<tokio::sync::Mutex<Option<(Instant, PlayersView)>>>;

/// Who plays on servers. Cheap to clone.
#[derive(Clone)]
pub struct Players {
    store: Store,
    agents: Agents,
    templates: Templates,
    known: Arc<Mutex<HashMap<ServerId, Known>>>,
}

impl Players {
    /// Over the database, the agents and the templates.
    pub fn new(store: Store, agents: Agents, templates: Templates) -> Self {
        Self { store, agents, templates, known: Arc::default() }
    }

    /// Who plays, as the game tells now or told some seconds ago.
    pub(crate) async fn list(&self, permit: &Permit<need::View>) -> Result<PlayersView, ApiError> {
        let (server, template) = self.server(permit.server_id())?;
        let support = template.as_ref().and_then(|template| template.players.clone()).unwrap_or_default();
        let Some((protocol, port)) = template.as_ref().and_then(|template| question(template, &server))
        else {
            return Ok(PlayersView::unasked(&support));
        };
        if self.agents.lacks(&server.node_id, capability::PLAYERS) {
            return Err(ApiError::new(
                Code::Conflict,
                "The agent of this node cannot ask games who plays. Update it.",
            ));
        }
        let known = self.known(&server.id);
        // Whoever comes while the game is asked waits here for the same answer.
        let mut known = known.lock().await;
        if let Some((at, view)) = known.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(view.clone());
        }
        let message = ToAgent::PlayersQuery(PlayersQuery { server_id: server.id.clone(), protocol, port });
        let report = match self.agents.ask(&server.node_id, message, ANSWER).await {
            Ok(ToPanel::PlayersReport(report)) => report,
            Ok(_) => return Err(RequestError::Unfitting.into()),
            Err(error) => match ApiError::from(error) {
                error if error.code() == Code::NotRunning => PlayersReport::default(),
                error => return Err(error),
            },
        };
        let view = PlayersView::asked(&support, report, clock::now());
        *known = Some((Instant::now(), view.clone()));
        Ok(view)
    }

    /// Types an action's command on the game's console.
    pub(super) async fn act(
        &self,
        permit: &Permit<need::Players>,
        action: PlayerAction,
        player: Option<&str>,
        text: Option<&str>,
    ) -> Result<(), ApiError> {
        let (server, template) = self.server(permit.server_id())?;
        let support = template.and_then(|template| template.players).unwrap_or_default();
        let Some(pattern) = support.actions.get(&action) else {
            let sentence = format!("The template of this server has no command for {}.", action.name());
            return Err(ApiError::new(Code::Conflict, sentence));
        };
        let command = console_line::fill(pattern, action, player, text)?;
        let message = ToAgent::ServerCommand(ServerCommand { server_id: server.id.clone(), command });
        self.agents.ask(&server.node_id, message, ANSWER).await?;
        // What was known may not be true any more.
        self.forget(&server.id);
        tracing::info!(
            server = %server.id,
            action = action.name(),
            player,
            by = %permit.actor(),
            "players managed"
        );
        Ok(())
    }

    /// A server and its template: the version that it was made with, or, where that tells nothing of players, today's.
    fn server(&self, id: &ServerId) -> Result<(Server, Option<model::Template>), ApiError> {
        let record = self.store.read_now(|tx| storage::servers::get(tx, id))?;
        let server = record.ok_or_else(|| ApiError::not_found("server"))?;
        let own =
            server.template.as_deref().and_then(|text| serde_json::from_str::<model::Template>(text).ok());
        if own.as_ref().is_some_and(|own| own.players.is_some()) {
            return Ok((server, own));
        }
        let newest = match &server.template_id {
            Some(id) => self.templates.native(id)?,
            None => None,
        };
        let newest = newest.filter(|newest| newest.players.is_some());
        Ok((server, newest.or(own)))
    }

    /// How a server's game is asked who plays; `None` if it cannot be asked.
    pub(crate) fn query_of(&self, id: &ServerId) -> Result<Option<PlayersQuery>, ApiError> {
        let (server, template) = self.server(id)?;
        let question = template.as_ref().and_then(|template| question(template, &server));
        Ok(question.map(|(protocol, port)| PlayersQuery { server_id: id.clone(), protocol, port }))
    }

    fn known(&self, id: &ServerId) -> Known {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.retain(|_, known| {
                Arc::strong_count(known) > 1
                    || known
                        .try_lock()
                        .is_ok_and(|known| known.as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH))
            });
        }
        Arc::clone(all.entry(id.clone()).or_default())
    }

    fn forget(&self, id: &ServerId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// How a server's game is asked: the protocol, and the port in its container.
fn question(template: &model::Template, server: &Server) -> Option<(QueryProtocol, u16)> {
    let PlayerSupport { query, .. } = template.players.as_ref()?;
    let protocol = match query.as_ref()? {
        PlayerQuery::Minecraft => QueryProtocol::Minecraft,
        PlayerQuery::Bedrock => QueryProtocol::Bedrock,
        PlayerQuery::A2s => QueryProtocol::A2s,
        PlayerQuery::Quake3 => QueryProtocol::Quake3,
    };
    let port = template.players_port();
    let of_variable = port
        .and_then(|port| port.variable.as_ref())
        .and_then(|name| server.environment.get(name))
        .and_then(|value| value.parse::<u16>().ok());
    let number = of_variable
        .or_else(|| port.and_then(|port| port.number))
        .or_else(|| server.ports.first().map(|port| port.internal))?;
    Some((protocol, number))
}
