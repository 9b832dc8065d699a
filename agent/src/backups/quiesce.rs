//! What a running game is told around a backup, so that its files do not change under the reader.

use std::time::Duration;

use protocol::{BackupQuiesce, ConsoleItem, ToPanel};
use tokio_util::sync::CancellationToken;

use crate::console::{Follower, Ready};
use crate::panel::reply_cache::Answers;
use crate::server::{Handle, Request};

/// How long a line may take to be typed.
const TYPED: Duration = Duration::from_secs(5);
/// How long a game may take to save.
const SAVED: Duration = Duration::from_secs(60);

/// Has the game save and stand still on the disk.
///
/// # Errors
/// What went wrong, as a sentence; the backup is made all the same.
pub(super) async fn before(
    answers: &Answers,
    handle: &Handle,
    quiesce: &BackupQuiesce,
    cancel: &CancellationToken,
) -> Result<(), String> {
    let mut follower = handle.console.follow(None);
    // What was printed before says nothing of now.
    drop(follower.next().await);
    type_lines(answers, handle, &quiesce.before).await?;
    let Some(saved) = &quiesce.saved else { return Ok(()) };
    let saved = Ready::parse(saved)
        .map_err(|error| format!("What the game says when it has saved cannot be looked for: {error}."))?;
    tokio::select! {
        () = cancel.cancelled() => Ok(()),
        seen = tokio::time::timeout(SAVED, said(&mut follower, &saved)) => seen.map_err(|_| {
            format!("The game did not say within {} s that it had saved.", SAVED.as_secs())
        }),
    }
}

/// Lets it go on.
///
/// # Errors
/// What went wrong, as a sentence.
pub(super) async fn after(answers: &Answers, handle: &Handle, quiesce: &BackupQuiesce) -> Result<(), String> {
    type_lines(answers, handle, &quiesce.after).await
}

async fn said(follower: &mut Follower, saved: &Ready) {
    loop {
        let batch = follower.next().await;
        let hit = |item: &ConsoleItem| match item {
            ConsoleItem::Line(line) => saved.matches(&line.text),
            ConsoleItem::Skipped { .. } => false,
        };
        if batch.lines.iter().any(hit) {
            return;
        }
    }
}

async fn type_lines(answers: &Answers, handle: &Handle, lines: &[String]) -> Result<(), String> {
    for line in lines {
        let (reply, answer) = answers.here();
        handle.ask(Request::Command(line.clone()), reply);
        match tokio::time::timeout(TYPED, answer).await {
            Ok(Ok(ToPanel::Ack(_))) => {}
            Ok(Ok(ToPanel::Error(report))) => {
                return Err(format!("The command {line} could not be typed: {}", report.message));
            }
            _ => return Err(format!("The command {line} could not be typed.")),
        }
    }
    Ok(())
}
