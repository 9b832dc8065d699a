//! Runs one transfer, from its record to its end.

use std::time::Duration;

use protocol::{
    ErrorCode, HostCheck, NodeId, PowerAction, ServerPower, ServerRef, Status, ToAgent, ToPanel,
    TransferPrepare, TransferReceive, TransferSend, TransferSize,
};
use storage::servers::Server;
use storage::transfers::{Move, Step};

use super::Transfers;
use super::failure::Failure;
use super::tracker::{Live, runs};
use super::views::TransferStep;
use crate::agents::{RequestError, create_message};
use crate::error::ApiError;
use crate::system::clock;

/// Time for an agent to answer a request that needs no work.
const SOON: Duration = Duration::from_secs(30);
/// Time for counting the contents of a folder. A hundred thousand files on a memory card take a while.
const COUNTING: Duration = Duration::from_secs(600);
/// Time for pulling an image.
const FETCHING: Duration = Duration::from_secs(3600);
/// Time for stopping a server in addition to its stop timeout.
const STOPPING: Duration = Duration::from_secs(60);
/// Polling interval.
const LOOK: Duration = Duration::from_millis(50);
/// Delay before a step is retried that failed because a node was offline.
const AGAIN: Duration = Duration::from_secs(1);
/// Free space in bytes that must remain on the target's disk.
const RESERVE: u64 = 64 << 20;

/// Whether `text` has the form `uid:gid` with numbers.
fn is_pair(text: &str) -> bool {
    text.len() <= 32
        && text
            .split_once(':')
            .is_some_and(|(uid, gid)| uid.parse::<u32>().is_ok() && gid.parse::<u32>().is_ok())
}

fn idle(status: &Status) -> bool {
    matches!(
        status,
        Status::Stopped | Status::Created | Status::Crashed | Status::InstallFailed | Status::Suspended
    )
}

impl Transfers {
    /// Carries out the remaining steps in the background. A transfer that is not `fresh` was started by an earlier run
    /// of the panel, and its connections are lost.
    pub(super) fn drive(&self, live: Live, fresh: bool) {
        let (moves, end) = (self.clone(), self.tasks.token());
        drop(self.tasks.spawn("move", async move {
            let work = async {
                if live.record().step == Step::InProgress {
                    moves.copy_and_commit(&live, fresh).await;
                }
                while !moves.settled(&live).await {
                    tokio::time::sleep(AGAIN).await;
                }
            };
            tokio::select! {
                // The next run resumes from the record.
                () = end.cancelled() => {}
                () = live.replaced().cancelled() => {}
                () = work => {}
            }
        }));
    }

