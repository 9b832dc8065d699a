//! Reads a game's terminal for as long as it runs, over as many connections as that takes.
//!
//! A connection that ends, or that stays silent although the game printed something, is replaced. The output in between
//! is read from the engine's log, which also has the times.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use jiff::Timestamp;
use protocol::ServerId;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::engine_log::{self, Head};
use super::output::Output;
use super::typing::{self, Port, UnheardLine};
use crate::console::{self, EngineLog, LogLine, ReadyWatch};
use crate::runtime::{Attached, EngineError};

/// Read buffer size in bytes: small while a game is quiet …
const SMALL: usize = 4 * 1024;
/// … and large while it prints a lot.
const LARGE: usize = 64 * 1024;
/// Typed lines are echoed; without an echo for this long the connection is suspected to be dead.
const ECHO: Duration = Duration::from_secs(5);
/// Delay before the first reconnect; doubles after each failure up to the second value.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// A connection that lasted this long resets the delay.
const GOOD: Duration = Duration::from_secs(10);
/// Time limit for the engine to report a game's end after its output ended.
const END: Duration = Duration::from_millis(100);
/// Time limit for the last bytes of an ended game.
const LAST: Duration = Duration::from_secs(1);
/// Time limit for the engine to report a game's end after the connection that carried a line has ended.
const DOUBT: Duration = Duration::from_secs(2);
/// Time allowed for bytes in transit.
const ON_ITS_WAY: Duration = Duration::from_millis(300);

/// The signals of a connected terminal.
pub(super) struct Connected {
    /// Resolves when the ready line was seen.
    pub(super) ready: oneshot::Receiver<()>,
    /// Resolves when the output is over.
    pub(super) over: oneshot::Receiver<()>,
    /// To be notified when the game has ended.
    pub(super) ended: Arc<Notify>,
}

/// A terminal that prints nothing and ignores its input.
pub(super) fn nothing() -> Attached {
    Attached { output: Box::new(Silence), input: Box::new(tokio::io::sink()) }
}

/// An output that never yields anything.
struct Silence;

impl tokio::io::AsyncRead for Silence {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

/// The terminal of one game.
pub(super) struct Terminal {
    pub(super) context: Arc<Context>,
    pub(super) server_id: ServerId,
    pub(super) container: String,
    pub(super) tty: bool,
    pub(super) output: Output,
    pub(super) ready: Option<ReadyWatch>,
    pub(super) port: Port,
    pub(super) run: CancellationToken,
}

/// Why a connection was given up.
enum Left {
    /// It ended.
    Ended,
    /// It lacks output that it should have.
    Dead,
}

/// Reads a terminal.
pub(super) struct Reader {
    pub(super) terminal: Terminal,
    is_ready: Option<oneshot::Sender<()>>,
    /// First bytes of a new connection, until their place in the log is known.
    pub(super) head: Option<Head>,
    /// When the game last printed something, or its log was last checked.
    heard: Instant,
    /// The game did not react to typed lines, not even over a new connection.
    mute: bool,
    /// The game has ended; only its last output may still arrive.
    over: bool,
    /// Lines written just before a connection ended, each with a deadline: if the game turns out to have ended by then,
    /// the line was delivered.
    doubtful: Vec<(UnheardLine, Instant)>,
}

impl Terminal {
    /// Spawns a task that reads until the game ends or the run is cancelled. `attached` is the first connection.
    /// `missed` is set if the game ran before it was made: the time at which the connection was requested.
    pub(super) fn connect(self, attached: Attached, missed: Option<Timestamp>) -> Connected {
        let (is_ready, ready_seen) = oneshot::channel();
        let (over, over_seen) = oneshot::channel();
        let ended = Arc::new(Notify::new());
        let is_ready = self.ready.is_some().then_some(is_ready);
        let reader = Reader::new(self, is_ready, false);
        let (tasks, run, end) =
            (reader.terminal.context.tasks.clone(), reader.terminal.run.clone(), Arc::clone(&ended));
        drop(tasks.spawn(async move {
            tokio::select! {
                () = reader.run(attached, missed, end) => drop(over.send(())),
                () = run.cancelled() => {}
            }
        }));
        Connected { ready: ready_seen, over: over_seen, ended }
    }
}

impl Terminal {
    /// The last `lines` lines of the engine's log.
    pub(super) async fn log(&self, lines: u32) -> Result<EngineLog, EngineError> {
        engine_log::read(&self.context, &self.container, self.tty, lines).await
    }
}

impl Reader {
    pub(super) fn new(terminal: Terminal, is_ready: Option<oneshot::Sender<()>>, over: bool) -> Self {
        Self {
            terminal,
            is_ready,
            head: None,
            heard: Instant::now(),
            mute: false,
            over,
            doubtful: Vec::new(),
        }
    }

