//! The child process that reads and writes a repository: `ctrl-alt-play backup-worker`. Its memory goes back when it ends,
//! and when the machine runs out of memory it is the one that is killed. Its request comes as one line of JSON on standard input, so
//! that no key is seen in a list of processes; what it has to say goes as lines of JSON to standard output. It ends as soon as its
//! standard input does: with the agent, or because the agent wants no more of it.

mod adopt;
mod check;
mod contents;
mod find;
mod guard;
mod heal;
mod ignored;
mod key;
mod key_file;
mod lock;
mod message;
mod place;
mod progress;
mod reading;
mod repository;
mod restore;
mod runtime;
mod seal;
mod source;
mod space;
mod store;
mod throttle;

use std::fs;
use std::io::{self, BufRead, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};

use self::guard::Guard;
use self::lock::Held;
use self::message::{Failure, say};

pub use self::key::MasterKey;
pub use self::message::{
    ContentsQuery, FailureCode, Found, Outcome, PANEL, Unlocked, Work, WorkerEvent, WorkerRequest,
};

/// Bytes of a request.
const REQUEST: u64 = 256 * 1024;
/// Questions that may wait: whoever asks waits for the answer.
const QUESTIONS: usize = 4;
/// What the kernel is told: rather this one than a game.
const OOM_SCORE: &str = "700";
/// The lowest priority of the ordinary ones; the kernel derives that of disk accesses from it.
const NICE: i32 = 19;
/// The exit code of one that was broken off.
const BROKEN_OFF: i32 = 3;
/// What is said where the repository cannot be read.
const DAMAGED: &str = "The backup repository is damaged: what it holds cannot be read as it was written.";
/// Processors that are used.
const PROCESSORS: usize = 2;

/// Does what standard input asks for. Gives the exit code.
#[must_use]
pub fn run() -> u8 {
    let request = match read_request() {
        Ok(request) => request,
        Err(message) => {
            say(&WorkerEvent::Failed { code: FailureCode::Failed, message });
            return 2;
        }
    };
    become_small(request.limits.small_memory);
    let held: Held = Arc::default();
    let questions = end_with_input(&held);
    let guard = Guard::install();
    // The library gives up in this way where what it reads is not what was written.
    let done = catch_unwind(AssertUnwindSafe(|| repository::work(request, &guard, &held, &questions)));
    let done = done.unwrap_or_else(|_| {
        Err(guard.last_failure().unwrap_or_else(|| Failure::new(FailureCode::Damaged, DAMAGED)))
    });
    match done {
        Ok(mut outcome) => {
            outcome.peak_memory = peak_memory();
            say(&WorkerEvent::Done(Box::new(outcome)));
            0
        }
        Err(Failure { code, message }) => {
            say(&WorkerEvent::Failed { code, message });
            1
        }
    }
}

/// Ends the process when its input ends. Gives the lines that come until then.
fn end_with_input(held: &Held) -> Receiver<String> {
    let held = Arc::clone(held);
    let (to, questions) = sync_channel(QUESTIONS);
    #[allow(clippy::disallowed_methods, reason = "the thread that works cannot be told to stop")]
    let watch = move || {
        read_lines(&to);
        drop(held.lock().unwrap_or_else(PoisonError::into_inner).take());
        std::process::exit(BROKEN_OFF);
    };
    drop(std::thread::Builder::new().name("input".into()).spawn(watch));
    questions
}

/// Until the input ends, or more is asked than is answered.
fn read_lines(to: &SyncSender<String>) {
    loop {
        let mut line = String::new();
        match io::stdin().lock().take(REQUEST).read_line(&mut line) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
        if matches!(to.try_send(line), Err(TrySendError::Full(_))) {
            return;
        }
    }
}

fn read_request() -> Result<WorkerRequest, String> {
    let mut line = String::new();
    let mut input = io::stdin().lock().take(REQUEST);
    input.read_line(&mut line).map_err(|error| format!("the request could not be read: {error}"))?;
    serde_json::from_str(&line).map_err(|error| format!("the request could not be understood: {error}"))
}

/// Steps back behind everything else on the machine. What is refused costs no more than speed.
fn become_small(smaller: bool) {
    drop(fs::write("/proc/self/oom_score_adj", OOM_SCORE));
    let _ = rustix::process::nice(NICE);
    // The libraries make as many threads as they see processors, and memory goes with threads.
    if let Ok(allowed) = rustix::thread::sched_getaffinity(None) {
        let mut few = rustix::thread::CpuSet::new();
        let last = (0..rustix::thread::CpuSet::MAX_CPU).rev().filter(|cpu| allowed.is_set(*cpu));
        last.take(if smaller { 1 } else { PROCESSORS }).for_each(|cpu| few.set(cpu));
        let _ = rustix::thread::sched_setaffinity(None, &few);
    }
}

/// The most memory that this process had, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
