//! What people type: line after line into the game's terminal, over whichever connection there is at the moment. A line
//! is answered when it was written, not before.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::console::Console;

/// Lines that may wait.
const LINES: usize = 64;
/// How long a line waits for a connection to the terminal.
pub(super) const CONNECTION: Duration = Duration::from_secs(2);
/// How long a line waits for a game that does not read.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that was broken says so within this.
const WRITTEN: Duration = Duration::from_millis(100);
/// Lines without an answer that are remembered.
const UNHEARD: usize = 64;

/// The writing end of a terminal.
pub(super) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// A line was not typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTyped {
    /// There is no connection to its terminal.
    Detached,
    /// It ended as the line was written.
    Lost,
    /// It is there, and the game takes nothing from it.
    Deaf,
}

impl NotTyped {
    /// For a person.
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

/// A line on its way.
pub(super) struct Typed {
    line: String,
    /// It matters that it arrives: answered when the game was heard after it, and typed once more over a new connection
    /// where the old one may have lost it.
    sure: bool,
    /// Told when it is written, whatever becomes of it.
    written: Option<oneshot::Sender<()>>,
    at: Instant,
    told: Told,
}

type Told = oneshot::Sender<Result<(), NotTyped>>;

/// Where lines are typed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Keyboard(mpsc::Sender<Typed>);

impl Keyboard {
    /// Types a line; resolves when it is written, and either the game was heard after it or the connection did not end
    /// for a while. With `written`, which is told of the writing itself: only when the game was heard; it is written a
    /// second time where it may have been lost.
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

/// A line that was written, and nothing was heard of the game since.
#[derive(Debug)]
pub(super) struct UnheardLine {
    pub(super) line: String,
    at: Instant,
    pub(super) sure: bool,
    /// Who waits.
    told: Option<Told>,
}

impl UnheardLine {
    /// The game has it.
    pub(super) fn arrived(self) {
        if let Some(told) = self.told {
            // Whoever waited is gone, where this fails.
            let _ = told.send(Ok(()));
        }
    }

    /// The connection was lost, and it with it: it is typed again, or whoever waits is told. False where nobody waits.
    pub(super) fn lost(self, keyboard: &Keyboard) -> bool {
        let Some(told) = self.told else { return false };
        if self.sure {
            let typed = Typed { line: self.line, sure: false, written: None, at: Instant::now(), told };
            // The one who waits is told by the drop, where this fails.
            drop(keyboard.0.try_send(typed));
        } else {
            let _ = told.send(Err(NotTyped::Lost));
        }
        true
    }
}

/// What was written since the game was heard last: if a connection turns out to be dead, this is what it swallowed.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    lines: Mutex<VecDeque<UnheardLine>>,
    /// A line is partly written: a new connection would cut it in two.
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

    /// The game said something.
    pub(super) fn heard(&self) {
        for line in self.lock().drain(..) {
            line.arrived();
        }
    }

    /// Since when nothing was heard after a line, or after one that matters.
    pub(super) fn since(&self, sure: bool) -> Option<Instant> {
        let lines = self.lock();
        let writing = self.writing.load(Ordering::Relaxed);
        lines.iter().find(|line| !writing && (line.sure && line.told.is_some() || !sure)).map(|line| line.at)
    }

    /// When somebody has waited for long enough.
    pub(super) fn due(&self) -> Option<Instant> {
        self.lock().iter().find(|line| !line.sure && line.told.is_some()).map(|line| line.at + WRITTEN)
    }

    /// The connection has not ended for a while: what was written is written.
    pub(super) fn written(&self) {
        let now = Instant::now();
        for line in self.lock().iter_mut().filter(|line| !line.sure && line.at + WRITTEN <= now) {
            if let Some(told) = line.told.take() {
                let _ = told.send(Ok(()));
            }
        }
    }

    /// There is no connection for too long: nobody waits any more.
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

/// Where connections are plugged in and out.
pub(super) struct Port {
    pub(super) keyboard: Keyboard,
    pub(super) inputs: mpsc::Sender<Option<Input>>,
    pub(super) unheard: Arc<Unheard>,
}

/// A keyboard, where its connections go, and the task between them.
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
    /// None: nothing is plugged in.
    input: Option<Input>,
    unheard: Arc<Unheard>,
    console: Console,
    /// People know that their game does not read.
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
                        // The end of the input is the end of some games: it stays open for as long as the game runs.
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
                    // What of it arrived is for nobody to know.
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
                    // One that is half written is in the way of all that come after it.
                    Some(more) => drop(more.told.send(Err(NotTyped::Deaf))),
                    None => std::future::pending().await,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
