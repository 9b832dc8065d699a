//! Endpoints of `/api/templates` for importing and changing templates.

use ::templates::model::MAX_BYTES;
use serde::Deserialize;
use utoipa::ToSchema;

use super::catalog::Templates;
use super::imports::Imports;
use super::views::{AddedView, FileView, PreviewView};
use crate::auth::Admin;
use crate::http::{POST, PUT, Route, endpoint, tagged};

/// Largest archive in bytes; 600 eggs need less than 2 MiB.
const ARCHIVE: u64 = 16 << 20;

pub(super) fn routes(templates: &Templates, imports: &Imports) -> Vec<Route> {
    let both = (templates.clone(), imports.clone());
    vec![
        endpoint(POST, "/api/templates/import")
            .access::<Admin>()
            .doc("Adds the template that a link leads to, 1 MiB at most within 20 s. Private addresses only where FETCH_ALLOW allows them")
            .body::<Link>()
            .created::<AddedView>()
            .refusals(&[400, 409])
            .handle(imports, |imports, call| async move {
                imports.add_url(&call.by, &call.body.url).await.map(AddedView::from)
            }),
        endpoint(POST, "/api/templates/import/preview")
            .access::<Admin>()
            .doc("What the template that a link leads to would change; nothing is written")
            .body::<Link>()
            .ok::<PreviewView>()
            .refusals(&[400])
            .handle(imports, |imports, call| async move {
                imports.preview_url(&call.body.url).await.map(PreviewView::from)
            }),
        endpoint(POST, "/api/templates/archive")
            .access::<Admin>()
            .doc("Adds all templates of a ZIP archive, and tells what became of each of its JSON and YAML files")
            .archive(ARCHIVE)
            .list::<FileView>()
            .refusals(&[400])
            .handle(imports, |imports, call| async move {
                let files = imports.add_archive(&call.by, call.body.0).await?;
                Ok(files.into_iter().map(FileView::from).collect())
            }),
        endpoint(POST, "/api/templates/preview")
            .access::<Admin>()
            .doc("What a template would change, in the forms that POST /api/templates takes; nothing is written")
            .document(MAX_BYTES as u64)
            .ok::<PreviewView>()
            .refusals(&[400])
            .handle(imports, |imports, call| async move {
                imports.preview(call.body.0).await.map(PreviewView::from)
            }),
        endpoint(POST, "/api/templates/{id}/duplicate")
            .access::<Admin>()
            .doc("Adds a copy of a template, with an identity of its own")
            .created::<AddedView>()
            .refusals(&[404, 409])
            .handle(imports, |imports, call| async move {
                imports.duplicate(&call.by, call.request.id()).await.map(AddedView::from)
            }),
        endpoint(PUT, "/api/templates/{id}")
            .access::<Admin>()
            .doc("Replaces a template that was added by this one, in the native form. Servers made from it keep what they took over")
            .document(MAX_BYTES as u64)
            .ok::<AddedView>()
            .with_headers()
            .conditional()
            .refusals(&[404, 409])
            .handle(&both, |(templates, imports), call| async move {
                let (expected, id) = (call.request.expected()?, call.request.id());
                let edited = imports.edit(&call.by, id, call.body.0, expected).await?;
                let headers = templates.revision_of(id).as_deref().map(tagged).unwrap_or_default();
                Ok((AddedView::from(edited), headers))
            }),
    ]
}

/// Where something is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TemplateLink)]
struct Link {
    /// A whole address, by `https` or `http`.
    url: String,
}
