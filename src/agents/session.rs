//! One connected agent: requests, which end with an answer, a refusal or a deadline, and messages without an answer.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use agent::link::log_counter::LogCounter;
use protocol::{Envelope, FileProgress, NodeId, ToAgent, ToPanel};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::error::RequestError;
use super::job_progress::JobProgress;
use super::link_stats::LinkStats;
use super::registry_logins::RegistryLogins;

/// Length of the queue of messages to the agent.
pub(super) const QUEUE: usize = 1024;
/// Log lines per kind of message and connection.
const LOGGED: u64 = 10;
/// Longest time for a job that keeps reporting progress.
const LONGEST_JOB: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many requests may wait for an answer.
const PENDING: usize = 4096;

/// Result of a request.
pub(super) type Outcome = Result<ToPanel, RequestError>;

/// A connected agent. Ends with its link, or when another connection of the same node replaces it.
pub struct Session {
    node_id: NodeId,
    number: u64,
    out: mpsc::Sender<Envelope<ToAgent>>,
    requests: Requests,
    ended: CancellationToken,
    pub(super) link: LinkStats,
    logged: Mutex<LogCounter>,
    /// How many requested files have not arrived yet.
    files: AtomicUsize,
    /// Whether the connection ends requests itself; then the callers' deadlines are ignored.
    own_deadlines: AtomicBool,
    /// Whether the agent left a file request unanswered.
    no_files: AtomicBool,
    /// Logins that the agent is sent before it pulls an image; unset for agents that do not accept logins.
    logins: OnceLock<RegistryLogins>,
    /// Jobs whose progress somebody waits for.
    pub(super) jobs: JobProgress,
}

/// Requests waiting for an answer, by id.
struct Requests {
    pending: Mutex<HashMap<String, Pending>>,
    /// Unique per process, so that ids never repeat: an agent may remember its answers longer than this process runs.
    prefix: String,
    next: AtomicU64,
}

struct Pending {
    answer: oneshot::Sender<Outcome>,
    /// Console lines in the answer go only to the caller, not to followers of the console.
    private: bool,
}

impl Session {
    /// Creates a session and the queue of its messages to the agent.
    pub(super) fn new(node_id: &NodeId, number: u64) -> (Arc<Self>, mpsc::Receiver<Envelope<ToAgent>>) {
        let (out, queue) = mpsc::channel(QUEUE);
        let session = Self {
            node_id: node_id.to_owned(),
            number,
            out,
            requests: Requests {
                pending: Mutex::default(),
                prefix: crate::system::ids::random(8),
                next: AtomicU64::new(1),
            },
            ended: CancellationToken::new(),
            link: LinkStats::default(),
            logged: Mutex::default(),
            files: AtomicUsize::new(0),
            own_deadlines: AtomicBool::new(false),
            no_files: AtomicBool::new(false),
            logins: OnceLock::new(),
            jobs: JobProgress::default(),
        };
        (Arc::new(session), queue)
    }

    /// The node of this agent.
    pub fn node_id(&self) -> &NodeId {
        &self.node_id
    }

    /// Token that is cancelled when the session ends; the link should close then.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Number of the session; later sessions of the same node have higher numbers.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Counts an event of this kind; returns whether to log it, because an agent may repeat it at any rate.
    pub(super) fn should_log(&self, kind: &str) -> bool {
        lock(&self.logged).note(kind) <= LOGGED
    }

    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// [`RequestError`]; after a timeout the agent may still carry out the request.
    pub async fn ask(&self, message: ToAgent, deadline: Duration) -> Outcome {
        let private = matches!(message, ToAgent::ConsoleTail(_));
        let (id, answered) = self.expect_answer(private)?;
        let entry = Entry { session: self, id };
        let asked = async {
            for login in self.logins_before(&message) {
                self.out.send(Envelope::new(login)).await.map_err(|_closed| RequestError::Offline)?;
            }
            let envelope = Envelope::with_id(message, entry.id.clone());
            self.out.send(envelope).await.map_err(|_closed| RequestError::Offline)?;
            answered.await.unwrap_or(Err(RequestError::Offline))
        };
        tokio::select! {
            outcome = asked => outcome,
            () = self.late(deadline) => Err(RequestError::Timeout(deadline)),
            () = self.ended.cancelled() => Err(RequestError::Offline),
        }
    }

    /// Sends a request for a long job, and waits as long as the agent reports progress at least every `idle`.
    ///
    /// # Errors
    /// [`RequestError`]; after a timeout the agent may still carry out the request.
    pub async fn ask_job(
        &self,
        job_id: &str,
        message: ToAgent,
        idle: Duration,
        mut progress: impl FnMut(FileProgress),
    ) -> Outcome {
        let mut watched = self.jobs.watch(job_id);
        let mut asked = std::pin::pin!(self.ask(message, LONGEST_JOB));
        loop {
            tokio::select! {
                // Progress that arrived before the answer is delivered before it.
                biased;
                told = watched.next(idle) => match told {
                    Some(told) => progress(told),
                    None => return Err(RequestError::Timeout(idle)),
                },
                outcome = &mut asked => return outcome,
            }
        }
    }

