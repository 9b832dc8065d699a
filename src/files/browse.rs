//! What is there: folders, the trash, versions, matches, the room that it all takes.

use protocol::{
    DiskUsage, FileCancel, FileList, FileRef, FileSearch, LISTED, MATCHES, NodeId, ServerId, ServerRef,
    ToAgent, ToPanel,
};

use super::body::ListQuery;
use super::body::SearchRequest;
use super::denied::Denied;
use super::place::unfitting;
use super::views::{EntryView, MatchesView, TrashView, UsageView, VersionView};
use super::{Files, NUMBER, path};
use crate::agents::Agents;
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::system::ids;

/// Entries of a folder that is listed whole.
const WHOLE: u64 = 200_000;
/// Entries of a part of one.
const MOST: u32 = 10_000;
/// Matches where the caller does not say how many.
const USUAL_MATCHES: u32 = 200;
/// Bytes of what is looked for.
const NEEDLE: usize = 1_024;

/// A folder, or a part of it.
pub(super) struct Listed {
    pub(super) entries: Vec<EntryView>,
    /// Number of entries in the folder; `None` if it was not read.
    pub(super) total: Option<u64>,
    /// The folder's state; `None` for later pages.
    pub(super) etag: Option<String>,
}

impl Files {
    /// A folder's entries in the order of their names' bytes, and how many it has in all.
    pub(super) async fn list(
        &self,
        permit: &Permit<need::FilesRead>,
        query: ListQuery,
    ) -> Result<Listed, ApiError> {
        let ListQuery { path, mut after, limit, unless } = query;
        let path = path::checked("path", &path)?;
        if let Some(after) = &after {
            path::name("after", after)?;
        }
        if limit.is_some_and(|limit| limit == 0 || limit > MOST) {
            return Err(ApiError::field("limit", format!("must be from 1 to {MOST}")));
        }
        let server = self.readable_place(permit.server_id())?;
        // Taken before listing, so that a change meanwhile counts as a newer state.
        let etag = match limit {
            Some(_) if after.is_none() => Some(self.stat(&server, path.clone()).await?.etag),
            _ => None,
        };
        if let (Some(etag), Some(unless)) = (&etag, &unless)
            && unless.trim_matches('"') == etag
        {
            return Ok(Listed { entries: Vec::new(), total: None, etag: Some(etag.clone()) });
        }
        let _turn = match limit {
            Some(_) => None,
            None => self.0.whole_lists.acquire().await.ok(),
        };
        let wanted = limit.map_or(usize::MAX, |limit| limit as usize);
        let mut entries: Vec<EntryView> = Vec::new();
        loop {
            let page = u32::try_from(wanted - entries.len()).unwrap_or(LISTED).min(LISTED);
            let message = FileList { server_id: server.id.clone(), path: path.clone(), after, limit: page };
            let ToPanel::FileEntries(found) = self.ask(&server, ToAgent::FileList(message)).await? else {
                return Err(unfitting());
            };
            let whole = entries.len() + found.entries.len();
            if limit.is_none() && (found.total > WHOLE || whole as u64 > WHOLE) {
                let sentence =
                    format!("The folder has {} entries. Ask for parts of it, with limit.", found.total);
                return Err(ApiError::new(Code::TooLarge, sentence));
            }
            after = found.entries.last().map(|last| last.name.clone());
            entries.extend(found.entries.into_iter().map(EntryView::from));
            if !found.more || after.is_none() || entries.len() >= wanted {
                return Ok(Listed { entries, total: Some(found.total), etag });
            }
        }
    }

    /// What is in the trash, the newest first.
    pub(super) async fn trash(&self, permit: &Permit<need::FilesRead>) -> Result<Vec<TrashView>, ApiError> {
        let server = self.readable_place(permit.server_id())?;
        let message = ToAgent::FileTrash(ServerRef { server_id: server.id.clone() });
        match self.ask(&server, message).await? {
            ToPanel::FileTrashList(list) => Ok(list.entries.into_iter().map(TrashView::from).collect()),
            _ => Err(unfitting()),
        }
    }