    async fn copy_and_commit(&self, live: &Live, fresh: bool) {
        let outcome = if fresh {
            tokio::select! {
                () = live.cancelled().cancelled() => Err(Failure::new("It was called off.")),
                outcome = self.copy_over(live) => outcome,
            }
        } else {
            Err(Failure::new(
                "The panel was stopped in the middle of it. The server is where it was; try again.",
            ))
        };
        let outcome = match outcome {
            // From here on it can no longer be cancelled, and must not wait for anything.
            Ok(()) => self.switch(live).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        if let Err(Failure(why)) = outcome {
            self.fail(live, &why).await;
        }
    }

    /// All steps up to a complete copy that is registered with the other agent.
    async fn copy_over(&self, live: &Live) -> Result<(), Failure> {
        let record = live.record();
        let (from, to) = (&record.from, &record.to);
        let server = self.server(&record.server_id)?;
        let reference = || ServerRef { server_id: server.id.clone() };
        if record.leftovers.iter().any(|node| node == to) {
            self.clean(&server.id, to).await.map_err(Failure::asking("Clearing up on", to))?;
        }
        let size = self.measure(&server, from).await?;
        self.has_room(to, size.bytes).await?;
        live.set_total(size.bytes);

        self.step(live, TransferStep::Fetching);
        let fetch = TransferPrepare { server_id: server.id.clone(), image: server.image.clone() };
        let fetched = self.agents.ask(to, ToAgent::TransferPrepare(fetch), FETCHING).await;
        fetched.map_err(Failure::asking("Fetching the image on", to))?;

        self.step(live, TransferStep::Stopping);
        self.stop(live, &server).await?;
        let size = self.measure(&server, from).await?;
        self.has_room(to, size.bytes).await?;
        live.set_total(size.bytes);

        self.step(live, TransferStep::Copying);
        self.stream(live, &server, &size).await?;

        self.step(live, TransferStep::Switching);
        // Read again, because an administrator may have changed it in the meantime.
        let server = self.server(&record.server_id)?;
        let made = self.agents.ask(to, ToAgent::ServerCreate(Box::new(create_message(&server))), SOON).await;
        made.map_err(Failure::asking("Handing the server to", to))?;
        // The original is only removed if the copy is complete.
        let there = self.measure(&server, to).await?;
        if (there.bytes, there.entries) != (size.bytes, size.entries) {
            return Err(Failure(format!(
                "The node {to} did not keep what it was sent. Look at its disk, then try again."
            )));
        }
        if server.suspended {
            let suspended = self.agents.ask(to, ToAgent::ServerSuspend(reference()), SOON).await;
            suspended.map_err(Failure::asking("Suspending the server on", to))?;
        }
        Ok(())
    }

    async fn measure(&self, server: &Server, from: &NodeId) -> Result<TransferSize, Failure> {
        let asked = ToAgent::TransferMeasure(ServerRef { server_id: server.id.clone() });
        match self.agents.ask(from, asked, COUNTING).await {
            Ok(ToPanel::TransferSize(size)) => Ok(size),
            Ok(_) => Err(Failure::asking("Counting the data on", from)(RequestError::Unfitting)),
            Err(error) => Err(Failure::asking("Counting the data on", from)(error)),
        }
    }

    async fn has_room(&self, to: &NodeId, bytes: u64) -> Result<(), Failure> {
        let report = match self.agents.ask(to, ToAgent::HostCheck(HostCheck::default()), SOON).await {
            Ok(ToPanel::HostReport(report)) => report,
            Ok(_) => return Err(Failure::asking("Looking at", to)(RequestError::Unfitting)),
            Err(error) => return Err(Failure::asking("Looking at", to)(error)),
        };
        let free = report.disk.total.saturating_sub(report.disk.used);
        if free >= bytes.saturating_add(RESERVE) {
            return Ok(());
        }
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        Err(Failure(format!(
            "The disk of the node {to} has no room for it: {} MiB are free, {} MiB are needed. Make room there, then \
             try again.",
            mib(free),
            mib(bytes.saturating_add(RESERVE)),
        )))
    }

    /// Stops the game, after storing whether it has to be started again.
    async fn stop(&self, live: &Live, server: &Server) -> Result<(), Failure> {
        let from = &server.node_id;
        let seen = self.agents.server(&server.id).status;
        let ran = seen.is_some_and(|seen| runs(&seen.status) || seen.restart_at.is_some());
        if ran {
            let mut record = live.record();
            record.ran = true;
            self.write(live, record).await?;
        }
        let power = ServerPower { server_id: server.id.clone(), action: PowerAction::Stop };
        match self.agents.ask(from, ToAgent::ServerPower(power), SOON).await {
            Ok(_) => {}
            Err(RequestError::Refused(report))
                if matches!(report.code, ErrorCode::NotRunning | ErrorCode::AlreadyStopping) => {}
            Err(error) => return Err(Failure::asking("Stopping the server on", from)(error)),
        }
        let within = Duration::from_secs(server.behaviour.stop_timeout_secs.into()) + STOPPING;
        let stopped = async {
            loop {
                let seen = self.agents.server(&server.id);
                if !seen.online {
                    return Err(Failure::asking("Stopping the server on", from)(RequestError::Offline));
                }
                if seen.status.is_some_and(|seen| idle(&seen.status) && seen.restart_at.is_none()) {
                    return Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let late = || Failure(format!("The server did not stop within {} s.", within.as_secs()));
        tokio::time::timeout(within, stopped).await.unwrap_or_else(|_| Err(late()))
    }

    async fn stream(&self, live: &Live, server: &Server, size: &TransferSize) -> Result<(), Failure> {
        let record = live.record();
        let (from, to) = (&record.from, &record.to);
        let (source, target) = (self.transfers.expect(from)?, self.transfers.expect(to)?);
        let receive = TransferReceive {
            server_id: server.id.clone(),
            transfer_id: target.ticket().transfer_id.clone(),
            token: target.ticket().token.clone(),
            bytes: size.bytes,
            entries: size.entries,
            owner: size.owner.clone().filter(|pair| is_pair(pair)),
            user: create_message(server).behaviour.unwrap_or_default().user,
        };
        let taken = self.agents.ask(to, ToAgent::TransferReceive(receive), SOON).await;
        taken.map_err(Failure::asking("Sending the data to", to))?;
        let send = TransferSend {
            server_id: server.id.clone(),
            transfer_id: source.ticket().transfer_id.clone(),
            token: source.ticket().token.clone(),
        };
        let sent = self.agents.ask(from, ToAgent::TransferSend(send), SOON).await;
        sent.map_err(Failure::asking("Taking the data from", from))?;
        let missing =
            |node: &str| Failure(format!("The node {node} did not open a connection for the data."));
        let source = source.pipe().await.ok_or_else(|| missing(from))?;
        let target = target.pipe().await.ok_or_else(|| missing(to))?;
        super::copy::copy(self, live, source, target).await
    }

    /// Moves the server to its new node, in one transaction.
    async fn switch(&self, live: &Live) -> Result<(), ApiError> {
        let id = live.record().server_id;
        let server = self.store.write(move |tx| storage::transfers::switch(tx, &id, clock::now())).await?;
        let mut record = live.record();
        record.step = Step::Switched;
        tracing::info!(server = %record.server_id, from = %record.from, to = %record.to, "the server has moved");
        live.set_record(record);
        live.set_step(TransferStep::Starting);
        self.agents.moved(&server.id, &server.node_id);
        Ok(())
    }

    /// The server stays on its old node. Stores what has to be cleaned up before doing it.
    async fn fail(&self, live: &Live, why: &str) {
        let mut record = live.record();
        record.error = (!live.cancelled().is_cancelled()).then(|| why.to_owned());
        record.restart = record.ran;
        if !record.leftovers.contains(&record.to) {
            record.leftovers.push(record.to.clone());
        }
        record.step = Step::Failed;
        tracing::warn!(
            server = %record.server_id,
            from = %record.from,
            to = %record.to,
            why,
            "a move has failed"
        );
        loop {
            let failed = record.clone();
            match self.store.write(move |tx| storage::transfers::fail(tx, &failed)).await {
                Ok(()) => break,
                Err(storage::Error::NotFound { .. } | storage::Error::Closed) => break,
                Err(error) => {
                    tracing::warn!(server = %record.server_id, %error, "a failed move could not be noted");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        live.set_record(record);
        self.step(live, TransferStep::Failed);
    }

    pub(super) fn step(&self, live: &Live, step: TransferStep) {
        live.set_step(step);
        self.agents.changes().server(&live.record().server_id);
    }

    pub(super) async fn write(&self, live: &Live, record: Move) -> Result<(), ApiError> {
        let changed = record.clone();
        self.store.write(move |tx| storage::transfers::update(tx, &changed)).await?;
        live.set_record(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::is_pair;

    #[test]
    fn an_owner_is_two_numbers() {
        assert!(is_pair("988:988") && is_pair("0:0"));
        for bad in
            ["", "988", "root:root", "1:2:3", "-1:1", "4294967296:1", &format!("{}1:1", "0".repeat(40))]
        {
            assert!(!is_pair(bad), "{bad}");
        }
    }
}
