//! All templates: built-in ones, and those added by users.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use ::templates::egg::{self, Format, ImportError, Imported, Warning};
use ::templates::model::{self, FileError};
use ::templates::value::Value;
use storage::templates::Template as Record;
use storage::{Millis, Store};

use super::added;
use super::builtin;
use super::template::Template;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::revision::Expected;
use crate::system::shutdown::Tasks;
use crate::system::{clock, ids};

/// Most templates that can be added. More would make every list long; the largest known collection has about 900.
pub(super) const MOST: usize = 2_000;
/// Ids that are part of other paths of the API.
const RESERVED: [&str; 4] = ["archive", "import", "preview", "sources"];

/// All templates. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    store: Store,
    tasks: Tasks,
    builtin: Arc<Vec<Arc<Template>>>,
    added: Arc<RwLock<Vec<Entry>>>,
    adding: Arc<tokio::sync::Mutex<()>>,
    revision: Arc<AtomicU64>,
}

/// The part of an added template that is kept in memory: enough to create servers and to recognise it.
struct Entry {
    template: Arc<Template>,
    uuid: Option<String>,
    created_at: Millis,
    changed_at: Millis,
}

impl Entry {
    fn of(record: &Record) -> Option<Self> {
        let (template, uuid) = added::of_record(record)?;
        let created_at = record.created_at;
        let changed_at = record.updated_at.unwrap_or(created_at);
        Some(Self { template: Arc::new(template), uuid, created_at, changed_at })
    }
}

/// A template to be stored.
pub(super) struct Draft {
    pub(super) name: String,
    /// The native form as JSON.
    pub(super) body: String,
    pub(super) uuid: Option<String>,
}

impl Draft {
    pub(super) fn of(template: model::Template) -> Result<Self, ApiError> {
        let body = serde_json::to_string(&template)
            .map_err(|cause| ApiError::internal("writing a template", &cause))?;
        Ok(Self { name: template.about.name, body, uuid: template.about.origin.uuid })
    }
}

/// Result of adding a template.
#[derive(Debug)]
pub struct Added {
    /// Its id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Notes about the import.
    pub warnings: Vec<Warning>,
}

/// Format for exporting a template.
#[derive(Clone, Copy, Debug)]
pub enum ExportFormat {
    /// The native form.
    Native,
    /// The format of another panel.
    Egg(Format),
}

impl Templates {
    /// Loads the added templates.
    pub fn open(store: Store, tasks: Tasks) -> Result<Self, storage::Error> {
        let records = store.read_now(storage::templates::list)?;
        let added = records.iter().filter_map(|record| {
            let read = Entry::of(record);
            if read.is_none() {
                tracing::warn!(template = record.id, "this template is of a form that is not known any more");
            }
            read
        });
        let added = Arc::new(RwLock::new(added.collect()));
        let builtin = Arc::new(builtin::all().into_iter().map(Arc::new).collect());
        Ok(Self { store, tasks, builtin, added, adding: Arc::default(), revision: Arc::default() })
    }

