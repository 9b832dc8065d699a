//! Recent processor use of each listed server, for the sparklines beside their names: one call for all servers.

use std::time::Duration;

use futures_util::StreamExt;
use protocol::{ServerRef, ToAgent, ToPanel};
use serde::Serialize;
use utoipa::ToSchema;

use super::Servers;
use super::views::{ServerStatus, ServerView};
use crate::auth::Actor;
use crate::error::ApiError;

/// Most points of a line; more would not be visible.
const POINTS: usize = 40;
/// How many agents are asked at a time, and the time limit for each. A server whose data is late is left out.
const AT_ONCE: usize = 16;
const ANSWER: Duration = Duration::from_secs(3);

/// The processor use of one server in the last 10 minutes.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ServerTrend)]
pub struct TrendView {
    /// The server's id.
    pub id: String,
    /// The first point's time, in milliseconds since 1970.
    pub from: i64,
    /// The seconds between the first point and each, oldest first; 40 at most.
    pub seconds: Vec<i64>,
    /// Percent of one core at each point.
    pub cpu: Vec<f64>,
}

impl Servers {
    /// The trends of running servers that a user may see. Servers whose node does not answer in time are left out.
    pub async fn trends(&self, actor: &Actor) -> Result<Vec<TrendView>, ApiError> {
        let visible = self.auth.visible(actor)?;
        let mut running = self.list_visible(&visible).await?;
        running.retain(|server| server.status == ServerStatus::Running);
        let asked = futures_util::stream::iter(running).map(|server| self.trend(server));
        Ok(asked.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await)
    }

    async fn trend(&self, server: ServerView) -> Option<TrendView> {
        let message = ToAgent::StatsHistory(ServerRef { server_id: server.id.as_str().into() });
        match self.agents.ask(&server.node_id.as_str().into(), message, ANSWER).await {
            Ok(ToPanel::StatsHistory(history)) => {
                let points =
                    history.samples.iter().map(|sample| (sample.timestamp.as_millisecond(), sample.cpu));
                thinned(server.id, &points.collect::<Vec<_>>())
            }
            _ => None,
        }
    }
}

/// Evenly spaced points, always including the last one.
fn thinned(id: String, points: &[(i64, f64)]) -> Option<TrendView> {
    let (from, _) = *points.first()?;
    let step = points.len().div_ceil(POINTS);
    let kept = points.iter().rev().step_by(step).filter(|(_, cpu)| cpu.is_finite());
    let mut trend = TrendView { id, from, seconds: Vec::new(), cpu: Vec::new() };
    for (time, cpu) in kept {
        trend.seconds.push((time - from) / 1000);
        trend.cpu.push((cpu * 10.0).round() / 10.0);
    }
    trend.seconds.reverse();
    trend.cpu.reverse();
    Some(trend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_few_points_and_the_last_one() {
        let points: Vec<_> = (0..300).map(|at| (1_000_000 + at * 2_000, at as f64)).collect();
        let trend = thinned("a".to_owned(), &points).unwrap();
        assert_eq!((trend.from, trend.cpu.len(), trend.seconds.len()), (1_000_000, 38, 38));
        assert_eq!((trend.seconds.last(), trend.cpu.last()), (Some(&598), Some(&299.0)));
        assert!(trend.seconds.is_sorted());
        assert_eq!(thinned("a".to_owned(), &[]), None);
    }
}
