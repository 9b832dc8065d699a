//! `/api/templates`.

use super::views::{TemplateSummary, TemplateView};
use crate::agents::Agents;
use crate::auth::Actor;
use crate::error::ApiError;
use crate::http::{GET, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(agents: &Agents) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/templates")
            .access::<Actor>()
            .doc("Lists the templates")
            .list::<TemplateSummary>()
            .handle(agents, |agents, _call| async move {
                let nodes = agents.architectures();
                Ok(super::list().iter().map(|template| TemplateSummary::new(template, &nodes)).collect())
            }),
        endpoint(GET, "/api/templates/{id}")
            .access::<Actor>()
            .doc("One template, its variables included")
            .ok::<TemplateView>()
            .refusals(&[404])
            .handle(agents, |agents, call| async move {
                let template =
                    super::get(call.request.id()).ok_or_else(|| ApiError::not_found("template"))?;
                Ok(TemplateView::new(template, &agents.architectures(), call.by.is_admin()))
            }),
    ]
}
