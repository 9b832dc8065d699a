//! Types lines into the game's terminal, over whichever connection exists at the moment. A line is answered once it is
//! written.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::console::Console;

/// Maximum number of queued lines.
const LINES: usize = 64;
/// How long a line waits for a connection to the terminal.
pub(super) const CONNECTION: Duration = Duration::from_secs(2);
/// How long a line waits for a game that does not read its input.
const PATIENCE: Duration = Duration::from_secs(5);
/// A broken connection reports its error within this time.
const WRITTEN: Duration = Duration::from_millis(100);
/// Maximum number of lines remembered without a reaction of the game.
const UNHEARD: usize = 64;

/// The writing end of a terminal.
pub(super) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// Why a line was not typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTyped {
    /// There is no connection to its terminal.
    Detached,
    /// The connection ended while the line was written.
    Lost,
    /// The game does not read its input.
    Deaf,
}

impl NotTyped {
    /// A message for users.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Detached => "There is no connection to the game's console at the moment. Try again.",
            Self::Lost => {
                "The connection to the game's console broke at that moment: the line may not have reached the game."
            }
            Self::Deaf => "The game does not read its input.",
        }
    }
}

/// A queued line.
pub(super) struct Typed {
    line: String,
    /// Delivery matters: answered only after later output of the game, and typed again over a new connection if the old
    /// one may have lost it.
    sure: bool,
    /// Told when the line is written, whatever happens to it afterwards.
    written: Option<oneshot::Sender<()>>,
    at: Instant,
    told: Told,
}

type Told = oneshot::Sender<Result<(), NotTyped>>;

/// Sends lines to the typist task. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keyboard(mpsc::Sender<Typed>);

impl Keyboard {
    /// Types a line; resolves when it is written, and the game printed something afterwards or the connection survived
    /// for a while. With `written`, which is told when the line is written, it only resolves after later output, and
    /// the line is typed a second time if it may have been lost.
    pub(super) fn type_line(
        &self,
        line: String,
        written: Option<oneshot::Sender<()>>,
    ) -> impl Future<Output = Result<(), NotTyped>> + Send + use<> {
        let (told, answer) = oneshot::channel();
        let typed = Typed { line, sure: written.is_some(), written, at: Instant::now(), told };
        let taken = self.0.try_send(typed).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTyped::Deaf,
            mpsc::error::TrySendError::Closed(_) => NotTyped::Detached,
        });
        async move {
            taken?;
            answer.await.unwrap_or(Err(NotTyped::Detached))
        }
    }
}

/// A written line without output of the game since.
#[derive(Debug)]
pub(super) struct UnheardLine {
    pub(super) line: String,
    at: Instant,
    pub(super) sure: bool,
    /// Told the result, while anyone waits for it.
    told: Option<Told>,
}

impl UnheardLine {
    /// Whether somebody still waits for the result.
    pub(super) fn is_awaited(&self) -> bool {
        self.told.is_some()
    }

    /// The game received it.
    pub(super) fn arrived(self) {
        if let Some(told) = self.told {
            // Fails if nobody waits any more.
            let _ = told.send(Ok(()));
        }
    }

    /// The connection was lost, possibly with the line: types it again or reports the loss. False if nobody waits.
    pub(super) fn lost(self, keyboard: &Keyboard) -> bool {
        let Some(told) = self.told else { return false };
        if self.sure {
            let typed = Typed { line: self.line, sure: false, written: None, at: Instant::now(), told };
            // If this fails, dropping the sender tells the waiter.
            drop(keyboard.0.try_send(typed));
        } else {
            let _ = told.send(Err(NotTyped::Lost));
        }
        true
    }
}

/// Lines written since the game's last output: if a connection turns out to be dead, they may be lost.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    lines: Mutex<VecDeque<UnheardLine>>,
    /// A line is partly written; a new connection would split it.
    writing: AtomicBool,
    pub(super) more: Notify,
}

impl Unheard {
    fn add(&self, line: UnheardLine) {
        let mut lines = self.lock();
        if lines.len() < UNHEARD {
            lines.push_back(line);
        } else {
            line.arrived();
        }
        drop(lines);
        self.more.notify_one();
    }

    /// The game printed something: all lines arrived.
    pub(super) fn heard(&self) {
        for line in self.lock().drain(..) {
            line.arrived();
        }
    }

    /// Since when a line has been without a reaction; with `sure`, only lines whose delivery matters.
    pub(super) fn since(&self, sure: bool) -> Option<Instant> {
        let lines = self.lock();
        let writing = self.writing.load(Ordering::Relaxed);
        lines.iter().find(|line| !writing && (line.sure && line.told.is_some() || !sure)).map(|line| line.at)
    }

