//! Files from elsewhere.

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use protocol::{FileDone, FileTarget, HostCheck, ToAgent, ToPanel};
use storage::servers::Server;

use super::denied::Denied;
use super::job_table::JobHandle;
use super::jobs::{JobAnswer, answered};
use super::place::unfitting;
use super::receive::ByteSource;
use super::views::JobKind;
use super::{Files, NUMBER, path};
use crate::auth::{Actor, Permit, need};
use crate::error::{ApiError, Code};
use crate::net::fetch::{FetchError, FetchStream};
use crate::system::ids;

/// What the node's disk keeps for its own.
const RESERVE: u64 = 512 << 20;
/// The name of what has none in its address.
const NAMELESS: &str = "download";

impl Files {
    /// Fetches what a link names into a file that is not there yet.
    pub(super) async fn pull(
        &self,
        permit: &Permit<need::Files>,
        url: String,
        to: &str,
        background: bool,
    ) -> Result<JobAnswer, ApiError> {
        let to = if to.ends_with('/') { format!("{to}{}", name_of(&url)) } else { to.to_owned() };
        let to = path::named("to", &to)?;
        let server = self.writable_place(permit.server_id())?;
        Denied::of(&server, permit).check(&to)?;
        let job = self.0.jobs.begin(&server.id, ids::random(NUMBER), JobKind::Pull)?;
        tracing::info!(server = %server.id, by = %permit.actor(), job = %job.id, path = to, "pulling a file");
        let (files, by, of) = (self.clone(), permit.actor().clone(), job.clone());
        self.drive(&job, async move {
            tokio::select! {
                done = files.fetch(&server, &by, &of, &url, to) => done,
                () = of.cancel.cancelled() => Err(ApiError::new(Code::Conflict, "It was called off.")),
            }
        });
        answered(&job, background).await
    }

    async fn fetch(
        &self,
        server: &Server,
        by: &Actor,
        job: &JobHandle,
        url: &str,
        to: String,
    ) -> Result<FileDone, ApiError> {
        let room = self.room(server).await?;
        let stream = self.0.parts.fetcher.stream(url, room).await.map_err(refused)?;
        let length = stream.length();
        let target = FileTarget::Content {
            path: to.clone(),
            size: length,
            if_match: Some("none".to_owned()),
            keep_version: false,
        };
        let mut source = Pulled { stream, job, path: to, bytes: 0 };
        match self.take(server, by, target, &mut source, length).await {
            Ok(ToPanel::FileInfo(_)) => {}
            Ok(_) => return Err(unfitting()),
            // It was asked for a file that is not there.
            Err(error) if error.code() == Code::PreconditionFailed => {
                return Err(ApiError::new(Code::Exists, "Something of this name is there already."));
            }
            Err(error) => return Err(error),
        }
        Ok(FileDone {
            server_id: server.id.clone(),
            job_id: job.id.clone(),
            entries: 1,
            bytes: source.bytes,
            skipped: Vec::new(),
            skipped_count: 0,
            trashed: Vec::new(),
        })
    }

    /// What the node's disk has room for.
    async fn room(&self, server: &Server) -> Result<u64, ApiError> {
        match self.ask(server, ToAgent::HostCheck(HostCheck::default())).await? {
            ToPanel::HostReport(report) => {
                Ok(report.disk.total.saturating_sub(report.disk.used).saturating_sub(RESERVE))
            }
            _ => Err(unfitting()),
        }
    }
}

/// What is fetched, counted as it comes.
struct Pulled<'j> {
    stream: FetchStream,
    job: &'j JobHandle,
    path: String,
    bytes: u64,
}

impl ByteSource for Pulled<'_> {
    async fn next(&mut self) -> Option<Result<Bytes, ApiError>> {
        let piece = self.stream.next().await?;
        Some(match piece {
            Ok(piece) => {
                self.bytes += piece.len() as u64;
                self.job.at(self.bytes, self.stream.length(), &self.path);
                Ok(piece)
            }
            Err(error) => Err(refused(error)),
        })
    }
}

fn refused(error: FetchError) -> ApiError {
    let words = format!("The address {error}.");
    match error {
        FetchError::Address | FetchError::Refused { .. } => {
            ApiError::new(Code::BlockedAddress, words).with_field("url", error.to_string())
        }
        FetchError::TooLarge(_) => ApiError::new(Code::TooLarge, words),
        FetchError::Authorities(_) | FetchError::Ending => ApiError::internal("fetching a file", &error),
        error => ApiError::field("url", error.to_string()),
    }
}

/// The last name in an address.
fn name_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let last = path.split_once('/').map(|(_, path)| path.rsplit('/').next().unwrap_or_default());
    let name =
        percent_decode_str(last.unwrap_or_default()).decode_utf8_lossy().replace(['/', '\\', '\0'], "_");
    if name.is_empty() || name.bytes().all(|byte| byte == b'.') { NAMELESS.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn an_address_says_a_name() {
        for (url, name) in [
            ("https://example.org/a/server.jar?x=/y", "server.jar"),
            ("https://example.org/a%20b.zip#x", "a b.zip"),
            ("https://example.org", "download"),
            ("https://example.org/a/", "download"),
            ("https://example.org/%2e%2e", "download"),
            ("https://example.org/..%2fx", ".._x"),
        ] {
            assert_eq!(name_of(url), name, "{url}");
        }
    }
}
