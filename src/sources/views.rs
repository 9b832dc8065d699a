//! Sources as JSON.

use serde::Serialize;
use storage::sources::Source;
use utoipa::ToSchema;

use crate::system::clock;

/// Suggested public sources: name and URL. They are not fetched unless a user adds them.
const SUGGESTIONS: [(&str, &str); 1] = [(
    "Pelican Eggs",
    "https://raw.githubusercontent.com/pelican-eggs/pelican-eggs.github.io/refs/heads/main/content/pelican.json",
)];

/// The sources, and those that could be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateSources)]
pub(super) struct SourcesView {
    /// Those that were added.
    pub(super) sources: Vec<SourceView>,
    /// Public ones that were not: nothing is fetched from them.
    pub(super) suggestions: Vec<SuggestionView>,
}

/// A source that could be added.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateSourceSuggestion)]
pub(super) struct SuggestionView {
    name: &'static str,
    url: &'static str,
}

/// A source.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TemplateSource)]
pub(super) struct SourceView {
    /// Never changes.
    id: String,
    /// The address of the list.
    url: String,
    /// What it is: `index`, `links` or `archive`.
    kind: String,
    /// How many templates it lists.
    entries: u32,
    /// When it was last fetched.
    fetched_at: String,
    /// Why the last fetch failed, for people; null where it did not.
    problem: Option<String>,
}

impl From<Source> for SourceView {
    fn from(Source { id, url, kind, entries, fetched_at, problem, .. }: Source) -> Self {
        Self { id, url, kind, entries, fetched_at: clock::rfc3339(fetched_at), problem }
    }
}

impl SourcesView {
    pub(super) fn new(sources: Vec<Source>) -> Self {
        let suggestions = SUGGESTIONS
            .into_iter()
            .filter(|(_, url)| !sources.iter().any(|source| source.url == *url))
            .map(|(name, url)| SuggestionView { name, url })
            .collect();
        Self { sources: sources.into_iter().map(SourceView::from).collect(), suggestions }
    }
}

/// Entries that were found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateSourceEntries)]
pub(super) struct EntriesView {
    /// How many there are in all.
    pub(super) total: usize,
    /// 100 of them at most.
    pub(super) entries: Vec<EntryView>,
}

/// A template that a source lists.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TemplateSourceEntry)]
pub(super) struct EntryView {
    /// Id of the source.
    pub(super) source: String,
    /// Its place there, by which it is added.
    pub(super) number: usize,
    /// What people call it.
    pub(super) name: String,
    /// A few sentences.
    pub(super) description: String,
    /// The group that it stands in.
    pub(super) group: String,
    /// Its address, or its file in an archive.
    pub(super) place: String,
    /// The template that it is here already; null where it is not.
    pub(super) template_id: Option<String>,
    /// Whether the source's is another than the one here, as of when the source was last fetched.
    pub(super) newer: bool,
}