    /// When the earliest waiting line counts as delivered.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lock().iter().find(|line| !line.sure && line.told.is_some()).map(|line| line.at + WRITTEN)
    }

    /// Reports the lines as written whose connection has survived long enough.
    pub(super) fn written(&self) {
        let now = Instant::now();
        for line in self.lock().iter_mut().filter(|line| !line.sure && line.at + WRITTEN <= now) {
            if let Some(told) = line.told.take() {
                let _ = told.send(Ok(()));
            }
        }
    }

    /// No connection for too long: reports all lines as lost.
    pub(super) fn give_up(&self) {
        for line in self.lock().iter_mut() {
            if let Some(told) = line.told.take() {
                let _ = told.send(Err(NotTyped::Lost));
            }
        }
    }

    pub(super) fn take(&self) -> Vec<UnheardLine> {
        self.lock().drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<UnheardLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where terminal connections are attached and detached.
pub(super) struct Port {
    pub(super) keyboard: Keyboard,
    pub(super) inputs: mpsc::Sender<Option<Input>>,
    pub(super) unheard: Arc<Unheard>,
}

/// A keyboard, the port for its connections, and the task between them.
pub(super) fn keyboard(
    console: &Console,
    cancel: &CancellationToken,
) -> (Keyboard, Port, impl Future<Output = ()> + Send + use<>) {
    let (lines, typed) = mpsc::channel(LINES);
    let (inputs, plugged) = mpsc::channel(1);
    let unheard = Arc::<Unheard>::default();
    let typist = Typist {
        lines: typed,
        inputs: plugged,
        input: None,
        unheard: Arc::clone(&unheard),
        console: console.clone(),
        told: false,
    };
    let keyboard = Keyboard(lines);
    (keyboard.clone(), Port { keyboard, inputs, unheard }, typist.run(cancel.clone()))
}

struct Typist {
    lines: mpsc::Receiver<Typed>,
    inputs: mpsc::Receiver<Option<Input>>,
    /// `None` while there is no connection.
    input: Option<Input>,
    unheard: Arc<Unheard>,
    console: Console,
    /// Users were told that the game does not read its input.
    told: bool,
}

impl Typist {
    async fn run(mut self, cancel: CancellationToken) {
        let work = async {
            loop {
                tokio::select! {
                    biased;
                    plugged = self.inputs.recv() => match plugged {
                        Some(input) => self.input = input,
                        None => return,
                    },
                    typed = self.lines.recv() => match typed {
                        Some(typed) => self.write(typed).await,
                        // Some games exit at the end of their input, so it stays open as long as the game runs.
                        None => std::future::pending().await,
                    },
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = cancel.cancelled() => {}
        }
    }

    async fn write(&mut self, typed: Typed) {
        let Typed { line, sure, written: tell_written, at, told } = typed;
        let bytes = format!("{line}\n").into_bytes();
        let mut told = Some(told);
        let tell =
            |told: &mut Option<Told>, result| told.take().is_some_and(|told| told.send(result).is_ok());
        let mut written = 0;
        let mut deaf = false;
        let mut until = (at + PATIENCE).max(Instant::now() + PATIENCE / 50);
        loop {
            let Some(input) = &mut self.input else {
                if written > 0 {
                    // How much of it arrived cannot be known.
                    self.unheard.writing.store(false, Ordering::Relaxed);
                    tell(&mut told, Err(NotTyped::Detached));
                    return;
                }
                tokio::select! {
                    plugged = self.inputs.recv() => self.input = plugged.flatten(),
                    () = tokio::time::sleep_until(at + CONNECTION) => {
                        tell(&mut told, Err(NotTyped::Detached));
                        return;
                    }
                }
                until = until.max(Instant::now() + PATIENCE / 5);
                continue;
            };
            tokio::select! {
                biased;
                plugged = self.inputs.recv() => self.input = plugged.flatten(),
                n = input.write(&bytes[written..]) => match n {
                    Ok(0) | Err(_) => self.input = None,
                    Ok(n) => {
                        written += n;
                        self.unheard.writing.store(written < bytes.len(), Ordering::Relaxed);
                        if written == bytes.len() {
                            if input.flush().await.is_err() {
                                self.input = None;
                            }
                            if let Some(tell_written) = tell_written {
                                let _ = tell_written.send(());
                            }
                            self.unheard.add(UnheardLine { line, at: Instant::now(), sure, told });
                            return;
                        }
                    }
                },
                () = tokio::time::sleep_until(until), if !deaf => {
                    deaf = true;
                    if !std::mem::replace(&mut self.told, true) {
                        self.console.system("The game does not read its input: what you type does not reach it.");
                    }
                    tell(&mut told, Err(NotTyped::Deaf));
                    if written == 0 {
                        return;
                    }
                }
                more = self.lines.recv(), if deaf => match more {
                    // A partly written line blocks all later ones.
                    Some(more) => drop(more.told.send(Err(NotTyped::Deaf))),
                    None => std::future::pending().await,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