    async fn run(mut self, mut attached: Attached, missed: Option<Timestamp>, ended: Arc<Notify>) {
        let mut back_off = BACK_OFF.0;
        self.terminal.output.trail().follow(&self.terminal.container);
        if let Some(connected) = missed {
            self.join(&mut attached, connected).await;
        }
        loop {
            let connected = Instant::now();
            let Attached { output, input } = attached;
            // The receiver lives as long as the run.
            let _ = self.terminal.port.inputs.send(Some(input)).await;
            let left = self.listen(output, &ended).await;
            let _ = self.terminal.port.inputs.send(None).await;
            if connected.elapsed() > GOOD {
                back_off = BACK_OFF.0;
            }
            match self.again(&left, &ended, &mut back_off).await {
                Some(next) => attached = next,
                None => break self.game_over(&left),
            }
        }
        self.terminal.output.console.finish();
        self.terminal.output.trail().break_off();
    }

    /// Reads one connection to its end.
    async fn listen(&mut self, mut output: Box<dyn AsyncRead + Send + Unpin>, ended: &Notify) -> Left {
        let check = self.terminal.context.tunables.console_check;
        let mut buffer = vec![0; SMALL];
        loop {
            let unheard = self.terminal.port.unheard.since(self.mute).map(|since| since + ECHO);
            let look = unheard.unwrap_or(self.heard + check).min(self.heard + check);
            let ready_due = self.terminal.ready.as_ref().and_then(ReadyWatch::due);
            let head_due = self.head.as_ref().and_then(Head::due);
            let written = self.terminal.port.unheard.due();
            let last = self.over.then_some(self.heard + LAST);
            let doubtful = self.doubtful.first().map(|(_, until)| *until);
            tokio::select! {
                read = output.read(&mut buffer) => {
                    let n = match read {
                        Ok(0) | Err(_) => return Left::Ended,
                        Ok(n) => n,
                    };
                    self.terminal.port.unheard.heard();
                    self.heard = Instant::now();
                    self.mute = false;
                    if self.head.is_some() {
                        self.head(&buffer[..n]).await;
                    } else {
                        self.take(&buffer[..n], None);
                    }
                    if n == LARGE {
                        // More output is waiting; let other tasks run in between.
                        tokio::task::yield_now().await;
                    } else if n == buffer.len() {
                        buffer.resize(LARGE, 0);
                    } else if n < SMALL && buffer.len() > SMALL {
                        buffer = vec![0; SMALL];
                    }
                }
                () = at(ready_due) => {
                    if self.terminal.ready.as_mut().is_some_and(ReadyWatch::silence) {
                        self.says_ready();
                    }
                }
                () = at(head_due) => self.unfinished_head(),
                () = self.terminal.port.unheard.more.notified() => {}
                () = at(written) => self.terminal.port.unheard.written(),
                () = at(doubtful) => self.give_up_doubtful(),
                () = ended.notified(), if !self.over => {
                    self.over = true;
                    self.heard = Instant::now();
                }
                () = at(last) => return Left::Dead,
                () = tokio::time::sleep_until(look) => {
                    let silent = unheard.is_some_and(|unheard| unheard <= Instant::now());
                    if silent || self.is_behind(&mut output).await {
                        return Left::Dead;
                    }
                    self.heard = Instant::now();
                }
            }
        }
    }

