//! Asked as a panel asks, with answers as they go out.

use futures_util::future::BoxFuture;
use protocol::{FileAction, FileDone, FileEntries, FileInfo, FileSource, FileTarget, FileTrashList};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::link::{PanelSide, local};
use crate::panel::reply_cache::Answers;
use crate::stats::Usages;
use crate::streams::{Frame, Pipe, StreamOpener, Ticket, pipe};

/// Gives the far ends of the connections that the agent opens.
#[derive(Debug)]
struct Opener(mpsc::UnboundedSender<Pipe>);

impl StreamOpener for Opener {
    fn open(&self, _ticket: Ticket) -> BoxFuture<'static, Result<Pipe, String>> {
        let (near, far) = pipe();
        let sent = self.0.send(far).map(|()| near).map_err(|_| "nobody waits".to_owned());
        Box::pin(async move { sent })
    }
}

/// A panel, and the agent's files.
pub(super) struct Panel {
    pub(super) place: Place,
    files: Files,
    answers: Answers,
    link: PanelSide,
    pipes: mpsc::UnboundedReceiver<Pipe>,
    number: u32,
    /// Progress that was told.
    pub(super) told: u32,
}

pub(super) type Answer = Result<ToPanel, ErrorCode>;

impl Panel {
    pub(super) fn new() -> Self {
        Self::at(Place::new())
    }

    pub(super) fn at(place: Place) -> Self {
        let (link, agent) = local(64);
        let (opener, pipes) = mpsc::unbounded_channel();
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let files = Files::new(FilesContext {
            data_dir: place.dir.path().to_owned(),
            usages: Usages::new(place.dir.path().join("servers"), tasks.clone(), cancel.clone()),
            tasks,
            cancel,
            out: agent.to_panel.clone(),
            opener: Some(Arc::new(Opener(opener))),
        });
        Self { place, files, answers: Answers::new(agent.to_panel), link, pipes, number: 0, told: 0 }
    }

    pub(super) fn context(&self) -> &FilesContext {
        &self.files.context
    }

    pub(super) fn send(&mut self, ask: impl FnOnce(&Files, Reply)) -> String {
        self.number += 1;
        let id = self.number.to_string();
        ask(&self.files, self.answers.take(Some(id.clone()), Some(&"1".into())).unwrap());
        id
    }

    pub(super) async fn answer(&mut self, id: &str) -> Answer {
        loop {
            let answered = tokio::time::timeout(Duration::from_secs(60), self.link.from_agent.recv());
            let envelope = answered.await.expect("no answer").unwrap();
            match envelope.message {
                ToPanel::FileProgress(_) => self.told += 1,
                _ if envelope.message_id.as_deref() != Some(id) => panic!("another answer"),
                ToPanel::Error(report) => return Err(report.code),
                message => return Ok(message),
            }
        }
    }

    pub(super) async fn ask(&mut self, ask: impl FnOnce(&Files, Reply)) -> Answer {
        let id = self.send(ask);
        self.answer(&id).await
    }

