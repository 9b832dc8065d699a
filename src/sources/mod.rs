//! Sources of templates: external lists, fetched on request and once a day, stored and searched locally.

mod index;
mod routes;
mod search;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use storage::sources::{Contents, Source};
use storage::{Millis, Store};

pub use routes::routes;

use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::net::fetch::SafeFetcher;
use crate::system::shutdown::Tasks;
use crate::system::{clock, ids};
use crate::templates::{AddedTemplate, Imports, Templates, fetch_refusal};
use index::Listing;

/// Most sources.
const MOST: usize = 20;
/// Interval of automatic fetches, in milliseconds.
const DAY: Millis = 24 * 3_600_000;
/// Interval of checks whether a fetch is due.
const LOOK: Duration = Duration::from_secs(3_600);
/// Linked templates that are looked at when a source is fetched, how many at a time, and the time for all of them.
const CHECKED: usize = 200;
const AT_ONCE: usize = 3;
const CHECKED_WITHIN: Duration = Duration::from_secs(60);
/// How many imported entries of a source are remembered.
const TAKEN: usize = 5_000;

/// All operations on sources. Cheap to clone.
#[derive(Clone)]
pub struct Sources {
    store: Store,
    templates: Templates,
    imports: Imports,
    fetcher: SafeFetcher,
    /// One source is parsed at a time, to limit the memory used.
    reading: Arc<tokio::sync::Mutex<()>>,
}

