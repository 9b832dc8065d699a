//! One connected agent: requests that end (answer, refusal or deadline), and messages that want no answer.

use std::collections::HashMap;
use std::future::Future;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent::LinkTimes;
use agent::log_counter::LogCounter;
use agent::protocol::commands::Response;
use agent::protocol::{Envelope, ErrorReport, StatsSubscribe, Status, ToAgent, ToPanel};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::legacy::{self, Completion, InFlight, LegacyRequest, Outcome, Told};
use super::link_stats::Figures;
use super::subscriptions::Gathered;
use crate::error::{ApiError, Code};

/// Messages that may wait for the agent to take them.
pub(super) const QUEUE: usize = 1024;
/// Lines in the log for one kind of thing that one connection says.
const TOLD: u64 = 10;
/// Requests that may wait for an answer.
const PENDING: usize = 4096;

/// Why a request to an agent has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The node is not connected, or went away before it answered.
    #[error("the node is offline")]
    Offline,
    /// No answer in time.
    #[error("the node did not answer within {0:?}")]
    Timeout(Duration),
    /// The agent takes no more at present.
    #[error("the node has too much to do")]
    Busy,
    /// The agent refused or failed.
    #[error("the node refused: {} ({})", .0.message, .0.code)]
    Refused(Box<ErrorReport>),
    /// The answer was of another kind than the question.
    #[error("the node gave an answer that does not fit the question")]
    Unfitting,
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Offline => Self::new(Code::NodeOffline, "The node of this server is offline."),
            RequestError::Timeout(after) => {
                Self::new(Code::NodeTimeout, format!("The node did not answer within {} s.", after.as_secs()))
            }
            RequestError::Busy => {
                Self::new(Code::Busy, "The node has too much to do. Try again.").retry_after(1)
            }
            RequestError::Refused(report) => refusal(&report),
            RequestError::Unfitting => Self::internal("asking a node", &error),
        }
    }
}

/// The agent's words for refusals are the API's; everything else is a fault of the agent, told to the log.
fn refusal(report: &ErrorReport) -> ApiError {
    const SHARED: &[Code] = &[
        Code::AlreadyStarting,
        Code::AlreadyRunning,
        Code::AlreadyStopping,
        Code::NotRunning,
        Code::Installing,
        Code::Suspended,
        Code::Paused,
        Code::NotPaused,
        Code::NotFound,
        Code::Conflict,
        Code::PortInUse,
        Code::EngineUnavailable,
        Code::Invalid,
        Code::DiskFull,
        Code::Busy,
    ];
    // The cancel of a fetch that does not run: the API has no word of its own for it.
    let word = if report.code == "not_installing" { Code::Conflict.as_str() } else { report.code.as_str() };
    match report.code.as_str() {
        "not_supported" | "path_escape" | "not_regular" | "not_text" => {
            return ApiError::new(Code::Conflict, report.message.clone());
        }
        "FILE_TOO_LARGE" => return ApiError::new(Code::TooLarge, report.message.clone()),
        // A legacy agent, whose own words are the engine's. They stand in the log.
        legacy::OTHERS_WORD => {
            let said = legacy::brief(&report.message);
            return ApiError::new(Code::Conflict, format!("The agent of this node could not do it: {said}"));
        }
        _ => {}
    }
    match SHARED.iter().find(|code| code.as_str() == word) {
        Some(code) => ApiError::new(*code, report.message.clone()),
        None => ApiError::internal("a request to a node", &RequestError::Refused(Box::new(report.clone()))),
    }
}

