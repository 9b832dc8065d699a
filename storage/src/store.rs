//! The handle that the rest of the program holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc};
use std::thread::JoinHandle;

use redb::{Database, ReadableDatabase};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::error::{Error, Result};
use crate::meta::Instance;
use crate::open::OpenError;
use crate::tx::{ReadTx, WriteTx};
use crate::writer::{self, Job, Work, panic_text};

/// How many reads run at a time; more wait for their turn.
const READERS: usize = 4;

/// Whether the database takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ok,
    /// It does not at present. Reads go on, and it heals by itself.
    ReadOnly {
        /// Why, in words for an operator.
        reason: String,
        /// Whether a full disk is why.
        disk_full: bool,
    },
}

/// The open database. Clones share it; the last one to go closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Semaphore>,
    instance: Instance,
}

struct Shared {
    database: RwLock<Option<Database>>,
    health: watch::Sender<Health>,
}

impl Store {
    /// Opens the database in the data folder `dir`, and makes it where there is none yet. Blocking.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let database = Database::create(dir.join("panel.redb"))
            .map_err(|e| OpenError::NotADatabase { path: dir.to_owned(), reason: e.to_string() })?;
        let instance = Instance { id: "abcdefghjk".into(), created_at: 0 };
        let tx = writer::begin(&database)
            .map_err(|e| OpenError::NotADatabase { path: dir.to_owned(), reason: e.to_string() })?;
        crate::schema::create(&tx, &instance)
            .map_err(|e| OpenError::NotADatabase { path: dir.to_owned(), reason: e.to_string() })?;
        writer::finish(tx)
            .map_err(|e| OpenError::NotADatabase { path: dir.to_owned(), reason: e.to_string() })?;
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(database)),
            health: watch::Sender::new(Health::Ok),
        });
        let (jobs, queue) = mpsc::channel::<Box<dyn Job>>();
        let worker = shared.clone();
        let thread = std::thread::Builder::new()
            .name("storage-writer".to_owned())
            .spawn(move || {
                while let Ok(first) = queue.recv() {
                    let mut batch = vec![first];
                    batch.extend(queue.try_iter().take(writer::BATCH - 1));
                    let database = worker.database.read().unwrap_or_else(PoisonError::into_inner);
                    if let Some(database) = &*database {
                        let _ = writer::run_batch(database, batch);
                    }
                }
            })
            .map_err(|e| OpenError::NotADatabase { path: dir.to_owned(), reason: e.to_string() })?;
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                jobs: Mutex::new(Some(jobs)),
                thread: Mutex::new(Some(thread)),
                readers: Arc::new(Semaphore::new(READERS)),
                instance,
            }),
        })
    }

    /// Which installation this is.
    pub fn instance(&self) -> &Instance {
        &self.inner.instance
    }

    /// Whether the database takes writes, and every change of that.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.inner.shared.health.subscribe()
    }

    /// Why the database takes no writes at present, if so.
    pub fn read_only_reason(&self) -> Option<String> {
        match &*self.inner.shared.health.borrow() {
            Health::Ok => None,
            Health::ReadOnly { reason, .. } => Some(reason.clone()),
        }
    }

    /// Reads in a consistent view, off the async threads.
    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&ReadTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let permit = self.inner.readers.clone().acquire_owned().await.map_err(|_| E::from(Error::Closed))?;
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            catch_unwind(AssertUnwindSafe(|| store.read_now(closure)))
                .unwrap_or_else(|panic| Err(E::from(Error::Panicked(panic_text(&*panic)))))
        })
        .await
        .unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }

    /// Reads in a consistent view, on this thread: for a few records by their keys, which takes microseconds. Not to be
    /// called from inside another read or write.
    pub fn read_now<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&ReadTx) -> Result<T, E>,
        E: From<Error>,
    {
        let database = self.inner.shared.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Error::Closed)?;
        let tx = ReadTx::new(database.begin_read().map_err(|e| Error::redb("beginning a read", e))?);
        closure(&tx)
    }

    /// Writes: when this returns `Ok`, all that the closure did is on the disk; when it returns `Err`, nothing of it is
    /// kept. The closure sees its own changes and must not wait for anything. It runs even if the caller stops waiting.
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let answer = self.submit(closure)?;
        answer.await.unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }

    /// As [`Self::write`], for callers outside the async runtime.
    pub fn write_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let answer = self.submit(closure)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }

    fn submit<T, E, F>(&self, closure: F) -> Result<oneshot::Receiver<Result<T, E>>>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (work, answer) = Work::new(closure);
        let jobs = self.inner.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(Box::new(work)).map_err(|_| Error::Closed)?;
        Ok(answer)
    }

    /// Closes the database cleanly, for all clones. Blocking: waits for what is being read and written.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            drop(thread.join());
        }
        drop(self.shared.database.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
