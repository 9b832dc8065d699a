//! Schedules of servers. The panel keeps what they should be; the node runs them, also while the panel is away.

mod model;
mod routes;
mod views;

use std::time::Duration;

use protocol::{
    SCHEDULES, Schedule, ScheduleRunNow, ScheduleTrigger, ServerId, ServerRef, ToAgent, ToPanel, capability,
};
use storage::Store;
use storage::schedules::ServerSchedules;
use storage::servers::Server;

pub use routes::routes;

use self::model::{SchedulePlan, check_trigger, may_do};
use self::views::{ScheduleRunView, ScheduleView, SchedulesView};
use crate::agents::{Agents, RequestError};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::players::Players;
use crate::system::{clock, ids};

/// How long a node may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Number of coming runs that are shown.
const NEXT: usize = 5;

/// Schedules of servers. Cheap to clone.
#[derive(Clone)]
pub struct Schedules {
    store: Store,
    agents: Agents,
    players: Players,
}

impl Schedules {
    /// Over the database, the agents and the players, who are asked for where nobody may be disturbed.
    pub fn new(store: Store, agents: Agents, players: Players) -> Self {
        Self { store, agents, players }
    }

    fn list(&self, permit: &Permit<need::Schedules>) -> Result<SchedulesView, ApiError> {
        let server = self.server(permit.server_id())?;
        let kept = self.kept(permit.server_id())?;
        let supported = !self.agents.lacks(&server.node_id, capability::SCHEDULES);
        let schedules = kept.schedules.into_iter().filter_map(view).collect();
        let players = self.players.query_of(&server.id)?.is_some();
        Ok(SchedulesView { supported, players, schedules })
    }

    async fn add(
        &self,
        permit: &Permit<need::Schedules>,
        plan: SchedulePlan,
    ) -> Result<ScheduleView, ApiError> {
        let schedule = plan.checked(&ids::short(), permit.permissions())?;
        let record = record(&schedule, clock::now())?;
        let copy = record.clone();
        self.change(permit, move |kept| {
            if kept.schedules.len() >= SCHEDULES {
                let sentence = format!("A server has at most {SCHEDULES} schedules. Delete one first.");
                return Err(ApiError::new(Code::Conflict, sentence));
            }
            kept.schedules.push(copy);
            Ok(())
        })
        .await?;
        tracing::info!(server = %permit.server_id(), schedule = %record.id, by = %permit.actor(), "schedule added");
        view(record).ok_or_else(|| ApiError::not_found("schedule"))
    }

    async fn replace(
        &self,
        permit: &Permit<need::Schedules>,
        id: &str,
        plan: SchedulePlan,
    ) -> Result<ScheduleView, ApiError> {
        let schedule = plan.checked(id, permit.permissions())?;
        let new = record(&schedule, clock::now())?;
        let copy = new.clone();
        self.change(permit, move |kept| {
            let known = kept.schedules.iter_mut().find(|one| one.id == copy.id);
            let known = known.ok_or_else(|| ApiError::not_found("schedule"))?;
            known.plan = copy.plan;
            Ok(())
        })
        .await?;
        tracing::info!(server = %permit.server_id(), schedule = %id, by = %permit.actor(), "schedule changed");
        view(new).ok_or_else(|| ApiError::not_found("schedule"))
    }

    async fn remove(&self, permit: &Permit<need::Schedules>, id: &str) -> Result<(), ApiError> {
        let gone = id.to_owned();
        self.change(permit, move |kept| {
            let before = kept.schedules.len();
            kept.schedules.retain(|one| one.id != gone);
            if kept.schedules.len() == before { Err(ApiError::not_found("schedule")) } else { Ok(()) }
        })
        .await?;
        tracing::info!(server = %permit.server_id(), schedule = %id, by = %permit.actor(), "schedule deleted");
        Ok(())
    }

