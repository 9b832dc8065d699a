//! What the rest of the program holds of the database.

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

/// How many reads run at a time; more wait for their turn.
const READERS: usize = 4;

/// The open database. Clones share it; the last one to go closes it.
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
    /// Opens the database `panel.redb` in the data folder, and makes both where there are none yet. Blocking: call it
    /// before the async runtime has anything else to do, or off its threads.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_at(dir, &schema::CURRENT)
    }

    pub(crate) fn open_at(dir: &Path, schema: &Schema) -> Result<Self, OpenError> {
        let (opened, disk, lock) = open::open_folder(dir, schema)?;
        Self::start(Box::new(disk), opened, Some(lock))
    }

    /// Starts the writer's thread for a database that is open.
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

    /// Which installation this is.
    pub fn instance(&self) -> &Instance {
        &self.inner.instance
    }

    /// Counts commits. A write has counted before it is answered, so what was read since the revision was this has every
    /// answered write in it for as long as the revision is the same.
    pub fn revision(&self) -> u64 {
        self.inner.handle.revision()
    }

    /// Where the database is.
    pub(crate) fn path(&self) -> &Path {
        self.inner.handle.path()
    }

    /// Whether the database takes writes, and every change of that.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.inner.handle.health()
    }

    /// Why the database takes no writes at present, if so.
    pub fn read_only_reason(&self) -> Option<String> {
        match &*self.inner.handle.health().borrow() {
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
        self.inner.handle.read(closure)
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

    /// As [`Self::write`], for callers outside the async runtime; it panics inside.
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

    /// Closes the database cleanly, for all clones. Blocking: waits for what is being read and written.
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
                // The last clone went inside a closure: the database is closed once that has ended.
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