    /// Whether the engine's log has lines that should have arrived over this connection, but do not.
    async fn is_behind(&mut self, output: &mut (dyn AsyncRead + Send + Unpin)) -> bool {
        let Ok(log) = self.terminal.log(engine_log::FEW).await else { return false };
        let newest = log.lines.len();
        let behind = match self.terminal.output.trail().seen(&log) {
            console::TrailMatch::Nothing => newest > 0,
            console::TrailMatch::Until(next) | console::TrailMatch::Lost(next) => next < newest,
        };
        if !behind || self.head.is_some() {
            return false;
        }
        let mut buffer = vec![0; SMALL];
        match tokio::time::timeout(ON_ITS_WAY, output.read(&mut buffer)).await {
            Err(_) | Ok(Ok(0) | Err(_)) => true,
            Ok(Ok(n)) => {
                self.take(&buffer[..n], None);
                false
            }
        }
    }

    /// Reconnects and reads what was missed; `None` if the game has ended.
    async fn again(&mut self, left: &Left, ended: &Notify, back_off: &mut Duration) -> Option<Attached> {
        // An unplaced head is in the log as a whole line.
        let placed = self.head.take().is_none();
        if matches!(left, Left::Ended) {
            self.over = self.over || tokio::time::timeout(END, ended.notified()).await.is_ok();
            if self.over && placed {
                return None;
            }
        }
        tracing::debug!(server = %self.terminal.server_id, "connecting to its console again");
        let unheard = Arc::clone(&self.terminal.port.unheard);
        let give_up = async {
            tokio::time::sleep(typing::CONNECTION).await;
            unheard.give_up();
            std::future::pending().await
        };
        tokio::select! {
            next = self.until_connected(left, ended, back_off) => next,
            next = give_up => next,
        }
    }

    async fn until_connected(
        &mut self,
        left: &Left,
        ended: &Notify,
        back_off: &mut Duration,
    ) -> Option<Attached> {
        loop {
            if !self.over {
                self.over = tokio::time::timeout(*back_off, ended.notified()).await.is_ok();
            }
            match self.try_again(left).await {
                Ok(attached) => return attached,
                Err(error) if self.over => {
                    tracing::debug!(server = %self.terminal.server_id, %error, "its last lines");
                    return None;
                }
                Err(error) => self.terminal.context.watch.suspect(&error),
            }
            *back_off = (*back_off * 2).min(BACK_OFF.1);
        }
    }

    async fn try_again(&mut self, left: &Left) -> Result<Option<Attached>, EngineError> {
        let engine = Arc::clone(&self.terminal.context.engine);
        let seen = engine.inspect(&self.terminal.container).await?;
        if self.over || !seen.is_some_and(|seen| seen.running) {
            self.missed().await;
            return Ok(None);
        }
        let connected = Timestamp::now();
        let mut attached = engine.attach(&self.terminal.container, self.terminal.tty).await?;
        let missed = self.join(&mut attached, connected).await;
        self.type_again(&missed, left);
        Ok(Some(attached))
    }

    /// Reads what was missed before this connection, and meanwhile buffers what arrives over it.
    async fn join(&mut self, attached: &mut Attached, connected: Timestamp) -> Vec<u8> {
        let mut head = Head::new(connected);
        let mut buffer = vec![0; SMALL];
        let mut more = true;
        let missed = {
            let mut missed = std::pin::pin!(self.missed());
            loop {
                tokio::select! {
                    missed = &mut missed => break missed,
                    read = attached.output.read(&mut buffer), if more => {
                        let n = read.unwrap_or(0);
                        more = n > 0 && head.push(&buffer[..n]);
                    }
                }
            }
        };
        self.head = Some(head);
        self.heard = Instant::now();
        self.head(&[]).await;
        missed
    }

