//! `/api/templates/sources`.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Sources;
use super::views::{EntriesView, SourceView, SourcesView};
use crate::auth::Admin;
use crate::error::ApiError;
use crate::http::{DELETE, GET, POST, Route, endpoint};
use crate::templates::AddedView;

/// All endpoints of this feature.
pub fn routes(sources: &Sources) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/templates/sources")
            .access::<Admin>()
            .doc("Lists the sources of templates, and public ones that could be added")
            .ok::<SourcesView>()
            .handle(sources, |sources, _call| async move { Ok(SourcesView::new(sources.list()?)) }),
        endpoint(POST, "/api/templates/sources")
            .access::<Admin>()
            .doc("Adds a source and fetches it: an index as Pelican publishes it, a list of links, or a ZIP archive; 5,000 templates and 16 MiB at most")
            .body::<NewSource>()
            .created::<SourceView>()
            .refusals(&[409])
            .handle(sources, |sources, call| async move {
                sources.add(&call.by, &call.body.url).await.map(SourceView::from)
            }),
        endpoint(DELETE, "/api/templates/sources/{id}")
            .access::<Admin>()
            .doc("Removes a source. Templates that were taken out of it stay")
            .no_content()
            .refusals(&[404])
            .handle(sources, |sources, call| async move { sources.remove(&call.by, call.request.id()).await }),
        endpoint(POST, "/api/templates/sources/{id}/refresh")
            .access::<Admin>()
            .doc("Fetches a source again. Where that fails, what was kept stays")
            .ok::<SourceView>()
            .refusals(&[404, 422])
            .handle(sources, |sources, call| async move {
                sources.refresh(call.request.id()).await.map(SourceView::from)
            }),
        endpoint(GET, "/api/templates/sources/entries")
            .access::<Admin>()
            .doc("Searches what the sources list, as it was last fetched; 100 entries at most")
            .query::<Search>()
            .ok::<EntriesView>()
            .handle(sources, |sources, call| async move {
                let Search { query, source, offset } = call.query;
                sources.search(query.unwrap_or_default(), source, offset.unwrap_or_default()).await
            }),
        endpoint(POST, "/api/templates/sources/{id}/entries/{number}/add")
            .access::<Admin>()
            .doc("Adds the template that an entry of a source names, or takes it over the one of the same uuid")
            .created::<AddedView>()
            .refusals(&[400, 404, 409, 422])
            .handle(sources, |sources, call| async move {
                let number = call.request.param("number").parse().map_err(|_| ApiError::not_found("entry"))?;
                sources.take(&call.by, call.request.id(), number).await.map(AddedView::from)
            }),
    ]
}

/// A source that is to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTemplateSource)]
struct NewSource {
    /// The address of the list.
    url: String,
}

/// What is searched for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Words that all have to occur; none for everything.
    query: Option<String>,
    /// Only in this source.
    source: Option<String>,
    /// So many are left out at the beginning.
    offset: Option<usize>,
}