impl Sources {
    /// Creates the handle, and checks once an hour whether a source has not been fetched for a day.
    pub fn start(
        store: Store,
        templates: Templates,
        imports: Imports,
        fetcher: SafeFetcher,
        tasks: &Tasks,
    ) -> Self {
        let this = Self { store, templates, imports, fetcher, reading: Arc::default() };
        let (daily, token) = (this.clone(), tasks.token());
        drop(tasks.spawn("template-sources", async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    () = tokio::time::sleep(LOOK) => daily.refresh_due().await,
                }
            }
        }));
        this
    }

    pub(super) fn list(&self) -> Result<Vec<Source>, ApiError> {
        Ok(self.store.read_now(storage::sources::list)?)
    }

    /// Fetches and stores a source.
    pub(super) async fn add(&self, admin: &Admin, url: &str) -> Result<Source, ApiError> {
        let url = url.trim().to_owned();
        let known = self.list()?;
        if known.iter().any(|known| known.url == url) {
            return Err(ApiError::field("url", "is a source already"));
        }
        if known.len() >= MOST {
            return Err(ApiError::new(
                Code::Conflict,
                format!("There are {MOST} sources, which is the most."),
            ));
        }
        let (listing, contents) = self.fetch(&url).await?;
        let now = clock::now();
        let source = Source {
            id: ids::short(),
            url,
            kind: listing.kind.to_owned(),
            entries: u32::try_from(listing.entries.len()).unwrap_or(u32::MAX),
            created_at: now,
            fetched_at: now,
            problem: None,
            tried_at: Some(now),
            taken: BTreeMap::new(),
            states: BTreeMap::new(),
        };
        let written = source.clone();
        let write = self.store.write(move |tx| {
            if storage::sources::list(tx)?.iter().any(|known| known.url == written.url) {
                return Err(ApiError::field("url", "is a source already"));
            }
            storage::sources::insert(tx, written, &contents).map_err(ApiError::from)
        });
        write.await?;
        tracing::info!(source = source.url, entries = source.entries, by = %admin, "template source added");
        Ok(source)
    }

    pub(super) async fn remove(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        let key = id.to_owned();
        let removed = self.store.write(move |tx| storage::sources::delete(tx, &key).map_err(ApiError::from));
        if !removed.await? {
            return Err(ApiError::not_found("source"));
        }
        tracing::info!(source = id, by = %admin, "template source removed");
        Ok(())
    }

    /// Fetches a source again. If that fails, the stored listing is kept, and the source has the error.
    pub(super) async fn refresh(&self, id: &str) -> Result<Source, ApiError> {
        let source = self.source(id)?;
        let fetched = self.fetch(&source.url).await;
        let states = match &fetched {
            Ok((listing, _)) => self.states(&source, &listing.entries).await,
            Err(_) => source.states,
        };
        let (outcome, now) = (fetched.as_ref().err().cloned(), clock::now());
        let key = id.to_owned();
        let write = self.store.write(move |tx| {
            let (listing, contents) = match &fetched {
                Ok((listing, contents)) => (Some(listing), Some(contents)),
                Err(_) => (None, None),
            };
            let found = storage::sources::update(tx, &key, contents, |source| {
                source.tried_at = Some(now);
                source.problem = fetched.as_ref().err().map(problem);
                if let Some(listing) = listing {
                    source.kind = listing.kind.to_owned();
                    source.entries = u32::try_from(listing.entries.len()).unwrap_or(u32::MAX);
                    source.fetched_at = now;
                    source.states = states;
                }
            });
            found.map_err(ApiError::from)
        });
        if !write.await? {
            return Err(ApiError::not_found("source"));
        }
        outcome.map_or_else(|| self.source(id), Err)
    }

    /// The states of those linked templates that are here already, so that one can see which have changed there.
    async fn states(&self, source: &Source, entries: &[index::Entry]) -> BTreeMap<String, String> {
        let here = |entry: &&index::Entry| {
            let taken = source.taken.get(&entry.place).is_some_and(|id| self.templates.get(id).is_some());
            let known = || self.imports.state_of(entry.uuid.as_deref()).is_ok_and(|known| known.is_some());
            entry.state.is_none() && (taken || known())
        };
        let places: Vec<String> =
            entries.iter().filter(here).take(CHECKED).map(|entry| entry.place.clone()).collect();
        let until = tokio::time::Instant::now() + CHECKED_WITHIN;
        let asked = places.into_iter().map(|place| async move {
            let state = tokio::time::timeout_at(until, self.imports.state_at(&place)).await;
            // What cannot be fetched now is taken to be as it was.
            let state = state.ok().and_then(Result::ok).or_else(|| source.states.get(&place).cloned());
            state.map(|state| (place, state))
        });
        futures_util::stream::iter(asked)
            .buffer_unordered(AT_ONCE)
            .filter_map(async |one| one)
            .collect()
            .await
    }

    async fn refresh_due(&self) {
        let sources = self.list().unwrap_or_default();
        for source in sources {
            if clock::now() - source.tried_at.unwrap_or(source.fetched_at) >= DAY
                && let Err(error) = self.refresh(&source.id).await
            {
                tracing::info!(
                    source = source.url,
                    problem = problem(&error),
                    "a template source could not be fetched"
                );
            }
        }
    }

    async fn fetch(&self, url: &str) -> Result<(Listing, Contents), ApiError> {
        let _turn = self.reading.lock().await;
        let bytes = self.fetcher.get(url, index::MOST_BYTES).await.map_err(|error| fetch_refusal(&error))?;
        let read = tokio::task::spawn_blocking(move || {
            let listing = index::read(&bytes)?;
            let contents = index::pack(&listing)?;
            Ok((listing, contents))
        });
        read.await.map_err(|cause| ApiError::internal("reading a source", &cause))?
    }

    pub(super) fn source(&self, id: &str) -> Result<Source, ApiError> {
        let source = self.store.read_now(|tx| storage::sources::get(tx, id))?;
        source.ok_or_else(|| ApiError::not_found("source"))
    }

    /// Adds the template with index `number` in a source.
    pub(super) async fn take(
        &self,
        admin: &Admin,
        id: &str,
        number: usize,
    ) -> Result<AddedTemplate, ApiError> {
        let contents = self.store.read_now(|tx| storage::sources::contents(tx, id))?;
        let contents = contents.ok_or_else(|| ApiError::not_found("source"))?;
        let earlier =
            |place: &str| -> Result<Option<String>, ApiError> { Ok(self.source(id)?.taken.remove(place)) };
        let entries: Vec<index::Entry> = index::unpack(&contents.entries).unwrap_or_default();
        let entry = entries.into_iter().nth(number).ok_or_else(|| ApiError::not_found("entry"))?;
        let files: Vec<String> = index::unpack(&contents.files).unwrap_or_default();
        let added = match files.into_iter().nth(number) {
            Some(document) => self.imports.add(admin, document.into_bytes(), earlier(&entry.place)?).await?,
            None => self.imports.add_again(admin, &entry.place, earlier(&entry.place)?).await?,
        };
        let state = self.imports.state_by_id(&added.id)?;
        let (key, template) = (id.to_owned(), added.id.clone());
        let noted = self.store.write(move |tx| {
            let noted = storage::sources::update(tx, &key, None, |source| {
                if source.taken.len() < TAKEN {
                    if let Some(state) = state.filter(|_| entry.state.is_none()) {
                        source.states.insert(entry.place.clone(), state);
                    }
                    source.taken.insert(entry.place, template);
                }
            });
            noted.map_err(ApiError::from)
        });
        noted.await?;
        Ok(added)
    }
}

/// An error as one sentence for the user.
fn problem(error: &ApiError) -> String {
    match error.problems().get("url") {
        Some(problem) => format!("The address {problem}."),
        None => error.message().to_owned(),
    }
}