    /// What a file was before, the newest first.
    pub(super) async fn versions(
        &self,
        permit: &Permit<need::FilesRead>,
        path: &str,
    ) -> Result<Vec<VersionView>, ApiError> {
        let path = path::named("path", path)?;
        let server = self.readable_place(permit.server_id())?;
        Denied::of(&server, permit).check(&path)?;
        let message = ToAgent::FileVersions(FileRef { server_id: server.id.clone(), path });
        match self.ask(&server, message).await? {
            ToPanel::FileVersionList(list) => Ok(list.versions.into_iter().map(VersionView::from).collect()),
            _ => Err(unfitting()),
        }
    }

    /// Looks for files. It ends when the caller goes away.
    pub(super) async fn search(
        &self,
        permit: &Permit<need::FilesRead>,
        wanted: SearchRequest,
    ) -> Result<MatchesView, ApiError> {
        let path = path::checked("path", &wanted.path)?;
        for (field, text) in [("name", &wanted.name), ("content", &wanted.content)] {
            if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > NEEDLE) {
                return Err(ApiError::field(field, format!("must have from 1 to {NEEDLE} bytes")));
            }
        }
        if wanted.name.is_none() && wanted.content.is_none() {
            return Err(ApiError::field("name", "or content must say what to look for"));
        }
        let limit = wanted.limit.unwrap_or(USUAL_MATCHES);
        if !(1..=MATCHES).contains(&limit) {
            return Err(ApiError::field("limit", format!("must be from 1 to {MATCHES}")));
        }
        let server = self.readable_place(permit.server_id())?;
        let message = FileSearch {
            server_id: server.id.clone(),
            job_id: ids::random(NUMBER),
            path,
            name: wanted.name,
            content: wanted.content,
            case_sensitive: wanted.case_sensitive,
            limit,
        };
        let mut search = Search {
            agents: self.agents().clone(),
            node_id: server.node_id.clone(),
            server_id: server.id.clone(),
            job_id: message.job_id.clone(),
            over: false,
        };
        // The agent looks for 30 s at most, and says then what it has found.
        let answer = self
            .agents()
            .ask(&server.node_id, ToAgent::FileSearch(message), 2 * super::ANSWER)
            .await
            .map_err(ApiError::from)?;
        search.over = true;
        match answer {
            ToPanel::FileMatches(mut found) => {
                let denied = Denied::of(&server, permit);
                found.matches.retain(|found| !denied.hides(&found.path));
                Ok(found.into())
            }
            _ => Err(unfitting()),
        }
    }

    /// How much room the files take.
    pub(super) async fn usage(
        &self,
        permit: &Permit<need::FilesRead>,
        refresh: bool,
    ) -> Result<UsageView, ApiError> {
        let server = self.readable_place(permit.server_id())?;
        let limit = u64::try_from(server.limits.disk).ok().filter(|limit| *limit > 0);
        let message = ToAgent::DiskUsage(DiskUsage { server_id: server.id.clone(), refresh });
        match self.ask(&server, message).await? {
            ToPanel::DiskUsageReport(report) => Ok(UsageView::new(report, limit)),
            _ => Err(unfitting()),
        }
    }
}

/// A search under way: called off where nobody waits for it any more.
struct Search {
    agents: Agents,
    node_id: NodeId,
    server_id: ServerId,
    job_id: String,
    over: bool,
}

impl Drop for Search {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        if let Ok(session) = self.agents.session(&self.node_id) {
            let message = FileCancel { server_id: self.server_id.clone(), job_id: self.job_id.clone() };
            // A node that is too busy for it ends the search by itself.
            let _ = session.tell(ToAgent::FileCancel(message));
        }
    }
}