/// A connected agent. Ends when its link does, or when another connection of the same node replaces it.
pub struct Session {
    node_id: String,
    number: u64,
    times: LinkTimes,
    out: mpsc::Sender<Envelope<ToAgent>>,
    pending: Mutex<HashMap<String, Pending>>,
    /// An agent remembers what it has answered, longer than we may live: ids never come again.
    prefix: String,
    next: AtomicU64,
    ended: CancellationToken,
    /// It answers under the id of what was asked.
    answers: AtomicBool,
    /// The requests of an agent that does not answer by ids.
    pub(super) in_flight: InFlight,
    /// What the agent last said to have, and whether somebody is at it.
    pub(super) settling: Mutex<Settling>,
    /// What was last said about who watches stats, so that it is said again only when it changes.
    pub(super) stats_wanted: Mutex<Option<(Vec<String>, bool)>>,
    pub(super) gathered: Mutex<Gathered>,
    /// How its link does.
    pub(super) figures: Figures,
    /// What was told of it to the log.
    told: Mutex<LogCounter>,
    /// Files that it was asked for, and that are yet to come.
    pub(super) files: AtomicUsize,
}

/// One comparison with the store runs at a time; of the syncs that come meanwhile the last one counts.
#[derive(Default)]
pub(super) struct Settling {
    pub(super) running: bool,
    pub(super) next: Option<HashMap<String, Status>>,
}

struct Pending {
    answer: oneshot::Sender<Result<ToPanel, RequestError>>,
    /// Console lines that answer this belong to the one who asked, not to those who watch.
    private: bool,
}

impl Session {
    /// A session and the queue of what it wants to say.
    pub(super) fn new(
        node_id: &str,
        number: u64,
        times: LinkTimes,
    ) -> (Arc<Self>, mpsc::Receiver<Envelope<ToAgent>>) {
        let (out, queue) = mpsc::channel(QUEUE);
        let session = Self {
            node_id: node_id.to_owned(),
            number,
            times,
            out,
            pending: Mutex::default(),
            prefix: crate::system::ids::random(8),
            next: AtomicU64::new(1),
            ended: CancellationToken::new(),
            answers: AtomicBool::new(true),
            in_flight: InFlight::default(),
            settling: Mutex::default(),
            stats_wanted: Mutex::default(),
            gathered: Mutex::default(),
            figures: Figures::default(),
            told: Mutex::default(),
            files: AtomicUsize::new(0),
        };
        (Arc::new(session), queue)
    }

    /// Whose.
    pub fn node_id(&self) -> &str {
        &self.node_id
    }