    /// All templates, in the order in which they are shown.
    pub fn list(&self) -> Vec<Arc<Template>> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> =
            self.builtin.iter().chain(added.iter().map(|one| &one.template)).cloned().collect();
        list[self.builtin.len()..].sort_by_key(|template| template.name.to_lowercase());
        list
    }

    /// The template with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Template>> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.builtin.iter().chain(added.iter().map(|one| &one.template));
        all.find(|template| template.id == id).cloned()
    }

    /// Whether it is built in.
    pub fn is_builtin(&self, id: &str) -> bool {
        self.builtin.iter().any(|template| template.id == id)
    }

    /// Adds what was read from a file. Replaces the added one with the same uuid; without a uuid, the one with the id
    /// `earlier`, if it is still there.
    pub(super) async fn add(
        &self,
        admin: &Admin,
        imported: Imported,
        earlier: Option<String>,
    ) -> Result<Added, ApiError> {
        let Imported { template, warnings } = imported;
        let draft = Draft::of(template)?;
        let this = self.clone();
        let earlier = earlier.filter(|id| draft.uuid.is_none() && self.times(id).is_some());
        let record = self.whole(async move {
            match earlier {
                Some(id) => this.replace(&id, draft, &Expected::Whatever).await,
                None => this.put(draft).await,
            }
        });
        let record = record.await?;
        tracing::info!(template = record.id, name = record.name, by = %admin, "template added");
        Ok(Added { id: record.id, name: record.name, warnings })
    }

    /// Runs `work` to its end even if the caller disconnects, so that memory and disk always match.
    pub(super) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let done = self.tasks.spawn("template", work).await;
        done.map_err(|cause| ApiError::internal("changing a template", &cause))?
    }

    pub(super) async fn put(&self, draft: Draft) -> Result<Record, ApiError> {
        let mut put = self.put_all(vec![draft]).await?;
        put.pop().unwrap_or_else(|| Err(ApiError::not_found("template")))
    }

    /// Stores all of them in one write. Returns an error for each that is refused.
    pub(super) async fn put_all(
        &self,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Result<Record, ApiError>>, ApiError> {
        // One at a time, so that two files with the same uuid sent at once become one template.
        let _turn = self.adding.lock().await;
        let mut uuids: Vec<(Record, Option<String>)> = Vec::new();
        let mut refused = Vec::new();
        for draft in drafts {
            match self.record_for(draft, &uuids) {
                Ok(found) => {
                    refused.push(None);
                    uuids.push(found);
                }
                Err(error) => refused.push(Some(error)),
            }
        }
        let records: Vec<Record> = uuids.into_iter().map(|(record, _)| record).collect();
        self.write(records.clone()).await?;
        let mut records = records.into_iter();
        Ok(refused
            .into_iter()
            .filter_map(|refused| match refused {
                Some(error) => Some(Err(error)),
                None => records.next().map(Ok),
            })
            .collect())
    }

    async fn write(&self, records: Vec<Record>) -> Result<(), ApiError> {
        let written = self.store.write({
            let records = records.clone();
            move |tx| {
                for record in &records {
                    match record.updated_at {
                        Some(_) => storage::templates::update(tx, record).map(drop)?,
                        None => storage::templates::insert(tx, record)?,
                    }
                }
                Ok::<_, ApiError>(())
            }
        });
        written.await?;
        records.iter().for_each(|record| self.keep(record));
        Ok(())
    }

    /// Replaces a template by an edited version if its revision is as `expected`.
    pub(super) async fn replace(
        &self,
        id: &str,
        draft: Draft,
        expected: &Expected,
    ) -> Result<Record, ApiError> {
        let _turn = self.adding.lock().await;
        let (created_at, before) = self.times(id).ok_or_else(|| ApiError::not_found("template"))?;
        expected.check(Some(&before.to_string()))?;
        if self.of_uuid(draft.uuid.as_deref()).is_some_and(|other| other != id) {
            let problem = "is that of another template";
            return Err(ApiError::field("about.origin.uuid", problem));
        }
        // `updated_at` is also the revision, so it has to differ for each change.
        let updated_at = Some(clock::now().max(before + 1));
        let record = Record { id: id.to_owned(), name: draft.name, body: draft.body, created_at, updated_at };
        self.write(vec![record.clone()]).await?;
        Ok(record)
    }

    /// Removes an added template. Servers created from it keep their copy.
    pub async fn remove(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        if self.is_builtin(id) {
            return Err(ApiError::new(Code::Conflict, "This template is part of the program."));
        }
        let (this, key) = (self.clone(), id.to_owned());
        self.whole(async move { this.delete(key).await }).await?;
        tracing::info!(template = id, by = %admin, "template removed");
        Ok(())
    }

    async fn delete(&self, id: String) -> Result<(), ApiError> {
        let key = id.clone();
        let _turn = self.adding.lock().await;
        let was_there =
            self.store.write(move |tx| storage::templates::delete(tx, &key).map_err(ApiError::from)).await?;
        if !was_there {
            return Err(ApiError::not_found("template"));
        }
        self.changed().retain(|one| one.template.id != id);
        Ok(())
    }

    /// Exports a template as a file.
    pub fn export(&self, id: &str, format: ExportFormat) -> Result<String, ApiError> {
        let native = self.native(id)?.ok_or_else(|| ApiError::not_found("template"))?;
        Ok(match format {
            ExportFormat::Native => model::to_yaml(&native),
            ExportFormat::Egg(format) => egg::export(&native, format),
        })
    }

    /// The record for a draft: it replaces the one with the same uuid, or is new. Those in `beside` are written
    /// together with it.
    fn record_for(
        &self,
        draft: Draft,
        beside: &[(Record, Option<String>)],
    ) -> Result<(Record, Option<String>), ApiError> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        let Draft { name, body, uuid } = draft;
        let now = clock::now();
        let twin = beside.iter().find(|(_, known)| uuid.is_some() && *known == uuid);
        let same = added.iter().find(|one| uuid.is_some() && one.uuid == uuid);
        let place = match (twin, same) {
            (Some((twin, _)), _) => Some((twin.id.clone(), twin.created_at, twin.updated_at.unwrap_or(now))),
            (None, Some(same)) => Some((same.template.id.clone(), same.created_at, same.changed_at)),
            (None, None) => None,
        };
        if let Some((id, created_at, before)) = place {
            let updated_at = Some(now.max(before + 1));
            return Ok((Record { id, name, body, created_at, updated_at }, uuid));
        }
        let new = beside.iter().filter(|(record, _)| record.updated_at.is_none()).count();
        if added.len() + new >= MOST {
            let sentence = format!("There are {MOST} templates, which is the most.");
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        let free = |id: &str| {
            !RESERVED.contains(&id)
                && !self.is_builtin(id)
                && !added.iter().any(|one| one.template.id == id)
                && !beside.iter().any(|(record, _)| record.id == id)
        };
        let id = added::id_for(&name, ids::short(), free);
        Ok((Record { id, name, body, created_at: now, updated_at: None }, uuid))
    }

    /// When an added template was created and last changed; `None` for others.
    fn times(&self, id: &str) -> Option<(Millis, Millis)> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        added.iter().find(|one| one.template.id == id).map(|one| (one.created_at, one.changed_at))
    }

    /// Revision of an added template; `None` for built-in ones.
    pub fn revision_of(&self, id: &str) -> Option<String> {
        self.times(id).map(|(_, changed_at)| changed_at.to_string())
    }

    /// Id of the added template with this uuid.
    pub(super) fn of_uuid(&self, uuid: Option<&str>) -> Option<String> {
        let uuid = uuid?;
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        added.iter().find(|one| one.uuid.as_deref() == Some(uuid)).map(|one| one.template.id.clone())
    }

    /// The native form of a template; `None` if it does not exist.
    pub fn native(&self, id: &str) -> Result<Option<model::Template>, ApiError> {
        if let Some(native) = builtin::native(id) {
            return Ok(Some(native));
        }
        let record = self.store.read_now(|tx| storage::templates::get(tx, id))?;
        Ok(record.as_ref().and_then(added::native))
    }

    /// A counter that is incremented before each change becomes visible. Data built at an older count may be outdated.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Locks the added templates for a change, which is counted.
    fn changed(&self) -> RwLockWriteGuard<'_, Vec<Entry>> {
        let added = self.added.write().unwrap_or_else(PoisonError::into_inner);
        self.revision.fetch_add(1, Ordering::AcqRel);
        added
    }

    fn keep(&self, record: &Record) {
        let Some(entry) = Entry::of(record) else { return };
        let mut added = self.changed();
        added.retain(|known| known.template.id != entry.template.id);
        added.push(entry);
    }
}

