//! All templates: those that come with the program, and those that somebody added.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use ::templates::egg::{self, Format, ImportError, Imported, Warning};
use ::templates::model::{self, FileError};
use storage::templates::Template as Record;
use storage::{Millis, Store};

use super::added;
use super::builtin;
use super::template::Template;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::shutdown::Tasks;
use crate::system::{clock, ids};

/// More would make every list long; the largest collection there is has some 900.
const MOST: usize = 2_000;

/// The templates. Cheap to clone.
#[derive(Clone)]
pub struct Templates {
    store: Store,
    tasks: Tasks,
    builtin: Arc<Vec<Arc<Template>>>,
    added: Arc<RwLock<Vec<Entry>>>,
    adding: Arc<tokio::sync::Mutex<()>>,
    revision: Arc<AtomicU64>,
}

/// What is kept in memory of a template that was added: enough to make servers, and to know it again.
struct Entry {
    template: Arc<Template>,
    uuid: Option<String>,
    created_at: Millis,
}

impl Entry {
    fn of(record: &Record) -> Option<Self> {
        let (template, uuid) = added::of_record(record)?;
        Some(Self { template: Arc::new(template), uuid, created_at: record.created_at })
    }
}

/// A template that was added.
#[derive(Debug)]
pub struct Added {
    /// Where it is.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What should be known about how it was read.
    pub warnings: Vec<Warning>,
}

/// The forms in which a template is given out.
#[derive(Clone, Copy, Debug)]
pub enum ExportFormat {
    /// Ours.
    Native,
    /// That of other panels.
    Egg(Format),
}

impl Templates {
    /// Reads what was added.
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

    /// All of them, in the order in which they are shown.
    pub fn list(&self) -> Vec<Arc<Template>> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> =
            self.builtin.iter().chain(added.iter().map(|one| &one.template)).cloned().collect();
        list[self.builtin.len()..].sort_by_key(|template| template.name.to_lowercase());
        list
    }

    /// The one with this id.
    pub fn get(&self, id: &str) -> Option<Arc<Template>> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.builtin.iter().chain(added.iter().map(|one| &one.template));
        all.find(|template| template.id == id).cloned()
    }

    /// Whether it comes with the program.
    pub fn is_builtin(&self, id: &str) -> bool {
        self.builtin.iter().any(|template| template.id == id)
    }

    /// Adds an egg or a template in the native form. One of the same uuid takes the place of the one that is there.
    pub async fn add(&self, admin: &Admin, document: Vec<u8>) -> Result<Added, ApiError> {
        let read = tokio::task::spawn_blocking(move || read(&document)).await;
        let Imported { template, warnings } =
            read.map_err(|cause| ApiError::internal("reading a template", &cause))??;
        let body = serde_json::to_string(&template)
            .map_err(|cause| ApiError::internal("writing a template", &cause))?;
        let (name, uuid) = (template.about.name, template.about.origin.uuid);
        let this = self.clone();
        let record = self.whole(async move { this.put(name, body, uuid).await }).await?;
        tracing::info!(template = record.id, name = record.name, by = %admin, "template added");
        Ok(Added { id: record.id, name: record.name, warnings })
    }

    /// Does it to its end also where whoever asked goes away: what is on the disk is in memory, too.
    async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let done = self.tasks.spawn("template", work).await;
        done.map_err(|cause| ApiError::internal("changing a template", &cause))?
    }

    async fn put(&self, name: String, body: String, uuid: Option<String>) -> Result<Record, ApiError> {
        // One after the other: two files of one uuid, sent at once, are one template.
        let _turn = self.adding.lock().await;
        let record = self.record_for(name, body, uuid.as_deref())?;
        let written = self.store.write({
            let record = record.clone();
            move |tx| match record.updated_at {
                Some(_) => storage::templates::update(tx, &record).map(drop).map_err(ApiError::from),
                None => storage::templates::insert(tx, &record).map_err(ApiError::from),
            }
        });
        written.await?;
        self.keep(&record);
        Ok(record)
    }

    /// Removes one that was added. Servers made from it keep what they took over.
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

    /// The file of one that was added.
    pub fn export(&self, id: &str, format: ExportFormat) -> Result<String, ApiError> {
        if self.is_builtin(id) {
            return Err(ApiError::new(Code::Conflict, "A template that is part of the program has no file."));
        }
        let record = self.store.read_now(|tx| storage::templates::get(tx, id))?;
        let native =
            record.as_ref().and_then(added::native).ok_or_else(|| ApiError::not_found("template"))?;
        Ok(match format {
            ExportFormat::Native => model::to_yaml(&native),
            ExportFormat::Egg(format) => egg::export(&native, format),
        })
    }

    /// The record that takes the place of the one of this uuid, or a new one.
    fn record_for(&self, name: String, body: String, uuid: Option<&str>) -> Result<Record, ApiError> {
        let added = self.added.read().unwrap_or_else(PoisonError::into_inner);
        let now = clock::now();
        if let Some(same) = added.iter().find(|one| uuid.is_some() && one.uuid.as_deref() == uuid) {
            let (id, created_at) = (same.template.id.clone(), same.created_at);
            return Ok(Record { id, name, body, created_at, updated_at: Some(now) });
        }
        if added.len() >= MOST {
            return Err(ApiError::new(
                Code::Conflict,
                format!("There are {MOST} templates, which is the most."),
            ));
        }
        let free = |id: &str| !self.is_builtin(id) && !added.iter().any(|one| one.template.id == id);
        Ok(Record {
            id: added::id_for(&name, ids::short(), free),
            name,
            body,
            created_at: now,
            updated_at: None,
        })
    }

    /// Counts the changes, before they can be seen: what was made from an older count may lack one.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Those that were added, for a change.
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

fn read(document: &[u8]) -> Result<Imported, ApiError> {
    let value = egg::document(document).map_err(|error| refusal(&error))?;
    if !egg::is_native(&value) {
        return egg::import_document(&value).map_err(|error| refusal(&error));
    }
    let template = model::from_value(&value).map_err(|error| match error {
        FileError::Shape { message, .. } => {
            ApiError::new(Code::Invalid, format!("This is no template: {message}."))
        }
        FileError::Content(problems) => problems.into_iter().fold(
            ApiError::new(Code::Invalid, "This template has something that cannot be."),
            |error, problem| error.with_field(&problem.key, problem.message),
        ),
    })?;
    Ok(Imported { template, warnings: Vec::new() })
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

    /// Whoever asked may go away at any moment: memory and disk stay the same.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_on_the_disk_is_in_memory_though_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let templates = Templates::open(store.clone(), Tasks::new()).unwrap();
        let egg = br#"{"meta": {"version": "PTDL_v2"}, "name": "T", "docker_images": {"a": "a/b:c"}, "startup": "run",
            "config": {"stop": "stop", "startup": "{}", "files": "{}", "logs": "{}"}, "scripts": {}, "variables": []}"#;
        let body = serde_json::to_string(&read(egg).unwrap().template).unwrap();
        for step in 0..40 {
            let (this, body) = (templates.clone(), body.clone());
            let asked = templates.whole(async move { this.put(format!("T{step}"), body, None).await });
            drop(tokio::time::timeout(Duration::from_micros(50 * step), asked).await);
        }
        // After all of them.
        templates.put("Last".into(), body, None).await.unwrap();
        let on_disk = store.read_now(storage::templates::list).unwrap();
        assert_eq!((on_disk.len(), templates.revision()), (41, 41));
        assert!(on_disk.iter().all(|record| templates.get(&record.id).is_some()));
    }
}
