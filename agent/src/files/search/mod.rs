//! Looking for files by name and by content. One thread goes through the tree, another reads what it finds; where that one is
//! behind, the first reads too.

mod content;
mod name;

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::{FileKind, FileMatch, FileMatches, FileSearch};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, openat};
use tokio_util::sync::CancellationToken;

use self::content::{Needle, Reader};
use self::name::NamePattern;
use crate::fs::{
    At, Bounds, FileError, Missed, Next, RelPath, RootDir, Stopped, Visitor, is_unfinished, text_below, walk,
};

/// A search ends after this, with what it has.
const PATIENCE: Duration = Duration::from_secs(30);
/// Larger files are no text that anybody looks for.
const LARGEST: u64 = 64 << 20;
/// Files that are open, because nobody has read them yet.
const AHEAD: usize = 32;

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Query {
    name: Option<NamePattern>,
    content: Option<Needle>,
    limit: usize,
    patience: Duration,
}

impl Query {
    /// A name, a content, or both; none where there is neither.
    pub(crate) fn new(
        name: Option<&str>,
        content: Option<&str>,
        case_sensitive: bool,
        limit: usize,
    ) -> Option<Self> {
        let name = name.filter(|name| !name.is_empty()).map(|name| NamePattern::new(name, case_sensitive));
        let content = content.filter(|text| !text.is_empty()).map(|text| Needle::new(text, case_sensitive));
        (name.is_some() || content.is_some()).then_some(Self { name, content, limit, patience: PATIENCE })
    }
}

/// Something that was found.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// Below the folder that was looked in.
    pub(crate) path: Vec<u8>,
    /// Where its content was looked for: the line's number, from 1, and its text.
    pub(crate) line: Option<(u64, String)>,
    /// What it is.
    pub(crate) kind: FileKind,
}

/// What something is.
pub(super) fn kind_of(mode: u32) -> FileKind {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    }
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In the order of paths and lines.
    pub(crate) hits: Vec<Hit>,
    /// Files and folders that were looked at.
    pub(crate) scanned: u64,
    /// Not all was looked at.
    pub(crate) truncated: bool,
}

/// Looks below a folder. Ends with what it has where that is enough, where it takes too long and where `stop` is cancelled.
/// Blocks.
pub(crate) fn search(top: OwnedFd, query: &Query, stop: &CancellationToken) -> Found {
    let sink = Sink {
        hits: Mutex::new(Vec::new()),
        limit: query.limit,
        enough: stop.child_token(),
        deadline: Instant::now() + query.patience,
    };
    let mut seeking =
        Seeking { query, sink: &sink, scanned: 0, truncated: false, reader: Reader::new(), to: None };
    let walked = match &query.content {
        None => walk(top, Bounds::FAR, &sink.enough, &mut seeking),
        Some(needle) => std::thread::scope(|scope| {
            let (to, from) = sync_channel::<Waiting>(AHEAD);
            seeking.to = Some(to);
            scope.spawn(|| {
                let (from, mut reader) = (from, Reader::new());
                while let Ok(Waiting { file, path }) = from.recv() {
                    sink.look_into(&mut reader, file, needle, &path);
                }
            });
            let walked = walk(top, Bounds::FAR, &sink.enough, &mut seeking);
            seeking.to = None;
            walked
        }),
    };
    let Seeking { scanned, truncated, .. } = seeking;
    let truncated = truncated || walked.is_err() || sink.enough.is_cancelled();
    let mut hits = sink.hits.into_inner().unwrap_or_else(PoisonError::into_inner);
    hits.sort_unstable_by(|a, b| (&a.path, &a.line).cmp(&(&b.path, &b.line)));
    Found { hits, scanned, truncated }
}

/// Does what a message asks for.
pub(super) fn look_for(
    root: &RootDir,
    asked: &FileSearch,
    stop: &CancellationToken,
) -> Result<FileMatches, FileError> {
    let path = RelPath::parse(&asked.path)?;
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let query = Query::new(asked.name.as_deref(), asked.content.as_deref(), asked.case_sensitive, limit)
        .ok_or(FileError::Conflict("there is nothing to look for"))?;
    let Found { hits, scanned, truncated } = search(root.folder(&path)?, &query, stop);
    let matched = |hit: Hit| {
        let (line, text) = hit.line.unzip();
        let path = match path.as_bytes() {
            [] => text_below(&hit.path),
            above => text_below(&[above, b"/", &hit.path].concat()),
        };
        FileMatch { path, kind: hit.kind, line, text }
    };
    Ok(FileMatches { matches: hits.into_iter().map(matched).collect(), scanned, truncated })
}

/// A file that is to be read.
struct Waiting {
    file: OwnedFd,
    path: Vec<u8>,
}

/// What was found so far.
struct Sink {
    hits: Mutex<Vec<Hit>>,
    limit: usize,
    /// Cancelled where there is enough, or nobody wants more.
    enough: CancellationToken,
    deadline: Instant,
}

impl Sink {
    fn put(&self, hit: Hit) {
        let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
        if hits.len() >= self.limit {
            self.enough.cancel();
        } else {
            hits.push(hit);
        }
    }

    fn is_over(&self) -> bool {
        if Instant::now() > self.deadline {
            self.enough.cancel();
        }
        self.enough.is_cancelled()
    }

    fn look_into(&self, reader: &mut Reader, file: OwnedFd, needle: &Needle, path: &[u8]) {
        let found = |line, text| {
            self.put(Hit { path: path.to_owned(), line: Some((line, text)), kind: FileKind::File });
        };
        reader.read(file, LARGEST, needle, found, || self.is_over());
    }
}

struct Seeking<'s> {
    query: &'s Query,
    sink: &'s Sink,
    scanned: u64,
    truncated: bool,
    reader: Reader,
    /// To the thread that reads.
    to: Option<SyncSender<Waiting>>,
}

impl Seeking<'_> {
    fn look(&mut self, at: &At<'_>) -> Result<(), Stopped> {
        self.scanned += 1;
        if self.scanned.is_multiple_of(256) && self.sink.is_over() {
            return Err(Stopped);
        }
        let kind = kind_of(at.stat.st_mode);
        if is_unfinished(at.name) || self.query.name.as_ref().is_some_and(|name| !name.matches(at.name)) {
            return Ok(());
        }
        let Some(needle) = &self.query.content else {
            self.sink.put(Hit { path: at.path.to_owned(), line: None, kind });
            return Ok(());
        };
        let size = u64::try_from(at.stat.st_size).unwrap_or(0);
        if kind != FileKind::File || size > LARGEST || size < needle.length() as u64 {
            return Ok(());
        }
        // A pipe that took the file's place must not hang us.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(at.parent, at.name, flags, Mode::empty()) else { return Ok(()) };
        let waiting = Waiting { file, path: at.path.to_owned() };
        let left = match &self.to {
            Some(to) => to.try_send(waiting),
            None => Err(TrySendError::Full(waiting)),
        };
        if let Err(TrySendError::Full(own) | TrySendError::Disconnected(own)) = left {
            self.sink.look_into(&mut self.reader, own.file, needle, &own.path);
        }
        Ok(())
    }
}

impl Visitor for Seeking<'_> {
    type Error = Stopped;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, Stopped> {
        self.look(at).map(|()| true)
    }

    fn leave(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, Stopped> {
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), Stopped> {
        self.look(at)
    }

    fn too_deep(&mut self, _at: &At<'_>) -> Result<(), Stopped> {
        self.truncated = true;
        Ok(())
    }

    fn missed(&mut self, _path: &[u8], why: Missed) -> Result<(), Stopped> {
        self.truncated |= why != Missed::Changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