    /// Changes a server's schedules and sends them to its node. If that is offline, the next sync does it.
    async fn change(
        &self,
        permit: &Permit<need::Schedules>,
        change: impl FnOnce(&mut ServerSchedules) -> Result<(), ApiError> + Send + 'static,
    ) -> Result<(), ApiError> {
        let id = permit.server_id().clone();
        let server = self.server(&id)?;
        if self.agents.lacks(&server.node_id, capability::SCHEDULES) {
            return Err(outdated());
        }
        let players = self.players.query_of(&id)?.and_then(|query| serde_json::to_string(&query).ok());
        let written = self.store.write(move |tx| {
            let mut kept = storage::schedules::get(tx, &id)?.unwrap_or_default();
            change(&mut kept)?;
            kept.players = players;
            storage::schedules::put(tx, &id, &kept)?;
            Ok::<_, ApiError>(())
        });
        written.await?;
        match self.agents.send_schedules(permit.server_id(), &server.node_id).await {
            Ok(()) | Err(RequestError::Offline) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn run(&self, permit: &Permit<need::Schedules>, id: &str, dry: bool) -> Result<(), ApiError> {
        let server = self.server(permit.server_id())?;
        let kept = self.kept(permit.server_id())?;
        let known = kept.schedules.iter().find(|one| one.id == id).and_then(read);
        let known = known.ok_or_else(|| ApiError::not_found("schedule"))?;
        if !dry {
            may_do(&known, permit.permissions())?;
        }
        if self.agents.lacks(&server.node_id, capability::SCHEDULES) {
            return Err(outdated());
        }
        let message = ToAgent::ScheduleRun(ScheduleRunNow {
            server_id: server.id.clone(),
            schedule_id: id.to_owned(),
            dry,
        });
        self.agents.ask(&server.node_id, message, ANSWER).await?;
        tracing::info!(server = %server.id, schedule = %id, dry, by = %permit.actor(), "schedule run by hand");
        Ok(())
    }

    async fn runs(&self, permit: &Permit<need::Schedules>) -> Result<Vec<ScheduleRunView>, ApiError> {
        let server = self.server(permit.server_id())?;
        if self.agents.lacks(&server.node_id, capability::SCHEDULES) {
            return Ok(Vec::new());
        }
        let message = ToAgent::SchedulesQuery(ServerRef { server_id: server.id.clone() });
        match self.agents.ask(&server.node_id, message, ANSWER).await? {
            ToPanel::SchedulesReport(report) => {
                Ok(report.runs.into_iter().map(ScheduleRunView::from).collect())
            }
            _ => Err(RequestError::Unfitting.into()),
        }
    }

    fn server(&self, id: &ServerId) -> Result<Server, ApiError> {
        let server = self.store.read_now(|tx| storage::servers::get(tx, id))?;
        server.ok_or_else(|| ApiError::not_found("server"))
    }

    fn kept(&self, id: &ServerId) -> Result<ServerSchedules, ApiError> {
        Ok(self.store.read_now(|tx| storage::schedules::get(tx, id))?.unwrap_or_default())
    }
}

/// The next runs of a trigger.
fn preview(trigger: model::ScheduleTriggerView) -> Result<Vec<String>, ApiError> {
    let value =
        serde_json::to_value(trigger).map_err(|error| ApiError::internal("writing a trigger", &error))?;
    let trigger: ScheduleTrigger =
        serde_json::from_value(value).map_err(|error| ApiError::internal("reading a trigger", &error))?;
    check_trigger(&trigger)?;
    Ok(next_runs(&trigger))
}

fn next_runs(trigger: &ScheduleTrigger) -> Vec<String> {
    let times = agent::schedules::next_times(trigger, clock::now(), NEXT).unwrap_or_default();
    times.into_iter().map(clock::rfc3339).collect()
}

fn outdated() -> ApiError {
    ApiError::new(Code::Conflict, "The agent of this node cannot run schedules. Update it.")
}

fn read(record: &storage::schedules::Schedule) -> Option<Schedule> {
    serde_json::from_str(&record.plan).ok()
}

fn view(record: storage::schedules::Schedule) -> Option<ScheduleView> {
    let schedule = read(&record)?;
    let next = if schedule.enabled { next_runs(&schedule.trigger) } else { Vec::new() };
    Some(ScheduleView { id: record.id, plan: SchedulePlan::of(schedule)?, next_runs: next })
}

fn record(schedule: &Schedule, created_at: i64) -> Result<storage::schedules::Schedule, ApiError> {
    let plan =
        serde_json::to_string(schedule).map_err(|error| ApiError::internal("writing a schedule", &error))?;
    Ok(storage::schedules::Schedule { id: schedule.id.clone(), plan, created_at })
}