    /// Ended: the link should close.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Told apart from an older session of the same node.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the log should be told once more of something of this kind: an agent may say it all day.
    pub(super) fn should_log(&self, kind: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).note(kind) <= TOLD
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`RequestError`]; after a deadline the agent may still do what it was asked.
    pub async fn ask(&self, message: ToAgent, deadline: Duration) -> Result<ToPanel, RequestError> {
        if !self.answers() {
            let translate = legacy::translate(message, &self.times).map_err(RequestError::Refused)?;
            let (answer, heard) = oneshot::channel();
            let ((), outcome) = tokio::join!(self.ask_part_one(translate, answer), heard);
            return outcome.unwrap_or(Err(RequestError::Offline));
        }
        let private = matches!(message, ToAgent::ConsoleTail(_));
        let (id, answered) = self.expect_answer(private)?;
        let entry = Entry { session: self, id };
        let asked = async {
            let envelope = Envelope::with_id(message, entry.id.clone());
            self.out.send(envelope).await.map_err(|_closed| RequestError::Offline)?;
            answered.await.unwrap_or(Err(RequestError::Offline))
        };
        tokio::select! {
            outcome = tokio::time::timeout(deadline, asked) => {
                outcome.unwrap_or(Err(RequestError::Timeout(deadline)))
            }
            () = self.ended.cancelled() => Err(RequestError::Offline),
        }
    }

    /// For legacy agents: `answer` gets the outcome, and this ends when the agent is done. To be
    /// carried through to its end: who drops it half-way leaves the agent at work for nobody.
    pub(super) async fn ask_part_one(&self, translate: LegacyRequest, answer: oneshot::Sender<Outcome>) {
        let (deadline, goal) = (translate.deadline, translate.goal);
        if goal == Completion::File && self.lacks_files() {
            drop(answer.send(Err(RequestError::Refused(legacy::unable("serve files")))));
            return;
        }
        let turns = tokio::select! {
            turns = tokio::time::timeout(deadline, self.in_flight.turns(&translate)) => turns,
            () = self.ended.cancelled() => return,
        };
        let Ok(_turns) = turns else {
            drop(answer.send(Err(RequestError::Busy)));
            return;
        };
        let id = self.new_id();
        let ticket = self.in_flight.begin(&id, &translate, answer);
        let asked = async {
            let sent = self.out.send(Envelope::with_id(translate.message, id)).await;
            if sent.is_ok() {
                ticket.over().await;
            }
        };
        tokio::select! {
            outcome = tokio::time::timeout(deadline, asked) => {
                if outcome.is_err() && goal == Completion::File {
                    self.in_flight.set_lacks_files();
                    ticket.late(RequestError::Refused(legacy::unable("serve files")));
                } else if outcome.is_err() {
                    ticket.late(RequestError::Timeout(deadline));
                }
            }
            () = self.ended.cancelled() => {}
        }
    }

    /// A message without an id may end what a legacy agent has in flight.
    pub(super) fn hear(&self, message: &ToPanel) {
        self.in_flight.hear(message);
    }

    /// The answer to a command, and what it should_log beside that.
    pub(super) fn responded(&self, response: &Response) -> Option<Told> {
        self.in_flight.responded(response)
    }

    /// It was asked for a file once and said nothing.
    pub(super) fn lacks_files(&self) -> bool {
        self.in_flight.lacks_files()
    }

    /// The first word to an agent that supports protocol extensions: announces that we do too.
    pub(super) fn announce_extensions(&self) {
        let mut told = self.stats_wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none() && self.tell(ToAgent::StatsSubscribe(StatsSubscribe::default())).is_ok() {
            *told = Some((Vec::new(), false));
        }
    }

    /// Whether it answers under the ids of requests.
    pub(super) fn answers(&self) -> bool {
        self.answers.load(Ordering::Relaxed)
    }

    /// Known once its `system_info` is.
    pub(super) fn set_answers(&self, answers: bool) {
        self.answers.store(answers, Ordering::Relaxed);
    }

    /// Asks at once, before anything that is said after this call, and leaves the answer to be waited for.
    ///
    /// # Errors
    /// [`RequestError::Busy`] where the queue is full, [`RequestError::Offline`].
    pub fn ask_at_once(
        self: &Arc<Self>,
        message: ToAgent,
        deadline: Duration,
    ) -> Result<impl Future<Output = Result<ToPanel, RequestError>> + Send + 'static, RequestError> {
        if !self.answers() {
            // Nothing that is asked like this exists in the legacy protocol.
            return Err(RequestError::Refused(legacy::unable("change a server")));
        }
        let (id, answered) = self.expect_answer(false)?;
        let entry = Entry { session: Arc::clone(self), id };
        self.out
            .try_send(Envelope::with_id(message, entry.id.clone()))
            .map_err(|refused| not_queued(&refused))?;
        Ok(async move {
            let _entry = entry;
            tokio::time::timeout(deadline, answered)
                .await
                .map_or(Err(RequestError::Timeout(deadline)), |outcome| {
                    outcome.unwrap_or(Err(RequestError::Offline))
                })
        })
    }

    fn new_id(&self) -> String {
        format!("{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A new id and where its answer will come.
    fn expect_answer(&self, private: bool) -> Result<(String, Answer), RequestError> {
        let id = self.new_id();
        let (answer, answered) = oneshot::channel();
        let mut pending = self.lock();
        if self.ended.is_cancelled() {
            return Err(RequestError::Offline);
        }
        if pending.len() >= PENDING {
            return Err(RequestError::Busy);
        }
        pending.insert(id.clone(), Pending { answer, private });
        Ok((id, answered))
    }

    /// Says something that wants no answer. Never waits.
    ///
    /// # Errors
    /// [`RequestError::Busy`] where the queue is full, [`RequestError::Offline`].
    pub fn tell(&self, message: ToAgent) -> Result<(), RequestError> {
        if !self.answers() {
            // The legacy protocol has no message without an answer.
            return Ok(());
        }
        self.out.try_send(Envelope::new(message)).map_err(|refused| not_queued(&refused))
    }

    /// Whether the answer to this id is for the one who asked alone.
    pub(super) fn is_private(&self, id: &str) -> bool {
        self.lock().get(id).is_some_and(|pending| pending.private)
    }

    /// Hands an answer to whoever waits for it. A late one is nobody's.
    pub(super) fn settle(&self, id: &str, message: ToPanel) {
        let Some(pending) = self.lock().remove(id) else { return };
        let outcome = match message {
            ToPanel::Error(report) => Err(RequestError::Refused(Box::new(report))),
            other => Ok(other),
        };
        // Nobody waiting any more is fine.
        drop(pending.answer.send(outcome));
    }

    /// What came under this id was no message. Whoever waits for it need not wait on.
    pub(super) fn fail(&self, id: &str) {
        let Some(pending) = self.lock().remove(id) else { return };
        drop(pending.answer.send(Err(RequestError::Unfitting)));
    }

    /// Whether a file may come: nothing else is as large.
    pub(super) fn expects_file(&self) -> bool {
        self.files.load(Ordering::Relaxed) > 0
    }

    /// Ends it: everybody who waits learns that the node is offline.
    pub(super) fn end(&self) {
        self.ended.cancel();
        self.in_flight.end();
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer = oneshot::Receiver<Result<ToPanel, RequestError>>;

fn not_queued<T>(refused: &mpsc::error::TrySendError<T>) -> RequestError {
    match refused {
        mpsc::error::TrySendError::Full(_) => RequestError::Busy,
        mpsc::error::TrySendError::Closed(_) => RequestError::Offline,
    }
}

/// A request that is under way. Whatever ends it, also being dropped half-way, takes it out of the list.
struct Entry<S: Deref<Target = Session>> {
    session: S,
    id: String,
}

impl<S: Deref<Target = Session>> Drop for Entry<S> {
    fn drop(&mut self) {
        self.session.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use agent::protocol::Ack;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_request_is_answered_under_its_id() {
        let (session, mut queue) = Session::new("n", 1, LinkTimes::default());
        let asked = session.ask(ToAgent::SystemInfoRequest, SOON);
        let answered = async {
            let question = queue.recv().await.unwrap();
            session.settle("nobody", ToPanel::Ack(Ack::default()));
            let id = question.message_id.unwrap();
            session.settle(&id, ToPanel::Ack(Ack { status: Some(Status::Starting) }));
        };
        let (answer, ()) = tokio::join!(asked, answered);
        assert_eq!(answer.unwrap(), ToPanel::Ack(Ack { status: Some(Status::Starting) }));
        assert!(session.lock().is_empty());
    }

    #[tokio::test]
    async fn refusals_deadlines_and_the_end_are_told_apart() {
        let (session, mut queue) = Session::new("n", 1, LinkTimes::default());
        let refused = async {
            let id = queue.recv().await.unwrap().message_id.unwrap();
            let report = ErrorReport { code: "already_running".into(), ..ErrorReport::default() };
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
        assert!(session.lock().is_empty());
    }

    #[test]
    fn an_agents_own_words_are_bounded_and_cleaned_or_stay_in_the_log() {
        let error = |code: &str, message: &str| {
            let report = ErrorReport { code: code.into(), message: message.into(), ..Default::default() };
            ApiError::from(RequestError::Refused(Box::new(report)))
        };
        let unknown = error("PANIC", "/root/x");
        assert!(unknown.code() == Code::Internal && !unknown.message().contains("/root"));
        let docker = error("HANDLER_ERROR", "No such image: no/such:1\u{1b}[31m\r\n<b>");
        assert_eq!(docker.code(), Code::Conflict);
        assert!(docker.message().contains("No such image: no/such:1 [31m <b>"), "{}", docker.message());
        assert!(error("HANDLER_ERROR", &"x".repeat(1 << 20)).message().len() < 1000);
    }
}
