//! `/api/templates`.

use super::views::{TemplateSummary, TemplateView};
use crate::agents::Agents;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::http::{Access, Doc, Filter, GET, Route, caller, id, ok, route, with};

/// All endpoints of this feature.
pub fn routes(agents: &Agents) -> Vec<Route> {
    vec![list(agents), get(agents)]
}

fn list(agents: &Agents) -> Route {
    route(
        GET,
        "/api/templates",
        Access::SignedIn,
        Doc::new("Lists the templates").list::<TemplateSummary>(200),
        with(agents)
            .map(|agents: Agents| {
                let nodes = agents.architectures();
                Ok(super::list()
                    .iter()
                    .map(|template| TemplateSummary::new(template, &nodes))
                    .collect::<Vec<_>>())
            })
            .map(ok),
    )
}

fn get(agents: &Agents) -> Route {
    route(
        GET,
        "/api/templates/{id}",
        Access::SignedIn,
        Doc::new("One template, its variables included").answer::<TemplateView>(200).refusals(&[404]),
        with(agents)
            .and(caller())
            .and(id())
            .map(|agents: Agents, caller: Caller, id: String| {
                let template = super::get(&id).ok_or_else(|| ApiError::not_found("template"))?;
                Ok(TemplateView::new(template, &agents.architectures(), caller.is_admin()))
            })
            .map(ok),
    )
}
