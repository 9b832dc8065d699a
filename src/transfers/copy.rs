//! Forwards the data from one node to the other. Nothing is buffered beyond the pipes: the source only sends what the
//! target accepts.

use std::time::{Duration, Instant};

use agent::streams::{Frame, Pipe};
use protocol::{Control, ErrorCode, Summary};
use tokio::time::{sleep_until, timeout};

use super::Transfers;
use super::failure::Failure;
use super::tracker::Live;
use super::views::TransferStep;
use crate::net::rate_limit::TokenBucket;

/// Longest time without progress.
const STALLED: Duration = Duration::from_secs(60);
/// Time for the target to write everything to disk.
const TO_DISK: Duration = Duration::from_secs(900);
/// Time for a failed node to send its reason.
const LAST_WORD: Duration = Duration::from_secs(5);
/// The rate limit's burst is the amount of one second divided by this, because sleeping is too imprecise for fast
/// networks.
const BURSTS: f64 = 10.0;
/// Minimum interval of progress notifications.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Copies the data. Fails unless both nodes report the same counts.
pub(super) async fn copy(
    moves: &Transfers,
    live: &Live,
    mut source: Pipe,
    mut target: Pipe,
) -> Result<(), Failure> {
    let record = live.record();
    let (from, to) = (record.from.as_str(), record.to.as_str());
    let (mut copied, mut told) = (0, Instant::now());
    let mut bucket = moves.limit.map(|limit| {
        let per_second = f64::from(limit.get()) * f64::from(1 << 20);
        TokenBucket::new(per_second / BURSTS, per_second, tokio::time::Instant::now())
    });
    let sent = loop {
        let piece = tokio::select! {
            piece = timeout(STALLED, source.inward.recv()) => piece,
            word = target.inward.recv() => return Err(said(to, word)),
        };
        match piece {
            Ok(Some(Frame::Bytes(bytes))) => {
                let size = bytes.len() as u64;
                copied += size;
                hand_on(&mut target, Frame::Bytes(bytes), to).await?;
                if let Some(bucket) = &mut bucket {
                    bucket.take_many(size as f64, tokio::time::Instant::now());
                    if let Some(due) = bucket.due() {
                        sleep_until(due).await;
                    }
                }
            }
            Ok(Some(Frame::Control(Control::Done(summary)))) => break summary,
            Ok(word) => return Err(said(from, word)),
            Err(_) => return Err(stalled(from)),
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            live.copied(copied);
            moves.agents.changes().server(&record.server_id);
        }
    };
    live.copied(u64::MAX);
    moves.step(live, TransferStep::Verifying);
    hand_on(&mut target, Frame::Control(Control::Done(sent.clone())), to).await?;
    match timeout(TO_DISK, target.inward.recv()).await {
        Ok(Some(Frame::Control(Control::Done(taken)))) => compare(&sent, &taken),
        Ok(word) => Err(said(to, word)),
        Err(_) => Err(stalled(to)),
    }
}

async fn hand_on(target: &mut Pipe, piece: Frame, to: &str) -> Result<(), Failure> {
    match timeout(STALLED, target.out.send(piece)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(said(to, timeout(LAST_WORD, target.inward.recv()).await.ok().flatten())),
        Err(_) => Err(stalled(to)),
    }
}

fn compare(sent: &Summary, taken: &Summary) -> Result<(), Failure> {
    if sent == taken {
        return Ok(());
    }
    Err(Failure::new("The copy is not what was sent. The server is where it was; try again."))
}

fn stalled(node: &str) -> Failure {
    Failure(format!("The node {node} took or sent nothing for too long. Look at its network and its disk."))
}

/// The error for an unexpected frame of a node.
fn said(node: &str, word: Option<Frame>) -> Failure {
    match word {
        Some(Frame::Control(Control::Failed(report))) => {
            let advice =
                if report.code == ErrorCode::DiskFull { " Make room there, then try again." } else { "" };
            let message = report.message.trim_end_matches('.');
            Failure(format!("The node {node} broke off: {message}.{advice}"))
        }
        Some(_) => Failure(format!("The node {node} sent what was not asked for.")),
        None => Failure(format!(
            "The connection to the node {node} broke off. The server is where it was; try again."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_was_counted_otherwise_is_none() {
        let sent = Summary { bytes: 10, entries: 2, sha256: "ab".into() };
        assert!(compare(&sent, &sent.clone()).is_ok());
        for other in [
            Summary { bytes: 9, ..sent.clone() },
            Summary { entries: 3, ..sent.clone() },
            Summary { sha256: "ac".into(), ..sent.clone() },
        ] {
            assert!(compare(&sent, &other).is_err(), "{other:?}");
        }
    }
}
