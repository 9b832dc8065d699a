//! `/api/templates`.

use ::templates::egg::Format;
use ::templates::model::MAX_BYTES;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::catalog::{ExportFormat, Templates};
use super::imports::Imports;
use super::views::{AddedView, TemplateSummary, TemplateView};
use super::{icon_routes, import_routes};
use crate::agents::Agents;
use crate::auth::{Actor, Admin};
use crate::error::ApiError;
use crate::http::{DELETE, GET, POST, Route, StatusCode, bytes_of, endpoint, tagged};

/// All endpoints of this feature.
pub fn routes(agents: &Agents, templates: &Templates, imports: &Imports) -> Vec<Route> {
    let both = (agents.clone(), templates.clone());
    let mut routes = vec![
        endpoint(GET, "/api/templates")
            .access::<Actor>()
            .doc("Lists the templates")
            .list::<TemplateSummary>()
            .handle(&both, |(agents, templates), _call| async move {
                let nodes = agents.architectures();
                let list = templates.list();
                Ok(list.iter().map(|template| TemplateSummary::new(template, &nodes, templates.is_builtin(&template.id))).collect())
            }),
        endpoint(POST, "/api/templates")
            .access::<Admin>()
            .doc("Adds a template: an egg (PTDL_v1, PTDL_v2, PLCN_v1 to PLCN_v3) or the native form, as JSON or YAML. One of the same uuid takes the place of the one that is there")
            .document(MAX_BYTES as u64)
            .created::<AddedView>()
            .refusals(&[409])
            .handle(imports, |imports, call| async move {
                let added = imports.add(&call.by, call.body.0, None).await?;
                Ok(AddedView::from(added))
            }),
        endpoint(GET, "/api/templates/{id}")
            .access::<Actor>()
            .doc("One template, its variables included")
            .ok::<TemplateView>()
            .with_headers()
            .refusals(&[404])
            .handle(&both, |(agents, templates), call| async move {
                let template =
                    templates.get(call.request.id()).ok_or_else(|| ApiError::not_found("template"))?;
                let builtin = templates.is_builtin(&template.id);
                let native = templates.native(&template.id)?;
                let (nodes, admin) = (agents.architectures(), call.by.is_admin());
                let mut view = TemplateView::new(&template, native.as_ref(), &nodes, builtin, admin);
                view.revision = templates.revision_of(&template.id);
                let headers = view.revision.as_deref().map(tagged).unwrap_or_default();
                Ok((view, headers))
            }),
        endpoint(DELETE, "/api/templates/{id}")
            .access::<Admin>()
            .doc("Removes a template that was added. Servers made from it keep what they took over")
            .no_content()
            .refusals(&[404, 409])
            .handle(templates, |templates, call| async move {
                templates.remove(&call.by, call.request.id()).await
            }),
        endpoint(GET, "/api/templates/{id}/export")
            .access::<Admin>()
            .doc("A template as a file, which is read again as the same")
            .query::<ExportQuery>()
            .response(200)
            .refusals(&[404])
            .handle(templates, |templates, call| async move {
                let (format, content_type) = call.query.format.unwrap_or_default().parts();
                let file = templates.export(call.request.id(), format)?;
                Ok(bytes_of(StatusCode::OK, content_type, file.into_bytes()))
            }),
    ];
    routes.extend(import_routes::routes(templates, imports));
    routes.extend(icon_routes::routes(templates));
    routes
}

/// How a template is given out.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// `native` (the usual), `ptdl_v2`, `plcn_v3` or `plcn_v3_json`.
    #[param(inline)]
    format: Option<FormatName>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FormatName {
    #[default]
    Native,
    PtdlV2,
    PlcnV3,
    PlcnV3Json,
}

impl FormatName {
    fn parts(self) -> (ExportFormat, &'static str) {
        match self {
            Self::Native => (ExportFormat::Native, "application/yaml"),
            Self::PtdlV2 => (ExportFormat::Egg(Format::PtdlV2), "application/json"),
            Self::PlcnV3 => (ExportFormat::Egg(Format::PlcnV3), "application/yaml"),
            Self::PlcnV3Json => (ExportFormat::Egg(Format::PlcnV3Json), "application/json"),
        }
    }
}