    /// Types lines again that the last connection may have lost, unless their echo is in `missed`.
    fn type_again(&mut self, missed: &[u8], left: &Left) {
        let port = &self.terminal.port;
        // A game may simply not react to a line; assume a dead connection only if there is a sign of it.
        let dead = matches!(left, Left::Ended) || !missed.is_empty();
        self.mute = !dead;
        for unheard in port.unheard.take() {
            let echoed = memchr::memmem::find(missed, unheard.line.as_bytes()).is_some();
            if echoed || !(dead || unheard.sure) {
                unheard.arrived();
                continue;
            }
            if matches!(left, Left::Ended) && !unheard.sure && unheard.is_awaited() {
                // The line may have ended the game, and the engine has not reported it yet.
                self.doubtful.push((unheard, Instant::now() + DOUBT));
                continue;
            }
            let line = unheard.line.clone();
            if !unheard.lost(&port.keyboard) && dead {
                self.terminal.output.console.system(&format!(
                    "The connection to the console broke: “{line}” may not have reached the game."
                ));
            }
        }
    }

    /// Reports lines as lost whose deadline has passed: the game still runs, so the connection had broken.
    fn give_up_doubtful(&mut self) {
        let now = Instant::now();
        while self.doubtful.first().is_some_and(|(_, until)| *until <= now) {
            let (line, _) = self.doubtful.remove(0);
            line.lost(&self.terminal.port.keyboard);
        }
    }

    /// The game has ended: lines written to a connection that ended with it were delivered, even without an echo.
    fn game_over(&mut self, left: &Left) {
        let unheard = self.terminal.port.unheard.take();
        let lines = self.doubtful.drain(..).map(|(line, _)| line);
        lines
            .chain(unheard.into_iter().filter(|_| matches!(left, Left::Ended)))
            .for_each(UnheardLine::arrived);
    }

    /// Adds output of the game, with the current time or the one the engine recorded.
    pub(super) fn take(&mut self, bytes: &[u8], time: Option<Timestamp>) {
        if bytes.is_empty() {
            return;
        }
        self.terminal.output.trail().feed(bytes, time.unwrap_or_else(Timestamp::now));
        match time {
            Some(time) => self.terminal.output.console.feed_logged(bytes, time),
            None => self.terminal.output.console.feed(bytes, |_| {}),
        }
        if self.terminal.ready.as_mut().is_some_and(|ready| ready.feed(bytes)) {
            self.says_ready();
        }
    }

    /// Adds a line of the engine's log, whose beginning may already have been taken.
    fn take_line(&mut self, line: &LogLine) {
        let Some(text) = &line.text else { return self.terminal.output.console.skip(1) };
        let rest = self.terminal.output.trail().rest(text).map(<[u8]>::len);
        let rest = rest.unwrap_or_else(|| {
            self.break_off();
            text.len()
        });
        let whole = [&text[text.len() - rest..], b"\n"].concat();
        self.take(&whole, Some(line.time));
    }

    /// Ends an incomplete line that will not be completed.
    pub(super) fn break_off(&mut self) {
        self.terminal.output.console.finish();
        self.terminal.output.trail().break_off();
        if let Some(ready) = &mut self.terminal.ready {
            ready.break_off();
        }
    }

    fn says_ready(&mut self) {
        self.terminal.ready = None;
        if let Some(is_ready) = self.is_ready.take() {
            // Fails if nobody waits any more.
            let _ = is_ready.send(());
        }
    }

    /// Adds lines of the engine's log.
    pub(super) fn take_lines<'l>(&mut self, lines: impl Iterator<Item = &'l LogLine>) {
        lines.for_each(|line| self.take_line(line));
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
