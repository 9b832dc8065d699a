//! Search in the stored listings of sources.

use super::index::{self, Entry};
use super::views::{EntriesView, EntryView};
use super::{ApiError, Sources};

/// Most entries in one answer.
const PAGE: usize = 100;

impl Sources {
    /// The entries whose name, group or description contains all words of the query; matches in the name come first.
    pub(super) async fn search(
        &self,
        query: String,
        source: Option<String>,
        offset: usize,
    ) -> Result<EntriesView, ApiError> {
        let this = self.clone();
        let found = tokio::task::spawn_blocking(move || this.find(&query, source.as_deref(), offset)).await;
        found.map_err(|cause| ApiError::internal("searching sources", &cause))?
    }

    fn find(&self, query: &str, only: Option<&str>, offset: usize) -> Result<EntriesView, ApiError> {
        let query = query.chars().take(200).collect::<String>().to_lowercase();
        let words: Vec<&str> = query.split_whitespace().collect();
        let mut found = Vec::new();
        for source in self.list()?.into_iter().filter(|source| only.is_none_or(|id| id == source.id)) {
            let contents = self.store.read_now(|tx| storage::sources::contents(tx, &source.id))?;
            let entries: Vec<Entry> =
                contents.and_then(|contents| index::unpack(&contents.entries)).unwrap_or_default();
            for (number, entry) in entries.into_iter().enumerate() {
                if let Some(rank) = rank(&entry, &words) {
                    let mut entry = entry;
                    let taken = source.taken.get(&entry.place).cloned();
                    entry.state = entry.state.or_else(|| source.states.get(&entry.place).cloned());
                    found.push((rank, entry.name.to_lowercase(), source.id.clone(), number, entry, taken));
                }
            }
        }
        found.sort_by(|a, b| (a.0, &a.1, &a.2, a.3).cmp(&(b.0, &b.1, &b.2, b.3)));
        let total = found.len();
        let page = found.into_iter().skip(offset).take(PAGE);
        let entries =
            page.map(|(_, _, source, number, entry, taken)| self.seen(source, number, entry, taken));
        Ok(EntriesView { total, entries: entries.collect::<Result<_, _>>()? })
    }

    fn seen(
        &self,
        source: String,
        number: usize,
        entry: Entry,
        taken: Option<String>,
    ) -> Result<EntryView, ApiError> {
        let Entry { name, description, group, place, uuid, state } = entry;
        let mut here = self.imports.state_of(uuid.as_deref())?;
        if here.is_none()
            && let Some(id) = taken
        {
            here = self.imports.state_by_id(&id)?.map(|state| (id, state));
        }
        let newer = match (&here, &state) {
            (Some((_, here)), Some(there)) => here != there,
            _ => false,
        };
        let template_id = here.map(|(id, _)| id);
        Ok(EntryView { source, number, name, description, group, place, template_id, newer })
    }
}

/// Rank of an entry in the results; `None` if it does not match.
fn rank(entry: &Entry, words: &[&str]) -> Option<u8> {
    let [name, group, description] =
        [&entry.name, &entry.group, &entry.description].map(|text| text.to_lowercase());
    let mut rank = 0;
    for word in words {
        rank = rank.max(match () {
            () if name.starts_with(word) => 0,
            () if name.contains(word) => 1,
            () if group.contains(word) || description.contains(word) => 2,
            () => return None,
        });
    }
    Some(rank)
}