pub(super) fn read(document: &[u8]) -> Result<Imported, ApiError> {
    let value = egg::document(document).map_err(|error| refusal(&error))?;
    if !egg::is_native(&value) {
        return egg::import_document(&value).map_err(|error| refusal(&error));
    }
    Ok(Imported { template: from_native(&value)?, warnings: Vec::new() })
}

/// Like [`read`], for the native form only.
pub(super) fn read_native(document: &[u8]) -> Result<model::Template, ApiError> {
    from_native(&egg::document(document).map_err(|error| refusal(&error))?)
}

fn from_native(value: &Value) -> Result<model::Template, ApiError> {
    model::from_value(value).map_err(|error| match error {
        FileError::Shape { message, .. } => {
            ApiError::new(Code::Invalid, format!("This is no template: {message}."))
        }
        FileError::Content(problems) => problems.into_iter().fold(
            ApiError::new(Code::Invalid, "This template has something that cannot be."),
            |error, problem| error.with_field(&problem.key, problem.message),
        ),
    })
}

fn refusal(error: &ImportError) -> ApiError {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    match error {
        ImportError::Bad { key, message } => ApiError::field(key, message.clone()),
        ImportError::Unreadable(_) => {
            ApiError::new(Code::BadRequest, format!("{}{line}.", capital(&error.to_string())))
        }
        ImportError::NotAnEgg(_) => ApiError::new(Code::Invalid, format!("{}.", capital(&error.to_string()))),
    }
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Even if callers are dropped at any point, memory and disk match.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_on_the_disk_is_in_memory_though_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let templates = Templates::open(store.clone(), Tasks::new()).unwrap();
        let egg = br#"{"meta": {"version": "PTDL_v2"}, "name": "T", "docker_images": {"a": "a/b:c"}, "startup": "run",
            "config": {"stop": "stop", "startup": "{}", "files": "{}", "logs": "{}"}, "scripts": {}, "variables": []}"#;
        let body = serde_json::to_string(&read(egg).unwrap().template).unwrap();
        let draft = |name: &str| Draft { name: name.to_owned(), body: body.clone(), uuid: None };
        for step in 0..40 {
            let (this, draft) = (templates.clone(), draft(&format!("T{step}")));
            let asked = templates.whole(async move { this.put(draft).await });
            drop(tokio::time::timeout(Duration::from_micros(50 * step), asked).await);
        }
        // On a busy machine the last of them may not have started yet.
        let all = async {
            while templates.revision() < 40 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all).await.unwrap();
        let on_disk = store.read_now(storage::templates::list).unwrap();
        assert_eq!((on_disk.len(), templates.revision()), (40, 40));
        assert!(on_disk.iter().all(|record| templates.get(&record.id).is_some()));
    }
}