    pub(super) async fn op(&mut self, op: FileAction) -> Result<FileDone, ErrorCode> {
        let job_id = format!("job{}", self.number);
        match self
            .ask(|files, reply| {
                files.op(FileOp { server_id: "1".into(), job_id, op, denied: Vec::new() }, reply);
            })
            .await?
        {
            ToPanel::FileDone(done) => Ok(done),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn list(
        &mut self,
        path: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<FileEntries, ErrorCode> {
        let after = after.map(str::to_owned);
        let asked = FileList { server_id: "1".into(), path: path.into(), after, limit };
        match self.ask(|files, reply| files.list(asked, reply)).await? {
            ToPanel::FileEntries(entries) => Ok(entries),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn stat(&mut self, path: &str) -> Result<FileInfo, ErrorCode> {
        let asked = FileRef { server_id: "1".into(), path: path.into() };
        match self.ask(|files, reply| files.stat(asked, reply)).await? {
            ToPanel::FileInfo(info) => Ok(*info),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn trash(&mut self) -> FileTrashList {
        match self.ask(|files, reply| files.trash("1".into(), reply)).await {
            Ok(ToPanel::FileTrashList(list)) => list,
            other => panic!("{other:?}"),
        }
    }

    /// Sends content; `end` says that it was all.
    pub(super) async fn put(&mut self, target: FileTarget, content: &[u8], end: bool) -> Answer {
        let (transfer_id, token) = ("t".to_owned(), "t".to_owned());
        let asked = FileReceive { server_id: "1".into(), transfer_id, token, target };
        let id = self.send(|files, reply| files.receive(asked, reply));
        let pipe = tokio::select! {
            pipe = self.pipes.recv() => pipe.unwrap(),
            // Refused before it dialled.
            answer = async {
                let envelope = self.link.from_agent.recv().await.unwrap();
                match envelope.message {
                    ToPanel::Error(report) => Err(report.code),
                    message => Ok(message),
                }
            } => return answer,
        };
        for chunk in content.chunks(1000) {
            if pipe.out.send(Frame::Bytes(bytes::Bytes::copy_from_slice(chunk))).await.is_err() {
                break;
            }
        }
        if end {
            let done = protocol::Control::Done(protocol::Summary::default());
            let _ = pipe.out.send(Frame::Control(done)).await;
            let answer = self.answer(&id).await;
            drop(pipe);
            return answer;
        }
        drop(pipe);
        self.answer(&id).await
    }

    pub(super) async fn get(&mut self, source: FileSource) -> Result<Vec<u8>, ErrorCode> {
        let mut all = Vec::new();
        self.each(source, |bytes| all.extend_from_slice(bytes)).await?;
        Ok(all)
    }

    /// Has something sent and shows each frame of it. Gives how much it was.
    pub(super) async fn each(
        &mut self,
        source: FileSource,
        mut show: impl FnMut(&[u8]),
    ) -> Result<u64, ErrorCode> {
        let (transfer_id, token) = ("t".to_owned(), "t".to_owned());
        let asked = FileSend { server_id: "1".into(), transfer_id, token, source };
        self.ask(|files, reply| files.send(asked, reply)).await?;
        let mut pipe = self.pipes.recv().await.unwrap();
        let mut count = 0;
        loop {
            match pipe.inward.recv().await.expect("it ends with a word") {
                Frame::Bytes(bytes) => {
                    count += bytes.len() as u64;
                    show(&bytes);
                }
                Frame::Control(protocol::Control::Done(summary)) => {
                    assert_eq!(summary.bytes, count);
                    return Ok(count);
                }
                Frame::Control(protocol::Control::Failed(report)) => return Err(report.code),
            }
        }
    }

    /// Sends so many frames, all the same.
    pub(super) async fn fill(&mut self, target: FileTarget, frame: &bytes::Bytes, frames: usize) -> Answer {
        let (transfer_id, token) = ("t".to_owned(), "t".to_owned());
        let asked = FileReceive { server_id: "1".into(), transfer_id, token, target };
        let id = self.send(|files, reply| files.receive(asked, reply));
        let pipe = self.pipes.recv().await.unwrap();
        for _ in 0..frames {
            pipe.out.send(Frame::Bytes(frame.clone())).await.unwrap();
        }
        let done = protocol::Control::Done(protocol::Summary::default());
        pipe.out.send(Frame::Control(done)).await.unwrap();
        self.answer(&id).await
    }
}

pub(super) fn content(path: &str) -> FileSource {
    FileSource::Content { path: path.into(), offset: 0, length: None, etag: None }
}

pub(super) fn whole(path: &str, if_match: Option<&str>) -> FileTarget {
    let if_match = if_match.map(str::to_owned);
    FileTarget::Content { path: path.into(), size: None, if_match, keep_version: true }
}
