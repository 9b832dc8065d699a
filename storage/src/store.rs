//! The open database as used by the rest of the program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::{Semaphore, oneshot, watch};

use crate::backend::Disk;
use crate::error::{Error, Result};
use crate::handle::{Handle, Health};
use crate::meta::Instance;
use crate::open::{self, Lock, OpenError, Opened, panic_text};
use crate::schema::{self, Schema};
use crate::tx::{ReadTx, WriteTx};
use crate::writer::{self, Job, Work};

/// Maximum number of parallel reads; others wait.
const READERS: usize = 4;

/// The open database. Clones share it; dropping the last one closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    handle: Arc<Handle>,
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: Arc<Semaphore>,
    instance: Instance,
}

impl Store {
    /// Opens the database `panel.redb` in the data folder; creates both if they do not exist. Blocking: call it before
    /// the async runtime has other work, or off its threads.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_at(dir, &schema::CURRENT)
    }

    pub(crate) fn open_at(dir: &Path, schema: &Schema) -> Result<Self, OpenError> {
        let (opened, disk, lock) = open::open_folder(dir, schema)?;
        Self::start(Box::new(disk), opened, Some(lock))
    }

    /// Starts the writer thread for an open database.
    pub(crate) fn start(disk: Box<dyn Disk>, opened: Opened, lock: Option<Lock>) -> Result<Self, OpenError> {
        let path = disk.path().to_owned();
        let instance = opened.instance.clone();
        let handle = Arc::new(Handle::new(disk, opened, lock));
        let (jobs, queue) = mpsc::channel();
        let writing = handle.clone();
        let thread = std::thread::Builder::new()
            .name("storage-writer".to_owned())
            .spawn(move || writer::serve(&writing, &queue))
            .map_err(|e| OpenError::io("starting the writer of", &path, e))?;
        Ok(Self {
            inner: Arc::new(Inner {
                handle,
                jobs: Mutex::new(Some(jobs)),
                thread: Mutex::new(Some(thread)),
                readers: Arc::new(Semaphore::new(READERS)),
                instance,
            }),
        })
    }

    /// The installation's identity.
    pub fn instance(&self) -> &Instance {
        &self.inner.instance
    }

    /// Counts commits. A write raises it before it is answered, so data read at some revision includes every answered
    /// write as long as the revision is unchanged.
    pub fn revision(&self) -> u64 {
        self.inner.handle.revision()
    }

    /// Path of the database.
    pub(crate) fn path(&self) -> &Path {
        self.inner.handle.path()
    }

    /// Whether the database accepts writes, and changes of that.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.inner.handle.health()
    }

    /// Why the database is read-only, if it is.
    pub fn read_only_reason(&self) -> Option<String> {
        match &*self.inner.handle.health().borrow() {
            Health::Ok => None,
            Health::ReadOnly { reason, .. } => Some(reason.clone()),
        }
    }

    /// Reads from a consistent snapshot, off the async threads.
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

    /// Reads from a consistent snapshot on this thread: for a few records by key, which takes microseconds. Must not be
    /// called inside another read or write.
    pub fn read_now<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&ReadTx) -> Result<T, E>,
        E: From<Error>,
    {
        self.inner.handle.read(closure)
    }

    /// Writes: if this returns `Ok`, all changes of the closure are on the disk; if it returns `Err`, none is kept. The
    /// closure sees its own changes and must not block. It runs even if the caller stops waiting.
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let answer = self.submit(closure)?;
        answer.await.unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }

    /// Like [`Self::write`], for callers outside the async runtime; panics inside it.
    pub fn write_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&WriteTx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let answer = self.submit(closure)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(E::from(Error::Closed)))
    }

    pub(crate) fn submit<T, E, F>(&self, closure: F) -> Result<oneshot::Receiver<Result<T, E>>>
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

    /// Closes the database cleanly, for all clones. Blocking: waits for running reads and writes.
    pub fn close(&self) {
        self.inner.close();
    }
}

impl Inner {
    fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            if thread.thread().id() == std::thread::current().id() {
                // The last clone was dropped inside a closure; the database is closed when that has ended.
                return;
            }
            drop(thread.join());
        }
        self.handle.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