    /// Queues a request immediately, before anything sent after this call; the returned future waits for the answer.
    ///
    /// # Errors
    /// [`RequestError::Busy`] if the queue is full, [`RequestError::Offline`].
    pub fn ask_at_once(
        self: &Arc<Self>,
        message: ToAgent,
        deadline: Duration,
    ) -> Result<impl Future<Output = Outcome> + Send + 'static, RequestError> {
        let (id, answered) = self.expect_answer(false)?;
        let entry = Entry { session: Arc::clone(self), id };
        for login in self.logins_before(&message) {
            self.tell(login)?;
        }
        self.out
            .try_send(Envelope::with_id(message, entry.id.clone()))
            .map_err(|refused| not_queued(&refused))?;
        Ok(async move {
            tokio::select! {
                outcome = answered => outcome.unwrap_or(Err(RequestError::Offline)),
                () = entry.session.late(deadline) => Err(RequestError::Timeout(deadline)),
            }
        })
    }

    /// From now on the agent is sent logins before it pulls images.
    pub(super) fn send_logins(&self, logins: RegistryLogins) {
        // The agent may announce this more than once.
        drop(self.logins.set(logins));
    }

    fn logins_before(&self, message: &ToAgent) -> Vec<ToAgent> {
        self.logins.get().map(|logins| logins.before(message)).unwrap_or_default()
    }

    /// Returns once `deadline` has passed; never if the connection sets the deadlines.
    async fn late(&self, deadline: Duration) {
        tokio::time::sleep(deadline).await;
        if self.own_deadlines.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    /// A new request id.
    pub(super) fn new_id(&self) -> String {
        format!("{}-{}", self.requests.prefix, self.requests.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Registers a request; returns its id and the receiver of its answer.
    fn expect_answer(&self, private: bool) -> Result<(String, oneshot::Receiver<Outcome>), RequestError> {
        let id = self.new_id();
        let (answer, answered) = oneshot::channel();
        let mut pending = self.pending();
        if self.ended.is_cancelled() {
            return Err(RequestError::Offline);
        }
        if pending.len() >= PENDING {
            return Err(RequestError::Busy);
        }
        pending.insert(id.clone(), Pending { answer, private });
        Ok((id, answered))
    }

    /// Sends a message without an answer. Never waits.
    ///
    /// # Errors
    /// [`RequestError::Busy`] if the queue is full, [`RequestError::Offline`].
    pub fn tell(&self, message: ToAgent) -> Result<(), RequestError> {
        self.out.try_send(Envelope::new(message)).map_err(|refused| not_queued(&refused))
    }

    /// Whether the answer to this id is only for the caller.
    pub(super) fn is_private(&self, id: &str) -> bool {
        self.pending().get(id).is_some_and(|pending| pending.private)
    }

    /// Passes an answer to its request. A late answer is dropped.
    pub(super) fn settle(&self, id: &str, message: ToPanel) {
        let outcome = match message {
            ToPanel::Error(report) => Err(RequestError::Refused(Box::new(report))),
            other => Ok(other),
        };
        self.finish(id, outcome);
    }

    /// Ends the request with this id because its answer could not be decoded.
    pub(super) fn fail(&self, id: &str) {
        self.finish(id, Err(RequestError::Unfitting));
    }

    /// Ends a request with this outcome.
    pub(super) fn finish(&self, id: &str, outcome: Outcome) {
        let Some(pending) = self.pending().remove(id) else { return };
        // The caller may have given up.
        drop(pending.answer.send(outcome));
    }

    /// Sets whether the connection ends every request itself, instead of the callers' deadlines.
    pub(super) fn set_own_deadlines(&self, own: bool) {
        self.own_deadlines.store(own, Ordering::Relaxed);
    }

    /// Allows a file-sized answer until the guard is dropped.
    pub(super) fn expect_file(self: &Arc<Self>) -> ExpectedFile {
        self.files.fetch_add(1, Ordering::Relaxed);
        ExpectedFile(Arc::clone(self))
    }

    /// Whether a file-sized answer is expected.
    pub(super) fn expects_file(&self) -> bool {
        self.files.load(Ordering::Relaxed) > 0
    }

    /// Notes that the agent left a file request unanswered, so that it is not asked again.
    pub(super) fn set_lacks_files(&self) {
        self.no_files.store(true, Ordering::Relaxed);
    }

    /// Whether the agent left a file request unanswered.
    pub(super) fn lacks_files(&self) -> bool {
        self.no_files.load(Ordering::Relaxed)
    }

    /// Ends the session: every request fails with [`RequestError::Offline`].
    pub(super) fn end(&self) {
        self.ended.cancel();
        self.pending().clear();
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        lock(&self.requests.pending)
    }
}

fn not_queued<T>(refused: &mpsc::error::TrySendError<T>) -> RequestError {
    match refused {
        mpsc::error::TrySendError::Full(_) => RequestError::Busy,
        mpsc::error::TrySendError::Closed(_) => RequestError::Offline,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A pending request; removed from the list when dropped, also before it is done.
struct Entry<S: Deref<Target = Session>> {
    session: S,
    id: String,
}

impl<S: Deref<Target = Session>> Drop for Entry<S> {
    fn drop(&mut self) {
        self.session.pending().remove(&self.id);
    }
}

/// While this exists, a file-sized answer is allowed.
pub(super) struct ExpectedFile(Arc<Session>);

impl Drop for ExpectedFile {
    fn drop(&mut self) {
        self.0.files.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Ack, ErrorCode, ErrorReport, Status};

    use super::*;
    use crate::error::{ApiError, Code};

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_request_is_answered_under_its_id() {
        let (session, mut queue) = Session::new(&"n".into(), 1);
        let asked = session.ask(ToAgent::SystemInfoRequest, SOON);
        let answered = async {
            let question = queue.recv().await.unwrap();
            session.settle("nobody", ToPanel::Ack(Ack::default()));
            let id = question.message_id.unwrap();
            session.settle(&id, ToPanel::Ack(Ack { status: Some(Status::Starting) }));
        };
        let (answer, ()) = tokio::join!(asked, answered);
        assert_eq!(answer.unwrap(), ToPanel::Ack(Ack { status: Some(Status::Starting) }));
        assert!(session.pending().is_empty());
    }

    #[tokio::test]
    async fn refusals_deadlines_and_the_end_are_told_apart() {
        let (session, mut queue) = Session::new(&"n".into(), 1);
        let refused = async {
            let id = queue.recv().await.unwrap().message_id.unwrap();
            let report = ErrorReport { code: ErrorCode::AlreadyRunning, ..ErrorReport::default() };
            session.settle(&id, ToPanel::Error(report));
        };
        let (answer, ()) = tokio::join!(session.ask(ToAgent::SystemInfoRequest, SOON), refused);
        assert_eq!(ApiError::from(answer.unwrap_err()).code(), Code::AlreadyRunning);

        let short = Duration::from_millis(1);
        assert_eq!(session.ask(ToAgent::SystemInfoRequest, short).await, Err(RequestError::Timeout(short)));

        let end = async { session.end() };
        let (answer, ()) = tokio::join!(session.ask(ToAgent::SystemInfoRequest, SOON), end);
        assert_eq!(answer, Err(RequestError::Offline));
        assert_eq!(session.ask(ToAgent::SystemInfoRequest, SOON).await, Err(RequestError::Offline));
        assert!(session.pending().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_waited_for_as_long_as_it_is_told_of() {
        let (session, mut queue) = Session::new(&"n".into(), 1);
        let step = FileProgress {
            server_id: "a".into(),
            job_id: "j".into(),
            entries: 1,
            bytes: 1,
            total_bytes: None,
            path: String::new(),
        };
        let mut steps = 0;
        let asked = session.ask_job("j", ToAgent::SystemInfoRequest, SOON, |_| steps += 1);
        let told = async {
            let id = queue.recv().await.unwrap().message_id.unwrap();
            for _ in 0..10 {
                tokio::time::sleep(SOON - Duration::from_secs(1)).await;
                session.jobs.note(FileProgress { job_id: "another".into(), ..step.clone() });
                session.jobs.note(step.clone());
            }
            session.settle(&id, ToPanel::Ack(Ack::default()));
        };
        let (answer, ()) = tokio::join!(asked, told);
        assert_eq!((answer, steps), (Ok(ToPanel::Ack(Ack::default())), 10));

        let silent = session.ask_job("j", ToAgent::SystemInfoRequest, SOON, |_| {}).await;
        assert_eq!(silent, Err(RequestError::Timeout(SOON)));
        session.jobs.note(step);
        assert!(session.pending().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_have_deadlines_of_its_own() {
        let (session, mut queue) = Session::new(&"n".into(), 1);
        session.set_own_deadlines(true);
        let ended = async {
            let id = queue.recv().await.unwrap().message_id.unwrap();
            tokio::time::sleep(SOON * 3).await;
            session.finish(&id, Err(RequestError::Timeout(SOON * 3)));
        };
        let (answer, ()) = tokio::join!(session.ask(ToAgent::SystemInfoRequest, SOON), ended);
        assert_eq!(answer, Err(RequestError::Timeout(SOON * 3)));
    }
}
